"""One process of a server that has several: `python -m mesure.apps.worker`, started by `mesure.apps.workers` alone.

Its duty comes on the standard input. On its control socket it says that it is ready, or why it cannot be, and what the
gateway counted each time that changed; the process with the pages hears there what all the others counted. Once that
socket ends, so does the process.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from mesure.apps.http1.serving import Limits, Serving
from mesure.apps.server import open_spool, serving_of
from mesure.apps.totals import GatewayTotals
from mesure.catalogue import current, use
from mesure.errors import MesureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.apps.workers import Duty

__all__ = ["main"]

_TELL_EVERY_S = 0.5


def main() -> None:
    """Read the duty, do it until told to stop."""
    duty: Duty = pickle.load(sys.stdin.buffer)  # noqa: S301  (written by the parent process)
    with socket.socket(fileno=duty.control) as control, socket.socket(fileno=duty.listener) as listener:
        try:
            if duty.catalogue_file:
                use(current().with_user_file(Path(duty.catalogue_file)))
            (_relay if duty.role == "gateway" else _keep_house)(duty, listener, control)
        except MesureError as error:
            control.sendall(json.dumps({"error": error.to_json()}).encode() + b"\n")
            sys.exit(1)


def _relay(duty: Duty, listener: socket.socket, control: socket.socket) -> None:
    """AI calls are answered here, everything else by the process with the pages."""
    from mesure.apps.gateway import Gateway
    from mesure.apps.gateway.keeping import content_of
    from mesure.apps.gateway.keys import ring_of
    from mesure.apps.http1.dialing import Origin
    from mesure.apps.http1.forward import Forward
    from mesure.apps.http1.pool import Pool

    spool, keys = open_spool(duty.settings), ring_of(duty.settings)
    gateway = Gateway(duty.settings, spool, keys=keys, content=content_of(duty.settings))

    async def run() -> None:
        pool = Pool()
        pages = Forward(pool, Origin("", 0, path=duty.pages))
        serving = serving_of(duty.settings, gateway, pages)
        await gateway.startup()
        talk = _Talk(lambda: GatewayTotals.of(gateway, spool).to_json())
        await _serve(serving, listener, control, talk, duty.settings.server.stop_s, pages.end_streams)
        await gateway.shutdown()
        await pool.close()

    try:
        if keys is not None:
            keys.start()
        _run(run())
    finally:
        if keys is not None:
            keys.stop()
        spool.close()


def _keep_house(duty: Duty, listener: socket.socket, control: socket.socket) -> None:
    """The ledger, its committer and the pages."""
    from mesure.apps.house import House
    from mesure.apps.http1.asgi import AsgiService
    from mesure.meter.sensors import OwnMeter, best_source

    spool = open_spool(duty.settings)
    talk = _Talk(lambda: GatewayTotals(spool_written=spool.written, spool_failed=spool.failed).to_json())
    own = OwnMeter(best_source(duty.supervisor, children=True))
    server = duty.settings.server
    house = House(duty.settings, spool, lambda: talk.heard, own=own, notices=duty.notices)

    async def run() -> None:
        pages = AsgiService(house, (server.host, server.port), forwarded=True)
        body_bytes = int(duty.settings.gateway.max_body_mb * 1e6)
        await _serve(
            Serving(lambda _: pages, Limits(body_bytes=body_bytes)),
            listener,
            control,
            talk,
            server.stop_s,
            house.close_streams,
        )

    try:
        house.open()
        _run(run())
    finally:
        house.close()


def _run(main: Any) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


class _Talk(asyncio.Protocol):
    """The control socket, in lines of JSON. `heard`: the last totals that came; `totals` gives those that are said."""

    def __init__(self, totals: Callable[[], dict[str, Any]]) -> None:
        self.heard = GatewayTotals()
        self.at_end: Callable[[], None] = lambda: None
        self._totals = totals
        self._rest = b""
        self._said: dict[str, Any] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._say({"ready": True})

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines:
            self.heard = GatewayTotals.from_json(json.loads(lines[-1]))

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.at_end()

    def tell(self) -> None:
        """Say what was counted, if it changed."""
        if (now := self._totals()) != self._said:
            self._said = now
            self._say(now)

    async def keep_telling(self) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            self.tell()

    def _say(self, told: dict[str, Any]) -> None:
        if not self._transport.is_closing():
            self._transport.write(json.dumps(told).encode() + b"\n")


async def _serve(
    serving: Serving,
    listener: socket.socket,
    control: socket.socket,
    talk: _Talk,
    stop_s: float,
    at_once: Callable[[], None] = lambda: None,
) -> None:
    """Answer until SIGTERM, or until the supervisor is gone."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def end() -> None:
        stop.set()
        at_once()

    talk.at_end = end
    loop.add_signal_handler(signal.SIGTERM, end)
    running = asyncio.ensure_future(serving.run(listener, stop, stop_s))
    await asyncio.sleep(0)  # it listens
    await loop.create_unix_connection(lambda: talk, sock=control)
    telling = asyncio.ensure_future(talk.keep_telling())
    await running
    telling.cancel()
    talk.tell()


if __name__ == "__main__":
    main()
