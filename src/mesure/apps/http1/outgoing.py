"""A connection to another server: one request at a time, and its answer piece by piece, exactly as it was sent."""

from __future__ import annotations

import asyncio
import math
import select
import socket
import struct
from typing import TYPE_CHECKING, NamedTuple, cast

import httptools

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.apps.http1.exchange import Pairs
    from mesure.apps.http1.pool import Pool

__all__ = ["BrokenOff", "Outgoing", "Waits"]

#: Of a body that nobody takes, before the server is no longer read; reading goes on when it is taken.
_HIGH_BYTES = 256 << 10
_HEAD_BYTES = 256 << 10
_MOST_INTERIM = 20
_FRAMING_TIMES = 16
_FRAMING_BYTES = 1 << 20
_ONE_PIECE = 64 << 10
_NO_BODY = (204, 304)
#: For what was written last to leave.
_CLOSING_S = 5.0

#: Where Linux keeps, of a connection, the bytes that the other side's system has taken.
_TAKEN_AT, _INFO_BYTES = 120, 128

TIMEOUT, DISCONNECTED, BAD_ANSWER = "provider_timeout", "provider_disconnected", "provider_bad_answer"


class Waits(NamedTuple):
    """Longest ones, in seconds: for a connection, for the first byte of an answer, and between two of its bytes."""

    connect_s: float = 30.0
    first_s: float = math.inf
    between_s: float = math.inf


