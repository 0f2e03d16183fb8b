"""A tiny upstream that speaks the OpenAI wire and remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web


class Upstream:
    """What it received, in order, and how it answers: `answer(number, path, body)` may return a response of its own."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.answer: Callable[[int, str, dict[str, Any]], web.Response | None] = lambda number, path, body: None
        self.base_url = ""

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "GET":
            return self.answer(0, request.path, {}) or web.json_response({"data": [{"id": "tiny-1"}]})
        body = await request.json()
        number = len(self.requests)
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append((request.path, body, headers))
        return self.answer(number, request.path, body) or _usual(request.path, body)


def _usual(path: str, body: dict[str, Any]) -> web.Response:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    if path.endswith("/embeddings"):
        return web.json_response({"data": [{"embedding": [0.0]}], "usage": {"prompt_tokens": 5, "total_tokens": 5}})
    if body.get("stream"):
        chunks: list[dict[str, Any]] = [
            {"choices": [{"delta": {"content": "Bon"}}]},
            {"choices": [{"delta": {"content": "jour"}}]},
            {"choices": [], "usage": usage},
        ]
        events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
        return web.Response(body=events + ": a comment\n\ndata: [DONE]\n\n", content_type="text/event-stream")
    if path.endswith("/chat/completions"):
        return web.json_response({"choices": [{"message": {"content": "Bonjour"}}], "usage": usage})
    return web.json_response({"choices": [{"text": " livraison"}], "usage": usage})
