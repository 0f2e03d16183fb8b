"""The row of coefficients of a basis: what one unit of each feature makes of each quantity.

Independent factors multiply: their log deviations add in quadrature, whatever the order they are applied in. What
stands for an unknown fact is folded into the coefficients of the features that remain. Manufacture follows the hours of
the machines: the way from the accelerators to the meter cancels out of it, and leaves it no spread.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.impact import formulas
from mesure.impact.formulas import ACCELERATOR, AUDIO, FRAMES, INPUT, OUTPUT, PIXELS, PROCESSOR, SERVER, STEPS
from mesure.impact.mixture import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.impact.site import Stack
    from mesure.quantity import Quantity

__all__ = ["Assumed", "Form", "row_of"]


@dataclass(frozen=True, slots=True)
class Assumed:
    """What stands for an unknown fact, per call."""

    input_tokens: float
    output_tokens: float
    megapixels: float
    steps: float
    frames: float
    audio_seconds: float


@dataclass(frozen=True, slots=True)
class Form:
    """A deployment as a linear form: Wh at the accelerators per unit of each term, and its errors.

    `errors`: low, mid and high over what the terms give, by what is unknown: nothing (counted), the input (input), more
    (assumed).
    """

    terms: Mapping[str, float]
    errors: Mapping[str, Spread]
    assumed: Assumed
    latent_per_frame: float


def error_name(form: Form, basis: int) -> str:
    """Which of a form's errors a basis takes. A still image has one frame whether or not somebody says so."""
    unknown = basis if form.assumed.frames > 1.0 else basis & ~FRAMES
    return "assumed" if unknown & ~INPUT else "input" if unknown else "counted"


def _text_columns(t: Mapping[str, float], a: Assumed, basis: int) -> dict[str, float]:
    read = a.input_tokens if basis & INPUT else 0.0
    written = a.output_tokens if basis & OUTPUT else 0.0
    request = t["request"] + read * (t["fresh"] + read * t["prefill"])
    request += written * (t["output"] + t["context"] * (read + 0.5 * written))
    return {
        "calls": request,
        "fresh": t["fresh"] + written * t["context"],
        "cached": t["cached"] + 2.0 * read * t["prefill"] + written * t["context"],
        "output": t["output"] + read * t["context"],
        "context": t["context"],
        "prefill": t["prefill"],
    }


def _media_columns(t: Mapping[str, float], form: Form, basis: int) -> dict[str, float]:
    a, latent = form.assumed, form.latent_per_frame
    steps = a.steps if basis & STEPS else 1.0
    pixels = a.megapixels if basis & PIXELS else 1.0
    first = 1.0 + max(a.frames - 1.0, 0.0) * latent if basis & FRAMES else 1.0
    further = 0.0 if basis & FRAMES else latent
    once, each = pixels * t["image_volume"], steps * pixels * t["step_volume"]
    square = steps * pixels * pixels * t["step_volume_volume"]
    return {
        "images": t["image"],
        "pixels": once * first,
        "pixels_frames": once * further,
        "steps": steps * t["image_step"],
        "steps_pixels": each * first,
        "steps_pixels_frames": each * further,
        "steps_pixels2": square * first * first,
        "steps_pixels2_frames": square * 2.0 * further,
        "steps_pixels2_frames2": square * further * further,
        "audio_seconds": t["audio_second"],
    }


def row_of(form: Form, stack: Stack, phases: Mapping[str, Quantity | None], basis: int) -> dict[str, float]:
    """All of `formulas.COEFFICIENT_COLUMNS`. `phases`: quantity of a phase per kWh of site energy, None unknown."""
    if basis >= ACCELERATOR:
        columns, error, way = dict.fromkeys(formulas.FEATURES, 0.0), _EXACT, _stacked(stack)[basis]
    else:
        columns = _text_columns(form.terms, form.assumed, basis) | _media_columns(form.terms, form, basis)
        if basis & AUDIO:
            columns["calls"] += form.terms["audio_second"] * form.assumed.audio_seconds
        error, way = form.errors[error_name(form, basis)], _stacked(stack)[ACCELERATOR]
    row = {f"k_{name}": columns[name] for name in formulas.FEATURES}
    for name in formulas.MULTIPLIED:
        product = _product((error, *way)) if name == "usage_energy_wh" else _phase(name, phases[name], error, way)
        row |= {f"m_{name}_{q}": value for q, value in zip(formulas.QUANTILES, product, strict=True)}
    return row


_EXACT = Spread(1.0, 1.0, 1.0)
_UNKNOWN = Spread(math.nan, math.nan, math.nan)


def _phase(name: str, per_kwh: Quantity | None, error: Spread, way: tuple[Quantity, ...]) -> Spread:
    """What one Wh where `way` to the meter begins makes of the quantity of a phase."""
    if per_kwh is None:
        return _UNKNOWN
    if name.startswith("embodied_"):
        return _product((error, per_kwh.scaled(1e-3 * math.prod(factor.mid for factor in way))))
    return _product((error, *way, per_kwh.scaled(1e-3)))


def _stacked(stack: Stack) -> dict[int, tuple[Quantity, ...]]:
    """What multiplies an energy on its way to the meter, by where it was read."""
    return {
        ACCELERATOR: (stack.host, stack.idle, stack.pue),
        PROCESSOR: (stack.processor, stack.idle, stack.pue),
        SERVER: (stack.idle, stack.pue),
    }


def _product(factors: tuple[Quantity | Spread, ...]) -> Spread:
    mid = math.prod(factor.mid for factor in factors)
    if mid <= 0.0 or not all(factor.low > 0.0 for factor in factors):
        return Spread(0.0, mid, math.prod(factor.high for factor in factors))
    below = math.hypot(*(math.log(factor.mid / factor.low) for factor in factors))
    above = math.hypot(*(math.log(factor.high / factor.mid) for factor in factors))
    return Spread(mid * math.exp(-below), mid, mid * math.exp(above))
