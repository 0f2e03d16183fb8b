"""From an event to the coefficients of what served it: the few facts they depend on, resolved once each."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.impact import Deployment, impacts_of, impacts_of_fields, resolve
from mesure.impact.formulas import MEDIA_OPERATIONS
from mesure.ledger.cells import Cell, Served, Sums
from mesure.ledger.schema import month_of, time_of
from mesure.record import UsageEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mesure.config import DeploymentSettings
    from mesure.impact import Coefficients, Impacts

__all__ = ["ASSUMED", "KEY_COLUMNS", "Alike", "Key", "Pricer", "key_from", "key_of", "makes"]


_OF_READING = ("energy_status", "energy_scope", "energy_sensor")
#: Energy from a model, with token counts that nobody gave.
ASSUMED = "assumed"
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
    makes: str  # the operation where it makes something else than text: an unlisted model is what it makes
    month: str


#: Columns of the table that make a key, in the order of its fields.
KEY_COLUMNS = (*Key._fields[:-2], "operation", "month")


def makes(operation: str | None) -> str:
    """What of an operation coefficients depend on."""
    return operation if operation in MEDIA_OPERATIONS else ""


def key_of(event: UsageEvent) -> Key:
    return Key(
        event.provider or "",
        event.model_answered or "",
        event.model_requested or "",
        event.host_zone or "",
        event.host_region or "",
        event.deployment or "",
        makes(event.operation),
        month_of(event.started_at),
    )


def key_from(columns: Sequence[str | None]) -> Key:
    """The key of a row, from its `KEY_COLUMNS`."""
    *served, operation, month = columns
    return Key._make((*(text or "" for text in served), makes(operation), month or ""))


class Alike(NamedTuple):
    """What events of a key have in common when their energy was obtained alike: amounts of `impacts` do not matter."""

    served: Served
    impacts: Impacts


class Pricer:
    """Resolves each key once. An unknown model gets the flagged wide default: nothing is left without an estimate."""

    def __init__(self, deployments: Mapping[str, DeploymentSettings]) -> None:
        self._deployments = {name: _as_deployment(stated) for name, stated in deployments.items()}
        self._resolved: dict[Key, Coefficients] = {}
        self._cells: dict[tuple[Key, str], Cell] = {}
        self._alike: dict[tuple[Key, str], Alike] = {}

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
                self._cells.clear()
                self._alike.clear()
            self._resolved[key] = found
        return found

    def deployment(self, name: str) -> Deployment | None:
        """A declared deployment by its name; None when none has it."""
        return self._deployments.get(name)

    def impacts(self, event: UsageEvent) -> Impacts:
        return impacts_of(event, self.coefficients(key_of(event)))

    def impacts_of_fields(self, fields: Mapping[str, Any]) -> Impacts:
        """The same of an event given by its fields; those left out are unknown."""
        known = fields.get
        key = Key(
            known("provider") or "",
            known("model_answered") or "",
            known("model_requested") or "",
            known("host_zone") or "",
            known("host_region") or "",
            known("deployment") or "",
            makes(known("operation")),
            month_of(fields["started_at"]),
        )
        return impacts_of_fields(fields, self.coefficients(key))

    def price(self, event: UsageEvent) -> tuple[Cell, Sums]:
        """The cell of one event, and what it adds to it."""
        key = key_of(event)
        coefficients = self.coefficients(key)
        impacts = impacts_of(event, coefficients)
        energy, gwp = impacts.energy_wh, impacts.gwp_gco2eq
        sums = Sums(1, event.calls_count, (event.input_tokens or 0) + (event.output_tokens or 0), *energy[:3])
        if gwp is not None:
            sums.gwp_low, sums.gwp_mid, sums.gwp_high = gwp[:3]
            sums.gwp_events = 1
        return self.cell(key, self.obtained(event, impacts)), sums

    def obtained(self, event: UsageEvent, impacts: Impacts) -> str:
        """How the energy of an event came about, as `cell` takes it."""
        if event.energy_j is not None:
            return "/".join(text or "" for text in (event.energy_status, event.energy_scope, event.energy_sensor))
        return ASSUMED if impacts.status is not impacts.coefficients.status else ""

    def cell(self, key: Key, basis: str) -> Cell:
        """Where events of a key are summed. `basis` of energy: "status/scope/sensor" of a reading, `ASSUMED`, or ""."""
        cell = self._cells.get((key, basis))
        if cell is None:
            cell = self._cells[key, basis] = self._new_cell(key, basis)
        return cell

    def alike(self, key: Key, basis: str) -> Alike:
        """Status and sources are those that `impact` gives an event of this kind."""
        found = self._alike.get((key, basis))
        if found is None:
            impacts = impacts_of(_event_like(key, basis), self.coefficients(key))
            model = impacts.model or key.model_answered or key.model_requested
            zone = impacts.coefficients.zone or ""
            served = Served(key.provider, model, impacts.known, zone, key.deployment)
            found = self._alike[key, basis] = Alike(served, impacts)
        return found

    def _new_cell(self, key: Key, basis: str) -> Cell:
        served, impacts = self.alike(key, basis)
        energy, gwp = impacts.energy_wh, impacts.gwp_gco2eq
        if gwp is None:
            return Cell(served, energy.status, energy.status, energy.sources)
        return Cell(served, energy.status, gwp.status, energy.sources, gwp.sources)

    def _resolve(self, key: Key, model: str) -> Coefficients:
        return resolve(
            model,
            provider=key.provider or None,
            zone=key.host_zone or None,
            region=key.host_region or None,
            at=date.fromisoformat(f"{key.month}-01"),
            deployment=self._deployments.get(key.deployment),
            operation=key.makes or None,
        )


def _event_like(key: Key, basis: str) -> UsageEvent:
    """An event of a key whose energy was obtained on a basis; its amounts do not matter."""
    tokens = None if basis == ASSUMED else 1
    event = UsageEvent(
        id="", started_at=time_of(0), provider=key.provider, operation="chat", input_tokens=tokens, output_tokens=tokens
    )
    if "/" not in basis:
        return event
    read = dict(zip(_OF_READING, (text or None for text in basis.split("/", 2)), strict=True))
    return replace(event, energy_j=1.0, **read)  # type: ignore[arg-type]


def _as_deployment(stated: DeploymentSettings) -> Deployment:
    return Deployment(
        gpu=stated.gpu or None,
        n_gpus=stated.n_gpus or None,
        precision=stated.precision or None,
        batch=stated.batch or None,
        framework=stated.framework or None,
        idle_measured=bool(stated.sensor),
    )
