"""One commit of the table, on the version just read: rows added, rows replaced, rows taken out.

Nothing is tried again here: on a later version, what was looked up and compared would have to be so once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.errors import LedgerError
from mesure.ledger.schema import epoch_us, month_of, to_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from arro3.core import Table
    from deltalake import CommitProperties, DeltaTable, WriterProperties

    from mesure.ledger.once import Change
    from mesure.record import UsageEvent

__all__ = ["add", "alter", "rewrite", "said", "take_out", "writer_properties"]

#: A JSON value that an event may hold, as a pattern within an SQL text: text, number, or table of texts.
_JSON_VALUE = r'("([^"\\]|\\.)*"|[0-9.eE+-]+|[{]([^{}"]|"([^"\\]|\\.)*")*[}])'


class said:  # noqa: N801  (reads as a word in `with said("written", path)`)
    """Turns the engine's errors, and the system's, into a `LedgerError` that says what could not be done."""

    def __init__(self, what: str, path: Path) -> None:
        self.what, self.path = what, path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None or isinstance(error, LedgerError) or not (isinstance(error, Exception) or _is_panic(error)):
            return
        raise LedgerError(
            f"The ledger could not be {self.what}: {str(error).splitlines()[0][:300] if str(error) else error!r}",
            value=str(self.path),
            action="Check free space, rights and disk of the folder; what is in the spool is kept and written later.",
            code="ledger_unavailable",
        ) from error


def _is_panic(error: BaseException) -> bool:
    """The engine gave up on itself: no `Exception`, so that it would end the thread that commits."""
    return type(error).__name__ == "PanicException"


def add(table: DeltaTable, path: Path, rows: Table, transactions: Mapping[str, int]) -> bool:
    """Append rows; False when somebody else committed in between."""
    from deltalake import write_deltalake

    def commit() -> None:
        write_deltalake(
            table,
            rows,
            mode="append",
            schema_mode="merge",
            writer_properties=writer_properties(),
            commit_properties=_commit_properties(transactions),
        )

    return _tried(commit, path) is not None


def rewrite(
    table: DeltaTable,
    path: Path,
    change: Change,
    now: datetime,
    transactions: Mapping[str, int],
    *,
    unless: Sequence[str] = (),
) -> int | None:
    """Add, replace and take out rows in one commit; how many went, None when somebody else committed in between.

    Only files that hold a row to replace are written anew. `unless`: beginnings of the `origin` of rows that go too.
    """
    names, rows = _numbered(change, now)
    values = {name: f"s.{name}" for name in names}

    def commit() -> dict[str, Any]:
        merge = table.merge(
            rows,
            predicate=_same_row(change, everywhere=bool(unless)),
            source_alias="s",
            target_alias="t",
            merge_schema=True,
            writer_properties=writer_properties(),
            commit_properties=_commit_properties(transactions),
        )
        merge = merge.when_matched_delete("s.change = 'gone'").when_matched_update(values, "s.change = 'changed'")
        merge = merge.when_not_matched_insert(values, "s.change = 'new'")
        if unless:
            merge = merge.when_not_matched_by_source_delete(f"t.sightings IS NULL AND ({_origins(unless, 't.')})")
        return merge.execute()

    done = _tried(commit, path)
    return None if done is None else int(done["num_target_rows_deleted"])


def take_out(table: DeltaTable, path: Path, origins: Sequence[str], transactions: Mapping[str, int]) -> int | None:
    """Delete the rows whose `origin` begins so; how many went, None when somebody else committed in between."""

    def commit() -> dict[str, Any]:
        return table.delete(
            _origins(origins),
            writer_properties=writer_properties(),
            commit_properties=_commit_properties(transactions),
        )

    done = _tried(commit, path)
    return None if done is None else int(done["num_deleted_rows"])


def alter(table: DeltaTable, path: Path, where: str, blank: Sequence[str]) -> int | None:
    """Delete the rows of a condition, or forget their columns `blank`, in what each source told of them too; how many,
    None when somebody else committed in between."""
    how: dict[str, Any] = {"writer_properties": writer_properties(), "commit_properties": _commit_properties({})}
    told = "sightings"
    for name in blank:
        told = f"regexp_replace({told}, '\"{name}\":{_JSON_VALUE}', '\"{name}\":null', 'g')"
    values = {f'"{name}"': "NULL" for name in blank} | {"sightings": told}

    def commit() -> dict[str, Any]:
        return table.update(values, None, where, **how) if blank else table.delete(where, **how)

    done = _tried(commit, path)
    return None if done is None else int(done["num_updated_rows" if blank else "num_deleted_rows"])


def writer_properties() -> WriterProperties:
    from deltalake import WriterProperties

    return WriterProperties(compression="ZSTD")


def _tried(commit: Callable[[], Any], path: Path) -> dict[str, Any] | None:
    from deltalake.exceptions import CommitFailedError

    try:
        with said("written", path):
            return commit() or {}
    except LedgerError as error:
        if isinstance(error.__cause__, CommitFailedError):
            return None
        raise


def _numbered(change: Change, now: datetime) -> tuple[list[str], Table]:
    """The rows, and what is to be done with each in a column of its own."""
    import arro3.core as arro3

    parts: tuple[tuple[str, Sequence[UsageEvent]], ...] = (
        ("new", change.new),
        ("changed", change.changed),
        ("gone", change.gone),
    )
    rows = to_table([event for _, events in parts for event in events], now)
    what: Any = arro3.Array([name for name, events in parts for _ in events], arro3.DataType.utf8())
    return rows.schema.names, rows.append_column("change", arro3.ChunkedArray([what]))


def _same_row(change: Change, *, everywhere: bool) -> str:
    """What makes a row of the table one of ours; files without such a row are not read."""
    if everywhere:
        return "t.id = s.id"
    months = ", ".join(f"'{month}'" for month in sorted({month_of(row.started_at) for row in change.replaced}))
    first, last = (_instant(f(row.started_at for row in change.replaced)) for f in (min, max))
    return f"t.id = s.id AND t.month IN ({months}) AND t.started_at >= {first} AND t.started_at <= {last}"


def _instant(at: datetime) -> str:
    return f"arrow_cast({epoch_us(at)}, 'Timestamp(Microsecond, Some(\"UTC\"))')"


def _origins(origins: Sequence[str], of: str = "") -> str:
    return " OR ".join(f"{of}origin LIKE '{_quoted(origin)}%'" for origin in origins)


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _commit_properties(transactions: Mapping[str, int]) -> CommitProperties:
    """No retry inside the engine: it would commit on a snapshot whose transactions were not looked at."""
    from deltalake import CommitProperties, Transaction

    return CommitProperties(
        app_transactions=[Transaction(app_id, done) for app_id, done in transactions.items()],
        max_commit_retries=0,
    )
