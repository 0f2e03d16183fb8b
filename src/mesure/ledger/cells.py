"""Sums of events by who served them and by time, and the laws that turn them into quantities.

Times here are whole seconds since 1970. A cell covers a quarter of an hour, of which every local day is made, or
one second where a window ends inside a quarter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mesure.quantity import Quantity, Status, add_independent, add_shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "QUARTER_S",
    "Cell",
    "Cells",
    "Ended",
    "Served",
    "Sums",
    "Table",
    "add_to",
    "by_served",
    "combined",
    "energy_of",
    "gwp_of",
    "merged",
    "quarter_of",
]

QUARTER_S = 900
_KEPT_WINDOWS = 8


class Served(NamedTuple):
    """A deployment as far as it is known: errors of all its calls move together."""

    provider: str
    model: str  # canonical name where the catalogue knows it, else as seen
    known: bool
    zone: str
    deployment: str


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Where sums of one deployment are kept apart: how figures were obtained, and from which factors.

    Compared by identity, which costs nothing: `Pricer` gives the same object for the same thing.
    """

    served: Served
    status: Status
    gwp_status: Status
    sources: tuple[str, ...] = ()
    gwp_sources: tuple[str, ...] = ()


@dataclass(slots=True)
class Sums:
    """Of the events of one cell. `gwp_events` have a sourced CO2e factor; the others are not in the `gwp_` sums."""

    events: int = 0
    calls: int = 0
    tokens: int = 0
    energy_low: float = 0.0
    energy_mid: float = 0.0
    energy_high: float = 0.0
    gwp_low: float = 0.0
    gwp_mid: float = 0.0
    gwp_high: float = 0.0
    gwp_events: int = 0

    def add(self, other: Sums) -> None:
        self.events += other.events
        self.calls += other.calls
        self.tokens += other.tokens
        self.energy_low += other.energy_low
        self.energy_mid += other.energy_mid
        self.energy_high += other.energy_high
        self.gwp_low += other.gwp_low
        self.gwp_mid += other.gwp_mid
        self.gwp_high += other.gwp_high
        self.gwp_events += other.gwp_events


Table = dict[Cell, Sums]


def quarter_of(second: int) -> int:
    return second - second % QUARTER_S


def add_to(table: Table, cell: Cell, sums: Sums) -> None:
    held = table.get(cell)
    if held is None:
        held = table[cell] = Sums()
    held.add(sums)


def merged(tables: Iterable[Table]) -> Table:
    total: Table = {}
    for table in tables:
        for cell, sums in table.items():
            add_to(total, cell, sums)
    return total


def energy_of(table: Table) -> Quantity | None:
    """Total energy: shared errors within a deployment, independent between. None without events."""
    parts = [
        (cell.served, Quantity(sums.energy_low, sums.energy_mid, sums.energy_high, "Wh", cell.status, cell.sources))
        for cell, sums in table.items()
        if sums.events
    ]
    return combined(by_served(parts))


def gwp_of(table: Table) -> Quantity | None:
    """Total CO2e of the events that have a sourced factor, by the same law. None when none has."""
    parts = [
        (cell.served, Quantity(sums.gwp_low, sums.gwp_mid, sums.gwp_high, "gCO2eq", cell.gwp_status, cell.gwp_sources))
        for cell, sums in table.items()
        if sums.gwp_events
    ]
    return combined(by_served(parts))


def by_served(parts: Iterable[tuple[Served, Quantity]]) -> dict[Served, Quantity]:
    """Sums within each deployment, where errors are shared."""
    found: dict[Served, list[Quantity]] = {}
    for served, quantity in parts:
        found.setdefault(served, []).append(quantity)
    return {served: add_shared(each) if len(each) > 1 else each[0] for served, each in found.items()}


def combined(sums: Mapping[Served, Quantity]) -> Quantity | None:
    """Their total: errors are independent from one deployment to the next. None of nothing."""
    return add_independent(list(sums.values())) if sums else None


@dataclass(slots=True)
class Ended:
    """Sums of observed calls by when they ended: that is when their energy is known."""

    seconds: dict[int, Table] = field(default_factory=dict)
    minutes: dict[int, Table] = field(default_factory=dict)

    def add(self, second: int, cell: Cell, sums: Sums) -> None:
        add_to(self.seconds.setdefault(second, {}), cell, sums)
        add_to(self.minutes.setdefault(second - second % 60, {}), cell, sums)


@dataclass(slots=True)
class Cells:
    """Sums of one immutable file (or of recent events), for events started at `since` or after.

    `quarters` holds them by quarter of an hour, `fine` by second for quarters asked so; `ended` from `live_from` on.
    """

    since: int
    live_from: int
    quarters: dict[int, Table] = field(default_factory=dict)
    fine: dict[int, dict[int, Table]] = field(default_factory=dict)
    ended: Ended = field(default_factory=Ended)
    _windows: dict[tuple[int, int], Table] = field(default_factory=dict)

    def add(self, started: int, ended: int | None, cell: Cell, sums: Sums) -> None:
        quarter = quarter_of(started)
        add_to(self.quarters.setdefault(quarter, {}), cell, sums)
        if quarter in self.fine:
            add_to(self.fine[quarter].setdefault(started, {}), cell, sums)
        if ended is not None and ended >= self.live_from:
            self.ended.add(ended, cell, sums)
        self._windows.clear()

    def window(self, since: int, until: int) -> Table:
        """Sums of `[since, until)`; a bound inside a quarter needs that quarter in `fine`."""
        if not self.quarters:
            return {}
        low, high = max(since, min(self.quarters)), min(until, max(self.quarters) + QUARTER_S)
        first, last = quarter_of(low + QUARTER_S - 1), quarter_of(high)
        if low >= high:
            return {}
        if first > last:
            return merged(self._seconds(quarter_of(low), low, high))
        parts = [self._whole(first, last), *self._seconds(quarter_of(low), low, first)]
        return merged([*parts, *self._seconds(last, last, high)])

    def _whole(self, first: int, last: int) -> Table:
        """Sums of whole quarters; kept, as pages ask for the same ones until the next quarter begins."""
        held = self._windows.get((first, last))
        if held is None:
            if len(self._windows) >= _KEPT_WINDOWS:
                self._windows.clear()
            held = merged(table for quarter, table in self.quarters.items() if first <= quarter < last)
            self._windows[first, last] = held
        return held

    def _seconds(self, quarter: int, low: int, high: int) -> list[Table]:
        if low >= high or quarter not in self.quarters:
            return []
        return [table for second, table in self.fine[quarter].items() if low <= second < high]
