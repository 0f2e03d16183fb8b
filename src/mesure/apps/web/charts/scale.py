"""From values to positions."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Scale", "nice_top"]

#: Tops whose half is also easy to read.
_STEPS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def nice_top(highest: float) -> float:
    """The first easy number at or above `highest`; 1 when there is nothing to show."""
    if not 0.0 < highest < math.inf:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest))
    return next((step * power for step in _STEPS if highest <= step * power * (1 + 1e-9)), 10.0 * power)


class Scale(NamedTuple):
    """Values `0..top` onto positions `start..end`; what lies outside is drawn at the edge."""

    top: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = min(max(value / self.top, 0.0), 1.0) if self.top > 0.0 else 0.0
        return self.start + share * (self.end - self.start)


def at(position: float) -> str:
    """A coordinate, to a tenth of a unit, without idle digits."""
    return f"{position:.1f}".removesuffix(".0")
