"""Contacts: a small Delta table beside the ledger, written exactly once, in which the last word on a contact counts."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import LedgerError
from mesure.ledger.schema import epoch_us, month_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from arro3.core import Table
    from deltalake import CommitProperties, DeltaTable

    from mesure.record import Contact

__all__ = ["CONTACT_COLUMNS", "ContactTable", "ContactsAdded"]

_ATTEMPTS = 20
_LOG_HOURS = 24
_APP = "contacts:"
#: Column -> kind, as they are stored. Added to, never renamed or retyped.
CONTACT_COLUMNS = {
    "id": "str",
    "started_at": "datetime",
    "channel": "str",
    "end_client": "str",
    "use_case": "str",
    "duration_s": "float",
    "transferred": "bool",
    "resolved": "bool",
    "recontact": "bool",
    "origin": "str",
    "schema_version": "int",
    "ingested_at": "datetime",
    "month": "str",
}


class ContactsAdded(NamedTuple):
    """Contacts written by this run, and those that an earlier run had written."""

    added: int
    already: int


class ContactTable:
    """The table at `folder`/contacts, made when something is first written. Safe for several processes."""

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder) / "contacts"

    def exists(self) -> bool:
        from deltalake import DeltaTable

        return self.path.is_dir() and DeltaTable.is_deltatable(str(self.path))

    def files(self) -> list[str]:
        """Addresses of the Parquet files of the latest version; none before anything was written."""
        return self._table().file_uris() if self.exists() else []

    def done(self, import_id: str) -> int:
        """How many contacts of an import are in the table."""
        return (self._table().transaction_version(_APP + import_id) or 0) if self.exists() else 0

    def add(
        self,
        import_id: str,
        contacts: Iterable[Contact],
        *,
        batch: int = 20_000,
        progress: Callable[[int], None] | None = None,
    ) -> ContactsAdded:
        """Write contacts once under `import_id`, a commit per `batch`; their order must be the same on every run.

        Raises `LedgerError` when the table cannot be written; a rerun goes on from there.
        """
        seen = added = 0
        recorded, remaining = self.done(import_id), iter(contacts)
        while rows := list(islice(remaining, batch)):
            first, seen = seen, seen + len(rows)
            while (done := max(recorded, first)) < seen:
                fresh = rows[done - first :]
                if self._append(fresh, import_id, recorded, seen):
                    added, recorded = added + len(fresh), seen
                else:  # the same import runs elsewhere and was first
                    recorded = self.done(import_id)
            if progress is not None:
                progress(seen)
        return ContactsAdded(added, seen - added)

    def forget(self, before: datetime) -> int:
        """Delete contacts that started before a time, and the files that held them; how many went."""
        if not self.exists():
            return 0
        try:
            table = self._table()
            gone = table.delete(f"started_at < '{before.astimezone(UTC).isoformat()}'")
            table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
        except Exception as error:
            raise self._unavailable(error) from error
        return int(gone["num_deleted_rows"] or 0)

    def holds(self, contact: str) -> int:
        """How many rows tell of a contact."""
        return len(self._rows_of(contact))

    def erase(self, contact: str) -> int:
        """Delete all rows of a contact, and the files that held them; how many went. The table's log names days and
        lines of imported files, not the contact."""
        rows = self._rows_of(contact)
        if not rows:
            return 0
        wanted = " OR ".join(
            f"(started_at = arrow_cast({at_us}, 'Timestamp(Microsecond, Some(\"UTC\"))') AND "
            + (f"id = '{_quoted(contact)}'" if origin is None else f"origin = '{_quoted(origin)}'")
            + ")"
            for at_us, origin in rows
        )
        try:
            table = self._table()
            table.delete(wanted)
            table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
        except Exception as error:
            raise self._unavailable(error) from error
        return len(rows)

    def _rows_of(self, contact: str) -> list[tuple[int, str | None]]:
        import duckdb

        if not (files := self.files()):
            return []
        sql = "SELECT epoch_us(started_at), origin FROM read_parquet(?, union_by_name=true) WHERE id = ?"
        with duckdb.connect() as connection:
            return connection.execute(sql, [files, contact]).fetchall()

    def _append(self, contacts: list[Contact], import_id: str, recorded: int, done: int) -> bool:
        """False when this import was committed by somebody else in between."""
        from deltalake import write_deltalake
        from deltalake.exceptions import CommitFailedError

        rows = _rows(contacts, datetime.now(UTC))
        for _ in range(_ATTEMPTS):
            table = self._made(rows)
            if (table.transaction_version(_APP + import_id) or 0) != recorded:
                return False
            try:
                write_deltalake(
                    table,
                    rows,
                    mode="append",
                    schema_mode="merge",
                    commit_properties=_commit_properties(_APP + import_id, done),
                )
            except CommitFailedError:
                continue
            except Exception as error:
                raise self._unavailable(error) from error
            return True
        raise LedgerError(
            f"Other writers were first {_ATTEMPTS} times in a row",
            value=str(self.path),
            action="Try again; if it goes on, look for a program that writes to this table without pause.",
            code="ledger_contended",
        )

    def _table(self) -> DeltaTable:
        from deltalake import DeltaTable

        try:
            return DeltaTable(str(self.path))
        except Exception as error:
            raise self._unavailable(error) from error

    def _made(self, rows: Table) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        if not self.exists():
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                DeltaTable.create(
                    str(self.path),
                    schema=rows.schema,
                    mode="error",
                    partition_by=["month"],
                    name="mesure contacts",
                    configuration={
                        "delta.logRetentionDuration": f"interval {_LOG_HOURS} hours",
                        "delta.dataSkippingStatsColumns": "started_at",  # the log says the ends of no other column
                    },
                )
            except (DeltaError, OSError) as error:
                if not self.exists():  # nobody else made it meanwhile
                    raise self._unavailable(error) from error
        return self._table()

    def _unavailable(self, error: BaseException) -> LedgerError:
        said = str(error).splitlines()[0][:300] if str(error) else repr(error)
        return LedgerError(
            f"The table of contacts cannot be used: {said}",
            value=str(self.path),
            action="Check free space, rights and disk of the folder, and try again.",
            code="ledger_unavailable",
        )


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _commit_properties(app_id: str, done: int) -> CommitProperties:
    from deltalake import CommitProperties, Transaction

    return CommitProperties(app_transactions=[Transaction(app_id, done)], max_commit_retries=0)


def _rows(contacts: list[Contact], now: datetime) -> Table:
    from arro3.core import Array, DataType, Table

    types = {
        "str": DataType.utf8,
        "float": DataType.float64,
        "bool": DataType.bool,
        "int": DataType.int64,
        "datetime": DataType.int64,
    }
    ours: dict[str, list[Any]] = {
        "ingested_at": [now] * len(contacts),
        "month": [month_of(contact.started_at) for contact in contacts],
    }
    arrays: dict[str, Any] = {}
    for name, kind in CONTACT_COLUMNS.items():
        values = ours[name] if name in ours else [getattr(contact, name) for contact in contacts]
        if kind == "datetime":
            values = [epoch_us(value) for value in values]
        array = Array(values, types[kind]())
        arrays[name] = array.cast(DataType.timestamp("us", tz="UTC")) if kind == "datetime" else array
    return Table.from_pydict(arrays)
