"""The flat columns the formulas read, from terms, stack, place and manufacture.

Independent factors multiply: their log deviations add in quadrature. So that formulas need only products, each factor
is stored as what it adds to the deviation already there.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact import formulas
from mesure.impact.scenarios import Spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.catalogue import Factor
    from mesure.impact.site import Sourced, Stack
    from mesure.impact.subject import Subject
    from mesure.quantity import Quantity

__all__ = ["assumed_factors", "row_of"]


def assumed_factors() -> dict[str, Factor]:
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
    """Log deviations of the energy of a typical request: 1 000 tokens read, 300 written, one image of 30 steps, a
    minute."""
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


def row_of(
    terms: Mapping[str, Spread],
    subject: Subject,
    stack: Stack,
    place: Sourced | None,
    made: Sourced,
    assumed: Mapping[str, Factor],
) -> dict[str, float]:
    """All of `formulas.COEFFICIENT_COLUMNS`; a phase without factor stays at 0 with its known-flag at 0."""
    row = dict.fromkeys(formulas.COEFFICIENT_COLUMNS, 0.0)
    for term, spread in terms.items():
        row |= {f"k_{term}_{q}": getattr(spread, q) for q in formulas.QUANTILES}
    reference = _reference(terms)
    row |= _assumed_columns(subject, assumed, reference)
    row["k_latent_per_frame"] = 1.0 / subject.diffusion.temporal_factor if subject.diffusion else 0.0
    deviations = {scope: _Deviations(*(reference if scope == "modelled" else ())) for scope in formulas.SCOPES}
    for scope, parts in _stacked(stack).items():
        row |= {f"k_stack_{scope}_{q}": value for q, value in deviations[scope].apply(*parts).items()}
    for phase, sourced in {"usage_": place, "embodied_": made}.items():
        if sourced is None:
            continue
        row[f"k_{phase}gwp_gco2eq_known"] = 1.0
        for basis, scope in {"modelled": "modelled", "measured": "accelerator"}.items():
            start = _Deviations(deviations[scope].below, deviations[scope].above)
            per_wh = start.apply(sourced.quantity.scaled(1e-3))
            row |= {f"k_{phase}gwp_gco2eq_{basis}_{q}": value for q, value in per_wh.items()}
    return row


def _stacked(stack: Stack) -> dict[str, tuple[Quantity, ...]]:
    """What multiplies an energy on its way to the meter, by where it was read."""
    return {
        "modelled": (stack.host, stack.idle, stack.pue),
        "accelerator": (stack.host, stack.idle, stack.pue),
        "processor": (stack.processor, stack.idle, stack.pue),
        "server": (stack.idle, stack.pue),
    }


def _assumed_columns(
    subject: Subject, assumed: Mapping[str, Factor], reference: tuple[float, float]
) -> dict[str, float]:
    """What stands for an unknown fact, widened so that its product with the energy per unit has the right interval."""
    out: dict[str, float] = {}
    for name, factor in assumed.items():
        stated = subject.diffusion.default_steps if subject.diffusion and name == "steps" else None
        spread = Spread(0.5 * stated, stated, 2.0 * stated) if stated else Spread(factor.low, factor.value, factor.high)
        grown = _Deviations(*reference).apply(spread)
        if name == "frames" and subject.modality != "video":
            grown = dict.fromkeys(formulas.QUANTILES, 1.0)
        if name.endswith("tokens") and subject.diffusion:
            grown = dict.fromkeys(formulas.QUANTILES, 0.0)
        out |= {f"k_assumed_{name}_{q}": value for q, value in grown.items()}
    return out
