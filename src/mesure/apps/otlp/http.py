"""OTLP over HTTP, as its specification asks: binary or JSON, gzip, partial success, and when to come back."""

from __future__ import annotations

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.apps.gateway.keys import KeyCheck, scope_of
from mesure.apps.gateway.refusals import Refusal
from mesure.apps.hosts import AllowedHosts, host_header
from mesure.meter.otlp import SIGNALS, Signal, SpoolFull, Taken, Unreadable, json_form, protobuf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from mesure.config import Settings
    from mesure.meter.otlp import Intake
    from mesure.state import KeyRing

__all__ = ["PATHS", "OtlpApp"]

PATHS: dict[str, Signal] = {f"{prefix}/v1/{signal}": signal for prefix in ("", "/otlp") for signal in SIGNALS}

_BINARY, _JSON = "application/x-protobuf", "application/json"
_MOST_AT_ONCE = 8
_THREADS = 2
_RETRY_S = {429: b"1", 503: b"5"}


class _Refused(Exception):  # noqa: N818  (answered here, never seen outside)
    """An answer other than 200: its HTTP status, and the code and the words of its body."""

    def __init__(self, status: int, code: int, message: str) -> None:
        self.status, self.code, self.message = status, code, message


class _Asked(NamedTuple):
    signal: Signal
    as_json: bool
    gzip: bool
    scope: Mapping[str, Any]


class OtlpApp:
    """An ASGI application for the paths of `PATHS`. 200 is only said of what is written.

    A virtual key is asked for where the gateway asks for one, and its scope is that of every call sent with it.
    """

    def __init__(self, settings: Settings, intake: Intake, keys: KeyRing | None = None) -> None:
        self._intake = intake
        self._keys = KeyCheck(settings.gateway.keys, keys)
        self._hosts = AllowedHosts(settings.server)
        self._enabled = settings.otlp.enabled
        self._most_bytes = int(settings.otlp.max_body_mb * 1e6)
        self._under_way = 0
        # Of its own: a flood of telemetry must not take the threads that pages are read in
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mesure-otlp")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        as_json = _media_type(_header(scope, b"content-type")) == _JSON
        try:
            taken, asked = await self._take(scope, receive)
        except _Refused as refused:
            form = json_form if as_json else protobuf
            await _answer(send, refused.status, as_json, form.status(refused.code, refused.message))
            return
        except _Left:
            return
        why = taken.why if taken.rejected else ""
        if as_json:
            body = json_form.answer(asked.signal, taken.rejected, why)
        else:
            body = protobuf.answer(asked.signal, taken.rejected, why).SerializeToString()
        await _answer(send, 200, as_json, body)

    async def _take(self, scope: Scope, receive: Receive) -> tuple[Taken, _Asked]:
        asked = self._admit(scope)
        if self._under_way >= _MOST_AT_ONCE:
            raise _Refused(429, 8, "Too many requests at once")
        self._under_way += 1
        try:
            body = await self._body(receive)
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._book, asked, body), asked
        finally:
            self._under_way -= 1

    def _admit(self, scope: Scope) -> _Asked:
        if not self._enabled:
            raise _Refused(404, 5, "Telemetry is not taken here: otlp.enabled is false")
        if not self._hosts.takes_host(host_header(scope["headers"])):
            raise _Refused(403, 7, "This server does not answer under that name: see server.allowed_hosts")
        origin = _header(scope, b"origin")
        if origin and not self._hosts.takes_origin(origin):
            raise _Refused(403, 7, "A web page of another origin may not send telemetry here")
        if scope["method"] != "POST":
            raise _Refused(405, 12, "Telemetry is sent with POST")
        media_type = _media_type(_header(scope, b"content-type"))
        if media_type not in (_BINARY, _JSON):
            raise _Refused(415, 3, f"The content type must be {_BINARY} or {_JSON}")
        coding = _header(scope, b"content-encoding").decode("latin-1").strip().lower()
        if coding not in ("", "identity", "gzip"):
            raise _Refused(415, 3, "The content encoding must be gzip, or none")
        return _Asked(PATHS[scope["path"]], media_type == _JSON, coding == "gzip", self._scope(scope))

    def _scope(self, scope: Scope) -> Mapping[str, Any]:
        """Fields that the sender's key settles."""
        try:
            return scope_of(self._keys.admit(scope["headers"]).key)
        except Refusal as refusal:
            raise _Refused(refusal.status, 14 if refusal.status == 503 else 16, str(refusal)) from None

    async def _body(self, receive: Receive) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Left
            piece = message.get("body", b"")
            size += len(piece)
            if size > self._most_bytes:
                raise self._too_large()
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces)

    def _too_large(self) -> _Refused:
        return _Refused(413, 3, f"The request is larger than {self._most_bytes / 1e6:g} MB: see otlp.max_body_mb")

    def _book(self, asked: _Asked, body: bytes) -> Taken:
        """In a thread: a large request takes tens of milliseconds to read."""
        if asked.gzip:
            body = self._decompressed(body)
        try:
            return self._intake.take(asked.signal, body, as_json=asked.as_json, scope=asked.scope)
        except Unreadable as error:
            raise _Refused(400, 3, str(error)) from None
        except SpoolFull as error:
            raise _Refused(503, 14, str(error)) from None

    def _decompressed(self, body: bytes) -> bytes:
        decoder = zlib.decompressobj(wbits=31)
        try:
            plain = decoder.decompress(body, self._most_bytes + 1)
        except zlib.error:
            raise _Refused(400, 3, "The request is not in gzip, as it says") from None
        if len(plain) > self._most_bytes:
            raise self._too_large()
        if not decoder.eof:
            raise _Refused(400, 3, "The compressed request is cut")
        return plain


class _Left(Exception):  # noqa: N818
    """The sender went before its request was complete."""


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _media_type(header: bytes) -> str:
    return header.decode("latin-1").partition(";")[0].strip().lower()


async def _answer(send: Send, status: int, as_json: bool, body: bytes) -> None:
    headers = [
        (b"content-type", (_JSON if as_json else _BINARY).encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    if status in _RETRY_S:
        headers.append((b"retry-after", _RETRY_S[status]))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
