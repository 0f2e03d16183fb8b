"""The two ends of the gateway's bench: a provider that answers from memory, and a client that measures.

Both read only what they need of HTTP, so that as little as possible of a figure is theirs.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import uvloop

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["EVENTS", "LATE_S", "Request", "Timing", "added", "drive", "drive_at", "provide"]

EVENTS = 20
#: Between the first event and the others of a "late" stream.
LATE_S = 0.02
_MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where is my parcel? " * 20}]
_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 40,
    "total_tokens": 160,
    "prompt_tokens_details": {"cached_tokens": 0},
}


_ID = b"0123456789abcdef0123456789abcdef"


def _answers() -> tuple[bytes, list[bytes]]:
    """(whole JSON answer, stream as head and chunks), as the bytes of HTTP."""
    common = {"id": f"chatcmpl-{_ID.decode()}", "created": 1, "model": "gpt-4o-2024-11-20"}
    message = {"role": "assistant", "content": "x" * 160}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = json.dumps({**common, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    events: list[dict[str, Any]] = []
    for index in range(EVENTS - 2):
        delta = {"index": 0, "finish_reason": None, "delta": {"content": f"word{index} "}}
        events.append({**common, "object": "chat.completion.chunk", "choices": [delta], "usage": None})
    events.append({**common, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    lines = [b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n" for event in events]
    chunks = [b"%x\r\n%b\r\n" % (len(line), line) for line in (*lines, b"data: [DONE]\n\n")]
    chunks[-1] += b"0\r\n\r\n"
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return whole, [head + chunks[0], *chunks[1:]]


def _length(head: bytes) -> int:
    at = head.lower().find(b"\r\ncontent-length:")
    return int(head[at + 17 : head.find(b"\r\n", at + 17)]) if at >= 0 else 0


class _Provider(asyncio.Protocol):
    """The request's `user` chooses how a stream comes: at once, event by event ("apart"), or the first before the
    others ("late")."""

    whole, chunks = _answers()
    at_once = b"".join(chunks)
    answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n") + 4) > 3:
            end += _length(self._received[: end - 2])
            if len(self._received) < end:
                return
            request, self._received = self._received[:end], self._received[end:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        _Provider.answered += 1
        number = b"%032d" % _Provider.answered  # each answer has an id of its own
        if b'"stream":true' not in request and b'"stream": true' not in request:
            self._transport.write(self.whole.replace(_ID, number))
        elif b'"apart"' in request:
            self._apart(number, 0)
        elif b'"late"' in request:
            first, rest = self.chunks[0].replace(_ID, number), b"".join(self.chunks[1:]).replace(_ID, number)
            self._transport.write(first)
            asyncio.get_running_loop().call_later(LATE_S, self._transport.write, rest)
        else:
            self._transport.write(self.at_once.replace(_ID, number))

    def _apart(self, number: bytes, place: int) -> None:
        if not self._transport.is_closing():
            self._transport.write(self.chunks[place].replace(_ID, number))
            if place + 1 < len(self.chunks):
                asyncio.get_running_loop().call_later(0.0005, self._apart, number, place + 1)


def provide(pipe: Connection) -> None:
    """Serve; the port goes through `pipe`."""

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Provider, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: `stream` None, "at once", "apart" or "late"."""

    path: str = "/v1/chat/completions"
    headers: tuple[str, ...] = ()
    stream: str | None = None

    def encoded(self) -> bytes:
        asked: dict[str, Any] = {"model": "gpt-4o", "messages": _MESSAGES}
        if self.stream is not None:
            asked |= {"stream": True, "user": self.stream}
        body = json.dumps(asked, separators=(",", ":")).encode()
        lines = [
            f"POST {self.path} HTTP/1.1",
            "host: localhost",
            "content-type: application/json",
            "user-agent: bench",
            *(self.headers or ("authorization: Bearer sk-x",)),
            f"content-length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Client(asyncio.Protocol):
    """One connection: sends a request, waits for its whole answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._received = b""
        self._end = -1
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.first = 0.0

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        if self._end < 0:
            head = received.find(b"\r\n\r\n") + 4
            if head < 4:
                return
            if not received.startswith(b"HTTP/1.1 200"):
                self._done.set_exception(RuntimeError(received[:2000].decode("latin-1")))
                return
            chunked = b"chunked" in received[:head].lower()
            self._end = 0 if chunked else head + _length(received[: head - 2])
        if not self.first and b"data:" in received:
            self.first = perf_counter()
        if received.endswith(b"0\r\n\r\n") if self._end == 0 else len(received) >= self._end:
            self._done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("closed"))

    async def call(self, request: bytes) -> float:
        """Seconds to the first event, or to the end where there is none."""
        self._received, self._end, self.first = b"", -1, 0.0
        self._done = asyncio.get_running_loop().create_future()
        began = perf_counter()
        self._transport.write(request)
        await self._done
        return (self.first or perf_counter()) - began


class Timing:
    """Of many calls; milliseconds."""

    def __init__(self, seconds: list[float]) -> None:
        self._sorted = sorted(seconds)

    def at(self, share: float) -> float:
        return self._sorted[min(int(len(self._sorted) * share), len(self._sorted) - 1)] * 1e3


async def _connect(port: int, count: int) -> list[_Client]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(_Client, "127.0.0.1", port))[1] for _ in range(count)]


def drive(port: int, request: Request, calls: int, concurrency: int) -> float:
    """Calls a second, of as many callers at once as `concurrency`."""

    async def run() -> float:
        data = request.encoded()
        clients = await _connect(port, concurrency)
        each = max(calls // concurrency, 1)

        async def one(client: _Client) -> None:
            for _ in range(each):
                await client.call(data)

        began = perf_counter()
        await asyncio.gather(*map(one, clients))
        return each * concurrency / (perf_counter() - began)

    return float(uvloop.run(run()))


def drive_at(port: int, request: Request, rate: float, seconds: float) -> Timing:
    """Calls begun at fixed times, whatever the answers do; each is timed from when it was due."""

    async def run() -> Timing:
        data, loop = request.encoded(), asyncio.get_running_loop()
        idle = await _connect(port, 32)
        times: list[float] = []
        tasks: set[asyncio.Task[None]] = set()

        async def one(due: float) -> None:
            client = idle.pop() if idle else (await _connect(port, 1))[0]
            late = perf_counter() - due
            times.append(await client.call(data) + late)
            idle.append(client)

        began = perf_counter() + 0.05
        for index in range(int(rate * seconds)):
            due = began + index / rate
            if (wait := due - perf_counter()) > 0:
                await asyncio.sleep(wait)
            task = loop.create_task(one(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        while tasks:
            await asyncio.gather(*tasks)
        return Timing(times)

    return uvloop.run(run())


def added(through: list[Timing], direct: list[Timing], share: float) -> float:
    """Milliseconds that a percentile grew by, between the quickest rounds of each."""
    return min(one.at(share) for one in through) - min(one.at(share) for one in direct)
