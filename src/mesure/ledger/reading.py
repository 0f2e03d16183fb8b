"""`View`: what pages ask of the ledger, from files summed once and the events that are not in a file yet."""

from __future__ import annotations

import threading
from datetime import UTC
from heapq import nlargest
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

from mesure.catalogue import current
from mesure.ledger.calendar import day_start, month_start, previous_month_start, same_point_before
from mesure.ledger.cells import Table, add_to, energy_of, gwp_of, merged
from mesure.ledger.engine import Engine
from mesure.ledger.exploring import CallPage, Explorer
from mesure.ledger.grouping import Grouping
from mesure.ledger.live import Live
from mesure.ledger.pricing import Pricer
from mesure.ledger.reconcile import Reconciler, Report, reconciled
from mesure.ledger.rollup import Recent, Rollup
from mesure.ledger.schema import second_of
from mesure.ledger.sightings import is_report
from mesure.ledger.spark import SparkEngine
from mesure.ledger.view import CallRow, GroupTotal, ModelRow, Overview, Reconciled, Window
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pyspark.sql import SparkSession

    from mesure.config import Settings
    from mesure.ledger.amounts import Amounts
    from mesure.ledger.cells import Cells
    from mesure.ledger.committer import Committer
    from mesure.ledger.cut import Cut
    from mesure.ledger.exploring import Place
    from mesure.ledger.table import Ledger, Snapshot
    from mesure.quantity import Status
    from mesure.record import UsageEvent

__all__ = ["View"]

_LAST_CALLS = 20


