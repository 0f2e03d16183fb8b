"""`Impacts`: what a call consumed, computed when asked for; `estimate` for a call described by hand."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from mesure.impact import formulas
from mesure.impact.checks import checked_facts
from mesure.impact.coefficients import Coefficients, resolve
from mesure.impact.diffusion import TERMS as MEDIA_TERMS
from mesure.impact.modelled import Reference
from mesure.impact.parts import parts_of
from mesure.impact.site import sensor_error
from mesure.quantity import Quantity, Status
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mesure.impact.deployment import Deployment, ModelCard
    from mesure.record import UsageEvent

__all__ = ["Impacts", "Phase", "estimate", "impacts_of", "impacts_of_facts", "impacts_of_fields"]

_UNITS = {"energy_wh": "Wh", "gwp_gco2eq": "gCO2eq", "water_ml": "mL", "adpe_gsbeq": "gSbeq", "pe_mj": "MJ"}
_OPERATIONS = {
    "image": "image",
    "video": "video",
    "embedding": "embeddings",
    "speech to text": "transcription",
    "text to speech": "speech",
}
_ASSUMED = {
    formulas.INPUT: "input_tokens_assumed",
    formulas.OUTPUT: "output_tokens_assumed",
    formulas.STEPS: "image_steps_assumed",
    formulas.PIXELS: "image_megapixels_assumed",
    formulas.AUDIO: "audio_seconds_assumed",
}
#: Codes of what a measured energy does not rest on.
_OF_THE_MODEL = ("hardware_unknown", "load_unknown", "model_unknown", "size_estimated", "active_size_estimated")
_OF_EVENTS = (*formulas.FACTS, "energy_status", "energy_sensor", "basis")
_DEFAULTS: dict[str, Any] = dict.fromkeys(formulas.FACTS) | {"calls_count": 1}


class Phase:
    """The five quantities of one phase: `usage` or `embodied`. None where no sourced factor exists."""

    def __init__(self, impacts: Impacts, part: str) -> None:
        self._impacts, self._part = impacts, part

    def _get(self, quantity: str) -> Quantity | None:
        return self._impacts.quantity(self._part, quantity)

    @property
    def energy_wh(self) -> Quantity | None:
        """Wh at the site's meter; None for manufacture, whose energy is counted as primary energy."""
        return None if self._part == "embodied_" else self._get("energy_wh")

    @property
    def gwp_gco2eq(self) -> Quantity | None:
        return self._get("gwp_gco2eq")

    @property
    def water_ml(self) -> Quantity | None:
        return self._get("water_ml")

    @property
    def adpe_gsbeq(self) -> Quantity | None:
        return self._get("adpe_gsbeq")

    @property
    def pe_mj(self) -> Quantity | None:
        return self._get("pe_mj")


