"""Cohere: chat, embed and rerank of version 2."""

from __future__ import annotations

from typing import Any

from clients import cohere_client, listed, plain
from replay import EVENTS, Exchange, first, sse

_CHAT = ("https://docs.cohere.com/reference/chat", "2026-11-22")
_STREAM = ("https://docs.cohere.com/reference/chat-stream", "2026-11-22")
_EMBED = ("https://docs.cohere.com/reference/embed", "2026-11-22")
_RERANK = ("https://docs.cohere.com/reference/rerank", "2026-11-22")

ID = "c14c80c3-18eb-4519-9460-6c92edd8cfb4"
_MODEL = "command-a-03-2025"
_MESSAGES: list[Any] = [{"role": "user", "content": "Où est mon colis ?"}]
_USAGE = {
    "billed_units": {"input_tokens": 5, "output_tokens": 28},
    "tokens": {"input_tokens": 71, "output_tokens": 30},
    "cached_tokens": 48,
}
_BOOKED = {
    "operation": "chat",
    "model_requested": _MODEL,
    "response_id": ID,
    "input_tokens": 71,
    "cached_input_tokens": 48,
    "output_tokens": 30,
    "finish_reason": "COMPLETE",
}
_EVENTS = [
    {
        "type": "message-start",
        "id": ID,
        "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
    },
    {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    *(
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}
        for word in ("Votre", ' colis "message-end"', " arrive.")
    ),
    {"type": "content-end", "index": 0},
    {"type": "message-end", "id": ID, "delta": {"finish_reason": "COMPLETE", "usage": _USAGE}},
]


def _chat(**more: Any) -> Any:
    return cohere_client(lambda client: plain(client.chat(model=_MODEL, messages=_MESSAGES, **more)))


def _streamed(client: Any) -> Any:
    return listed(client.chat_stream(model=_MODEL, messages=_MESSAGES))


def _exchange(name: str, call: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    streamed = isinstance(answer, tuple)
    given = {
        "path": "/v2/chat",
        "media_type": EVENTS if streamed else "application/json",
        "source": _STREAM if streamed else _CHAT,
        **more,
    }
    return Exchange(name, "cohere", call=call, answer=answer, booked=booked, **given)


EXCHANGES = [
    _exchange(
        "chat: the tokens processed, not the billed ones",
        _chat(max_tokens=90),
        {
            "id": ID,
            "finish_reason": "COMPLETE",
            "message": {"role": "assistant", "content": [{"type": "text", "text": "Votre colis arrive."}]},
            "usage": _USAGE,
        },
        {**_BOOKED, "max_output_tokens": 90},
    ),
    _exchange(
        "chat with tools",
        _chat(
            tools=[
                {
                    "type": "function",
                    "function": {"name": "find_parcel", "description": "", "parameters": {"type": "object"}},
                }
            ]
        ),
        {
            "id": ID,
            "finish_reason": "TOOL_CALL",
            "message": {
                "role": "assistant",
                "tool_plan": "Chercher.",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "find_parcel", "arguments": "{}"}}
                ],
            },
            "usage": _USAGE,
        },
        {**_BOOKED, "finish_reason": "TOOL_CALL"},
    ),
    _exchange("stream", cohere_client(_streamed), sse(_EVENTS, named=True), {**_BOOKED, "stream": True}),
    _exchange(
        "stream truncated",
        cohere_client(_streamed),
        first(sse(_EVENTS, named=True), 4),
        {
            "operation": "chat",
            "model_requested": _MODEL,
            "response_id": ID,
            "stream": True,
            "status": "truncated",
        },
        broken=True,
    ),
    _exchange(
        "refused",
        _chat(),
        {"id": ID, "message": "You wrote: Où"},
        {"status": "error", "http_status": 400, "error_type": "unknown"},
        status=400,
    ),
    _exchange(
        "embed",
        cohere_client(
            lambda client: plain(
                client.embed(
                    model="embed-v4.0",
                    texts=["colis", "retard"],
                    input_type="search_document",
                    embedding_types=["float"],
                )
            )
        ),
        {
            "id": ID,
            "embeddings": {"float": [[0.25, -0.5], [0.125, 0.75]]},
            "texts": ["colis", "retard"],
            "response_type": "embeddings_by_type",
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 6}},
        },
        {"operation": "embeddings", "model_requested": "embed-v4.0", "input_tokens": 6, "input_items": 2},
        path="/v2/embed",
        source=_EMBED,
    ),
    _exchange(
        "rerank: searches are told, tokens are not",
        cohere_client(
            lambda client: plain(client.rerank(model="rerank-v3.5", query="colis", documents=["a", "b", "c"], top_n=1))
        ),
        {
            "id": ID,
            "results": [{"index": 0, "relevance_score": 0.9}],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        },
        {"operation": "rerank", "model_requested": "rerank-v3.5", "input_items": 3, "tokens_reported": None},
        path="/v2/rerank",
        source=_RERANK,
    ),
]
