"""A tiny upstream that speaks the OpenAI wire, and the real local model where its weights are installed."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from mesure.apps.demo.model_server import ModelServer
from mesure.apps.demo.weights import why_no_local_model


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


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Listening on loopback, in a thread of its own."""
    double = Upstream()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    runner: list[web.AppRunner] = []

    async def handle(request: web.Request) -> web.Response:
        return await double.handle(request)  # looked up at each call: tests replace it

    async def start() -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handle)
        runner.append(web.AppRunner(app))
        await runner[0].setup()
        site = web.TCPSite(runner[0], "127.0.0.1", 0)
        await site.start()
        double.base_url = f"http://127.0.0.1:{runner[0].addresses[0][1]}/v1"
        started.set()

    def run() -> None:
        loop.run_until_complete(start())
        loop.run_forever()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    yield double
    asyncio.run_coroutine_threadsafe(runner[0].cleanup(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="session")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelServer]:
    """The real model, in its real process. Without its weights the tests skip, and fail in CI."""
    if (missing := why_no_local_model()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(f"THE LOCAL MODEL IS ABSENT, this test did not run. {missing}")
    with ModelServer(tmp_path_factory.mktemp("model") / "model-server.log") as server:
        yield server
