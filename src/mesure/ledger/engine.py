"""DuckDB, in memory, over the table's files: the formulas of `impact` on every row, summed before Python sees any.

One statement sums the features of events by what they were priced with; the formulas are linear in them, so that the
coefficients of a group multiply its sums, and nothing is joined. The part that makes features is written once, by
Narwhals, from the one implementation; only the files and the grouping change from call to call.
"""
# ruff: noqa: S608  (statements are built of our own column names, of numbers, and of quoted paths)

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mesure.errors import LedgerError
from mesure.impact import formulas
from mesure.impact.formulas import FACTS
from mesure.ledger.cells import QUARTER_S, Cell, Cells, Sums
from mesure.ledger.database import connect
from mesure.ledger.pricing import ASSUMED, KEY_COLUMNS, Key, Pricer, key_from
from mesure.ledger.schema import COLUMNS, empty_table, event_of, time_of
from mesure.ledger.sightings import IS_REPORT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from uuid import UUID

    from duckdb import DuckDBPyConnection

    from mesure.record import UsageEvent

__all__ = ["PAID_IN", "READ", "UNPRICED", "Engine", "Featured", "Slice", "featured_of", "paid_in", "priced"]

_OUTPUTS = tuple(f"{name}_{q}" for name in ("energy_wh", "gwp_gco2eq") for q in ("low", "mid", "high"))
#: Sums wider than the 64 bits of what they add: no count, however large, may hold up a page.
_COUNTS = "count(*), coalesce(sum(calls_count), 0), coalesce(sum(input_tokens), 0) + coalesce(sum(output_tokens), 0)"
_STARTED_S = "epoch_us(started_at) // 1000000"
_ENDED_S = (
    "CASE WHEN basis = 'observed' THEN (epoch_us(coalesce(ended_at, started_at)) + CASE WHEN ended_at IS NULL "
    "THEN coalesce(duration_ms, 0) * 1000 ELSE 0 END)::BIGINT // 1000000 END"
)
_AMOUNTS = ("calls_count", "input_tokens", "cached_input_tokens", "output_tokens")
_HAS_MEDIA = "coalesce(bool_or(images_count > 0 OR audio_seconds > 0 OR operation IN ({})), false)"


class Slice(NamedTuple):
    """Which rows: of these files, started in `[since, until)` (whole seconds since 1970), holding these values.

    `where`: (column of text, value), None for a value that is unknown. `kind`: calls, or what stands for others: see
    `is_report`.
    """

    uris: tuple[str, ...]
    since: int
    until: int | None = None
    where: tuple[tuple[str, str | None], ...] = ()
    kind: Literal["calls", "reports", "all"] = "calls"


class Seen(NamedTuple):
    """Calls of one kind within one stretch of time: how many, and their input, cached and output tokens."""

    key: Key
    application: str | None
    team: str | None
    second: int
    amounts: tuple[int, int, int, int]


class Featured(NamedTuple):
    """Sums of the features of events of one file that are priced alike."""

    file: str
    values: tuple[str | None, ...]  # of the columns grouped by
    bucket: int
    ended: int | None
    key: Key
    basis: int
    obtained: str  # as `Pricer.cell` has it
    events: int
    calls: int
    tokens: int
    cost: float | None  # of those that brought theirs
    stored: int  # tokens written to a cache, part of those read
    x: dict[str, float]


