"""Which headers travel: the client's to the provider, the provider's to the client, and ours to neither by accident."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Pairs", "Request", "answer_headers", "read_request"]

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


class Request(NamedTuple):
    """A request's headers, sorted by what they are for."""

    sent: list[tuple[str, str]]  # to the provider
    ours: dict[bytes, bytes]  # x-mesure-*, without the prefix
    host: bytes
    origin: bytes | None
    length: int | None
    coding: bytes
    content_type: str
    trace: bytes | None


def read_request(headers: Iterable[tuple[bytes, bytes]], key: str, key_header: str = "authorization") -> Request:
    """Sort lower-case header pairs; a configured `key` takes the place of the client's, in the provider's header."""
    pairs = list(headers)
    given = dict(pairs)
    named = _named_by_connection(given.get(b"connection"))
    sent: list[tuple[str, str]] = []
    ours: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name.startswith(_OURS):
            ours[name[len(_OURS) :]] = value
        elif name not in _NOT_SENT and name not in named and not (key and name in _KEYS):
            sent.append((name.decode("latin-1"), value.decode("latin-1")))
    sent.append(("accept-encoding", "identity"))
    if key:
        sent.append((key_header, f"Bearer {key}" if key_header == "authorization" else key))
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


def answer_headers(raw: Sequence[tuple[bytes, bytes]], key: bytes) -> Pairs:
    """The provider's headers for the client: lower case, without those of the connection, never with our key."""
    kept: Pairs = []
    named = _named_by_connection(next((value for name, value in raw if name.lower() == b"connection"), None))
    for name, value in raw:
        lower = name.lower()
        if lower in _NOT_RETURNED or lower in named or lower.startswith(_OURS):
            continue
        kept.append((lower, value.replace(key, WITHHELD) if key and key in value else value))
    return kept


WITHHELD = b"[key withheld]"


def _named_by_connection(value: bytes | None) -> frozenset[bytes]:
    if not value or value.lower() in (b"keep-alive", b"close"):
        return frozenset()
    return frozenset(token.strip().lower() for token in value.split(b","))
