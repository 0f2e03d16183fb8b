"""Pages that live in another process: requests and answers pass as they are, and a process that is away is said."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from test_exchange import Parsed
from wire import Echo, Wire, statuses, turns, until

from mesure.apps.http1.asgi import PEER, AsgiService
from mesure.apps.http1.connection import Connection
from mesure.apps.http1.dialing import Origin
from mesure.apps.http1.forward import Forward
from mesure.apps.http1.pool import Pool
from mesure.apps.http1.serving import Limits, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from mesure.apps.http1.exchange import Exchange


_PEER = ("127.0.0.1", 4)  # of a `Wire`


class Pages:
    """A service behind a Unix socket, and a connection in front of it."""

    def __init__(self, path: Path, service: Any, limits: Limits | None = None) -> None:
        self.path, self.service, self.limits = str(path), service, limits
        self.pool = Pool()
        self.front = Serving(lambda _: Forward(self.pool, Origin("", 0, path=self.path)))

    async def __aenter__(self) -> Pages:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen()
        self.behind = Serving(lambda _: self.service, self.limits)
        self.stop = asyncio.Event()
        self._running = asyncio.ensure_future(self.behind.run(listener, self.stop, 1.0))
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        await self._running
        await self.pool.close()
        await self.front.stop(0.0)

    def client(self) -> Wire:
        return Wire(Connection(self.front)).connect()


def run(tmp_path: Path, service: Any, scene: Callable[[Pages], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def whole() -> None:
        async with Pages(tmp_path / "pages", service, **options) as pages:
            await scene(pages)

    uvloop.run(whole())


def test_a_request_and_its_answer_pass(tmp_path: Path) -> None:
    service = Echo()

    async def scene(pages: Pages) -> None:
        wire = pages.client()
        head = b"POST /en/x?y=1 HTTP/1.1\r\nHost: here:1\r\nX-A: caf\xe9\r\nX-A: 2\r\nconnection: keep-alive\r\n"
        wire.receive(head + b"content-length: 4\r\n\r\nbody")
        await until(lambda: wire.written.endswith(b"}"))
        parsed = Parsed(wire.written)
        assert json.loads(parsed.body) == {"method": "POST", "target": "/en/x?y=1", "body": "body"}
        assert dict(parsed.headers)[b"content-type"] == b"application/json"
        got = service.exchanges[0].headers
        assert got[:-1] == [(b"host", b"here:1"), (b"x-a", b"caf\xe9"), (b"x-a", b"2"), (b"content-length", b"4")]
        assert got[-1] == (PEER, b"%d %b" % (_PEER[1], _PEER[0].encode()))
        wire.receive(b"HEAD /h HTTP/1.1\r\nhost: a\r\n\r\n")
        await until(lambda: len(service.seen) == 2)
        await turns(30)
        assert not wire.closed

    run(tmp_path, service, scene)


def test_a_push_arrives_piece_by_piece_and_ends_with_its_reader(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def push(exchange: Exchange) -> None:
        exchange.on_left = left.set
        exchange.start(200, [(b"content-type", b"text/event-stream")], None)
        await exchange.send(b"data: 1\n\n")
        await left.wait()

    async def scene(pages: Pages) -> None:
        wire = pages.client()
        wire.receive(b"GET /live HTTP/1.1\r\nhost: a\r\n\r\n")
        await until(lambda: b"data: 1" in wire.written)
        assert not wire.closed
        wire.break_off()
        await until(left.is_set)

    run(tmp_path, Echo(push), scene)


def test_an_answer_broken_off_is_broken_off(tmp_path: Path) -> None:
    async def half(exchange: Exchange) -> None:
        exchange.start(200, [], 100)
        await exchange.send(b"half")

    async def scene(pages: Pages) -> None:
        wire = pages.client()
        wire.receive(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await until(lambda: wire.closed)
        assert wire.written.endswith(b"half")
        assert statuses(wire.written) == [200]

    run(tmp_path, Echo(half), scene)


@pytest.mark.parametrize("listens", [False, True])
def test_a_process_that_is_away_is_said(tmp_path: Path, listens: bool) -> None:
    async def scene() -> None:
        path = tmp_path / "none"
        if listens:  # it died before it answered

            async def gone(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.close()

            server = await asyncio.start_unix_server(gone, str(path))
        pool = Pool()
        serving = Serving(lambda _: Forward(pool, Origin("", 0, path=str(path))))
        wire = Wire(Connection(serving)).connect()
        wire.receive(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await until(lambda: bool(wire.written))
        assert statuses(wire.written) == [503]
        assert b"pages_restarting" in wire.written
        assert not wire.closed
        await pool.close()
        if listens:
            server.close()

    asyncio.run(scene())


def test_a_restart_between_two_requests_is_not_noticed(tmp_path: Path) -> None:
    async def scene(pages: Pages) -> None:
        wire = pages.client()
        for number in range(3):
            wire.receive(b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number)
            await until(lambda number=number: wire.written.count(b"HTTP/1.1 200") == number + 1)  # type: ignore[misc]
            for connection in list(pages.behind.connections):
                connection.abort()  # as its death would
            await asyncio.sleep(0.01)

    run(tmp_path, Echo(), scene)


def test_streams_end_at_a_stop_and_answers_with_an_end_do_not(tmp_path: Path) -> None:
    going = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        exchange.start(200, [], None if exchange.target == b"/live" else 4)
        await exchange.send(b"ab")
        await going.wait()
        exchange.end(b"cd")

    async def scene(pages: Pages) -> None:
        forward = Forward(pages.pool, Origin("", 0, path=pages.path))
        pages.front.service_of = lambda _: forward
        wires = {path: pages.client() for path in (b"/live", b"/page")}
        for path, wire in wires.items():
            wire.receive(b"GET %b HTTP/1.1\r\nhost: a\r\n\r\n" % path)
        await until(lambda: all(b"ab" in wire.written for wire in wires.values()))
        forward.end_streams()
        await until(lambda: wires[b"/live"].closed)
        assert not wires[b"/live"].written.endswith(b"0\r\n\r\n")  # broken off, and seen to be
        assert not wires[b"/page"].closed
        going.set()
        await until(lambda: wires[b"/page"].written.endswith(b"abcd"))

    run(tmp_path, Echo(answer), scene)


@pytest.mark.parametrize("said", [b"", b"x-mesure-peer: 1 127.0.0.1\r\n"])
def test_whom_a_page_is_for_is_told_by_the_worker_alone(tmp_path: Path, said: bytes) -> None:
    """A client on the network that says it is this machine's own is not believed."""
    seen: list[Any] = []

    async def app(scope: Any, _: Any, send: Any) -> None:
        seen.append((scope["client"], [name for name, _ in scope["headers"]]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def scene(pages: Pages) -> None:
        wire = pages.client()
        wire.protocol.client = ("192.0.2.7", 4711)
        wire.receive(b"GET / HTTP/1.1\r\nhost: a\r\n" + said + b"\r\n")
        await until(lambda: statuses(wire.written) == [204])

    run(tmp_path, AsgiService(app, forwarded=True), scene)
    assert seen == [(("192.0.2.7", 4711), [b"host", b"content-length"])]
