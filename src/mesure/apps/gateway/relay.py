"""One call on its way: bytes to the provider, bytes back, and what happens when either side goes away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mesure.apps.gateway import refusals
from mesure.apps.gateway.headers import WITHHELD
from mesure.apps.gateway.upstream import Answer, BrokenOff
from mesure.apps.http1.refusal import place_of
from mesure.meter.wires.bodies import readable

if TYPE_CHECKING:
    from mesure.apps.gateway.headers import Pairs, Request
    from mesure.apps.gateway.metering import CallMetering
    from mesure.apps.gateway.upstream import Upstreams
    from mesure.apps.http1.exchange import Exchange
    from mesure.record import Outcome

__all__ = ["Relay"]

log = logging.getLogger("mesure.gateway")


class Relay:
    """Carries one call. `hold` is the size up to which a JSON answer waits to be complete.

    `status` is the provider's HTTP status, 0 until it answers.
    """

    __slots__ = ("_call", "_exchange", "_hold", "_key", "status")

    def __init__(self, call: CallMetering, exchange: Exchange, hold: int) -> None:
        self._call = call
        self._exchange = exchange
        self._hold = hold
        self._key = call.route.provider.key.encode()
        self.status = 0

    async def run(self, upstreams: Upstreams, request: Request) -> Outcome:
        """Relay and book the call; returns how it ended. Raises `Refusal` when no answer was begun."""
        call, exchange = self._call, self._exchange
        if (task := asyncio.current_task()) is not None:  # a client that leaves cuts the provider's connection too
            exchange.on_left = task.cancel
        answer: Answer | None = None
        try:
            outgoing = call.sent(request, exchange.body)
            await call.afford(len(exchange.body))
            answer = await upstreams.call(
                call.route, exchange.method, request.sent, exchange.body if outgoing is None else outgoing
            )
            self.status = answer.status
            await self._answer(answer)
        except refusals.Refusal as refusal:
            call.finish("error", refusal.code, refusal.status)
            raise
        except BrokenOff as broken:  # an answer that is not completed here is broken off for the client too
            call.finish("truncated", broken.reason)
            return "truncated"
        except asyncio.CancelledError:
            call.finish(call.left())
            if not exchange.left:
                raise
            return call.left()
        except Exception as error:  # noqa: BLE001  (told by kind and place only: a message may hold content)
            failure = refusals.unexpected()
            call.finish("error", failure.code)
            log.error("The gateway failed on a call: %s (%s)", type(error).__name__, place_of(error))
            if exchange.started:
                return "truncated"
            raise failure from None
        finally:
            call.finish("cancelled")  # nothing when it is booked already
            call.over()
            if answer is not None:
                answer.close()
        return "ok"

    async def _answer(self, answer: Answer) -> None:
        held: list[bytes] = []
        if self._holds(answer):
            held = await self._collect(answer)
            if sum(map(len, held)) <= self._hold:
                self._send_held(answer, b"".join(held))
                return
        await self._stream(answer, held)

    def _holds(self, answer: Answer) -> bool:
        """JSON, and whatever comes with an error, unless it is announced as too large."""
        if answer.length is not None and answer.length > self._hold:
            return False
        return answer.status >= 400 or (answer.media_type.endswith("json") and not self._call.comes_in_pieces(answer))

    async def _collect(self, answer: Answer) -> list[bytes]:
        """The pieces of the body, all of them or the first ones beyond the limit."""
        pieces: list[bytes] = []
        size = 0
        try:
            while size <= self._hold and (piece := await answer.next_piece()):
                pieces.append(piece)
                size += len(piece)
        except BrokenOff:
            self._start(answer, [], answer.length)
            await self._exchange.send(b"".join(pieces))
            raise
        return pieces

    def _send_held(self, answer: Answer, body: bytes) -> None:
        plain = readable(body, answer.coding)
        if self._key and plain is not None and self._key in plain:
            body = plain = plain.replace(self._key, WITHHELD)
            answer.headers = [pair for pair in answer.headers if pair[0] != b"content-encoding"]
        headers = self._call.held(answer, plain) or []
        length = answer.length if self._exchange.method == "HEAD" else None
        self._exchange.respond(answer.status, answer.headers + headers, body, length)

    async def _stream(self, answer: Answer, pieces: list[bytes]) -> None:
        call, exchange = self._call, self._exchange
        headers = call.streams(answer) or []
        self._start(answer, headers, None if call.rewrites() else answer.length)
        for piece in pieces:
            await exchange.send(call.passed(piece))
        try:
            while piece := await answer.next_piece():
                await exchange.send(call.passed(piece))
        except BrokenOff:
            await exchange.send(call.ended())
            raise
        end = call.ended()
        call.finish(call.stream_outcome())
        exchange.end(end)

    def _start(self, answer: Answer, headers: Pairs, length: int | None) -> None:
        self._exchange.start(answer.status, answer.headers + headers, length)
