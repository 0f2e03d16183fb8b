"""The whole table as sums by who served calls: what methods read. Memory grows with kinds of calls, not with calls."""
# ruff: noqa: S608  (statements are built of our own column names and of quoted paths)

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from mesure.impact import formulas
from mesure.impact.methods import Amounts, Call, Traffic
from mesure.ledger.database import connect
from mesure.ledger.pricing import KEY_COLUMNS, Pricer
from mesure.ledger.reconcile import Reconciler
from mesure.ledger.schema import empty_table, to_table
from mesure.ledger.sightings import IS_REPORT
from mesure.quantity import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from mesure.config import DeploymentSettings
    from mesure.impact import Deployment
    from mesure.ledger.table import Ledger, StoredFile

__all__ = ["traffic_in"]

#: Files read by one statement: few large ones, or many small ones.
_MOST_ROWS, _MOST_FILES = 500_000, 64
_TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens")
_KEYS = tuple(name for name in KEY_COLUMNS if name != "operation")
_BY = (*(f"key_{name}" for name in _KEYS), "operation", "measured", "basis")


def traffic_in(
    ledger: Ledger,
    deployments: Mapping[str, DeploymentSettings],
    *,
    progress: Callable[[int], None] | None = None,
) -> Traffic:
    """Every call of the latest version of the table, read a few files at a time, and what was reported and not seen.

    `progress` gets the number of rows read so far. Raises `LedgerError` when the table cannot be read.
    """
    traffic, read, snapshot = Traffic(), 0, ledger.snapshot()
    pricer = Pricer(deployments)
    with connect() as connection:
        connection.register("empty_events", empty_table())
        for files in _batches(snapshot.files):
            for call, amounts in _sums(connection, _calls_of([file.uri for file in files]), pricer.deployment):
                traffic.add(call, amounts)
            read += sum(file.rows for file in files)
            if progress is not None:
                progress(read)
        unseen = [event for report in Reconciler(pricer).reports(snapshot, ()) for event in report.residue]
        connection.register("unseen", to_table(unseen, datetime.now(UTC)))
        for call, amounts in _sums(connection, "SELECT * FROM unseen", pricer.deployment):
            traffic.add(call, amounts)
    return traffic


def _batches(files: Sequence[StoredFile]) -> Iterator[list[StoredFile]]:
    batch: list[StoredFile] = []
    rows = 0
    for file in files:
        if batch and (rows + file.rows > _MOST_ROWS or len(batch) == _MOST_FILES):
            yield batch
            batch, rows = [], 0
        batch.append(file)
        rows += file.rows
    if batch:
        yield batch


def _calls_of(uris: Sequence[str]) -> str:
    """Calls of some files; what a provider reports is compared with them, not added."""
    files = ", ".join("'" + uri.replace("'", "''") + "'" for uri in uris)
    return (
        f"SELECT * FROM (SELECT * FROM read_parquet([{files}], union_by_name=true, hive_partitioning=true, "
        "hive_types={'month': VARCHAR}) UNION ALL BY NAME SELECT * FROM empty_events) "
        f"WHERE NOT coalesce({IS_REPORT}, false)"
    )


def _sums(
    connection: DuckDBPyConnection, events: str, deployment: Callable[[str], Deployment | None]
) -> Iterator[tuple[Call, Amounts]]:
    """Sums of the events that a statement gives."""
    import narwhals as nw

    keys = ", ".join(f"coalesce({name}, '') AS key_{name}" for name in _KEYS)
    measured = "CASE WHEN energy_j IS NULL THEN '' ELSE coalesce(energy_status, 'modelled') END"
    kept = ", ".join(dict.fromkeys((*formulas.FACTS, *_TOKENS)))
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW staged AS SELECT {keys}, {measured} AS measured, {kept} FROM ({events})"
    )
    featured = formulas.with_event_columns(nw.from_native(connection.view("staged"))).to_native().sql_query()
    tokens = ", ".join(f"coalesce(sum({name}), 0)::DOUBLE" for name in _TOKENS)
    features = ", ".join(f"sum({name})" for name in formulas.SUMMED)
    rows = connection.execute(
        f"SELECT {', '.join(_BY)}, count(*), sum(calls_count), {tokens}, {features} FROM ({featured}) GROUP BY ALL"
    ).fetchall()
    for row in rows:
        values: dict[str, Any] = dict(zip(_BY, row, strict=False))
        yield _call(values, deployment), _amounts(values, row[len(_BY) :])


def _call(values: Mapping[str, Any], deployment: Callable[[str], Deployment | None]) -> Call:
    named = (values["key_model_answered"], values["key_model_requested"])
    stated = deployment(values["key_deployment"])
    call = Call(
        tuple(dict.fromkeys(filter(None, named))),
        values["key_provider"] or None,
        values["key_host_zone"] or None,
        date.fromisoformat(f"{values['key_month']}-01"),
        region=values["key_host_region"] or None,
    )
    return call if stated is None else call._replace(deployment=stated)


def _amounts(values: Mapping[str, Any], sums: Sequence[Any]) -> Amounts:
    events, calls, read, cached, written, *features = sums
    return Amounts(
        basis=int(values["basis"]),
        operation=values["operation"] or "other",
        measured=Status(values["measured"]) if values["measured"] else None,
        events=events,
        calls=calls or 0,
        input_tokens=read,
        cached_tokens=cached,
        output_tokens=written,
        features=dict(zip(formulas.SUMMED, features, strict=True)),
    )
