"""The address a server listens on, and why it cannot."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from mesure.apps.hosts import is_loopback
from mesure.errors import ConfigError

if TYPE_CHECKING:
    from mesure.config import Settings

__all__ = ["BACKLOG", "address_of", "bind", "bind_for"]

BACKLOG = 1024


def address_of(listener: socket.socket) -> str:
    """Of the pages, for people to open."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (listened on, and no place to look at)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def bind_for(settings: Settings) -> socket.socket:
    """The listening socket of a server; `ConfigError` says why there is none."""
    server = settings.server
    return bind(server.host, server.port, keys_required=settings.gateway.keys == "required")


def bind(host: str, port: int, *, keys_required: bool = False) -> socket.socket:
    """A listening socket, beyond loopback only where calls need a key; `ConfigError` says why there is none."""
    if not is_loopback(host) and not keys_required:
        raise ConfigError(
            "Mesure listens on loopback only: without keys, anybody on the network could use it",
            value=host,
            action='Use 127.0.0.1, or set keys = "required" under [gateway]: calls then need a virtual key',
            code="bind_refused",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                "The port is already in use",
                value=f"{host}:{port}",
                action="Stop what uses it, or choose another with --port",
                code="port_taken",
            ) from None
        raise ConfigError(
            f"The address cannot be listened on: {os.strerror(error.errno or 0)}",
            value=f"{host}:{port}",
            action="Choose another host or port",
            code="bind_failed",
        ) from None
