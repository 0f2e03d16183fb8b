"""Connections kept, and the one case in which a request is sent a second time. On real sockets."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import httptools
import pytest
import uvloop
from wire import until

from mesure.apps.http1.dialing import Origin, Unreachable
from mesure.apps.http1.outgoing import DISCONNECTED, TIMEOUT, BrokenOff, Outgoing, Waits
from mesure.apps.http1.pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

_GET = b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n"


class Server:
    """Answers each request with its number; `behaviours` of the next requests: drop, half, hang, close."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests = 0
        self.behaviours: list[str] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.origin = Origin("127.0.0.1", self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                behaviour = self.behaviours.pop(0) if self.behaviours else "answer"
                if behaviour == "drop":
                    break
                if behaviour == "half":
                    writer.write(b"HTTP/1.1 2")
                    await writer.drain()
                    break
                if behaviour == "hang":
                    await reader.read()
                    break
                body = b"%d" % self.requests
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
                if behaviour == "close":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()


async def _ask(pool: Pool, origin: Origin, number: int = 0, timeout_s: float = 10.0, method: str = "GET") -> bytes:
    connection = await pool.request(origin, method, _GET % number, b"", Waits(timeout_s, timeout_s, timeout_s))
    body = b""
    while piece := await connection.next_piece():
        body += piece
    connection.release()
    return body


def run(scene: Callable[[Pool, Server], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def whole() -> None:
        pool = Pool(**options)
        async with Server() as server:
            try:
                await scene(pool, server)
            finally:
                await pool.close()

    uvloop.run(whole())


def test_a_connection_is_used_again() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        assert [await _ask(pool, server.origin) for _ in range(5)] == [b"1", b"2", b"3", b"4", b"5"]
        assert server.connections == 1
        await asyncio.gather(*(_ask(pool, server.origin) for _ in range(4)))
        assert server.connections == 4
        await asyncio.gather(*(_ask(pool, server.origin) for _ in range(4)))
        assert server.connections == 4

    run(scene)


def test_origins_do_not_share_connections() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        async with Server() as other:
            await _ask(pool, server.origin)
            await _ask(pool, other.origin)
            assert (server.connections, other.connections) == (1, 1)
            assert (server.requests, other.requests) == (1, 1)

    run(scene)


def test_a_request_on_a_dropped_idle_connection_is_sent_again_once() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        await _ask(pool, server.origin)
        server.behaviours = ["drop"]
        assert await _ask(pool, server.origin) == b"3"
        assert (server.connections, server.requests, pool.repeated) == (2, 3, 1)
        server.behaviours = ["drop", "drop"]  # the second time on a fresh connection: that is an answer of its own
        with pytest.raises(BrokenOff, match=DISCONNECTED):
            await _ask(pool, server.origin)
        assert server.requests == 5

    run(scene)


def test_a_connection_closed_while_idle_is_not_even_tried() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        server.behaviours = ["close"]
        await _ask(pool, server.origin)
        await asyncio.sleep(0.05)
        assert await _ask(pool, server.origin) == b"2"
        assert pool.repeated == 0

    run(scene)


@pytest.mark.parametrize("behaviour", ["half", "drop"])
def test_a_request_that_may_have_been_worked_on_is_not_sent_again(behaviour: str) -> None:
    async def scene(pool: Pool, server: Server) -> None:
        if behaviour == "half":  # a byte of the answer came
            await _ask(pool, server.origin)
        server.behaviours = [behaviour]  # or the connection was fresh
        with pytest.raises(BrokenOff, match=DISCONNECTED):
            await _ask(pool, server.origin)
        assert pool.repeated == 0
        assert server.requests == (2 if behaviour == "half" else 1)

    run(scene)


def test_a_request_that_reached_the_server_is_not_sent_again_unless_twice_is_once() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        await _ask(pool, server.origin)
        server.behaviours = ["drop"]
        with pytest.raises(BrokenOff, match=DISCONNECTED):
            await _ask(pool, server.origin, method="POST")
        assert (pool.repeated, server.requests) == (0, 2)
        for method in ("PUT", "DELETE", "OPTIONS"):
            await _ask(pool, server.origin)
            server.behaviours = ["drop"]
            await _ask(pool, server.origin, method=method)
        assert pool.repeated == 3

    run(scene)


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="only Linux tells what the other side has taken")
@pytest.mark.parametrize("reset", [False, True])
def test_a_request_that_came_after_the_end_is_sent_again(monkeypatch: pytest.MonkeyPatch, *, reset: bool) -> None:
    """The server closes while nobody here looks, so that the request is on its way before that is known."""
    monkeypatch.setattr(Outgoing, "silent", lambda _: True)  # as when the end comes a moment after it was asked
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for number in range(2):
            stream, _ = listener.accept()
            with stream:
                asked.append(stream.recv(1000))
                stream.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n%d" % number)
                if reset:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                answered.wait(10)
        closed.set()

    async def scene() -> bytes:
        pool = Pool()
        origin = Origin(*listener.getsockname())
        await _ask(pool, origin, 1, method="POST")
        (connection,) = pool._deadlines.watched
        answered.set()
        time.sleep(0.2)  # noqa: ASYNC251  (the loop must not see the end)
        body = await _ask(pool, origin, 2, method="POST")
        assert connection.untouched
        assert pool.repeated == 1
        await pool.close()
        return body

    answered, closed = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,)).start()
        assert uvloop.run(scene()) == b"1"
        assert closed.wait(10)
    assert asked == [_GET % 1, _GET % 2]


