"""DeepSeek: the platform's usage file (`amount-*.csv`), a line per hour, model, key and kind of count.

Written after the export of 2026. A line counts one kind: input read from the cache, other input, output, or requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.imports.exports.export import Export, Facts, Record, aggregate_id, one_kind, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["AMOUNTS"]

_DIRECTIONS = {"input_cache_hit_tokens": "input", "input_cache_miss_tokens": "input", "output_tokens": "output"}
_REQUESTS = "request_count"


def _is_amounts(record: Record) -> bool:
    return record.has("start_time_iso", "model", "type", "price", "amount")


def _amount(record: Record) -> Iterator[Facts]:
    kind, count = record.text("type") or "", record.whole("amount")
    if kind != _REQUESTS and kind not in _DIRECTIONS:
        return
    since, until, model = record.time("start_time_iso"), record.time("end_time_iso"), record.text("model")
    yield {
        "started_at": since,
        "ended_at": until,
        "labels.aggregate": aggregate_id("deepseek", since, until, model, record.get("api_key"), kind),
        "provider": "deepseek",
        "model_requested": model,
        "calls_count": count or 0 if kind == _REQUESTS else 0,
        "tokens_reported": True,
        **one_kind(_DIRECTIONS.get(kind), count, cached=kind == "input_cache_hit_tokens"),
    }


AMOUNTS = Export(
    name="deepseek-usage",
    title="DeepSeek, usage by hour",
    written_after="Usage file of the platform, 2026",
    marks=_is_amounts,
    fields={
        "started_at": "start_time_iso",
        "ended_at": "end_time_iso",
        "labels.aggregate": "(period and groups)",
        "provider": "(DeepSeek)",
        "model_requested": "model",
        "calls_count": "amount (request_count)",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "amount (input_cache_hit_tokens, input_cache_miss_tokens)",
        "cached_input_tokens": "amount (input_cache_hit_tokens)",
        "output_tokens": "amount (output_tokens)",
    },
    start=stateless(_amount),
    columns=("start_time", "end_time", "model", "type", "amount"),
)
