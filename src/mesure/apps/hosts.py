"""Names this server answers under. Anything else in the Host header is a page that rebinds a name to this machine."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from mesure.config import ServerSettings

__all__ = ["AllowedHosts", "from_this_machine", "host_header", "is_loopback"]

_ANY = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  (left out of the names, not listened on)


class AllowedHosts:
    """Loopback names, the configured host and `server.allowed_hosts`; ports are not compared."""

    __slots__ = ("_names", "_seen")

    def __init__(self, server: ServerSettings) -> None:
        names = {"localhost", *server.allowed_hosts}
        if server.host not in _ANY:
            names.add(server.host)
        self._names = frozenset(name.strip().strip("[]").lower() for name in names if name.strip())
        self._seen: set[bytes] = set()

    def takes_host(self, header: bytes) -> bool:
        """Whether a Host header names this server."""
        if header in self._seen:
            return True
        taken = self._takes(_host_of(header.decode("latin-1")))
        if taken and len(self._seen) < 256:
            self._seen.add(header)
        return taken

    def takes_origin(self, header: bytes) -> bool:
        """Whether an Origin header is a page of this server, or of a name it was told to accept."""
        try:
            return self._takes(urlsplit(header.decode("latin-1")).hostname or "")
        except ValueError:
            return False

    def _takes(self, name: str) -> bool:
        name = name.lower().removesuffix(".")
        if name in self._names or name.endswith(".localhost"):
            return True
        return is_loopback(name)


def is_loopback(host: str) -> bool:
    """Whether an address or a name is this machine's own, also an IPv4 one written as IPv6."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def from_this_machine(scope: Scope) -> bool:
    """Whether a request came over loopback; one whose peer is not known did not."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0])


def host_header(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The Host header of a request, empty when it has none."""
    return next((value for name, value in headers if name == b"host"), b"")


def _host_of(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.partition(":")[0]
