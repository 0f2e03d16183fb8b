"""`resolve`: a model, a place, a date and machines become coefficients, once; events then cost a multiply-add."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mesure.catalogue import Factor, current
from mesure.impact import formulas
from mesure.impact.deployment import Deployment, ModelCard
from mesure.impact.hardware import on_processor
from mesure.impact.manufacture import manufacture
from mesure.impact.mixture import Spread
from mesure.impact.modelled import Modelled, Reference, modelled
from mesure.impact.rows import Form, error_name, row_of
from mesure.impact.scenarios import LOCAL_PROVIDERS
from mesure.impact.site import Stack, place_of, stack_of
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mesure.impact.impacts import Impacts

__all__ = ["BEYOND_ENERGY", "Coefficients", "coefficient_row", "resolve"]

_THIS_YEAR = 2026
_TYPICAL = Reference()
BEYOND_ENERGY = ("grid_intensity_gco2eq_per_kwh", "manufacture_gco2eq_per_kwh")


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What one deployment costs per unit of each thing a call carries, with intervals, and everything that led to it.

    `form`: Wh at the accelerators per unit of each term, and its errors; `parts`: host share, idle reserve, PUE, grid
    intensity, manufacture per kWh of site energy; `factors`: every sourced figure used. `warnings` are codes.
    """

    model: str | None
    known: bool
    requested: str
    provider: str | None
    zone: str | None
    year: int
    view: str  # api, self-host, local
    modality: str
    form: Form
    stack: Stack
    parts: Mapping[str, Quantity]
    phases: Mapping[str, Quantity | None]
    factors: tuple[Factor, ...]
    warnings: tuple[str, ...]
    status: Status
    catalogue_version: str
    _rows: dict[int, dict[str, float]] = field(default_factory=dict, repr=False)
    _multipliers: dict[tuple[int, str, str], tuple[Spread, Spread]] = field(default_factory=dict, repr=False)

    def row(self, basis: int) -> dict[str, float]:
        """`formulas.COEFFICIENT_COLUMNS` of a basis."""
        found = self._rows.get(basis)
        if found is None:
            found = self._rows[basis] = row_of(self.form, self.stack, self.phases, basis)
        return found

    def multiplier(self, basis: int, part: str, quantity: str) -> tuple[Spread, Spread]:
        """What one Wh at the accelerators (or where it was read) makes of a quantity, NaN without a sourced factor:
        first of each quantile of the energy, then of its middle."""
        key = basis, part, quantity
        found = self._multipliers.get(key)
        if found is None:
            row, sums = self.row(basis), ([0.0] * 3, [0.0] * 3)
            for i, q in enumerate(formulas.QUANTILES):
                for of, column in formulas.multipliers(part, quantity, q):
                    sums[of != q][i] += row[column]
            found = self._multipliers[key] = Spread(*sums[0]), Spread(*sums[1])
        return found

    def error(self, basis: int) -> Spread:
        """Low, mid and high over what the terms give at the accelerators."""
        return self.form.errors[error_name(self.form, basis)]

    @cached_property
    def nearest(self) -> tuple[str, ...]:
        """Names to propose when the model is unknown; never used by a look-up."""
        return () if self.known else current().nearest_models(self.requested)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """Ids of every factor used."""
        return tuple(factor.id for factor in self.factors)

    @cached_property
    def energy_sources(self) -> tuple[str, ...]:
        """Ids of the factors energy rests on: neither grid nor manufacture."""
        elsewhere = {source for name in BEYOND_ENERGY if name in self.parts for source in self.parts[name].sources}
        return tuple(source for source in self.sources if source not in elsewhere)

    @cached_property
    def without_factor(self) -> frozenset[tuple[str, str]]:
        """(part, quantity) that no sourced factor gives: "" the whole, "usage_", "embodied_"."""
        missing = {name for name, per_kwh in self.phases.items() if per_kwh is None}
        found = {(part, q) for part in formulas.PARTS[1:] for q in formulas.QUANTITIES[1:] if part + q in missing}
        return frozenset(found | {("", quantity) for _, quantity in found})

    @cached_property
    def place_status(self) -> Status:
        """How the place is known: modelled where it is stated, default where it is assumed."""
        grid = self.parts.get("grid_intensity_gco2eq_per_kwh")
        return grid.status if grid else Status.MODELLED

    def impacts(self, **facts: Any) -> Impacts:
        """Impacts of one call described by fields of `UsageEvent` (`input_tokens=...`); those left out are unknown.

        `operation` defaults to what the model makes, `calls_count` to 1.
        """
        from mesure.impact.impacts import impacts_of_facts

        return impacts_of_facts(facts, self)


