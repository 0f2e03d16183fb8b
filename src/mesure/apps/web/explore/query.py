"""What a reader looks at, entirely in the address: read from it, checked, and written back in one canonical way."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from mesure.errors import InvalidValue, nearest_names
from mesure.ledger import DIMENSIONS, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LEVELS", "MEASURES", "PERIODS", "RANGES", "SORTS", "VIEWS", "Query", "next_level", "parsed"]

#: Name in the address -> name in the ledger.
MEASURES = {
    "energy": "energy_wh",
    "co2e": "gwp_gco2eq",
    "water": "water_ml",
    "primary-energy": "pe_mj",
    "minerals": "adpe_gsbeq",
    "money": "money",
    "calls": "calls",
    "tokens": "tokens",
}
#: The way down to a call; other dimensions (provider, environment, figure) may cross it anywhere.
LEVELS = ("organisation", "end_client", "team", "use_case", "model")
RANGES = ("today", "7d", "month", "last-month", "12m", "dates")
PERIODS = ("hour", "day", "week", "month")
#: What the table under the chart lists.
VIEWS = ("groups", "time", "calls")
SORTS = ("amount", "name", "calls")

_NAMES = ("range", "from", "to", "per", "measure", "by", *DIMENSIONS, "show", "sort", "page", "after")
_LONGEST = 300
_LAST_PAGE = 1_000_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLACE = re.compile(r"(\d{1,17})-([0-9a-fA-F-]{1,64})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """The state of the page. None: not said, so that what is usual follows from the rest."""

    range: str = "month"
    first: date | None = None  # of range "dates", both included
    last: date | None = None
    per: str | None = None
    measure: str = "energy"
    by: str | None = None
    where: tuple[tuple[str, str | None], ...] = ()  # in the order of `DIMENSIONS`
    show: str | None = None
    sort: str = "amount"
    page: int = 1
    after: Place | None = None

    @property
    def split(self) -> str | None:
        """The dimension groups are made by; None at the bottom, where single calls are left."""
        return self.by or next_level(name for name, _ in self.where)

    @property
    def view(self) -> str:
        return self.show or ("groups" if self.split else "calls")

    def but(self, **changes: Any) -> Query:
        """Another state, from its first page; what becomes usual is no longer said."""
        fresh: dict[str, Any] = {"page": 1, "after": None}
        found = replace(self, **fresh | changes)
        if found.by is not None and found.by == replace(found, by=None).split:
            found = replace(found, by=None)
        if found.show is not None and found.show == replace(found, show=None).view:
            found = replace(found, show=None)
        return found

    def within(self, value: str | None) -> Query:
        """One group of this one, split by the next level."""
        assert self.split is not None
        return self.but(where=_ordered((*self.where, (self.split, value))), by=None, show=None, sort="amount")

    def without(self, names: Iterable[str]) -> Query:
        """The same with those conditions dropped."""
        dropped = set(names)
        return self.but(where=tuple(pair for pair in self.where if pair[0] not in dropped), show=None)

    def text(self) -> str:
        """The query of its address: short and readable."""
        return urlencode(self.pairs(), quote_via=quote, safe="/:@,")

    def pairs(self) -> list[tuple[str, str]]:
        """What is said, in one order, without what is usual."""
        said: list[tuple[str, str]] = []
        usual = Query()
        if self.range == "dates" and self.first and self.last:
            said += [("from", self.first.isoformat()), ("to", self.last.isoformat())]
        elif self.range != usual.range:
            said.append(("range", self.range))
        if self.per:
            said.append(("per", self.per))
        if self.measure != usual.measure:
            said.append(("measure", self.measure))
        if self.by:
            said.append(("by", self.by))
        said += [(name, value or "") for name, value in self.where]
        if self.show:
            said.append(("show", self.show))
        if self.sort != usual.sort:
            said.append(("sort", self.sort))
        if self.page != usual.page:
            said.append(("page", str(self.page)))
        if self.after is not None:
            said.append(("after", f"{self.after.started_us}-{self.after.id}"))
        return said


def next_level(fixed: Iterable[str]) -> str | None:
    """The level under the deepest one that is fixed; that of teams when none is."""
    deepest = max((LEVELS.index(name) for name in fixed if name in LEVELS), default=LEVELS.index("team") - 1)
    return LEVELS[deepest + 1] if deepest + 1 < len(LEVELS) else None


def parsed(given: Iterable[tuple[str, str]]) -> Query:
    """From the pairs of an address. Raises `InvalidValue`, whose value names the parameter too."""
    values: dict[str, str] = {}
    for name, value in given:
        if name not in _NAMES:
            action = f"Use one of: {', '.join(_NAMES)}."
            nearest = nearest_names(name, _NAMES)
            raise InvalidValue("This page has no such choice", value=name[:_LONGEST], nearest=nearest, action=action)
        if name in values:
            raise _refused(name, value, "A choice is made twice in this address", "Keep one of them")
        if len(value) > _LONGEST or _CONTROL.search(value):
            raise _refused(name, value[:40], "A value in this address is no name", "Take it from the page's own links")
        values[name] = value
    first, last = (_day(name, values[name]) if values.get(name) else None for name in ("from", "to"))
    if (first is None) != (last is None):
        raise _refused("from/to", values.get("from") or values.get("to"), "Dates go by two", "Give both from and to")
    if first and last and first > last:
        raise _refused("from/to", f"{first} > {last}", "The period ends before it begins", "Exchange them")
    found = Query(
        range="dates" if first else _one_of(values, "range", RANGES[:-1], "month"),
        first=first,
        last=last,
        per=_one_of(values, "per", PERIODS, "") or None,
        measure=_one_of(values, "measure", MEASURES, "energy"),
        by=_one_of(values, "by", DIMENSIONS, "") or None,
        where=_ordered((name, values[name] or None) for name in DIMENSIONS if name in values),
        show=_one_of(values, "show", VIEWS, "") or None,
        sort=_one_of(values, "sort", SORTS, "amount"),
    )
    return replace(found.but(), page=_page(values), after=_place(values))


def _ordered(pairs: Iterable[tuple[str, str | None]]) -> tuple[tuple[str, str | None], ...]:
    return tuple(sorted(dict(pairs).items(), key=lambda pair: DIMENSIONS.index(pair[0])))


def _refused(name: str, value: object, what: str, action: str) -> InvalidValue:
    return InvalidValue(what, value=f"{name}={value}", action=action)


def _one_of(values: dict[str, str], name: str, known: Iterable[str], usual: str) -> str:
    value = values.get(name) or usual
    if value != usual and value not in known:
        listed = ", ".join(known)
        raise InvalidValue(
            "A choice in this address is not one of the page's",
            value=f"{name}={value}",
            nearest=nearest_names(value, known),
            action=f"Use one of: {listed}.",
        )
    return value


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _refused(name, text, "This is not a day", "Write it as 2026-11-22") from None


def _page(values: dict[str, str]) -> int:
    text = values.get("page") or "1"
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _LAST_PAGE:
        raise _refused("page", text, "This is not the number of a page", "Give a whole number from 1")
    return int(text)


def _place(values: dict[str, str]) -> Place | None:
    if not (text := values.get("after")):
        return None
    found = _PLACE.fullmatch(text)
    if found is None:
        raise _refused("after", text, "This is no place in the list of calls", "Start again from the newest call")
    return Place(int(found[1]), found[2])
