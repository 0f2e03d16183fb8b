"""Langfuse: observations, from its tables (CSV, JSON, JSON lines), its interface and its blob storage export.

Written after the field reference of 2026. Its `usageDetails` count kinds of tokens that add up: every key that says
input is part of the input, unless `input` and `output` alone make the total, as when a provider's own counts were kept.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from mesure.errors import InvalidValue
from mesure.meter.imports.exports.export import Export, Facts, Record, stateless

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["OBSERVATIONS"]

#: Observations in which a model answered.
_ANSWERED = {"GENERATION": "chat", "EMBEDDING": "embeddings"}
_TRACE, _SPAN = 32, 16


def _is_observations(record: Record) -> bool:
    return (
        record.has("id", "startTime")
        and record.has("type")
        and (record.has("traceId") or record.has("trace_id"))
        and (
            record.has("usageDetails") or record.has("usage") or record.has("providedModelName") or record.has("model")
        )
    )


def _observation(record: Record) -> Iterator[Facts]:
    kind = (record.text("type") or "").upper()
    if kind not in _ANSWERED:
        return  # a span, an event, a tool: no model in it
    since, until = record.time("startTime"), record.time("endTime")
    first = record.time("completionStartTime")
    status = (record.text("level") or "").upper()
    yield {
        "started_at": since,
        "ended_at": until,
        "duration_ms": _ms(since, until),
        "first_output_ms": _ms(since, first),
        **_identity(record),
        "model_requested": record.text("providedModelName", "model", "internalModelId"),
        "operation": _ANSWERED[kind],
        "status": "error" if status == "ERROR" else "ok",
        **_tokens(record),
        "cost": record.number("totalCost", "calculatedTotalCost", "costDetails.total"),
        "cost_currency": "USD",
        "use_case": record.text("traceName"),
        "environment": _environment(record.text("environment")),
        "conversation_id": record.text("sessionId"),
        "user": record.text("userId"),
    }


def _identity(record: Record) -> Facts:
    """The span that our own instrumentation saw, when both come from OpenTelemetry; else Langfuse's own id."""
    trace, span = record.text("traceId"), record.text("id")
    if trace and span and _is_hex(trace, _TRACE) and _is_hex(span, _SPAN):
        return {"trace_id": trace.casefold(), "span_id": span.casefold()}
    return {"response_id": span, "provider": None} if span else {}


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and all(letter in "0123456789abcdefABCDEF" for letter in text)


def _environment(said: str | None) -> str | None:
    return said if said in ("production", "test", "experiment") else None


def _ms(since: str | None, until: str | None) -> float | None:
    if since is None or until is None:
        return None
    spent = (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() * 1000.0
    return spent if spent >= 0.0 else None


def _tokens(record: Record) -> Facts:
    counts = _counts(record)
    read = {key: count for key, count in counts.items() if "input" in key or "prompt" in key}
    written = {key: count for key, count in counts.items() if "output" in key or "completion" in key}
    whole_in, whole_out = counts.get("input"), counts.get("output")
    if counts.get("total") == (whole_in or 0) + (whole_out or 0):  # the others are parts of these two
        total_in, total_out = whole_in, whole_out
    else:
        total_in = sum(read.values()) if read else None
        total_out = sum(written.values()) if written else None
    return {
        "input_tokens": total_in,
        "output_tokens": total_out,
        "cached_input_tokens": _sum(read, "cache", without="creation"),
        "cache_write_tokens": _sum(read, "cache_creation"),
        "input_audio_tokens": _sum(read, "audio"),
        "reasoning_tokens": _sum(written, "reasoning"),
        "output_audio_tokens": _sum(written, "audio"),
    }


def _sum(counts: dict[str, int], mark: str, without: str = "\0") -> int | None:
    found = [count for key, count in counts.items() if mark in key and without not in key]
    return sum(found) if found else None


def _counts(record: Record) -> dict[str, int]:
    details = record.get("usageDetails", "usage")
    if isinstance(details, str):
        try:
            details = json.loads(details)
        except (ValueError, RecursionError):
            raise InvalidValue("usageDetails is not JSON", action="Export the observations again.") from None
    if isinstance(details, dict):
        inner = Record(details)
        return {str(key).casefold(): count for key in details if (count := _count(inner, str(key))) is not None}
    flat = {
        "input": record.whole("usageDetails.input", "inputTokens", "promptTokens", "usage.input"),
        "output": record.whole("usageDetails.output", "outputTokens", "completionTokens", "usage.output"),
        "total": record.whole("usageDetails.total", "totalTokens", "usage.total"),
    }
    return {name: count for name, count in flat.items() if count is not None}


def _count(details: Record, key: str) -> int | None:
    """`unit` and costs stand beside the counts in older exports."""
    return None if "cost" in key.casefold() or key.casefold() == "unit" else details.whole(key)


OBSERVATIONS = Export(
    name="langfuse",
    title="Langfuse, observations",
    written_after="Table export, interface v2 and blob storage fields, 2026",
    marks=_is_observations,
    fields={
        "started_at": "startTime",
        "ended_at": "endTime",
        "duration_ms": "endTime - startTime",
        "first_output_ms": "completionStartTime - startTime",
        "trace_id": "traceId",
        "span_id": "id",
        "response_id": "id",
        "model_requested": "providedModelName, model",
        "operation": "type",
        "status": "level",
        "input_tokens": "usageDetails.*input*",
        "output_tokens": "usageDetails.*output*",
        "cached_input_tokens": "usageDetails.*cache*",
        "cache_write_tokens": "usageDetails.*cache_creation*",
        "input_audio_tokens": "usageDetails.*input*audio*",
        "reasoning_tokens": "usageDetails.*reasoning*",
        "output_audio_tokens": "usageDetails.*output*audio*",
        "cost": "totalCost",
        "cost_currency": "USD",
        "use_case": "traceName",
        "environment": "environment",
        "conversation_id": "sessionId",
        "user": "userId",
    },
    asked_for=frozenset({"user", "conversation_id"}),
    start=stateless(_observation),
    columns=(
        *("id", "traceId", "type", "startTime", "endTime", "completionStartTime", "providedModelName", "model"),
        *("level", "usage", "promptTokens", "completionTokens", "totalTokens", "inputTokens", "outputTokens"),
        *("totalCost", "calculatedTotalCost", "costDetails", "traceName", "environment"),
    ),
)
