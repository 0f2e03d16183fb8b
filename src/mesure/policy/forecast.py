"""What a period will come to, from its own history: level, damped trend, weekday pattern, and past errors.

History is a row of equal buckets (days; hours for a budget of a day). A pattern by slot (weekday, hour) is taken out as
far as it stands out from chance (James and Stein's shrinkage), the rest is smoothed exponentially with a damped trend
whose parameters are those that would have foreseen this history best, over the horizon that is asked. The interval is
that of the model, widened where past forecasts over such horizons went wrong by more than it said, and where the
history is short. It is that of a gamma distribution, which is right for steady, bursty and intermittent use alike.
Everything is linear in the length of the history.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Forecast", "Outlook", "foresee"]

#: Level, trend, damping: from a level that hardly moves to one that follows each bucket.
_CANDIDATES = (
    (0.03, 0.0, 0.0), (0.08, 0.0, 0.0), (0.2, 0.0, 0.0), (0.4, 0.0, 0.0), (0.7, 0.0, 0.0),
    (0.2, 0.04, 0.95), (0.4, 0.1, 0.95), (0.15, 0.03, 0.985),
)  # fmt: skip
#: A trend is believed when it would have made squared errors smaller by this much.
_TREND_MUST_GAIN, _LEAST_FOR_TREND = 0.85, 10
#: What is assumed of use nobody has seen yet: spread of one bucket over its mean, and the weight of that, in buckets.
_PRIOR_SPREAD, _PRIOR_WEIGHT = 0.7, 3.0
#: The level of a new use is uncertain by this much beside the noise of its few buckets.
_NEW_DRIFT = 0.35
#: From this share of empty buckets on, use comes now and then: its level is a mean, and does not follow each bucket.
_INTERMITTENT = 0.1
_Z90 = 1.6449
_ROUNDING = 1e-12
_OLDEST = 3 * 366


class Outlook(NamedTuple):
    """5th, 50th and 95th percentile of a sum to come."""

    low: float
    mid: float
    high: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Cumulated sums of the buckets to come: `cumulated[i]` is what the first `i + 1` will come to together.

    `history` is the number of whole buckets it rests on.
    """

    cumulated: tuple[Outlook, ...]
    history: int
    trend: bool
    seasonal: bool

    @property
    def total(self) -> Outlook:
        return self.cumulated[-1] if self.cumulated else Outlook(0.0, 0.0, 0.0)

    def reached(self, room: float) -> tuple[int | None, int | None, int | None]:
        """In which bucket to come (from 0) `room` is used up: early (5 %), middle, late (95 %); None: in none."""

        def first(quantile: int) -> int | None:
            return next((i for i, outlook in enumerate(self.cumulated) if outlook[quantile] >= room), None)

        return first(2), first(1), first(0)


def foresee(
    history: Sequence[float], slots: Sequence[int], coming: Sequence[int], *, elapsed: float = 0.0
) -> Forecast | None:
    """A forecast of the buckets to come, or None without any history.

    `history`: amounts of whole buckets, oldest first; `slots`: the weekday (or hour) of each; `coming`: the slots of
    the buckets to come, the one in progress first, of which the share `elapsed` is over (what it holds is not asked).
    """
    values, slots = list(history)[-_OLDEST:], list(slots)[-_OLDEST:]
    while values and values[0] == 0.0:  # before the first use there was no use to foresee from
        values, slots = values[1:], slots[1:]
    if not values:
        return None
    weights = [1.0] * len(coming)
    if weights:
        weights[0] = 1.0 - min(max(elapsed, 0.0), 1.0)
    factors = _pattern(values, slots)
    held = [factors.get(slot, 1.0) for slot in slots]
    ahead = [factors.get(slot, 1.0) * weight for slot, weight in zip(coming, weights, strict=True)]
    fit = _best(values, held, max(1, round(sum(weights))))
    return Forecast(
        tuple(_outlooks(fit, ahead)), len(values), trend=fit.phi > 0.0, seasonal=any(f != 1.0 for f in held)
    )


# --- the pattern ---


