"""Anthropic: usage and cost reports, from its interface (JSON) and from its console (CSV).

Written after the reference of the Usage and Cost interfaces, 2026, and the console's export of the same year. What it
counts apart (uncached input, cache reads, cache writes) adds up to the input. Neither says how many calls there were.
Amounts of the cost report are in the lowest unit of the currency (cents).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.imports.exports.export import (
    Export,
    Facts,
    Record,
    added,
    aggregate_id,
    day_after,
    one_kind,
    stateless,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["COST", "USAGE"]

_FRESH = ("uncached_input_tokens", "usage_input_tokens_no_cache")
_CACHED = ("cache_read_input_tokens", "usage_input_tokens_cache_read")
_WRITTEN_5M = (
    "cache_creation.ephemeral_5m_input_tokens",
    "cache_creation_5m_input_tokens",
    "usage_input_tokens_cache_write_5m",
)
_WRITTEN_1H = (
    "cache_creation.ephemeral_1h_input_tokens",
    "cache_creation_1h_input_tokens",
    "usage_input_tokens_cache_write_1h",
)
_GROUPS = ("workspace_id", "workspace", "api_key_id", "api_key", "service_tier", "usage_type", "context_window")


def _is_usage(record: Record) -> bool:
    return record.has("usage_date_utc", "usage_output_tokens") or any(
        result.has(_FRESH[0]) for result in record.records("results")
    )


def _usage(record: Record) -> Iterator[Facts]:
    day = record.time("usage_date_utc")
    since, until = record.time("starting_at") or day, record.time("ending_at") or day_after(day)
    for result in [record] if day else record.records("results"):
        cached, written = result.whole(*_CACHED), added(result.whole(*_WRITTEN_5M), result.whole(*_WRITTEN_1H))
        model = result.text("model", "model_version")
        yield {
            "started_at": since,
            "ended_at": until,
            "labels.aggregate": aggregate_id("anthropic", since, until, model, *(result.get(name) for name in _GROUPS)),
            "provider": "anthropic",
            "model_requested": model,
            "calls_count": 0,
            "tokens_reported": True,
            "input_tokens": added(result.whole(*_FRESH), cached, written),
            "cached_input_tokens": cached,
            "cache_write_tokens": written,
            "output_tokens": result.whole("output_tokens", "usage_output_tokens"),
        }


def _is_cost(record: Record) -> bool:
    if record.has("usage_date_utc", "cost_usd"):
        return True
    return record.has("starting_at") and any(result.has("amount", "currency") for result in record.records("results"))


def _cost(record: Record) -> Iterator[Facts]:
    day = record.time("usage_date_utc")
    since, until = record.time("starting_at") or day, record.time("ending_at") or day_after(day)
    for result in [record] if day else record.records("results"):
        groups = [result.get(n) for n in (*_GROUPS, "description", "model", "token_type", "cost_type", "inference_geo")]
        cents = result.number("amount")
        yield {
            "started_at": since,
            "ended_at": until,
            "labels.aggregate": aggregate_id("anthropic", "cost", since, until, *groups),
            "provider": "anthropic",
            "model_requested": result.text("model"),
            "calls_count": 0,
            "operation": "other",
            **one_kind(None, None),
            "cost": result.number("cost_usd") if cents is None else cents / 100.0,
            "cost_currency": (result.text("currency") or "USD").upper(),
            "labels.line_item": result.text("description", "token_type", "cost_type"),
        }


USAGE = Export(
    name="anthropic-usage",
    title="Anthropic, usage report",
    written_after="Usage interface and console export, 2026",
    marks=_is_usage,
    fields={
        "started_at": "starting_at",
        "ended_at": "ending_at",
        "labels.aggregate": "(period and groups)",
        "provider": "(Anthropic)",
        "model_requested": "model",
        "calls_count": "(not known)",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "uncached_input + cache_read + cache_creation",
        "cached_input_tokens": "cache_read_input_tokens",
        "cache_write_tokens": "cache_creation (5 min + 1 h)",
        "output_tokens": "output_tokens",
    },
    start=stateless(_usage),
    columns=(
        *("starting_at", "ending_at", "usage_date_utc", "model", "usage_input", "usage_output", "uncached", "cache_"),
        "output_tokens",
    ),
)

COST = Export(
    name="anthropic-cost",
    title="Anthropic, cost report",
    written_after="Cost interface and console export, 2026",
    marks=_is_cost,
    fields={
        "started_at": "starting_at",
        "ended_at": "ending_at",
        "labels.aggregate": "(period and groups)",
        "provider": "(Anthropic)",
        "model_requested": "model",
        "calls_count": "(not known)",
        "operation": "(money only)",
        "input_tokens": "(none)",
        "output_tokens": "(none)",
        "cost": "amount / 100",
        "cost_currency": "currency",
        "labels.line_item": "description",
    },
    start=stateless(_cost),
    columns=("starting_at", "ending_at", "usage_date_utc", "model", "cost_usd", "token_type", "cost_type"),
)
