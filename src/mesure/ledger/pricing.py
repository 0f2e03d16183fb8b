"""From an event to the coefficients of what served it: the few facts they depend on, resolved once each."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from mesure.impact import Deployment, impacts_of, resolve
from mesure.ledger.cells import CellKey, Served, Sums
from mesure.ledger.schema import month_of
from mesure.quantity import Status, weakest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.config import DeploymentSettings
    from mesure.impact import Coefficients, Impacts
    from mesure.record import UsageEvent

__all__ = ["KEY_COLUMNS", "Key", "Pricer", "key_of"]


#: Names come from clients: what is kept of them is bounded.
_MOST_KEYS = 8_192


class Key(NamedTuple):
    """What coefficients depend on; empty text where unknown. Factors are dated by year: a UTC month is fine enough."""

    provider: str
    model_answered: str
    model_requested: str
    host_zone: str
    host_region: str
    deployment: str
    month: str


#: Columns of the table that make a key, beside the month.
KEY_COLUMNS = Key._fields[:-1]


def key_of(event: UsageEvent) -> Key:
    return Key(
        event.provider or "",
        event.model_answered or "",
        event.model_requested or "",
        event.host_zone or "",
        event.host_region or "",
        event.deployment or "",
        month_of(event.started_at),
    )


class Pricer:
    """Resolves each key once. An unknown model gets the flagged wide default: nothing is left without an estimate."""

    def __init__(self, deployments: Mapping[str, DeploymentSettings]) -> None:
        self._deployments = {name: _as_deployment(stated) for name, stated in deployments.items()}
        self._resolved: dict[Key, Coefficients] = {}
        #: Ids of the factors behind each deployment's figures.
        self.sources: dict[Served, tuple[str, ...]] = {}

    def coefficients(self, key: Key) -> Coefficients:
        """The answered model where the catalogue knows it, else the requested one where it does, else the default."""
        found = self._resolved.get(key)
        if found is None:
            found = self._resolve(key, key.model_answered or key.model_requested)
            if not found.known and key.model_requested and key.model_answered:
                requested = self._resolve(key, key.model_requested)
                found = requested if requested.known else found
            if len(self._resolved) >= _MOST_KEYS:
                self._resolved.clear()
            self._resolved[key] = found
        return found

    def impacts(self, event: UsageEvent) -> Impacts:
        return impacts_of(event, self.coefficients(key_of(event)))

    def price(self, event: UsageEvent) -> tuple[CellKey, Sums]:
        """The cell of one event, and what it adds to it."""
        key = key_of(event)
        impacts = impacts_of(event, self.coefficients(key))
        energy, gwp = impacts.energy_wh, impacts.gwp_gco2eq
        sums = Sums(1, event.calls_count, (event.input_tokens or 0) + (event.output_tokens or 0), *energy[:3])
        if gwp is not None:
            sums.gwp_low, sums.gwp_mid, sums.gwp_high = gwp[:3]
            sums.gwp_events = 1
        return self.cell(key, impacts.status), sums

    def cell(self, key: Key, status: Status | None) -> CellKey:
        """Where events of a key are summed. `status`: of their energy; None for the status of the coefficients."""
        coefficients = self.coefficients(key)
        seen = key.model_answered or key.model_requested
        served = Served(key.provider, coefficients.model or seen, coefficients.known, key.host_zone, key.deployment)
        if served not in self.sources:
            self.sources[served] = coefficients.sources
        own = status or coefficients.status
        grid = coefficients.parts.get("grid_intensity_gco2eq_per_kwh")
        return CellKey(served, own, weakest((own, Status.MODELLED, *((grid.status,) if grid else ()))))

    def _resolve(self, key: Key, model: str) -> Coefficients:
        return resolve(
            model,
            provider=key.provider or None,
            zone=key.host_zone or None,
            at=date.fromisoformat(f"{key.month}-01"),
            deployment=self._deployments.get(key.deployment),
        )


def _as_deployment(stated: DeploymentSettings) -> Deployment:
    return Deployment(
        gpu=stated.gpu or None,
        n_gpus=stated.n_gpus or None,
        precision=stated.precision or None,
        batch=stated.batch or None,
        framework=stated.framework or None,
    )
