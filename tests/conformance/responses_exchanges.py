"""OpenAI: responses, whole, streamed and in the background; batches."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clients import listed, openai_client, plain
from replay import EVENTS, Exchange, first, sse

_WHOLE = ("https://platform.openai.com/docs/api-reference/responses", "2026-11-22")
_STREAM = ("https://platform.openai.com/docs/api-reference/responses-streaming", "2026-11-22")
_BATCH = ("https://platform.openai.com/docs/api-reference/batch", "2026-11-22")
ID = "resp_0mesure0exchange00000000000001"


def _usage(read: int, written: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
    }


def response(output: list[Any], counts: Any, status: str = "completed", **more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": "gpt-5-2025-08-07",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": counts,
        **more,
    }


def _message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}


_CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "completed",
    "call_id": "call_1",
    "name": "find_parcel",
    "arguments": '{"number":"R-4471"}',
}
_TOOL = {
    "type": "function",
    "name": "find_parcel",
    "description": "Where a parcel is.",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "strict": True,
}


def _events(text: list[str], last: dict[str, Any], kind: str = "response.completed") -> list[dict[str, Any]]:
    begun = response([], None, "in_progress")
    item = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    open_item = {**_message(""), "content": [], "status": "in_progress"}
    part = {"type": "output_text", "text": "", "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": open_item},
        {"type": "response.content_part.added", **item, "part": part},
        *({"type": "response.output_text.delta", **item, "delta": word, "logprobs": []} for word in text),
        {"type": "response.output_text.done", **item, "text": "".join(text), "logprobs": []},
        {"type": "response.content_part.done", **item, "part": {**part, "text": "".join(text)}},
        {"type": "response.output_item.done", "output_index": 0, "item": _message("".join(text))},
        {"type": kind, "response": last},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


_TEXT = ["Votre", " colis", " arrive", ' demain "usage":{', "."]
_DONE = response([_message("".join(_TEXT))], _usage(44, 130, cached=32, reasoning=110))
_BOOKED = {"operation": "chat", "model_requested": "gpt-5", "model_answered": "gpt-5-2025-08-07", "response_id": ID}
_COUNTS = {
    "input_tokens": 44,
    "cached_input_tokens": 32,
    "cache_write_tokens": 0,
    "output_tokens": 130,
    "reasoning_tokens": 110,
}


def _create(**more: Any) -> Any:
    given = {"model": "gpt-5", "input": "Où est mon colis ?", **more}
    return openai_client(lambda client: plain(client.responses.create(**given)))


def _stream(client: Any) -> Any:
    return listed(client.responses.create(model="gpt-5", input="Où est mon colis ?", stream=True))


def _helper(client: Any) -> Any:
    with client.responses.stream(model="gpt-5", input="Où est mon colis ?") as stream:
        return [event.type for event in stream], plain(stream.get_final_response())


def _exchange(name: str, call: Any, answer: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    streamed = isinstance(answer, tuple)
    given = {
        "path": "/v1/responses",
        "media_type": EVENTS if streamed else "application/json",
        "source": _STREAM if streamed else _WHOLE,
        **more,
    }
    return Exchange(name, "openai", call=call, answer=answer, booked=booked, **given)


_BATCH_BODY: dict[str, Any] = {
    "id": "batch_0mesure0exchange000001",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "model": "gpt-4o-2024-11-20",
    "errors": None,
    "input_file_id": "file-1",
    "completion_window": "24h",
    "status": "in_progress",
    "output_file_id": None,
    "error_file_id": None,
    "created_at": 1_790_000_000,
    "in_progress_at": 1_790_000_100,
    "expires_at": 1_790_086_400,
    "request_counts": {"total": 40, "completed": 11, "failed": 0},
    "metadata": None,
}

EXCHANGES = [
    _exchange(
        "response cached, reasoning",
        _create(reasoning={"effort": "medium"}, max_output_tokens=900),
        _DONE,
        {
            **_BOOKED,
            **_COUNTS,
            "finish_reason": "completed",
            "reasoning_effort": "medium",
            "max_output_tokens": 900,
            "stream": False,
        },
    ),
    _exchange(
        "response with tools",
        _create(tools=[_TOOL]),
        response([_CALL], _usage(70, 20)),
        {
            **_BOOKED,
            **_COUNTS,
            "input_tokens": 70,
            "cached_input_tokens": 0,
            "output_tokens": 20,
            "reasoning_tokens": 0,
        },
    ),
    _exchange(
        "response cut short",
        _create(max_output_tokens=16),
        response([_message("Votre")], _usage(44, 16), "incomplete", incomplete_details={"reason": "max_output_tokens"}),
        {
            **_BOOKED,
            **_COUNTS,
            "cached_input_tokens": 0,
            "output_tokens": 16,
            "reasoning_tokens": 0,
            "finish_reason": "max_output_tokens",
        },
    ),
    _exchange(
        "response with an image made",
        _create(tools=[{"type": "image_generation"}]),
        response(
            [{"id": "ig_1", "type": "image_generation_call", "status": "completed", "result": "aGk="}], _usage(44, 18)
        ),
        {
            **_BOOKED,
            **_COUNTS,
            "cached_input_tokens": 0,
            "output_tokens": 18,
            "reasoning_tokens": 0,
            "images_count": 1,
        },
    ),
    _exchange(
        "response stream",
        openai_client(_stream),
        sse(_events(_TEXT, _DONE), named=True),
        {**_BOOKED, **_COUNTS, "stream": True, "finish_reason": "completed"},
    ),
    _exchange(
        "response stream helper",
        openai_client(_helper),
        sse(_events(_TEXT, _DONE), named=True),
        {**_BOOKED, **_COUNTS, "stream": True},
    ),
    _exchange(
        "response stream that fails",
        openai_client(_stream),
        sse(
            _events(
                _TEXT[:1],
                response([], None, "failed", error={"code": "server_error", "message": "You asked: Où"}),
                "response.failed",
            ),
            named=True,
        ),
        {**_BOOKED, "stream": True, "status": "error", "error_type": "server_error", "finish_reason": "failed"},
    ),
    _exchange(
        "response stream truncated",
        openai_client(_stream),
        first(sse(_events(_TEXT, _DONE), named=True), 6),
        {**_BOOKED, "stream": True, "status": "truncated"},
        broken=True,
    ),
    _exchange(
        "response left to the background is booked later",
        _create(background=True),
        response([], None, "queued", background=True),
        None,
    ),
    _exchange(
        "response not ready in the background",
        openai_client(lambda client: plain(client.responses.retrieve(ID))),
        response([], None, "in_progress", background=True),
        None,
        path=f"/v1/responses/{ID}",
        method="GET",
    ),
    _exchange(
        "response collected from the background",
        openai_client(lambda client: plain(client.responses.retrieve(ID))),
        {**_DONE, "background": True},
        {**_BOOKED, **_COUNTS, "model_requested": None, "duration_ms": None, "stream": None},
        path=f"/v1/responses/{ID}",
        method="GET",
    ),
    _exchange(
        "response collected again",
        openai_client(lambda client: plain(client.responses.retrieve(ID))),
        {**_DONE, "background": True},
        None,
        path=f"/v1/responses/{ID}",
        method="GET",
    ),
    _exchange(
        "response shown again",
        openai_client(lambda client: plain(client.responses.retrieve(ID))),
        _DONE,
        None,
        path=f"/v1/responses/{ID}",
        method="GET",
    ),
    _exchange(
        "batch at work",
        openai_client(lambda client: plain(client.batches.retrieve("batch_0mesure0exchange000001"))),
        _BATCH_BODY,
        None,
        path="/v1/batches/batch_0mesure0exchange000001",
        method="GET",
        source=_BATCH,
    ),
    _exchange(
        "batch collected",
        openai_client(lambda client: plain(client.batches.retrieve("batch_0mesure0exchange000001"))),
        {
            **_BATCH_BODY,
            "status": "completed",
            "completed_at": 1_790_003_700,
            "output_file_id": "file-2",
            "request_counts": {"total": 40, "completed": 39, "failed": 1},
            "usage": {
                "input_tokens": 39_000,
                "input_tokens_details": {"cached_tokens": 9_000},
                "output_tokens": 4_100,
                "output_tokens_details": {"reasoning_tokens": 1_100},
                "total_tokens": 43_100,
            },
        },
        {
            "operation": "chat",
            "calls_count": 39,
            "model_answered": "gpt-4o-2024-11-20",
            "response_id": "batch_0mesure0exchange000001",
            "input_tokens": 39_000,
            "cached_input_tokens": 9_000,
            "output_tokens": 4_100,
            "reasoning_tokens": 1_100,
            "started_at": datetime.fromtimestamp(1_790_000_100, UTC),
            "ended_at": datetime.fromtimestamp(1_790_003_700, UTC),
            "duration_ms": None,
        },
        path="/v1/batches/batch_0mesure0exchange000001",
        method="GET",
        source=_BATCH,
    ),
    _exchange(
        "batch made",
        openai_client(
            lambda client: plain(
                client.batches.create(completion_window="24h", endpoint="/v1/chat/completions", input_file_id="file-1")
            )
        ),
        {**_BATCH_BODY, "status": "validating"},
        None,
        path="/v1/batches",
        source=_BATCH,
    ),
]
