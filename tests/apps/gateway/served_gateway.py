"""A gateway under uvicorn (uvloop, httptools) in a thread, in front of a provider double; everything on loopback."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from mesure.apps.gateway import Gateway
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
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        gateway,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="critical",
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    try:
        yield Running(gateway, sink, listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(15)
        listener.close()
        assert not thread.is_alive()
