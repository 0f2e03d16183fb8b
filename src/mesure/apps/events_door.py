"""The door for events of other Mesures: an agent on a machine with boards sends here what it measured."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mesure.apps.gateway.keys import KeyCheck, scope_of
from mesure.apps.gateway.refusals import Refusal
from mesure.apps.hosts import AllowedHosts, host_header
from mesure.errors import InvalidValue
from mesure.meter.screening import screened_event
from mesure.record import UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from mesure.config import Settings
    from mesure.record import Sink
    from mesure.state import KeyRing

__all__ = ["EVENTS_PATH", "EventsDoor"]

EVENTS_PATH = "/intake/events"
_MOST_BYTES = 8_000_000
_MOST_AT_ONCE = 4
#: Who passes calls on itself is here, and tells them itself.
_FROM_ELSEWHERE = ("sensor", "hook", "callback")


class _Refused(Exception):  # noqa: N818  (answered here, never seen outside)
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message


class _Taken(NamedTuple):
    booked: int
    rejected: int
    why: str


class EventsDoor:
    """An ASGI application: POST of lines of JSON, an event each. 200 is only said of what is written.

    A line that is no event is rejected, counted and named in the answer: sending it again would not help. When the disk
    refuses one, the answer is 503 and all may be sent again: an event keeps its identity. A virtual key is asked for
    where the gateway asks for one, and its scope is written on what it sends. Names of people become pseudonyms.
    """

    def __init__(
        self, settings: Settings, sink: Sink, pseudonym: Callable[[str], str], keys: KeyRing | None = None
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._sink = sink
        self._pseudonym = pseudonym
        self._label_keys = settings.privacy.label_keys
        self._keys = KeyCheck(settings.gateway.keys, keys)
        self._hosts = AllowedHosts(settings.server)
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            fields = self._admit(scope)
            if self._under_way >= _MOST_AT_ONCE:
                raise _Refused(429, "busy", "Too many requests at once")
            self._under_way += 1
            try:
                body = await _body(receive)
                taken = await asyncio.to_thread(self._take, body, fields)
            finally:
                self._under_way -= 1
        except _Refused as refused:
            await _answer(send, refused.status, {"error": {"code": refused.code, "message": refused.message}})
            return
        await _answer(send, 200, taken._asdict())

    def _admit(self, scope: Scope) -> Mapping[str, Any]:
        if not self._hosts.takes_host(host_header(scope["headers"])):
            raise _Refused(403, "bad_host", "This server does not answer under that name: see server.allowed_hosts")
        origin = next((value for name, value in scope["headers"] if name == b"origin"), b"")
        if origin and not self._hosts.takes_origin(origin):
            raise _Refused(403, "foreign_origin", "A web page of another origin may not send events here")
        if scope["method"] != "POST":
            raise _Refused(405, "method", "Events are sent with POST")
        try:
            return scope_of(self._keys.admit(scope["headers"]).key)
        except Refusal as refusal:
            raise _Refused(refusal.status, refusal.code, str(refusal)) from None

    def _take(self, body: bytes, fields: Mapping[str, Any]) -> _Taken:
        """In a thread. Nothing is written of a request before all its lines were read."""
        events, rejected, why = [], 0, ""
        for line in body.splitlines():
            if line.strip():
                try:
                    events.append(self._event(line, fields))
                except (InvalidValue, ValueError, TypeError, AttributeError) as error:
                    rejected, why = rejected + 1, why or str(error)[:300]
        for event in events:
            if not self._sink.record(event):
                raise _Refused(503, "not_written", "The event could not be written: send all again later")
        self.counts["booked"] += len(events)
        self.counts["rejected"] += rejected
        return _Taken(len(events), rejected, why)

    def _event(self, line: bytes, fields: Mapping[str, Any]) -> UsageEvent:
        event = UsageEvent.from_json(orjson.loads(line))
        if event.source not in _FROM_ELSEWHERE:
            raise InvalidValue(
                "An event of this source is not taken from elsewhere",
                value=event.source,
                action=f"Use one of: {', '.join(_FROM_ELSEWHERE)}.",
            )
        user = self._pseudonym(event.user) if event.user else None
        event = replace(event, ingested_at=None, sightings=None, user=user, **fields).checked()
        return screened_event(event, self._pseudonym, self._label_keys)


async def _body(receive: Receive) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "cut", "The request is cut")
        piece = message.get("body", b"")
        size += len(piece)
        if size > _MOST_BYTES:
            raise _Refused(413, "too_large", f"The request is larger than {_MOST_BYTES // 1_000_000} MB")
        pieces.append(piece)
        if not message.get("more_body"):
            return b"".join(pieces)


async def _answer(send: Send, status: int, content: object) -> None:
    body = orjson.dumps(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status in (429, 503):
        headers.append((b"retry-after", b"5"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
