"""Deadlines of many connections, looked at four times a second: setting one costs nothing."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar

__all__ = ["Deadlines"]

_EVERY_S = 0.25
#: Of the loop, for transports to close; one or two do.
_TURNS = 100


class _Expiring(Protocol):
    deadline: float  # of the loop's clock

    def expire(self) -> None: ...

    def abort(self) -> None: ...


T = TypeVar("T", bound=_Expiring)


class Deadlines(Generic[T]):
    """Connections that are open. `now` is the loop's time, to a quarter of a second."""

    def __init__(self) -> None:
        self.watched: set[T] = set()
        self.now = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, connection: T) -> None:
        self.watched.add(connection)

    def start(self) -> None:
        """Begin, on the running loop; nothing when it runs already."""
        if self._timer is None:
            self._sweep()

    async def cut(self) -> None:
        """Close every connection at once; returns when their transports are gone."""
        for connection in list(self.watched):
            connection.abort()
        for _ in range(_TURNS):
            if not self.watched:
                return
            await asyncio.sleep(0)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.now = now = loop.time()
        for connection in [known for known in self.watched if known.deadline < now]:
            connection.expire()
        self._timer = loop.call_later(_EVERY_S, self._sweep)
