"""What a provider reports for a period, or somebody declares, beside the calls seen in it: never added to them.

The calls seen count. Where more is reported than was seen, the rest is one event of its own (basis `exported` or
`declared`), which totals hold beside the calls; where more was seen than is reported, nothing is taken away, and it is
said. Compared by provider, period, and whatever else the report states: model, application, team.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.ledger.cells import add_to, energy_of, gwp_of
from mesure.ledger.engine import Engine, Seen, Slice
from mesure.ledger.pricing import Key, key_of
from mesure.ledger.schema import epoch_us, second_of
from mesure.ledger.sightings import file_of, is_report
from mesure.ledger.view import Reconciled, ReportRow, Unseen
from mesure.record import derived_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mesure.ledger.cells import Table
    from mesure.ledger.pricing import Pricer
    from mesure.ledger.table import Snapshot, StoredFile
    from mesure.record import UsageEvent

__all__ = ["Amount", "Reconciler", "Report", "reconciled"]

_DAY_S, _HOUR_S = 86_400, 3_600


class Amount(NamedTuple):
    """Calls and tokens; tokens nobody counted add nothing."""

    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def plus(self, other: Amount) -> Amount:
        return Amount(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def beyond(self, other: Amount) -> Amount:
        """What this has more of."""
        return Amount(*(max(0, mine - theirs) for mine, theirs in zip(self, other, strict=True)))

    @classmethod
    def of(cls, event: UsageEvent) -> Amount:
        return cls(event.calls_count, *(getattr(event, name) or 0 for name in cls._fields[1:]))


#: Model, application and team of a call.
_Who = tuple["str | None", "str | None", "str | None"]


class _Cell(NamedTuple):
    """What a report states of the calls it stands for; None where it says nothing."""

    declared: bool
    since: int
    until: int
    provider: str | None
    model: str | None
    application: str | None
    team: str | None

    @property
    def order(self) -> tuple[object, ...]:
        """Reports before declarations, short periods before long ones, what states more first: each stands on those."""
        unstated = sum(part is None for part in self[3:])
        return (self.declared, self.until - self.since, unstated, *(part or "" for part in self[3:]), self.since)


@dataclass(frozen=True, slots=True)
class Report:
    """One report beside what was seen. `residue`: one event for what was not, None where all was."""

    provider: str | None
    model: str | None
    since: int  # whole seconds since 1970
    until: int
    declared: bool
    reported: Amount
    seen: Amount
    residue: tuple[UsageEvent, ...]

    @property
    def beyond(self) -> Amount:
        """Seen, and not in the report."""
        return self.seen.beyond(self.reported)


class Reconciler:
    """Not for threads: its owner holds a lock. What it reads of a file it keeps, as files never change."""

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer
        self._engine = Engine(pricer)
        self._aggregates: dict[str, list[UsageEvent]] = {}
        self._seen: dict[tuple[str, int], list[Seen]] = {}
        self._reports: tuple[Report, ...] = ()
        self._held: tuple[int, Sequence[UsageEvent]] = (-1, ())

    def reports(self, snapshot: Snapshot, recent: Sequence[UsageEvent]) -> tuple[Report, ...]:
        """Every report of the table and of `recent`, what is not in it yet, beside the calls of both.

        The same object as long as nothing has changed. Raises `LedgerError` when a file cannot be read.
        """
        told = [*self._stored(snapshot), *filter(is_report, recent)]
        if not told:
            self._reports, self._seen = (), {}
        elif self._held != (asked := (snapshot.version, recent)):
            self._reports = self._compared(snapshot, [event for event in recent if not is_report(event)], told)
            self._held = asked
        return self._reports

    def _stored(self, snapshot: Snapshot) -> list[UsageEvent]:
        unread = tuple(file.uri for file in snapshot.files if file.uri not in self._aggregates)
        found: dict[str, list[UsageEvent]] = {uri: [] for uri in unread}
        for uri, event in self._engine.events(Slice(unread, 0, kind="reports")) if unread else ():
            found[uri].append(event)
        held = self._aggregates | found
        self._aggregates = {file.uri: held[file.uri] for file in snapshot.files}
        return [event for events in self._aggregates.values() for event in events]

    def _compared(
        self, snapshot: Snapshot, recent: Iterable[UsageEvent], aggregates: Iterable[UsageEvent]
    ) -> tuple[Report, ...]:
        cells = self._cells(aggregates)
        whole_days = all(cell.since % _DAY_S == 0 and cell.until % _DAY_S == 0 for cell in cells)
        index = _Index(_DAY_S if whole_days else _HOUR_S)
        since, until = min(cell.since for cell in cells), max(cell.until for cell in cells)
        for row in self._rows(snapshot, since, until, index.bucket_s):
            who = (self._name(row.key), row.application, row.team)
            index.add(row.key.provider, row.second, who, Amount(*row.amounts))
        for event in recent:
            if since <= second_of(event.started_at) < until:
                index.add_event(self._model(event), event)
        reports = []
        for cell in sorted(cells, key=lambda one: one.order):
            report = _report(cell, cells[cell], index.seen(cell))
            reports.append(report)
            for event in report.residue:
                index.add_event(self._model(event), event)
        return tuple(reports)

    def _cells(self, aggregates: Iterable[UsageEvent]) -> dict[_Cell, list[UsageEvent]]:
        """Aggregates by what they state; of several reports of the same, the one that says most."""
        told: dict[_Cell, dict[str, list[UsageEvent]]] = {}
        for event in aggregates:
            report = file_of(event) or event.source
            told.setdefault(self._cell(event), {}).setdefault(report, []).append(event)
        return {cell: max(reports.values(), key=_amount) for cell, reports in told.items()}

    def _cell(self, event: UsageEvent) -> _Cell:
        since = second_of(event.started_at)
        if event.ended_at is None or event.ended_at <= event.started_at:
            since -= since % _DAY_S
            until = since + _DAY_S
        else:
            until = -(-epoch_us(event.ended_at) // (_HOUR_S * 1_000_000)) * _HOUR_S
            since -= since % _HOUR_S
        who = (event.application or None, event.team or None)
        return _Cell(event.basis == "declared", since, until, event.provider or None, self._model(event), *who)

    def _model(self, event: UsageEvent) -> str | None:
        if not (event.model_answered or event.model_requested):
            return None
        return self._name(key_of(event))

    def _name(self, key: Key) -> str | None:
        """The catalogue's name of a model, else the one it was seen under."""
        return self._pricer.cell(key, "").served.model or None

    def _rows(self, snapshot: Snapshot, since: int, until: int, bucket_s: int) -> Iterable[Seen]:
        """Calls of the table in the period, summed once for each file."""
        near = [file for file in snapshot.files if file.may_hold(since, until)]
        wanted = {(file.uri, bucket_s) for file in near}
        self._seen = {key: rows for key, rows in self._seen.items() if key in wanted}
        unread: list[StoredFile] = [file for file in near if (file.uri, bucket_s) not in self._seen]
        if unread:
            self._seen |= {(file.uri, bucket_s): [] for file in unread}
            for uri, row in self._engine.seen(Slice(tuple(file.uri for file in unread), 0), bucket_s):
                self._seen[uri, bucket_s].append(row)
        return (row for rows in self._seen.values() for row in rows if since <= row.second < until)


