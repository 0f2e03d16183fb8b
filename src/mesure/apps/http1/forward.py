"""A service that lives in another process: requests go there as they came, and their answers come back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mesure.apps.http1.asgi import PEER
from mesure.apps.http1.dialing import Unreachable
from mesure.apps.http1.outgoing import BrokenOff, Waits
from mesure.apps.http1.refusal import Refusal

if TYPE_CHECKING:
    from mesure.apps.http1.dialing import Origin
    from mesure.apps.http1.exchange import Exchange, Pairs
    from mesure.apps.http1.outgoing import Outgoing
    from mesure.apps.http1.pool import Pool

__all__ = ["Forward"]

#: A client that names a peer of its own is not believed either.
_NOT_PASSED = (b"connection", b"keep-alive", b"transfer-encoding", b"content-length", b"upgrade", b"expect", PEER)


class Forward:
    """Implements `Service`."""

    def __init__(self, pool: Pool, origin: Origin) -> None:
        self._pool = pool
        self._origin = origin
        self._streams: set[Exchange] = set()

    def admit(self, exchange: Exchange) -> None:
        """Every request is taken: the other process refuses what it does not serve."""

    def abandoned(self, exchange: Exchange) -> None:
        """Nothing was begun."""

    async def answer(self, exchange: Exchange) -> None:
        if (task := asyncio.current_task()) is not None:
            exchange.on_left = task.cancel
        try:
            connection = await self._pool.request(
                self._origin, exchange.method, _head(exchange), exchange.body, Waits()
            )
        except (BrokenOff, Unreachable, TimeoutError):
            raise _restarting() from None
        try:
            await self._pass(connection, exchange)
        except BrokenOff:
            exchange.cut()
        finally:
            connection.release()

    def end_streams(self) -> None:
        """Cut answers without an announced end: they would outlast a stop."""
        for exchange in list(self._streams):
            if exchange.on_left is not None:
                exchange.on_left()

    async def _pass(self, connection: Outgoing, exchange: Exchange) -> None:
        length = next((int(value) for name, value in connection.headers if name == b"content-length"), None)
        exchange.start(connection.status, _kept(connection.headers), length)
        if length is None:
            self._streams.add(exchange)
        try:
            while piece := await connection.next_piece():
                await exchange.send(piece)
        finally:
            self._streams.discard(exchange)
        exchange.end()


def _head(exchange: Exchange) -> bytes:
    parts = [exchange.method.encode("ascii"), b" ", exchange.target, b" HTTP/1.1\r\n"]
    ours = [(b"content-length", b"%d" % len(exchange.body))]
    if exchange.client is not None:
        host, port = exchange.client[:2]
        ours.append((PEER, b"%d %b" % (port, host.encode("ascii"))))
    for name, value in (*_kept(exchange.headers), *ours):
        parts += (name, b": ", value, b"\r\n")
    return b"".join([*parts, b"\r\n"])


def _kept(headers: Pairs) -> Pairs:
    return [pair for pair in headers if pair[0] not in _NOT_PASSED]


def _restarting() -> Refusal:
    return Refusal(
        503,
        "pages_restarting",
        "The process that serves the pages is being started again",
        action="Try again in a few seconds; AI calls are relayed and recorded meanwhile",
    )
