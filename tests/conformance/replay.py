"""Exchanges written for this project after providers' public references, and the server that replays them."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from provider_double import Close, Seen, Writer, read_http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Where each wire's paths begin, after the provider's address, as its client library expects it.
PREFIXES = {
    "openai": "/v1",
    "azure": "",
    "anthropic": "",
    "gemini": "",
    "mistral": "",
    "cohere": "",
    "huggingface": "",
    "tgi": "",
    "ollama": "",
    "llama.cpp": "",
    "vllm": "/v1",
}
EVENTS = "text/event-stream"
KEY = "key-0123456789abcdef"


@dataclass(frozen=True)
class Exchange:
    """One call and its answer.

    `call` makes it with the provider's own client library at an address, and returns what that parsed. `answer` is a
    JSON value, or bytes; a tuple of bytes is sent piece by piece. `booked` are the fields that the event must have:
    every count that it does not name must be unknown. None: no event.
    """

    name: str
    wire: str
    source: tuple[str, str]  # address of the reference, and the day it was read
    path: str  # as the provider sees it
    call: Callable[[str], Any]
    answer: Any
    booked: dict[str, Any] | None
    status: int = 200
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"
    broken: bool = False  # the connection is closed before the answer's end
    unasked: tuple[bytes, ...] | None = None  # the stream of a client that does not ask for usage

    @property
    def streamed(self) -> bool:
        return isinstance(self.answer, tuple)

    def pieces(self, request: Seen) -> list[bytes]:
        if self.unasked is not None and b'"include_usage":true' not in request.body.replace(b" ", b""):
            return list(self.unasked)
        if isinstance(self.answer, tuple):
            return list(self.answer)
        return [self.answer if isinstance(self.answer, bytes) else encoded(self.answer)]


def encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse(values: Iterable[Any], *, named: bool = False, done: bool = False) -> tuple[bytes, ...]:
    """Server-sent events; `named`: each tells its `type` in a line of its own; `done`: `[DONE]` ends them."""
    events = [
        (f"event: {value['type']}\n".encode() if named else b"") + b"data: " + encoded(value) + b"\n\n"
        for value in values
    ]
    return (*events, b"data: [DONE]\n\n") if done else tuple(events)


def lines(values: Iterable[Any]) -> tuple[bytes, ...]:
    """JSON lines."""
    return tuple(encoded(value) + b"\n" for value in values)


def first(pieces: tuple[bytes, ...], count: int) -> tuple[bytes, ...]:
    """A stream that breaks off."""
    return pieces[:count]


class Replay:
    """Answers the exchange it was told to play, on any connection. `cut` is the size of pieces; 0: as they are."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.port = 0
        #: Set: a stream goes on after its first piece.
        self.goes_on = threading.Event()
        self.goes_on.set()
        self._exchange: Exchange | None = None
        self._cut = 0

    def __enter__(self) -> Replay:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def play(self, exchange: Exchange, cut: int = 0) -> None:
        self._exchange, self._cut = exchange, cut
        self.seen.clear()

    def address(self, wire: str) -> str:
        return f"http://127.0.0.1:{self.port}{PREFIXES[wire]}"

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._connection(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 24)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await read_http(reader):
                self.seen.append(request)
                await self._answer(request, Writer(writer, reader, request.method))
        except (ConnectionError, asyncio.IncompleteReadError, Close):
            pass
        finally:
            writer.close()

    async def _answer(self, request: Seen, out: Writer) -> None:
        exchange = self._exchange
        assert exchange is not None
        if (request.method, request.path) != (exchange.method, exchange.path):
            await out.json(404, {"error": {"message": f"expected {exchange.path}, got {request.path}"}})
            return
        headers = {"content-type": exchange.media_type, **exchange.headers}
        pieces = exchange.pieces(request)
        if self._cut:
            whole = b"".join(pieces)
            pieces = [whole[at : at + self._cut] for at in range(0, len(whole), self._cut)]
        if not exchange.streamed:
            whole = b"".join(pieces)
            length = len(whole) + (1000 if exchange.broken else 0)
            await out.raw(exchange.status, whole, {**headers, "content-length": str(length)})
        else:
            await out.head(exchange.status, {**headers, "transfer-encoding": "chunked"})
            for piece in pieces:
                await out.chunk(piece)
                if not self.goes_on.is_set():
                    await asyncio.to_thread(self.goes_on.wait, 10)
            if not exchange.broken:
                await out.end_stream()
        if exchange.broken:
            raise Close
