"""The replaying provider, and a gateway in front of it whose events go through a real spool."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from replay import PREFIXES, Replay
from served_gateway import ListSink, Running, serving

from mesure.config import ProviderSettings, ServerSettings, Settings
from mesure.ledger import Spool
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesure.record import UsageEvent


class SpoolSink(ListSink):
    """Keeps events in memory and writes them as the server does."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self.spool = spool
        self.written: list[UsageEvent] = []

    def record(self, event: UsageEvent) -> bool:
        self.written.append(event)
        return self.spool.record(event) and super().record(event)


@pytest.fixture(scope="session")
def provider() -> Iterator[Replay]:
    with Replay() as replay:
        yield replay


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("conformance")


@pytest.fixture(scope="session")
def sink(folder: Path) -> Iterator[SpoolSink]:
    spool = Spool(folder / "spool")
    yield SpoolSink(spool)
    spool.close()


@pytest.fixture(scope="session")
def _served(provider: Replay, folder: Path, sink: SpoolSink) -> Iterator[Running]:
    """A provider a wire, under the wire's name; `keyed-<wire>` has its key configured."""
    spoken = {
        wire: ProviderSettings(base_url=provider.address(wire), wire=wire, zone="FRA", timeout_s=20.0)
        for wire in PREFIXES
    }
    down = {
        f"down-{wire}": ProviderSettings(base_url=f"http://127.0.0.1:9{PREFIXES[wire]}", wire=wire) for wire in PREFIXES
    }
    keyed = {
        f"keyed-{wire}": ProviderSettings(base_url=provider.address(wire), wire=wire, api_key="configured-key-42")
        for wire in PREFIXES
    }
    live = {f"live-{wire}": replace(settings, live=True) for wire, settings in spoken.items()}
    settings = Settings(server=ServerSettings(data=str(folder)), providers=spoken | down | keyed | live)
    with serving(settings, sink) as running:
        yield running


@pytest.fixture
def gateway(_served: Running, sink: SpoolSink) -> Iterator[Running]:
    sink.events.clear()
    failures = _served.gateway.metering_failures
    yield _served
    eventually(lambda: _served.gateway.in_flight == 0)
    assert _served.gateway.metering_failures == failures
