"""OpenAI: the organisation's usage and costs, from its interface (JSON) and from its dashboard (CSV).

Written after the reference of the Usage and Costs interfaces, 2026. `input_tokens` of completions holds cached tokens;
audio and image tokens are in it where the export also counts text tokens, and beside it in older ones, which did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.imports.exports.export import Export, Facts, Record, added, aggregate_id, one_kind, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COSTS", "USAGE"]

_RESULT = "organization.usage."
_OPERATIONS = {
    "completions": "chat",
    "embeddings": "embeddings",
    "moderations": "classification",
    "images": "image",
    "audio_speeches": "speech",
    "audio_transcriptions": "transcription",
}
_GROUPS = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "size", "source")


def _is_usage(record: Record) -> bool:
    if record.has("start_time", "num_model_requests"):
        return record.has("input_tokens") or record.has("images") or record.has("seconds") or record.has("characters")
    return any(_kind(result) is not None for result in record.records("results"))


def _kind(result: Record) -> str | None:
    said = result.get("object")
    if not isinstance(said, str) or not said.startswith(_RESULT):
        return None
    return said.removeprefix(_RESULT).removesuffix(".result")


def _usage(record: Record) -> Iterator[Facts]:
    """A bucket and its results, or a line of the dashboard's CSV, which is both."""
    since, until = record.time("start_time", "start_time_iso"), record.time("end_time", "end_time_iso")
    results = record.records("results") if isinstance(record.get("results"), list) else None
    for result in [record] if results is None else results:
        kind = _kind(result) if results is not None else _kind_of_line(result)
        if kind not in _OPERATIONS:  # storage and sessions: no use of a model
            continue
        identity = aggregate_id("openai", kind, since, until, *(result.get(name) for name in _GROUPS))
        yield {
            "started_at": since,
            "ended_at": until,
            "labels.aggregate": identity,
            "provider": "openai",
            "model_requested": result.text("model"),
            "operation": _OPERATIONS[kind],
            "calls_count": result.whole("num_model_requests") or 0,
            "tokens_reported": True,
            "user": result.text("user_id", "user_email"),
            **_amounts(kind, result),
        }


def _kind_of_line(line: Record) -> str | None:
    if line.get("images") is not None:
        return "images"
    if line.get("seconds") is not None:
        return "audio_transcriptions"
    if line.get("characters") is not None:
        return "audio_speeches"
    if line.get("num_model_requests") is None:  # a bucket without usage
        return None
    model = line.text("model") or ""
    return "embeddings" if "embedding" in model else "moderations" if "moderation" in model else "completions"


def _amounts(kind: str, result: Record) -> Facts:
    if kind == "images":
        return {"images_count": result.whole("images")} | _size(result.text("size"))
    if kind == "audio_speeches":
        return {"characters": result.whole("characters")}
    if kind == "audio_transcriptions":
        return {"audio_seconds": result.number("seconds")}
    read, heard = result.whole("input_tokens"), result.whole("input_audio_tokens")
    if kind != "completions":
        return {"input_tokens": read}
    written, spoken = result.whole("output_tokens"), result.whole("output_audio_tokens")
    if result.get("input_text_tokens") is None:
        read = added(read, heard)
    if result.get("output_text_tokens") is None:
        written = added(written, spoken)
    return {
        "input_tokens": read,
        "cached_input_tokens": result.whole("input_cached_tokens"),
        "cache_write_tokens": result.whole("input_cache_write_tokens"),
        "input_audio_tokens": heard,
        "input_image_tokens": result.whole("input_image_tokens"),
        "output_tokens": written,
        "output_audio_tokens": spoken,
        "output_image_tokens": result.whole("output_image_tokens"),
    }


def _size(size: str | None) -> Facts:
    width, _, height = (size or "").lower().partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        return {}
    return {"image_width": int(width), "image_height": int(height)}


def _is_costs(record: Record) -> bool:
    return any(result.get("object") == "organization.costs.result" for result in record.records("results"))


def _costs(record: Record) -> Iterator[Facts]:
    since, until = record.time("start_time", "start_time_iso"), record.time("end_time", "end_time_iso")
    for result in record.records("results"):
        groups = [result.get(name) for name in ("line_item", "project_id", "api_key_id")]
        yield {
            "started_at": since,
            "ended_at": until,
            "labels.aggregate": aggregate_id("openai", "costs", since, until, *groups),
            "provider": "openai",
            "calls_count": 0,
            "operation": "other",
            **one_kind(None, None),
            "cost": result.number("amount.value"),
            "cost_currency": (result.text("amount.currency") or "").upper() or None,
            "labels.line_item": result.text("line_item"),
        }


USAGE = Export(
    name="openai-usage",
    title="OpenAI, usage of the organisation",
    written_after="Usage interface and dashboard export, 2026",
    marks=_is_usage,
    fields={
        "started_at": "start_time",
        "ended_at": "end_time",
        "labels.aggregate": "(period and groups)",
        "provider": "(OpenAI)",
        "model_requested": "model",
        "operation": "object",
        "calls_count": "num_model_requests",
        "tokens_reported": "(counted by the provider)",
        "user": "user_id",
        "input_tokens": "input_tokens + input_audio_tokens",
        "cached_input_tokens": "input_cached_tokens",
        "cache_write_tokens": "input_cache_write_tokens",
        "input_audio_tokens": "input_audio_tokens",
        "input_image_tokens": "input_image_tokens",
        "output_tokens": "output_tokens + output_audio_tokens",
        "output_audio_tokens": "output_audio_tokens",
        "output_image_tokens": "output_image_tokens",
        "images_count": "images",
        "image_width": "size (width)",
        "image_height": "size (height)",
        "audio_seconds": "seconds",
        "characters": "characters",
    },
    start=stateless(_usage),
    columns=(
        *("object", "start_time", "end_time", "model", "num_model_requests", "input", "output", "images", "size"),
        *("seconds", "characters"),
    ),
)

COSTS = Export(
    name="openai-costs",
    title="OpenAI, costs of the organisation",
    written_after="Costs interface, 2026",
    marks=_is_costs,
    fields={
        "started_at": "start_time",
        "ended_at": "end_time",
        "labels.aggregate": "(period and groups)",
        "provider": "(OpenAI)",
        "calls_count": "(not known)",
        "operation": "(money only)",
        "input_tokens": "(none)",
        "output_tokens": "(none)",
        "cost": "amount.value",
        "cost_currency": "amount.currency",
        "labels.line_item": "line_item",
    },
    start=stateless(_costs),
    columns=("object", "start_time", "end_time"),
)
