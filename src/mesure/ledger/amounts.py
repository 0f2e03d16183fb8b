"""Sums of one cut by one measure: added row by row, then read by group, by period, and together.

Only + and x: what is asked of a row is linear in its features. Amounts are kept apart by deployment, whose errors are
shared by its calls, until they are read.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import current
from mesure.impact import formulas
from mesure.ledger.cells import Served, by_served, combined
from mesure.ledger.cut import MEASURES, Total
from mesure.ledger.engine import UNPRICED
from mesure.ledger.schema import second_of
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.catalogue import Price
    from mesure.ledger.cut import Cut
    from mesure.ledger.engine import Featured
    from mesure.ledger.pricing import Alike, Key, Pricer

__all__ = ["Amounts"]

_LISTED_IN = "USD"
_TOKENS_OF_A_PRICE = 1e6


class _Part(NamedTuple):
    """Where sums are kept apart: a deployment, and how its figures came about."""

    served: Served
    status: Status
    sources: tuple[str, ...]
    energy_status: Status
    energy_sources: tuple[str, ...]
    currency: str = ""


@dataclass(slots=True)
class _Sums:
    """`counted` calls are in `amount`, (low, mid, high)."""

    calls: int = 0
    counted: int = 0
    events: int = 0
    tokens: int = 0
    energy: tuple[float, float, float] = (0.0, 0.0, 0.0)
    amount: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def add(self, other: _Sums) -> None:
        self.calls += other.calls
        self.counted += other.counted
        self.events += other.events
        self.tokens += other.tokens
        self.energy = _sum(self.energy, other.energy)
        self.amount = _sum(self.amount, other.amount)


def _sum(one: tuple[float, float, float], other: tuple[float, float, float]) -> tuple[float, float, float]:
    return one[0] + other[0], one[1] + other[1], one[2] + other[2]


_Table = dict[_Part, _Sums]


class Amounts:
    """Of a cut. `measure` is a name of `MEASURES`."""

    def __init__(self, pricer: Pricer, cut: Cut, measure: str) -> None:
        self.cut = cut
        self.measure = measure
        self._pricer = pricer
        self._tables: dict[tuple[str | None, int], _Table] = {}
        self._prices: dict[Key, Price | None] = {}
        self._parts: dict[tuple[Key, str, str], _Part] = {}

    def add(self, row: Featured) -> None:
        """A row of the engine, grouped by the cut's column, if it has one, then by the currency it was paid in."""
        alike = self._pricer.alike(row.key, row.obtained)
        if not self._wanted(alike):
            return
        given = (row.values[0] or None) if len(row.values) > 1 else None
        group = _derived(self.cut.by, alike) if self.cut.by in ("model", "figure") else given
        table = self._tables.setdefault((group, row.bucket), {})
        part, sums = self._priced(row, alike)
        table.setdefault(part, _Sums()).add(sums)

    def _wanted(self, alike: Alike) -> bool:
        return all(_derived(name, alike) == value for name, value in self.cut.where if name in ("model", "figure"))

    def _priced(self, row: Featured, alike: Alike) -> tuple[_Part, _Sums]:
        quantity = self.measure if self.measure in formulas.QUANTITIES else "energy_wh"
        names = [f"{name}_{q}" for name in dict.fromkeys(("energy_wh", quantity)) for q in formulas.QUANTILES]
        found = formulas.impacts(row.x, self._pricer.coefficients(row.key).row(row.basis), names)
        energy = tuple(found[name] for name in names[:3])
        sums = _Sums(row.calls, row.calls, row.events, row.tokens, energy)
        if self.measure == "money":
            return self._with_cost(row, alike, sums)
        part = self._part(row, alike, quantity)
        if self.measure == "tokens":
            sums.counted = 0 if row.basis < formulas.ACCELERATOR and row.basis & formulas.TOKENS_UNKNOWN else row.calls
            sums.amount = (row.tokens,) * 3
        elif self.measure == "calls":
            sums.amount = (row.calls,) * 3
        else:
            amount = tuple(found[name] for name in names[-3:])
            if formulas.known(amount[1]):
                sums.amount = amount
            else:
                sums.counted = 0
        return part, sums

    def _part(self, row: Featured, alike: Alike, quantity: str) -> _Part:
        asked = (row.key, row.obtained, quantity)
        if asked not in self._parts:
            energy, figure = alike.impacts.energy_wh, alike.impacts.quantity("", quantity)
            status, sources = (figure.status, figure.sources) if figure else (energy.status, ())
            if self.measure in ("calls", "tokens"):
                status, sources = Status.REPORTED, ()
            self._parts[asked] = _Part(alike.served, status, sources, energy.status, energy.sources)
        return self._parts[asked]

    def _with_cost(self, row: Featured, alike: Alike, sums: _Sums) -> tuple[_Part, _Sums]:
        """The price that came with the calls, else the listed one; neither is never 0."""
        energy, currency = alike.impacts.energy_wh, row.values[-1]
        part = _Part(alike.served, Status.MODELLED, (), energy.status, energy.sources)
        cost = row.cost if currency != UNPRICED else None
        if cost is not None:
            part = part._replace(status=Status.REPORTED, currency=currency or "")
        elif currency is None and (price := self._price(row.key)) is not None:
            cost = _listed(row, price)
            part = part._replace(sources=(price.id,), currency=_LISTED_IN)
        if cost is None:
            sums.counted = 0
            return part._replace(currency=""), sums
        sums.amount = (cost, cost, cost)
        return part, sums

    def _price(self, key: Key) -> Price | None:
        """As listed on the last day of the month."""
        if key not in self._prices:
            year, month = map(int, key.month.split("-"))
            day = date(year, month, calendar.monthrange(year, month)[1])
            names = dict.fromkeys(filter(None, (key.model_answered, key.model_requested)))
            found = (current().price(key.provider, name, day) for name in names) if key.provider else ()
            self._prices[key] = next((price for price in found if price is not None), None)
        return self._prices[key]

    def prices(self) -> tuple[Price, ...]:
        """Those listed that amounts rest on."""
        used = {source for table in self._tables.values() for part in table for source in part.sources}
        found = {price.id: price for price in self._prices.values() if price is not None}
        return tuple(price for name, price in found.items() if name in used)

    # What was added, read

    def total(self) -> Total:
        return self._total(self._tables.values())

    def groups(self) -> list[tuple[str | None, Total]]:
        """By value of the cut's dimension, the largest amount first, then the most calls."""
        by_group: dict[str | None, list[_Table]] = {}
        for (group, _), table in self._tables.items():
            by_group.setdefault(group, []).append(table)
        rows = [(group, self._total(tables)) for group, tables in by_group.items()]
        return sorted(
            rows, key=lambda row: (-(row[1].amount.mid if row[1].amount else 0.0), -row[1].calls, row[0] or "")
        )

    def over_time(self, groups: Iterable[str | None] | None = None) -> list[Total]:
        """One total for each edge of the cut; of these groups when given."""
        wanted = None if groups is None else set(groups)
        by_edge: dict[int, list[_Table]] = {second_of(edge): [] for edge in self.cut.edges}
        for (group, edge), table in self._tables.items():
            if edge in by_edge and (wanted is None or group in wanted):
                by_edge[edge].append(table)
        return [self._total(tables) for tables in by_edge.values()]

    def others(self, shown: Iterable[str | None]) -> Total:
        """Of every group but those."""
        kept = set(shown)
        return self._total(table for (group, _), table in self._tables.items() if group not in kept)

    def currencies(self) -> dict[str, int]:
        """Calls by the currency their price is in, the most frequent first."""
        calls: dict[str, int] = {}
        for table in self._tables.values():
            for part, sums in table.items():
                if part.currency:
                    calls[part.currency] = calls.get(part.currency, 0) + sums.counted
        return dict(sorted(calls.items(), key=lambda item: (-item[1], item[0])))

    @property
    def unit(self) -> str:
        if self.measure == "money":
            return next(iter(self.currencies()), _LISTED_IN)
        return MEASURES[self.measure]

    def _total(self, tables: Iterable[_Table]) -> Total:
        unit = self.unit
        # In one order, whichever file was read first: sources are named alike each time
        rows = sorted(_merged(tables).items(), key=itemgetter(0))
        energy = [
            (part.served, _quantity(sums.energy, "Wh", part.energy_status, part.energy_sources)) for part, sums in rows
        ]
        mine = [(part, sums) for part, sums in rows if sums.counted and part.currency in ("", unit)]
        amounts = by_served(
            (part.served, _quantity(sums.amount, unit, part.status, part.sources)) for part, sums in mine
        )
        return Total(
            calls=sum(sums.calls for _, sums in rows),
            counted=sum(sums.counted for _, sums in mine),
            events=sum(sums.events for _, sums in rows),
            tokens=sum(sums.tokens for _, sums in rows),
            known_tokens=sum(sums.tokens for part, sums in rows if part.served.known),
            amount=combined(amounts),
            energy_wh=combined(by_served(energy)),
            parts=amounts,
        )


