"""One connection: answers in order, in bounded time and memory, and what happens when its client goes away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import pytest
from wire import Echo, Wire, statuses, talk, turns

from mesure.apps.http1.connection import Connection
from mesure.apps.http1.refusal import Refusal
from mesure.apps.http1.serving import Limits, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mesure.apps.http1.exchange import Exchange

_GET = b"GET /%b HTTP/1.1\r\nhost: a\r\n\r\n"


class Held:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled = 0

    async def __call__(self, exchange: Exchange) -> None:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        exchange.respond(200, [], b'{"t":"%b"}' % exchange.target)


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


def opened(service: Any, limits: Limits | None = None) -> tuple[Serving, Wire]:
    serving = Serving(lambda _: service, limits)
    return serving, Wire(Connection(serving)).connect()


def later(serving: Serving, seconds: float) -> None:
    """Let time pass, as the sweep does."""
    serving.deadlines.now += seconds
    for connection in list(serving.connections):
        if connection.deadline < serving.deadlines.now:
            connection.expire()


# Order, and what waits


def test_answers_come_in_the_order_of_their_requests() -> None:
    async def scene() -> None:
        held = Held()
        service = Echo(held)
        _, wire = opened(service)
        wire.receive(_GET % b"1" + _GET % b"2", _GET % b"3")
        await turns()
        assert service.seen == [b"/1"]
        held.go.set()
        await turns(30)
        assert service.seen == [b"/1", b"/2", b"/3"]
        assert wire.written.index(b"/1") < wire.written.index(b"/2") < wire.written.index(b"/3")

    run(scene)


def test_an_answer_leaves_in_one_write() -> None:
    wire = talk(Echo(), _GET % b"1")
    assert wire.writes == 1

    async def streamed(exchange: Exchange) -> None:
        exchange.start(200, [], None)
        for piece in (b"a", b"b"):
            await exchange.send(piece)
        exchange.end(b"c")

    wire = talk(Echo(streamed), _GET % b"1")
    assert wire.writes == 1
    assert wire.written.endswith(b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")


def test_pieces_that_are_apart_in_time_leave_at_once() -> None:
    async def paced(exchange: Exchange) -> None:
        exchange.start(200, [], None)
        await asyncio.sleep(0)
        await exchange.send(b"a")
        await asyncio.sleep(0)
        exchange.end()

    assert talk(Echo(paced), _GET % b"1").writes == 3


def test_a_client_that_sends_ahead_is_read_no_further() -> None:
    async def scene() -> None:
        held = Held()
        service = Echo(held)
        _, wire = opened(service)
        wire.receive(_GET % b"first")
        padded = b"GET /%d HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 1_000 + b"\r\n\r\n"
        sent = 0
        while wire.reading:
            wire.receive(padded % sent)
            sent += 1
        assert sent < 70
        held.go.set()
        await turns(5 * sent)
        assert wire.reading  # once it was all answered
        assert len(service.seen) == 1 + sent

    run(scene)


def test_too_many_requests_in_one_read_are_refused() -> None:
    async def scene() -> None:
        service = Echo()
        _, wire = opened(service)
        wire.receive(_GET % b"x" * 5_000)
        await turns(400)
        assert statuses(wire.written) == [200] * 100 + [400]
        assert wire.ended

    run(scene)


def test_garbage_after_a_request_does_not_touch_its_answer() -> None:
    async def scene() -> None:
        held = Held()
        _, wire = opened(Echo(held))
        wire.receive(_GET % b"1" + b"\x00garbage\r\n\r\n")
        await turns()
        assert wire.written == b""
        held.go.set()
        await turns()
        assert statuses(wire.written) == [200, 400]
        assert wire.ended

    run(scene)


@pytest.mark.parametrize("header", [b"connection: close\r\n", b"Connection: Close\r\n"])
def test_a_last_request_is_the_last(header: bytes) -> None:
    service = Echo()
    wire = talk(service, b"GET /1 HTTP/1.1\r\nhost: a\r\n" + header + b"\r\n" + _GET % b"2", _GET % b"3")
    assert service.seen == [b"/1"]
    assert wire.closed
    assert b"connection: close\r\n" in wire.written


def test_http_1_0_is_answered_and_closed() -> None:
    wire = talk(Echo(), b"GET /1 HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
    assert statuses(wire.written) == [200]
    assert wire.closed


# Bodies


def test_continue_is_said_once_the_head_is_accepted() -> None:
    head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
    wire = talk(Echo(), head)
    assert wire.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire = talk(Echo(), head, b"abc")
    assert statuses(wire.written) == [100, 200]


def test_continue_waits_for_the_answer_before_it() -> None:
    async def scene() -> None:
        held = Held()
        _, wire = opened(Echo(held))
        head = b"POST /2 HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n"
        wire.receive(_GET % b"1" + head)
        await turns()
        assert wire.written == b""
        held.go.set()
        await turns()
        assert statuses(wire.written) == [200, 100]
        wire.receive(b"abc")
        await turns()
        assert statuses(wire.written) == [200, 100, 200]

    run(scene)


class Refusing(Echo):
    def admit(self, exchange: Exchange) -> None:
        raise Refusal(403, "not_here", "No", action="Go elsewhere")


@pytest.mark.parametrize("expect", [b"", b"expect: 100-continue\r\n"])
def test_a_head_that_is_refused_needs_no_body(expect: bytes) -> None:
    async def scene() -> None:
        service = Refusing()
        serving, wire = opened(service)
        wire.receive(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n" + expect + b"\r\n", b"abc")
        await turns()
        assert statuses(wire.written) == [403]
        assert wire.ended  # told that nothing more comes
        assert not wire.closed  # but still read, so that the answer is not destroyed on its way
        assert serving.refused == {"not_here": 1}
        wire.receive(b"d" * 100_000)
        assert wire.reading
        wire.receive_end()
        await turns()
        assert wire.lost
        assert service.left == []

    run(scene)


def test_reading_on_after_a_refusal_ends() -> None:
    async def scene() -> None:
        serving, wire = opened(Refusing(), Limits(linger_s=5))
        wire.receive(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n")
        later(serving, 6)
        assert wire.aborted

    run(scene)


# Time


def test_a_head_that_drips_is_refused_in_time() -> None:
    async def scene() -> None:
        serving, wire = opened(Echo(), Limits(head_s=20, idle_s=75))
        wire.receive(b"GET / HTT")
        for byte in b"P/1.1\r\nhost:":
            later(serving, 1)
            wire.receive(bytes([byte]))
        assert wire.written == b""
        later(serving, 9)
        assert statuses(wire.written) == [408]
        assert wire.ended

    run(scene)


def test_a_body_may_take_its_time_but_not_pause() -> None:
    async def scene() -> None:
        serving, wire = opened(Echo(), Limits(body_s=60))
        wire.receive(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n")
        for _ in range(50):
            later(serving, 59)
            wire.receive(b"x")
        assert wire.written == b""
        later(serving, 61)
        assert statuses(wire.written) == [408]
        assert serving.refused == {"request_timeout": 1}

    run(scene)


def test_an_idle_connection_is_closed_and_a_busy_one_is_not() -> None:
    async def scene() -> None:
        held = Held()
        serving, wire = opened(Echo(held), Limits(idle_s=75))
        later(serving, 70)
        wire.receive(_GET % b"1")
        later(serving, 10_000)
        assert not wire.closed
        held.go.set()
        await turns()
        later(serving, 70)
        assert not wire.closed
        later(serving, 6)
        assert wire.closed
        assert not wire.aborted
        assert statuses(wire.written) == [200]

    run(scene)


def test_a_client_that_never_reads_is_cut() -> None:
    async def scene() -> None:
        async def endless(exchange: Exchange) -> None:
            exchange.on_left = asyncio.current_task().cancel  # type: ignore[union-attr]
            exchange.start(200, [], None)
            while True:
                await exchange.send(b"x" * 100)

        serving, wire = opened(Echo(endless), Limits(write_s=600))
        wire.full = True
        wire.receive(_GET % b"1")
        await turns(2_000)
        assert len(wire.written) < 100_000
        later(serving, 599)
        assert not wire.closed
        later(serving, 2)
        assert wire.aborted
        await turns()
        assert wire.protocol.task is None

    run(scene)


def test_a_client_that_reads_again_gets_the_rest() -> None:
    async def scene() -> None:
        async def two(exchange: Exchange) -> None:
            exchange.start(200, [], 20_000)
            for _ in range(20):
                await exchange.send(b"x" * 1_000)
                await asyncio.sleep(0)
            exchange.end()

        serving, wire = opened(Echo(two))
        wire.full = True
        wire.receive(_GET % b"1")
        await turns(100)
        assert len(wire.written) < 3_000
        wire.drain()
        await turns(100)
        assert len(wire.written) > 20_000
        wire.receive(_GET % b"2")
        await turns(100)
        assert statuses(wire.written)[:1] == [200]
        assert wire.written.count(b"HTTP/1.1 200") == 2
        assert serving.connections

    run(scene)


def test_no_further_request_is_begun_while_the_last_answer_is_unread() -> None:
    async def scene() -> None:
        service = Echo()
        _, wire = opened(service)
        wire.full = True
        for index in range(10):
            wire.receive(_GET % b"%d" % index)
            await turns()
        assert service.seen == [b"/0"]
        wire.drain()
        await turns(60)
        assert len(service.seen) == 10

    run(scene)


# Departures


@pytest.mark.parametrize("how", ["receive_end", "break_off"])
def test_a_client_that_leaves_is_told_to_whoever_answers_it(how: str) -> None:
    async def scene() -> None:
        told: list[str] = []

        async def slow(exchange: Exchange) -> None:
            exchange.on_left = lambda: told.append("left")
            await asyncio.Event().wait()

        service = Echo(slow)
        serving, wire = opened(service)
        wire.receive(_GET % b"1" + _GET % b"2")
        await turns()
        getattr(wire, how)()
        await turns()
        assert told == ["left"]
        assert service.left == [b"/2"]  # it never had its turn
        assert service.exchanges[0].left
        assert not serving.connections
        await serving.stop(0)  # and the stop waits for what still works for it

    run(scene)


def test_a_client_that_leaves_before_its_request_is_complete() -> None:
    service = Echo()
    talk(service, b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nabc", end=True)
    assert service.left == [b"/x"]
    assert service.seen == []


def test_a_client_that_leaves_after_its_answer_left_nothing() -> None:
    service = Echo()
    talk(service, _GET % b"1", end=True)
    assert service.left == []
    assert not service.exchanges[0].left


def test_writing_to_a_client_that_left_goes_nowhere() -> None:
    async def scene() -> None:
        held = Held()
        _, wire = opened(Echo(held))
        wire.receive(_GET % b"1")
        await turns()
        wire.break_off()
        held.go.set()
        await turns()
        assert wire.written == b""

    run(scene)


# Failures of what answers


def test_a_service_that_fails_is_told_by_kind_and_place(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(exchange: Exchange) -> None:
        raise ValueError("a secret of the customer")

    wire = talk(Echo(broken), _GET % b"1")
    assert statuses(wire.written) == [500]
    assert "ValueError" in caplog.text
    assert "secret" not in caplog.text
    assert b"secret" not in wire.written
    assert not wire.closed  # the request was read whole: the connection is sound


def test_a_service_that_fails_at_its_head_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Echo):
        def admit(self, exchange: Exchange) -> None:
            raise KeyError("a secret of the customer")

    caplog.set_level(logging.DEBUG)
    assert statuses(talk(Broken(), _GET % b"1").written) == [500]
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


def test_an_answer_begun_and_not_ended_is_cut() -> None:
    async def half(exchange: Exchange) -> None:
        exchange.start(200, [], None)
        await exchange.send(b"half")

    async def broken(exchange: Exchange) -> None:
        await half(exchange)
        raise ValueError

    async def none(exchange: Exchange) -> None:
        pass

    for answer in (half, broken):
        wire = talk(Echo(answer), _GET % b"1")
        assert wire.closed
        assert wire.written.endswith(b"4\r\nhalf\r\n")  # no chunk that ends it
    wire = talk(Echo(none), _GET % b"1")
    assert wire.closed
    assert wire.written == b""


def test_a_refusal_of_the_service_is_its_answer() -> None:
    async def refusing(exchange: Exchange) -> None:
        raise Refusal(404, "nothing", "Nothing is here", action="Look elsewhere", value="x")

    wire = talk(Echo(refusing), _GET % b"1")
    assert statuses(wire.written) == [404]
    assert b"x-mesure-error: nothing\r\n" in wire.written
    assert not wire.closed


# Stops


def test_a_stop_closes_what_is_idle_and_waits_for_what_is_not() -> None:
    async def scene() -> None:
        held = Held()
        serving, busy = opened(Echo(held))
        idle = Wire(Connection(serving)).connect()
        busy.receive(_GET % b"1")
        await turns()
        stopping = asyncio.ensure_future(serving.stop(10.0))
        await turns()
        assert idle.closed
        assert not busy.closed
        late = Wire(Connection(serving)).connect()
        assert late.closed
        held.go.set()
        await stopping
        assert statuses(busy.written) == [200]
        assert busy.closed
        assert held.cancelled == 0

    run(scene)


def test_a_stop_that_is_out_of_patience_cancels() -> None:
    async def scene() -> None:
        held = Held()
        serving, wire = opened(Echo(held))
        wire.receive(_GET % b"1")
        await turns()
        serving.patient = False
        await serving.stop(60.0)
        assert held.cancelled == 1
        assert wire.lost
        assert not serving.connections

    run(scene)
