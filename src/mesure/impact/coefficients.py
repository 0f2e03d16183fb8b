"""`resolve`: a model, a place, a date and machines become coefficients, once; events then cost a multiply-add."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from mesure.catalogue import Factor, current
from mesure.impact import formulas
from mesure.impact.deployment import Deployment, ModelCard
from mesure.impact.rows import assumed_factors, row_of
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
from mesure.impact.site import manufacture, place_of, stack_of
from mesure.impact.subject import Subject, subject_of
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mesure.impact.impacts import Impacts

__all__ = ["BEYOND_ENERGY", "Coefficients", "coefficient_row", "resolve"]

_UNSTATED = Deployment()
_THIS_YEAR = 2026
_IMAGES = ("image", "image_volume", "image_step", "step_volume", "step_volume_volume")
BEYOND_ENERGY = ("grid_intensity_gco2eq_per_kwh", "manufacture_gco2eq_per_kwh")
_TEXTS = ("fresh", "cached", "output", "fresh_input", "input_output", "output_output")


@dataclass(frozen=True)
class Coefficients:
    """What one deployment costs per unit of each thing a call carries, with intervals, and everything that led to it.

    `terms`: Wh at the accelerators per unit (see `formulas.TERMS`); `parts`: host share, idle reserve, PUE, grid
    intensity, manufacture per Wh of site energy; `factors`: every sourced figure used. `warnings` are codes.
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
        """Ids of every factor used."""
        return tuple(factor.id for factor in self.factors)

    @cached_property
    def energy_sources(self) -> tuple[str, ...]:
        """Ids of the factors energy rests on: neither grid nor manufacture."""
        elsewhere = {source for name in BEYOND_ENERGY if name in self.parts for source in self.parts[name].sources}
        return tuple(source for source in self.sources if source not in elsewhere)

    @cached_property
    def views(self) -> tuple[dict[str, Any], ...]:
        """The row as the formulas read it at 5, 50 and 95 %."""
        return tuple(formulas.at_quantile(self.row, q) for q in formulas.QUANTILES)

    @cached_property
    def without_factor(self) -> frozenset[tuple[str, str]]:
        """(part, quantity) that no sourced factor gives: "" the whole, "usage_", "embodied_"."""
        known = {
            part: {q for q in formulas.QUANTITIES[1:] if self.row[f"k_{part}{q}_known"]} for part in formulas.PARTS[1:]
        }
        known[""] = known["usage_"] & known["embodied_"]
        return frozenset(
            (part, q) for part, sourced in known.items() for q in formulas.QUANTITIES[1:] if q not in sourced
        )

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
    stack = stack_of(provider, year, on_processor=on_processor)
    place, place_warnings = place_of(provider, zone, year)
    made = manufacture(power_w, stack, on_processor=on_processor)
    parts = {
        "host_share": stack.host,
        "idle_reserve": stack.idle,
        "pue": stack.pue,
        **({"grid_intensity_gco2eq_per_kwh": place.quantity} if place else {}),
        "manufacture_gco2eq_per_kwh": made.quantity,
        "accelerator_power_w": Quantity(power_w, power_w, power_w, "W", Status.MODELLED),
    }
    assumed = assumed_factors()
    row = row_of(terms, subject, stack, place, made, assumed)
    used = (
        *subject.factors,
        *hardware,
        *stack.factors,
        *(place.factors if place else ()),
        *made.factors,
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
