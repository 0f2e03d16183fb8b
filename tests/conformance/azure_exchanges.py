"""Azure OpenAI: the model stands in the path, filters in the answer; old versions know no usage in streams."""

from __future__ import annotations

from typing import Any

from clients import azure_client, listed, openai_client, plain
from openai_exchanges import ID, MESSAGES, chunks, usage, whole
from replay import EVENTS, Exchange, sse

_SOURCE = ("https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference", "2026-11-22")
_OLD = "2024-06-01"
_NEW = "2024-10-21"
_FILTERS = {"hate": {"filtered": False, "severity": "safe"}}
_PATH = "/openai/deployments/gpt-4o-prod"
_COUNTS = {
    "input_tokens": 31,
    "output_tokens": 9,
    "cached_input_tokens": 0,
    "reasoning_tokens": 0,
    "input_audio_tokens": 0,
    "output_audio_tokens": 0,
}
_BOOKED = {
    "operation": "chat",
    "model_requested": "gpt-4o-prod",
    "model_answered": "gpt-4o-2024-11-20",
    "response_id": ID,
}
_DELTAS: list[tuple[Any, str | None]] = [({"role": "assistant", "content": ""}, None), ({"content": "Oui."}, None)]
_DELTAS.append(({}, "stop"))
_FILTERED = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}


def _create(client: Any) -> Any:
    return plain(client.chat.completions.create(model="gpt-4o-prod", messages=MESSAGES))


def _streamed(client: Any) -> Any:
    return listed(client.chat.completions.create(model="gpt-4o-prod", messages=MESSAGES, stream=True))


def _stream(counts: Any) -> tuple[bytes, ...]:
    asked = {} if counts is None else {"usage": None}
    return sse([{**_FILTERED, **asked}, *chunks(_DELTAS, counts)], done=True)


EXCHANGES = [
    Exchange(
        "chat",
        "azure",
        _SOURCE,
        f"{_PATH}/chat/completions?api-version={_NEW}",
        azure_client(_create),
        {
            **whole({"content": "Oui."}, "stop", usage(31, 9)),
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _FILTERS}],
        },
        {**_BOOKED, **_COUNTS},
    ),
    Exchange(
        "stream",
        "azure",
        _SOURCE,
        f"{_PATH}/chat/completions?api-version={_NEW}",
        azure_client(_streamed),
        _stream(usage(31, 9)),
        {**_BOOKED, **_COUNTS, "stream": True},
        media_type=EVENTS,
        unasked=_stream(None),
    ),
    Exchange(
        "stream of a version that knows no usage: its tokens stay unknown",
        "azure",
        _SOURCE,
        f"{_PATH}/chat/completions?api-version={_OLD}",
        azure_client(_streamed, _OLD),
        b"asked for usage: this version refuses",
        {**_BOOKED, "stream": True},
        media_type=EVENTS,
        unasked=_stream(None),
    ),
    Exchange(
        "refused by a filter",
        "azure",
        _SOURCE,
        f"{_PATH}/chat/completions?api-version={_NEW}",
        azure_client(_create),
        {
            "error": {
                "message": "The response was filtered: Mon colis",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": _FILTERS},
            }
        },
        {"status": "error", "error_type": "content_filter"},
        status=400,
    ),
    Exchange(
        "embeddings",
        "azure",
        _SOURCE,
        f"/openai/deployments/embed-small/embeddings?api-version={_NEW}",
        azure_client(
            lambda client: plain(client.embeddings.create(model="embed-small", input="colis", encoding_format="float"))
        ),
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.25]}],
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 3, "total_tokens": 3},
        },
        {
            "operation": "embeddings",
            "model_requested": "embed-small",
            "model_answered": "text-embedding-3-small",
            "input_tokens": 3,
            "input_items": 1,
        },
    ),
    Exchange(
        "chat by the new address, without a version",
        "azure",
        _SOURCE,
        "/chat/completions",
        openai_client(_create),
        whole({"content": "Oui."}, "stop", usage(31, 9)),
        {**_BOOKED, **_COUNTS},
    ),
]
