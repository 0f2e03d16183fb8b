"""A span or a log record -> the fields of one call, or None when it tells of none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from mesure.errors import InvalidValue
from mesure.meter.otlp.conventions import KINDS, NAMES, counted, number, operation_of, text, truth
from mesure.meter.provider_names import catalogue_provider, region_in_address
from mesure.meter.wires.usage import count, reported, usage_facts
from mesure.record import CHOICES
from mesure.record import KINDS as FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.meter.otlp.records import Attributes, Record
    from mesure.meter.otlp.who import Attribution

__all__ = ["ATTRIBUTES", "log_fields", "span_fields", "time_at"]

Facts = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(days=1)
_NS_PER_MS = 1e6
_OWN = "mesure."
_OWN_LABEL = "labels."
#: What one of Mesure's own attributes cannot state: ids, times, and what has rules of its own.
_NOT_OWN = frozenset(
    {"id", "schema_version", "started_at", "ended_at", "ingested_at", "origin", "trace_id", "span_id", "key_id"}
    | {"labels", "user", "basis", "source", "calls_count", "duration_ms"}
)
_OWN_SOURCES = ("hook", "callback")
#: The event that tells of one call in logs; and that of Claude Code, whose input leaves its caches out.
_GENAI_EVENT = "gen_ai.client.inference.operation.details"
_CODING_EVENTS = ("api_request", "claude_code.api_request")
_CODING_SERVICE = "claude-code"
_CODING = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_input_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_creation_tokens",
}
_REQUEST_IDS = ("chatcmpl-", "cmpl-")
_PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")
#: Errors of a provider that refused, or was never reached: no model ran, a known zero.
_NOTHING_RAN = (
    "APIConnectionError",
    "AuthenticationError",
    "BadRequestError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "UnprocessableEntityError",
)
_MAY_HAVE_RUN = (408, 499)

#: Every attribute that is read here.
ATTRIBUTES: frozenset[str] = frozenset(
    {name for names in NAMES.values() for name in names}
    | {
        *KINDS,
        *_PARAMETERS,
        *_CODING.values(),
        "event.name",
        "cost_usd",
        "duration_ms",
        "request_id",
        "gen_ai.request.id",
    }
)


def span_fields(record: Record, who: Attribution) -> Facts | None:
    """Fields of `UsageEvent`, all but its id. Raises `InvalidValue` for a call whose time cannot be."""
    operation = record.attributes.get(f"{_OWN}operation") or operation_of(record.attributes)
    if operation is None or operation not in CHOICES["operation"]:
        return None
    return _fields(record, {"operation": operation, **_tokens(record.attributes)}, who)


def log_fields(record: Record, who: Attribution) -> Facts | None:
    """The same for a log record: an event of the GenAI conventions, or a request of Claude Code."""
    attributes = record.attributes
    name = record.name or attributes.get("event.name")
    if name == _GENAI_EVENT:
        return span_fields(record, who)
    service = record.resource.get("service.name")
    if name not in _CODING_EVENTS or not (name == _CODING_EVENTS[1] or service == _CODING_SERVICE):
        return None
    facts: Facts = {"operation": "chat", "provider": "anthropic", **_coding_tokens(attributes)}
    if (cost := number(attributes, ("cost_usd",))) is not None:
        facts |= {"cost": cost, "cost_currency": "USD"}
    took = number(attributes, ("duration_ms",)) or 0.0
    began = record._replace(start_ns=max(record.end_ns - int(took * _NS_PER_MS), 0) if record.end_ns else 0)
    fields = _fields(began, facts, who)
    # Every request of a session may lie in one span, or in none: the request's own id tells them apart.
    request = text(attributes, ("request_id",))
    return fields | {"span_id": None, "origin": f"otlp:{request}" if request else _origin(record)}


def _fields(record: Record, facts: Facts, who: Attribution) -> Facts:
    attributes = record.attributes
    facts = {**_texts(attributes), **facts, **_place(record), **_ending(record)}
    facts |= {name: value for name in ("stream",) if (value := truth(attributes, NAMES[name])) is not None}
    facts |= who.fields(attributes, record.resource) | _own(attributes)
    _leave_unknown(facts)
    if record.trace_id and record.span_id:
        facts |= {"trace_id": record.trace_id, "span_id": record.span_id}
    elif "response_id" not in facts:
        facts["origin"] = _origin(record)
    return facts | _times(record, facts)


def _texts(attributes: Attributes) -> Facts:
    facts: Facts = {}
    names = ("response_id", "model_requested", "model_answered", "conversation_id", "reasoning_effort", "finish_reason")
    facts.update((name, value) for name in names if (value := text(attributes, NAMES[name])) is not None)
    if (provider := catalogue_provider(text(attributes, NAMES["provider"]))) is not None:
        facts["provider"] = provider
    for name, value in _invocation(attributes).items():
        facts.setdefault(name, value)
    asked = text(attributes, ("gen_ai.request.id",))
    if "response_id" not in facts and asked is not None and asked.startswith(_REQUEST_IDS):
        facts["response_id"] = asked  # servers that answer with the id of the request
    if (most := counted(attributes, NAMES["max_output_tokens"])) is not None:
        facts["max_output_tokens"] = most
    if (cost := number(attributes, NAMES["cost"])) is not None:
        facts |= {"cost": cost, "cost_currency": "USD"}
    if (agent := text(attributes, NAMES["agent"])) is not None:
        facts["labels"] = {"agent": agent}
    return facts


def _invocation(attributes: Attributes) -> Facts:
    """What was asked for, where a short JSON text of parameters is all that says so (OpenInference)."""
    for name in _PARAMETERS:
        try:
            asked = orjson.loads(attributes.get(name, "null"))
        except (TypeError, ValueError):
            continue
        if isinstance(asked, dict) and isinstance(model := asked.get("model"), str) and model:
            return {"model_requested": model}
    return {}


def _tokens(attributes: Attributes) -> Facts:
    """Counts with one meaning: cached ones part of the input, reasoning part of the output."""
    found = {
        name: counted(attributes, NAMES[name])
        for name in ("input_tokens", "output_tokens", "total_tokens", "cached_input_tokens", "cache_write_tokens")
    }
    given, made, total = found["input_tokens"], found["output_tokens"], found["total_tokens"]
    beside = (found["cached_input_tokens"] or 0) + (found["cache_write_tokens"] or 0)
    if given is not None and made is not None and total is not None and beside and given + made + beside == total:
        given += beside
    return usage_facts(
        {
            "prompt_tokens": given,
            "completion_tokens": made,
            "total_tokens": total,
            "cache_write_tokens": found["cache_write_tokens"],
            "prompt_tokens_details": {
                "cached_tokens": found["cached_input_tokens"],
                "audio_tokens": counted(attributes, NAMES["input_audio_tokens"]),
            },
            "completion_tokens_details": {
                "reasoning_tokens": counted(attributes, NAMES["reasoning_tokens"]),
                "audio_tokens": counted(attributes, NAMES["output_audio_tokens"]),
            },
        }
    )


def _coding_tokens(attributes: Attributes) -> Facts:
    facts = {field: value for field, name in _CODING.items() if (value := counted(attributes, (name,))) is not None}
    if "input_tokens" in facts:
        facts["input_tokens"] += facts.get("cached_input_tokens", 0) + facts.get("cache_write_tokens", 0)
    else:
        facts.pop("cached_input_tokens", None)
    return reported(facts)


def _place(record: Record) -> Facts:
    """Where the model ran: its server's address or region, or the resource's own where that is the side that answers.

    The region of an application that calls a provider is not where the provider runs.
    """
    attributes = record.attributes
    region = region_in_address(text(attributes, NAMES["address"])) or text(attributes, NAMES["region"])
    if region is None and record.served:
        region = text(record.resource, NAMES["region"])
    return {"host_region": region} if region else {}


def _ending(record: Record) -> Facts:
    attributes = record.attributes
    facts: Facts = {}
    status = counted(attributes, NAMES["http_status"])
    if status is not None:
        facts["http_status"] = status
    error = text(attributes, NAMES["error_type"]) or record.exception or None
    if not (record.failed or error or (status or 0) >= 400):
        return facts
    facts["status"] = "error"
    if error:
        facts["error_type"] = error
    refused = status is not None and 400 <= status < 500 and status not in _MAY_HAVE_RUN
    if refused or (error or "").rpartition(".")[2] in _NOTHING_RAN:
        facts |= {"input_tokens": 0, "output_tokens": 0, "tokens_reported": False}
    return facts


def _own(attributes: Attributes) -> Facts:
    """Attributes that state a field by its name: `mesure.task`, `mesure.energy_j`, `mesure.labels.shop`."""
    facts: Facts = {}
    labels: dict[str, str] = {}
    for name, value in attributes.items():
        if not name.startswith(_OWN):
            continue
        field = name.removeprefix(_OWN)
        if field.startswith(_OWN_LABEL) and isinstance(value, str):
            labels[field.removeprefix(_OWN_LABEL)] = value
        elif (read := _reader(field)) is not None and (known := read(value)) is not None:
            facts[field] = known
    source = attributes.get(f"{_OWN}source")
    facts["source"] = source if source in _OWN_SOURCES else "otlp"
    return facts | ({"labels": labels} if labels else {})


def _reader(field: str) -> Callable[[Any], Any] | None:
    if field in _NOT_OWN:
        return None
    if field in CHOICES:
        return lambda value: value if value in CHOICES[field] else None
    kind = FIELDS.get(field)
    if kind is int:
        return count
    if kind is float:
        return lambda value: number({"": value}, ("",))
    return (lambda value: value if type(value) is kind else None) if kind in (str, bool) else None


def _leave_unknown(facts: Facts) -> None:
    """Instrumentations write 0 where the provider told nothing: no call that went well has an empty input."""
    if facts.get("status") == "error" or facts.get("input_tokens") != 0 or facts["source"] != "otlp":
        return
    for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "input_audio_tokens"):
        facts.pop(name, None)
    if not facts.get("output_tokens"):
        for name in ("output_tokens", "reasoning_tokens", "output_audio_tokens", "tokens_reported"):
            facts.pop(name, None)


def _times(record: Record, facts: Facts) -> Facts:
    start, end = record.start_ns or record.end_ns, record.end_ns
    times: Facts = {"started_at": time_at(start)}
    if end > start:
        times |= {"ended_at": time_at(end), "duration_ms": (end - start) / _NS_PER_MS}
    first = number(record.attributes, NAMES["first_output_ms"])
    if (seconds := number(record.attributes, NAMES["first_output_s"])) is not None:
        first = seconds * 1e3
    elif first is None and record.first_output_ns > start:
        first = (record.first_output_ns - start) / _NS_PER_MS
    if first is not None and "first_output_ms" not in facts:
        times["first_output_ms"] = first
    return times


def time_at(ns: int) -> datetime:
    """Unix nanoseconds as a time; `InvalidValue` for one that no call of a model can have."""
    if ns > 0:
        at = _EPOCH + timedelta(microseconds=ns // 1000)
        if _EARLIEST <= at <= datetime.now(UTC) + _AHEAD:
            return at
    raise InvalidValue("A call has a time before 2015, or in the future", action="Check the sender's clock")


def _origin(record: Record) -> str:
    """What stands for ids where a sender gives none: the same record has the same."""
    content = (record.name, record.start_ns, record.end_ns, record.trace_id, sorted(record.attributes.items(), key=str))
    return f"otlp:{sha256(repr((content, sorted(record.resource.items(), key=str))).encode()).hexdigest()[:32]}"