def _merged(tables: Iterable[_Table]) -> _Table:
    found: _Table = {}
    for table in tables:
        for part, sums in table.items():
            found.setdefault(part, _Sums()).add(sums)
    return found


def _quantity(amount: tuple[float, float, float], unit: str, status: Status, sources: tuple[str, ...]) -> Quantity:
    return Quantity(*amount, unit, status, sources)


def _derived(name: str | None, alike: Alike) -> str | None:
    return (alike.served.model or None) if name == "model" else alike.impacts.status.value


def _listed(row: Featured, price: Price) -> float | None:
    """At the listed price of tokens read, read from and stored in a cache, and written; None where tokens or a price
    are unknown, and for what is not paid by tokens."""
    if row.key.makes or (row.basis < formulas.ACCELERATOR and row.basis & formulas.TOKENS_UNKNOWN):
        return None
    cached = price.cached_input_usd_per_mtok
    stored, plain = price.cache_write_usd_per_mtok, price.input_usd_per_mtok
    asked = (
        (max(row.x["x_fresh"] - row.stored, 0.0), plain),
        (row.x["x_cached"], plain if cached is None else cached),
        (row.stored, plain if stored is None else stored),
        (row.x["x_output"], price.output_usd_per_mtok),
    )
    if any(tokens and usd is None for tokens, usd in asked):
        return None
    return sum(tokens * (usd or 0.0) for tokens, usd in asked) / _TOKENS_OF_A_PRICE
