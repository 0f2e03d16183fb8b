"""LiteLLM's standard logging payload -> the fields of one call. Its messages and answers are not read.

Written after its types of version 1.106 (2026). What it answers from its cache ran no model.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mesure.meter.provider_names import catalogue_provider, region_in_address
from mesure.meter.wires.usage import count, reported, usage_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mesure.record import Operation

__all__ = ["FROM_CACHE", "bare_model", "call_fields", "operation_named", "tagged"]

Facts = dict[str, Any]

#: What a call that LiteLLM answered itself is: nothing ran, a known zero.
FROM_CACHE: Facts = {"route": "cache", "input_tokens": 0, "output_tokens": 0, "tokens_reported": False}

_OPERATIONS: dict[str, Operation] = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "generate_content": "chat",
    "generate_content_stream": "chat",
    "text_completion": "completion",
    "embedding": "embeddings",
    "image_generation": "image",
    "image_edit": "image",
    "transcription": "transcription",
    "speech": "speech",
    "rerank": "rerank",
    "moderation": "classification",
}
#: Calls of the proxy that ask no model: files, lists, batches still under way.
_NO_CALL = ("file", "list", "retrieve", "cancel", "delete", "create_batch", "health", "vector_store", "mcp", "_job")
_WHO = ("team", "use_case", "end_client", "contact_id", "conversation_id", "application", "task", "environment")
_ENVIRONMENTS = ("production", "test", "experiment")
_LONGEST = 200
_REFUSED = ("AuthenticationError", "BadRequestError", "NotFoundError", "PermissionDeniedError", "RateLimitError")
_REFUSED_STATUS = range(400, 500)
_MAY_HAVE_RUN = (408, 499)


def operation_named(call_type: object) -> Operation | None:
    """What was asked of a model; None for a call type that asks none."""
    name = str(call_type or "").casefold().removeprefix("calltypes.")
    name = name.removesuffix("_aio")
    for spelt in (name, name.removeprefix("a"), name.removeprefix("_a")):
        if spelt in _OPERATIONS:
            return _OPERATIONS[spelt]
    return None if any(part in name for part in _NO_CALL) else "other"


def bare_model(model: str | None, provider: object) -> str | None:
    """The model's own name, without the provider that LiteLLM puts before it."""
    return model.removeprefix(f"{provider}/") if model else None


def tagged(tags: Iterable[Any]) -> Facts:
    """`team:support` and the like among a request's tags."""
    found: Facts = {}
    for tag in tags:
        name, colon, value = str(tag).partition(":")
        if colon and name.strip() in _WHO and (text := value.strip()) and len(text) <= _LONGEST:
            found[name.strip()] = text
    return _checked(found)


def call_fields(payload: Mapping[str, Any], said: Mapping[str, Any] | None = None) -> Facts | None:
    """Fields of `UsageEvent`, all but its id, and `user` as it was given. None when no model was asked.

    `said`: the metadata of the request itself.
    """
    operation = operation_named(payload.get("call_type"))
    if operation is None:
        return None
    facts: Facts = {"operation": operation, "source": "callback", **_what(payload), **_who(payload, said or {})}
    if payload.get("cache_hit") is True:
        facts |= FROM_CACHE | {"origin": f"litellm:{_text(payload.get('litellm_call_id')) or payload.get('id')}"}
    else:
        facts |= _tokens(payload)
        if identity := _text(payload.get("id")):
            facts["response_id"] = identity
        if isinstance(cost := payload.get("response_cost"), int | float) and 0 <= cost < 1e9:
            facts |= {"cost": float(cost), "cost_currency": "USD"}
    return facts | _times(payload) | (_failure(payload) if payload.get("status") == "failure" else {})


def _what(payload: Mapping[str, Any]) -> Facts:
    parameters = _table(payload.get("model_parameters"))
    facts: Facts = {
        "provider": catalogue_provider(_text(payload.get("custom_llm_provider"))),
        "model_requested": bare_model(_text(payload.get("model")), payload.get("custom_llm_provider")),
        "host_region": region_in_address(_text(payload.get("api_base"))),
        "max_output_tokens": count(parameters.get("max_tokens") or parameters.get("max_completion_tokens")),
        "stream": value if isinstance(value := payload.get("stream"), bool) else None,
    }
    group = _text(payload.get("model_group"))
    if group and group != facts["model_requested"]:
        facts["labels"] = {"model_group": group}
    return {name: value for name, value in facts.items() if value is not None}


def _who(payload: Mapping[str, Any], said: Mapping[str, Any]) -> Facts:
    """What the request says of itself, then its tags, then whom its key belongs to."""
    metadata = _table(payload.get("metadata"))
    found: Facts = {}
    if team := _text(metadata.get("user_api_key_team_alias")) or _text(metadata.get("team_alias")):
        found["team"] = team
    tags = payload.get("request_tags")
    found |= tagged(tags if isinstance(tags, list) else ())
    for told in (metadata.get("spend_logs_metadata"), metadata.get("requester_metadata"), said):
        given = _table(told)
        found |= {name: text for name in _WHO if (text := _text(given.get(f"mesure_{name}") or given.get(name)))}
    if user := _text(payload.get("end_user") or said.get("user")):
        found["user"] = user
    if "conversation_id" not in found and (session := _text(payload.get("session_id"))):
        found["conversation_id"] = session
    return _checked(found)


def _checked(found: Facts) -> Facts:
    if found.get("environment") not in (None, *_ENVIRONMENTS):
        del found["environment"]
    return found


def _tokens(payload: Mapping[str, Any]) -> Facts:
    usage = _table(_table(payload.get("metadata")).get("usage_object"))
    facts = usage_facts(usage)
    if not facts:
        told = {
            "input_tokens": count(payload.get("prompt_tokens")),
            "output_tokens": count(payload.get("completion_tokens")),
        }
        facts = reported({name: value for name, value in told.items() if value})
    return facts


def _times(payload: Mapping[str, Any]) -> Facts:
    start, end, first = (_seconds(payload.get(name)) for name in ("startTime", "endTime", "completionStartTime"))
    began = start or end
    if began is None:
        return {"started_at": datetime.now(UTC)}
    facts: Facts = {"started_at": datetime.fromtimestamp(began, UTC)}
    if end is not None and end >= began:
        facts |= {"ended_at": datetime.fromtimestamp(end, UTC), "duration_ms": (end - began) * 1e3}
        if payload.get("stream") is True and first is not None and began < first < end:
            facts["first_output_ms"] = (first - began) * 1e3
    return facts


def _failure(payload: Mapping[str, Any]) -> Facts:
    told = _table(payload.get("error_information"))
    facts: Facts = {"status": "error"}
    kind, code = _text(told.get("error_class")), _text(told.get("error_code"))
    if kind:
        facts["error_type"] = kind
    status = int(code) if code and code.isdecimal() and len(code) == 3 else None
    if status is not None:
        facts["http_status"] = status
    if kind in _REFUSED or (status in _REFUSED_STATUS and status not in _MAY_HAVE_RUN):
        facts |= {"input_tokens": 0, "output_tokens": 0, "tokens_reported": False}
    return facts


def _seconds(value: object) -> float | None:
    if isinstance(value, datetime):
        return value.timestamp()
    known = isinstance(value, int | float) and not isinstance(value, bool) and 1e9 < value < 1e10
    return float(value) if known else None  # type: ignore[arg-type]


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    return text if 0 < len(text) <= _LONGEST else None
