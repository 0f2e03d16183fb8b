"""`UsageEvent`: one use of AI, or an aggregate of several, as facts. Impacts are derived, never stored here."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from mesure.errors import InvalidValue

__all__ = [
    "CHOICES",
    "KINDS",
    "SCHEMA_VERSION",
    "Basis",
    "Environment",
    "Operation",
    "Outcome",
    "Source",
    "UsageEvent",
    "identity_of",
]

#: Additive evolution only: a later version adds columns, never renames or retypes one.
SCHEMA_VERSION = 1

Basis = Literal["observed", "exported", "declared"]
Source = Literal["gateway", "hook", "otlp", "callback", "import", "profile", "sensor", "demo"]
Environment = Literal["production", "test", "experiment"]
Outcome = Literal["ok", "error", "cancelled", "truncated"]
Operation = Literal[
    "chat",
    "completion",
    "embeddings",
    "image",
    "video",
    "speech",
    "transcription",
    "rerank",
    "translation",
    "classification",
    "training",
    "other",
]

#: Fields that take one of a few words (None among them: the field may be unknown).
CHOICES: dict[str, tuple[str | None, ...]] = {
    "basis": get_args(Basis),
    "source": get_args(Source),
    "environment": get_args(Environment),
    "status": get_args(Outcome),
    "operation": get_args(Operation),
    "energy_status": (None, "measured", "modelled"),
    "energy_scope": (None, "process", "cpu", "accelerator", "server"),
}


def _otel(name: str) -> Any:
    """A field that OpenTelemetry's GenAI conventions also name: used at the border, in and out."""
    return field(default=None, metadata={"otel": name})


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEvent:
    """Facts of one call (`calls_count` = 1) or of an aggregate over `[started_at, ended_at)`; 0 where it does not
    say of how many.

    `None` is unknown, which is not zero. Token sub-counts are subsets: cached tokens are part of `input_tokens`,
    reasoning tokens of `output_tokens`. Times are UTC. No prompt or answer text has a field here.
    """

    id: str  # UUIDv7
    started_at: datetime
    schema_version: int = SCHEMA_VERSION
    ended_at: datetime | None = None
    calls_count: int = 1
    basis: Basis = "observed"
    source: Source = "gateway"

    # Identity: what makes two sightings the same call (see `identity_of`)
    response_id: str | None = _otel("gen_ai.response.id")
    trace_id: str | None = None
    span_id: str | None = None
    origin: str | None = None  # "sha256:line" of an imported row

    # Who
    organisation: str | None = None
    end_client: str | None = None
    team: str | None = None
    user: str | None = None  # pseudonym, never a name
    key_id: str | None = None  # visible part of the virtual key that the call was made with
    application: str | None = field(default=None, metadata={"otel": "service.name"})
    use_case: str | None = None
    contact_id: str | None = None
    conversation_id: str | None = _otel("gen_ai.conversation.id")
    turn: int | None = None
    environment: Environment = "production"
    labels: dict[str, str] | None = None

    # What
    provider: str | None = _otel("gen_ai.provider.name")
    model_requested: str | None = _otel("gen_ai.request.model")
    model_answered: str | None = _otel("gen_ai.response.model")
    operation: Operation = field(default="chat", metadata={"otel": "gen_ai.operation.name"})
    task: str | None = None
    max_output_tokens: int | None = _otel("gen_ai.request.max_tokens")
    reasoning_effort: str | None = None
    deployment: str | None = None  # name of a declared deployment in mesure.toml
    host_region: str | None = field(default=None, metadata={"otel": "cloud.region"})
    host_zone: str | None = None  # grid zone: ISO 3166-1 alpha-3, 3166-2 or a grid zone

    # How much
    input_tokens: int | None = _otel("gen_ai.usage.input_tokens")
    cached_input_tokens: int | None = _otel("gen_ai.usage.cache_read.input_tokens")
    cache_write_tokens: int | None = _otel("gen_ai.usage.cache_creation.input_tokens")
    output_tokens: int | None = _otel("gen_ai.usage.output_tokens")
    reasoning_tokens: int | None = _otel("gen_ai.usage.reasoning.output_tokens")
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None
    tokens_reported: bool | None = None  # True: counted by the provider; False: by us; None: no count
    images_count: int | None = None
    image_width: int | None = None
    image_height: int | None = None
    image_steps: int | None = None
    video_frames: int | None = None
    audio_seconds: float | None = None
    characters: int | None = None
    input_items: int | None = None  # texts embedded, documents reranked, questions grouped

    # How it went
    duration_ms: float | None = None
    first_output_ms: float | None = None
    stream: bool | None = field(default=None, metadata={"otel": "gen_ai.request.stream"})
    status: Outcome = "ok"
    http_status: int | None = field(default=None, metadata={"otel": "http.response.status_code"})
    error_type: str | None = field(default=None, metadata={"otel": "error.type"})
    finish_reason: str | None = None

    # Levers: who answered, and instead of what
    route: str | None = None
    baseline_model: str | None = None

    # Money, in the price's own currency
    cost: float | None = None
    cost_currency: str | None = None

    # Energy read or modelled where the call ran; it replaces the estimate
    energy_j: float | None = None
    energy_low_j: float | None = None
    energy_high_j: float | None = None
    energy_sensor: str | None = None  # "rapl", "nvml", "cpu-time", ...
    energy_status: Literal["measured", "modelled"] | None = None
    energy_scope: Literal["process", "cpu", "accelerator", "server"] | None = None

    # Keyed fingerprints: repetition can be seen, text cannot
    prompt_fingerprint: str | None = None
    prefix_fingerprint: str | None = None

    # Set by the ledger
    ingested_at: datetime | None = None
    sightings: str | None = None  # JSON: what each source told of the call, where several did

    def checked(self) -> UsageEvent:
        """Itself, once every field lies in its domain; raises `InvalidValue` naming the field otherwise."""
        for name, choices in CHOICES.items():
            if (value := getattr(self, name)) not in choices:
                raise InvalidValue(
                    f"{name} is not one Mesure knows",
                    value=value,
                    action=f"Use one of: {', '.join(filter(None, choices))}.",
                )
        _check_kinds(self)
        for name in _TIMES:
            if (time := getattr(self, name)) is not None and time.tzinfo is None:
                raise InvalidValue(f"{name} has no time zone", value=time, action="Give a UTC offset, as in +00:00.")
        for name in _AMOUNTS:
            value = getattr(self, name)
            if value is not None and not 0 <= value < _BEYOND:
                raise InvalidValue(
                    f"{name} must be a finite number, zero or more",
                    value=value,
                    action="Correct it, or leave it out when it is unknown.",
                )
        for part, whole in _SUBSETS:
            inner, outer = getattr(self, part), getattr(self, whole)
            if inner is not None and outer is not None and inner > outer:
                raise InvalidValue(
                    f"{part} is part of {whole} and cannot exceed it",
                    value=f"{inner} > {outer}",
                    action=f"Add {part} into {whole} before recording.",
                )
        return self

    def to_json(self) -> dict[str, Any]:
        """Known fields only; times stay `datetime`, which the JSON encoder is to write in ISO 8601."""
        return {name: value for name in _NAMES if (value := getattr(self, name)) is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> UsageEvent:
        """From `to_json` after a trip through JSON. Columns of a later schema version are left aside.

        Raises `InvalidValue` where the id or the time is missing, or a time cannot be read or has no offset.
        """
        known = {name: data[name] for name in _NAMES if name in data}
        for name in _TIMES:
            if isinstance(known.get(name), str):
                known[name] = _time(name, known[name])
        if "id" not in known or "started_at" not in known:
            raise InvalidValue("An event needs an id and started_at", value=sorted(known), action="Give both.")
        return cls(**known)


def _time(name: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(
            f"{name} is not a time", value=text, action="Write it in ISO 8601, with its offset."
        ) from None
    if time.tzinfo is None:
        raise InvalidValue(f"{name} has no time zone", value=text, action="Give a UTC offset, as in +00:00.")
    return time.astimezone(UTC)


def _check_kinds(event: UsageEvent) -> None:
    for name, kind in KINDS.items():
        if (value := getattr(event, name)) is not None and type(value) is not kind:
            _refuse_kind(name, value, kind)
    if event.labels and not all(type(text) is str for pair in event.labels.items() for text in pair):
        raise InvalidValue("labels must be a table of texts", value=event.labels, action="Write numbers as text.")


def _refuse_kind(name: str, value: object, kind: type) -> None:
    """Raise unless `value` can stand for `kind`: a whole number for a float, a subclass of it otherwise."""
    if kind is float and type(value) is int:
        return
    if isinstance(value, kind) and not isinstance(value, bool):
        return
    raise InvalidValue(f"{name} must be {_SPOKEN[kind]}", value=value, action="Correct it, or leave it out.")


_NAMES = tuple(f.name for f in fields(UsageEvent))
_TIMES = ("started_at", "ended_at", "ingested_at")
_SPOKEN: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
    dict: "a table of texts",
    datetime: "a time",
}
#: Every other field, and the Python type of its values when known.
KINDS: dict[str, type] = {
    f.name: next(kind for kind in _SPOKEN if f.type.split(" ")[0].split("[")[0] == kind.__name__)
    for f in fields(UsageEvent)
    if isinstance(f.type, str) and f.name not in CHOICES
}
_AMOUNTS = tuple(name for name, kind in KINDS.items() if kind in (int, float) and name != "schema_version")
#: Columns of the table are 64-bit.
_BEYOND = 2.0**63
_SUBSETS = (
    ("cached_input_tokens", "input_tokens"),
    ("reasoning_tokens", "output_tokens"),
    ("input_audio_tokens", "input_tokens"),
    ("output_audio_tokens", "output_tokens"),
    ("input_image_tokens", "input_tokens"),
    ("output_image_tokens", "output_tokens"),
)


def identity_of(event: UsageEvent) -> str:
    """What makes two sightings one call: provider + response id, else trace + span, else file hash + line, else id."""
    if event.response_id:
        return f"r:{event.provider or ''}:{event.response_id}"
    if event.trace_id and event.span_id:
        return f"t:{event.trace_id}:{event.span_id}"
    if event.origin:
        return f"o:{event.origin}"
    return f"i:{event.id}"
