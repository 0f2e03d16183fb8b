"""The connection to providers. Everything the gateway knows of its HTTP client is in this file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from mesure.apps.gateway import refusals
from mesure.apps.gateway.headers import answer_headers

if TYPE_CHECKING:
    from mesure.apps.gateway.headers import Pairs
    from mesure.apps.gateway.providers import Route

__all__ = ["Answer", "BrokenOff", "Upstreams"]

_CONNECT_S = 30.0
#: The client warns on larger bodies given as bytes: it writes them in one piece.
_ONE_PIECE = 512 << 10
_URLS: dict[str, URL] = {}
_OWN_HEADERS = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class BrokenOff(Exception):  # noqa: N818  (an ending, told by the provider)
    """The provider's answer ended before its end. `rest` is what had arrived and was not read yet."""

    def __init__(self, rest: bytes, reason: str) -> None:
        super().__init__(reason)
        self.rest = rest
        self.reason = reason


class Answer:
    """A provider's answer, whose body is read piece by piece, exactly as it was sent."""

    __slots__ = ("_response", "coding", "headers", "length", "media_type", "status")

    def __init__(self, response: aiohttp.ClientResponse, key: bytes) -> None:
        self._response = response
        self.status: int = response.status
        self.headers: Pairs = answer_headers(response.raw_headers, key)
        given = response.headers
        self.media_type = given.get("content-type", "").partition(";")[0].strip().lower()
        self.coding = given.get("content-encoding", "")
        length = given.get("content-length", "")
        self.length = int(length) if length.isascii() and length.isdigit() else None

    async def next_piece(self) -> bytes:
        """What has arrived since the last call, at least one byte; empty at the end. Raises `BrokenOff`."""
        content = self._response.content
        try:
            return await content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            # The reader refuses to hand over what it still holds once the connection broke: the client gets it anyway.
            rest = content._read_nowait(-1) if isinstance(content, aiohttp.StreamReader) else b""
            reason = "provider_timeout" if isinstance(error, TimeoutError) else "provider_disconnected"
            raise BrokenOff(rest, reason) from None

    def close(self) -> None:
        """Give the connection back when the answer was read to its end, else cut it: the provider stops working."""
        self._response.close()


class Upstreams:
    """One pool of connections for all providers. Redirects are not followed, nothing is decoded, no cookie is kept."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    async def startup(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=15.0),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=_OWN_HEADERS,
            max_line_size=64 << 10,
            max_field_size=64 << 10,
        )

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, route: Route, method: str, headers: list[tuple[str, str]], body: bytes) -> Answer:
        """Send one request to the route's address. Raises `Refusal` when no answer comes."""
        if self._session is None:
            await self.startup()
        assert self._session is not None
        provider = route.provider
        try:
            response = await self._session.request(
                method,
                _url(route.url),
                headers=headers,
                data=_payload(body),
                allow_redirects=False,
                timeout=self._timeout(provider.settings.timeout_s),
            )
        except TimeoutError:
            raise refusals.provider_timeout(provider.name, provider.settings.timeout_s) from None
        except aiohttp.ClientConnectorError as error:
            raise refusals.provider_unreachable(provider.name, _reason(error)) from None
        except (aiohttp.ClientError, OSError):
            raise refusals.provider_disconnected(provider.name) from None
        return Answer(response, provider.key.encode())

    def _timeout(self, seconds: float) -> aiohttp.ClientTimeout:
        known = self._timeouts.get(seconds)
        if known is None:
            known = aiohttp.ClientTimeout(sock_connect=min(seconds, _CONNECT_S), sock_read=seconds)
            self._timeouts[seconds] = known
        return known


def _url(address: str) -> URL:
    known = _URLS.get(address)
    if known is None:
        known = URL(address, encoded=True)
        if len(_URLS) < 1024 and "?" not in address:
            _URLS[address] = known
    return known


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    if not body:
        return None
    return body if len(body) <= _ONE_PIECE else io.BytesIO(body)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return "its certificate or TLS set-up is not accepted"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    return "connection refused or no route"