def reconciled(pricer: Pricer, reports: Iterable[Report], several: int, since: datetime, until: datetime) -> Reconciled:
    """Reports that begin in `[since, until)`, by provider and model."""
    low, high = second_of(since), second_of(until)
    groups: dict[tuple[str | None, str | None, bool], list[Report]] = {}
    for report in reports:
        if low <= report.since < high:
            groups.setdefault((report.provider, report.model, report.declared), []).append(report)
    found = [report for group in groups.values() for report in group]
    rows = [_row(pricer, *named, group) for named, group in groups.items()]
    return Reconciled(
        since=since,
        until=until,
        several=several,
        unseen=_unseen(pricer, [report for report in found if not report.declared]),
        declared=_unseen(pricer, [report for report in found if report.declared]),
        beyond_calls=sum(row.beyond_calls for row in rows if not row.declared),
        rows=tuple(sorted(rows, key=_place)),
    )


def _place(row: ReportRow) -> tuple[object, ...]:
    return row.declared, -row.reported_calls, row.provider or "", row.model or ""


def _row(pricer: Pricer, provider: str | None, model: str | None, declared: bool, group: list[Report]) -> ReportRow:
    return ReportRow(
        provider=provider,
        model=model,
        declared=declared,
        reported_calls=sum(report.reported.calls for report in group),
        seen_calls=sum(report.seen.calls for report in group),
        reported_tokens=sum(report.reported.tokens for report in group),
        seen_tokens=sum(report.seen.tokens for report in group),
        unseen=_unseen(pricer, group),
        beyond_calls=sum(report.beyond.calls for report in group),
    )


