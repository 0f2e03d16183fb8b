"""Backups: one JSON-lines file, the same from SQLite and PostgreSQL, so that either restores what the other held.

A header, one line a row, and an end line with the count and the checksum of what comes before: a file that was cut or
changed is refused before the store is touched. It holds secrets: it is readable by its owner alone.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import StateError
from mesure.state.keys import note, renew_revision
from mesure.state.schema import apply, newer, schema_of, shipped, tables_of
from mesure.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

    from mesure.state.store import Store, Transaction

__all__ = ["Backup", "back_up", "last_backup", "read_backup", "restore"]

_FORMAT = "mesure-state"
_VERSION = 1
#: Its name in `installation`.
_LAST = "last_backup"


class Backup(NamedTuple):
    """A backup that is whole, and what it holds."""

    file: Path
    schema: int
    made_at: datetime
    columns: dict[str, list[str]]  # by table
    rows: dict[str, int]  # by table


def back_up(store: Store, file: Path) -> Backup:
    """Write the whole store, as it is at one moment; calls and changes go on meanwhile.

    An earlier backup of this name is replaced once the new one is complete; any other file is refused. Raises
    `StateError`.
    """
    if file.exists() and not _is_backup(file):
        raise StateError(
            "This file exists and is no backup",
            value=str(file),
            action="Choose another name",
            code="backup_refused",
        )
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(aside, "w", encoding="utf-8", newline="\n", opener=_private) as out, store.reading() as transaction:
            backup = _dump(transaction, out, file)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(file)
    except OSError as error:
        raise StateError(
            f"The backup cannot be written: {error.strerror}",
            value=str(file),
            action="Check the folder: rights and free space",
            code="backup_unwritable",
        ) from None
    finally:
        with suppress(OSError):
            aside.unlink()
    # A store that can only be read is worth a backup more than any other
    with suppress(StateError), store.writing() as transaction:
        note(transaction, _LAST, backup.made_at.isoformat())
    return backup


def last_backup(store: Store) -> datetime | None:
    """When the last backup of this store was made."""
    with store.reading() as transaction:
        row = transaction.one("SELECT value FROM installation WHERE name = :name", name=_LAST)
    return datetime.fromisoformat(row["value"]) if row else None


def read_backup(file: Path) -> Backup:
    """A backup, read to its end. Raises `StateError` where it is cut, changed, of a newer version, or none."""
    checksum = sha256()
    backup: Backup | None = None
    for line in _lines(file):
        data = _parsed(line, file)
        if backup is None:
            backup = _header(data, file)
        elif isinstance(data, list) and data and data[0] in backup.rows:
            backup.rows[data[0]] += 1
        elif data == {"end": backup.rows, "sha256": checksum.hexdigest()}:
            return backup
        else:
            raise _refused("The backup is damaged: it is not what was written", file)
        checksum.update(line.encode())
    raise _refused("The backup is cut: its end is missing", file)


def restore(store: Store, backup: Backup, *, replace: bool = False) -> None:
    """Put a backup in the place of what the store holds, all or nothing, at this version's schema.

    Raises `StateError` where the store holds rows and `replace` is not said, or cannot be written.
    """
    with store.writing() as transaction:
        present = schema_of(transaction)
        if not replace and any(_count(transaction, table) for table in tables_of(present)):
            raise StateError(
                "The state store is not empty",
                value=store.address,
                action="Say --replace to put the backup in the place of what it holds",
                code="state_not_empty",
            )
        _drop(transaction, present)
        apply(transaction, backup.schema)
        _load(transaction, backup)
        apply(transaction)
        renew_revision(transaction)
        note(transaction, _LAST, backup.made_at.isoformat())


def _dump(transaction: Transaction, out: TextIO, file: Path) -> Backup:
    schema = schema_of(transaction)
    columns = {table: _columns(transaction, table) for table in tables_of(schema)}
    backup = Backup(file, schema, datetime.now(UTC).replace(microsecond=0), columns, dict.fromkeys(columns, 0))
    checksum = sha256()

    def write(data: Any) -> None:
        line = json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n"
        checksum.update(line.encode())
        out.write(line)

    header = {"format": _FORMAT, "version": _VERSION, "schema": schema, "made_at": backup.made_at.isoformat()}
    write({**header, "mesure": __version__, "tables": columns})
    for table, names in columns.items():
        for row in transaction.each(f"SELECT * FROM {table}"):  # noqa: S608  (our own names, from the migrations)
            write([table, *(row[name] for name in names)])
            backup.rows[table] += 1
    out.write(json.dumps({"end": backup.rows, "sha256": checksum.hexdigest()}) + "\n")
    return backup


def _header(data: Any, file: Path) -> Backup:
    if not isinstance(data, dict) or data.get("format") != _FORMAT:
        raise _refused("This file is no backup of Mesure's state", file)
    if data.get("version") != _VERSION:
        raise _refused(f"This Mesure reads backups of version {_VERSION}", file)
    try:
        schema = int(data["schema"])
        columns = {str(table): [str(name) for name in names] for table, names in data["tables"].items()}
        made_at = datetime.fromisoformat(data["made_at"])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _refused("The backup is damaged: it is not what was written", file) from None
    if schema > len(shipped()):
        raise newer(schema, file.name)
    if not set(columns) <= set(tables_of(schema)):
        raise _refused("The backup is damaged: it is not what was written", file)
    return Backup(file, schema, made_at, columns, dict.fromkeys(columns, 0))


def _load(transaction: Transaction, backup: Backup) -> None:
    """The rows, into tables just made. Names of tables and columns are those of the store, never only the file's."""
    for table, names in backup.columns.items():
        if names != _columns(transaction, table):
            raise _refused("The backup is damaged: it is not what was written", backup.file)
    inserts = {
        table: f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"  # noqa: S608
        for table, names in backup.columns.items()
    }
    for line in _lines(backup.file):
        data = _parsed(line, backup.file)
        if isinstance(data, list):
            table, *values = data
            if len(values) != len(backup.columns[table]):
                raise _refused("The backup is damaged: it is not what was written", backup.file)
            transaction.run(inserts[table], **dict(zip(backup.columns[table], values, strict=True)))


def _drop(transaction: Transaction, schema: int) -> None:
    tables = tables_of(schema)
    for table in (*reversed(tables), "mesure_migration"):
        transaction.run(f"DROP TABLE IF EXISTS {table}")


def _columns(transaction: Transaction, table: str) -> list[str]:
    return transaction.columns(f"SELECT * FROM {table} WHERE 1 = 0")  # noqa: S608  (our own names)


def _count(transaction: Transaction, table: str) -> int:
    row = transaction.one(f"SELECT COUNT(*) AS count FROM {table}")  # noqa: S608  (our own names)
    return int(row["count"]) if row else 0


def _lines(file: Path) -> Iterator[str]:
    try:
        with file.open(encoding="utf-8", newline="\n") as lines:
            yield from lines
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _refused(f"The backup cannot be read: {reason}", file) from None


def _parsed(line: str, file: Path) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise _refused("The backup is damaged: it is not what was written", file) from None


def _is_backup(file: Path) -> bool:
    try:
        with file.open(encoding="utf-8") as lines:
            return f'"format":"{_FORMAT}"' in lines.readline(4096)
    except (OSError, UnicodeDecodeError):
        return False


def _refused(what: str, file: Path) -> StateError:
    return StateError(what, value=str(file), action="Use another backup", code="backup_refused")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
