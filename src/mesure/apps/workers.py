"""A server of several processes: workers that relay calls, one that holds the ledger and the pages, and this one.

This one relays and stores nothing. It holds the listening sockets, so that connections which wait on one outlast the
process that would have taken them, starts again what ends, and adds up what the workers counted.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.listening import BACKLOG, address_of, bind_for
from mesure.apps.totals import GatewayTotals
from mesure.errors import MesureError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mesure.config import Settings

__all__ = ["Duty", "serve_with_workers"]

log = logging.getLogger("mesure")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 10.0
#: A process that ran this long is started again at once when it ends.
_SOUND_AFTER_S = 10.0
#: For a worker to end once its calls have.
_MARGIN_S = 2.0
#: For the ledger's process to commit what the spool holds.
_DRAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Duty:
    """What a process is to do. Descriptors are inherited; `pages` is the path of the pages' socket."""

    role: str  # "gateway" or "house"
    settings: Settings
    catalogue_file: str  # of the user's own factors, empty without
    listener: int
    pages: str
    supervisor: int  # process id
    notices: tuple[str, ...] = ()
    control: int = -1


def serve_with_workers(
    settings: Settings,
    count: int,
    *,
    catalogue_file: Path | None = None,
    notices: Sequence[str] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """As `server.serve`, with `count` processes that relay calls, and one more for the ledger and the pages.

    Raises `MesureError` with the code of what kept a process from starting the first time.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mesure-")))
        own = shutil.copy(catalogue_file, folder) if catalogue_file else ""  # the same for each, whenever it starts
        listeners = [stack.enter_context(listener) for listener in _bind_all(settings, count)]
        pages = stack.enter_context(socket.socket(socket.AF_UNIX))
        pages.bind(str(folder / "pages"))
        pages.listen(BACKLOG)
        duty = Duty("gateway", settings, str(own), -1, str(folder / "pages"), os.getpid(), tuple(notices))
        house = _Child("pages", replace(duty, role="house", listener=pages.fileno()))
        workers = [
            _Child(f"worker {place + 1}", replace(duty, listener=listener.fileno()))
            for place, listener in enumerate(listeners)
        ]
        asyncio.run(_Supervisor(house, workers, settings.server.stop_s).run(on_ready, address_of(listeners[0])))


def _bind_all(settings: Settings, count: int) -> list[socket.socket]:
    """One socket for each worker on the same address: the system spreads connections over them (SO_REUSEPORT)."""
    with bind_for(settings) as probe:  # alone: another server must not share the port unseen
        family, address = probe.family, probe.getsockname()
    return [socket.create_server(address[:2], family=family, backlog=BACKLOG, reuse_port=True) for _ in range(count)]


class _Child:
    """A process and its control socket. `totals` is what it last said it counted."""

    def __init__(self, name: str, duty: Duty) -> None:
        self.name = name
        self.totals = GatewayTotals()
        self.ready = asyncio.Event()
        self.error: dict[str, Any] | None = None
        self._duty = duty
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, on_totals: Callable[[], None]) -> int:
        """Start it; returns its exit status once it ended, negative for a signal."""
        self.ready.clear()
        self.error = None
        ours, theirs = socket.socketpair()
        with theirs:
            duty = replace(self._duty, control=theirs.fileno())
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mesure.apps.worker"),
                stdin=subprocess.PIPE,
                pass_fds=(duty.listener, duty.control),
                start_new_session=True,  # Ctrl-C is this process' to pass on
            )
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        self._writer = writer
        with suppress(ConnectionError):
            await self._give(process, duty)
            async for line in reader:
                self._hear(json.loads(line), on_totals)
        status = await process.wait()
        self._writer = None
        writer.close()
        return status

    @staticmethod
    async def _give(process: asyncio.subprocess.Process, duty: Duty) -> None:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(duty))
        await process.stdin.drain()
        process.stdin.close()

    def _hear(self, told: dict[str, Any], on_totals: Callable[[], None]) -> None:
        if "ready" in told:
            self.ready.set()
        elif "error" in told:
            self.error = told["error"]
        else:
            self.totals = GatewayTotals.from_json(told)
        on_totals()

    def say(self, told: GatewayTotals) -> None:
        if self._writer is not None and self.ready.is_set():
            self._writer.write(json.dumps(told.to_json()).encode() + b"\n")

    def signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


class _Supervisor:
    """Starts the processes, starts them again, and stops the ones that relay before the one that stores."""

    def __init__(self, house: _Child, workers: Sequence[_Child], stop_s: float) -> None:
        self._stop_s = stop_s
        self._house = house
        self._workers = workers
        self._gone = GatewayTotals()  # counted by processes that ended
        self._stopping = asyncio.Event()

    async def run(self, on_ready: Callable[[str], None] | None, address: str) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._told, number)
        kept: dict[asyncio.Task[None], _Child] = {}
        try:
            for group in ([self._house], self._workers):
                started = {asyncio.ensure_future(self._keep(child)): child for child in group}
                kept |= started
                await asyncio.gather(*(self._first_start(task, child) for task, child in started.items()))
            if on_ready is not None and not self._stopping.is_set():
                on_ready(address)
            await self._stopping.wait()
        finally:
            self._stopping.set()
            of_house = [task for task, child in kept.items() if child is self._house]
            await self._end(self._workers, [task for task in kept if task not in of_house], self._stop_s + _MARGIN_S)
            await self._end([self._house], of_house, _DRAIN_S)

    def _told(self, number: int) -> None:
        """A second SIGINT waits for no call in flight."""
        if self._stopping.is_set() and number == signal.SIGINT:
            for worker in self._workers:
                worker.signal(signal.SIGKILL)
        self._stopping.set()

    async def _first_start(self, kept: asyncio.Task[None], child: _Child) -> None:
        """Return once it answers. Raises what kept it from starting."""
        ready, stopping = (asyncio.ensure_future(event.wait()) for event in (child.ready, self._stopping))
        await asyncio.wait([kept, ready, stopping], return_when=asyncio.FIRST_COMPLETED)
        for waiting in (ready, stopping):
            waiting.cancel()
        if kept.done():
            kept.result()

    async def _keep(self, child: _Child) -> None:
        """Keep it running until the stop. Raises when it cannot be started the first time."""
        pause_s, began = _FIRST_PAUSE_S, False
        while not self._stopping.is_set():
            at = asyncio.get_running_loop().time()
            status = await child.run(self._tell)
            self._gone += child.totals.ended()
            child.totals = GatewayTotals()
            self._tell()
            began = began or child.ready.is_set()
            if self._stopping.is_set():
                return
            if not began:
                raise _error_of(child, status)
            sound = asyncio.get_running_loop().time() - at > _SOUND_AFTER_S
            pause_s = _FIRST_PAUSE_S if sound else min(2.0 * pause_s, _LONGEST_PAUSE_S)
            log.warning("%s ended (%s): it is started again.", child.name.capitalize(), _told_of(child, status))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    def _tell(self) -> None:
        """The process that serves the metrics hears what all of them counted."""
        total = self._gone
        for child in (self._house, *self._workers):
            total = total + child.totals
        self._house.say(total)

    async def _end(self, children: Sequence[_Child], tasks: Sequence[asyncio.Task[None]], patience_s: float) -> None:
        for number, seconds in ((signal.SIGTERM, patience_s), (signal.SIGKILL, None)):
            if not all(task.done() for task in tasks):
                for child in children:
                    child.signal(number)
                await asyncio.wait(tasks, timeout=seconds)


def _told_of(child: _Child, status: int) -> str:
    if child.error is not None:
        return str(child.error["what"])
    return f"signal {-status}" if status < 0 else f"status {status}"


def _error_of(child: _Child, status: int) -> MesureError:
    """What a process said that kept it from starting."""
    if child.error is None:
        return MesureError(
            "A process of the server could not be started",
            value=f"{child.name}: {_told_of(child, status)}",
            action="Look at what it wrote above this line",
            code="worker_failed",
        )
    told = child.error
    return MesureError(
        told["what"], value=told["value"], action=told["action"], code=told["code"], nearest=tuple(told["nearest"])
    )
