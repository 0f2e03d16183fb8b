"""`resolve`: a model, a place, a date and machines become coefficients, once; events then cost a multiply-add."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mesure.catalogue import Factor, current
from mesure.impact import formulas
from mesure.impact.deployment import Deployment, ModelCard
from mesure.impact.scenarios import (
    LOCAL_PROVIDERS,
    Scenario,
    Spread,
    diffusion_scenarios,
    half_width_90,
    quantile,
    spread_of,
    text_scenarios,
    used_factors,
)
from mesure.impact.subject import Subject, subject_of
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mesure.impact.impacts import Impacts

__all__ = ["Coefficients", "coefficient_row", "resolve"]

_HOURS_PER_YEAR = 8766.0
_THIS_YEAR = 2026
_IMAGES = ("image", "image_volume", "image_step", "step_volume", "step_volume_volume")
_TEXTS = ("fresh", "cached", "output", "fresh_input", "input_output", "output_output")


@dataclass(frozen=True)
class Coefficients:
    """What one deployment costs per unit of each thing a call carries, with intervals, and everything that led to it.

    `terms`: Wh at the accelerators per unit (see `formulas.TERMS`); `parts`: host share, idle reserve, PUE, grid intensity,
    manufacture per Wh of site energy; `factors`: every sourced figure used. `warnings` are codes.
    """

    model: str | None
    known: bool
    requested: str
    provider: str | None
    zone: str | None
    year: int
    view: str  # api, self-host, local
    modality: str
    terms: Mapping[str, Spread]
    parts: Mapping[str, Quantity]
    row: Mapping[str, float]
    factors: tuple[Factor, ...]
    warnings: tuple[str, ...]
    status: Status
    catalogue_version: str

    @cached_property
    def nearest(self) -> tuple[str, ...]:
        """Names to propose when the model is unknown; never used by a look-up."""
        return () if self.known else current().nearest_models(self.requested)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        return tuple(factor.id for factor in self.factors)

    def impacts(self, **facts: Any) -> Impacts:
        """Impacts of one call described by fields of `UsageEvent` (`input_tokens=...`); those left out are unknown.

        `operation` defaults to what the model makes, `calls_count` to 1.
        """
        from mesure.impact.impacts import impacts_of_facts

        return impacts_of_facts(facts, self)


def coefficient_row(coefficients: Coefficients) -> dict[str, float]:
    """The flat float columns `formulas` reads (`formulas.COEFFICIENT_COLUMNS`)."""
    return dict(coefficients.row)


def resolve(
    model: str,
    *,
    provider: str | None = None,
    zone: str | None = None,
    at: date | None = None,
    deployment: Deployment | None = None,
    card: ModelCard | None = None,
) -> Coefficients:
    """Coefficients of a deployment; cached. An unknown model gives a flagged wide default, an unlisted zone no factor.

    `at` (today's edition when None) chooses the grid's year and the generation of software. Raises `UnknownName` for an
    accelerator that is not listed and `InvalidValue` for one that cannot be modelled.
    """
    return _resolve(
        model, provider or None, zone or None, at.year if at else _THIS_YEAR, deployment or Deployment(), card
    )


@lru_cache(maxsize=4096)
def _resolve(
    model: str, provider: str | None, zone: str | None, year: int, deployment: Deployment, card: ModelCard | None
) -> Coefficients:
    local = (provider or "").casefold() in LOCAL_PROVIDERS and not deployment.gpu
    on_processor = local or (deployment.gpu or "").casefold().startswith("cpu")
    subject, terms, power_w, hardware = _modelled(model, provider, year, deployment, card, local)
    stack = _stack(provider, year, on_processor=on_processor)
    place, place_warnings = _place(provider, zone, year)
    made = _manufacture(power_w, stack, on_processor=on_processor)
    parts = {
        "host_share": stack.host,
        "idle_reserve": stack.idle,
        "pue": stack.pue,
        **({"grid_intensity_gco2eq_per_kwh": place.quantity} if place else {}),
        "manufacture_gco2eq_per_kwh": made.quantity,
        "accelerator_power_w": Quantity(power_w, power_w, power_w, "W", Status.MODELLED),
    }
    assumed = _assumed(subject)
    row = _row(terms, subject, stack, place, made, assumed)
    used = (
        *subject.factors,
        *hardware,
        *stack.factors,
        *(place.factors if place else ()),
        *made.factors,
        *assumed.values(),
    )
    return Coefficients(
        model=subject.name,
        known=subject.known,
        requested=model,
        provider=provider,
        zone=zone,
        year=year,
        view="local" if on_processor else "self-host" if deployment.gpu else "api",
        modality=subject.modality,
        terms=terms,
        parts=parts,
        row=row,
        factors=tuple(dict.fromkeys(used)),
        warnings=(*_model_warnings(subject, deployment, local), *place_warnings, *_NO_FACTOR),
        status=Status.MODELLED if subject.known else Status.DEFAULT,
        catalogue_version=current().version,
    )


#: No licence-clean factor with a year exists yet for these.
_NO_FACTOR = ("water_no_factor", "adpe_no_factor", "pe_no_factor", "embodied_interval_not_validated")


def _model_warnings(subject: Subject, deployment: Deployment, local: bool) -> tuple[str, ...]:
    stated = {"hardware_unknown": bool(deployment.gpu) or local, "load_unknown": bool(deployment.batch)}
    return (
        *(() if subject.known else ("model_unknown",)),
        *(("size_estimated", "interval_not_validated") if subject.estimated and subject.known else ()),
        *(code for code, known in stated.items() if not known),
    )


@lru_cache(maxsize=1024)
def _modelled(
    model: str, provider: str | None, year: int, deployment: Deployment, card: ModelCard | None, local: bool
) -> tuple[Subject, dict[str, Spread], float, tuple[Factor, ...]]:
    """The model, its terms, the mean power of its accelerators and the hardware figures used: no place in it."""
    subject = subject_of(model, provider, card, deployment)
    if subject.diffusion is not None:
        scenarios = diffusion_scenarios(subject.diffusion, deployment, year)
        names: tuple[str, ...] = _IMAGES
    else:
        scenarios = text_scenarios(subject.texts, deployment, year, local=local)
        names = _TEXTS
    mixture = any(text.mixture for _, text in subject.texts)
    own = half_width_90(scenarios, mixture=mixture, diffusion=subject.diffusion is not None)
    if not subject.known and subject.diffusion is not None:
        own = math.log(6.0)  # a denoiser of unknown size
    terms = dict.fromkeys(formulas.TERMS, Spread(0.0, 0.0, 0.0)) | {n: spread_of(scenarios, n, own) for n in names}
    if subject.modality in ("speech to text", "text to speech"):
        terms["audio_second"] = _audio(terms, subject.modality)
    power = quantile([(s.machine.power_w * s.terms["power_share"], s.weight) for s in scenarios], 0.5)
    return subject, terms, power, used_factors(deployment, year, local=local) + _fitted(scenarios)


def _fitted(scenarios: list[Scenario]) -> tuple[Factor, ...]:
    """The main fitted constants, so that an explanation can show them."""
    from mesure.impact import constants as fit

    if "image" in scenarios[0].terms:
        return (fit.LINEAR_COMPUTE, fit.ATTENTION_COMPUTE, fit.PASS_LAYER_S, fit.DECODE_TFLOP, fit.DIFFUSION_BUSY)
    return (
        fit.WEIGHT_READ,
        fit.CACHE_READ,
        fit.COMPUTE,
        fit.STEP_S,
        fit.STEP_REQUEST_S,
        fit.POWER_MEMORY,
        fit.POWER_COMPUTE,
        fit.POWER_CAP,
    )


def _audio(terms: Mapping[str, Spread], modality: str) -> Spread:
    """A second of speech as tokens: frames encoded and text written, or audio tokens made."""
    constant = current().constant
    made = constant("speech", "audio_tokens" if modality == "text to speech" else "text_tokens")
    frames = constant("speech", "encoder_tokens").value if modality == "speech to text" else 0.0
    fresh, output = terms["fresh"], terms["output"]
    return Spread(
        frames * fresh.low + made.low * output.low,
        frames * fresh.mid + made.value * output.mid,
        frames * fresh.high + made.high * output.high,
    )


# Between the accelerator and the meter


@dataclass(frozen=True, slots=True)
class _Stack:
    host: Quantity
    idle: Quantity
    pue: Quantity
    processor: Quantity
    factors: tuple[Factor, ...]


def _quantity(factor: Factor, status: Status = Status.MODELLED) -> Quantity:
    return Quantity(factor.low, factor.value, factor.high, factor.unit, status, (factor.id,))


def _stack(provider: str | None, year: int, *, on_processor: bool) -> _Stack:
    catalogue = current()
    processor = catalogue.constant("processor", "share")
    if on_processor:
        host, idle, pue = processor, catalogue.constant("local", "idle"), catalogue.constant("local", "pue")
        return _Stack(_quantity(host), _quantity(idle), _quantity(pue), _quantity(processor), (host, idle, pue))
    host, idle = catalogue.constant("host", "share"), catalogue.constant("idle", "reserve")
    stated = catalogue.site(provider, "pue", _at(year)) if provider else None
    if stated is None:
        pue = catalogue.constant("unknown", "pue")
        return _Stack(
            _quantity(host), _quantity(idle), _quantity(pue, Status.DEFAULT), _quantity(processor), (host, idle, pue)
        )
    spread = catalogue.constant("fleet", "pue_spread")
    pue_quantity = Quantity(
        max(1.0, stated.low * spread.low),
        stated.value,
        stated.high * spread.high,
        "ratio",
        Status.MODELLED,
        (stated.id,),
    )
    return _Stack(_quantity(host), _quantity(idle), pue_quantity, _quantity(processor), (host, idle, stated, spread))


def _at(year: int) -> date:
    from datetime import date

    return date(year, 12, 31)


# Place


@dataclass(frozen=True, slots=True)
class _Sourced:
    quantity: Quantity
    factors: tuple[Factor, ...]


def _place(provider: str | None, zone: str | None, year: int) -> tuple[_Sourced | None, tuple[str, ...]]:
    """Grid intensity where the call ran, as a distribution when the place is not stated."""
    catalogue = current()
    within = catalogue.constant("grid", "within_zone")
    warnings: tuple[str, ...] = ()
    if zone:
        places: tuple[tuple[str, float], ...] = ((zone, 1.0),)
        hosted: tuple[Factor, ...] = ()
    else:
        host = catalogue.host(provider) if provider else None
        places, hosted = (host.places, host.factors) if host else ((("WORLD", 1.0),), ())
        warnings = ("zone_assumed",) if host else ("zone_unknown",)
    grids = [(catalogue.grid(place, _at(year)), share) for place, share in places]
    found = [(grid, share) for grid, share in grids if grid is not None]
    if len(found) < len(grids):
        return None, (*warnings, "zone_no_factor")
    if any("intensity_direct" in grid.id for grid, _ in found):
        warnings = (*warnings, "grid_direct_only")
    weighted = [(value, share * weight) for grid, share in found for value, weight in _points(grid, within)]
    low, mid, high = (quantile(weighted, share) for share in (0.05, 0.5, 0.95))
    factors = (*(grid for grid, _ in found), within, *hosted)
    status = Status.MODELLED if zone else Status.DEFAULT
    unit = "gCO2e/kWh"
    return _Sourced(Quantity(low, mid, high, unit, status, tuple(f.id for f in factors)), factors), warnings


def _points(grid: Factor, within: Factor) -> tuple[tuple[float, float], ...]:
    if grid.low < grid.high:
        return ((grid.low, 0.06), (grid.value, 0.88), (grid.high, 0.06))
    return ((grid.value * within.low, 0.06), (grid.value, 0.88), (grid.value * within.high, 0.06))


# Manufacture


def _manufacture(power_w: float, stack: _Stack, *, on_processor: bool) -> _Sourced:
    """gCO2e of manufacture per kWh of site energy: what an hour of the machine carries, over what it draws in that hour."""
    constant = current().constant
    kind = "local" if on_processor else "hardware"
    life, busy = constant(kind, "lifetime"), constant(kind, "utilisation")
    hours = life.value * _HOURS_PER_YEAR * busy.value
    if on_processor:
        made = (constant("local-manufacture", "gwp"),)
        kg, shares = made[0].value, (1.0,)
    else:
        accelerator, server = constant("accelerator-manufacture", "gwp"), constant("server-manufacture", "gwp")
        per_server = constant("hardware", "accelerators_per_server")
        made = (accelerator, server, per_server)
        kg = accelerator.value + server.value / per_server.value
        shares = (accelerator.value / kg, server.value / per_server.value / kg)
    site_kw = power_w * stack.host.mid * stack.idle.mid * stack.pue.mid * 1e-3
    mid = kg * 1e3 / hours / site_kw
    below, above = _spread_of_product((life, True), (busy, True))
    for factor, share in zip(made, shares, strict=False):
        below = math.hypot(below, share * math.log(factor.value / factor.low))
        above = math.hypot(above, share * math.log(factor.high / factor.value))
    factors = (*made, life, busy)
    quantity = Quantity(
        mid * math.exp(-below), mid, mid * math.exp(above), "gCO2e/kWh", Status.MODELLED, tuple(f.id for f in factors)
    )
    return _Sourced(quantity, factors)


def _spread_of_product(*factors: tuple[Factor, bool]) -> tuple[float, float]:
    """Log deviations below and above of a product; True marks a divisor."""
    below = math.hypot(
        *(math.log(f.high / f.value) if inverse else math.log(f.value / f.low) for f, inverse in factors)
    )
    above = math.hypot(
        *(math.log(f.value / f.low) if inverse else math.log(f.high / f.value) for f, inverse in factors)
    )
    return below, above


# The flat row


def _assumed(subject: Subject) -> dict[str, Factor]:
    constant = current().constant
    return {
        "input_tokens": constant("unknown-tokens", "input"),
        "output_tokens": constant("unknown-tokens", "output"),
        "megapixels": constant("unknown-image", "megapixels"),
        "steps": constant("unknown-image", "steps"),
        "frames": constant("unknown-image", "frames"),
        "audio_seconds": constant("unknown-audio", "seconds"),
    }


def _logs(quantity: Quantity | Spread) -> tuple[float, float]:
    if quantity.mid <= 0.0 or quantity.low <= 0.0:
        return 0.0, 0.0
    return math.log(quantity.mid / quantity.low), math.log(quantity.high / quantity.mid)


def _reference(terms: Mapping[str, Spread]) -> tuple[float, float]:
    """Log deviations of the energy of a typical request: 1 000 tokens read, 300 written, one image of 30 steps, a minute."""
    units = {"fresh": 1000.0, "output": 300.0, "step_volume": 30.0, "image_step": 30.0, "audio_second": 60.0}
    low, mid, high = (sum(getattr(terms[t], q) * n for t, n in units.items()) for q in formulas.QUANTILES)
    return _logs(Spread(low, mid, high))


class _Deviations:
    """Independent factors multiply: their log deviations add in quadrature, whatever the order they are applied in.

    Applied one after the other, each adds only what the quadrature sum grows by.
    """

    def __init__(self, below: float = 0.0, above: float = 0.0) -> None:
        self.below, self.above = below, above

    def apply(self, *quantities: Quantity | Spread) -> dict[str, float]:
        mid = math.prod(quantity.mid for quantity in quantities)
        below = math.hypot(self.below, *(_logs(quantity)[0] for quantity in quantities))
        above = math.hypot(self.above, *(_logs(quantity)[1] for quantity in quantities))
        grown = {"low": mid * math.exp(self.below - below), "mid": mid, "high": mid * math.exp(above - self.above)}
        self.below, self.above = below, above
        return grown


def _row(
    terms: Mapping[str, Spread],
    subject: Subject,
    stack: _Stack,
    place: _Sourced | None,
    made: _Sourced,
    assumed: Mapping[str, Factor],
) -> dict[str, float]:
    row = dict.fromkeys(formulas.COEFFICIENT_COLUMNS, 0.0)
    for term, spread in terms.items():
        for q in formulas.QUANTILES:
            row[f"k_{term}_{q}"] = getattr(spread, q)
    reference = _reference(terms)
    for name, factor in assumed.items():
        grown = _Deviations(*reference).apply(Spread(factor.low, factor.value, factor.high))
        if name == "frames" and subject.modality != "video":
            grown = dict.fromkeys(formulas.QUANTILES, 1.0)
        if name.endswith("tokens") and subject.modality in ("image", "video"):
            grown = dict.fromkeys(formulas.QUANTILES, 0.0)
        for q in formulas.QUANTILES:
            row[f"k_assumed_{name}_{q}"] = grown[q]
    row["k_latent_per_frame"] = 1.0 / subject.diffusion.temporal_factor if subject.diffusion else 0.0
    bases = {}
    for scope, parts in {
        "modelled": (stack.host, stack.idle, stack.pue),
        "accelerator": (stack.host, stack.idle, stack.pue),
        "processor": (stack.processor, stack.idle, stack.pue),
        "server": (stack.idle, stack.pue),
    }.items():
        deviations = _Deviations(*(reference if scope == "modelled" else ()))
        for q, value in deviations.apply(*parts).items():
            row[f"k_stack_{scope}_{q}"] = value
        bases[scope] = (deviations.below, deviations.above)
    per_kwh = {"usage_": place, "embodied_": made}
    for phase, sourced in per_kwh.items():
        if sourced is None:
            continue
        row[f"k_{phase}gwp_gco2eq_known"] = 1.0
        for basis, scope in {"modelled": "modelled", "measured": "accelerator"}.items():
            for q, value in _Deviations(*bases[scope]).apply(sourced.quantity.scaled(1e-3)).items():
                row[f"k_{phase}gwp_gco2eq_{basis}_{q}"] = value
    return row
