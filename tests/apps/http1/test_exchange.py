"""How an answer is written: one length or chunks, and never more or fewer bytes than announced."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httptools
import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from wire import Echo, talk

from mesure.apps.http1.refusal import Refusal, bad_request, refusal_answer

if TYPE_CHECKING:
    from mesure.apps.http1.exchange import Exchange

_REQUEST = b"%b / HTTP/1.1\r\nhost: a\r\n\r\n"


class Parsed:
    """An answer as a client's parser reads it."""

    def __init__(self, data: bytes) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False
        parser = httptools.HttpResponseParser(self)
        parser.feed_data(data)
        self.status = parser.get_status_code()

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, piece: bytes) -> None:
        self.body += piece

    def on_message_complete(self) -> None:
        self.complete = True


@pytest.mark.parametrize("status", [200, 201, 299, 302, 404, 429, 500, 529, 599, 999])
def test_a_whole_answer(status: int) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.respond(status, [(b"x-a", b"1"), (b"x-a", b"2")], b"body")

    parsed = Parsed(talk(Echo(answer), _REQUEST % b"GET").written)
    assert (parsed.status, parsed.body, parsed.complete) == (status, b"body", True)
    assert parsed.headers == [(b"x-a", b"1"), (b"x-a", b"2"), (b"content-length", b"4")]


@pytest.mark.parametrize(
    ("method", "status", "length", "expected"),
    [
        (b"HEAD", 200, None, [(b"content-length", b"4")]),
        (b"HEAD", 200, 1234, [(b"content-length", b"1234")]),
        (b"GET", 204, None, []),
        (b"GET", 304, None, [(b"content-length", b"4")]),
        (b"GET", 304, 77, [(b"content-length", b"77")]),
    ],
)
def test_answers_without_a_body(method: bytes, status: int, length: int | None, expected: object) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.respond(status, [], b"body", length)

    async def streamed(exchange: Exchange) -> None:
        exchange.start(status, [], length if length is not None else 4)
        await exchange.send(b"bo")
        exchange.end(b"dy")

    for how_answered in (answer, streamed):
        wire = talk(Echo(how_answered), _REQUEST % method)
        head, _, body = wire.written.partition(b"\r\n\r\n")
        assert body == b""
        fields = [tuple(line.split(b": ")) for line in head.split(b"\r\n")[1:]]
        assert fields == expected
        assert not wire.closed


def test_a_length_that_is_not_known_goes_in_chunks() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.start(200, [], None)
        await exchange.send(b"")  # nothing: an empty chunk would end the body
        await exchange.send(b"abc")
        exchange.end()

    wire = talk(Echo(answer), _REQUEST % b"GET")
    assert wire.written.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert not wire.closed


def test_to_http_1_0_it_goes_until_the_end() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.start(200, [], None)
        await exchange.send(b"abc")
        exchange.end(b"de")

    wire = talk(Echo(answer), b"GET / HTTP/1.0\r\n\r\n")
    assert wire.written == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nabcde"
    assert wire.closed


@pytest.mark.parametrize(
    ("announced", "pieces", "body", "cut"),
    [
        (5, [b"abc", b"de"], b"abcde", False),
        (5, [b"abc"], b"abc", True),
        (5, [], b"", True),
        (2, [b"abc", b"de"], b"ab", False),  # what exceeds the length would be the next answer
        (0, [b"abc"], b"", False),
        (0, [], b"", False),
    ],
)
def test_what_was_announced_is_what_comes(announced: int, pieces: list[bytes], body: bytes, cut: bool) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.start(200, [], announced)
        for piece in pieces:
            await exchange.send(piece)
        exchange.end()

    wire = talk(Echo(answer), _REQUEST % b"GET")
    assert wire.written.partition(b"\r\n\r\n")[2] == body
    assert wire.closed is cut


def test_an_answer_is_ended_once() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.start(200, [], None)
        exchange.end(b"a")
        exchange.end(b"b")
        exchange.cut()
        await exchange.send(b"c")

    wire = talk(Echo(answer), _REQUEST % b"GET", _REQUEST % b"GET")
    assert wire.written.count(b"1\r\na\r\n0\r\n\r\n") == 2
    assert not {b"b", b"c"} & set(wire.written.split(b"\r\n"))
    assert not wire.closed


@how(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8), st.booleans())
def test_a_client_reads_what_was_sent(pieces: list[bytes], known: bool) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.start(200, [], sum(map(len, pieces)) if known else None)
        for piece in pieces:
            await exchange.send(piece)
        exchange.end()

    parsed = Parsed(talk(Echo(answer), _REQUEST % b"GET").written)
    assert parsed.body == b"".join(pieces)
    assert parsed.complete


def test_a_refusal_has_three_parts_and_the_shape_clients_know() -> None:
    refusal = Refusal(429, "too_many", "Too many", action="Wait", value=12, nearest=("a",))
    headers, body = refusal_answer(refusal)
    error = json.loads(body)["error"]
    assert dict(headers)[b"x-mesure-error"] == b"too_many"
    assert error["mesure"] == {"code": "too_many", "what": "Too many", "value": 12, "action": "Wait", "nearest": ["a"]}
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "too_many", None)
    assert json.loads(refusal_answer(bad_request("x"))[1])["error"]["message"].startswith("This is not a request")
    assert json.loads(refusal_answer(Refusal(502, "c", "w", action="a"))[1])["error"]["type"] == "server_error"
