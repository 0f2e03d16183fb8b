"""`Explorer`: any cut of the ledger, by any measure. Files are summed once for each way of cutting, then remembered.

What is remembered are sums of features, before any price: another measure of the same cut reads nothing, and a commit
costs the reading of its own file.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from mesure.impact import formulas
from mesure.ledger.amounts import Amounts
from mesure.ledger.cells import QUARTER_S, quarter_of
from mesure.ledger.cut import DERIVED, column_of
from mesure.ledger.engine import PAID_IN, Engine, Featured, Slice, paid_in
from mesure.ledger.pricing import key_of
from mesure.ledger.rollup import within
from mesure.ledger.schema import epoch_us, second_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mesure.ledger.cut import Cut
    from mesure.ledger.pricing import Pricer
    from mesure.ledger.table import Snapshot
    from mesure.ledger.view import CallRow
    from mesure.record import UsageEvent

__all__ = ["CallPage", "Explorer", "Place"]

#: Ways of cutting that are remembered, and rows of sums held for all of them together.
_KEPT_CUTS, _KEPT_ROWS = 24, 200_000
#: Calls read at a time where a condition can only be seen once they are priced, and how often at most.
_READ_AT_ONCE, _READS = 400, 10


class Place(NamedTuple):
    """Where a list of calls goes on: after the call that started then (microseconds since 1970), with this id."""

    started_us: int
    id: str


class CallPage(NamedTuple):
    """Some calls of a list, and where it goes on; None at its end."""

    calls: tuple[CallRow, ...]
    after: Place | None


class Explorer:
    """Safe for threads."""

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer
        self._engine = Engine(pricer)  # a connection of its own: nobody else waits for its statements
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[object, ...], dict[str, list[Featured]]] = OrderedDict()

    def explore(self, snapshot: Snapshot, recent: Sequence[UsageEvent], cut: Cut, measure: str) -> Amounts:
        """Sums of the events of the snapshot and of those that are not in it yet."""
        with self._lock:
            amounts = Amounts(self._pricer, cut, measure)
            for row in self._rows(snapshot, cut):
                amounts.add(row)
            for row in self._recent_rows(recent, cut):
                amounts.add(row)
            return amounts

    def calls(
        self, snapshot: Snapshot, recent: Sequence[UsageEvent], cut: Cut, after: Place | None, count: int
    ) -> tuple[list[UsageEvent], Place | None]:
        """The next `count` calls of a cut, newest first, and where to go on; None at the end.

        Where few calls match what only their price tells, fewer may come, with a place to go on from.
        """
        with self._lock:
            models = self._names_of(snapshot, cut)
            waiting = [event for event in recent if _holds(event, cut)]
            found: list[UsageEvent] = []
            for _ in range(_READS):
                wanted = count + 1 if not _derived(cut) else _READ_AT_ONCE
                read = self._next(snapshot, waiting, cut, models, after, wanted)
                for event in read:
                    if len(found) == count:
                        return found, _place(found[-1])
                    if self._matches(event, cut):
                        found.append(event)
                    after = _place(event)
                if len(read) < wanted:
                    return found, None
            return found, after

    def _rows(self, snapshot: Snapshot, cut: Cut) -> list[Featured]:
        """Sums of every file within the cut, those not summed yet read in one statement."""
        since, until = second_of(cut.since), second_of(cut.until)
        files = within(snapshot, since, until) if since < until else {}
        stored = _stored(cut)
        column = _column(cut)
        asked = (since, until, column, stored, cut.edges)
        kept = {uri: rows for uri, rows in self._kept.pop(asked, {}).items() if uri in files}
        if unread := tuple(uri for uri in files if uri not in kept):
            kept |= {uri: [] for uri in unread}
            part = Slice(unread, since, until, stored)
            for row in self._engine.featured(part, (*column, PAID_IN), _periods(cut)):
                kept[row.file].append(row)
        self._kept[asked] = kept
        self._forget()
        return [row for rows in kept.values() for row in rows]

    def _forget(self) -> None:
        while len(self._kept) > 1 and (len(self._kept) > _KEPT_CUTS or self._held() > _KEPT_ROWS):
            self._kept.popitem(last=False)

    def _held(self) -> int:
        return sum(len(rows) for kept in self._kept.values() for rows in kept.values())

    def _recent_rows(self, recent: Sequence[UsageEvent], cut: Cut) -> Iterator[Featured]:
        """Each event that is not in a file yet, as the row it would make."""
        edges = [second_of(edge) for edge in cut.edges]
        column = _column(cut)
        for event in recent:
            if not _holds(event, cut):
                continue
            started = second_of(event.started_at)
            impacts = self._pricer.impacts(event)
            values = (*(getattr(event, name) for name in column), paid_in(event))
            yield Featured(
                "",
                values,
                max((edge for edge in edges if edge <= started), default=0),
                None,
                key_of(event),
                impacts.basis,
                self._pricer.obtained(event, impacts),
                1,
                event.calls_count,
                (event.input_tokens or 0) + (event.output_tokens or 0),
                event.cost,
                event.cache_write_tokens or 0,
                {name: impacts.columns[name] for name in formulas.SUMMED},
            )

    def _names_of(self, snapshot: Snapshot, cut: Cut) -> tuple[tuple[str, str, str], ...] | None:
        """(provider, answered, requested) of the calls whose model is the one wanted; None when any model will do."""
        wanted = next((value or "" for name, value in cut.where if name == "model"), None)
        if wanted is None:
            return None
        keys = {row.key for row in self._rows(snapshot, cut)}
        named = {key[:3] for key in keys if self._pricer.alike(key, "").served.model == wanted}
        return tuple(sorted(named))

    def _next(
        self,
        snapshot: Snapshot,
        waiting: Iterable[UsageEvent],
        cut: Cut,
        models: tuple[tuple[str, str, str], ...] | None,
        after: Place | None,
        count: int,
    ) -> list[UsageEvent]:
        since, until = second_of(cut.since), second_of(cut.until)
        stored = _stored(cut)
        found = [event for event in waiting if after is None or _place(event) < after]
        if models is None or models:
            uris = tuple(within(snapshot, since, until))
            part = Slice(uris, since, until, stored)
            found += self._engine.listed(part, count, models=models, after=after) if uris else []
        return sorted(found, key=_place, reverse=True)[:count]

    def _matches(self, event: UsageEvent, cut: Cut) -> bool:
        if not _derived(cut):
            return True
        impacts = self._pricer.impacts(event)
        found = self._pricer.alike(key_of(event), self._pricer.obtained(event, impacts))
        return all(
            (value or "") == (found.served.model if name == "model" else found.impacts.status.value)
            for name, value in cut.where
            if name in DERIVED
        )


def _derived(cut: Cut) -> bool:
    return any(name in DERIVED for name, _ in cut.where)


def _stored(cut: Cut) -> tuple[tuple[str, str | None], ...]:
    """Its conditions on columns."""
    return tuple((column_of(name), value) for name, value in cut.where if name not in DERIVED)


def _column(cut: Cut) -> tuple[str, ...]:
    """The column its groups are made by, if it is one."""
    return () if cut.by is None or cut.by in DERIVED else (column_of(cut.by),)


def _holds(event: UsageEvent, cut: Cut) -> bool:
    """Whether an event lies in the cut, as far as its columns tell."""
    return cut.since <= event.started_at < cut.until and all(
        (getattr(event, column) or None) == value for column, value in _stored(cut)
    )


def _place(event: UsageEvent) -> Place:
    return Place(epoch_us(event.started_at.astimezone(UTC)), event.id)


def _periods(cut: Cut) -> dict[int, int] | None:
    """Every quarter of an hour of the cut -> the edge it comes after."""
    if not cut.edges:
        return None
    ends = [*(second_of(edge) for edge in cut.edges), second_of(cut.until) + QUARTER_S]
    return {
        quarter: edge for edge, end in pairwise(ends) for quarter in range(quarter_of(edge), quarter_of(end), QUARTER_S)
    }
