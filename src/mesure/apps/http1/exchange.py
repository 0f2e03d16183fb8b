"""One request received whole, and the writing of its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from mesure.apps.http1.refusal import Refusal, refusal_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.apps.http1.connection import Connection
    from mesure.apps.http1.reading import Head

__all__ = ["Exchange", "Pairs", "Service"]

Pairs = list[tuple[bytes, bytes]]

_NO_BODY = (204, 304)


def _status_line(status: int) -> bytes:
    try:
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()
    except ValueError:
        return f"HTTP/1.1 {status} \r\n".encode()


_STATUS_LINES = {status: _status_line(status) for status in range(100, 1000)}


class Service(Protocol):
    """What answers a kind of request."""

    def admit(self, exchange: Exchange) -> None:
        """Look at the head, before the body is read. Raises `Refusal`."""
        ...

    async def answer(self, exchange: Exchange) -> None:
        """Answer a complete request. Raises `Refusal` when no answer was begun."""
        ...

    def abandoned(self, exchange: Exchange) -> None:
        """The client left before its request was complete, or before its turn came."""
        ...


class Exchange:
    """A request, and its answer: `respond`, or `start`, `send`... and `end`.

    `target` is path and query as they came; `headers` are lower-case names and values in order; `admitted` is whatever
    the service makes of the head. `left` tells that the client is gone, which also calls `on_left`, once; what is
    written after that goes nowhere. An answer that is begun and not ended cuts the connection: a break, not an end.

    `websocket`: the client asks for it; it is refused unless the service's `admit` sets `switches`. After `switch`,
    bytes go both ways: `send` to the client, and what it sends to `taker`, held back by `hold`.
    """

    __slots__ = (
        "_announced",
        "_bodiless",
        "_chunked",
        "_connection",
        "_old",
        "admitted",
        "body",
        "complete",
        "done",
        "expects_continue",
        "headers",
        "keep_alive",
        "left",
        "method",
        "on_left",
        "refusal",
        "service",
        "started",
        "switches",
        "target",
        "websocket",
    )

    def __init__(self, connection: Connection, head: Head) -> None:
        self._connection = connection
        self._old = head.old  # no chunks for HTTP/1.0
        self.method = head.method
        self.target = head.target
        self.headers = head.headers
        self.keep_alive = head.keep_alive and not head.old
        self.expects_continue = head.expects_continue
        self.body = b""
        self.complete = False
        self.refusal: Refusal | None = None
        self.service: Service | None = None
        self.admitted: Any = None
        self.left = False
        self.on_left: Callable[[], object] | None = None
        self.started = self.done = False
        self.websocket = head.websocket
        self.switches = False
        self._bodiless = self._chunked = False
        self._announced: int | None = None

    @property
    def client(self) -> tuple[str, int] | None:
        return self._connection.client

    def respond(self, status: int, headers: Pairs, body: bytes, length: int | None = None) -> None:
        """The whole answer at once. `length` where it differs from the body's: that of an answer to HEAD."""
        self._connection.write(self._head(status, headers, len(body) if length is None else length), last=True)
        if body and not self._bodiless:
            self._connection.write(body, last=True)
        self._finish()

    def start(self, status: int, headers: Pairs, length: int | None) -> None:
        """Status and headers; `length` None when it is not known: the body then goes in chunks."""
        head = self._head(status, headers, length)
        self._announced = length
        self._connection.write(head)

    def switch(self, headers: Pairs, taker: Callable[[bytes], object]) -> None:
        """Speak WebSocket from here on; `taker` gets what the client sends, beginning with what it sent already."""
        self.started = True
        parts = [_STATUS_LINES[101], b"connection: Upgrade\r\nupgrade: websocket\r\n"]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        self._connection.write(b"".join([*parts, b"\r\n"]), last=True)
        self._connection.switch(taker)

    def hold(self, *, held: bool) -> None:
        """After `switch`: whether the client is not to be read for now."""
        self._connection.hold(held=held)

    async def send(self, piece: bytes) -> None:
        """A piece of the body, once the client has read enough of those before it."""
        self._write_body(piece)
        if self._connection.stalled is not None:
            await self._connection.stalled

    def end(self, piece: bytes = b"") -> None:
        """The last piece. Fewer bytes than announced cut the connection instead."""
        self._write_body(piece, last=True)
        if self._announced and not self._bodiless:
            self.cut()
        else:
            self._finish()

    def cut(self) -> None:
        """Close the connection after what was written, so that the client sees the answer broken off."""
        if not self.done:
            self.keep_alive = False
            self._finish()

    def refuse(self, refusal: Refusal) -> None:
        """The answer of this server itself; the body of the request may not have been read."""
        headers, body = refusal_answer(refusal)
        if not self.complete:
            self.keep_alive = False
        self.respond(refusal.status, headers, body)

    def _head(self, status: int, headers: Pairs, length: int | None) -> bytes:
        self.started = True
        self._bodiless = self.method == "HEAD" or status in _NO_BODY
        parts = [_STATUS_LINES[status]]
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        if length is not None:
            if status != HTTPStatus.NO_CONTENT:
                parts.append(b"content-length: %d\r\n" % length)
        elif not self._bodiless:
            if self._old:
                self.keep_alive = False
            else:
                self._chunked = True
                parts.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)

    def _write_body(self, piece: bytes, *, last: bool = False) -> None:
        if self._bodiless or self.done:
            return
        if self._chunked:
            if piece:
                piece = b"%x\r\n%b\r\n%b" % (len(piece), piece, b"0\r\n\r\n" if last else b"")
            elif last:
                piece = b"0\r\n\r\n"
        elif self._announced is not None:
            piece = piece[: self._announced]
            self._announced -= len(piece)
        if piece:
            self._connection.write(piece, last=last)

    def _finish(self) -> None:
        if not self.done:
            self.done = True
            self._connection.finished(self)
