"""One call on its way: bytes to the provider, bytes back, and what happens when either side goes away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mesure.apps.gateway import refusals
from mesure.apps.gateway.headers import WITHHELD
from mesure.apps.gateway.metering import place_of
from mesure.apps.gateway.upstream import Answer, BrokenOff
from mesure.meter.wires.bodies import readable

if TYPE_CHECKING:
    from starlette.types import Receive, Send

    from mesure.apps.gateway.headers import Pairs, Request
    from mesure.apps.gateway.metering import CallMetering
    from mesure.apps.gateway.upstream import Upstreams
    from mesure.record import Outcome

__all__ = ["ClientLeft", "Relay", "whole_body"]

log = logging.getLogger("mesure.gateway")

#: Most calls of a fast provider end sooner: watching for the client's departure costs a task, saved until then.
_UNWATCHED_S = 0.05


class ClientLeft(Exception):  # noqa: N818
    """The client hung up before its request was complete."""


async def whole_body(receive: Receive, length: int | None, limit: int) -> bytes:
    """The request's body. Raises `Refusal` beyond `limit` bytes (at once when announced), `ClientLeft`."""
    if length is not None and length > limit:
        raise refusals.body_too_large(limit)
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        if piece := message.get("body", b""):
            size += len(piece)
            if size > limit:
                raise refusals.body_too_large(limit)
            pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class _Departure:
    """Cancels the relaying task when the client hangs up, so that the provider's connection is cut with it."""

    __slots__ = ("_receive", "_task", "_timer", "_watcher", "left")

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive = receive
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(_UNWATCHED_S, self._watch)

    def close(self) -> None:
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def _watch(self) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        if self._task is not None:
            self._task.cancel()


class Relay:
    """Carries one call. `hold` is the size up to which a JSON answer waits to be complete.

    `status` is the provider's HTTP status, 0 until it answers.
    """

    __slots__ = ("_call", "_hold", "_key", "_method", "_send", "_started", "status")

    def __init__(self, call: CallMetering, method: str, send: Send, hold: int) -> None:
        self._call = call
        self._method = method
        self._send = send
        self._hold = hold
        self._key = call.route.provider.key.encode()
        self._started = False
        self.status = 0

    async def run(self, upstreams: Upstreams, request: Request, body: bytes, receive: Receive) -> Outcome:
        """Relay and book the call; returns how it ended. Raises `Refusal` when no answer was begun."""
        call = self._call
        departure = _Departure(receive)
        answer: Answer | None = None
        try:
            outgoing = call.sent(request, body)
            answer = await upstreams.call(
                call.route, self._method, request.sent, body if outgoing is None else outgoing
            )
            self.status = answer.status
            await self._answer(answer, departure)
        except refusals.Refusal as refusal:
            call.finish("error", refusal.code, refusal.status)
            raise
        except BrokenOff as broken:
            # Returning without completing the answer makes the server close the connection: a break, not an end.
            call.finish("truncated", broken.reason)
            return "truncated"
        except asyncio.CancelledError:
            call.finish(call.left())
            if not departure.left:
                raise
            return call.left()
        except OSError:  # what servers may raise from send() once the client is gone
            call.finish(call.left())
            return call.left()
        except Exception as error:  # noqa: BLE001  (told by kind and place only: a message may hold content)
            failure = refusals.unexpected()
            call.finish("error", failure.code)
            log.error("The gateway failed on a call: %s (%s)", type(error).__name__, place_of(error))
            if self._started:
                return "truncated"
            raise failure from None
        finally:
            call.finish("cancelled")  # nothing when it is booked already
            departure.close()
            if answer is not None:
                answer.close()
        return "ok"

    async def _answer(self, answer: Answer, departure: _Departure) -> None:
        held: list[bytes] = []
        if self._holds(answer):
            held = await self._collect(answer)
            if sum(map(len, held)) <= self._hold:
                await self._send_held(answer, b"".join(held), departure)
                return
        await self._stream(answer, held, departure)

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
        except BrokenOff as broken:
            await self._start(answer, [], answer.length)
            await self._more(b"".join([*pieces, broken.rest]))
            raise
        return pieces

    async def _send_held(self, answer: Answer, body: bytes, departure: _Departure) -> None:
        plain = readable(body, answer.coding)
        if self._key and plain is not None and self._key in plain:
            body = plain = plain.replace(self._key, WITHHELD)
            answer.headers = [pair for pair in answer.headers if pair[0] != b"content-encoding"]
        headers = self._call.held(answer, plain) or []
        departure.close()
        await self._start(answer, headers, answer.length if self._method == "HEAD" else len(body))
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _stream(self, answer: Answer, pieces: list[bytes], departure: _Departure) -> None:
        call = self._call
        headers = call.streams(answer) or []
        await self._start(answer, headers, None if call.rewrites() else answer.length)
        for piece in pieces:
            await self._more(call.passed(piece))
        try:
            while piece := await answer.next_piece():
                await self._more(call.passed(piece))
        except BrokenOff as broken:
            await self._more(call.passed(broken.rest) + call.ended())
            raise
        end = call.ended()
        call.finish(call.stream_outcome())
        departure.close()
        await self._send({"type": "http.response.body", "body": end, "more_body": False})

    async def _start(self, answer: Answer, headers: Pairs, length: int | None) -> None:
        sent = answer.headers + headers
        if length is not None:
            sent.append((b"content-length", str(length).encode()))
        self._started = True
        await self._send({"type": "http.response.start", "status": answer.status, "headers": sent})

    async def _more(self, body: bytes) -> None:
        if body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
