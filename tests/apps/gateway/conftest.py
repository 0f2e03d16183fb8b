"""A gateway under uvicorn (uvloop, httptools) in a thread, in front of a provider double; everything on loopback."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import uvicorn
from provider_double import GOOD_KEY, ProviderDouble

from mesure.apps.gateway import Gateway
from mesure.config import GatewaySettings, OrganisationSettings, ProviderSettings, ServerSettings, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.01)


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


@pytest.fixture(scope="session")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def settings_for(provider: ProviderDouble, folder: Path) -> Settings:
    there = ProviderSettings(base_url=provider.url, default=True, provider="openai", zone="FRA", timeout_s=20.0)
    return Settings(
        server=ServerSettings(data=str(folder)),
        organisation=OrganisationSettings(name="Relais"),
        gateway=GatewaySettings(max_body_mb=2.0, hold_json_mb=0.2),
        providers={
            "double": there,
            "keyed": replace(there, default=False, api_key=GOOD_KEY),
            "plain": replace(there, default=False, include_usage=False),
            "live": replace(there, default=False, live=True),
            "impatient": replace(there, default=False, timeout_s=0.3),
            "down": ProviderSettings(base_url="http://127.0.0.1:9/v1"),
        },
    )


@pytest.fixture
def settings(provider: ProviderDouble, tmp_path: Path) -> Settings:
    return settings_for(provider, tmp_path)


@pytest.fixture(scope="session")
def _served(provider: ProviderDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(settings_for(provider, tmp_path_factory.mktemp("gateway"))) as running:
        yield running


@pytest.fixture
def gateway(_served: Running) -> Iterator[Running]:
    """The one gateway that most tests share, with no call in flight and nothing booked yet."""
    _served.sink.events.clear()
    yield _served
    eventually(lambda: _served.gateway.in_flight == 0)