def _pattern(values: Sequence[float], slots: Sequence[int]) -> dict[int, float]:
    """Factor of each slot, mean 1 over the slots; as much of it as chance does not explain."""
    by_slot: dict[int, list[float]] = {}
    for slot, ratio in zip(slots, _ratios(values, len(set(slots))), strict=True):
        by_slot.setdefault(slot, []).append(ratio)
    if len(by_slot) < 2 or min(map(len, by_slot.values())) < 2:
        return {}
    means = {slot: sum(found) / len(found) for slot, found in by_slot.items()}
    grand = sum(means.values()) / len(means)
    if grand <= 0.0:
        return {}
    within = sum((x - means[slot]) ** 2 for slot, found in by_slot.items() for x in found)
    noise = within / max(1, len(values) - len(by_slot)) * sum(1 / len(f) for f in by_slot.values()) / len(by_slot)
    spread = sum((mean - grand) ** 2 for mean in means.values()) / (len(means) - 1)
    kept = max(0.0, 1.0 - noise / spread) if spread > _ROUNDING else 0.0
    return {slot: 1.0 + kept * (mean / grand - 1.0) for slot, mean in means.items()} if kept > 0.0 else {}


def _ratios(values: Sequence[float], season: int) -> list[float]:
    """Each bucket over the mean of the season around it, so that growth is not taken for a pattern."""
    sums = [0.0, *accumulate(values)]
    half, last = season // 2, len(values)
    ratios = []
    for i, value in enumerate(values):
        low = min(max(0, i - half), max(0, last - season))
        high = min(last, low + season)
        mean = (sums[high] - sums[low]) / (high - low)
        ratios.append(value / mean if mean > 0.0 else 1.0)
    return ratios


# --- the level and its trend ---


class _Fit(NamedTuple):
    level: float
    slope: float
    phi: float
    alpha: float
    beta: float
    spread: float  # of one bucket, over its expected value
    drift: float  # of the level's uncertainty now, over the level
    inflation: float  # how much wider than the model says past errors were, squared
    freedom: float  # degrees of it that the spread was estimated with
    empty: float  # share of buckets that held nothing


