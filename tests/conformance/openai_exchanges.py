"""OpenAI: chat, completions, embeddings, moderations."""

from __future__ import annotations

from typing import Any

from clients import listed, openai_client, plain
from replay import EVENTS, Exchange, first, sse

_CHAT = ("https://platform.openai.com/docs/api-reference/chat", "2026-11-22")
_STREAM = ("https://platform.openai.com/docs/api-reference/chat-streaming", "2026-11-22")
_EMBED = ("https://platform.openai.com/docs/api-reference/embeddings", "2026-11-22")
_MODERATE = ("https://platform.openai.com/docs/api-reference/moderations", "2026-11-22")

MESSAGES: list[Any] = [
    {"role": "system", "content": "Tu aides les clients d'un transporteur."},
    {"role": "user", "content": "Mon colis a du retard, que faire ?"},
]
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "find_parcel",
        "description": "Where a parcel is.",
        "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
    },
}
ID = "chatcmpl-Cz7Kd0mesure0exchange00001"
_WORDS = ["Je", " regarde", " votre", ' dossier "usage":null', " 🙂", "."]


def usage(read: int, written: int, *, cached: int = 0, reasoning: int = 0, heard: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": heard},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def whole(message: dict[str, Any], reason: str, counts: dict[str, Any], model: str = "gpt-4o-2024-11-20") -> Any:
    choice = {"index": 0, "message": {"role": "assistant", "refusal": None, **message}, "finish_reason": reason}
    return {
        "id": ID,
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "choices": [{**choice, "logprobs": None}],
        "usage": counts,
        "service_tier": "default",
        "system_fingerprint": "fp_mesure",
    }


def chunks(deltas: list[tuple[Any, str | None]], counts: Any = None, model: str = "gpt-4o-2024-11-20") -> list[Any]:
    """The chunks of a stream; with `counts`, as when its client asked for usage."""
    common = {"id": ID, "object": "chat.completion.chunk", "created": 1_790_000_000, "model": model}
    asked = {} if counts is None else {"usage": None}
    found = [
        {**common, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], **asked}
        for delta, reason in deltas
    ]
    return found if counts is None else [*found, {**common, "choices": [], "usage": counts}]


_TEXT: list[tuple[Any, str | None]] = [
    ({"role": "assistant", "content": "", "refusal": None}, None),
    *(({"content": word}, None) for word in _WORDS),
    ({}, "stop"),
]
_CALLS: list[tuple[Any, str | None]] = [
    (
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "find_parcel", "arguments": ""},
                }
            ],
        },
        None,
    ),
    *(
        ({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None)
        for piece in ('{"num', 'ber": "', 'R-4471"}')
    ),
    ({}, "tool_calls"),
]
_BOOKED = {"operation": "chat", "model_requested": "gpt-4o", "model_answered": "gpt-4o-2024-11-20", "response_id": ID}


def _chat(**more: Any) -> Any:
    given = {"model": "gpt-4o", "messages": MESSAGES, **more}
    return openai_client(lambda client: plain(client.chat.completions.create(**given)))


def _streamed(**more: Any) -> Any:
    given = {"model": "gpt-4o", "messages": MESSAGES, "stream": True, **more}
    return openai_client(lambda client: listed(client.chat.completions.create(**given)))


