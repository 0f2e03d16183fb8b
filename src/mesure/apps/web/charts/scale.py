"""From values to positions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LogScale", "Scale", "at", "decades", "nice_top", "scale_of"]

#: Tops whose half is also easy to read.
_STEPS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
#: From this ratio between the largest and the smallest value on, a scale from zero would flatten the small ones.
_DECADES_FROM = 100.0
#: Below, a power of ten is no longer a number of its own: nothing to be seen.
_LEAST = 1e-300


def nice_top(highest: float) -> float:
    """The first easy number at or above `highest`; 1 when there is nothing to show."""
    if not _LEAST < highest < math.inf:
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

    @property
    def ticks(self) -> tuple[float, ...]:
        return 0.0, self.top / 2, self.top


class LogScale(NamedTuple):
    """Values `bottom..top`, both above 0, onto positions by their logarithm; what lies outside is drawn at the edge."""

    bottom: float
    top: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if value <= self.bottom:
            return self.start
        share = min(math.log(value / self.bottom) / math.log(self.top / self.bottom), 1.0)
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Powers of ten, at most five of them."""
        first, last = round(math.log10(self.bottom)), round(math.log10(self.top))
        step = max(1, math.ceil((last - first) / 4))
        return tuple(10.0**power for power in range(first, last + 1, step))


def decades(values: Iterable[float], start: float, end: float) -> LogScale:
    """Whole powers of ten around the values above 0; one decade from 1 when there is none."""
    known = [value for value in values if _LEAST < value < math.inf]
    first = math.floor(math.log10(min(known))) if known else 0
    last = math.ceil(math.log10(max(known))) if known else 1
    return LogScale(10.0**first, 10.0 ** max(last, first + 1), start, end)


def scale_of(values: Iterable[float], start: float, end: float) -> Scale | LogScale:
    """From zero, or by decades where the values span more than two of them."""
    known = [value for value in values if _LEAST < value < math.inf]
    if known and max(known) >= _DECADES_FROM * min(known):
        return decades(known, start, end)
    return Scale(nice_top(max(known, default=0.0)), start, end)


def at(position: float) -> str:
    """A coordinate, to a tenth of a unit, without idle digits."""
    return f"{position:.1f}".removesuffix(".0")
