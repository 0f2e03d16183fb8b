"""From weighted scenarios, each with its own error, to low, mid and high."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NODES", "Z90", "Spread", "mixed", "quantile"]

#: Half width of a 90 % interval in standard deviations.
Z90 = 1.6448536
#: Three points that stand for a normal law: (standard deviations, weight).
NODES = ((-math.sqrt(3.0), 1.0 / 6.0), (0.0, 2.0 / 3.0), (math.sqrt(3.0), 1.0 / 6.0))
_FEW = 12
_SMEAR = ((-2.1, 0.031), (-1.4, 0.105), (-0.7, 0.219), (0.0, 0.290), (0.7, 0.219), (1.4, 0.105), (2.1, 0.031))


class Spread(NamedTuple):
    """5, 50 and 95 %."""

    low: float
    mid: float
    high: float


def quantile(weighted: Iterable[tuple[float, float]], share: float) -> float:
    """The value below which `share` of the weight lies; `weighted` holds (value, weight)."""
    ordered = sorted(weighted)
    reached, wanted = 0.0, share * sum(weight for _, weight in ordered)
    for value, weight in ordered:
        reached += weight
        if reached >= wanted - 1e-12:
            return value
    return ordered[-1][0]


def mixed(points: Sequence[tuple[float, float, float]]) -> Spread:
    """Of (weight, value above zero, standard deviation of its logarithm).

    Few points (one deployment, its input or software unknown): geometric mean and total variance, a normal law. Many
    (hardware and load unknown): median and quantiles of the mixture, which is skewed.
    """
    total = sum(weight for weight, _, _ in points)
    logs = [(weight / total, math.log(value), spread) for weight, value, spread in points]
    if len(logs) <= _FEW:
        mean = sum(weight * value for weight, value, _ in logs)
        variance = sum(weight * ((value - mean) ** 2 + spread**2) for weight, value, spread in logs)
        half = Z90 * math.sqrt(variance)
        return Spread(math.exp(mean - half), math.exp(mean), math.exp(mean + half))
    cloud = sorted((value + z * spread, weight * part) for weight, value, spread in logs for z, part in _SMEAR)
    found, reached, wanted = [], 0.0, iter((0.05, 0.5, 0.95, 2.0))
    goal = next(wanted)
    for value, weight in cloud:
        reached += weight
        while reached >= goal:
            found.append(math.exp(value))
            goal = next(wanted)
    return Spread(*(found + [math.exp(cloud[-1][0])] * 3)[:3])