class View:
    """Reads the ledger, and the committer's recent events when it runs in this process. Safe for threads.

    `totals` are summed by DuckDB in this process, or by `spark`, a Spark session, when one is given.
    """

    def __init__(
        self, ledger: Ledger, committer: Committer | None, settings: Settings, *, spark: SparkSession | None = None
    ) -> None:
        self._ledger = ledger
        self._committer = committer
        self._zone = ZoneInfo(settings.organisation.timezone)
        self._pricer = Pricer(settings.deployments)
        self._rollup = Rollup(self._pricer, SparkEngine(self._pricer, spark) if spark else None)
        self._recent = Recent(self._pricer)
        self._reconciler = Reconciler(self._pricer)
        self._reports: tuple[Report, ...] = ()
        self._explorer = Explorer(self._pricer)
        self._lock = threading.Lock()

    def overview(self, now: datetime) -> Overview:
        """Everything the `Now` page shows, as of the second of `now` (with a time zone). Raises `LedgerError`.

        Windows end with that second included: a call that just came shows.
        """
        now = now.astimezone(UTC)
        today, month = day_start(now, self._zone), month_start(now, self._zone)
        before, point = previous_month_start(now, self._zone), same_point_before(now, self._zone)
        end = second_of(now) + 1
        same_end = second_of(point) + (point < month)
        with self._lock:
            snapshot = self._follow()
            self._rollup.load(snapshot, second_of(before), end, edges=(end, same_end))
            this_month = self._table(second_of(month), end)
            live = Live(end, [cells.ended for cells in self._all()])
            return Overview(
                now=now,
                month=self._window(month, now, this_month),
                previous=self._window(before, point, self._table(second_of(before), same_end)),
                today=self._window(today, now, self._table(second_of(today), end)),
                power_w=live.power_w(),
                calls_per_minute=live.calls_per_minute(),
                power_series=live.series(),
                models=self._models(this_month),
                last_calls=self._last_calls(snapshot, end),
                statuses=_statuses(this_month),
                method_version=METHOD_VERSION,
                catalogue_version=current().version,
                ledger_version=snapshot.version,
                reconciled=self._reconciled(snapshot, month, now),
            )

    def reconciled(self, since: datetime, until: datetime) -> Reconciled:
        """What providers report and people declare for `[since, until)`, beside the calls seen; calls that several
        sources saw. Raises `LedgerError` when the table cannot be read."""
        with self._lock:
            return self._reconciled(self._follow(), since, until)

    def _reconciled(self, snapshot: Snapshot, since: datetime, until: datetime) -> Reconciled:
        waiting = sum(
            event.sightings is not None and since <= event.started_at <= until for event in self._recent.events
        )
        several = self._rollup.several(snapshot, second_of(since), second_of(until) + 1) + waiting
        return reconciled(self._pricer, self._reports, several, since, until)

    def event(self, event_id: str) -> UsageEvent | None:
        """One event by its id, or by that of a sighting of it; None when the ledger has none. Raises `LedgerError`."""
        try:
            wanted = UUID(event_id)
        except ValueError:
            return None
        recent = () if self._committer is None else self._committer.recent
        if found := next((event for event in recent if event.id == str(wanted)), None):
            return found
        uris = tuple(file.uri for file in self._ledger.snapshot().files)
        return Engine(self._pricer).find(uris, wanted)

    def listen(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call back, from the committer's thread, when events came in through this process; the result ends it."""
        if self._committer is None:
            return lambda: None

        def tell(_: list[UsageEvent]) -> None:
            callback()

        return self._committer.listen(tell)

    def totals(self, since: datetime, until: datetime, by: tuple[str, ...]) -> list[GroupTotal]:
        """Totals of `[since, until)`, bounds on whole seconds, per group; largest energy first.

        `by`: columns of the record, or `model` (its canonical name), `day`, `month`, `hour` (of the organisation's time
        zone). Raises `InvalidValue` for another name, `LedgerError` when the table cannot be read.
        """
        grouping = Grouping(by, self._zone)
        low, high = second_of(since), second_of(until)
        with self._lock:
            groups = self._rollup.totals(self._follow(), low, high, grouping)
            for key, cell, sums in self._recent.totals(low, high, grouping):
                add_to(groups.setdefault(key, {}), cell, sums)
            rows = [self._group(key, table) for key, table in groups.items()]
        return sorted(rows, key=lambda row: (-row.energy_wh.mid, tuple(part or "" for part in row.key)))

    def explore(self, cut: Cut, measure: str) -> Amounts:
        """Sums of a cut by a measure (a name of `MEASURES`), recent calls included. Pages that read something else do
        not wait for it. Raises `LedgerError` when the table cannot be read."""
        with self._lock:
            snapshot, recent = self._follow(), self._recent.events
        return self._explorer.explore(snapshot, recent, cut, measure)

    def calls(self, cut: Cut, after: Place | None = None, count: int = _LAST_CALLS) -> CallPage:
        """Calls of a cut, newest first, `count` at a time. Raises `LedgerError` when the table cannot be read."""
        with self._lock:
            snapshot, recent = self._follow(), self._recent.events
        calls = [event for event in recent if not is_report(event)]
        events, following = self._explorer.calls(snapshot, calls, cut, after, count)
        return CallPage(tuple(map(self._call, events)), following)

    def _follow(self) -> Snapshot:
        """The version to read; the calls that are not in it are in `_recent`, and what is reported and was not seen."""
        events: tuple[UsageEvent, ...] = ()
        if self._committer is None:
            snapshot = self._ledger.snapshot()
        else:
            snapshot, events = self._committer.consistent()
        self._reports = self._reconciler.reports(snapshot, events)
        residues = [event for report in self._reports for event in report.residue]
        self._recent.follow((*residues, *(event for event in events if not is_report(event))))
        return snapshot

    def _all(self) -> tuple[Cells, ...]:
        return (*self._rollup.all(), self._recent.cells)

    def _table(self, since: int, until: int) -> Table:
        return merged(cells.window(since, until) for cells in self._all())

    def _window(self, since: datetime, until: datetime, table: Table) -> Window:
        return Window(
            since=since,
            until=until,
            energy_wh=energy_of(table),
            gwp_gco2eq=gwp_of(table),
            **_counts(table),
        )

    def _group(self, key: tuple[str | None, ...], table: Table) -> GroupTotal:
        energy = energy_of(table)
        assert energy is not None  # a group exists by its events
        return GroupTotal(key=key, energy_wh=energy, gwp_gco2eq=gwp_of(table), **_counts(table))

    def _models(self, table: Table) -> tuple[ModelRow, ...]:
        by_model: dict[tuple[str, str, bool], Table] = {}
        for cell, sums in table.items():
            add_to(by_model.setdefault(cell.served[:3], {}), cell, sums)
        rows = []
        for (provider, model, known), found in by_model.items():
            energy = energy_of(found)
            assert energy is not None
            rows.append(
                ModelRow(
                    provider=provider or None,
                    model=model or None,
                    known=known,
                    calls=sum(sums.calls for sums in found.values()),
                    energy_wh=energy,
                    gwp_gco2eq=gwp_of(found),
                )
            )
        return tuple(sorted(rows, key=lambda row: (-row.energy_wh.mid, row.provider or "", row.model or "")))

    def _last_calls(self, snapshot: Snapshot, until: int) -> tuple[CallRow, ...]:
        stored = self._rollup.latest(snapshot, until, _LAST_CALLS)
        recent = self._recent.latest(until, _LAST_CALLS)
        newest = nlargest(_LAST_CALLS, [*stored, *recent], key=lambda event: (event.started_at, event.id))
        return tuple(map(self._call, newest))

    def _call(self, event: UsageEvent) -> CallRow:
        impacts = self._pricer.impacts(event)
        return CallRow(
            id=event.id,
            started_at=event.started_at,
            team=event.team,
            use_case=event.use_case,
            provider=event.provider,
            model=impacts.model or event.model_answered or event.model_requested,
            known=impacts.known,
            route=event.route,
            input_tokens=event.input_tokens,
            cached_input_tokens=event.cached_input_tokens,
            output_tokens=event.output_tokens,
            energy_wh=impacts.energy_wh,
            gwp_gco2eq=impacts.gwp_gco2eq,
            status=event.status,
            environment=event.environment,
        )


class _Counts(TypedDict):
    calls: int
    events: int
    tokens: int
    coverage: float | None


def _counts(table: Table) -> _Counts:
    tokens = sum(sums.tokens for sums in table.values())
    known = sum(sums.tokens for cell, sums in table.items() if cell.served.known)
    return {
        "calls": sum(sums.calls for sums in table.values()),
        "events": sum(sums.events for sums in table.values()),
        "tokens": tokens,
        "coverage": known / tokens if tokens else None,
    }


def _statuses(table: Table) -> dict[Status, int]:
    calls: dict[Status, int] = {}
    for cell, sums in table.items():
        calls[cell.status] = calls.get(cell.status, 0) + sums.calls
    return calls
