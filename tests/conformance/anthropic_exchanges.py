"""Anthropic: messages, whole and streamed, and the results of batches."""

from __future__ import annotations

from typing import Any

from clients import anthropic_client, http, listed, plain
from replay import EVENTS, Exchange, first, lines, sse

_WHOLE = ("https://docs.anthropic.com/en/api/messages", "2026-11-22")
_STREAM = ("https://docs.anthropic.com/en/api/messages-streaming", "2026-11-22")
_CACHE = ("https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching", "2026-11-22")
_BATCH = ("https://docs.anthropic.com/en/api/retrieving-message-batch-results", "2026-11-22")

ID = "msg_0mesure0exchange00000001"
MODEL = "claude-haiku-4-5-20251001"
_ASKED: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 400,
    "system": "Tu aides les clients d'un transporteur.",
    "messages": [{"role": "user", "content": "Où est mon colis ?"}],
}
_TOOLS = [{"name": "find_parcel", "description": "Where a parcel is.", "input_schema": {"type": "object"}}]


def usage(fresh: int, written: int, read: int = 0, made: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "input_tokens": fresh,
        "cache_creation_input_tokens": made,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": made, "ephemeral_1h_input_tokens": 0},
        "output_tokens": written,
        "service_tier": "standard",
        **more,
    }


def message(content: list[Any], counts: dict[str, Any], reason: str | None = "end_turn") -> dict[str, Any]:
    return {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": counts,
    }


def _text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def _block(index: int, begun: dict[str, Any], deltas: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _events(blocks: list[Any], begun: dict[str, Any], counts: dict[str, Any], reason: str) -> list[dict[str, Any]]:
    return [
        {"type": "message_start", "message": message([], begun, None)},
        {"type": "ping"},
        *blocks,
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": counts},
        {"type": "message_stop"},
    ]


_SAID = _block(
    0,
    _text(""),
    [{"type": "text_delta", "text": word} for word in ("Votre", ' colis "message_delta"', " arrive 🙂", ".")],
)
_THOUGHT = _block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    [{"type": "thinking_delta", "thinking": "Il attend."}, {"type": "signature_delta", "signature": "c2ln"}],
)
_CALLED = _block(
    0,
    {"type": "tool_use", "id": "toolu_1", "name": "find_parcel", "input": {}},
    [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"num', 'ber":"R-4471"}')],
)
_BOOKED = {
    "operation": "chat",
    "model_requested": "claude-haiku-4-5",
    "model_answered": MODEL,
    "response_id": ID,
    "max_output_tokens": 400,
}
_FRESH = {"input_tokens": 25, "cached_input_tokens": 0, "cache_write_tokens": 0, "output_tokens": 12}


def _create(**more: Any) -> Any:
    return anthropic_client(lambda client: plain(client.messages.create(**{**_ASKED, **more})))


def _stream(**more: Any) -> Any:
    return anthropic_client(lambda client: listed(client.messages.create(**{**_ASKED, **more}, stream=True)))


def _helper(client: Any) -> Any:
    with client.messages.stream(**_ASKED, tools=_TOOLS) as stream:
        kinds = [event.type for event in stream]
        return kinds, plain(stream.get_final_message())


