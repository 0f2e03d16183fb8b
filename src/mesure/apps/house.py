"""What there is once, however many processes relay calls: ledger, committer, pages, and the intake of telemetry."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.apps.events_door import EVENTS_PATH, EventsDoor
from mesure.apps.gateway.keeping import content_of
from mesure.apps.gateway.keys import ring_of
from mesure.apps.gateway.metrics import render_metrics
from mesure.apps.notices import Words
from mesure.apps.otlp import PATHS, OtlpApp, open_grpc, otlp_metrics
from mesure.apps.web import create_web
from mesure.ledger import Committer, Ledger, View, retain
from mesure.meter.otlp import Intake
from mesure.meter.pseudonyms import Pseudonyms
from mesure.meter.sensors import OwnMeter
from mesure.policy.leases import machine_id
from mesure.policy.watching import Watch
from mesure.state import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Receive, Scope, Send

    from mesure.apps.totals import GatewayTotals
    from mesure.config import Settings
    from mesure.ledger import Spool

__all__ = ["House"]


class House:
    """An ASGI application. `spool` takes what telemetry tells; it is closed with the house.

    `totals` gives what the gateway counted, in all its processes; `own` meters them for the footer; `sensors`
    tells of those of measured deployments.
    """

    def __init__(
        self,
        settings: Settings,
        spool: Spool,
        totals: Callable[[], GatewayTotals],
        *,
        own: OwnMeter | None = None,
        sensors: Callable[[], list[dict[str, Any]]] = list,
        notices: Sequence[str] = (),
    ) -> None:
        data = Path(settings.server.data)
        self._totals = totals
        self._spool = spool
        self.ledger = Ledger(data, settings.ledger, settings.deployments)
        self.content = content_of(settings)
        upkeep: list[Callable[[], object]] = [partial(retain, self.ledger, settings.privacy)]
        if self.content is not None:
            upkeep.append(self.content.retain)
        self.committer = Committer(self.ledger, data / "spool", settings.ledger, upkeep=upkeep)
        self.keys = ring_of(settings)
        pseudonyms = Pseudonyms(data)
        self._events = EventsDoor(settings, spool, pseudonyms, self.keys)
        self._intake = Intake(settings, spool, pseudonyms)
        self._otlp = OtlpApp(settings, self._intake, self.keys)
        self._grpc = open_grpc(settings, self._intake, self.keys)
        view = View(self.ledger, self.committer, settings)
        store = partial(open_store, settings)
        self._data = data
        self.watch = Watch(settings, view, self.ledger, self.committer, store, Words(settings, _address(settings)))
        self.web = create_web(
            settings,
            view,
            own=own or OwnMeter(),
            gateway_metrics=self.metrics,
            health=self.health,
            sensors=sensors,
            notices=notices,
        )

    def open(self) -> None:
        """Before anything is served. Raises `LedgerError` when another server holds the data folder, `StateError`."""
        self.committer.start()
        if self.keys is not None:
            self.keys.start()
        if self._grpc is not None:
            self._grpc.start()
        self.watch.start(machine_id(self._data))

    def close(self) -> None:
        """What is still in the spool reaches the table."""
        self.watch.stop()
        if self._grpc is not None:
            self._grpc.stop()
        self._spool.close()
        self.committer.stop()
        if self.keys is not None:
            self.keys.stop()

    def close_streams(self) -> None:
        """End the live pushes: they would otherwise outlast a stop."""
        self.web.state.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        app = self._otlp if path in PATHS else self._events if path == EVENTS_PATH else self.web
        await app(scope, receive, send)

    def metrics(self) -> str:
        return render_metrics(self.committer.counters, self._totals(), self.committer.merged) + otlp_metrics(
            self._intake
        )

    def health(self) -> dict[str, Any]:
        """What /healthz and /readyz tell: the committer's state and what could not be written."""
        state, totals = self.committer.state, self._totals()
        return {
            "ok": state.last_error is None and totals.spool_failed == 0,
            "committer": state.to_json(),
            "spool_written": totals.spool_written,
            "spool_failed": totals.spool_failed,
            "keys": self.keys.state.to_json() if self.keys else None,
            "alerts": self.watch.state.to_json(),
        }


def _address(settings: Settings) -> str:
    """Of the pages, as this machine reaches them."""
    host = settings.server.host
    return f"http://[{host}]:{settings.server.port}" if ":" in host else f"http://{host}:{settings.server.port}"
