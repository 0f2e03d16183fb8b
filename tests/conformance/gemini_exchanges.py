"""Google Gemini: content whole and streamed, embeddings, images."""

from __future__ import annotations

from typing import Any

from clients import gemini_client, http, listed, plain
from replay import EVENTS, Exchange, encoded, first, sse

_WHOLE = ("https://ai.google.dev/api/generate-content", "2026-11-22")
_CACHE = ("https://ai.google.dev/gemini-api/docs/caching", "2026-11-22")
_EMBED = ("https://ai.google.dev/api/embeddings", "2026-11-22")
_IMAGEN = ("https://ai.google.dev/gemini-api/docs/imagen", "2026-11-22")
_INTERACT = ("https://ai.google.dev/api/interactions-api", "2026-11-22")

ID = "mesure0exchange0Gemini01"
_MODEL = "gemini-2.5-flash"
_GENERATE = f"/v1/models/{_MODEL}:generateContent"
_STREAM = f"/v1/models/{_MODEL}:streamGenerateContent?alt=sse"
_ASKED: dict[str, Any] = {"model": _MODEL, "contents": "Où est mon colis ?"}


def _tokens(kind: str, count: int) -> dict[str, Any]:
    return {"modality": kind, "tokenCount": count}


def answer(parts: list[Any], counts: dict[str, Any], reason: str | None = "STOP") -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": _MODEL, "responseId": ID}


_COUNTS = {
    "promptTokenCount": 9,
    "candidatesTokenCount": 14,
    "totalTokenCount": 23,
    "promptTokensDetails": [_tokens("TEXT", 9)],
}
_BOOKED = {"operation": "chat", "model_requested": _MODEL, "model_answered": _MODEL, "response_id": ID}
_SAID = [
    answer([{"text": "Votre colis"}], {"promptTokenCount": 9, "totalTokenCount": 9}, None),
    answer([{"text": ' "finishReason":"STOP"'}], {**_COUNTS, "candidatesTokenCount": 6, "totalTokenCount": 15}, None),
    answer([{"text": " arrive 🙂."}], {**_COUNTS, "thoughtsTokenCount": 40, "totalTokenCount": 63}),
]


def _create(**more: Any) -> Any:
    return gemini_client(lambda client: plain(client.models.generate_content(**{**_ASKED, **more})))


def _streamed(client: Any) -> Any:
    return listed(client.models.generate_content_stream(**_ASKED))


def _tool_config() -> Any:
    from google.genai import types

    declared = types.FunctionDeclaration(name="find_parcel", parameters_json_schema={"type": "object"})
    return types.GenerateContentConfig(tools=[types.Tool(function_declarations=[declared])])


def _exchange(name: str, call: Any, value: Any, booked: dict[str, Any] | None, **more: Any) -> Exchange:
    streamed = isinstance(value, tuple)
    given = {
        "path": _STREAM if streamed else _GENERATE,
        "media_type": EVENTS if streamed else "application/json; charset=UTF-8",
        "source": _WHOLE,
        **more,
    }
    return Exchange(name, "gemini", call=call, answer=value, booked=booked, **given)


