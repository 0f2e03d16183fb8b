"""Mistral: chat, embeddings, documents read, conversations, transcription, batch jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clients import listed, mistral_client, plain
from replay import EVENTS, Exchange, first, sse

_CHAT = ("https://docs.mistral.ai/api/endpoint/chat", "2026-11-22")
_OCR = ("https://docs.mistral.ai/api/endpoint/ocr", "2026-11-22")
_CONVERSE = ("https://docs.mistral.ai/api/endpoint/beta/conversations", "2026-11-22")
_AUDIO = ("https://docs.mistral.ai/api/endpoint/audio/transcriptions", "2026-11-22")
_BATCH = ("https://docs.mistral.ai/api/endpoint/batch", "2026-11-22")

ID = "0c0ffee0mesure0exchange000000001"
_MESSAGES: list[Any] = [{"role": "user", "content": "Où est mon colis ?"}]
_MODEL = "mistral-small-2506"
_COUNTS = {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50}
_BOOKED = {
    "operation": "chat",
    "model_requested": "mistral-small-latest",
    "model_answered": _MODEL,
    "response_id": ID,
    "input_tokens": 16,
    "output_tokens": 34,
}
_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "find_parcel", "description": "", "parameters": {"type": "object"}}}
]


def _whole(message: dict[str, Any], counts: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", "tool_calls": None, **message}}
    return {
        "id": ID,
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": _MODEL,
        "usage": counts,
        "choices": [choice],
    }


def _chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {
        "id": ID,
        "object": "chat.completion.chunk",
        "created": 1_790_000_000,
        "model": _MODEL,
        "choices": [choice],
        **more,
    }


_STREAM = sse(
    [
        _chunk({"role": "assistant", "content": ""}),
        *(_chunk({"content": word}) for word in ("Votre", " colis", " arrive", ".")),
        _chunk({"content": ""}, "stop", usage=_COUNTS),
    ],
    done=True,
)


def _complete(**more: Any) -> Any:
    given = {"model": "mistral-small-latest", "messages": _MESSAGES, **more}
    return mistral_client(lambda client: plain(client.chat.complete(**given)))


def _streamed(client: Any) -> Any:
    with client.chat.stream(model="mistral-small-latest", messages=_MESSAGES) as events:
        return listed(event.data for event in events)


def _conversed(client: Any) -> Any:
    with client.beta.conversations.start_stream(model="mistral-medium-latest", inputs="Bonjour") as events:
        return listed(event.data for event in events)


def _exchange(name: str, call: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    media = EVENTS if isinstance(answer, tuple) else "application/json"
    given = {"path": "/v1/chat/completions", "media_type": media, "source": _CHAT, **more}
    return Exchange(name, "mistral", call=call, answer=answer, booked=booked, **given)


EXCHANGES = [
    _exchange(
        "chat",
        _complete(max_tokens=80),
        _whole({"content": "Votre colis arrive."}, _COUNTS),
        {**_BOOKED, "finish_reason": "stop", "max_output_tokens": 80},
    ),
    _exchange(
        "chat cached",
        _complete(),
        _whole({"content": "Oui."}, {**_COUNTS, "num_cached_tokens": 12}),
        {**_BOOKED, "cached_input_tokens": 12},
    ),
    _exchange(
        "chat that heard",
        _complete(),
        _whole(
            {"content": "Oui."},
            {"prompt_audio_seconds": 20, "prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 300},
        ),
        {**_BOOKED, "input_tokens": 266, "input_audio_tokens": 250},
    ),
    _exchange(
        "chat with tools",
        _complete(tools=_TOOLS),
        _whole(
            {
                "content": "",
                "tool_calls": [{"id": "D681PevKs", "function": {"name": "find_parcel", "arguments": "{}"}, "index": 0}],
            },
            _COUNTS,
            "tool_calls",
        ),
        {**_BOOKED, "finish_reason": "tool_calls"},
    ),
    _exchange("stream", mistral_client(_streamed), _STREAM, {**_BOOKED, "finish_reason": "stop", "stream": True}),
    _exchange(
        "stream truncated",
        mistral_client(_streamed),
        first(_STREAM, 3),
        {
            **_BOOKED,
            "input_tokens": None,
            "output_tokens": 3,
            "tokens_reported": False,
            "stream": True,
            "status": "truncated",
        },
        broken=True,
    ),
    _exchange(
        "refused",
        _complete(),
        {"object": "error", "message": "You wrote: Où", "type": "invalid_request_error", "param": None, "code": "3051"},
        {"status": "error", "error_type": "3051"},
        status=400,
    ),
    _exchange(
        "embeddings",
        mistral_client(
            lambda client: plain(client.embeddings.create(model="mistral-embed", inputs=["colis", "retard"]))
        ),
        {
            "id": ID,
            "object": "list",
            "data": [
                {"object": "embedding", "embedding": [0.25, -0.5], "index": 0},
                {"object": "embedding", "embedding": [0.125, 0.75], "index": 1},
            ],
            "model": "mistral-embed",
            "usage": {"prompt_tokens": 6, "total_tokens": 6, "completion_tokens": 0},
        },
        {"operation": "embeddings", "input_items": 2, "input_tokens": 6, "output_tokens": 0, "response_id": ID},
        path="/v1/embeddings",
    ),
    _exchange(
        "document read",
        mistral_client(
            lambda client: plain(
                client.ocr.process(
                    model="mistral-ocr-latest",
                    document={"type": "document_url", "document_url": "https://files.example/facture.pdf"},
                )
            )
        ),
        {
            "pages": [
                {"index": index, "markdown": "# Facture", "images": [], "dimensions": None} for index in range(3)
            ],
            "model": "mistral-ocr-2505",
            "usage_info": {"pages_processed": 3, "doc_size_bytes": 41_000},
        },
        {
            "operation": "other",
            "model_requested": "mistral-ocr-latest",
            "model_answered": "mistral-ocr-2505",
            "input_items": 3,
        },
        path="/v1/ocr",
        source=_OCR,
    ),
    _exchange(
        "conversation: what connectors brought was read too",
        mistral_client(
            lambda client: plain(client.beta.conversations.start(model="mistral-medium-latest", inputs="Bonjour"))
        ),
        {
            "object": "conversation.response",
            "conversation_id": "conv_1",
            "outputs": [
                {
                    "object": "entry",
                    "type": "message.output",
                    "id": "msg_1",
                    "role": "assistant",
                    "model": "mistral-medium-2508",
                    "content": "Bonjour.",
                }
            ],
            "usage": {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 549, "connector_tokens": 500},
        },
        {"operation": "chat", "model_answered": "mistral-medium-2508", "input_tokens": 540, "output_tokens": 9},
        path="/v1/conversations",
        source=_CONVERSE,
    ),
    _exchange(
        "conversation streamed",
        mistral_client(_conversed),
        sse(
            [
                {"type": "conversation.response.started", "conversation_id": "conv_1"},
                *(
                    {
                        "type": "message.output.delta",
                        "id": "msg_1",
                        "content": word,
                        "model": "mistral-medium-2508",
                        "role": "assistant",
                    }
                    for word in ("Bon", "jour.")
                ),
                {
                    "type": "conversation.response.done",
                    "usage": {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49},
                },
            ],
            named=True,
        ),
        {
            "operation": "chat",
            "model_requested": "mistral-medium-latest",
            "model_answered": "mistral-medium-2508",
            "input_tokens": 40,
            "output_tokens": 9,
            "stream": True,
        },
        path="/v1/conversations",
        source=_CONVERSE,
    ),
    _exchange(
        "transcription",
        mistral_client(
            lambda client: plain(
                client.audio.transcriptions.complete(
                    model="voxtral-mini-latest", file={"content": b"RIFF" + bytes(900), "file_name": "appel.wav"}
                )
            )
        ),
        {
            "model": "voxtral-mini-2507",
            "text": "Mon colis a du retard.",
            "language": None,
            "segments": [],
            "usage": {"prompt_audio_seconds": 30, "prompt_tokens": 4, "total_tokens": 400, "completion_tokens": 21},
        },
        {
            "operation": "transcription",
            "model_requested": "voxtral-mini-latest",
            "model_answered": "voxtral-mini-2507",
            "audio_seconds": 30.0,
            "input_tokens": 379,
            "input_audio_tokens": 375,
            "output_tokens": 21,
        },
        path="/v1/audio/transcriptions",
        source=_AUDIO,
    ),
    _exchange(
        "batch job collected: its tokens are not told",
        mistral_client(lambda client: plain(client.batch.jobs.get(job_id="b0mesure-0exchange-0001"))),
        {
            "id": "b0mesure-0exchange-0001",
            "object": "batch",
            "input_files": ["f-1"],
            "metadata": {},
            "endpoint": "/v1/chat/completions",
            "model": "mistral-small-latest",
            "output_file": "f-2",
            "errors": [],
            "status": "SUCCESS",
            "created_at": 1_790_000_000,
            "started_at": 1_790_000_050,
            "completed_at": 1_790_000_500,
            "total_requests": 12,
            "completed_requests": 12,
            "succeeded_requests": 11,
            "failed_requests": 1,
        },
        {
            "operation": "chat",
            "calls_count": 11,
            "model_answered": "mistral-small-latest",
            "response_id": "b0mesure-0exchange-0001",
            "started_at": datetime.fromtimestamp(1_790_000_050, UTC),
        },
        path="/v1/batch/jobs/b0mesure-0exchange-0001",
        method="GET",
        source=_BATCH,
    ),
]
