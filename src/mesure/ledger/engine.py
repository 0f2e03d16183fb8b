"""DuckDB, in memory, over the table's files: the formulas of `impact` on every row, summed before Python sees any.

One statement does all: facts -> key -> coefficients (joined) -> impacts -> sums by group. Its formula part is made
once, by Narwhals, from the one implementation; only the files and the grouping change from call to call.
"""
# ruff: noqa: S608  (statements are built of our own column names, of numbers, and of quoted paths)

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import LedgerError
from mesure.impact import coefficient_row
from mesure.impact.engines import narwhals_engine
from mesure.impact.formulas import COEFFICIENT_COLUMNS, FACTS, event_columns, with_impacts
from mesure.ledger.cells import QUARTER_S, Cell, Cells, Sums
from mesure.ledger.pricing import ASSUMED, KEY_COLUMNS, Key, Pricer
from mesure.ledger.schema import COLUMNS, empty_table, event_of, time_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from uuid import UUID

    from duckdb import DuckDBPyConnection

    from mesure.record import UsageEvent

__all__ = ["Engine", "Slice"]

_OUTPUTS = tuple(f"{name}_{q}" for name in ("energy_wh", "gwp_gco2eq") for q in ("low", "mid", "high"))
_TOKENS = "coalesce(input_tokens, 0) + coalesce(output_tokens, 0)"
_STARTED_S = "epoch_us(started_at) // 1000000"
_ENDED_S = (
    "CASE WHEN basis = 'observed' THEN (epoch_us(coalesce(ended_at, started_at)) + CASE WHEN ended_at IS NULL "
    "THEN coalesce(duration_ms, 0) * 1000 ELSE 0 END)::BIGINT // 1000000 END"
)
_BASIS = (
    "CASE WHEN energy_j IS NOT NULL THEN coalesce(energy_status, '') || '/' || coalesce(energy_scope, '') "
    f"WHEN tokens_assumed THEN '{ASSUMED}' ELSE '' END"
)
_SUMS = (
    "count(*), sum(calls_count)::BIGINT, sum(tokens)::BIGINT, "
    + ", ".join(f"coalesce(sum({name}), 0)" for name in _OUTPUTS)
    + ", count(gwp_gco2eq_mid)"
)


class Slice(NamedTuple):
    """Which rows: of these files, started in `[since, until)` (whole seconds since 1970)."""

    uris: tuple[str, ...]
    since: int
    until: int | None = None


