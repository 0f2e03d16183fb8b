"""The way to providers. Everything the gateway knows of its HTTP client is in this file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mesure.apps.gateway import refusals
from mesure.apps.gateway.headers import answer_headers
from mesure.apps.http1.dialing import Unreachable
from mesure.apps.http1.outgoing import BAD_ANSWER, TIMEOUT, BrokenOff
from mesure.apps.http1.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from mesure.apps.gateway.headers import Pairs
    from mesure.apps.gateway.providers import Provider, Route
    from mesure.apps.http1.outgoing import Outgoing
    from mesure.apps.http1.refusal import Refusal

__all__ = ["Answer", "BrokenOff", "Upstreams"]

#: Methods whose requests say that they have no body (RFC 9110, 8.6).
_WITH_LENGTH = ("POST", "PUT", "PATCH")


class Answer:
    """A provider's answer, whose body is read piece by piece, exactly as it was sent."""

    __slots__ = ("_connection", "close", "coding", "headers", "length", "media_type", "next_piece", "status")

    def __init__(self, connection: Outgoing, key: bytes) -> None:
        self._connection = connection
        self.status = connection.status
        self.headers: Pairs = answer_headers(connection.headers, key)
        given = dict(connection.headers)
        self.media_type = given.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        self.coding = given.get(b"content-encoding", b"").decode("latin-1")
        length = given.get(b"content-length", b"")
        self.length = int(length) if length.isdigit() else None
        #: `await next_piece()`: what has arrived since the last call; empty at the end. Raises `BrokenOff`.
        self.next_piece = connection.next_piece
        #: Give the connection back when the answer was read to its end, else cut it: the provider stops working.
        self.close = connection.release


class Upstreams:
    """One pool of connections for all providers. Redirects are not followed, nothing is decoded, no cookie is kept."""

    def __init__(self) -> None:
        self._pool = Pool()

    @property
    def repeated(self) -> int:
        """Requests sent again because the provider had closed an idle connection."""
        return self._pool.repeated

    async def startup(self, providers: Iterable[Provider] = ()) -> None:
        self._pool.start()
        if any(provider.origin.tls for provider in providers):
            await asyncio.to_thread(self._pool.dialler.load_certificates)

    async def shutdown(self) -> None:
        await self._pool.close()

    async def call(self, route: Route, method: str, headers: Pairs, body: bytes) -> Answer:
        """Send one request to the route's address. Raises `Refusal` when no answer comes."""
        provider = route.provider
        head = _head(route, method, headers, len(body) if body or method in _WITH_LENGTH else None)
        connection = await _reached(self._pool.request(provider.origin, method, head, body, provider.waits), provider)
        return Answer(connection, provider.key.encode())

    async def switched(self, route: Route, headers: Pairs) -> Outgoing:
        """Ask the route's address for WebSocket; `raw` tells whether it agreed. Raises `Refusal`."""
        provider = route.provider
        head = _head(route, "GET", headers, None)
        return await _reached(self._pool.switched(provider.origin, head, provider.waits), provider)


async def _reached(asking: Awaitable[Outgoing], provider: Provider) -> Outgoing:
    try:
        return await asking
    except TimeoutError:
        late = f"no connection within {provider.waits.connect_s:g} s"
        raise refusals.provider_unreachable(provider.name, late) from None
    except Unreachable as error:
        raise refusals.provider_unreachable(provider.name, error.reason) from None
    except BrokenOff as broken:
        raise _refusal_of(broken, provider) from None


def _refusal_of(broken: BrokenOff, provider: Provider) -> Refusal:
    if broken.reason == TIMEOUT:
        return refusals.provider_timeout(provider.name, provider.waits.first_s)
    if broken.reason == BAD_ANSWER:
        return refusals.provider_bad_answer(provider.name)
    return refusals.provider_disconnected(provider.name)


def _head(route: Route, method: str, headers: Pairs, length: int | None) -> bytes:
    parts = [method.encode("ascii"), b" ", route.target, b" HTTP/1.1\r\nhost: ", route.provider.authority, b"\r\n"]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    if length is not None:
        parts.append(b"content-length: %d\r\n" % length)
    parts.append(b"\r\n")
    return b"".join(parts)
