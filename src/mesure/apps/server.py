"""One process, one port: gateway, pages, metrics, and the committer that moves facts into the ledger."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from mesure.apps.gateway import Gateway
from mesure.apps.gateway.metrics import render_metrics
from mesure.apps.hosts import is_loopback
from mesure.apps.otlp import PATHS as OTLP_PATHS
from mesure.apps.otlp import OtlpApp, open_grpc, otlp_metrics
from mesure.apps.web import create_web
from mesure.errors import ConfigError
from mesure.ledger import Committer, Ledger, Spool, View
from mesure.meter.otlp import Intake
from mesure.meter.pseudonyms import Pseudonyms
from mesure.meter.sensors import OwnMeter
from mesure.state import KeyRing, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    from starlette.types import Receive, Scope, Send

    from mesure.config import Settings
    from mesure.meter.sensors import CallMeter

__all__ = ["bind", "serve"]

log = logging.getLogger("mesure")

_GATEWAY_PATHS = ("/v1/", "/providers/")
#: Calls in flight when the server is told to stop have this long to finish.
_GRACE_S = 5


def serve(
    settings: Settings,
    *,
    meters: Mapping[str, CallMeter] | None = None,
    notices: Sequence[str] = (),
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `on_ready` gets the address of the pages once they answer.

    Raises `ConfigError` when the address is taken, or open to others without keys, `LedgerError` when the data folder
    cannot be used, and `StateError` when another version of Mesure made its state.
    """
    keys_required = settings.gateway.keys == "required"
    with bind(settings.server.host, settings.server.port, keys_required=keys_required) as listener:
        house = _House(settings, meters or {}, notices)
        if on_ready is not None:
            house.on_ready = partial(on_ready, _address(listener))
        try:
            house.open()
            _Server(_config(house), house.close_streams).run(sockets=[listener])
        finally:
            house.close()


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (listened on, and no place to look at)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _config(house: _House) -> uvicorn.Config:
    return uvicorn.Config(
        house,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


class _Server(uvicorn.Server):
    """Ends the live pushes as soon as it is told to stop: they would otherwise last until the grace is over."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._on_exit()
        # Not uvicorn's own: it raises the signal again after a clean stop, and the exit status would tell of a death
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


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
        return socket.create_server((host, port), family=family, backlog=1024)
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


class _House:
    """The ASGI application: AI calls to the gateway, everything else to the pages."""

    def __init__(self, settings: Settings, meters: Mapping[str, CallMeter], notices: Sequence[str]) -> None:
        data = Path(settings.server.data)
        self.on_ready: Callable[[], None] | None = None
        self.ledger = Ledger(data, settings.ledger, settings.deployments)
        self.spool = Spool(data / "spool", segment_bytes=int(settings.ledger.segment_mb * 1e6))
        self.committer = Committer(self.ledger, data / "spool", settings.ledger)
        self.keys = KeyRing(data, partial(open_store, settings)) if settings.gateway.keys != "off" else None
        self.gateway = Gateway(settings, self.spool, meters=meters, keys=self.keys)
        self.intake = Intake(settings, self.spool, Pseudonyms(data))
        self.otlp = OtlpApp(settings, self.intake, self.keys)
        self.grpc = open_grpc(settings, self.intake, self.keys)
        self.own = OwnMeter()
        self.view = View(self.ledger, self.committer, settings)
        self.web = create_web(
            settings,
            self.view,
            own=self.own,
            gateway_metrics=self.metrics,
            health=self.health,
            notices=notices,
        )

    def open(self) -> None:
        """Before anything is served. Raises `LedgerError` when another server holds the data folder, `StateError`."""
        self.committer.start()
        if self.keys is not None:
            self.keys.start()
        if self.grpc is not None:
            self.grpc.start()

    def close(self) -> None:
        """What is still in the spool reaches the table."""
        if self.grpc is not None:
            self.grpc.stop()
        self.spool.close()
        self.committer.stop()
        if self.keys is not None:
            self.keys.stop()

    def close_streams(self) -> None:
        self.web.state.close()

    def metrics(self) -> str:
        return render_metrics(self.committer.counters, self.gateway, self.spool) + otlp_metrics(self.intake)

    def health(self) -> dict[str, Any]:
        """What /healthz and /readyz tell: the committer's state and what could not be written."""
        state = self.committer.state
        return {
            "ok": state.last_error is None and self.spool.failed == 0,
            "committer": state.to_json(),
            "spool_written": self.spool.written,
            "spool_failed": self.spool.failed,
            "keys": self.keys.state.to_json() if self.keys else None,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"] in OTLP_PATHS:
            await self.otlp(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(_GATEWAY_PATHS):
            await self.gateway(scope, receive, send)
        else:
            await self.web(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.gateway.startup()
        await send({"type": "lifespan.startup.complete"})
        if self.on_ready is not None:
            self.on_ready()
        await receive()
        await self.gateway.shutdown()
        await send({"type": "lifespan.shutdown.complete"})
