"""Which headers travel: the client's to the provider, the provider's to the client, and ours to neither by accident."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "INSECURE_KEY",
    "PROTOCOLS",
    "WITHHELD",
    "Pairs",
    "Request",
    "answer_headers",
    "handshake_headers",
    "offered",
    "read_request",
]

Pairs = list[tuple[bytes, bytes]]

#: Meant for one connection only (RFC 9110, 7.6.1).
_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
#: Written anew for the provider, or meant for this server: its cookies belong to its pages.
_NOT_SENT = _HOP | {b"host", b"content-length", b"accept-encoding", b"expect", b"cookie", b"origin", b"referer"}
#: Cookies of a provider would land on this server's own name.
_NOT_RETURNED = _HOP | {b"content-length", b"set-cookie"}
_OURS = b"x-mesure-"
#: Where clients of the various wires put their key: a configured one takes the place of all.
_KEYS = frozenset({b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"})
_NONE: frozenset[bytes] = frozenset()
_IDENTITY = (b"accept-encoding", b"identity")


class Request(NamedTuple):
    """A request's headers, sorted by what they are for."""

    sent: Pairs  # to the provider
    ours: dict[bytes, bytes]  # x-mesure-*, without the prefix
    host: bytes
    origin: bytes | None
    length: int | None
    coding: bytes
    content_type: str
    trace: bytes | None


def read_request(headers: Pairs, key: bytes, key_header: bytes = b"authorization") -> Request:
    """Sort lower-case header pairs; a configured `key` takes the place of the client's, in the provider's header."""
    given = dict(headers)
    named = _named_by_connection(headers) if b"connection" in given else _NONE
    sent: Pairs = []
    ours: dict[bytes, bytes] = {}
    for pair in headers:
        name = pair[0]
        if name.startswith(_OURS):
            ours[name[len(_OURS) :]] = pair[1]
        elif name not in _NOT_SENT and name not in named and not (key and name in _KEYS):
            sent.append(pair)
    sent.append(_IDENTITY)
    if key:
        sent.append((key_header, b"Bearer " + key if key_header == b"authorization" else key))
    length = given.get(b"content-length")
    return Request(
        sent,
        ours,
        given.get(b"host", b""),
        given.get(b"origin"),
        int(length) if length and length.isdigit() else None,
        given.get(b"content-encoding", b""),
        given.get(b"content-type", b"").decode("latin-1"),
        given.get(b"traceparent"),
    )


def answer_headers(raw: Pairs, key: bytes) -> Pairs:
    """The provider's headers (names in lower case) for the client: without those of the connection, never our key."""
    kept: Pairs = []
    named = _named_by_connection(raw)
    for name, value in raw:
        if name in _NOT_RETURNED or name in named or name.startswith(_OURS):
            continue
        kept.append((name, value.replace(key, WITHHELD) if key and key in value else value))
    return kept


def handshake_headers(sent: Pairs, *, keyed: bool) -> Pairs:
    """Headers to a provider that is asked for WebSocket: nothing compressed is agreed on, so that texts can be read; a
    configured key (`keyed`) takes the place of one that a browser put among its protocols."""
    kept: Pairs = []
    for name, value in sent:
        if name == PROTOCOLS and keyed:
            value = b", ".join(word for word in offered(value) if not word.startswith(INSECURE_KEY))
        if name != b"sec-websocket-extensions" and (value or name != PROTOCOLS):
            kept.append((name, value))
    return [*kept, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


def offered(protocols: bytes) -> list[bytes]:
    """The words of a list of protocols."""
    return [word for part in protocols.split(b",") if (word := part.strip())]


WITHHELD = b"[key withheld]"
PROTOCOLS = b"sec-websocket-protocol"
#: Browsers can set no other header of a WebSocket: OpenAI takes keys there.
INSECURE_KEY = b"openai-insecure-api-key."


def _named_by_connection(headers: Pairs) -> frozenset[bytes]:
    values = [value for name, value in headers if name == b"connection"]
    return frozenset(token.strip().lower() for value in values for token in value.split(b",")) if values else _NONE