class Engine:
    """Safe for threads: one statement at a time."""

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer
        self._lock = threading.Lock()
        self._connection: DuckDBPyConnection | None = None
        self._staged_sql: dict[tuple[bool, int], str] = {}

    def cells(self, part: Slice, fine: Collection[int], live_from: int) -> dict[str, Cells]:
        """Cells of each file. `fine`: quarters wanted by the second; `live_from`: ends wanted from there on."""
        quarter = f"started_s - started_s % {QUARTER_S}"
        listed = ", ".join(map(str, fine)) or "-1"
        found = {uri: Cells(part.since, live_from, fine={q: {} for q in fine}) for uri in part.uris}
        rows = self._grouped(
            part,
            groups=(),
            bucket=f"CASE WHEN {quarter} IN ({listed}) THEN started_s ELSE {quarter} END",
            ended=f"CASE WHEN ended_s >= {live_from} THEN ended_s END",
        )
        for row in rows:
            found[row.file].add(row.bucket, row.ended, *priced(self._pricer, row))
        return found

    def totals(
        self, part: Slice, by: Sequence[str], periods: Mapping[int, int] | None
    ) -> list[tuple[tuple[str | None, ...], int, Cell, Sums]]:
        """Sums by the columns `by` (names of `COLUMNS`), by period, and by cell.

        `periods`: every quarter of an hour of the slice -> the period it lies in; None for one period, 0.
        """
        return [(row.values, row.bucket, *priced(self._pricer, row)) for row in self.featured(part, by, periods)]

    def featured(self, part: Slice, by: Sequence[str], periods: Mapping[int, int] | None) -> list[Featured]:
        """The same before it is priced, and file by file."""
        return self._grouped(
            part, groups=by, bucket="0" if periods is None else "period", ended="NULL::BIGINT", periods=periods
        )

    def listed(
        self,
        part: Slice,
        count: int,
        *,
        models: Collection[tuple[str, str, str]] | None = None,
        after: tuple[int, str] | None = None,
    ) -> list[UsageEvent]:
        """The next `count` events, newest first, that started after `after` (microseconds, id) in that order.

        `models`: (provider, model answered, model requested) of those wanted. Places are found first, for which two
        columns are read; rows then come from where they are.
        """
        wanted = []
        if models is not None:
            named = ", ".join(f"({', '.join(map(_quoted, names))})" for names in models)
            wanted.append(
                f"(coalesce(provider, ''), coalesce(model_answered, ''), coalesce(model_requested, '')) IN ({named})"
            )
        if after is not None:
            wanted.append(f"(epoch_us(started_at), id) < ({after[0]}, {_quoted(after[1])})")
        order = f"{'WHERE ' * bool(wanted)}{' AND '.join(wanted)} ORDER BY started_at DESC, id DESC LIMIT {count}"
        if after is not None:
            part = part._replace(until=min(part.until or _NEVER, after[0] // 1_000_000 + 1))
        with self._statement() as connection:
            found = connection.execute(
                f"SELECT filename, epoch_us(started_at) // 1000000, id FROM ({_source(part)}) {order}"
            ).fetchall()
        if not found:
            return []
        files, seconds, ids = zip(*found, strict=True)
        near = part._replace(uris=tuple(dict.fromkeys(files)), since=min(seconds), until=max(seconds) + 1)
        chosen = ", ".join(map(_quoted, ids))
        return [event for _, event in self._rows(near, f"WHERE id IN ({chosen}) ORDER BY started_at DESC, id DESC")]

    def latest(self, part: Slice, count: int) -> list[UsageEvent]:
        """The `count` events that started last, newest first, those of no call (idle energy) left aside."""
        order = f"WHERE calls_count <> 0 ORDER BY started_at DESC, id DESC LIMIT {count}"
        return [event for _, event in self._rows(part, order)]

    def events(self, part: Slice) -> list[tuple[str, UsageEvent]]:
        """Every event of the slice, with its file. For few of them this is quicker than planning a statement."""
        return self._rows(part, "")

    def seen(self, part: Slice, bucket_s: int) -> list[tuple[str, Seen]]:
        """Calls of the slice by who served and made them, in stretches of `bucket_s` seconds; with the file of each."""
        texts = ", ".join((*KEY_COLUMNS, "application", "team"))
        sums = ", ".join(f"coalesce(sum({name}), 0)::HUGEINT" for name in _AMOUNTS)
        with self._statement() as connection:
            found = connection.execute(
                f"SELECT filename, {texts}, {_STARTED_S} // {bucket_s} * {bucket_s}, {sums} FROM ({_source(part)}) "
                "GROUP BY ALL"
            ).fetchall()
        keys = len(KEY_COLUMNS)
        return [
            (uri, Seen(key_from(row[:keys]), row[keys], row[keys + 1], row[keys + 2], tuple(row[keys + 3 :])))
            for uri, *row in found
        ]

    def several(self, part: Slice) -> int:
        """Calls of the slice that several sources saw."""
        with self._statement() as connection:
            [(count,)] = connection.execute(f"SELECT count(sightings) FROM ({_source(part)})").fetchall()
        return int(count)

    def find(self, uris: tuple[str, ...], event_id: UUID) -> UsageEvent | None:
        """The event of that id in these files, or that a sighting of that id told of."""
        told = f"sightings IS NOT NULL AND contains(sightings, '{event_id}')"
        for where in (f"id = '{event_id}'", told) if uris else ():
            if found := self._rows(Slice(uris, 0, kind="all"), f"WHERE {where}"):
                return found[0][1]
        return None

    def _rows(self, part: Slice, order: str) -> list[tuple[str, UsageEvent]]:
        wanted = ", ".join(f"epoch_us({n}) AS {n}" if kind == "datetime" else f'"{n}"' for n, kind in COLUMNS.items())
        with self._statement() as connection:
            found = connection.execute(f"SELECT filename, {wanted} FROM ({_source(part)}) {order}").fetchall()
        return [(uri, event_of(dict(zip(COLUMNS, row, strict=True)))) for uri, *row in found]

    @contextmanager
    def _statement(self) -> Iterator[DuckDBPyConnection]:
        """The connection, for one thread at a time; what goes wrong becomes a `LedgerError`."""
        import duckdb

        with self._lock:
            try:
                yield self._connect()
            except duckdb.Error as error:
                raise LedgerError(
                    f"The ledger could not be read: {str(error).splitlines()[0][:300]}",
                    action="Check that its files are there and readable, and that the disk has room.",
                    code="ledger_unavailable",
                ) from error

    def _connect(self) -> DuckDBPyConnection:
        if self._connection is None:
            self._connection = connect()
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("SET preserve_insertion_order = false")
            self._connection.register("empty_events", empty_table())
        return self._connection

    def _grouped(
        self, part: Slice, *, groups: Sequence[str], bucket: str, ended: str, periods: Mapping[int, int] | None = None
    ) -> list[Featured]:
        """Every event of the slice in exactly one of them."""
        names = [f"group_{i}" for i in range(len(groups))]
        asked = "".join(f"{_column(group)} AS {name}, " for group, name in zip(groups, names, strict=True))
        with self._statement() as connection:
            joined = ""
            if periods is not None:
                _store(connection, "periods", {"quarter": list(periods), "period": list(periods.values())})
                joined = f" LEFT JOIN periods ON quarter = started_s - started_s % {QUARTER_S}"
            media = self._has_media(connection, part)
            connection.execute(
                f"CREATE OR REPLACE TEMP VIEW staged AS SELECT filename AS file, {asked}{bucket} AS bucket, "
                f"{ended} AS ended, {', '.join((*_KEY_NAMES, 'energy_status', 'energy_sensor', *_OF_MONEY, *FACTS))} "
                f"FROM (SELECT *, {_STARTED_S} AS started_s, {_ENDED_S} AS ended_s, {_key_columns()} "
                f"FROM ({_source(part)})){joined}"
            )
            summed = formulas.SUMMED if media else formulas.SUMMED_TEXT
            # Columns as they are stored: texts made from them would cost more to group by than all the formulas
            by = ", ".join(["file", *names, "bucket", "ended", *_KEY_NAMES, "basis", *READ])
            sums = ", ".join(f"sum({name})" for name in (*_OF_MONEY, *summed))
            staged = self._staged(connection, len(groups), media=media)
            found = connection.execute(f"SELECT {by}, {_COUNTS}, {sums} FROM ({staged}) GROUP BY ALL").fetchall()
        return [featured_of(row, len(groups), summed) for row in found]

    def _has_media(self, connection: DuckDBPyConnection, part: Slice) -> bool:
        """Whether any event of the slice makes or carries something else than text."""
        names = ", ".join(f"'{name}'" for name in formulas.MEDIA_OPERATIONS)
        [found] = connection.execute(f"SELECT {_HAS_MEDIA.format(names)} FROM ({_source(part)})").fetchall()
        return bool(found[0])

    def _staged(self, connection: DuckDBPyConnection, groups: int, *, media: bool) -> str:
        """`staged` with features, as SQL: binding the formulas costs more than running them, so it is done once
        for each number of columns grouped by."""
        if (media, groups) not in self._staged_sql:
            import narwhals as nw

            frame = formulas.with_event_columns(nw.from_native(connection.view("staged")), media=media)
            self._staged_sql[media, groups] = frame.to_native().sql_query()
        return self._staged_sql[media, groups]


_NO_FEATURES = dict.fromkeys(formulas.SUMMED, 0.0)
_OF_MONEY = ("cost", "cache_write_tokens")
_NEVER = 1 << 40
#: To be grouped by as by a column: the currency of what a call cost; for a call without a cost NULL, or `UNPRICED`
#: where its tokens are not known.
PAID_IN, UNPRICED = "paid_in", "?"
_PAID_IN = (
    f"CASE WHEN cost IS NOT NULL THEN coalesce(cost_currency, '{UNPRICED}') "
    f"WHEN energy_j IS NOT NULL AND (input_tokens IS NULL OR output_tokens IS NULL) THEN '{UNPRICED}' END"
)


def paid_in(event: UsageEvent) -> str | None:
    """The same of one event."""
    if event.cost is not None:
        return event.cost_currency or UNPRICED
    untold = event.energy_j is not None and None in (event.input_tokens, event.output_tokens)
    return UNPRICED if untold else None


#: How a measured energy was obtained.
READ = ("energy_status", "energy_scope", "energy_sensor")
_KEY_NAMES = tuple(f"key_{name}" for name in Key._fields)


def priced(pricer: Pricer, row: Featured) -> tuple[Cell, Sums]:
    """Sums of features become sums of impacts."""
    found = formulas.impacts(row.x, pricer.coefficients(row.key).row(row.basis), _OUTPUTS)
    sums = Sums(row.events, row.calls, row.tokens, *(found[name] for name in _OUTPUTS[:3]))
    if formulas.known(found["gwp_gco2eq_mid"]):
        sums.gwp_low, sums.gwp_mid, sums.gwp_high = (found[name] for name in _OUTPUTS[3:])
        sums.gwp_events = row.events
    return pricer.cell(row.key, row.obtained), sums


def featured_of(row: tuple[Any, ...], groups: int, summed: Sequence[str] = formulas.SUMMED) -> Featured:
    """A row of the statement: file, `groups` values, bucket, end, `KEY_COLUMNS`, basis, `READ`, events, calls, tokens,
    cost, tokens stored, `summed`."""
    file, values, (bucket, ended), rest = row[0], row[1 : 1 + groups], row[1 + groups : 3 + groups], row[3 + groups :]
    of_key, rest = rest[: len(Key._fields)], rest[len(Key._fields) :]
    (basis, *read, events, calls, tokens, cost, stored), features = rest[:9], rest[9:]
    if basis >= formulas.ACCELERATOR:
        obtained = "/".join(text or "" for text in read)
    else:
        obtained = ASSUMED if basis & formulas.TOKENS_UNKNOWN else ""
    x = _NO_FEATURES | dict(zip(summed, features, strict=True))
    return Featured(
        file, values, bucket, ended, key_from(of_key), basis, obtained, events, calls, tokens, cost, stored or 0, x
    )


def _column(name: str) -> str:
    return _PAID_IN if name == PAID_IN else f'"{name}"::VARCHAR'


def _key_columns() -> str:
    return ", ".join(f"{column} AS {name}" for column, name in zip(KEY_COLUMNS, _KEY_NAMES, strict=True))


def _store(connection: DuckDBPyConnection, name: str, columns: Mapping[str, list[Any]]) -> None:
    """A small table of whole numbers, replaced as a whole."""
    import arro3.core as arro3

    arrays: dict[str, Any] = {name: arro3.Array(values, arro3.DataType.int64()) for name, values in columns.items()}
    connection.register("stored", arro3.Table.from_pydict(arrays))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM stored")
    connection.unregister("stored")


def _source(part: Slice) -> str:
    """Rows of the slice with every column of the record, whichever schema version wrote the file."""
    files = ", ".join(map(_quoted, part.uris))
    bounds = [f"started_at >= {_instant(part.since)}"]
    if part.until is not None:
        bounds.append(f"started_at < {_instant(part.until)}")
    bounds += [_holds(column, value) for column, value in part.where]
    if part.kind != "all":
        bounds.append(f"{'NOT ' * (part.kind == 'calls')}coalesce({IS_REPORT}, false)")
    return (
        f"SELECT * FROM (SELECT * FROM read_parquet([{files}], union_by_name=true, filename=true, "
        "hive_partitioning=true, hive_types={'month': VARCHAR}) UNION ALL BY NAME SELECT * FROM empty_events) "
        f"WHERE {' AND '.join(bounds)}"
    )


def _holds(column: str, value: str | None) -> str:
    """An empty text is as unknown as none."""
    if value is None:
        return f"coalesce(\"{column}\", '') = ''"
    return f'"{column}" = {_quoted(value)}'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _instant(second: int) -> str:
    return f"TIMESTAMPTZ '{time_of(second).isoformat()}'"
