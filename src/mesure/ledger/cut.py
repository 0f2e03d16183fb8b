"""`Cut`: which calls Explore looks at, and how they are split; what comes out of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import InvalidValue, nearest_names
from mesure.quantity import Quantity, weakest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from mesure.ledger.cells import Served

__all__ = ["DERIVED", "DIMENSIONS", "MEASURES", "Cut", "Total", "change", "column_of"]

#: What calls are split and chosen by. Never by person.
DIMENSIONS = (
    "organisation",
    "end_client",
    "team",
    "use_case",
    "model",  # its canonical name where the catalogue knows it
    "provider",
    "environment",
    "key",  # the virtual key of the gateway, by its id
    "figure",  # how the energy was obtained: a `Status`
)
#: What calls are chosen by, and not split by: the virtual key they were made with.
_CHOSEN_BY = ("key_id",)
#: Dimensions that are no column of the record: they come with the price.
DERIVED = ("model", "figure")
_COLUMNS = {"key": "key_id"}
#: Measure -> its unit; money is in the currency that most calls are priced in.
MEASURES = {
    "energy_wh": "Wh",
    "gwp_gco2eq": "gCO2eq",
    "water_ml": "mL",
    "pe_mj": "MJ",
    "adpe_gsbeq": "gSbeq",
    "money": "",
    "calls": "calls",
    "tokens": "tokens",
}


def column_of(dimension: str) -> str:
    """The column of the record that holds a dimension that is not derived."""
    return _COLUMNS.get(dimension, dimension)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Events started in `[since, until)` that hold `where` ((dimension, value), None for unknown), split `by` one
    dimension, and over time from each of `edges` to the next (the first is `since`; none: no split over time).

    Times are on whole seconds, edges on quarters of an hour. Raises `InvalidValue` for what is no dimension.
    """

    since: datetime
    until: datetime
    by: str | None = None
    where: tuple[tuple[str, str | None], ...] = ()
    edges: tuple[datetime, ...] = ()

    def __post_init__(self) -> None:
        for name in (*filter(None, (self.by,)), *(name for name, _ in self.where if name not in _CHOSEN_BY)):
            if name not in DIMENSIONS:
                raise InvalidValue(
                    "Calls cannot be split by this",
                    value=name,
                    nearest=nearest_names(name, DIMENSIONS),
                    action=f"Use one of: {', '.join(DIMENSIONS)}.",
                )


class Total(NamedTuple):
    """Of some calls. `amount` is that of the measure, None when no call has one; `counted` calls are in it.

    `parts` are the amounts by deployment, whose errors are their own.
    """

    calls: int
    counted: int
    events: int
    tokens: int
    known_tokens: int
    amount: Quantity | None
    energy_wh: Quantity | None
    parts: Mapping[Served, Quantity]

    @property
    def coverage(self) -> float | None:
        """Share of tokens priced by a known model; None without tokens."""
        return self.known_tokens / self.tokens if self.tokens else None


def change(now: Total, before: Total) -> Quantity | None:
    """`now` over `before`, unit 1; None when there was nothing, or in another currency. What both rest on cancels: the
    same mix of deployments gives an exact ratio, another mix is as uncertain as what moved between them.

    Each deployment's error is taken to its bounds in both at once, the others staying; deviations combine in
    quadrature of their logarithms.
    """
    if now.amount is None or before.amount is None or before.amount.mid <= 0.0:
        return None
    if now.amount.unit != before.amount.unit:
        return None
    mid = now.amount.mid / before.amount.mid
    status = weakest((now.amount.status, before.amount.status))
    sources = tuple(dict.fromkeys((*now.amount.sources, *before.amount.sources)))
    if mid <= 0.0:
        return Quantity(0.0, 0.0, 0.0, "1", status, sources)
    down, up = [], []
    for served in {**now.parts, **before.parts}:
        ends = [_ratio_at(now, before, served, bound) for bound in ("low", "high")]
        down.append(max(0.0, *(-math.log(end / mid) if end > 0.0 else math.inf for end in ends)))
        up.append(max(0.0, *(math.log(end / mid) if end > 0.0 else 0.0 for end in ends)))
    below, above = math.hypot(*down), math.hypot(*up)
    return Quantity(mid * math.exp(-below), mid, mid * math.exp(min(above, 700.0)), "1", status, sources)


def _ratio_at(now: Total, before: Total, served: Served, bound: str) -> float:
    """The ratio of the middles with the amounts of one deployment at a bound."""
    assert now.amount is not None
    assert before.amount is not None
    values = []
    for total, amount in ((now, now.amount), (before, before.amount)):
        part = total.parts.get(served)
        values.append(amount.mid + (getattr(part, bound) - part.mid if part else 0.0))
    above, below = values
    return above / below if below > 0.0 else math.inf
