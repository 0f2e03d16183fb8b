"""A realtime session: WebSocket bytes both ways, untouched, and one event for each response read from a copy."""

from __future__ import annotations

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Any

from mesure.apps.gateway import refusals
from mesure.apps.gateway.attribution import attribution, trace_ids
from mesure.apps.gateway.headers import WITHHELD, answer_headers
from mesure.apps.gateway.keys import overruled, scope_of
from mesure.apps.gateway.upstream import BrokenOff
from mesure.meter.wires.frames import TextFrames
from mesure.meter.wires.realtime import Finished, RealtimeReading, query_facts
from mesure.record import new_id

if TYPE_CHECKING:
    from mesure.apps.gateway.budgets import HardBudgets
    from mesure.apps.gateway.headers import Request
    from mesure.apps.gateway.metering import Metering
    from mesure.apps.gateway.providers import Route
    from mesure.apps.gateway.upstream import Upstreams
    from mesure.apps.http1.exchange import Exchange
    from mesure.apps.http1.outgoing import Outgoing
    from mesure.record import Outcome
    from mesure.state import HeldKey

__all__ = ["Session", "SessionMetering"]

_STEP, _TOO_LONG = "realtime", "realtime_too_long"


class SessionMetering:
    """What is known of one session. Nothing here may fail it: a failure is counted, and ends the reading at most."""

    def __init__(self, shared: Metering, route: Route, request: Request, key: HeldKey | None) -> None:
        self.shared = shared
        self._provider = route.provider
        self._frames: TextFrames | None = TextFrames()
        self._reading = RealtimeReading()
        self.ignored: list[str] = []
        self._fields: dict[str, Any] = {**shared.common_to(route.provider), **scope_of(key), "operation": "chat"}
        self._reserved = new_id()
        try:
            self._fields.update(query_facts(route.rest.partition("?")[2]))
            who, self.ignored = attribution(request.ours, shared.fingerprints, shared.label_keys)
            self.ignored += overruled(who, key)
            self._fields.update(who)
            if trace := trace_ids(request.trace):
                self._fields["trace_id"] = trace[0]
        except Exception as error:  # noqa: BLE001  (a session outlives whatever its metering does)
            shared.failed(_STEP, error)

    async def afford(self) -> None:
        """Reserve one response of hard budgets: a session that is open is not refused later. Raises `Refusal`."""
        if self.shared.budgets is not None:
            fields = {**self._fields, "id": self._reserved, "started_at": datetime.now(UTC)}
            await self.shared.budgets.admit(self._reserved, fields, 0, self._provider)

    def passed(self, piece: bytes) -> None:
        """Read a copy of what the provider sent."""
        if self._frames is None:
            return
        try:
            for text in self._frames.feed(piece):
                self._read(text)
            if self._frames.too_long:
                self.shared.failures[_TOO_LONG] += self._frames.too_long
                self._frames.too_long = 0
        except Exception as error:  # noqa: BLE001  (as above)
            self._frames = None
            self.shared.failed(_STEP, error)

    def _read(self, text: bytes) -> None:
        try:
            if (finished := self._reading.read(text, perf_counter())) is not None:
                self._book(finished)
        except Exception as error:  # noqa: BLE001  (as above, for one event of many)
            self.shared.failed(_STEP, error)

    def ended(self, outcome: Outcome) -> None:
        """Book what had begun, and give back what was reserved and not taken."""
        try:
            for finished in self._reading.broken_off(outcome):
                self._book(finished)
            if self.shared.budgets is not None and self._reserved:
                self.shared.budgets.ended(self._reserved, None)
        except Exception as error:  # noqa: BLE001  (as above)
            self.shared.failed(_STEP, error)

    def _book(self, finished: Finished) -> None:
        fields = {**self._fields, **finished.facts, "id": new_id(), "status": finished.outcome, "stream": True}
        now, wall = perf_counter(), datetime.now(UTC)
        fields["started_at"] = wall
        if finished.began is not None:
            fields["duration_ms"] = (now - finished.began) * 1e3
            fields["started_at"] = wall - timedelta(seconds=now - finished.began)
            if finished.first_output is not None:
                fields["first_output_ms"] = (finished.first_output - finished.began) * 1e3
        if "trace_id" in fields:  # the client's span is the session: each response is one of its own
            fields["span_id"] = secrets.token_hex(8)
        if finished.outcome == "error":
            self.shared.failing.failed(self._provider.name, fields.get("error_type"), None)
        if not self.shared.record(fields):
            self.shared.not_acknowledged += 1
        if self.shared.budgets is not None:
            self._count(self.shared.budgets, fields)

    def _count(self, budgets: HardBudgets, fields: dict[str, Any]) -> None:
        """The first response takes the place of what the session reserved; nothing was for the others."""
        reserved, self._reserved = self._reserved, ""
        if reserved:
            budgets.ended(reserved, fields)
        else:
            budgets.passed(fields)


class Session:
    """Carries one session. `status` is the provider's HTTP status, 0 until it answers."""

    __slots__ = ("_exchange", "_hold", "_metering", "_route", "status")

    def __init__(self, metering: SessionMetering, route: Route, exchange: Exchange, hold: int) -> None:
        self._metering = metering
        self._route = route
        self._exchange = exchange
        self._hold = hold
        self.status = 0

    async def run(self, upstreams: Upstreams, request: Request) -> Outcome:
        """Returns how it ended. Raises `Refusal` when no answer was begun."""
        exchange = self._exchange
        if (task := asyncio.current_task()) is not None:
            exchange.on_left = task.cancel
        connection: Outgoing | None = None
        outcome: Outcome = "cancelled"
        try:
            await self._metering.afford()
            connection = await upstreams.switched(self._route, request.sent)
            self.status = connection.status
            if not connection.raw:
                await self._decline(connection)
                return "ok"
            await self._tunnel(connection)
            outcome = "truncated"  # of a response that the provider left unfinished
        except BrokenOff:
            outcome = "truncated"
            return outcome
        except asyncio.CancelledError:
            if connection is not None and connection.raw:
                self._metering.passed(connection.untaken())
            if not exchange.left:
                raise
            return outcome
        finally:
            self._metering.ended(outcome)
            if connection is not None:
                connection.flow = None
                (connection.close if connection.raw else connection.release)()
        return "ok"

    async def _tunnel(self, connection: Outgoing) -> None:
        exchange, metering = self._exchange, self._metering
        connection.flow = lambda full: exchange.hold(held=full)
        headers = answer_headers(connection.headers, self._key)
        if metering.ignored:
            headers.append((b"x-mesure-ignored", ", ".join(metering.ignored).encode("latin-1", "replace")))
        exchange.switch(headers, connection.write)
        while piece := await connection.next_piece():
            metering.passed(piece)
            await exchange.send(piece)
        exchange.end()

    async def _decline(self, connection: Outgoing) -> None:
        """The provider's own answer: no session, so nothing to book."""
        provider, body = self._route.provider.name, b""
        try:
            while piece := await connection.next_piece():
                body += piece
                if len(body) > self._hold:
                    raise refusals.provider_bad_answer(provider)
        except BrokenOff:
            raise refusals.provider_disconnected(provider) from None
        headers = answer_headers(connection.headers, self._key)
        if self._key and self._key in body:
            body = body.replace(self._key, WITHHELD)
        self._metering.shared.failing.failed(provider, None, connection.status)
        self._exchange.respond(connection.status, headers, body)

    @property
    def _key(self) -> bytes:
        return self._route.provider.key.encode()
