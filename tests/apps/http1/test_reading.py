"""What is taken for a request, and what is refused before anything of it is used."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import settings as how
from hypothesis import strategies as st
from wire import Echo, Wire, cut, statuses, talk

from mesure.apps.http1.serving import Limits

_POST = b"POST /v1/x HTTP/1.1\r\nhost: a\r\n"


def _body_of(wire: Wire) -> dict[str, str]:
    return dict(json.loads(wire.written.partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        # Two lengths, or a length nobody can agree on
        (_POST + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc", 400),
        (_POST + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400),
        (_POST + b"content-length: 3, 3\r\n\r\nabc", 400),
        (_POST + b"content-length: +3\r\n\r\nabc", 400),
        (_POST + b"content-length: 0x3\r\n\r\nabc", 400),
        (_POST + b"content-length: -1\r\n\r\nabc", 400),
        (_POST + b"content-length:\r\n\r\nabc", 400),
        (_POST + b"content-length: 99999999999999999999999\r\n\r\nabc", 400),
        (_POST + b"content-length: 18446744073709551615\r\n\r\nabc", 413),
        # Transfer codings
        (_POST + b"transfer-encoding: gzip\r\n\r\nabc", 400),
        (_POST + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: identity\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        # Chunks
        (_POST + b"transfer-encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
        (_POST + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400),
        # Lines and fields
        (_POST + b"x-a: b\r\n c\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nhost: a\n\n", 400),
        (b"GET / HTTP/1.1\r\nx: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: a\x1bb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n x: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n", 400),
        # Targets, methods, versions
        (b"GET http://other.example/v1/x HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET /v1/x#y HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET /v1/\xc3\xa9 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"CONNECT other.example:443 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"BREW /pot HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nhost: a\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nhost: a\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"SSH-2.0-OpenSSH_9.6\r\n", 400),
        # Upgrades
        (b"GET /v1/realtime HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n\r\n", 501),
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_what_is_refused(request_bytes: bytes, status: int, bytewise: bool) -> None:
    """Whatever follows the request in doubt is thrown away, however the bytes are cut."""
    service = Echo()
    data = request_bytes + b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
    wire = talk(service, *([data[at : at + 1] for at in range(len(data))] if bytewise else [data]))
    assert statuses(wire.written) == [status]
    assert b"connection: close\r\n" in wire.written
    assert service.seen == []
    error = json.loads(wire.written.partition(b"\r\n\r\n")[2])["error"]
    assert error["mesure"]["action"]
    assert wire.ended or wire.closed


@pytest.mark.parametrize(
    ("request_bytes", "body"),
    [
        (_POST + b"content-length: 3\r\n\r\nabc", "abc"),
        (_POST + b"content-length: 0\r\n\r\n", ""),
        (_POST + b"\r\n", ""),
        (_POST + b"transfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde"),
        (_POST + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nhost: evil\r\nx-t: 1\r\n\r\n", "abc"),
        (b"\r\n\r\n" + _POST + b"content-length: 1\r\n\r\na", "a"),
        (b"POST /v1/x HTTP/1.0\r\ncontent-length: 2\r\n\r\nab", "ab"),
        # Upgrades that are declined: the request is answered as the HTTP/1.1 that it is
        (_POST + b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc", "abc"),
        (_POST + b"connection: upgrade\r\nupgrade: h2c\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "a"),
        (_POST + b"connection: upgrade\r\nupgrade: TLS/1.0\r\n\r\n", ""),
        (_POST + b"upgrade: websocket\r\ncontent-length: 1\r\n\r\na", "a"),  # not asked for by `connection`
    ],
)
@pytest.mark.parametrize("bytewise", [False, True])
def test_what_is_answered(request_bytes: bytes, body: str, bytewise: bool) -> None:
    service = Echo()
    pieces = [request_bytes[at : at + 1] for at in range(len(request_bytes))] if bytewise else [request_bytes]
    wire = talk(service, *pieces)
    assert statuses(wire.written) == [200]
    assert _body_of(wire) == {"method": "POST", "target": "/v1/x", "body": body}


def test_a_request_after_a_declined_upgrade_is_answered_too() -> None:
    upgrade = _POST + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc"
    service = Echo()
    wire = talk(service, upgrade + b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n")
    assert service.seen == [b"/v1/x", b"/next"]
    assert statuses(wire.written) == [200, 200]


def test_trailers_change_nothing() -> None:
    service = Echo()
    talk(service, _POST + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nhost: evil\r\nx-mesure-team: x\r\n\r\n")
    assert service.exchanges[0].headers == [(b"host", b"a"), (b"transfer-encoding", b"chunked")]


def test_spaces_around_a_value_are_not_the_value() -> None:
    service = Echo()
    talk(service, b"GET / HTTP/1.1\r\nHost:  a \t\r\nX-Empty:\r\n\r\n")
    assert service.exchanges[0].headers == [(b"host", b"a"), (b"x-empty", b"")]


_SMALL = Limits(head_bytes=1000, body_bytes=1000)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 2000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 2000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"x-%d: y\r\n" % index for index in range(200)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nx: " + b"y" * 2000, 431),  # and never an end
        (b"GET /" + b"y" * 2000, 431),
        (_POST + b"content-length: 1001\r\n\r\n", 413),
        (_POST + b"transfer-encoding: chunked\r\n\r\n3e9\r\n" + b"b" * 1001, 413),
        (_POST + b"transfer-encoding: chunked\r\n\r\n" + b"1;" + b"e" * 40 + b"\r\nb\r\n" * 1, 200),
    ],
)
@pytest.mark.parametrize("size", [7, 100, 1 << 20])
def test_limits(data: bytes, status: int, size: int) -> None:
    if status == 200:
        data += b"0\r\n\r\n"
    wire = talk(Echo(), *[data[at : at + size] for at in range(0, len(data), size)], limits=_SMALL)
    assert statuses(wire.written) == [status]


def test_framing_that_outweighs_its_body_is_refused() -> None:
    """Extensions of chunks and trailers are read by nobody, and cost as much as what is."""
    endless = (b"1;" + b"e" * 5_000 + b"\r\nb\r\n") * 250
    wire = talk(Echo(), _POST + b"transfer-encoding: chunked\r\n\r\n", endless)
    assert statuses(wire.written) == [400]
    trailer = b"1\r\nb\r\n0\r\nx: " + b"t" * (1 << 20)
    wire = talk(Echo(), _POST + b"transfer-encoding: chunked\r\n\r\n", trailer, b"t" * 100)
    assert statuses(wire.written) == [400]


def test_a_body_in_tiny_chunks_is_no_attack() -> None:
    body = b"".join(b"1\r\nb\r\n" for _ in range(200_000))
    wire = talk(Echo(), _POST + b"transfer-encoding: chunked\r\n\r\n", body, b"0\r\n\r\n")
    assert statuses(wire.written) == [200]


# Fuzz

_NAMES = st.sampled_from(
    ["host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "x-a", "te"]
)
_VALUES = st.one_of(
    st.sampled_from(["3", "0", "chunked", "close", "upgrade", "h2c", "websocket", "100-continue", "a", "keep-alive"]),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=12),
)
_LINES = st.sampled_from(
    [b"GET / HTTP/1.1\r\n", b"POST /v1/x HTTP/1.1\r\n", b"HEAD /h HTTP/1.0\r\n", b"CONNECT a:1 HTTP/1.1\r\n"]
)


@st.composite
def _requests(draw: st.DrawFn) -> bytes:
    """Nearly requests: the grammar, with anything in its places."""
    fields = draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=5))
    body = draw(st.one_of(st.binary(max_size=20), st.just(b"3\r\nabc\r\n0\r\n\r\n"), st.just(b"abc")))
    head = b"".join(name.encode() + b": " + value.encode("latin-1") + b"\r\n" for name, value in fields)
    return draw(_LINES) + head + b"\r\n" + body


@how(max_examples=400, deadline=None)
@example([b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2], [5])
@given(st.lists(st.one_of(_requests(), st.binary(max_size=60)), min_size=1, max_size=4), st.lists(st.integers(0, 500)))
def test_any_bytes_are_answered_or_refused_alike_however_they_arecut(parts: list[bytes], places: list[int]) -> None:
    data = b"".join(parts)
    whole, pieces = Echo(), Echo()
    one, other = talk(whole, data), talk(pieces, *cut(data, places))
    assert whole.seen == pieces.seen
    assert whole.bodies == pieces.bodies
    assert [status for status in statuses(one.written) if status != 100] == [
        status for status in statuses(other.written) if status != 100
    ]
    assert 500 not in statuses(one.written)


@how(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.lists(st.integers(0, 2_000)), st.booleans())
def test_requests_cut_anywhere_are_answered_in_order(bodies: list[bytes], places: list[int], chunked: bool) -> None:
    def framed(body: bytes) -> bytes:
        if not chunked:
            return b"content-length: %d\r\n\r\n" % len(body) + body
        chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[at : at + 1]) for at in range(len(body)))
        return b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    data = b"".join(b"POST /%d HTTP/1.1\r\nhost: a\r\n" % place + framed(body) for place, body in enumerate(bodies))
    service = Echo()
    wire = talk(service, *cut(data, places))
    assert service.bodies == bodies
    assert service.seen == [b"/%d" % place for place in range(len(bodies))]
    assert statuses(wire.written) == [200] * len(bodies)
    assert not wire.closed
