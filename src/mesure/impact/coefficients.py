"""`resolve`: a model, a place, a date and machines become coefficients, once; events then cost a multiply-add."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import Factor, current
from mesure.impact import formulas
from mesure.impact.deployment import Deployment, ModelCard
from mesure.impact.hardware import on_processor
from mesure.impact.manufacture import MADE, manufacture
from mesure.impact.mixture import Spread
from mesure.impact.modelled import Modelled, Reference, modelled
from mesure.impact.place import electricity, place_of, stated_zone
from mesure.impact.rows import Form, error_name, row_of
from mesure.impact.scenarios import LOCAL_PROVIDERS
from mesure.impact.site import Stack, processor_share, stack_of
from mesure.quantity import Quantity, Status, weakest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from mesure.impact.site import Sourced

__all__ = ["Coefficients", "coefficient_row", "resolve"]

_THIS_YEAR = 2026
_TYPICAL = Reference()


class Plan(NamedTuple):
    """What each quantile of an energy, and then its middle, are multiplied by to give those of a quantity."""

    own: Spread
    of_mid: Spread
    status: Status
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What one deployment costs per unit of each thing a call carries, with intervals, and everything that led to it.

    `form`: Wh at the accelerators per unit of each term, and its errors; `parts`: host share, idle reserve, PUE, what a
    kWh takes from the grid, the hall and the machines; `phases`: what each of them makes of a kWh at the meter, None
    without a sourced factor; `factors`: every sourced figure used, those of energy first. `warnings` are codes.
    """

    model: str | None
    known: bool
    requested: str
    provider: str | None
    zone: str | None  # stated, or that of the region stated
    region: str | None
    year: int
    view: str  # api, self-host, local
    modality: str
    form: Form
    stack: Stack
    parts: Mapping[str, Quantity]
    phases: Mapping[str, Quantity | None]
    energy_factors: tuple[Factor, ...]
    factors: tuple[Factor, ...]
    warnings: tuple[str, ...]
    status: Status
    catalogue_version: str
    _rows: dict[int, dict[str, float]] = field(default_factory=dict, repr=False)
    _energy_sources: dict[int, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _plans: dict[tuple[int, Status, str, str], Plan] = field(default_factory=dict, repr=False)

    def row(self, basis: int) -> dict[str, float]:
        """`formulas.COEFFICIENT_COLUMNS` of a basis."""
        found = self._rows.get(basis)
        if found is None:
            found = self._rows[basis] = row_of(self.form, self.stack, self.phases, basis)
        return found

    def plan(self, basis: int, obtained: Status, part: str, quantity: str) -> Plan:
        """What makes `part` of a quantity of an energy on a basis, `obtained` so; NaN without a sourced factor."""
        key = basis, obtained, part, quantity
        found = self._plans.get(key)
        if found is None:
            row, sums = self.row(basis), ([0.0] * 3, [0.0] * 3)
            for i, q in enumerate(formulas.QUANTILES):
                for of, column in formulas.multipliers(part, quantity, q):
                    sums[of != q][i] += row[column]
            status, sources = self._provenance(basis, obtained, part, quantity)
            found = self._plans[key] = Plan(Spread(*sums[0]), Spread(*sums[1]), status, sources)
        return found

    def _provenance(self, basis: int, obtained: Status, part: str, quantity: str) -> tuple[Status, tuple[str, ...]]:
        """What is computed from factors is never stronger than modelled, and as weak as the weakest of them."""
        names = () if quantity == "energy_wh" else formulas.phases(part, quantity)
        phases = [per for phase in names if (per := self.phases[phase + quantity])]
        ids = (*self.energy_sources(basis), *(source for phase in phases for source in phase.sources))
        return weakest((obtained, *(phase.status for phase in phases))), tuple(dict.fromkeys(ids))

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

    def energy_sources(self, basis: int) -> tuple[str, ...]:
        """Ids of the factors energy rests on: of the model and its way to the meter, or of the way from where it was
        read."""
        reading = basis if basis >= formulas.ACCELERATOR else 0
        found = self._energy_sources.get(reading)
        if found is None:
            ids = self._way_sources(reading) if reading else (factor.id for factor in self.energy_factors)
            found = self._energy_sources[reading] = tuple(dict.fromkeys(ids))
        return found

    def _way_sources(self, reading: int) -> Iterator[str]:
        processor = (processor_share().id,) if reading == formulas.PROCESSOR else ()
        names = ("host_share", "idle_reserve", "pue") if reading == formulas.ACCELERATOR else ("idle_reserve", "pue")
        yield from (*processor, *(source for name in names for source in self.parts[name].sources))

    @cached_property
    def without_factor(self) -> frozenset[tuple[str, str]]:
        """(part, quantity) that no sourced factor gives: "" the whole, "usage_", "embodied_"."""
        wholes = ((part, quantity) for part in formulas.PARTS for quantity in formulas.QUANTITIES[1:])
        return frozenset(
            (part, quantity)
            for part, quantity in wholes
            if any(self.phases[phase + quantity] is None for phase in formulas.phases(part, quantity))
        )


def coefficient_row(coefficients: Coefficients, basis: int = 0) -> dict[str, float]:
    """The flat float columns `formulas` reads (`formulas.COEFFICIENT_COLUMNS`) for events of a basis."""
    return dict(coefficients.row(basis))


def resolve(
    model: str,
    *,
    provider: str | None = None,
    zone: str | None = None,
    region: str | None = None,
    at: date | None = None,
    deployment: Deployment | None = None,
    card: ModelCard | None = None,
    operation: str | None = None,
    reference: Reference | None = None,
) -> Coefficients:
    """Coefficients of a deployment; cached. An unknown model gives a flagged wide default, an unlisted zone no factor.

    `region`: the cloud region, whose zone stands where `zone` is unknown, and whose halls where they are published.
    `at` (today's edition when None) chooses the grid's year, the generation of software, and what a name that moves
    designated; `operation` what an unlisted model makes (text when None); `reference` the request at which what is not
    linear is evaluated (a typical one when None). Raises `UnknownName` for an accelerator that is not listed and
    `InvalidValue` for one that cannot be modelled.
    """
    return _resolve(
        model,
        provider or None,
        zone or None,
        region or None,
        at.year if at else None,
        _day_that_counts(model, provider or None, at),
        deployment or Deployment(),
        card or _card_of(model, provider or None, at, operation),
        reference or _TYPICAL,
    )


#: What a call makes -> the modality of a model that nobody lists.
_MODALITIES = {"image": "image", "video": "video", "speech": "text to speech", "transcription": "speech to text"}


def _card_of(model: str, provider: str | None, at: date | None, operation: str | None) -> ModelCard | None:
    """An unlisted model is what it makes: the default of one that makes images is not that of one that writes text."""
    modality = _MODALITIES.get(operation or "")
    if modality is None or current().find_model(model, provider, at) is not None:
        return None
    return ModelCard(modality=modality)


def _day_that_counts(model: str, provider: str | None, at: date | None) -> date | None:
    """`at` where the name designated something else that day; None where it makes no difference."""
    if at is None:
        return None
    then, now = (current().find_model(model, provider, day) for day in (at, None))
    return at if (then and then.id) != (now and now.id) else None


@lru_cache(maxsize=4096)
def _resolve(
    model: str,
    provider: str | None,
    zone: str | None,
    region: str | None,
    stated_year: int | None,
    day: date | None,
    deployment: Deployment,
    card: ModelCard | None,
    reference: Reference,
) -> Coefficients:
    year = stated_year or _THIS_YEAR
    local = (provider or "").casefold() in LOCAL_PROVIDERS and not deployment.gpu
    own = local or on_processor(deployment.gpu)
    found = modelled(model, provider, stated_year, deployment, card, reference, local=local, at=day)
    idle_measured = bool(deployment.idle_measured)
    stack = stack_of(provider, year, on_processor=own, region=region, idle_measured=idle_measured)
    place = place_of(provider, zone, region)
    used = electricity(place, stack, provider, year, on_processor=own, region=region)
    made = manufacture(found.power_w, stack, on_processor=own)
    beyond = {**used.parts, **{_MADE_PART[name]: one for name, one in made.items() if one}}
    parts = {
        "host_share": stack.host,
        "idle_reserve": stack.idle,
        "pue": stack.pue,
        **{name: one.quantity for name, one in beyond.items()},
        "accelerator_power_w": Quantity(*found.power_w, "W", Status.MODELLED),
    }
    embodied = {f"embodied_{name}": one.quantity if one else None for name, one in made.items()}
    energy_factors = tuple(dict.fromkeys((*found.factors, *stack.factors)))
    further = (factor for one in beyond.values() for factor in one.factors)
    subject = found.subject
    return Coefficients(
        model=subject.name,
        known=subject.known,
        requested=model,
        provider=provider,
        zone=stated_zone(provider, zone, region),
        region=region,
        year=year,
        view="local" if own else "self-host" if deployment.gpu else "api",
        modality=subject.modality,
        form=found.form,
        stack=stack,
        parts=parts,
        phases={**used.phases, **embodied, "embodied_water_ml": None},
        energy_factors=energy_factors,
        factors=tuple(dict.fromkeys((*energy_factors, *further))),
        warnings=(*_model_warnings(found, deployment, local), *used.warnings, *_beyond_energy_warnings(made)),
        status=Status.MODELLED if subject.known else Status.DEFAULT,
        catalogue_version=current().version,
    )


_MADE_PART = {"gwp_gco2eq": "manufacture_gco2eq_per_kwh"} | {
    name: f"manufacture_{name}_per_kwh" for name in MADE if name != "gwp_gco2eq"
}


_NO_MANUFACTURE = {"adpe_gsbeq": "embodied_adpe_no_factor", "pe_mj": "embodied_pe_no_factor"}


def _beyond_energy_warnings(made: Mapping[str, Sourced | None]) -> tuple[str, ...]:
    """What measurements have not validated, and what has no sourced factor: water of manufacture never has."""
    always = ("embodied_interval_not_validated", "water_adpe_pe_interval_not_validated", "embodied_water_no_factor")
    return (*always, *(code for name, code in _NO_MANUFACTURE.items() if made[name] is None))


def _model_warnings(found: Modelled, deployment: Deployment, local: bool) -> tuple[str, ...]:
    subject = found.subject
    stated = {"hardware_unknown": bool(deployment.gpu) or local, "load_unknown": bool(deployment.batch)}
    return (
        *(() if subject.known else ("model_unknown",)),
        *(("size_estimated", "interval_not_validated") if subject.estimated and subject.known else ()),
        *(("active_size_estimated",) if subject.active_estimated else ()),
        *(code for code, known in stated.items() if not known),
    )
