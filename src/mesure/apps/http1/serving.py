"""What all connections of a server share: who answers what, limits, deadlines, and the graceful stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.apps.http1.connection import Connection
from mesure.apps.http1.deadlines import Deadlines

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from mesure.apps.http1.exchange import Service

__all__ = ["Limits", "Serving"]

_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one client's connection."""

    body_bytes: int = 64_000_000
    head_bytes: int = 64 << 10
    head_s: float = 20.0  # from the first byte of a head to its last
    body_s: float = 60.0  # between two pieces of a body
    idle_s: float = 75.0  # between two requests
    write_s: float = 600.0  # for a client to read more of what is written to it
    linger_s: float = 5.0  # reading on after a refusal, so that it arrives


class Serving:
    """A protocol factory for `loop.create_server`.

    `service_of` gives what answers a target; `refused` counts refusals by code.
    """

    def __init__(
        self,
        service_of: Callable[[bytes], Service],
        limits: Limits | None = None,
        refused: Counter[str] | None = None,
    ) -> None:
        self.service_of = service_of
        self.limits = limits or Limits()
        self.refused: Counter[str] = Counter() if refused is None else refused
        self.deadlines: Deadlines[Connection] = Deadlines()
        self.stopping = False
        self.patient = True  # a stop waits for requests in flight
        self._leaving: set[asyncio.Task[None]] = set()

    def __call__(self) -> Connection:
        self.deadlines.start()
        return Connection(self)

    @property
    def connections(self) -> set[Connection]:
        """Those that are open."""
        return self.deadlines.watched

    def within(self, seconds: float) -> float:
        """The deadline so many seconds from now."""
        return self.deadlines.now + seconds

    async def run(self, listener: socket.socket, stop: asyncio.Event, grace_s: float) -> None:
        """Answer on a listening socket until `stop` is set; then as `stop` does."""
        server = await asyncio.get_running_loop().create_server(self, sock=listener, backlog=_BACKLOG)
        await stop.wait()
        server.close()
        await self.stop(grace_s)

    def leave(self, task: asyncio.Task[None] | None) -> None:
        """A task whose client is gone: it is waited for at the stop."""
        if task is not None:
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def stop(self, grace_s: float) -> None:
        """Let the requests in flight end, then cancel those that did not."""
        self.stopping = True
        for connection in list(self.connections):
            connection.stop()
        loop = asyncio.get_running_loop()
        end = loop.time() + grace_s
        while self.connections and self.patient and loop.time() < end:  # noqa: ASYNC110  (no event tells that the last one is gone)
            await asyncio.sleep(0.02)
        tasks = self._leaving | {connection.task for connection in self.connections if connection.task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        await self.deadlines.cut()
        self.deadlines.stop()
