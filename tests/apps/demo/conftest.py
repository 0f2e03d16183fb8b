"""A tiny upstream that speaks the OpenAI wire, and the real local model where its weights are installed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest
from aiohttp import web
from demo_upstream import Upstream

from mesure.apps.demo.model_server import ModelServer
from mesure.apps.demo.weights import why_no_local_model


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Listening on loopback, in a thread of its own."""
    double = Upstream()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    runner: list[web.AppRunner] = []

    async def start() -> None:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", double.handle)
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
