"""Helicone: requests, from its export tool (JSON, JSON lines, CSV) and from its interface.

Written after the reference of 2026. Cached tokens are part of the prompt unless the total says that they stand beside
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.imports.exports.export import Export, Facts, Record, added, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["REQUESTS"]

#: Shorter ids of answers may be numbers that start again.
_IDENTIFYING = 20
_OK, _REFUSED = 200, 400


def _is_requests(record: Record) -> bool:
    return record.has("request_id", "request_created_at") and (
        record.has("prompt_tokens") or record.has("completion_tokens")
    )


def _request(record: Record) -> Iterator[Facts]:
    status = record.whole("response_status")
    read, cached = record.whole("prompt_tokens"), record.whole("prompt_cache_read_tokens")
    made, written = record.whole("prompt_cache_write_tokens"), record.whole("completion_tokens")
    total = record.whole("total_tokens")
    if (cached or 0) + (made or 0) and (
        (cached or 0) > (read or 0) or total == added(read, cached, made, written)
    ):  # beside the prompt
        read = added(read, cached, made)
    yield {
        "started_at": record.time("request_created_at"),
        "ended_at": record.time("response_created_at"),
        "response_id": _response_id(record),
        "provider": (record.text("provider") or "").casefold() or None,
        "model_requested": record.text("model_override", "request_model", "model"),
        "model_answered": record.text("response_model"),
        "tokens_reported": None if read is None and written is None else True,
        "input_tokens": read,
        "cached_input_tokens": cached,
        "cache_write_tokens": made,
        "output_tokens": written,
        "reasoning_tokens": record.whole("reasoning_tokens"),
        "duration_ms": record.number("delay_ms"),
        "first_output_ms": record.number("time_to_first_token"),
        "http_status": status if status is not None and status >= 100 else None,
        "status": "ok" if status is None or _OK <= status < _REFUSED else "cancelled" if status < 0 else "error",
        "cost": record.number("cost", "costUSD", "cost_usd"),
        "cost_currency": "USD",
        "user": record.text("request_user_id", "user_id"),
    }


def _response_id(record: Record) -> str | None:
    """The provider's id of the answer when bodies were exported, else Helicone's own of the request."""
    found = record.get("response_body.id")
    if isinstance(found, str) and len(found) >= _IDENTIFYING:
        return found
    return record.text("request_id")


REQUESTS = Export(
    name="helicone",
    title="Helicone, requests",
    written_after="Export tool and requests interface, 2026",
    marks=_is_requests,
    fields={
        "started_at": "request_created_at",
        "ended_at": "response_created_at",
        "response_id": "response_body.id / request_id",
        "provider": "provider",
        "model_requested": "model_override, request_model",
        "model_answered": "response_model",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "prompt_tokens",
        "cached_input_tokens": "prompt_cache_read_tokens",
        "cache_write_tokens": "prompt_cache_write_tokens",
        "output_tokens": "completion_tokens",
        "reasoning_tokens": "reasoning_tokens",
        "duration_ms": "delay_ms",
        "first_output_ms": "time_to_first_token",
        "http_status": "response_status",
        "status": "response_status",
        "cost": "cost",
        "cost_currency": "USD",
        "user": "request_user_id",
    },
    start=stateless(_request),
    columns=(
        *("request_id", "request_created_at", "response_created_at", "provider", "model", "request_model"),
        *("response_model", "prompt_tokens", "prompt_cache", "completion_tokens", "reasoning_tokens", "total_tokens"),
        *("delay_ms", "time_to_first_token", "response_status", "cost"),
    ),
)