def test_a_server_that_is_silent_times_out() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        server.behaviours = ["hang"]
        with pytest.raises(BrokenOff, match=TIMEOUT):
            await _ask(pool, server.origin, timeout_s=0.05)
        assert await _ask(pool, server.origin) == b"2"

    run(scene)


def test_a_caller_that_is_cancelled_cuts_its_connection() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        server.behaviours = ["hang"]
        task = asyncio.ensure_future(_ask(pool, server.origin))
        await until(lambda: server.requests >= 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not pool._deadlines.watched)

    run(scene)


def test_idle_connections_are_closed_in_time() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        await _ask(pool, server.origin)
        assert pool._deadlines.watched
        await until(lambda: not pool._deadlines.watched)
        assert not any(pool._idle.values())
        assert await _ask(pool, server.origin) == b"2"
        assert server.connections == 2

    run(scene, idle_s=0.01)


def test_the_number_of_idle_connections_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesure.apps.http1.pool._MOST_IDLE", 2)

    async def scene(pool: Pool, server: Server) -> None:
        await asyncio.gather(*(_ask(pool, server.origin) for _ in range(6)))
        assert len(pool._idle[server.origin]) == 2

    run(scene)


def test_nobody_listens() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        with pytest.raises(Unreachable) as raised:
            await _ask(pool, Origin("127.0.0.1", 9))
        assert "refused" in raised.value.reason

    run(scene)


class Pushing(asyncio.Protocol):
    """Answers twice to each request: the second answer is nobody's."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine")
        asyncio.get_running_loop().call_soon(
            self._transport.write, b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
        )


def test_an_answer_pushed_ahead_is_never_given_to_the_next_request() -> None:
    async def scene(pool: Pool, _: Server) -> None:
        server = await asyncio.get_running_loop().create_server(Pushing, "127.0.0.1", 0)
        origin = Origin("127.0.0.1", server.sockets[0].getsockname()[1])
        for _ in range(20):
            try:
                assert await _ask(pool, origin) == b"mine"
            except BrokenOff:
                continue
        server.close()

    run(scene)


async def _pieces(pool: Pool, origin: Origin) -> AsyncIterator[bytes]:
    connection = await pool.request(origin, "GET", _GET % 1, b"", Waits())
    while piece := await connection.next_piece():
        yield piece


def test_closing_the_pool_breaks_off_what_is_read() -> None:
    async def scene(pool: Pool, server: Server) -> None:
        server.behaviours = ["hang"]
        task = asyncio.ensure_future(_ask(pool, server.origin))
        await until(lambda: server.requests >= 1)
        await pool.close()
        with pytest.raises(BrokenOff):
            await task
        assert [piece async for piece in _pieces(pool, server.origin)] == [b"2"]  # a request opens it again

    run(scene)


def test_bytes_that_wait_unread_answer_no_later_request() -> None:
    """The loop is held while they come, so that nobody here has seen them when the next request is sent."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"
    pushed = threading.Event()

    def serve(listener: socket.socket) -> None:
        first, _ = listener.accept()
        with first:
            first.recv(1000)
            first.sendall(answer + b"one")
            pushed.wait(10)
            first.sendall(answer + b"two")
            second, _ = listener.accept()
            with second:
                second.recv(1000)
                second.sendall(answer + b"yes")

    async def ask(port: int) -> tuple[bytes, bytes]:
        pool, origin = Pool(), Origin("127.0.0.1", port)
        before = await _ask(pool, origin)
        [connection] = pool._origins
        pushed.set()
        while connection.silent():
            time.sleep(0.001)  # noqa: ASYNC251  (the loop must not see them)
        after = await _ask(pool, origin)
        await pool.close()
        return before, after

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        assert uvloop.run(ask(listener.getsockname()[1])) == (b"one", b"yes")
        thread.join(10)
