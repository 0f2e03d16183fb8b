"""Connections kept for the next request, and when a request may be sent again."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from mesure.apps.http1.deadlines import Deadlines
from mesure.apps.http1.dialing import Dialler, Origin
from mesure.apps.http1.outgoing import DISCONNECTED, BrokenOff, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.apps.http1.outgoing import Waits

__all__ = ["Pool"]

_IDLE_S = 15.0
_MOST_IDLE = 512
#: RFC 9110, 9.2.2.
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class Pool:
    """Connections by origin; any number at once, the last used first.

    A request is sent a second time in one case alone: the connection had been idle, the server closed it without a byte
    of an answer, and either none of the request had reached it, or doing it twice is doing it once.
    """

    def __init__(self, *, idle_s: float = _IDLE_S) -> None:
        self.dialler = Dialler()
        self.repeated = 0
        self._idle_s = idle_s
        self._deadlines: Deadlines[Outgoing] = Deadlines()
        self._idle: dict[Origin, dict[Outgoing, None]] = {}
        self._origins: dict[Outgoing, Origin] = {}
        self.now: Callable[[], float] = lambda: self._deadlines.now

    def start(self) -> None:
        """On the running loop; called by the first request too."""
        self._deadlines.start()

    async def close(self) -> None:
        """Cut every connection."""
        self._deadlines.stop()
        await self._deadlines.cut()

    async def request(self, origin: Origin, method: str, head: bytes, body: bytes, waits: Waits) -> Outgoing:
        """Send a request; returns once the answer's head is there.

        Raises `BrokenOff`, `Unreachable`, and `TimeoutError` when no connection could be opened in time.
        """
        self._deadlines.start()
        ask = functools.partial(_ask, head=head, body=body, skips_body=method == "HEAD", waits=waits)
        if (connection := self._take(origin)) is not None:
            try:
                return await ask(connection)
            except BrokenOff as broken:
                if not _may_repeat(connection, broken, method):
                    raise
            self.repeated += 1
        connection = await self.dialler.dial(origin, lambda: Outgoing(self), waits.connect_s)
        self._origins[connection] = origin
        return await ask(connection)

    async def switched(self, origin: Origin, head: bytes, waits: Waits) -> Outgoing:
        """Ask for WebSocket on a connection of its own; `raw` tells whether the server agreed. Raises as `request`."""
        self._deadlines.start()
        connection = await self.dialler.dial(origin, lambda: Outgoing(self), waits.connect_s)
        self._origins[connection] = origin
        connection.may_switch = True
        return await _ask(connection, head, b"", skips_body=False, waits=waits)

    def _take(self, origin: Origin) -> Outgoing | None:
        idle = self._idle.get(origin)
        while idle:
            connection, _ = idle.popitem()
            if connection.usable and connection.silent():
                return connection
            connection.abort()
        return None

    # --- told by connections ---

    def opened(self, connection: Outgoing) -> None:
        self._deadlines.watch(connection)

    def lost(self, connection: Outgoing) -> None:
        self._deadlines.watched.discard(connection)
        origin = self._origins.pop(connection, None)
        if origin is not None and (idle := self._idle.get(origin)) is not None:
            idle.pop(connection, None)

    def keep(self, connection: Outgoing) -> None:
        origin = self._origins[connection]
        idle = self._idle.setdefault(origin, {})
        if len(idle) >= _MOST_IDLE:
            connection.abort()
            return
        connection.deadline = self._deadlines.now + self._idle_s
        idle[connection] = None


def _may_repeat(connection: Outgoing, broken: BrokenOff, method: str) -> bool:
    dropped = broken.reason == DISCONNECTED and connection.calls > 1 and not connection.heard
    return dropped and (connection.untouched or method in _IDEMPOTENT)


async def _ask(connection: Outgoing, head: bytes, body: bytes, *, skips_body: bool, waits: Waits) -> Outgoing:
    connection.send(head, body, skips_body=skips_body, waits=waits)
    try:
        await connection.answered()
    except BaseException:
        connection.abort()
        raise
    return connection
