"""What a query finds: this period and the one before it, read once for the page and its exports alike."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.web.charts import SERIES
from mesure.apps.web.explore.query import MEASURES
from mesure.apps.web.explore.span import span_of
from mesure.ledger import Cut, change

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from mesure.apps.web.explore.query import Query
    from mesure.apps.web.explore.span import Span
    from mesure.apps.web.feed import Source
    from mesure.ledger import Amounts, Total
    from mesure.quantity import Quantity

__all__ = ["CALLS_A_PAGE", "GROUPS_A_PAGE", "Row", "Seen", "seen"]

#: Rows of a table: what keeps a page within its elements.
GROUPS_A_PAGE, CALLS_A_PAGE = 12, 12


class Row(NamedTuple):
    """One group, its share of the total, and the change since the period before."""

    name: str | None
    total: Total
    share: float | None
    change: Quantity | None


class Seen:
    """Reads of one query. Groups and parts are computed when asked for."""

    def __init__(self, query: Query, span: Span, now: datetime, amounts: Amounts, before: Amounts) -> None:
        self.query = query
        self.span = span
        self.now = now
        self.amounts = amounts
        self.total = amounts.total()
        self.before = before.total()
        self._groups = amounts.groups()
        self._before = dict(before.groups())

    @property
    def change(self) -> Quantity | None:
        return change(self.total, self.before)

    @property
    def groups(self) -> list[Row]:
        """In the order asked for; what is not named comes last among equals."""
        rows = [self._row(name, total) for name, total in self._groups]
        if self.query.sort == "name":
            rows.sort(key=lambda row: (row.name is None, (row.name or "").casefold(), row.name or ""))
        elif self.query.sort == "calls":
            rows.sort(key=lambda row: -row.total.calls)
        return rows

    def _row(self, name: str | None, total: Total) -> Row:
        whole, amount = self.total.amount, total.amount
        share = amount.mid / whole.mid if whole and amount and whole.mid > 0.0 else None
        before = self._before.get(name)
        return Row(name, total, share, change(total, before) if before else None)

    @cached_property
    def _drawn(self) -> list[str | None]:
        """Groups of which something is known, the largest first."""
        return [name for name, total in self._groups if total.amount is not None]

    @property
    def series(self) -> list[str | None]:
        """Groups drawn by themselves; the others, when there are, share the last place."""
        return self._drawn if len(self._drawn) <= SERIES else self._drawn[: SERIES - 1]

    @property
    def left_over(self) -> int:
        """Groups that share the last place."""
        return len(self._drawn) - len(self.series)

    def over_time(self) -> tuple[list[Total], list[list[Total]]]:
        """(totals by part of the period, the same of each series and of what is left over)."""
        shown = [self.amounts.over_time([name]) for name in self.series]
        if self.left_over:
            shown.append(self.amounts.over_time(self._drawn[len(self.series) :]))
        return self.amounts.over_time(), shown

    @property
    def unit(self) -> str:
        return self.amounts.unit


def seen(view: Source, query: Query, now: datetime, zone: ZoneInfo) -> Seen:
    """Raises `InvalidValue` for a period that cannot be, `LedgerError` when the ledger cannot be read."""
    span = span_of(query, now, zone)
    measure = MEASURES[query.measure]
    cut = cut_of(query, span)
    earlier = Cut(since=span.before, until=span.before_until, by=query.split, where=query.where)
    return Seen(query, span, now, view.explore(cut, measure), view.explore(earlier, measure))


def cut_of(query: Query, span: Span) -> Cut:
    return Cut(since=span.since, until=span.until, by=query.split, where=query.where, edges=span.edges)