EXCHANGES = [
    _exchange(
        "content",
        _create(config={"max_output_tokens": 300, "system_instruction": "Sois bref."}),
        answer([{"text": "Votre colis arrive."}], _COUNTS),
        {
            **_BOOKED,
            "input_tokens": 9,
            "output_tokens": 14,
            "finish_reason": "STOP",
            "max_output_tokens": 300,
            "stream": False,
        },
    ),
    _exchange(
        "content with reasoning: thoughts are counted beside the candidates",
        _create(),
        answer([{"text": "Oui."}], {**_COUNTS, "thoughtsTokenCount": 512, "totalTokenCount": 535}),
        {**_BOOKED, "input_tokens": 9, "output_tokens": 526, "reasoning_tokens": 512},
    ),
    _exchange(
        "content cut in its thoughts: no candidate is counted",
        _create(),
        answer([], {"promptTokenCount": 9, "thoughtsTokenCount": 64, "totalTokenCount": 73}, "MAX_TOKENS"),
        {
            **_BOOKED,
            "input_tokens": 9,
            "output_tokens": 64,
            "reasoning_tokens": 64,
            "finish_reason": "MAX_TOKENS",
        },
    ),
    _exchange(
        "content cached, heard, seen",
        _create(),
        answer(
            [{"text": "Oui."}],
            {
                "promptTokenCount": 5_000,
                "cachedContentTokenCount": 4_096,
                "candidatesTokenCount": 3,
                "totalTokenCount": 5_003,
                "promptTokensDetails": [_tokens("TEXT", 142), _tokens("AUDIO", 600), _tokens("IMAGE", 4_258)],
                "cacheTokensDetails": [_tokens("IMAGE", 4_096)],
            },
        ),
        {
            **_BOOKED,
            "input_tokens": 5_000,
            "cached_input_tokens": 4_096,
            "input_audio_tokens": 600,
            "input_image_tokens": 4_258,
            "output_tokens": 3,
        },
        source=_CACHE,
    ),
    _exchange(
        "content with an image made",
        _create(),
        answer(
            [{"text": "Voilà."}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}}],
            {
                "promptTokenCount": 9,
                "candidatesTokenCount": 1_300,
                "totalTokenCount": 1_309,
                "candidatesTokensDetails": [_tokens("IMAGE", 1_290)],
            },
        ),
        {
            **_BOOKED,
            "input_tokens": 9,
            "output_tokens": 1_300,
            "output_image_tokens": 1_290,
            "images_count": 1,
        },
    ),
    _exchange(
        "content with tools",
        gemini_client(lambda client: plain(client.models.generate_content(**_ASKED, config=_tool_config()))),
        answer(
            [{"functionCall": {"name": "find_parcel", "args": {"number": "R-4471"}}}],
            {**_COUNTS, "toolUsePromptTokenCount": 30, "totalTokenCount": 53},
        ),
        {**_BOOKED, "input_tokens": 39, "output_tokens": 14},
    ),
    _exchange(
        "prompt blocked",
        _create(),
        {
            "promptFeedback": {"blockReason": "SAFETY"},
            "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
            "modelVersion": _MODEL,
            "responseId": ID,
        },
        {**_BOOKED, "input_tokens": 9, "output_tokens": 0, "finish_reason": "SAFETY"},
    ),
    _exchange(
        "stream",
        gemini_client(_streamed),
        sse(_SAID),
        {
            **_BOOKED,
            "input_tokens": 9,
            "output_tokens": 54,
            "reasoning_tokens": 40,
            "finish_reason": "STOP",
            "stream": True,
        },
    ),
    _exchange(
        "stream truncated: what was read is known, what was written is not",
        gemini_client(_streamed),
        first(sse(_SAID), 2),
        {**_BOOKED, "input_tokens": 9, "stream": True, "status": "truncated"},
        broken=True,
    ),
    _exchange(
        "stream as one array, without a client of its own",
        http("POST", f"/v1/models/{_MODEL}:streamGenerateContent", {"contents": [{"parts": [{"text": "Où ?"}]}]}),
        (
            b"[" + encoded(_SAID[0]) + b"\r\n",
            *(b",\r\n" + encoded(piece) + b"\r\n" for piece in _SAID[1:]),
            b"]",
        ),
        {
            **_BOOKED,
            "input_tokens": 9,
            "output_tokens": 54,
            "reasoning_tokens": 40,
            "finish_reason": "STOP",
            "stream": True,
        },
        path=f"/v1/models/{_MODEL}:streamGenerateContent",
        media_type="application/json; charset=UTF-8",
    ),
    _exchange(
        "refused",
        _create(),
        {"error": {"code": 429, "message": "You wrote: Où", "status": "RESOURCE_EXHAUSTED"}},
        {
            "model_requested": _MODEL,
            "status": "error",
            "http_status": 429,
            "error_type": "RESOURCE_EXHAUSTED",
        },
        status=429,
    ),
    _exchange(
        "embeddings",
        gemini_client(
            lambda client: plain(
                client.models.embed_content(model="gemini-embedding-001", contents=["colis", "retard"])
            )
        ),
        {"embeddings": [{"values": [0.25, -0.5]}, {"values": [0.125, 0.75]}]},
        {"operation": "embeddings", "model_requested": "gemini-embedding-001", "input_items": 2},
        path="/v1/models/gemini-embedding-001:batchEmbedContents",
        source=_EMBED,
    ),
    _exchange(
        "one embedding, without a client of its own",
        http("POST", "/v1/models/gemini-embedding-001:embedContent", {"content": {"parts": [{"text": "colis"}]}}),
        {"embedding": {"values": [0.25, -0.5]}, "usageMetadata": {"promptTokenCount": 3}},
        {"operation": "embeddings", "input_items": 1, "input_tokens": 3},
        path="/v1/models/gemini-embedding-001:embedContent",
        source=_EMBED,
    ),
    _exchange(
        "images, without a client of its own",
        http("POST", "/v1/models/imagen-4.0-generate-001:predict", {"instances": [{"prompt": "un colis"}]}),
        {"predictions": [{"mimeType": "image/png", "bytesBase64Encoded": "aGk="}] * 2},
        {"operation": "image", "model_requested": "imagen-4.0-generate-001", "images_count": 2},
        path="/v1/models/imagen-4.0-generate-001:predict",
        source=_IMAGEN,
    ),
    _exchange(
        "tokens counted are no call",
        gemini_client(lambda client: plain(client.models.count_tokens(**_ASKED))),
        {"totalTokens": 9},
        None,
        path=f"/v1/models/{_MODEL}:countTokens",
    ),
]
