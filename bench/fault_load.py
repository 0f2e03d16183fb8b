"""Load for the fault kit: a provider whose answers carry the question's number, and clients that remember each answer.

A client is one connection that asks again as soon as it is answered: plain or streamed in turn. What it saw of a call
is an `Answer`; nothing is asked twice, so that each response id belongs to one call.
"""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import httptools

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Answer", "Load", "Provider"]

_WORDS = 6
_MODEL = "gpt-4o-2024-11-20"
_USAGE = {"prompt_tokens": 120, "completion_tokens": _WORDS, "total_tokens": 120 + _WORDS}
_PATIENCE_S = 20.0


class Provider(asyncio.Protocol):
    """Answers within 5 to 60 ms, so that calls are in flight whenever something is killed."""

    draw = random.Random(11)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        asked, self._body = json.loads(self._body), b""
        name = asked["messages"][0]["content"]
        pieces = list(_streamed(name)) if asked.get("stream") else [_whole(name)]
        self._send(pieces, self.draw.uniform(0.005, 0.06) / len(pieces))

    def _send(self, pieces: list[bytes], pause_s: float) -> None:
        if not pieces or self._transport.is_closing():
            return
        loop = asyncio.get_running_loop()

        def first() -> None:
            if not self._transport.is_closing():
                self._transport.write(pieces[0])
                self._send(pieces[1:], pause_s)

        loop.call_later(pause_s, first)


def _whole(name: str) -> bytes:
    message = {"role": "assistant", "content": "word " * _WORDS}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    common = {"id": name, "object": "chat.completion", "created": 1, "model": _MODEL}
    body = json.dumps({**common, "choices": [choice], "usage": _USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _streamed(name: str) -> Iterator[bytes]:
    common = {"id": name, "object": "chat.completion.chunk", "created": 1, "model": _MODEL}
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    for index in range(_WORDS):
        choice = {"index": 0, "finish_reason": None, "delta": {"content": f"word{index} "}}
        yield head + _chunk({**common, "choices": [choice]})
        head = b""
    yield _chunk({**common, "choices": [], "usage": _USAGE}) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def _chunk(event: dict[str, Any]) -> bytes:
    line = b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(line), line)


@dataclass(slots=True)
class Answer:
    """What a client saw of one call. `acknowledged`: the gateway said, in a header, under which event it is kept."""

    name: str
    stream: bool
    began: float
    ended: float = 0.0
    port: int = 0  # the client's own, which tells the worker
    outcome: Literal["flying", "complete", "refused", "broken"] = "flying"
    event_id: str = ""
    recorded: bool = True


class _Connection(asyncio.Protocol):
    """Reads one answer at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.port = transport.get_extra_info("sockname")[1]
        self.closed = False
        self._done: asyncio.Future[None] | None = None

    def expect(self, answer: Answer) -> asyncio.Future[None]:
        self._answer = answer
        self._parser = httptools.HttpResponseParser(self)
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"x-mesure-event-id":
            self._answer.event_id = value.decode()
        elif name == b"x-mesure-recorded":
            self._answer.recorded = value != b"false"

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self._answer.outcome = "complete" if status == 200 else "refused"
        self._finish()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self.closed = True
        self._finish()

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


@dataclass
class Load:
    """`clients` callers at once against the gateway on `port`."""

    port: int
    clients: int
    key: str
    answers: list[Answer] = field(default_factory=list)
    flying: set[int] = field(default_factory=set)  # ports with a call in flight
    stopping: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.clients)))

    async def _client(self, number: int) -> None:
        connection: _Connection | None = None
        count = 0
        while not self.stopping:
            if connection is None or connection.closed:
                connection = await self._connected()
            count += 1
            answer = Answer(f"chatcmpl-{number:04d}-{count:012d}", count % 2 == 0, monotonic())
            await self._call(connection, answer)
            if answer.outcome != "complete":
                connection.transport.abort()
                await asyncio.sleep(0.02)
        if connection is not None:
            connection.transport.close()

    async def _connected(self) -> _Connection:
        while True:
            try:
                return (await asyncio.get_running_loop().create_connection(_Connection, "127.0.0.1", self.port))[1]
            except OSError:  # nothing is sent yet: any client tries again
                await asyncio.sleep(0.05)

    async def _call(self, connection: _Connection, answer: Answer) -> None:
        answer.port = connection.port
        self.answers.append(answer)
        self.flying.add(answer.port)
        done = connection.expect(answer)
        connection.transport.write(self._request(answer))
        with suppress(TimeoutError):
            await asyncio.wait_for(done, _PATIENCE_S)
        self.flying.discard(answer.port)
        answer.ended = monotonic()
        if answer.outcome == "flying":
            answer.outcome = "broken"

    def _request(self, answer: Answer) -> bytes:
        asked = {
            "model": "gpt-4o",
            "messages": [{"role": "user", "content": answer.name}],
            "stream": answer.stream,
        }
        body = json.dumps(asked).encode()
        return (
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            b"authorization: Bearer %b\r\ncontent-length: %d\r\n\r\n%b" % (self.key.encode(), len(body), body)
        )
