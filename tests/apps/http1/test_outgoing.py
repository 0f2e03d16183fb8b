"""Answers of other servers: read exactly, within bounds, and never mistaken for another's."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from wire import Wire, cut, turns

from mesure.apps.http1.outgoing import BAD_ANSWER, DISCONNECTED, TIMEOUT, BrokenOff, Outgoing, Waits
from mesure.apps.http1.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class Told:
    """What a caller got of an answer."""

    status = 0
    headers: list[tuple[bytes, bytes]]
    body = b""
    broken = ""
    complete = False


async def _read(connection: Outgoing) -> Told:
    told = Told()
    try:
        await connection.answered()
        told.status, told.headers = connection.status, connection.headers
        while piece := await connection.next_piece():
            told.body += piece
        told.complete = True
    except BrokenOff as broken:
        told.broken = broken.reason
    return told


def _asked(*, method: bytes = b"GET") -> tuple[Outgoing, Wire]:
    connection = Outgoing(Pool())
    wire = Wire(connection).connect()
    connection.send(
        method + b" / HTTP/1.1\r\n\r\n", b"", skips_body=method == b"HEAD", waits=Waits(first_s=10.0, between_s=10.0)
    )
    return connection, wire


def answered(*pieces: bytes, end: str = "", method: bytes = b"GET") -> tuple[Told, Outgoing, Wire]:
    """A request whose answer came in `pieces`, and then perhaps an `end` of the connection."""

    async def run() -> tuple[Told, Outgoing, Wire]:
        connection, wire = _asked(method=method)
        task = asyncio.ensure_future(_read(connection))
        for piece in pieces:
            wire.receive(piece)
            await turns(2)
        if end:
            getattr(wire, end)()
        await turns()
        if not task.done():
            task.cancel()
            told = Told()
            await asyncio.gather(task, return_exceptions=True)
            return told, connection, wire
        return task.result(), connection, wire

    return asyncio.run(run())


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


_OK = b"HTTP/1.1 200 OK\r\n"
_GO = b"HTTP/1.1 100 Go\r\n\r\n"
_CHUNKED = b"transfer-encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("answer", "status", "body", "reusable"),
    [
        (_OK + b"content-length: 3\r\n\r\nabc", 200, b"abc", True),
        (_OK + b"Content-Length: 0\r\n\r\n", 200, b"", True),
        (_OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\nt: 1\r\n\r\n", 200, b"abcd", True),
        (_OK + b"connection: close\r\ncontent-length: 3\r\n\r\nabc", 200, b"abc", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc", 200, b"abc", False),
        (b"HTTP/1.1 204 None\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Same\r\ncontent-length: 300\r\n\r\n", 304, b"", True),
        (_GO + b"HTTP/1.1 103 Hint\r\nlink: x\r\n\r\n" + _OK + b"content-length: 1\r\n\r\na", 200, b"a", True),
        (b"HTTP/1.1 529\r\ncontent-length: 1\r\n\r\na", 529, b"a", True),
        (_OK + b"upgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 1\r\n\r\na", 200, b"a", True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bytewise", [False, True])
def test_answers_with_an_end_of_their_own(
    answer: bytes, status: int, body: bytes, reusable: bool, bytewise: bool
) -> None:
    pieces = [answer[at : at + 1] for at in range(len(answer))] if bytewise else [answer]
    told, connection, _ = answered(*pieces)
    assert (told.status, told.body, told.complete) == (status, body, True)
    assert connection.usable is reusable
    assert connection.deadline == math.inf


def test_names_in_lower_case_values_as_they_are() -> None:
    told, _, _ = answered(_OK + b"X-A: caf\xe9 \r\nX-A:\r\nContent-Length: 0\r\n\r\n")
    assert told.headers == [(b"x-a", b"caf\xe9"), (b"x-a", b""), (b"content-length", b"0")]


def test_trailers_are_left_aside() -> None:
    told, _, _ = answered(_OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-a: b\r\n\r\n")
    assert told.headers == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize(("end", "complete"), [("receive_end", True), ("break_off", False)])
def test_an_answer_without_length_ends_with_its_connection(end: str, complete: bool) -> None:
    told, connection, _ = answered(_OK + b"\r\nabc", b"def", end=end)
    assert told.body == b"abcdef"
    assert told.complete is complete
    assert told.broken == ("" if complete else DISCONNECTED)
    assert not connection.usable


def test_the_answer_to_head_has_no_body_whatever_it_announces() -> None:
    told, connection, _ = answered(_OK + b"content-length: 500\r\n\r\n", method=b"HEAD")
    assert (told.status, told.body, told.complete) == (200, b"", True)
    assert not connection.usable


@pytest.mark.parametrize(
    "answer",
    [
        _OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        _OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
        _OK + b"transfer-encoding: gzip\r\n\r\nabc",
        _OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        _OK + b"x: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        _OK + b"x: a\x00\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\ncontent-length: 0\n\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 99 What\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 100 Go\r\n\r\n" * 40,
        _OK + b"x: " + b"y" * 300_000,
        _OK + b"x: y\r\n" * 100_000,
    ],
)
@pytest.mark.parametrize("size", [1000, 1 << 24])
def test_what_is_no_answer(answer: bytes, size: int) -> None:
    told, connection, wire = answered(*[answer[at : at + size] for at in range(0, len(answer), size)])
    assert (told.status, told.broken) == (0, BAD_ANSWER)
    assert wire.aborted
    assert not connection.usable


def test_framing_that_outweighs_its_body() -> None:
    told, _, wire = answered(_OK + b"transfer-encoding: chunked\r\n\r\n1;", *[b"e" * 100_000] * 12)
    assert told.broken == BAD_ANSWER
    assert wire.aborted


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (_OK + b"content-length: 3\r\n\r\nabc", b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"),
        (_OK + b"content-length: 3\r\n\r\nabc", b"x"),
        (b"HTTP/1.1 204 None\r\ncontent-length: 3\r\n\r\n", b"abc"),
        (_OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"\x00"),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_bytes_that_no_request_asked_for_answer_none(first: bytes, rest: bytes, together: bool) -> None:
    told, connection, wire = answered(*([first + rest] if together else [first, rest]))
    assert told.complete
    assert told.body in (b"abc", b"")
    assert not connection.usable
    assert wire.aborted


@pytest.mark.parametrize(
    ("pieces", "end", "status", "body"),
    [
        ([], "receive_end", 0, b""),
        ([b"HTTP/1.1 20"], "receive_end", 0, b""),
        ([_OK + b"content-length: 10\r\n\r\n"], "receive_end", 200, b""),
        ([_OK + b"content-length: 10\r\n\r\nabc", b"def"], "receive_end", 200, b"abcdef"),
        ([_OK + b"content-length: 10\r\n\r\nabc"], "break_off", 200, b"abc"),
        ([_OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"], "receive_end", 200, b"abc"),
        ([_OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"], "receive_end", 200, b"abc"),
    ],
)
def test_an_answer_broken_off_gives_what_came(pieces: list[bytes], end: str, status: int, body: bytes) -> None:
    told, _, _ = answered(*pieces, end=end)
    assert (told.status, told.body, told.broken) == (status, body, DISCONNECTED)


def test_damage_in_the_middle_of_a_body() -> None:
    told, _, _ = answered(_OK + b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", b"zz\r\n")
    assert (told.body, told.broken) == (b"abc", BAD_ANSWER)


# Time


def test_silence_breaks_the_answer_off_and_bytes_put_it_off() -> None:
    async def scene() -> None:
        pool = Pool()
        connection = Outgoing(pool)
        wire = Wire(connection).connect()
        connection.send(b"GET / HTTP/1.1\r\n\r\n", b"", skips_body=False, waits=Waits(1.0, 20.0, 10.0))
        assert connection.deadline == pytest.approx(20.0)
        pool._deadlines.now = 8.0
        wire.receive(_OK + b"content-length: 5\r\n\r\n", b"ab")
        assert connection.deadline == pytest.approx(18.0)
        task = asyncio.ensure_future(_read(connection))
        await turns()
        connection.expire()
        told = await task
        assert (told.status, told.body, told.broken) == (200, b"ab", TIMEOUT)
        assert wire.aborted

    run(scene)


def test_a_caller_that_does_not_take_holds_the_server_back() -> None:
    async def scene() -> None:
        connection, wire = _asked()
        wire.receive(_OK + b"content-length: 1000000\r\n\r\n")
        received = 0
        while wire.reading:
            wire.receive(b"x" * 10_000)
            received += 10_000
        assert received < 300_000
        assert connection.deadline == math.inf  # the server is not to blame
        await connection.answered()
        assert len(await connection.next_piece()) == received
        assert wire.reading
        assert connection.deadline < math.inf

    run(scene)


def test_release_keeps_only_what_is_sound() -> None:
    async def scene() -> None:
        for pieces, kept in (
            ([_OK + b"content-length: 1\r\n\r\na"], True),
            ([_OK + b"content-length: 2\r\n\r\na"], False),  # not read to its end: cut, so that the server stops
            ([], False),
        ):
            connection, wire = _asked()
            connection._pool._origins[connection] = ("h", 1, False, "")  # type: ignore[assignment]
            wire.receive(*pieces)
            await turns()
            if pieces:
                await connection.next_piece()
            connection.release()
            assert wire.aborted is not kept
        connection, wire = _asked()
        wire.receive(_OK + b"content-length: 1\r\n\r\na")
        wire.full = True  # the request has not left yet, although its answer came
        await connection.next_piece()
        connection.release()
        assert wire.aborted

    run(scene)


def test_a_large_body_is_not_copied_to_its_head() -> None:
    async def scene() -> None:
        connection = Outgoing(Pool())
        wire = Wire(connection).connect()
        body = b"b" * 1_000_000
        connection.send(b"POST / HTTP/1.1\r\n\r\n", body, skips_body=False, waits=Waits(first_s=1.0, between_s=1.0))
        assert wire.written == b"POST / HTTP/1.1\r\n\r\n" + body

    run(scene)


# Fuzz


@how(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(max_size=100), max_size=6),
    st.lists(st.integers(0, 2_000), max_size=20),
    st.sampled_from(["length", "chunks", "close"]),
)
def test_an_answer_cut_anywhere_is_the_same(parts: list[bytes], places: list[int], framing: str) -> None:
    body = b"".join(parts)
    if framing == "length":
        data = _OK + b"content-length: %d\r\n\r\n" % len(body) + body
    elif framing == "chunks":
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
        data = _OK + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    else:
        data = _OK + b"\r\n" + body
    told, _, _ = answered(*cut(data, places), end="receive_end" if framing == "close" else "")
    assert (told.status, told.body, told.complete) == (200, body, True)


@how(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from([_OK, b"content-length: 3\r\n", b"\r\n", b"abc", _CHUNKED, b"0\r\n"]),
        ),
        max_size=8,
    ),
    st.sampled_from(["", "receive_end", "break_off"]),
)  # fmt: skip
def test_any_bytes_are_an_answer_or_broken_off(pieces: list[bytes], end: str) -> None:
    told, connection, _ = answered(*pieces, end=end)
    if end:
        assert told.complete or told.broken
        assert not connection.usable
    assert told.broken in ("", BAD_ANSWER, DISCONNECTED)
