"""The store as one SQLite file: write-ahead log, so that readers and the one writer do not wait for each other."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from mesure.errors import StateError
from mesure.state.store import refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mesure.state.store import Row

__all__ = ["SQLite"]

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NOT_WRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
_UNREACHABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL)
_NO_ROOM_BYTES = 128 << 10


class _Connection(sqlite3.Connection):
    inode: int = 0


class SQLite:
    """One file, made on first use and readable by its owner alone. `patience_s`: the longest wait for a writer."""

    name = "sqlite"
    failures: tuple[type[Exception], ...] = (sqlite3.Error,)

    def __init__(self, path: Path, *, patience_s: float = 5.0) -> None:
        self.path = path
        self.address = str(path)
        self._patience_s = patience_s

    def connect(self) -> _Connection:
        self._make()
        connection = sqlite3.connect(
            self.path,
            timeout=self._patience_s,
            isolation_level=None,  # transactions begin where the store says, not where the driver guesses
            check_same_thread=False,
            factory=_Connection,
        )
        connection.row_factory = _row
        connection.inode = self._inode()
        try:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA synchronous = FULL")  # a key is shown once: it must survive a power cut
            self._use_write_ahead_log(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def usable(self, connection: _Connection) -> bool:
        """The file may have been set aside by a restore: writing into that one would lose what is written."""
        return connection.inode == self._inode()

    def begin(self, connection: _Connection, *, writing: bool) -> None:
        connection.execute("BEGIN IMMEDIATE" if writing else "BEGIN")

    def execute(self, connection: _Connection, statement: str, values: Mapping[str, Any]) -> sqlite3.Cursor:
        return connection.execute(statement, values)

    def each(self, connection: _Connection, statement: str) -> Iterator[Row]:
        return iter(connection.execute(statement))

    def has_table(self, connection: _Connection, name: str) -> bool:
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
        return found.fetchone() is not None

    def settle(self, connection: _Connection) -> None:
        """Nothing to do: SQLite alters tables while keys wait for their check."""

    def check(self, connection: _Connection) -> None:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != {"quick_check": "ok"}:
            raise self._damaged()

    def told(self, error: Exception) -> StateError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            return StateError(
                "Another program holds the state store",
                value=self.address,
                action="Try again; if it lasts, look for a program that keeps the file open, such as an SQLite shell",
                code="state_locked",
            )
        if code in _DAMAGED:
            return self._damaged()
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and self._no_room()):
            return StateError(
                "The disk of the state store is full",
                value=self.address,
                action="Free some space and try again; what was stored before is kept",
                code="state_full",
            )
        if code in _NOT_WRITABLE:
            return self._unwritable(str(error))
        if code in _UNREACHABLE:
            return StateError(
                f"The state store cannot be used: {error}",
                value=self.address,
                action="Check the file and its folder: rights, free space, disk",
                code="state_unreachable",
            )
        return refused(str(error), self.address)

    def _make(self) -> None:
        """Before SQLite does: it would leave the file readable by others."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise self._unwritable(error.strerror or type(error).__name__) from None

    def _use_write_ahead_log(self, connection: _Connection) -> None:
        """Once in the file's life. Two processes that do it at once do not wait for each other by themselves."""
        deadline = time.monotonic() + self._patience_s
        while connection.execute("PRAGMA journal_mode").fetchone()["journal_mode"] != "wal":
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return  # some file systems have none: SQLite then keeps its rollback journal
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _inode(self) -> int:
        try:
            return self.path.stat().st_ino
        except OSError:
            return -1

    def _no_room(self) -> bool:
        return shutil.disk_usage(self.path.parent).free < _NO_ROOM_BYTES

    def _unwritable(self, reason: str) -> StateError:
        return StateError(
            f"The state store cannot be written: {reason}",
            value=self.address,
            action="Let this user write the file and its folder, or choose another data folder",
            code="state_readonly",
        )

    def _damaged(self) -> StateError:
        return StateError(
            "The file of the state store is damaged",
            value=self.address,
            action="Bring back a backup: mesure state restore FILE --replace (the damaged file is kept beside it)",
            code="state_damaged",
        )


def _row(cursor: sqlite3.Cursor, values: tuple[Any, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, values, strict=True)}
