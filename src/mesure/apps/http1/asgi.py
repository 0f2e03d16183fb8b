"""An ASGI application as one that answers: its requests are read whole before it is called."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mesure.apps.http1.refusal import unexpected

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

    from mesure.apps.http1.exchange import Exchange, Pairs

__all__ = ["PEER", "AsgiService"]

log = logging.getLogger("mesure.http")

#: Whom a request is from that another process passed on, as "port address".
PEER = b"x-mesure-peer"
_NOT_IN_A_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class AsgiService:
    """Implements `Service`. An application that fails is logged with its trace: no call of a customer passes here.

    `forwarded`: requests come from another process alone, which says whom they are from.
    """

    def __init__(self, app: ASGIApp, server: tuple[str, int] | None = None, *, forwarded: bool = False) -> None:
        self._app = app
        self._server = server
        self._forwarded = forwarded

    def admit(self, exchange: Exchange) -> None:
        """Every request is taken: the application refuses what it does not serve."""

    def abandoned(self, exchange: Exchange) -> None:
        """Nothing was begun."""

    async def answer(self, exchange: Exchange) -> None:
        talk = _Talk(exchange)
        try:
            await self._app(self._scope(exchange), talk.receive, talk.send)
        except Exception:
            if not exchange.left:
                log.exception("A page failed.")
            if not exchange.started:
                exchange.refuse(unexpected())

    def _scope(self, exchange: Exchange) -> dict[str, Any]:
        raw_path, _, query = exchange.target.partition(b"?")
        client, headers = exchange.client, exchange.headers
        if self._forwarded:
            client = _peer_of(headers)
            headers = [pair for pair in headers if pair[0] != PEER]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": exchange.method,
            "scheme": "http",
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": client,
            "server": self._server,
            "state": {},
        }


class _Talk:
    """The messages of one request. Sending to a client that left raises `OSError`, as ASGI 2.4 asks."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._given = False
        self._over = asyncio.Event()
        self._start: Message | None = None
        exchange.on_left = self._over.set

    async def receive(self) -> Message:
        if self._given:
            await self._over.wait()
            return {"type": "http.disconnect"}
        self._given = True
        return {"type": "http.request", "body": self._exchange.body, "more_body": False}

    async def send(self, message: Message) -> None:
        exchange = self._exchange
        if exchange.left:
            raise OSError("the client left")
        if message["type"] == "http.response.start":
            self._start = message
            return
        body, more = message.get("body", b""), message.get("more_body", False)
        start, self._start = self._start, None
        if start is not None:
            headers, length = _headers(start)
            if not more:
                exchange.respond(start["status"], headers, body, length if exchange.method == "HEAD" else None)
                self._over.set()
                return
            exchange.start(start["status"], headers, length)
        if more:
            await exchange.send(body)
        else:
            exchange.end(body)
            self._over.set()


def _peer_of(headers: Pairs) -> tuple[str, int] | None:
    port, _, host = dict(headers).get(PEER, b"").decode("ascii").partition(" ")
    return (host, int(port)) if host else None


def _headers(start: Message) -> tuple[Pairs, int | None]:
    """The application's headers without those of framing, and the length it announces."""
    kept: Pairs = []
    length = None
    for name, value in start.get("headers", ()):
        lower = name.lower()
        if _NOT_IN_A_VALUE.search(value):
            raise ValueError("a header holds a line break or a control character")
        if lower == b"content-length":
            length = int(value)
        elif lower not in (b"transfer-encoding", b"connection"):
            kept.append((lower, value))
    return kept, length
