"""Rows of the table that share a key with some sightings: read from the files whose time they may lie in, no others."""
# ruff: noqa: S608  (statements are built of our own column names, of numbers, and of quoted paths)

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mesure.errors import LedgerError
from mesure.ledger.schema import COLUMNS, empty_table, event_of, second_of, time_of
from mesure.ledger.sightings import keys_within, sightings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from mesure.ledger.table import StoredFile
    from mesure.record import UsageEvent

__all__ = ["Lookup", "spans_of"]

#: Beyond this many stretches of time, one from the first to the last is as quick.
_MOST_SPANS = 24
#: Which column of the table holds a key, and what of the key it holds.
_COLUMNS = {
    "r": "response_id",
    "t": "span_id",
    "o": "origin",
    "i": "id",
    "a": "(CASE WHEN json_valid(labels) THEN labels->>'$.aggregate' END)",
}

#: Rows whose key stands among those of several sightings.
_ALSO = (
    "id IN (SELECT id FROM (SELECT id, unnest(string_split(identities, chr(10))) AS key FROM near "
    "WHERE identities IS NOT NULL) SEMI JOIN all_keys USING (key))"
)

Spans = list[tuple[int, int]]


def spans_of(events: Iterable[UsageEvent], margin_s: int) -> Spans:
    """Stretches `[since, until)` in which other sightings of these calls may have begun, in whole seconds, joined."""
    joined: Spans = []
    for second in sorted({second_of(event.started_at) for event in events}):
        if joined and second - margin_s <= joined[-1][1]:
            joined[-1] = (joined[-1][0], second + margin_s + 1)
        else:
            joined.append((second - margin_s, second + margin_s + 1))
    return joined if len(joined) <= _MOST_SPANS else [(joined[0][0], joined[-1][1])]


class Lookup:
    """Not for threads: its owner holds a lock."""

    def __init__(self) -> None:
        self._connection: DuckDBPyConnection | None = None

    def rows(self, files: Sequence[StoredFile], events: Sequence[UsageEvent], margin_s: int) -> list[UsageEvent]:
        """Rows that share a key with one of the events and began at most `margin_s` from it.

        Raises `LedgerError` when a file cannot be read.
        """
        keyed = [(event, keys) for event in events if (keys := keys_within(sightings_of(event)))]
        spans = spans_of((event for event, _ in keyed), margin_s)
        near = [file for file in files if any(file.may_hold(*span) for span in spans)]
        if not near:
            return []
        return self._matching(near, spans, sorted({key for _, keys in keyed for key in keys}))

    def told_by(self, files: Sequence[StoredFile], origins: Sequence[str]) -> list[UsageEvent]:
        """Rows that several sources saw, one of them with an `origin` that begins so. Raises `LedgerError`."""
        if not files:
            return []
        quoted = [origin.replace("'", "''") for origin in origins]
        told = " OR ".join(f'contains(sightings, \'"origin":"{origin}\')' for origin in quoted)
        with self._reading(_all_of(files)) as connection:
            return _found(connection, f"sightings IS NOT NULL AND ({told})")

    def _matching(self, files: Sequence[StoredFile], spans: Spans, keys: Sequence[str]) -> list[UsageEvent]:
        parts = {kind: [_part(key) for key in keys if key.startswith(f"{kind}:")] for kind in _COLUMNS}
        alike = [f"{_COLUMNS[kind]} IN (SELECT part FROM {kind}_keys)" for kind, found in parts.items() if found]
        with self._reading(f"{_all_of(files)} WHERE {_within(spans)}") as connection:
            for kind, found in parts.items():
                _store(connection, f"{kind}_keys", "part", found)
            _store(connection, "all_keys", "key", keys)
            [(several,)] = connection.execute("SELECT count(identities) FROM near").fetchall()
            return _found(connection, " OR ".join([*alike, *([_ALSO] if several else [])]))

    @contextmanager
    def _reading(self, rows: str) -> Iterator[DuckDBPyConnection]:
        """A connection with the view `near` of these rows; what goes wrong becomes a `LedgerError`."""
        import duckdb

        try:
            connection = self._connected()
            connection.execute(f"CREATE OR REPLACE TEMP VIEW near AS {rows}")
            yield connection
        except duckdb.Error as error:
            raise LedgerError(
                f"The ledger could not be read: {str(error).splitlines()[0][:300]}",
                action="Check that its files are there and readable, and that the disk has room.",
                code="ledger_unavailable",
            ) from error

    def _connected(self) -> DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            self._connection = duckdb.connect()
            self._connection.execute("SET TimeZone = 'UTC'")
            self._connection.register("empty_events", empty_table())
        return self._connection


def _part(key: str) -> str:
    """What the column holds of a key; a span without its trace, which is compared later."""
    kind, _, rest = key.partition(":")
    return rest.rpartition(":")[2] if kind == "t" else rest


def _store(connection: DuckDBPyConnection, name: str, column: str, texts: Sequence[str]) -> None:
    import arro3.core as arro3

    stored = arro3.Table.from_pydict({column: arro3.Array(list(texts), arro3.DataType.utf8())})
    connection.register(name, stored)


def _all_of(files: Sequence[StoredFile]) -> str:
    """Rows of the files with every column, whichever schema version wrote them."""
    listed = ", ".join("'" + file.uri.replace("'", "''") + "'" for file in files)
    return (
        f"SELECT * FROM (SELECT * FROM read_parquet([{listed}], union_by_name=true, hive_partitioning=true, "
        "hive_types={'month': VARCHAR}) UNION ALL BY NAME SELECT * FROM empty_events)"
    )


def _within(spans: Spans) -> str:
    return " OR ".join(
        f"(started_at >= TIMESTAMPTZ '{time_of(since).isoformat()}' "
        f"AND started_at < TIMESTAMPTZ '{time_of(until).isoformat()}')"
        for since, until in spans
    )


def _found(connection: DuckDBPyConnection, where: str) -> list[UsageEvent]:
    wanted = ", ".join(f"epoch_us({n}) AS {n}" if kind == "datetime" else f'"{n}"' for n, kind in COLUMNS.items())
    rows = connection.execute(f"SELECT {wanted} FROM near WHERE {where}").fetchall()
    return [event_of(dict(zip(COLUMNS, row, strict=True))) for row in rows]
