"""LiteLLM: its spend logs (`LiteLLM_SpendLogs`), as rows of its database or of its interface, CSV or JSON.

Written after its schema of version 1.106 (2026). `request_id` is the provider's id of the answer where there is one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mesure.meter.callbacks.litellm import FROM_CACHE, bare_model, operation_named, tagged
from mesure.meter.imports.exports.export import Export, Facts, Record, stateless
from mesure.meter.provider_names import catalogue_provider
from mesure.meter.wires.usage import usage_facts

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["SPEND_LOGS"]


def _is_spend_logs(record: Record) -> bool:
    return record.has("request_id", "call_type", "spend", "startTime") and record.has("custom_llm_provider")


def _row(record: Record) -> Iterator[Facts]:
    operation = operation_named(record.text("call_type"))
    if operation is None:
        return
    metadata = _parsed(record.get("metadata"))
    usage = usage_facts(metadata.get("usage_object") if isinstance(metadata, dict) else None)
    tags = _parsed(record.get("request_tags"))
    failed = record.text("status") == "failure"
    facts: Facts = {
        "started_at": record.time("startTime"),
        "ended_at": record.time("endTime"),
        "response_id": record.text("request_id"),
        "operation": operation,
        "provider": catalogue_provider(record.text("custom_llm_provider")),
        "model_requested": bare_model(record.text("model"), record.text("custom_llm_provider")),
        "input_tokens": record.whole("prompt_tokens"),
        "output_tokens": record.whole("completion_tokens"),
        "tokens_reported": True,
        "duration_ms": record.number("request_duration_ms"),
        "status": "error" if failed else "ok",
        "cost": record.number("spend"),
        "cost_currency": "USD",
        "team": record.text("team_alias", "team_id"),
        "conversation_id": record.text("session_id"),
        "user": record.text("end_user", "user"),
        **usage,
        **tagged(tags if isinstance(tags, list) else ()),
    }
    if (record.text("cache_hit") or "").casefold() == "true":
        facts |= FROM_CACHE
    elif not failed and not facts["input_tokens"] and not facts["output_tokens"]:
        facts |= {"input_tokens": None, "output_tokens": None, "tokens_reported": None}
    yield facts


def _parsed(value: Any) -> Any:
    """A JSON column: parsed already, or text of a CSV."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value


SPEND_LOGS = Export(
    name="litellm",
    title="LiteLLM, spend logs",
    written_after="Schema of LiteLLM 1.106, 2026",
    marks=_is_spend_logs,
    fields={
        "started_at": "startTime",
        "ended_at": "endTime",
        "response_id": "request_id",
        "operation": "call_type",
        "provider": "custom_llm_provider",
        "model_requested": "model",
        "tokens_reported": "(counted by the provider)",
        "input_tokens": "prompt_tokens",
        "cached_input_tokens": "metadata.usage_object",
        "cache_write_tokens": "metadata.usage_object",
        "output_tokens": "completion_tokens",
        "reasoning_tokens": "metadata.usage_object",
        "duration_ms": "request_duration_ms",
        "status": "status",
        "route": "cache_hit",
        "cost": "spend",
        "cost_currency": "USD",
        "team": "team_alias, team_id, request_tags",
        "use_case": "request_tags",
        "end_client": "request_tags",
        "contact_id": "request_tags",
        "application": "request_tags",
        "task": "request_tags",
        "environment": "request_tags",
        "conversation_id": "session_id",
        "user": "end_user, user",
    },
    start=stateless(_row),
    columns=(
        *("request_id", "call_type", "spend", "total_tokens", "prompt_tokens", "completion_tokens", "startTime"),
        *("endTime", "model", "custom_llm_provider", "metadata", "cache_hit", "request_tags", "team_id", "status"),
        *("request_duration_ms", "session_id"),
    ),
)