class BrokenOff(Exception):  # noqa: N818  (an ending, told by the other side)
    """The answer ended before its end. `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Outgoing(asyncio.Protocol):
    """`send` a request, `await answered()`, then `await next_piece()` until it is empty, then `release`.

    After `answered`: `status` and `headers` as received. `calls` counts requests sent on this connection; `untouched`
    tells, once it is lost, that the last of them never reached the server.

    Where `may_switch` is set before, an answer that agrees to WebSocket leaves it `raw`: `write` and `next_piece` pass
    bytes as they are, `flow` is told whether the server does not read what was written, and `close` ends it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self.deadline = math.inf
        self.calls = 0
        self.untouched = False
        self._taken_before: int | None = None
        self._broken = ""
        self._reading = True
        self._complete = True
        self._keep = True
        self.may_switch = self.raw = False
        self.flow: Callable[[bool], object] | None = None
        self._prepare(skips_body=False, between_s=math.inf)

    def _prepare(self, *, skips_body: bool, between_s: float) -> None:
        self._skips_body = skips_body
        self._between_s = between_s
        self._receiving = False  # the head of the answer is complete
        self._until_closed = False
        self._pieces: list[bytes] = []
        self._size = 0  # of the pieces
        self._total = self._fed = self._head_bytes = self._interim = 0
        self.heard = False  # a byte has come since the request was sent
        self.status = 0
        self.headers: Pairs = []

    # --- the caller's side ---

    @property
    def usable(self) -> bool:
        """Whether it can carry a further request, as far as anybody knows here."""
        return not self._broken and self._complete and self._keep and not self._transport.is_closing()

    def silent(self) -> bool:
        """Whether nothing waits in the system's hands: bytes that answered the next request would belong to none."""
        return not self._arrivals.poll(0)

    def send(self, head: bytes, body: bytes, *, skips_body: bool, waits: Waits) -> None:
        """`skips_body`: the answer has none whatever it announces (HEAD)."""
        self._prepare(skips_body=skips_body, between_s=waits.between_s)
        self._complete = False
        self.calls += 1
        self.deadline = self._pool.now() + waits.first_s
        self._taken_before = _bytes_taken(self._socket)
        if len(body) <= _ONE_PIECE:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))

    async def answered(self) -> None:
        """Return once status and headers are there. Raises `BrokenOff`."""
        while not self._receiving:
            if self._broken:
                raise BrokenOff(self._broken)
            await self._wait()

    async def next_piece(self) -> bytes:
        """What has arrived since the last call, at least one byte; empty at the end. Raises `BrokenOff`."""
        while True:
            if self._pieces:
                return self._taken()
            if self._complete:
                return b""
            if self._broken:
                raise BrokenOff(self._broken)
            await self._wait()

    def write(self, data: bytes) -> None:
        """To a server that switched; silence is counted anew, since it is not the session that is idle."""
        if self._transport.is_closing():
            return
        if self._reading:
            self.deadline = self._pool.now() + self._between_s
        self._transport.write(data)

    def untaken(self) -> bytes:
        """What has arrived and `next_piece` did not give."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def close(self) -> None:
        """Close a connection that switched, once what was written is sent."""
        self.deadline = self._pool.now() + _CLOSING_S
        self._transport.close()

    def release(self) -> None:
        """Keep the connection for another request if the answer was read to its end, else cut it."""
        self.deadline = math.inf
        if self.usable and not self._pieces and self._transport.get_write_buffer_size() == 0:
            self._pool.keep(self)
        else:
            self._transport.abort()

    def abort(self) -> None:
        self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed: nothing came for too long."""
        self._fail(TIMEOUT)

    def _taken(self) -> bytes:
        pieces, self._pieces, self._size = self._pieces, [], 0
        if not self._reading:
            self._reading = True
            self.deadline = self._pool.now() + self._between_s
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, reason: str) -> None:
        """Nothing further is read; what was read stays readable."""
        self._keep = False
        if not self._complete and not self._broken:
            self._broken = reason
        self.deadline = math.inf
        self._transport.abort()
        self._wake()

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")
        self._arrivals = select.poll()
        if self._socket is not None:
            self._arrivals.register(self._socket.fileno(), select.POLLIN)
        self._pool.opened(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._pool.lost(self)
        self._keep = False
        self._look_whether_untouched()
        if not self._complete:
            if self._until_closed and error is None and not self._broken:
                self._complete = True
            else:
                self._broken = self._broken or DISCONNECTED
        self._wake()

    def eof_received(self) -> None:
        self._keep = False
        self._look_whether_untouched()
        if self._until_closed and not self._broken:
            self._complete = True
            self._wake()

    def _look_whether_untouched(self) -> None:
        """A server that closes first takes no byte more: its closing says how far it had come."""
        before, self._taken_before = self._taken_before, None
        if before is not None and not self.heard:
            self.untouched = before == _bytes_taken(self._socket)

    def pause_writing(self) -> None:
        if self.flow is not None:
            self.flow(True)

    def resume_writing(self) -> None:
        if self.flow is not None:
            self.flow(False)

    def data_received(self, data: bytes) -> None:
        if self._complete or self._broken:  # bytes that no request asked for
            self._fail(BAD_ANSWER)
            return
        self.heard = True
        if self.raw:
            self._keep_raw(data)
        elif not self._parsed(data) or (not self.raw and self._is_bloated(len(data))):
            self._fail(BAD_ANSWER)
            return
        if self._size > _HIGH_BYTES and self._reading:
            self._reading = False
            self._transport.pause_reading()
            self.deadline = math.inf  # it is not the server that is slow
        elif not self._complete:
            self.deadline = self._pool.now() + self._between_s
        self._wake()

    def _parsed(self, data: bytes) -> bool:
        """Whether it is what an honest server sends."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.raw and (rest := data[upgrade.args[0] :]):
                self._keep_raw(rest)
            return self.raw
        except httptools.HttpParserError:
            return False
        return not self.raw

    def _keep_raw(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)

    def _is_bloated(self, count: int) -> bool:
        """Whether heads or framing take more than any honest answer needs."""
        if not self._receiving:
            self._head_bytes += count
            return self._head_bytes > _HEAD_BYTES
        self._fed += count
        return self._fed > _FRAMING_BYTES + _FRAMING_TIMES * self._total

    # --- the parser's side ---

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("an answer that no request asked for")
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._receiving:  # trailers are left aside
            self.headers.append((name.lower(), value.rstrip(b" \t") if value[-1:] in (b" ", b"\t") else value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status == 101 and self.may_switch:
            self._switch()
            return
        if self.status < 200:
            self._interim += 1
            if self.status == 101 or self._interim > _MOST_INTERIM:
                raise ValueError("an interim answer that was not asked for")
            return
        given = dict(self.headers)
        coding = given.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise ValueError("a transfer coding that was not asked for")
        self._receiving = True
        self._keep = self._parser.should_keep_alive()
        if self._skips_body:
            self._keep = False  # the parser would take the next answer for this one's body
            self._complete = True
        elif coding is None and b"content-length" not in given and self.status not in _NO_BODY:
            self._until_closed = True
            self._keep = False

    def _switch(self) -> None:
        given = dict(self.headers)
        agreed = (
            given.get(b"upgrade", b"").lower() == b"websocket" and b"upgrade" in given.get(b"connection", b"").lower()
        )
        if not agreed or b"sec-websocket-extensions" in given:
            raise ValueError("an upgrade, or an extension, that was not asked for")
        self._receiving = self.raw = self._until_closed = True
        self._keep = False

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._total += len(piece)

    def on_message_complete(self) -> None:
        if self.status >= 200:
            self._complete = True
            self.deadline = math.inf


def _bytes_taken(stream: socket.socket | None) -> int | None:
    """Bytes of this connection that the other side's system acknowledged; None where this one does not tell."""
    if stream is None:
        return None
    try:
        info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except (OSError, AttributeError):
        return None
    return int(struct.unpack_from("=Q", info, _TAKEN_AT)[0]) if len(info) == _INFO_BYTES else None
