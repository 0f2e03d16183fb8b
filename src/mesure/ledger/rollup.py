"""Sums kept per file of the table, and of the events that are not in a file yet: no page scans what another has read.

Files never change, so what was summed from one stays true as long as a version names it. A new version costs the
reading of its new files only, whoever wrote it: this committer, an import, a compaction.
"""

from __future__ import annotations

from heapq import nlargest
from operator import attrgetter, is_
from typing import TYPE_CHECKING

from mesure.ledger.cells import QUARTER_S, Cell, Cells, Sums, Table, add_to, quarter_of
from mesure.ledger.engine import Engine, Slice
from mesure.ledger.schema import epoch_us, month_of, month_start_utc, second_of, time_of
from mesure.ledger.sightings import is_report

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mesure.ledger.grouping import Grouping, GroupKey
    from mesure.ledger.pricing import Pricer
    from mesure.ledger.spark import SparkEngine
    from mesure.ledger.table import Snapshot, StoredFile
    from mesure.record import UsageEvent

__all__ = ["LIVE_S", "Recent", "Rollup", "within"]

#: How far back the second in which calls ended is kept.
LIVE_S = 3_700
_KEPT_TOTALS = 64
_LONGEST_MONTH_S = 31 * 86_400
_NEVER = 1 << 62
#: Up to this many events are priced one at a time: planning the engine's statement takes as long.
_FEW = 1_000
_newest = attrgetter("started_at", "id")


class Rollup:
    """What is in files. Not for threads: its owner holds a lock."""

    def __init__(self, pricer: Pricer, spark: SparkEngine | None = None) -> None:
        self._engine = Engine(pricer)
        self._totalling = spark or self._engine
        self._pricer = pricer
        self._cells: dict[str, Cells] = {}
        self._latest: tuple[tuple[int, int], list[UsageEvent]] = ((-1, 0), [])
        self._several = (-1, 0, 0)
        self._totals: dict[tuple[object, ...], dict[GroupKey, Table]] = {}

    def load(self, snapshot: Snapshot, since: int, until: int, edges: Iterable[int]) -> None:
        """Make `windows` ready for any bounds within `[since, until)` on quarters of an hour, or at `edges`."""
        wanted = within(snapshot, since, until)
        self._cells = {uri: cells for uri, cells in self._cells.items() if uri in wanted}
        fine = {quarter_of(edge) for edge in edges}
        live_from = until - LIVE_S
        unread = [uri for uri in wanted if not self._is_read(uri, since, live_from)]
        if sum(wanted[uri].rows for uri in unread) > _FEW:
            self._cells |= self._engine.cells(Slice(tuple(unread), since), fine, live_from)
        elif unread:
            self._cells |= self._summed_here(Slice(tuple(unread), since), fine, live_from)
        for cells in self._cells.values():  # what earlier windows ended in: a month of seconds is a lot of memory
            cells.fine = {quarter: table for quarter, table in cells.fine.items() if quarter in fine}
        for quarter in fine:
            self._refine(quarter)

    def _summed_here(self, part: Slice, fine: set[int], live_from: int) -> dict[str, Cells]:
        """What the engine's `cells` gives, one event at a time."""
        found = {uri: Cells(part.since, live_from, fine={quarter: {} for quarter in fine}) for uri in part.uris}
        for uri, event in self._engine.events(part):
            found[uri].add(second_of(event.started_at), _ended(event), *self._pricer.price(event))
        return found

    def _is_read(self, uri: str, since: int, live_from: int) -> bool:
        cells = self._cells.get(uri)
        return cells is not None and cells.since <= since and cells.live_from <= live_from

    def _refine(self, quarter: int) -> None:
        """Read one quarter of an hour by the second, in the files that have events in it and were not read so."""
        coarse = tuple(uri for uri, c in self._cells.items() if quarter in c.quarters and quarter not in c.fine)
        if coarse:
            found = self._engine.cells(Slice(coarse, quarter, quarter + QUARTER_S), {quarter}, _NEVER)
            for uri, cells in found.items():
                self._cells[uri].fine[quarter] = cells.fine[quarter]

    def all(self) -> Iterator[Cells]:
        return iter(self._cells.values())

    def latest(self, snapshot: Snapshot, until: int, count: int) -> list[UsageEvent]:
        """The `count` events that started last before `until`; read once per version and quarter of an hour."""
        edge = quarter_of(until) + QUARTER_S
        if self._latest[0] != (snapshot.version, edge):
            self._latest = ((snapshot.version, edge), self._read_latest(snapshot, edge, count))
        found = self._latest[1]
        if all(second_of(event.started_at) < until for event in found):
            return found
        return self._read_latest(snapshot, until, count)  # some events lie ahead of this clock

    def _read_latest(self, snapshot: Snapshot, until: int, count: int) -> list[UsageEvent]:
        """From the quarters known to hold enough, else from the newest months, no more than needed."""
        if (bound := self._holding(until, count)) is not None:
            uris = tuple(uri for uri, cells in self._cells.items() if any(q >= bound for q in cells.quarters))
            return self._engine.latest(Slice(uris, bound, until), count)
        found: list[UsageEvent] = []
        for uris in _by_month(snapshot, until):
            found += self._engine.latest(Slice(uris, 0, until), count - len(found))
            if len(found) >= count:
                break
        return found

    def _holding(self, until: int, count: int) -> int | None:
        """The start of the newest quarter from which on at least `count` events are known; None when too few are."""
        events: dict[int, int] = {}
        for cells in self._cells.values():
            for quarter, table in cells.quarters.items():
                if quarter + QUARTER_S <= until:
                    events[quarter] = events.get(quarter, 0) + sum(
                        min(sums.events, sums.calls) for sums in table.values()
                    )
        held = 0
        for quarter in sorted(events, reverse=True):
            held += events[quarter]
            if held >= count:
                return quarter
        return None

    def several(self, snapshot: Snapshot, since: int, until: int) -> int:
        """Calls that several sources saw; read once per version and start, as what is to come is in no file."""
        if self._several[:2] != (snapshot.version, since):
            uris = tuple(within(snapshot, since, until))
            self._several = (snapshot.version, since, self._engine.several(Slice(uris, since, until)) if uris else 0)
        return self._several[2]

    def totals(self, snapshot: Snapshot, since: int, until: int, grouping: Grouping) -> dict[GroupKey, Table]:
        """Sums per group; copies, to which recent events can be added."""
        asked = (snapshot.version, since, until, grouping.by)
        if asked not in self._totals:
            if len(self._totals) >= _KEPT_TOTALS:
                self._totals.clear()
            self._totals[asked] = self._summed(snapshot, since, until, grouping)
        return {key: dict(table) for key, table in self._totals[asked].items()}

    def _summed(self, snapshot: Snapshot, since: int, until: int, grouping: Grouping) -> dict[GroupKey, Table]:
        groups: dict[GroupKey, Table] = {}
        files = within(snapshot, since, until)
        if files and since < until:
            # No file holds anything before its month: that much of an open range need not be listed
            first = max(since, second_of(month_start_utc(min(file.month for file in files.values()))))
            last = min(until, second_of(month_start_utc(max(file.month for file in files.values()))) + _LONGEST_MONTH_S)
            part = Slice(tuple(files), first, last)
            rows = self._totalling.totals(part, grouping.columns, grouping.periods(first, last))
            for values, quarter, cell, sums in rows:
                add_to(groups.setdefault(grouping.key(values, quarter, cell.served), {}), cell, sums)
        return groups


