"""A value with its interval, unit, status and sources, and the laws by which such values combine.

low / mid / high are the 5th / 50th / 95th percentiles. Errors are multiplicative, so independent factors combine in
quadrature of their logarithms, and the part shared by all calls of one deployment does not shrink with their number.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import InvalidValue

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Quantity",
    "Shown",
    "Status",
    "add_independent",
    "add_shared",
    "exact",
    "has_prefixes",
    "inverse",
    "least_place",
    "multiply_independent",
    "ratio",
    "shown",
    "weakest",
]


class Status(StrEnum):
    """How a figure was obtained, strongest first."""

    MEASURED = "measured"
    REPORTED = "reported"
    MODELLED = "modelled"
    DECLARED = "declared"
    DEFAULT = "default"


_RANK = {status: rank for rank, status in enumerate(Status)}


def weakest(statuses: Iterable[Status]) -> Status:
    """The status of a figure computed from others: that of its weakest part."""
    return max(statuses, key=_RANK.__getitem__, default=Status.DEFAULT)


class Quantity(NamedTuple):
    """`low <= mid <= high` in `unit`; `sources` are ids of catalogue factors or sensors.

    A named tuple because millions are built: use `Quantity.checked` wherever values come from outside.
    """

    low: float
    mid: float
    high: float
    unit: str
    status: Status
    sources: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls,
        low: float,
        mid: float,
        high: float,
        unit: str,
        status: Status,
        sources: tuple[str, ...] = (),
    ) -> Quantity:
        """The same, refusing NaN, infinities, negative values and a crossed interval (`InvalidValue`)."""
        if not (0.0 <= low <= mid <= high < math.inf):
            raise InvalidValue(
                "An interval must hold 0 <= low <= mid <= high, all finite",
                value=f"{low}, {mid}, {high} {unit}",
                action="Give the 5th, 50th and 95th percentiles in that order.",
            )
        return cls(low, mid, high, unit, status, sources)

    def scaled(self, factor: float, unit: str | None = None) -> Quantity:
        """Multiplied by a number known exactly, zero or more (a count, a unit conversion)."""
        if not factor >= 0.0:
            raise InvalidValue(
                "A quantity can only be scaled by a count or a conversion, zero or more",
                value=factor,
                action="Subtracting is not scaling: compare the two quantities with `ratio`.",
            )
        return Quantity(
            self.low * factor,
            self.mid * factor,
            self.high * factor,
            unit or self.unit,
            self.status,
            self.sources,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "low": self.low,
            "mid": self.mid,
            "high": self.high,
            "unit": self.unit,
            "status": self.status.value,
            "sources": list(self.sources),
        }


def exact(value: float, unit: str, status: Status, sources: tuple[str, ...] = ()) -> Quantity:
    """A number without spread: a count, a price, a constant of definition."""
    return Quantity.checked(value, value, value, unit, status, sources)


def _merged_sources(quantities: Sequence[Quantity]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(source for quantity in quantities for source in quantity.sources))


def _common_unit(quantities: Sequence[Quantity]) -> str:
    units = {quantity.unit for quantity in quantities}
    if len(units) != 1:
        raise InvalidValue(
            "Quantities of different units cannot be added",
            value=", ".join(sorted(units)) or "nothing to add",
            action="Convert them to one unit first.",
        )
    return units.pop()


def add_shared(quantities: Sequence[Quantity]) -> Quantity:
    """Sum of quantities whose errors move together (calls of one deployment): low, mid and high add separately."""
    return Quantity(
        math.fsum(quantity.low for quantity in quantities),
        math.fsum(quantity.mid for quantity in quantities),
        math.fsum(quantity.high for quantity in quantities),
        _common_unit(quantities),
        weakest(quantity.status for quantity in quantities),
        _merged_sources(quantities),
    )


def add_independent(quantities: Sequence[Quantity]) -> Quantity:
    """Sum of quantities with unrelated errors (different deployments): deviations add in quadrature."""
    mid = math.fsum(quantity.mid for quantity in quantities)
    below = math.hypot(*(quantity.mid - quantity.low for quantity in quantities))
    above = math.hypot(*(quantity.high - quantity.mid for quantity in quantities))
    return Quantity(
        max(0.0, mid - below),
        mid,
        mid + above,
        _common_unit(quantities),
        weakest(quantity.status for quantity in quantities),
        _merged_sources(quantities),
    )


def multiply_independent(factors: Sequence[Quantity], unit: str) -> Quantity:
    """Product of factors with unrelated multiplicative errors: log deviations add in quadrature."""
    mid = _product([factor.mid for factor in factors])
    status = weakest(factor.status for factor in factors)
    sources = _merged_sources(factors)
    if mid <= 0.0:
        return Quantity(0.0, 0.0, _product([factor.high for factor in factors]), unit, status, sources)
    below = math.hypot(*(_log_ratio(factor.mid, factor.low) for factor in factors))
    above = math.hypot(*(_log_ratio(factor.high, factor.mid) for factor in factors))
    low = _lowered(mid, sum(math.log(factor.mid) for factor in factors), below)
    return Quantity(low, mid, mid * _exp(above), unit, status, sources)


def inverse(quantity: Quantity, unit: str) -> Quantity:
    """1 / quantity, whose bounds are above 0."""
    return quantity._replace(low=1.0 / quantity.high, mid=1.0 / quantity.mid, high=1.0 / quantity.low, unit=unit)


def ratio(numerator: Quantity, denominator: Quantity, shared: float = 0.0) -> Quantity:
    """numerator / denominator as a distribution; `shared` (0-1) is the share of log error both have in common.

    Half the tokens on the same deployment is `shared=1`: exactly half. Raises `InvalidValue` on a zero denominator.
    """
    if denominator.mid <= 0.0 or not 0.0 <= shared <= 1.0:
        raise InvalidValue(
            "A ratio needs a positive denominator and a shared part between 0 and 1",
            value=f"{denominator.mid} {denominator.unit}, shared {shared}",
            action="Compare with an option that consumes something.",
        )
    status = weakest((numerator.status, denominator.status))
    sources = _merged_sources((numerator, denominator))
    mid = numerator.mid / denominator.mid
    if mid <= 0.0:
        high = numerator.high / denominator.low if denominator.low > 0.0 else math.inf
        return Quantity(0.0, 0.0, high if numerator.high > 0.0 else 0.0, "1", status, sources)
    own = math.sqrt(1.0 - shared)
    below = own * math.hypot(_log_ratio(numerator.mid, numerator.low), _log_ratio(denominator.high, denominator.mid))
    above = own * math.hypot(_log_ratio(numerator.high, numerator.mid), _log_ratio(denominator.mid, denominator.low))
    if shared == 1.0:  # also where a bound is zero or infinite: what is wholly shared cancels
        below = above = 0.0
    low = _lowered(mid, math.log(numerator.mid) - math.log(denominator.mid), below)
    return Quantity(low, mid, mid * _exp(above), "1", status, sources)


def _product(values: Sequence[float]) -> float:
    """Zero when one is, whatever the others come to: infinity times zero is no number."""
    return math.prod(values) if all(values) else 0.0


def _lowered(mid: float, log_mid: float, by: float) -> float:
    """`mid` times e^-by, through its logarithm where one of them leaves a float's range."""
    if mid < math.inf and by < _LARGEST_EXPONENT:
        return mid * math.exp(-by)
    return min(mid, _exp(log_mid - by))