class Engine:
    """Safe for threads: one statement at a time."""

    def __init__(self, pricer: Pricer) -> None:
        self._pricer = pricer
        self._lock = threading.Lock()
        self._connection: DuckDBPyConnection | None = None
        self._priced_sql = ""

    def cells(self, part: Slice, fine: Collection[int], live_from: int) -> dict[str, Cells]:
        """Cells of each file. `fine`: quarters wanted by the second; `live_from`: ends wanted from there on."""
        quarter = f"started_s - started_s % {QUARTER_S}"
        listed = ", ".join(map(str, fine)) or "-1"
        found = {uri: Cells(part.since, live_from, fine={q: {} for q in fine}) for uri in part.uris}
        rows = self._grouped(
            part,
            groups="[]::VARCHAR[]",
            bucket=f"CASE WHEN {quarter} IN ({listed}) THEN started_s ELSE {quarter} END",
            ended=f"CASE WHEN ended_s >= {live_from} THEN ended_s END",
        )
        for uri, _, bucket, ended, key, sums in rows:
            found[uri].add(bucket, ended, key, sums)
        return found

    def totals(
        self, part: Slice, by: Sequence[str], periods: Mapping[int, int] | None
    ) -> list[tuple[tuple[str | None, ...], int, Cell, Sums]]:
        """Sums by the columns `by` (names of `COLUMNS`), by period, and by cell.

        `periods`: every quarter of an hour of the slice -> the period it lies in; None for one period, 0.
        """
        quarter = f"started_s - started_s % {QUARTER_S}"
        rows = self._grouped(
            part,
            groups="[" + ", ".join(f'"{name}"::VARCHAR' for name in by) + "]::VARCHAR[]",
            bucket="0" if periods is None else f"(SELECT period FROM periods WHERE quarter = {quarter})",
            ended="NULL::BIGINT",
            periods=periods or {},
        )
        return [(tuple(groups), bucket, key, sums) for _, groups, bucket, _, key, sums in rows]

    def latest(self, part: Slice, count: int) -> list[UsageEvent]:
        """The `count` events that started last, newest first."""
        order = f"ORDER BY started_at DESC, id DESC LIMIT {count}"
        return [event for _, event in self._rows(part, order)]

    def events(self, part: Slice) -> list[tuple[str, UsageEvent]]:
        """Every event of the slice, with its file. For few of them this is quicker than planning a statement."""
        return self._rows(part, "")

    def find(self, uris: tuple[str, ...], event_id: UUID) -> UsageEvent | None:
        """The event of that id in these files."""
        found = self._rows(Slice(uris, 0), f"WHERE id = '{event_id}'") if uris else []
        return found[0][1] if found else None

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
            import duckdb

            self._connection = duckdb.connect()
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.execute("SET preserve_insertion_order = false")
            self._connection.register("empty_events", empty_table())
        return self._connection

    def _grouped(
        self, part: Slice, *, groups: str, bucket: str, ended: str, periods: Mapping[int, int] | None = None
    ) -> list[tuple[Any, ...]]:
        """Rows (file, groups, bucket, ended, cell, sums): every event of the slice in exactly one of them."""
        with self._statement() as connection:
            _store(connection, "periods", {"quarter": list(periods or ()), "period": list((periods or {}).values())})
            keys = self._keys(connection, part)
            if not keys:
                return []
            connection.execute(
                "CREATE OR REPLACE TEMP VIEW staged AS "
                f"SELECT filename AS file, {groups} AS groups, {bucket} AS bucket, {ended} AS ended, key_id, "
                f"energy_status, {_TOKENS} AS tokens, {', '.join(FACTS)}, "
                f"{', '.join(COEFFICIENT_COLUMNS)} FROM (SELECT *, {_STARTED_S} AS started_s, {_ENDED_S} AS ended_s, "
                f"{_key_columns()} FROM ({_source(part)})) JOIN price_keys USING ({', '.join(_KEY_NAMES)})"
            )
            found = connection.execute(
                f"SELECT file, groups, bucket, ended, key_id, {_BASIS}, {_SUMS} FROM ({self._priced(connection)}) "
                "GROUP BY ALL"
            ).fetchall()
        cells = {(i, basis): self._pricer.cell(keys[i], basis) for i, basis in {(row[4], row[5]) for row in found}}
        return [(*row[:4], cells[row[4], row[5]], Sums(*row[6:])) for row in found]

    def _keys(self, connection: DuckDBPyConnection, part: Slice) -> list[Key]:
        """The distinct keys of the slice; their coefficients become the table `price_keys`."""
        rows = connection.execute(f"SELECT DISTINCT {_key_columns()} FROM ({_source(part)})").fetchall()
        keys = [Key(*row) for row in rows]
        columns: dict[str, Any] = {name: [key[i] for key in keys] for i, name in enumerate(_KEY_NAMES)}
        coefficients = [coefficient_row(self._pricer.coefficients(key)) for key in keys]
        for name in COEFFICIENT_COLUMNS:
            columns[name] = [row[name] for row in coefficients]
        columns["key_id"] = list(range(len(keys)))
        _store(connection, "price_keys", columns)
        return keys

    def _priced(self, connection: DuckDBPyConnection) -> str:
        """`staged` with its impacts, as SQL: binding the formulas costs more than running them, so it is done once."""
        if not self._priced_sql:
            import narwhals as nw

            engine = narwhals_engine()
            e = event_columns({name: nw.col(name) for name in FACTS}, engine)
            unread = e["e_reads_text"] & ~e["e_input_known"]
            unwritten = e["e_writes_text"] & ~e["e_output_known"]
            staged = nw.from_native(connection.view("staged"))
            frame = with_impacts(staged.with_columns(tokens_assumed=(unread | unwritten) & ~e["e_refused"]), _OUTPUTS)
            self._priced_sql = frame.to_native().sql_query()
        return self._priced_sql


_KEY_NAMES = tuple(f"key_{name}" for name in Key._fields)


def _key_columns() -> str:
    texts = ", ".join(f"coalesce({name}, '') AS key_{name}" for name in KEY_COLUMNS)
    return f"{texts}, month AS key_month"


def _store(connection: DuckDBPyConnection, name: str, columns: Mapping[str, list[Any]]) -> None:
    """A small table of texts (`key_*`), whole numbers or (`k_*`) floats, replaced as a whole."""
    import arro3.core as arro3

    def kind(column: str) -> arro3.DataType:
        if column in _KEY_NAMES:
            return arro3.DataType.utf8()
        return arro3.DataType.float64() if column.startswith("k_") else arro3.DataType.int64()

    arrays: dict[str, Any] = {column: arro3.Array(values, kind(column)) for column, values in columns.items()}
    connection.register("stored", arro3.Table.from_pydict(arrays))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM stored")
    connection.unregister("stored")


def _source(part: Slice) -> str:
    """Rows of the slice with every column of the record, whichever schema version wrote the file."""
    files = ", ".join("'" + uri.replace("'", "''") + "'" for uri in part.uris)
    bounds = [f"started_at >= {_instant(part.since)}"]
    if part.until is not None:
        bounds.append(f"started_at < {_instant(part.until)}")
    return (
        f"SELECT * FROM (SELECT * FROM read_parquet([{files}], union_by_name=true, filename=true, "
        "hive_partitioning=true, hive_types={'month': VARCHAR}) UNION ALL BY NAME SELECT * FROM empty_events) "
        f"WHERE {' AND '.join(bounds)}"
    )


def _instant(second: int) -> str:
    return f"TIMESTAMPTZ '{time_of(second).isoformat()}'"