def coefficient_row(coefficients: Coefficients, basis: int = 0) -> dict[str, float]:
    """The flat float columns `formulas` reads (`formulas.COEFFICIENT_COLUMNS`) for events of a basis."""
    return dict(coefficients.row(basis))


def resolve(
    model: str,
    *,
    provider: str | None = None,
    zone: str | None = None,
    at: date | None = None,
    deployment: Deployment | None = None,
    card: ModelCard | None = None,
    reference: Reference | None = None,
) -> Coefficients:
    """Coefficients of a deployment; cached. An unknown model gives a flagged wide default, an unlisted zone no factor.

    `at` (today's edition when None) chooses the grid's year and the generation of software; `reference` the request at
    which what is not linear is evaluated (a typical one when None). Raises `UnknownName` for an accelerator that is not
    listed and `InvalidValue` for one that cannot be modelled.
    """
    return _resolve(
        model,
        provider or None,
        zone or None,
        at.year if at else None,
        deployment or Deployment(),
        card,
        reference or _TYPICAL,
    )


@lru_cache(maxsize=4096)
def _resolve(
    model: str,
    provider: str | None,
    zone: str | None,
    stated_year: int | None,
    deployment: Deployment,
    card: ModelCard | None,
    reference: Reference,
) -> Coefficients:
    year = stated_year or _THIS_YEAR
    local = (provider or "").casefold() in LOCAL_PROVIDERS and not deployment.gpu
    own = local or on_processor(deployment.gpu)
    found = modelled(model, provider, stated_year, deployment, card, reference, local=local)
    stack = stack_of(provider, year, on_processor=own)
    place, place_warnings = place_of(provider, zone, year)
    made = manufacture(found.power_w, stack, on_processor=own)
    parts = {
        "host_share": stack.host,
        "idle_reserve": stack.idle,
        "pue": stack.pue,
        **({"grid_intensity_gco2eq_per_kwh": place.quantity} if place else {}),
        "manufacture_gco2eq_per_kwh": made.quantity,
        "accelerator_power_w": Quantity(*found.power_w, "W", Status.MODELLED),
    }
    phases: dict[str, Quantity | None] = dict.fromkeys(formulas.MULTIPLIED)
    phases |= {"usage_gwp_gco2eq": place.quantity if place else None, "embodied_gwp_gco2eq": made.quantity}
    del phases["usage_energy_wh"]
    used = (*found.factors, *stack.factors, *(place.factors if place else ()), *made.factors)
    subject = found.subject
    return Coefficients(
        model=subject.name,
        known=subject.known,
        requested=model,
        provider=provider,
        zone=zone,
        year=year,
        view="local" if own else "self-host" if deployment.gpu else "api",
        modality=subject.modality,
        form=found.form,
        stack=stack,
        parts=parts,
        phases=phases,
        factors=tuple(dict.fromkeys(used)),
        warnings=(*_model_warnings(found, deployment, local), *place_warnings, *_NO_FACTOR),
        status=Status.MODELLED if subject.known else Status.DEFAULT,
        catalogue_version=current().version,
    )


#: No licence-clean factor with a year exists yet for these.
_NO_FACTOR = ("water_no_factor", "adpe_no_factor", "pe_no_factor", "embodied_interval_not_validated")


def _model_warnings(found: Modelled, deployment: Deployment, local: bool) -> tuple[str, ...]:
    subject = found.subject
    stated = {"hardware_unknown": bool(deployment.gpu) or local, "load_unknown": bool(deployment.batch)}
    return (
        *(() if subject.known else ("model_unknown",)),
        *(("size_estimated", "interval_not_validated") if subject.estimated and subject.known else ()),
        *(code for code, known in stated.items() if not known),
    )