class Impacts:
    """What one call (or aggregate) consumed: low / mid / high with unit, status and sources; None is unknown, never
    zero.

    Quantities are computed when first read. `parts` holds every named intermediate. `counted`: who gave the counts,
    reported by a provider or declared by a person. `sensor`: what read the energy, whose stated error has a factor.
    """

    method_version = METHOD_VERSION

    def __init__(
        self,
        columns: Mapping[str, Any],
        coefficients: Coefficients,
        energy_status: Status | None = None,
        counted: Status = Status.REPORTED,
        sensor: str | None = None,
    ) -> None:
        self.sensor_error = sensor_error(sensor) if sensor and energy_status is not None else None
        self.columns = columns
        self.coefficients = coefficients
        self.basis = formulas.basis_of(columns)
        self.row = coefficients.row(self.basis)
        self.counted = counted
        self._measured = energy_status
        self._base: tuple[float, float, float] | None = None
        self._held: dict[tuple[str, str], Quantity | None] = {}

    @property
    def model(self) -> str | None:
        """The catalogue's name of the model; None when it is not listed."""
        return self.coefficients.model

    @property
    def known(self) -> bool:
        return self.coefficients.known

    @property
    def nearest(self) -> tuple[str, ...]:
        return self.coefficients.nearest

    @property
    def catalogue_version(self) -> str:
        return self.coefficients.catalogue_version

    @functools.cached_property
    def warnings(self) -> tuple[str, ...]:
        """Stable codes of what is assumed, missing or not validated."""
        codes = list(self.coefficients.warnings)
        if self._measured is None:
            codes += [code for bit, code in _ASSUMED.items() if self.basis & bit]
            codes += ["media_not_counted"] if self._leaves_media_out else []
        else:
            codes = [code for code in codes if code not in _OF_THE_MODEL]
        return tuple(codes)

    @property
    def _leaves_media_out(self) -> bool:
        """Whether the call made images, videos or sound that the model is not listed as making."""
        x, terms = self.columns, self.coefficients.form.terms
        heard = x["x_audio_seconds"] > 0.0 or bool(self.basis & formulas.AUDIO)
        drawn = x["x_images"] > 0.0 and not any(terms[term] for term in MEDIA_TERMS)
        return drawn or (heard and not terms["audio_second"])

    @functools.cached_property
    def status(self) -> Status:
        """How the energy was obtained."""
        if self._measured is not None:
            return self._measured
        unknown = self.basis & (formulas.INPUT | formulas.OUTPUT)
        return Status.DEFAULT if unknown else self.coefficients.status

    def _read_base(self) -> tuple[float, float, float]:
        """Wh at the accelerators, or where energy was read."""
        x = self.columns
        energy = formulas.accelerator_energy_wh(x, self.row, self._features)
        if self._measured is None:
            return energy, energy, energy
        return x["x_measured_low_wh"], x["x_measured_mid_wh"], x["x_measured_high_wh"]

    @property
    def _features(self) -> tuple[str, ...]:
        """Those that may differ from zero."""
        x = self.columns
        return formulas.FEATURES if x["x_images"] or x["x_audio_seconds"] else formulas.TEXT_FEATURES

    def quantity(self, part: str, quantity: str) -> Quantity | None:
        """One quantity of a phase ("" the whole, "usage_", "embodied_"); None where no sourced factor exists."""
        key = part, quantity
        if key not in self._held:
            self._held[key] = None if key in self.coefficients.without_factor else self._quantity(part, quantity)
        return self._held[key]

    def _quantity(self, part: str, quantity: str) -> Quantity:
        if self._base is None:
            self._base = self._read_base()
        low, mid, high = self._base
        own, of_mid, status, sources = self.coefficients.plan(self.basis, self.status, part, quantity)
        if self.sensor_error is not None:
            sources = (self.sensor_error.id, *sources)
        return Quantity(
            low * own[0] + mid * of_mid[0],
            mid * own[1] + mid * of_mid[1],
            high * own[2] + mid * of_mid[2],
            _UNITS[quantity],
            status,
            sources,
        )

    @property
    def energy_wh(self) -> Quantity:
        """Energy at the site's meter."""
        found = self.quantity("", "energy_wh")
        assert found is not None
        return found

    @property
    def gwp_gco2eq(self) -> Quantity | None:
        """Use (location-based) and manufacture."""
        return self.quantity("", "gwp_gco2eq")

    @property
    def water_ml(self) -> Quantity | None:
        """Consumed in use, on site and by generation, not scarcity-weighted: that of manufacture has no factor."""
        return self.quantity("", "water_ml")

    @property
    def adpe_gsbeq(self) -> Quantity | None:
        return self.quantity("", "adpe_gsbeq")

    @property
    def pe_mj(self) -> Quantity | None:
        return self.quantity("", "pe_mj")

    @property
    def usage(self) -> Phase:
        return Phase(self, "usage_")

    @property
    def embodied(self) -> Phase:
        return Phase(self, "embodied_")

    @functools.cached_property
    def parts(self) -> dict[str, Quantity]:
        """Every named intermediate as a quantity."""
        return parts_of(self)

    def to_json(self) -> dict[str, Any]:
        """Ready for a JSON encoder; null is unknown."""

        def encoded(phase: Impacts | Phase) -> dict[str, Any]:
            found = {name: getattr(phase, name) for name in _UNITS}
            return {name: quantity.to_json() if quantity is not None else None for name, quantity in found.items()}

        return {
            "model": self.model,
            "known": self.known,
            "nearest": list(self.nearest),
            **encoded(self),
            "usage": encoded(self.usage),
            "embodied": encoded(self.embodied),
            "parts": {name: quantity.to_json() for name, quantity in self.parts.items()},
            "status": self.status.value,
            "warnings": list(self.warnings),
            "method_version": self.method_version,
            "catalogue_version": self.catalogue_version,
        }