def within(snapshot: Snapshot, since: int, until: int) -> dict[str, StoredFile]:
    """Files of the months that `[since, until)` touches."""
    first, last = month_of(time_of(since)), month_of(time_of(max(since, until - 1)))
    return {file.uri: file for file in snapshot.files if first <= file.month <= last}


def _by_month(snapshot: Snapshot, until: int) -> list[tuple[str, ...]]:
    months: dict[str, list[str]] = {}
    for file in snapshot.files:
        if file.month <= month_of(time_of(until)):
            months.setdefault(file.month, []).append(file.uri)
    return [tuple(uris) for _, uris in sorted(months.items(), reverse=True)]


class Recent:
    """The same for events that are not in a file yet: each is priced once, then followed until it is committed."""

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer
        self._events: Sequence[UsageEvent] = ()
        self._priced: dict[int, tuple[Cell, Sums]] = {}
        self.cells = Cells(0, 0)

    def follow(self, events: Sequence[UsageEvent]) -> None:
        """Take the committer's recent events as they are now: usually those of before and some more."""
        done = len(self._events)
        if not (done and len(events) >= done and all(map(is_, self._events, events))):
            kept = set(map(id, events))
            self._priced = {name: priced for name, priced in self._priced.items() if name in kept}
            self.cells, done = Cells(0, 0), 0
        for event in events[done:]:
            self._add(event)
        self._events = events

    @property
    def events(self) -> Sequence[UsageEvent]:
        return self._events

    def _add(self, event: UsageEvent) -> None:
        key, sums = self._price(event)
        started = second_of(event.started_at)
        self.cells.fine.setdefault(quarter_of(started), {})
        self.cells.add(started, _ended(event), key, sums)

    def _price(self, event: UsageEvent) -> tuple[Cell, Sums]:
        """Known by the object, which lives as long as it is recent: a call that is refined becomes another."""
        if id(event) not in self._priced:
            self._priced[id(event)] = self._pricer.price(event)
        return self._priced[id(event)]

    def latest(self, until: int, count: int) -> list[UsageEvent]:
        calls = (event for event in self._events if event.calls_count and not is_report(event))
        begun = (event for event in calls if second_of(event.started_at) < until)
        return nlargest(count, begun, key=_newest)

    def totals(self, since: int, until: int, grouping: Grouping) -> Iterator[tuple[GroupKey, Cell, Sums]]:
        for event in self._events:
            if since <= second_of(event.started_at) < until:
                cell, sums = self._price(event)
                yield grouping.key_of(event, cell.served), cell, sums


def _ended(event: UsageEvent) -> int | None:
    """The second in which an observed call ended, as the table's statement has it."""
    if event.basis != "observed":
        return None
    if event.ended_at is not None:
        return second_of(event.ended_at)
    return round(epoch_us(event.started_at) + (event.duration_ms or 0.0) * 1000.0) // 1_000_000
