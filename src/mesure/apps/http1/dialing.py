"""Opening a connection to another server: names, addresses, TLS, and the proxy that the environment names."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from aiohappyeyeballs import start_connection

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohappyeyeballs import AddrInfoType

__all__ = ["Dialler", "Origin", "Unreachable"]

_NAMES_S = 10.0
_MOST_NAMES = 256
#: Between two attempts when a name has several addresses (RFC 8305).
_STAGGER_S = 0.25
_PROXY_HEAD_BYTES = 16 << 10

P = TypeVar("P", bound=asyncio.Protocol)


class Origin(NamedTuple):
    """Where a server is. `path` is that of a Unix socket, and then all there is."""

    host: str
    port: int
    tls: bool = False
    path: str = ""


class Unreachable(Exception):  # noqa: N818
    """No connection could be opened. `reason` completes "could not be reached"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Dialler:
    """Resolved names are kept ten seconds. `HTTPS_PROXY` and `NO_PROXY` hold for TLS origins, read at the start."""

    def __init__(self) -> None:
        self._tls: ssl.SSLContext | None = None
        self._names: dict[tuple[str, int], tuple[float, list[AddrInfoType]]] = {}
        self._proxy = getproxies_environment().get("https", "")

    def load_certificates(self) -> ssl.SSLContext:
        """The context of every TLS connection; takes some ten milliseconds the first time."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    async def dial(self, origin: Origin, protocol: Callable[[], P], timeout_s: float) -> P:
        """A connection to `origin`, ready to be written to. Raises `Unreachable`, `TimeoutError`."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                if origin.path:
                    return (await loop.create_unix_connection(protocol, origin.path))[1]
                stream = await self._stream_to(origin)
                try:
                    if not origin.tls:
                        return (await loop.create_connection(protocol, sock=stream))[1]
                    context = self.load_certificates()
                    return (
                        await loop.create_connection(protocol, sock=stream, ssl=context, server_hostname=origin.host)
                    )[1]
                except BaseException:
                    stream.close()
                    raise
        except (ssl.SSLError, ssl.CertificateError):
            raise Unreachable("its certificate or TLS set-up is not accepted") from None
        except (socket.gaierror, UnicodeError):
            raise Unreachable("its name is not known") from None
        except TimeoutError:
            raise
        except OSError:
            raise Unreachable("connection refused or no route") from None

    async def _stream_to(self, origin: Origin) -> socket.socket:
        if not origin.tls or not self._proxy or proxy_bypass(origin.host):
            return await self._connected(origin.host, origin.port)
        return await self._through_proxy(origin)

    async def _connected(self, host: str, port: int) -> socket.socket:
        stream = await start_connection(await self._addresses(host, port), happy_eyeballs_delay=_STAGGER_S)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream

    async def _addresses(self, host: str, port: int) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        known = self._names.get((host, port))
        if known is not None and known[0] > loop.time():
            return known[1]
        found: list[AddrInfoType] = list(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        if len(self._names) >= _MOST_NAMES:
            self._names.clear()
        self._names[host, port] = loop.time() + _NAMES_S, found
        return found

    async def _through_proxy(self, origin: Origin) -> socket.socket:
        """A tunnel by CONNECT (RFC 9110, 9.3.6)."""
        loop = asyncio.get_running_loop()
        proxy = urlsplit(self._proxy if "//" in self._proxy else f"//{self._proxy}")
        if proxy.scheme not in ("", "http") or not proxy.hostname:
            raise Unreachable("HTTPS_PROXY is not an http:// address")
        stream = await self._connected(proxy.hostname, proxy.port or 80)
        try:
            host = f"[{origin.host}]" if ":" in origin.host else origin.host.encode("idna").decode()
            head = f"CONNECT {host}:{origin.port} HTTP/1.1\r\nhost: {host}:{origin.port}\r\n"
            if proxy.username is not None:
                pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
                head += f"proxy-authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
            await loop.sock_sendall(stream, f"{head}\r\n".encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                piece = await loop.sock_recv(stream, 4096)
                answer += piece
                if not piece or len(answer) > _PROXY_HEAD_BYTES:
                    raise Unreachable("the proxy of HTTPS_PROXY gave no answer that is HTTP")
            status = answer[:20].split(b" ")[1:2]
            if status != [b"200"]:
                told = b"".join(status).decode("latin-1")
                raise Unreachable(f"the proxy of HTTPS_PROXY refused: {told if told.isdigit() else 'no status'}")
        except BaseException:
            stream.close()
            raise
        return stream
