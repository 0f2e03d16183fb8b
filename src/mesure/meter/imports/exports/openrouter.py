"""OpenRouter: daily activity (interface), activity per generation (CSV of the dashboard), one generation (interface).

Written after the reference of 2026. Counts of the model's own tokenizer (`native_tokens_*`) come before OpenRouter's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.imports.exports.export import Export, Facts, Record, added, aggregate_id, day_after, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ACTIVITY", "GENERATIONS"]

_FINISHED = {"length": "truncated", "error": "error"}


def _is_activity(record: Record) -> bool:
    return record.has("model_permaslug", "requests", "prompt_tokens") or record.has("modelPermaslug", "promptTokens")


def _activity(record: Record) -> Iterator[Facts]:
    day = record.time("date")
    model = record.text("model_permaslug", "model")
    paid = [amount for name in ("usage", "byok_usage_inference") if (amount := record.number(name)) is not None]
    yield {
        "started_at": day,
        "ended_at": day_after(day),
        "labels.aggregate": aggregate_id(
            "openrouter", day, model, record.get("endpoint_id"), record.get("provider_name")
        ),
        "provider": "openrouter",
        "model_requested": model,
        "calls_count": record.whole("requests") or 0,
        "tokens_reported": True,
        "input_tokens": record.whole("prompt_tokens"),
        "output_tokens": record.whole("completion_tokens"),
        "reasoning_tokens": record.whole("reasoning_tokens"),
        "cost": sum(paid) if paid else None,
        "cost_currency": "USD",
        "labels.served_by": record.text("provider_name"),
    }


def _is_generation(record: Record) -> bool:
    return (
        record.has("generation_id", "tokens_prompt", "model_permaslug")
        or record.has("id", "native_tokens_prompt")
        or (isinstance(record.get("data"), dict) and Record(record.get("data")).has("id", "native_tokens_prompt"))
    )


def _generation(record: Record) -> Iterator[Facts]:
    inner = record.get("data")
    one = Record(inner) if isinstance(inner, dict) else record
    written = one.whole("native_tokens_completion", "tokens_completion")
    reasoning = one.whole("native_tokens_reasoning", "tokens_reasoning")
    finished = one.text("finish_reason_normalized", "finish_reason")
    yield {
        "started_at": one.time("created_at"),
        "response_id": one.text("generation_id", "id"),
        "provider": "openrouter",
        "model_requested": one.text("model_permaslug", "model"),
        "tokens_reported": True,
        "input_tokens": one.whole("native_tokens_prompt", "tokens_prompt"),
        "cached_input_tokens": one.whole("native_tokens_cached", "tokens_cached"),
        "output_tokens": added(written, reasoning) if (reasoning or 0) > (written or 0) else written,
        "reasoning_tokens": reasoning,
        "duration_ms": one.number("generation_time_ms", "generation_time"),
        "first_output_ms": one.number("time_to_first_token_ms", "latency"),
        "stream": one.truth("streamed"),
        "status": "cancelled" if one.truth("cancelled") else _FINISHED.get(finished or "", "ok"),
        "finish_reason": finished,
        "cost": one.number("cost_total", "total_cost"),
        "cost_currency": "USD",
        "application": one.text("app_name"),
        "user": one.text("user"),
        "labels.served_by": one.text("provider_name"),
    }


_MONEY = {"cost_currency": "USD", "labels.served_by": "provider_name"}

ACTIVITY = Export(
    name="openrouter-activity",
    title="OpenRouter, activity by day",
    written_after="Activity interface, 2026",
    marks=_is_activity,
    fields={
        "started_at": "date",
        "ended_at": "(a day of UTC)",
        "labels.aggregate": "(period and groups)",
        "provider": "(OpenRouter)",
        "model_requested": "model_permaslug",
        "calls_count": "requests",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "reasoning_tokens": "reasoning_tokens",
        "cost": "usage + byok_usage_inference",
        **_MONEY,
    },
    start=stateless(_activity),
    columns=("date", "model", "requests", "prompt_tokens", "completion_tokens", "reasoning_tokens", "usage", "byok"),
)

GENERATIONS = Export(
    name="openrouter-generations",
    title="OpenRouter, generations",
    written_after="Generation interface and dashboard export, 2026",
    marks=_is_generation,
    fields={
        "started_at": "created_at",
        "response_id": "generation_id",
        "provider": "(OpenRouter)",
        "model_requested": "model_permaslug",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "tokens_prompt",
        "cached_input_tokens": "tokens_cached",
        "output_tokens": "tokens_completion",
        "reasoning_tokens": "tokens_reasoning",
        "duration_ms": "generation_time_ms",
        "first_output_ms": "time_to_first_token_ms",
        "stream": "streamed",
        "status": "cancelled, finish_reason",
        "finish_reason": "finish_reason_normalized",
        "cost": "cost_total",
        "application": "app_name",
        "user": "user",
        **_MONEY,
    },
    start=stateless(_generation),
    columns=(
        *("data", "created_at", "generation_id", "id", "model", "tokens_", "native_tokens", "generation_time"),
        *("time_to_first", "latency", "streamed", "cancelled", "finish_reason", "cost_total", "total_cost", "app_name"),
    ),
)
