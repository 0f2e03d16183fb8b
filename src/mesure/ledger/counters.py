"""Running totals of what was acknowledged since the start, from which the metrics page is rendered."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mesure.config import DeploymentSettings
    from mesure.impact import Impacts
    from mesure.ledger.pricing import Pricer
    from mesure.record import UsageEvent

__all__ = ["OTHER", "CounterLabels", "CounterRow", "Counters"]

#: Label sets kept apart; names come from clients, and a metrics store must not grow with them.
_MOST_SETS = 1_000
OTHER = "other"

log = logging.getLogger("mesure")


class CounterLabels(NamedTuple):
    """Empty text where unknown. `status` is the outcome of the call."""

    provider: str
    model: str
    team: str
    status: str


@dataclass(slots=True)
class CounterRow:
    """Totals of one label set; only ever growing. Mid values; water is None while no sourced factor gave any."""

    labels: CounterLabels
    events: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    energy_wh: float = 0.0
    gwp_gco2eq: float = 0.0
    water_ml: float | None = None


class Counters:
    """Safe for threads. Beyond a thousand label sets, further ones are merged into `other`, so that sums stay right."""

    def __init__(self, deployments: Mapping[str, DeploymentSettings] | None = None) -> None:
        self._lock = threading.Lock()
        self._rows: dict[CounterLabels, CounterRow] = {}
        self._deployments = deployments or {}
        self._pricer: Pricer | None = None

    def add(self, events: Iterable[UsageEvent]) -> None:
        for event in events:
            self._add(event)

    def rows(self) -> list[CounterRow]:
        """Copies, in a stable order."""
        with self._lock:
            return [replace(row) for _, row in sorted(self._rows.items())]

    def _add(self, event: UsageEvent) -> None:
        impacts = self._impacts(event)
        with self._lock:
            row = self._row(event, impacts.model if impacts else None)
            row.events += 1
            row.calls += event.calls_count
            row.input_tokens += event.input_tokens or 0
            row.output_tokens += event.output_tokens or 0
            if impacts is None:
                return
            row.energy_wh += impacts.energy_wh.mid if impacts.energy_wh else 0.0
            row.gwp_gco2eq += impacts.gwp_gco2eq.mid if impacts.gwp_gco2eq else 0.0
            if impacts.water_ml is not None:
                row.water_ml = (row.water_ml or 0.0) + impacts.water_ml.mid

    def _impacts(self, event: UsageEvent) -> Impacts | None:
        """Of one event; None when they cannot be computed: the call is counted all the same."""
        from mesure.ledger.pricing import Pricer

        try:
            self._pricer = self._pricer or Pricer(self._deployments)
            return self._pricer.impacts(event)
        except Exception:
            log.exception("Counters: the impacts of an event could not be computed.")
            return None

    def _row(self, event: UsageEvent, canonical: str | None) -> CounterRow:
        model = canonical or event.model_answered or event.model_requested or ""
        labels = CounterLabels(event.provider or "", model, event.team or "", event.status)
        if labels not in self._rows and len(self._rows) >= _MOST_SETS:
            labels = CounterLabels(OTHER, OTHER, OTHER, event.status)
        return self._rows.setdefault(labels, CounterRow(labels))