def _exchange(name: str, call: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    streamed = isinstance(answer, tuple)
    given = {
        "path": "/v1/messages",
        "media_type": EVENTS if streamed else "application/json",
        "source": _STREAM if streamed else _WHOLE,
        **more,
    }
    return Exchange(name, "anthropic", call=call, answer=answer, booked=booked, **given)


def _result(name: str, counts: dict[str, Any]) -> dict[str, Any]:
    return {
        "custom_id": name,
        "result": {"type": "succeeded", "message": {**message([_text("Oui.")], counts), "id": f"msg_{name}"}},
    }


EXCHANGES = [
    _exchange(
        "message",
        _create(),
        message([_text("Votre colis arrive.")], usage(25, 12)),
        {**_BOOKED, **_FRESH, "finish_reason": "end_turn", "stream": False},
    ),
    _exchange(
        "message cached: three buckets are one input",
        _create(),
        message([_text("Oui.")], usage(21, 40, read=188_086, made=1_200)),
        {
            **_BOOKED,
            "input_tokens": 189_307,
            "cached_input_tokens": 188_086,
            "cache_write_tokens": 1_200,
            "output_tokens": 40,
        },
        source=_CACHE,
    ),
    _exchange(
        "message with reasoning",
        _create(max_tokens=4000, thinking={"type": "enabled", "budget_tokens": 2000}),
        message(
            [{"type": "thinking", "thinking": "Il attend.", "signature": "c2ln"}, _text("Oui.")],
            usage(60, 310, output_tokens_details={"thinking_tokens": 280}),
        ),
        {
            **_BOOKED,
            **_FRESH,
            "max_output_tokens": 4000,
            "reasoning_effort": "enabled",
            "input_tokens": 60,
            "output_tokens": 310,
            "reasoning_tokens": 280,
        },
    ),
    _exchange(
        "message with tools",
        _create(tools=_TOOLS),
        message(
            [{"type": "tool_use", "id": "toolu_1", "name": "find_parcel", "input": {"number": "R-4471"}}],
            usage(380, 52),
            "tool_use",
        ),
        {**_BOOKED, **_FRESH, "input_tokens": 380, "output_tokens": 52, "finish_reason": "tool_use"},
    ),
    _exchange(
        "stream",
        _stream(),
        sse(_events(_SAID, usage(25, 1), {"output_tokens": 12}, "end_turn"), named=True),
        {**_BOOKED, **_FRESH, "finish_reason": "end_turn", "stream": True},
    ),
    _exchange(
        "stream cached, with reasoning, counts told again at its end",
        _stream(),
        sse(
            _events(
                _THOUGHT + _block(1, _text(""), [{"type": "text_delta", "text": "Oui."}]),
                usage(21, 3, read=4_000, made=300),
                usage(35, 90, read=9_000, made=300, output_tokens_details={"thinking_tokens": 71}),
                "max_tokens",
            ),
            named=True,
        ),
        {
            **_BOOKED,
            "input_tokens": 9_335,
            "cached_input_tokens": 9_000,
            "cache_write_tokens": 300,
            "output_tokens": 90,
            "reasoning_tokens": 71,
            "finish_reason": "max_tokens",
            "stream": True,
        },
        source=_CACHE,
    ),
    _exchange(
        "stream with tools, by the helper",
        anthropic_client(_helper),
        sse(_events(_CALLED, usage(380, 4), {"output_tokens": 52}, "tool_use"), named=True),
        {
            **_BOOKED,
            **_FRESH,
            "input_tokens": 380,
            "output_tokens": 52,
            "finish_reason": "tool_use",
            "stream": True,
        },
    ),
    _exchange(
        "stream truncated: what was read is known, what was written is not",
        _stream(),
        first(sse(_events(_SAID, usage(25, 1, read=70), {"output_tokens": 12}, "end_turn"), named=True), 5),
        {
            **_BOOKED,
            "input_tokens": 95,
            "cached_input_tokens": 70,
            "cache_write_tokens": 0,
            "stream": True,
            "status": "truncated",
        },
        broken=True,
    ),
    _exchange(
        "stream that fails",
        _stream(),
        (
            *first(sse(_events(_SAID, usage(25, 1), {"output_tokens": 12}, "end_turn"), named=True), 4),
            *sse([{"type": "error", "error": {"type": "overloaded_error", "message": "You asked: Où"}}], named=True),
        ),
        {
            **_BOOKED,
            "input_tokens": 25,
            "cached_input_tokens": 0,
            "cache_write_tokens": 0,
            "stream": True,
            "status": "error",
            "error_type": "overloaded_error",
        },
    ),
    _exchange(
        "refused",
        _create(),
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "messages: Où"},
            "request_id": "req_011mesure",
        },
        {
            "status": "error",
            "http_status": 400,
            "error_type": "invalid_request_error",
        },
        status=400,
    ),
    _exchange(
        "tokens counted are no call",
        anthropic_client(
            lambda client: plain(client.messages.count_tokens(model=_ASKED["model"], messages=_ASKED["messages"]))
        ),
        {"input_tokens": 25},
        None,
        path="/v1/messages/count_tokens",
    ),
    _exchange(
        "results of a batch, without its client, which asks Anthropic's own address for them",
        http("GET", "/v1/messages/batches/msgbatch_0mesure0exchange01/results"),
        lines(
            [
                _result("a", usage(100, 10, read=50)),
                {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error", "error": {"type": "x"}}}},
                _result("c", usage(200, 20, made=30)),
            ]
        ),
        {
            "operation": "chat",
            "calls_count": 2,
            "model_answered": MODEL,
            "response_id": "msgbatch_0mesure0exchange01",
            "input_tokens": 380,
            "cached_input_tokens": 50,
            "cache_write_tokens": 30,
            "output_tokens": 30,
            "stream": None,
        },
        path="/v1/messages/batches/msgbatch_0mesure0exchange01/results",
        method="GET",
        media_type="application/x-jsonl",
        source=_BATCH,
    ),
]
