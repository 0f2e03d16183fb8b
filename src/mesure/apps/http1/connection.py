"""A client's connection: requests answered one after the other, in bounded time and memory."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from typing import TYPE_CHECKING, cast

from mesure.apps.http1 import refusal as refusals
from mesure.apps.http1.exchange import Exchange
from mesure.apps.http1.reading import Head, RequestReader
from mesure.apps.http1.refusal import Refusal, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.apps.http1.serving import Serving

__all__ = ["Connection"]

log = logging.getLogger("mesure.http")

#: Bytes after the request being answered that are kept before the client is no longer read.
_AHEAD_BYTES = 64 << 10
#: Requests that one read may hold.
_MOST_AHEAD = 100
#: Up to this size, pieces are copied into one rather than handed over as several.
_ONE_PIECE = 64 << 10
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
#: Of a request that could not be read.
_NO_HEAD = Head("GET", b"", [], old=False, keep_alive=False, expects_continue=False)


class Connection(asyncio.Protocol):
    """Requests wait for the answer before them; bytes of a request that was refused are thrown away."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._limits = serving.limits
        self._transport: asyncio.Transport
        self.client: tuple[str, int] | None = None
        self.deadline = math.inf
        self.task: asyncio.Task[None] | None = None
        self.stalled: asyncio.Future[None] | None = None  # until the client has read what was written
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._queue: deque[Exchange] = deque()
        self._running = False  # the first of the queue is being answered
        self._deaf = False  # nothing more is read from this client
        self._stopping = False
        self._closing = False
        self._reading = True
        self._ahead = b""
        self._incoming: Exchange | None = None  # its body is being read
        self._beyond = False  # the last request asks for WebSocket: no request comes after it
        self._taker: Callable[[bytes], object] | None = None  # of what is no HTTP any more
        self._reader = RequestReader(serving.limits.head_bytes, serving.limits.body_bytes, self)

    # --- the transport's side ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.client = transport.get_extra_info("peername")
        self.deadline = self._serving.within(self._limits.idle_s)
        self._serving.deadlines.watch(self)
        if self._serving.stopping:
            transport.close()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002
        self._serving.connections.discard(self)
        self.resume_writing()
        self._leave()

    def eof_received(self) -> None:
        """A client that closes its sending side is taken as gone: nothing else tells that it is."""
        self._leave()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._taker is not None:
            self._taker(data)
            return
        if not self._running and self.stalled is None and not self._beyond:
            self._feed(data)
            return
        self._keep_ahead(data)

    def _keep_ahead(self, data: bytes) -> None:
        self._ahead += data
        if len(self._ahead) > _AHEAD_BYTES and self._reading:
            self._reading = False
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        if self.stalled is None:
            self.stalled = asyncio.get_running_loop().create_future()
            self.deadline = self._serving.within(self._limits.write_s)

    def resume_writing(self) -> None:
        if self.stalled is None:
            return
        stalled, self.stalled = self.stalled, None
        if not stalled.done():
            stalled.set_result(None)
        if not self._running and not self._closing:
            self.deadline = self._serving.within(self._limits.idle_s)
            self._next()
        elif self._running:
            self.deadline = math.inf

    # --- the answers' side ---

    def write(self, data: bytes, *, last: bool = False) -> None:
        """What is written in one turn of the loop leaves together, or with the `last` of an answer."""
        if not self._unsent and not last:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if self._unsent_bytes > _ONE_PIECE:
            self._flush()

    def _flush(self) -> None:
        unsent = self._unsent
        if not unsent:
            return
        count, self._unsent, self._unsent_bytes = self._unsent_bytes, [], 0
        if self._transport.is_closing():
            return
        if len(unsent) == 1:
            self._transport.write(unsent[0])
        elif count <= _ONE_PIECE:
            self._transport.write(b"".join(unsent))
        else:
            self._transport.writelines(unsent)

    def finished(self, exchange: Exchange) -> None:
        """The answer at the head of the queue is written: close, or go on with the next request."""
        self._flush()
        self._queue.popleft()
        self._running = False
        self.task = None
        if self._transport.is_closing():
            return
        if not exchange.keep_alive or (self._stopping and not self._queue):
            self._close(read_on=not exchange.complete or exchange.websocket)
        elif self.stalled is None:
            self.deadline = self._serving.within(self._limits.idle_s)
            self._next()

    def switch(self, taker: Callable[[bytes], object]) -> None:
        """The request being answered was its last: what comes after it goes to `taker`."""
        self._flush()
        self._taker = taker
        ahead, self._ahead = self._ahead, b""
        self._read_again()
        if ahead and not self._deaf:
            taker(ahead)

    def hold(self, *, held: bool) -> None:
        """Read no more from the client, or go on."""
        if not held:
            self._read_again()
        elif self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def stop(self) -> None:
        """No further request is taken; those received are answered."""
        self._stopping = True
        if not self._queue and not self._closing:
            self._close(read_on=False)

    def abort(self) -> None:
        self._transport.abort()

    def expire(self) -> None:
        """The deadline has passed."""
        self.deadline = math.inf
        if self._closing or self.stalled is not None:
            self._transport.abort()
        elif self._incoming is not None or self._reader.in_head:
            self._refuse(refusals.too_slow())
        else:
            self._close(read_on=False)

    def _close(self, *, read_on: bool) -> None:
        """`read_on`: bytes still come that nobody wants; closing on them would destroy the answer on its way."""
        self._deaf = self._closing = True
        if read_on:
            self._transport.write_eof()
            self.deadline = self._serving.within(self._limits.linger_s)
        else:
            self._transport.close()
            self.deadline = self._serving.within(self._limits.write_s)
        self._read_again()

    def _read_again(self) -> None:
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def _next(self) -> None:
        self._advance()
        if self._running or self._deaf:
            return
        if self._ahead:
            data, self._ahead = self._ahead, b""
            self._feed(data)
        if not self._running:
            self._read_again()

    def _advance(self) -> None:
        """Answer the first request of the queue if it is complete, or refused."""
        if self._running or not self._queue:
            return
        exchange = self._queue[0]
        if exchange.refusal is not None:
            self._running = True
            exchange.refuse(exchange.refusal)
        elif exchange.complete:
            self._running = True
            self.deadline = math.inf
            self.task = asyncio.get_running_loop().create_task(self._answer(exchange))
        elif exchange.expects_continue:
            exchange.expects_continue = False
            self.write(_CONTINUE)
            self._flush()

    async def _answer(self, exchange: Exchange) -> None:
        assert exchange.service is not None
        try:
            await exchange.service.answer(exchange)
        except Refusal as refusal:
            self._serving.refused[refusal.code] += 1
            self._answer_refused(exchange, refusal)
        except Exception as error:  # noqa: BLE001  (told by kind and place only: a message may hold content)
            log.error("A request failed: %s (%s)", type(error).__name__, place_of(error))
            self._answer_refused(exchange, refusals.unexpected())
        finally:
            exchange.cut()  # nothing when it is done

    @staticmethod
    def _answer_refused(exchange: Exchange, refusal: Refusal) -> None:
        if not exchange.started:
            exchange.refuse(refusal)

    def _leave(self) -> None:
        """The client is gone: whoever works for it is told."""
        self._deaf = True
        for place, exchange in enumerate(tuple(self._queue)):
            if exchange.left:
                continue
            exchange.left = True
            if self._running and place == 0:
                self._serving.leave(self.task)
                if exchange.on_left is not None:
                    exchange.on_left()
            elif exchange.service is not None and exchange.refusal is None:
                exchange.service.abandoned(exchange)

    def _refuse(self, refusal: Refusal) -> None:
        """Answer so in its turn, and read no more: after a request in doubt nothing can be trusted."""
        self._deaf = True
        self._ahead = b""
        self._serving.refused[refusal.code] += 1
        exchange = self._incoming
        if exchange is None:
            exchange = Exchange(self, _NO_HEAD)
            self._queue.append(exchange)
        exchange.refusal = refusal
        exchange.keep_alive = False
        self._incoming = None
        self._advance()

    # --- the reader's side ---

    def _feed(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
        except Refusal as refusal:
            if not self._deaf:
                self._refuse(refusal)
            return
        if self._incoming is not None and not self._running:
            self.deadline = self._serving.within(self._limits.body_s)

    def begun(self) -> None:
        if len(self._queue) >= _MOST_AHEAD:
            raise refusals.bad_request("too many requests at once")
        if not self._running:
            self.deadline = self._serving.within(self._limits.head_s)

    def head(self, head: Head) -> None:
        exchange = Exchange(self, head)
        self._incoming = exchange
        self._queue.append(exchange)
        exchange.service = self._serving.service_of(head.target)
        exchange.service.admit(exchange)
        if head.websocket and not exchange.switches:
            raise refusals.websocket_unsupported()
        self._beyond = head.websocket
        if head.expects_continue and self._queue[0] is exchange:
            self._advance()

    def complete(self, body: bytes) -> None:
        exchange, self._incoming = self._incoming, None
        assert exchange is not None
        exchange.body = body
        exchange.complete = True
        if not exchange.keep_alive and not exchange.websocket:
            self._deaf = True  # this was its last request
        self._advance()

    def beyond(self, data: bytes) -> None:
        if data:
            self._keep_ahead(data)