def impacts_of_facts(coefficients: Coefficients, **facts: Any) -> Impacts:
    """Impacts of one call described by fields of `UsageEvent` (`input_tokens=...`); those left out are unknown.

    `operation` defaults to what the model makes, `calls_count` to 1.
    """
    filled = {**_DEFAULTS, **facts}
    if filled["operation"] is None:
        filled["operation"] = _OPERATIONS.get(coefficients.modality, "chat")
    measured = None
    if filled["energy_j"] is not None:
        measured = Status.MEASURED if facts.get("energy_status", "measured") == "measured" else Status.MODELLED
    return Impacts(formulas.event_columns(filled), coefficients, measured, Status.DECLARED)


def impacts_of(event: UsageEvent, coefficients: Coefficients) -> Impacts:
    """Impacts of an event under its resolved coefficients; its `energy_j`, when present, replaces the model.

    A measured energy without `energy_status` counts as modelled: nobody vouched for it.
    """
    return impacts_of_fields({name: getattr(event, name) for name in _OF_EVENTS}, coefficients)


def impacts_of_fields(fields: Mapping[str, Any], coefficients: Coefficients) -> Impacts:
    """The same of an event given by its fields; those left out are unknown."""
    known = fields.get
    facts = {name: known(name) for name in formulas.FACTS}
    if facts["calls_count"] is None:
        facts["calls_count"] = 1
    status = None
    if facts["energy_j"] is not None:
        status = Status.MEASURED if known("energy_status") == "measured" else Status.MODELLED
    counted = Status.DECLARED if known("basis") == "declared" else Status.REPORTED
    return Impacts(formulas.event_columns(facts), coefficients, status, counted, known("energy_sensor"))


def estimate(
    model: str,
    *,
    input_tokens: float | None = None,
    output_tokens: float | None = None,
    cached_tokens: float = 0,
    reasoning_tokens: float = 0,
    images: float = 0,
    width: int | None = None,
    height: int | None = None,
    steps: int | None = None,
    frames: int | None = None,
    audio_seconds: float = 0,
    zone: str | None = None,
    at: date | None = None,
    deployment: Deployment | None = None,
    card: ModelCard | None = None,
) -> Impacts:
    """Impacts of one call.

    `input_tokens` and `output_tokens` count everything: cached tokens are part of the input, reasoning tokens of the
    output.
    None is unknown: a labelled assumption stands for it, with a wide interval. `width`, `height` in pixels, `steps`
    denoiser steps,
    `frames` of a video. `zone`: grid zone; None is the provider's default place. Raises `UnknownName` (zone,
    accelerator) and `InvalidValue`. An unknown model does not raise: `known` is False and `nearest` proposes names.
    """
    coefficients = resolve(
        model,
        provider=_provider_of(model, at),
        zone=zone,
        at=at,
        deployment=deployment,
        card=card,
        operation=_made(images, frames, audio_seconds),
        reference=_reference(input_tokens, output_tokens, width, height, frames, steps),
    )
    facts = checked_facts(
        zone=zone,
        input_tokens=input_tokens,
        cached_input_tokens=cached_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=reasoning_tokens,
        images_count=images,
        image_width=width,
        image_height=height,
        image_steps=steps,
        video_frames=frames,
        audio_seconds=audio_seconds,
        modality=coefficients.modality,
    )
    return impacts_of_facts(coefficients, **facts)


def _made(images: float, frames: int | None, audio_seconds: float) -> str | None:
    """What a call makes, by what is stated of it; None for text."""
    if frames and frames > 1:
        return "video"
    return "image" if images or frames else "transcription" if audio_seconds else None


_PER_OCTAVE = 4.0


def _near(value: float | None) -> float | None:
    """The nearest of four lengths an octave: the physics is evaluated there, and is linear between."""
    if value is None or not 0.0 < value < math.inf:
        return 0.0 if value == 0.0 else None
    return float(2.0 ** (round(_PER_OCTAVE * math.log2(value)) / _PER_OCTAVE))


def _reference(
    read: float | None,
    written: float | None,
    width: int | None,
    height: int | None,
    frames: int | None,
    steps: int | None,
) -> Reference:
    return Reference(_near(read), _near(written), width, height, frames, steps)


@functools.lru_cache(maxsize=4096)
def _provider_of(model: str, at: date | None) -> str | None:
    """The maker serves its own closed models; open weights run anywhere."""
    from mesure.catalogue import current

    found = current().find_model(model, at=at)
    return found.maker if found is not None and not found.open_weights else None
