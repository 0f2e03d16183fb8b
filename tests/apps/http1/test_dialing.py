"""Opening connections: TLS that is checked, names, Unix sockets, and the proxy of the environment."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from mesure.apps.http1.dialing import Dialler, Origin, Unreachable
from mesure.apps.http1.outgoing import Waits
from mesure.apps.http1.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
_NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(certificate of `localhost`, its key), signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
        check=True, capture_output=True,
    )  # fmt: skip
    return cert, key


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(_ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


def _served(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


async def _ask(pool: Pool, origin: Origin) -> bytes:
    connection = await pool.request(origin, "GET", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", b"", Waits(10.0))
    body = await connection.next_piece()
    connection.release()
    return body


def run(scene: Callable[[Pool], Coroutine[Any, Any, None]], runner: Callable[..., None] = uvloop.run) -> None:
    async def whole() -> None:
        pool = Pool()
        try:
            await scene(pool)
        finally:
            await pool.close()
            await asyncio.sleep(0.02)

    runner(whole())


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def test_a_certificate_nobody_vouches_for_is_refused(certificate: tuple[Path, Path]) -> None:
    async def scene(pool: Pool) -> None:
        async with await asyncio.start_server(_hello, "127.0.0.1", 0, ssl=_served(certificate)) as server:
            with pytest.raises(Unreachable) as raised:
                await _ask(pool, Origin("localhost", _port(server), tls=True))
            assert "certificate" in raised.value.reason

    run(scene)


def test_one_that_is_vouched_for_is_taken_under_its_name_alone(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))

    async def scene(pool: Pool) -> None:
        async with await asyncio.start_server(_hello, "127.0.0.1", 0, ssl=_served(certificate)) as server:
            origin = Origin("localhost", _port(server), tls=True)
            assert [await _ask(pool, origin) for _ in range(3)] == [b"hello"] * 3
            assert len(pool._deadlines.watched) == 1  # kept, TLS and all
            with pytest.raises(Unreachable) as raised:
                await _ask(pool, Origin("127.0.0.1", _port(server), tls=True))
            assert "certificate" in raised.value.reason

    run(scene)


def test_a_server_that_speaks_no_tls() -> None:
    async def scene(pool: Pool) -> None:
        async with await asyncio.start_server(_hello, "127.0.0.1", 0) as server:
            with pytest.raises((Unreachable, TimeoutError)):
                await pool.dialler.dial(Origin("localhost", _port(server), tls=True), asyncio.Protocol, 0.5)

    run(scene)


def test_a_name_that_is_not_known() -> None:
    async def scene(pool: Pool) -> None:
        for name in ("no-such-host.invalid", "x" * 70 + ".invalid", "a..b"):
            with pytest.raises(Unreachable) as raised:
                await _ask(pool, Origin(name, 80))
            assert "name" in raised.value.reason

    run(scene)


def test_names_are_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: Pool) -> None:
        asked = []
        loop = asyncio.get_running_loop()
        ask = loop.getaddrinfo

        async def counted(host: str, port: int, **more: Any) -> Any:
            asked.append(host)
            return await ask(host, port, **more)

        monkeypatch.setattr(loop, "getaddrinfo", counted)
        async with await asyncio.start_server(_hello, "127.0.0.1", 0) as server:
            origin = Origin("localhost", _port(server))
            await asyncio.gather(*(_ask(pool, origin) for _ in range(3)))
            await _ask(pool, origin)
            assert 1 <= len(asked) <= 3
            pool.dialler._names = {place: (0.0, found) for place, (_, found) in pool.dialler._names.items()}
            await asyncio.gather(*(_ask(pool, origin) for _ in range(8)))
            assert len(asked) >= 2

    run(scene, asyncio.run)  # whose loop can be counted


def test_a_unix_socket(tmp_path: Path) -> None:
    async def scene(pool: Pool) -> None:
        path = str(tmp_path / "s")
        async with await asyncio.start_unix_server(_hello, path):
            assert await _ask(pool, Origin("", 0, path=path)) == b"hello"
        with pytest.raises(Unreachable):
            await pool.dialler.dial(Origin("", 0, path=str(tmp_path / "none")), asyncio.Protocol, 1.0)

    run(scene)


def test_nobody_answers_in_time() -> None:
    async def scene(pool: Pool) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            waiting = [socket.socket() for _ in range(4)]
            for client in waiting:
                client.setblocking(False)
                client.connect_ex(full.getsockname())
            with pytest.raises(TimeoutError):
                await pool.dialler.dial(Origin("127.0.0.1", full.getsockname()[1]), asyncio.Protocol, 0.2)
            for client in waiting:
                client.close()

    run(scene)


# The proxy


class Proxy:
    """Tunnels by CONNECT, or answers `refusing` instead."""

    def __init__(self, refusing: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self._refusing = refusing
        self._tasks: list[asyncio.Future[None]] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        if self._refusing:
            writer.write(self._refusing)
            writer.close()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n")
        self._tasks = [asyncio.ensure_future(_copy(reader, back)), asyncio.ensure_future(_copy(there, writer))]
        await asyncio.gather(*self._tasks)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


def test_a_tls_origin_is_reached_through_the_proxy(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))

    async def scene() -> None:
        proxy = Proxy()
        async with (
            await asyncio.start_server(proxy, "127.0.0.1", 0) as tunnel,
            await asyncio.start_server(_hello, "127.0.0.1", 0, ssl=_served(certificate)) as server,
        ):
            monkeypatch.setenv("HTTPS_PROXY", f"http://us%40er:pa%3Ass@127.0.0.1:{_port(tunnel)}")
            pool = Pool()
            origin = Origin("localhost", _port(server), tls=True)
            assert [await _ask(pool, origin) for _ in range(2)] == [b"hello"] * 2
            [head] = proxy.heads
            assert head.startswith(b"CONNECT localhost:%d HTTP/1.1\r\nhost: localhost:" % origin.port)
            secret = base64.b64encode(b"us@er:pa:ss")
            assert b"proxy-authorization: Basic " + secret in head
            monkeypatch.setenv("NO_PROXY", "localhost")
            await pool.close()
            assert await _ask(pool, origin) == b"hello"
            assert len(proxy.heads) == 1
            await pool.close()
            await asyncio.sleep(0.05)

    uvloop.run(scene())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "refused: 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "refused: 502"),
        (b"nonsense\r\n\r\n", "refused: no status"),
        (b"HTTP/1.1 200", "no answer"),
        (b"x" * 40_000, "no answer"),
    ],
)
def test_a_proxy_that_refuses(answer: bytes, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with await asyncio.start_server(Proxy(answer), "127.0.0.1", 0) as tunnel:
            monkeypatch.setenv("https_proxy", f"127.0.0.1:{_port(tunnel)}")
            with pytest.raises(Unreachable) as raised:
                await Dialler().dial(Origin("localhost", 9, tls=True), asyncio.Protocol, 5.0)
            assert told in raised.value.reason

    asyncio.run(scene())


def test_a_proxy_that_is_no_http_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(Unreachable, match="HTTPS_PROXY"):
        asyncio.run(Dialler().dial(Origin("localhost", 9, tls=True), asyncio.Protocol, 5.0))


def test_plain_origins_are_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    async def scene(pool: Pool) -> None:
        async with await asyncio.start_server(_hello, "127.0.0.1", 0) as server:
            assert await _ask(pool, Origin("127.0.0.1", _port(server))) == b"hello"

    run(scene)
