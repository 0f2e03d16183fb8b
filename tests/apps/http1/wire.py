"""A transport in memory, on which protocols are driven byte by byte; and a service that tells what it was asked."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from typing import TYPE_CHECKING, Any

from mesure.apps.http1.connection import Connection
from mesure.apps.http1.serving import Limits, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mesure.apps.http1.exchange import Exchange


class Wire(asyncio.Transport):
    """Keeps what is written. `full` makes it ask its protocol to pause, as a peer does that does not read."""

    def __init__(self, protocol: Any) -> None:
        super().__init__()
        self.protocol = protocol
        self.written = b""
        self.writes = 0
        self.closed = self.aborted = self.ended = self.full = False
        self.reading = True
        self.lost = False

    def connect(self) -> Wire:
        self.protocol.connection_made(self)
        return self

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 4) if name == "peername" else default

    def write(self, data: Any) -> None:
        assert not self.closed
        assert not self.ended
        self.written += data
        self.writes += 1
        if self.full:
            self.protocol.pause_writing()

    def writelines(self, pieces: Any) -> None:
        self.write(b"".join(pieces))

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self._lose, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self.lost:
            self.lost = True
            self.protocol.connection_lost(error)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_write_buffer_size(self) -> int:
        return 100 if self.full else 0

    # --- what the other side does ---

    def receive(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.closed and piece:
                self.protocol.data_received(piece)

    def receive_end(self) -> None:
        if not self.protocol.eof_received():
            self.close()

    def break_off(self) -> None:
        self.closed = True
        self._lose(ConnectionResetError())

    def drain(self) -> None:
        self.full = False
        self.protocol.resume_writing()


class Echo:
    """Answers with what it was asked; `seen` are the targets it answered, in order."""

    def __init__(self, answer: Callable[[Exchange], Coroutine[Any, Any, None]] | None = None) -> None:
        self.seen: list[bytes] = []
        self.bodies: list[bytes] = []
        self.left: list[bytes] = []
        self.exchanges: list[Exchange] = []
        self._answer = answer

    def admit(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def abandoned(self, exchange: Exchange) -> None:
        self.left.append(exchange.target)

    async def answer(self, exchange: Exchange) -> None:
        self.seen.append(exchange.target)
        self.bodies.append(exchange.body)
        if self._answer is not None:
            await self._answer(exchange)
            return
        told = {"method": exchange.method, "target": exchange.target.decode(), "body": exchange.body.decode("latin-1")}
        exchange.respond(200, [(b"content-type", b"application/json")], json.dumps(told).encode())


def talk(service: Any, *pieces: bytes, limits: Limits | None = None, end: bool = False) -> Wire:
    """What a connection did once all `pieces` were received and every task had its turns."""

    async def run() -> Wire:
        serving = Serving(lambda _: service, limits or Limits())
        wire = Wire(Connection(serving)).connect()
        for piece in pieces:
            wire.receive(piece)
            await turns()
        if end:
            wire.receive_end()
        await turns()
        return wire

    return asyncio.run(run())


async def turns(count: int = 12) -> None:
    """Let everything that is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


def statuses(written: bytes) -> list[int]:
    """Of every answer in what was written: bodies are JSON objects here."""
    return [int(found) for found in re.findall(rb"(?:^|\}|\r\n\r\n)HTTP/1\.1 (\d{3}) ", written)]


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Let the loop run until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, cut at those places (modulo its length)."""
    bounds = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[low:high] for low, high in itertools.pairwise(bounds)]