def _best(values: Sequence[float], factors: Sequence[float], horizon: int) -> _Fit:
    horizon = max(1, min(horizon, len(values) // 4))
    empty = values.count(0.0) / len(values)
    candidates = _CANDIDATES[:2] if empty > _INTERMITTENT else _CANDIDATES
    found = [(_run(values, factors, candidate, horizon), candidate) for candidate in candidates]
    run, candidate = min((one for one in found if not one[1][2]), key=lambda one: one[0].loss)
    trending = min((one for one in found if one[1][2]), key=lambda one: one[0].loss, default=None)
    enough = len(values) >= _LEAST_FOR_TREND and run.scaled > _ROUNDING
    if trending and enough and trending[0].loss < _TREND_MUST_GAIN * run.loss:
        run, candidate = trending
    return _fitted(run, candidate, len(values), horizon, empty)


class _Run(NamedTuple):
    loss: float  # mean squared error of sums over the horizon
    level: float
    slope: float
    spread2: float  # mean of squared one-step errors over squared expectations
    steps: int
    scaled: float  # mean of squared errors over the horizon, over squared expectations
    origins: int


def _run(
    values: Sequence[float], factors: Sequence[float], candidate: tuple[float, float, float], horizon: int
) -> _Run:
    """Smooth once through the history, and look at what would have been foreseen at each point of it."""
    alpha, beta, phi = candidate
    sums, weights = [0.0, *accumulate(values)], [0.0, *accumulate(factors)]
    damped = [0.0, *accumulate(phi**step for step in range(1, horizon + 1))]
    over = [0.0, *accumulate(damped[1:])]
    count = len(values)
    warm = min(max(2, count // 5), 14)
    level, slope = sums[min(warm, count)] / max(weights[min(warm, count)], 1e-12), 0.0
    typical = sums[count] / count
    one = many = scaled = 0.0
    steps = origins = 0
    for i in range(count):
        expected = max(level + phi * slope, 0.0)
        if i >= warm:
            if i + horizon <= count:
                wide = weights[i + horizon] - weights[i]
                foreseen = max(0.0, level * wide + slope * over[horizon] * wide / horizon)
                error = sums[i + horizon] - sums[i] - foreseen
                many += error * error
                scaled += (error / (foreseen + 0.05 * typical * horizon)) ** 2
                origins += 1
            error = values[i] - expected * factors[i]
            one += (error / (expected * factors[i] + 0.05 * typical)) ** 2
            steps += 1
        shown = values[i] / factors[i] if factors[i] > 0.05 else expected
        before, level = level, alpha * shown + (1.0 - alpha) * expected
        slope = beta * (level - before) + (1.0 - beta) * phi * slope if phi else 0.0
    return _Run(
        many / origins if origins else 0.0, level, slope, one / steps if steps else 0.0, steps,
        scaled / origins if origins else 0.0, origins,
    )  # fmt: skip


def _fitted(run: _Run, candidate: tuple[float, float, float], count: int, horizon: int, empty: float) -> _Fit:
    alpha, beta, phi = candidate
    seen = float(run.steps)
    spread2 = (_PRIOR_WEIGHT * _PRIOR_SPREAD**2 + seen * run.spread2) / (_PRIOR_WEIGHT + seen)
    # With few buckets the level is their mean, and moves as a new use does
    drift2 = spread2 * max(alpha / (2.0 - alpha), 1.0 / count) + _NEW_DRIFT**2 * 4.0 / (4.0 + count * count / 16.0)
    fit = _Fit(run.level, run.slope, phi, alpha, beta, math.sqrt(spread2), math.sqrt(drift2), 1.0, 2.0 + seen, empty)
    separate = run.origins / horizon  # forecasts that share no bucket
    said = _relative_variance(fit, [1.0] * horizon)[-1]
    wrong = run.scaled / said if said > 0.0 else 1.0
    inflation = max(0.6, (2.0 + separate * wrong) / (2.0 + separate))
    return fit._replace(inflation=inflation)


def _relative_variance(fit: _Fit, ahead: Sequence[float]) -> list[float]:
    """Of each cumulated sum, over the square of what is expected of it.

    A shock moves the level by `alpha` of itself and the slope by `alpha * beta`: it counts again in all that follows.
    """
    steps = len(ahead)
    reach = [0.0]  # what a shock adds, in all, to the `j` buckets after it
    gain, slope = 0.0, 0.0
    for j in range(steps):
        slope = fit.alpha * fit.beta * fit.phi**j if fit.phi else 0.0
        gain = fit.alpha if j == 0 else gain + slope
        reach.append(reach[-1] + gain)
    squares = [0.0, *accumulate((1.0 + r) ** 2 for r in reach)]
    expected = 0.0
    found = []
    for h, weight in enumerate(ahead, 1):
        expected += weight
        if expected <= 0.0:
            found.append(0.0)
            continue
        mean = expected / h
        # Noise of each bucket stands in proportion to what the bucket holds: a part of one counts for that part
        noise = fit.spread**2 * squares[h] * mean * mean
        found.append(noise / expected**2 + fit.drift**2)
    return found


def _outlooks(fit: _Fit, ahead: Sequence[float]) -> list[Outlook]:
    z = _Z90 * (1.0 + 1.5 / fit.freedom)  # Student's, closely enough
    expected = slope = 0.0
    found: list[Outlook] = []
    for step, (weight, variance) in enumerate(zip(ahead, _relative_variance(fit, ahead), strict=True), 1):
        slope += fit.phi**step * fit.slope
        expected += max(0.0, fit.level + slope) * weight
        low, mid, high = _gamma(expected, variance * fit.inflation, z)
        if fit.empty > _INTERMITTENT:
            nothing = fit.empty**step
            low, mid = 0.0 if nothing > 0.05 else low, 0.0 if nothing > 0.5 else mid
        if found:  # sums only grow
            low, mid, high = max(low, found[-1].low), max(mid, found[-1].mid), max(high, found[-1].high)
        found.append(Outlook(low, mid, high))
    return found


def _gamma(mean: float, variance: float, z: float) -> tuple[float, float, float]:
    """Quantiles of a gamma distribution of this mean and relative variance (Wilson and Hilferty, 1931)."""
    base, spread = 1.0 - variance / 9.0, math.sqrt(variance) / 3.0

    def quantile(at: float) -> float:
        return float(mean * max(0.0, base + at * spread) ** 3)

    return quantile(-z), quantile(0.0), quantile(z)
