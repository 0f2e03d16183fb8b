"""Bytes of a client made into requests: nothing of a request is used that two servers could read differently."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple, Protocol

import httptools

from mesure.apps.http1 import refusal as refusals
from mesure.apps.http1.refusal import Refusal, place_of

if TYPE_CHECKING:
    from mesure.apps.http1.exchange import Pairs

__all__ = ["Head", "RequestReader"]

log = logging.getLogger("mesure.http")

#: Framing may weigh this many times the body, and this much at once: more is an attack, or a client to be corrected.
_FRAMING_TIMES = 16
_FRAMING_BYTES = 1 << 20
_VERSIONS = ("1.1", "1.0")


class Head(NamedTuple):
    """What comes before a body. `target` is path and query; header names are in lower case."""

    method: str
    target: bytes
    headers: Pairs
    old: bool  # HTTP/1.0
    keep_alive: bool
    expects_continue: bool
    websocket: bool = False  # what comes after it is no HTTP, if it is accepted


class _Taker(Protocol):
    def begun(self) -> None:
        """The first byte of a request has come."""
        ...

    def head(self, head: Head) -> None:
        """Raises `Refusal` when the body need not be read."""
        ...

    def complete(self, body: bytes) -> None: ...

    def beyond(self, data: bytes) -> None:
        """Bytes that came with a request for WebSocket, after it: `feed` takes no more."""
        ...


class RequestReader:
    """Hands each request to `taker` as it comes; `feed` raises `Refusal`, after which nothing more may be fed."""

    def __init__(self, head_bytes: int, body_bytes: int, taker: _Taker) -> None:
        self._most_head, self._most_body = head_bytes, body_bytes
        self._taker = taker
        self._parser = httptools.HttpRequestParser(self)
        self.in_head = self.in_body = False
        self._url = b""
        self._headers: Pairs = []
        self._hosts = 0
        self._head_size = 0  # of its fields
        self._head_fed = 0  # bytes of the head that came in earlier reads
        self._fed = self._size = 0  # bytes since the head, those of the body
        self._body: list[bytes] = []
        self._framing: bytes | None = None  # of a request whose upgrade is declined
        self._resuming = self._websocket = False

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
            if self._websocket:
                self._taker.beyond(rest)
            else:
                self._go_on_without_upgrade(rest)
        except httptools.HttpParserError as error:
            raise _refusal_of(error) from None
        if self.in_head:
            self._head_fed += len(data)
            if self._head_fed > self._most_head:
                raise refusals.head_too_large(self._most_head)
        elif self.in_body:
            self._fed += len(data)
            if self._fed > _FRAMING_BYTES + _FRAMING_TIMES * self._size:
                raise refusals.bad_request("more framing than body")

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """The parser left its protocol, body unread: another takes the body up, under a head with its framing."""
        framing, self._framing = self._framing, None
        if framing is None:
            raise refusals.bad_request("bytes after an upgrade that was not asked for")
        self._parser = httptools.HttpRequestParser(self)
        self._resuming = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")
        self._resuming = False
        if rest:
            self.feed(rest)

    # --- called by the parser ---

    def on_message_begin(self) -> None:
        if self._resuming:
            return
        self._url, self._headers = b"", []
        self._hosts = self._head_size = self._head_fed = 0
        self.in_head = True
        self._taker.begun()

    def on_url(self, url: bytes) -> None:
        if not self._resuming:
            self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.in_head:
            return  # of a head that was read before, or after the body: nothing there may change the request
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        self._head_size += len(name) + len(value) + 4  # and what parts them
        self._headers.append((name, value.rstrip(b" \t") if value[-1:] in (b" ", b"\t") else value))

    def on_headers_complete(self) -> None:
        if self._resuming:
            return
        self.in_head, self.in_body = False, True
        self._fed = self._size = 0
        parser, version, given = self._parser, self._parser.get_http_version(), dict(self._headers)
        self._check_head(version, given)
        if parser.should_upgrade():
            self._websocket = self._asks_websocket(given, version)
            if not self._websocket:
                self._decline_upgrade(given)
        expects = given.get(b"expect", b"").lower() == b"100-continue" and version == "1.1"
        method = parser.get_method().decode("ascii")
        keep_alive = parser.should_keep_alive() and not self._websocket
        self._taker.head(Head(method, self._url, self._headers, version == "1.0", keep_alive, expects, self._websocket))
        if int(given.get(b"content-length", b"0")) > self._most_body:
            raise refusals.body_too_large(self._most_body)

    def _check_head(self, version: str, given: dict[bytes, bytes]) -> None:
        """What the parser lets pass and no two servers read alike."""
        if version not in _VERSIONS:
            raise refusals.unsupported_version(version)
        if len(self._url) + self._head_size > self._most_head:
            raise refusals.head_too_large(self._most_head)
        if self._url[:1] != b"/" or b"#" in self._url:
            raise refusals.bad_request("the target is not a path")
        if self._hosts > 1:
            raise refusals.bad_request("more than one Host header")
        coding = given.get(b"transfer-encoding")
        if coding is not None and (version != "1.1" or coding.lower() != b"chunked"):
            raise refusals.bad_request("a transfer coding other than chunked")

    def _asks_websocket(self, given: dict[bytes, bytes], version: str) -> bool:
        """RFC 6455, 4.1. Raises `Refusal` for one that no two servers would answer alike."""
        if given.get(b"upgrade", b"").strip().lower() != b"websocket":
            return False
        bare = b"transfer-encoding" not in given and int(given.get(b"content-length", b"0")) == 0
        if version != "1.1" or self._parser.get_method() != b"GET" or not bare:
            raise refusals.bad_request("a WebSocket is asked for by a bare GET of HTTP/1.1")
        return True

    def _decline_upgrade(self, given: dict[bytes, bytes]) -> None:
        if b"transfer-encoding" in given:
            self._framing = b"transfer-encoding: chunked\r\n"
        else:
            self._framing = b"content-length: %d\r\n" % int(given.get(b"content-length", b"0"))

    def on_body(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._most_body:
            raise refusals.body_too_large(self._most_body)
        self._body.append(piece)

    def on_message_complete(self) -> None:
        if self._framing is not None:  # of the head alone: its body is still to come
            return
        self.in_body = False
        body, self._body = self._body, []
        self._taker.complete(body[0] if len(body) == 1 else b"".join(body))


def _refusal_of(error: httptools.HttpParserError) -> Refusal:
    if not isinstance(error, httptools.HttpParserCallbackError):
        return refusals.bad_request(str(error))
    cause = error.__context__
    if isinstance(cause, Refusal):
        return cause
    if cause is not None:
        log.error("A request could not be read: %s (%s)", type(cause).__name__, place_of(cause))
    return refusals.unexpected()