def _unseen(pricer: Pricer, reports: Iterable[Report]) -> Unseen | None:
    table: Table = {}
    amount = Amount()
    for report in reports:
        for event in report.residue:
            add_to(table, *pricer.price(event))
            amount = amount.plus(Amount.of(event))
    energy = energy_of(table)
    if energy is None:
        return None
    return Unseen(calls=amount.calls, tokens=amount.tokens, energy_wh=energy, gwp_gco2eq=gwp_of(table))


class _Index:
    """Calls seen, by who provided them and when."""

    def __init__(self, bucket_s: int) -> None:
        self.bucket_s = bucket_s
        self._rows: dict[tuple[str, int], list[tuple[_Who, Amount]]] = {}

    def add(self, provider: str | None, second: int, who: _Who, amount: Amount) -> None:
        bucket = second - second % self.bucket_s
        self._rows.setdefault((provider or "", bucket), []).append((who, amount))

    def add_event(self, model: str | None, event: UsageEvent) -> None:
        self.add(event.provider, second_of(event.started_at), (model, event.application, event.team), Amount.of(event))

    def seen(self, cell: _Cell) -> Amount:
        total = Amount()
        stated = (cell.model, cell.application, cell.team)
        for bucket in range(cell.since, cell.until, self.bucket_s):
            for who, amount in self._rows.get((cell.provider or "", bucket), ()):
                if all(said is None or said == mine for said, mine in zip(stated, who, strict=True)):
                    total = total.plus(amount)
        return total


def _amount(events: Iterable[UsageEvent]) -> Amount:
    total = Amount()
    for event in events:
        total = total.plus(Amount.of(event))
    return total


def _report(cell: _Cell, events: list[UsageEvent], seen: Amount) -> Report:
    reported = _amount(events)
    residue = tuple(events) if not any(seen) else _residue(cell, events, reported.beyond(seen))
    return Report(cell.provider, cell.model, cell.since, cell.until, cell.declared, reported, seen, residue)


def _residue(cell: _Cell, events: list[UsageEvent], rest: Amount) -> tuple[UsageEvent, ...]:
    """What was not seen, as one event; none where all was. Counts that the report does not give stay unknown."""
    if not any(rest):
        return ()
    first = events[0]
    values: dict[str, Any] = dict.fromkeys(_OF_THE_WHOLE)
    for name, value in rest._asdict().items():
        values[name] = value if any(getattr(event, name, None) is not None for event in events) else None
    if values["input_tokens"] is not None and values["cached_input_tokens"] is not None:
        values["cached_input_tokens"] = min(values["cached_input_tokens"], values["input_tokens"])
    del values["calls"]
    at_ms = cell.since * 1_000
    return (replace(first, **values | {"calls_count": rest.calls, "id": derived_id(at_ms, f"residue:{cell!r}")}),)


#: Said of all that is reported, not of the part that was not seen.
_OF_THE_WHOLE = (
    "cache_write_tokens", "reasoning_tokens", "input_audio_tokens", "output_audio_tokens", "input_image_tokens",
    "output_image_tokens", "images_count", "video_frames", "audio_seconds", "characters", "input_items", "cost",
    "energy_j", "energy_low_j", "energy_high_j", "energy_sensor", "energy_status", "energy_scope", "origin",
    "sightings",
)  # fmt: skip
