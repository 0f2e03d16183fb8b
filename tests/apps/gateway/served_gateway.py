"""A gateway in a thread, in front of a provider double; everything on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvloop

from mesure.apps.gateway import Gateway
from mesure.apps.http1.serving import Limits, Serving
from mesure.config import Settings
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.record import UsageEvent


class ListSink:
    """Keeps events in memory."""

    def __init__(self) -> None:
        self.events: list[UsageEvent] = []

    def record(self, event: UsageEvent) -> bool:
        self.events.append(event.checked())
        return True

    def wait(self, count: int = 1) -> list[UsageEvent]:
        """The events, once there are `count` of them."""
        eventually(lambda: len(self.events) >= count)
        return list(self.events)

    def take(self) -> UsageEvent:
        """The one event there is."""
        [event] = self.wait()
        return event


class Running:
    """A served gateway: its address, and what it booked."""

    def __init__(self, gateway: Gateway, sink: ListSink, port: int) -> None:
        self.gateway, self.sink, self.port = gateway, sink, port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def named(self, provider: str) -> str:
        return f"http://127.0.0.1:{self.port}/providers/{provider}"


@contextmanager
def serving(settings: Settings, sink: ListSink | None = None, **options: object) -> Iterator[Running]:
    sink = sink or ListSink()
    gateway = Gateway(settings, sink, **options)  # type: ignore[arg-type]
    serving = Serving(lambda _: gateway, Limits(body_bytes=int(settings.gateway.max_body_mb * 1e6)), gateway.refused)
    with socket.create_server(("127.0.0.1", 0)) as listener, served(serving, listener, gateway):
        yield Running(gateway, sink, listener.getsockname()[1])


@contextmanager
def served(serving: Serving, listener: socket.socket, gateway: Gateway | None = None) -> Iterator[None]:
    """Runs in a thread of its own, on uvloop."""
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        if gateway is not None:
            await gateway.startup()
        asyncio.get_running_loop().call_soon(started.set_result, (asyncio.get_running_loop(), stop))
        await serving.run(listener, stop, 0.2)
        if gateway is not None:
            await gateway.shutdown()

    thread = threading.Thread(target=uvloop.run, args=(run(),), daemon=True)
    thread.start()
    loop, stop = started.result(15)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(15)
        assert not thread.is_alive()