def _log_ratio(larger: float, smaller: float) -> float:
    if smaller <= 0.0:
        return math.inf
    quotient = larger / smaller
    return math.log(quotient) if quotient < math.inf else math.log(larger) - math.log(smaller)


def _exp(exponent: float) -> float:
    """e to that power; beyond a float's range, infinity."""
    return math.exp(exponent) if exponent < _LARGEST_EXPONENT else math.inf


_LARGEST_EXPONENT = 708.0


class Shown(NamedTuple):
    """A quantity ready to print: numbers already rounded, the unit with its prefix, and how many decimals to keep."""

    low: float
    mid: float
    high: float
    unit: str
    decimals: int


_PREFIXED: dict[str, tuple[tuple[float, str], ...]] = {
    "Wh": ((1e-6, "µWh"), (1e-3, "mWh"), (1.0, "Wh"), (1e3, "kWh"), (1e6, "MWh"), (1e9, "GWh")),
    "W": ((1e-3, "mW"), (1.0, "W"), (1e3, "kW"), (1e6, "MW")),
    "gCO2eq": ((1e-6, "µg"), (1e-3, "mg"), (1.0, "g"), (1e3, "kg"), (1e6, "t"), (1e9, "kt")),
    "gSbeq": ((1e-9, "ng Sb eq"), (1e-6, "µg Sb eq"), (1e-3, "mg Sb eq"), (1.0, "g Sb eq")),
    "mL": ((1e-3, "µL"), (1.0, "mL"), (1e3, "L"), (1e6, "m³")),
    "MJ": ((1e-6, "J"), (1e-3, "kJ"), (1.0, "MJ"), (1e3, "GJ"), (1e6, "TJ")),
}


def has_prefixes(unit: str) -> bool:
    """Whether `shown` may print this unit with another prefix."""
    return unit in _PREFIXED


def shown(quantity: Quantity, *, beside: Quantity | None = None) -> Shown:
    """Prefix chosen from the mid value, decimals from the width of the interval (a tenth of it is the last digit).

    A value above zero keeps one significant digit at least, and two where the first is 1 or 2: it never prints as 0.
    With `beside`, the largest of a column, the prefix is that one's.
    """
    scale, unit = _prefix(quantity.unit, (beside or quantity).mid)
    low, mid, high = (value / scale for value in quantity[:3])
    decimals = min(max(_decimals(high - low, mid), 0), 12)
    return Shown(round(low, decimals), round(mid, decimals), round(high, decimals), unit, decimals)


def _prefix(unit: str, mid: float) -> tuple[float, str]:
    prefixes = _PREFIXED.get(unit, ((1.0, unit),))
    if mid <= 0.0:
        return next(prefix for prefix in prefixes if prefix[0] == 1.0)
    return next((prefix for prefix in reversed(prefixes) if mid >= prefix[0] * _reach(prefix[0])), prefixes[0])


def _reach(scale: float) -> float:
    """The plain unit is kept down to a hundredth of itself: 0.31 Wh reads better than 310 mWh."""
    return 0.01 if scale == 1.0 else 1.0


def _decimals(width: float, mid: float) -> int:
    if mid <= 0.0:
        return max(math.ceil(-math.log10(width) + 1.0), 0) if 0.0 < width < math.inf else 0
    if 0.0 < width < math.inf:
        return max(math.ceil(-math.log10(width) + 1.0), -least_place(mid))
    return 2 - math.floor(math.log10(mid))


def least_place(mid: float) -> int:
    """Power of ten of the last digit that `mid` > 0 keeps however wide its interval: 160 is not 200, and 70 is 70."""
    power = math.floor(math.log10(mid))
    return power - 1 if mid < 3.0 * 10.0**power else power
