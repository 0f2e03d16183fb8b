"""The server as one process: gateway, pages, metrics, and the committer that moves facts into the ledger."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from mesure.apps.gateway import PATHS, Gateway
from mesure.apps.house import House
from mesure.apps.http1.asgi import AsgiService
from mesure.apps.http1.serving import Limits, Serving
from mesure.apps.listening import address_of, bind_for
from mesure.apps.measured import Measuring
from mesure.apps.otlp import PATHS as OTLP_PATHS
from mesure.apps.totals import GatewayTotals
from mesure.ledger import Spool

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mesure.apps.http1.exchange import Service
    from mesure.config import Settings
    from mesure.meter.sensors import CallMeter

__all__ = ["open_spool", "serve", "serving_of"]

_TELEMETRY = frozenset(path.encode() for path in OTLP_PATHS)


def serve(
    settings: Settings,
    *,
    meters: Mapping[str, CallMeter] | None = None,
    notices: Sequence[str] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `on_ready` gets the address of the pages once they answer.

    Raises `ConfigError` when the address is taken, or open to others without keys, `LedgerError` when the data folder
    cannot be used, and `StateError` when another version of Mesure made its state.
    """
    with bind_for(settings) as listener:
        spool = open_spool(settings)
        measuring = Measuring(settings, spool, "gateway")
        house = House(
            settings, spool, lambda: GatewayTotals.of(gateway, spool), sensors=measuring.to_json, notices=notices
        )
        gateway = Gateway(
            settings,
            spool,
            meters=meters,
            keys=house.keys,
            servers=measuring.by_provider,
            content=house.content,
        )
        try:
            house.open()
            measuring.start()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(settings, gateway, house, listener, on_ready))
        finally:
            measuring.stop()
            house.close()


async def _run(
    settings: Settings,
    gateway: Gateway,
    house: House,
    listener: socket.socket,
    on_ready: Callable[[str], None] | None,
) -> None:
    serving = serving_of(settings, gateway, AsgiService(house, listener.getsockname()[:2]))
    with _stop_on_signals(serving, house.close_streams) as stop:
        await gateway.startup()
        if on_ready is not None:
            asyncio.get_running_loop().call_soon(on_ready, address_of(listener))
        await serving.run(listener, stop, settings.server.stop_s)
        await gateway.shutdown()


def open_spool(settings: Settings) -> Spool:
    """This process' own segment of the spool. Raises `LedgerError`."""
    folder, given = Path(settings.server.data) / "spool", settings.ledger
    return Spool(folder, segment_bytes=int(given.segment_mb * 1e6), segment_s=given.segment_minutes * 60)


def serving_of(settings: Settings, gateway: Gateway, pages: Service) -> Serving:
    """AI calls go to the gateway, everything else (telemetry of others among it) to the pages."""
    limits = Limits(body_bytes=int(settings.gateway.max_body_mb * 1e6))

    def service_of(target: bytes) -> Service:
        is_call = target.startswith(PATHS) and target.partition(b"?")[0] not in _TELEMETRY
        return gateway if is_call else pages

    return Serving(service_of, limits, gateway.refused)


@contextmanager
def _stop_on_signals(serving: Serving, at_once: Callable[[], None]) -> Iterator[asyncio.Event]:
    """An event set by SIGINT or SIGTERM, which also call `at_once`; a second SIGINT waits for no call in flight."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def told(number: int) -> None:
        serving.patient = not (stop.is_set() and number == signal.SIGINT)
        stop.set()
        at_once()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, told, number)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