def _helper(client: Any) -> Any:
    with client.chat.completions.stream(model="gpt-4o", messages=MESSAGES, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        return kinds, plain(stream.get_final_completion())


def _exchange(name: str, call: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    source = _STREAM if isinstance(answer, tuple) else _CHAT
    media = EVENTS if isinstance(answer, tuple) else "application/json"
    given = {"path": "/v1/chat/completions", "media_type": media, "source": source, **more}
    return Exchange(name, "openai", call=call, answer=answer, booked=booked, **given)


_ERROR = {
    "error": {"message": "You wrote: Mon colis", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
}
_TEXT_COUNTS = {"input_tokens": 31, "output_tokens": 9, "cached_input_tokens": 0, "reasoning_tokens": 0}
_NO_AUDIO = {"input_audio_tokens": 0, "output_audio_tokens": 0}

EXCHANGES = [
    _exchange(
        "chat",
        _chat(max_tokens=200),
        whole({"content": 'Je regarde. "usage":{'}, "stop", usage(31, 9)),
        {**_BOOKED, **_TEXT_COUNTS, **_NO_AUDIO, "finish_reason": "stop", "max_output_tokens": 200},
    ),
    _exchange(
        "chat with tools",
        _chat(tools=[TOOL]),
        whole(
            {
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "find_parcel", "arguments": '{"number":"R-4471"}'},
                    }
                ],
            },
            "tool_calls",
            usage(88, 17),
        ),
        {
            **_BOOKED,
            **_TEXT_COUNTS,
            **_NO_AUDIO,
            "input_tokens": 88,
            "output_tokens": 17,
            "finish_reason": "tool_calls",
        },
    ),
    _exchange(
        "chat cached, reasoning",
        _chat(model="gpt-5", reasoning_effort="high"),
        whole({"content": "Oui."}, "stop", usage(1500, 420, cached=1280, reasoning=384), "gpt-5-2025-08-07"),
        {
            "operation": "chat",
            "model_requested": "gpt-5",
            "model_answered": "gpt-5-2025-08-07",
            "response_id": ID,
            "reasoning_effort": "high",
            "input_tokens": 1500,
            "cached_input_tokens": 1280,
            "output_tokens": 420,
            "reasoning_tokens": 384,
            **_NO_AUDIO,
        },
    ),
    _exchange(
        "chat with sound",
        _chat(model="gpt-4o-audio-preview"),
        whole({"content": "Bonjour."}, "stop", usage(240, 6, heard=210)),
        {
            **_BOOKED,
            **_TEXT_COUNTS,
            **_NO_AUDIO,
            "model_requested": "gpt-4o-audio-preview",
            "input_tokens": 240,
            "output_tokens": 6,
            "input_audio_tokens": 210,
        },
    ),
    _exchange(
        "stream",
        _streamed(),
        sse(chunks(_TEXT, usage(31, 9)), done=True),
        {**_BOOKED, **_TEXT_COUNTS, **_NO_AUDIO, "stream": True, "finish_reason": "stop"},
        unasked=sse(chunks(_TEXT), done=True),
    ),
    _exchange(
        "stream, usage asked by its client",
        _streamed(stream_options={"include_usage": True}),
        sse(chunks(_TEXT, usage(31, 9)), done=True),
        {**_BOOKED, **_TEXT_COUNTS, **_NO_AUDIO, "stream": True},
    ),
    _exchange(
        "stream with tools",
        openai_client(_helper),
        sse(chunks(_CALLS, usage(88, 17, cached=64)), done=True),
        {
            **_BOOKED,
            **_TEXT_COUNTS,
            **_NO_AUDIO,
            "input_tokens": 88,
            "cached_input_tokens": 64,
            "output_tokens": 17,
            "finish_reason": "tool_calls",
            "stream": True,
        },
        unasked=sse(chunks(_CALLS), done=True),
    ),
    _exchange(
        "stream truncated",
        _streamed(),
        first(sse(chunks(_TEXT, usage(31, 9))), 4),
        {**_BOOKED, "stream": True, "status": "truncated", "output_tokens": 4, "tokens_reported": False},
        unasked=first(sse(chunks(_TEXT)), 4),
        broken=True,
    ),
    _exchange(
        "answer truncated",
        _chat(),
        b'{"id":"' + ID.encode() + b'","object":"chat.completion","choices":[{"message":{"content":"Je',
        {"operation": "chat", "model_requested": "gpt-4o", "status": "truncated"},
        broken=True,
    ),
    _exchange(
        "refused",
        _chat(),
        _ERROR,
        {
            "status": "error",
            "http_status": 429,
            "error_type": "rate_limit_exceeded",
        },
        status=429,
    ),
    _exchange(
        "failed",
        _streamed(),
        {"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": None}},
        {"status": "error", "http_status": 500, "error_type": "server_error"},
        status=500,
    ),
    _exchange(
        "completion",
        openai_client(lambda c: plain(c.completions.create(model="gpt-3.5-turbo-instruct", prompt="Bonjour"))),
        {
            "id": "cmpl-0mesure0exchange0000000001",
            "object": "text_completion",
            "created": 1_790_000_000,
            "model": "gpt-3.5-turbo-instruct",
            "choices": [{"text": " à tous", "index": 0, "logprobs": None, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5},
        },
        {"operation": "completion", "input_tokens": 2, "output_tokens": 3, "finish_reason": "length"},
        path="/v1/completions",
    ),
    _exchange(
        "embeddings",
        openai_client(
            lambda c: plain(
                c.embeddings.create(model="text-embedding-3-small", input=["colis", "retard"], encoding_format="float")
            )
        ),
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]},
                {"object": "embedding", "index": 1, "embedding": [0.125, 0.75]},
            ],
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 5, "total_tokens": 5},
        },
        {"operation": "embeddings", "input_tokens": 5, "input_items": 2, "model_answered": "text-embedding-3-small"},
        path="/v1/embeddings",
        source=_EMBED,
    ),
    _exchange(
        "moderation",
        openai_client(lambda c: plain(c.moderations.create(model="omni-moderation-latest", input="Merci."))),
        {
            "id": "modr-0mesure0exchange0000001",
            "model": "omni-moderation-latest",
            "results": [
                {
                    "flagged": False,
                    "categories": {"violence": False},
                    "category_scores": {"violence": 0.0001},
                    "category_applied_input_types": {"violence": ["text"]},
                }
            ],
        },
        {"operation": "classification", "output_tokens": 0, "input_items": 1, "tokens_reported": False},
        path="/v1/moderations",
        source=_MODERATE,
    ),
    _exchange(
        "a list of models is no call",
        openai_client(lambda c: plain(c.models.list())),
        {"object": "list", "data": [{"id": "gpt-4o", "object": "model", "created": 1, "owned_by": "openai"}]},
        None,
        path="/v1/models",
        method="GET",
    ),
    _exchange(
        "a path that is not known, with a model",
        openai_client(lambda c: c.post("/oracles", cast_to=object, body={"model": "pythia-9", "question": "?"})),
        {"prophecy": "peut-être"},
        {"operation": "other", "model_requested": "pythia-9", "tokens_reported": None},
        path="/v1/oracles",
    ),
    _exchange(
        "a path that is not known",
        openai_client(lambda c: c.post("/notes", cast_to=object, body={"text": "?"})),
        {"ok": True},
        None,
        path="/v1/notes",
    ),
]
