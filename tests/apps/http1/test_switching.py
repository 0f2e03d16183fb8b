"""From HTTP to WebSocket and no way back: what either side sends around the switch is neither lost nor a request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import Wire, statuses

from mesure.apps.http1.connection import Connection
from mesure.apps.http1.outgoing import BrokenOff, Outgoing, Waits
from mesure.apps.http1.pool import Pool
from mesure.apps.http1.serving import Limits, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mesure.apps.http1.exchange import Exchange

_ASK = b"GET /talk HTTP/1.1\r\nhost: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
_GET = b"GET /plain HTTP/1.1\r\nhost: a\r\n\r\n"
_AGREED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Talk:
    """Agrees to WebSocket once `ready`, keeps what it hears, and talks until `over`."""

    def __init__(self) -> None:
        self.ready, self.over = asyncio.Event(), asyncio.Event()
        self.ready.set()
        self.heard = b""
        self.exchange: Exchange | None = None
        self.left = 0

    def admit(self, exchange: Exchange) -> None:
        exchange.switches = exchange.target == b"/talk"

    def abandoned(self, exchange: Exchange) -> None:
        self.left += 1

    async def answer(self, exchange: Exchange) -> None:
        exchange.on_left = self._leave
        await self.ready.wait()
        if not exchange.websocket:
            exchange.respond(200, [], b"plain")
            return
        self.exchange = exchange
        exchange.switch([(b"x-a", b"1")], self._hear)
        await exchange.send(b"hello")
        await self.over.wait()
        exchange.end(b"bye")

    def _hear(self, data: bytes) -> None:
        self.heard += data

    def _leave(self) -> None:
        self.left += 1
        self.over.set()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def talking(
    script: Callable[[Talk, Wire], Coroutine[None, None, None]], limits: Limits | None = None
) -> tuple[Talk, Wire]:
    async def run() -> tuple[Talk, Wire]:
        talk = Talk()
        serving = Serving(lambda _: talk, limits)
        wire = Wire(Connection(serving)).connect()
        await script(talk, wire)
        talk.over.set()
        await turns()
        serving.deadlines.stop()
        return talk, wire

    return asyncio.run(run())


@given(data=st.binary(max_size=60), cuts=st.lists(st.integers(0, len(_ASK) + 60), max_size=4))
def test_what_comes_after_the_request_reaches_the_other_side(data: bytes, cuts: list[int]) -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        whole, at = _ASK + data, 0
        for cut in [*sorted(cuts), len(whole)]:
            if whole[at:cut]:
                wire.protocol.data_received(whole[at:cut])
                await asyncio.sleep(0)
            at = max(at, cut)
        await turns()

    talk, wire = talking(script)
    assert talk.heard == data
    assert wire.written.startswith(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n")
    assert wire.written.endswith(b"\r\nx-a: 1\r\n\r\nhellobye")


def test_what_comes_before_the_switch_waits_in_bounded_memory() -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        talk.ready.clear()
        wire.protocol.data_received(_ASK)
        await turns()
        for _ in range(3):
            wire.protocol.data_received(b"x" * 30_000)
        assert not wire.reading
        assert wire.written == b""
        talk.ready.set()
        await turns()
        assert wire.reading

    assert talking(script)[0].heard == b"x" * 90_000


def test_a_request_after_it_is_no_request() -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        wire.protocol.data_received(_ASK + _GET)
        wire.protocol.data_received(_GET)
        await turns()

    talk, wire = talking(script)
    assert talk.heard == _GET * 2
    assert b"plain" not in wire.written


def test_it_is_answered_in_its_turn() -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        talk.ready.clear()
        wire.protocol.data_received(_GET + _ASK + b"first")
        wire.protocol.data_received(b"second")
        await turns()
        talk.ready.set()
        await turns()

    talk, wire = talking(script)
    assert talk.heard == b"firstsecond"
    plain, _, switched = wire.written.partition(b"HTTP/1.1 101")
    assert plain.endswith(b"plain")
    assert switched.endswith(b"hellobye")


def test_a_client_that_is_held_is_not_read() -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        wire.protocol.data_received(_ASK)
        await turns()
        assert talk.exchange is not None
        talk.exchange.hold(held=True)
        assert not wire.reading
        talk.exchange.hold(held=False)
        assert wire.reading

    talking(script)


def test_a_client_that_leaves_is_told_once() -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        wire.protocol.data_received(_ASK)
        await turns()
        wire.protocol.eof_received()
        wire.protocol.connection_lost(None)

    assert talking(script)[0].left == 1


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (_ASK.replace(b"/talk", b"/plain"), 501),
        (_ASK.replace(b"GET", b"POST"), 400),
        (_ASK.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
        (_ASK.replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\nabc"), 400),
        (_ASK.replace(b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), 400),
    ],
)
def test_what_is_refused(request_bytes: bytes, status: int) -> None:
    async def script(talk: Talk, wire: Wire) -> None:
        wire.protocol.data_received(request_bytes + _GET)
        await turns()

    talk, wire = talking(script)
    assert statuses(wire.written) == [status]
    assert talk.heard == b""


# --- towards a server ---


def asking(answer: bytes, *, may_switch: bool = True, cut: int | None = None) -> tuple[Outgoing, Wire]:
    """A connection that got these bytes, in two pieces, as the answer to a request for WebSocket."""
    connection = Outgoing(Pool())
    connection.may_switch = may_switch
    wire = Wire(connection).connect()
    connection.send(_ASK, b"", skips_body=False, waits=Waits())
    for piece in (answer[:cut], answer[cut:] if cut is not None else b""):
        if piece and not wire.closed:
            connection.data_received(piece)
    return connection, wire


@given(data=st.binary(max_size=50), cut=st.integers(1, len(_AGREED) + 50))
def test_what_comes_after_the_answer_is_given_as_it_is(data: bytes, cut: int) -> None:
    async def run() -> None:
        connection, wire = asking(_AGREED + data, cut=cut)
        await connection.answered()
        assert (connection.raw, connection.status) == (True, 101)
        connection.write(b"to the server")
        assert wire.written.endswith(b"to the server")
        got = await connection.next_piece() if data else b""
        connection.data_received(b"more")
        assert got + connection.untaken() == data + b"more"
        connection.eof_received()
        assert await connection.next_piece() == b""
        connection.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        _AGREED.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
        _AGREED.replace(b"Upgrade: websocket\r\n", b""),
        _AGREED.replace(b"Connection: Upgrade\r\n", b""),
        _AGREED.replace(b"\r\n\r\n", b"\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n"),
    ],
)
def test_an_answer_that_agrees_to_something_else_is_none(answer: bytes) -> None:
    async def run() -> None:
        connection, wire = asking(answer)
        with pytest.raises(BrokenOff, match="provider_bad_answer"):
            await connection.answered()
        assert wire.aborted

    asyncio.run(run())


def test_nobody_switches_who_was_not_asked() -> None:
    async def run() -> None:
        connection, _ = asking(_AGREED, may_switch=False)
        with pytest.raises(BrokenOff, match="provider_bad_answer"):
            await connection.answered()

    asyncio.run(run())


def test_a_server_that_declines_is_read_as_ever() -> None:
    async def run() -> None:
        connection, _ = asking(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno")
        await connection.answered()
        assert (connection.raw, connection.status) == (False, 403)
        assert await connection.next_piece() == b"no"
        assert await connection.next_piece() == b""

    asyncio.run(run())


def test_a_server_that_is_not_taken_from_is_not_read() -> None:
    async def run() -> None:
        connection, wire = asking(_AGREED)
        await connection.answered()
        connection.data_received(b"y" * (300 << 10))
        assert not wire.reading
        assert len(await connection.next_piece()) == 300 << 10
        assert wire.reading

    asyncio.run(run())


def test_a_server_that_does_not_read_is_told_of() -> None:
    async def run() -> None:
        told: list[bool] = []
        connection, wire = asking(_AGREED)
        connection.flow = told.append  # type: ignore[assignment]
        wire.full = True
        connection.write(b"z")
        connection.resume_writing()
        assert told == [True, False]

    asyncio.run(run())


def test_a_server_that_breaks_off_is_no_end() -> None:
    async def run() -> None:
        connection, _ = asking(_AGREED + b"half")
        connection.connection_lost(ConnectionResetError())
        assert await connection.next_piece() == b"half"
        with pytest.raises(BrokenOff, match="provider_disconnected"):
            await connection.next_piece()

    asyncio.run(run())


def test_a_server_that_takes_nothing_more_is_cut_in_the_end() -> None:
    async def run() -> None:
        connection, wire = asking(_AGREED)
        await connection.answered()
        connection.close()
        assert wire.closed
        assert not wire.aborted  # what was written last may still leave
        assert connection.deadline < float("inf")
        connection.expire()
        assert wire.aborted
        connection.write(b"too late")
        assert not wire.written.endswith(b"too late")

    asyncio.run(run())


def test_silence_is_counted_anew_with_what_either_side_sends() -> None:
    async def run() -> None:
        now = 100.0
        pool = Pool()
        pool.now = lambda: now
        connection = Outgoing(pool)
        connection.may_switch = True
        Wire(connection).connect()
        connection.send(_ASK, b"", skips_body=False, waits=Waits(first_s=5.0, between_s=60.0))
        assert connection.deadline == 105.0
        connection.data_received(_AGREED)
        assert connection.deadline == 160.0
        now = 130.0
        connection.write(b"a")
        assert connection.deadline == 190.0
        now = 150.0
        connection.data_received(b"b")
        assert connection.deadline == 210.0

    asyncio.run(run())
