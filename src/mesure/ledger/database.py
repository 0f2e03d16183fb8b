"""The one DuckDB database of this process: it holds nothing, and bounds what all questions together may take."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from mesure.config import LedgerSettings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["allow_memory", "connect"]

#: Each reader holds a part of a file in memory: with less, a question fails instead of using the disk.
_MB_A_THREAD = 64


class _Database:
    """Opened when first asked for."""

    def __init__(self) -> None:
        self.memory_mb = LedgerSettings().memory_mb
        self._lock = threading.Lock()
        self._opened: DuckDBPyConnection | None = None

    def cursor(self) -> DuckDBPyConnection:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened.cursor()

    def allow(self, memory_mb: float) -> None:
        with self._lock:
            self.memory_mb = memory_mb
            if self._opened is not None:
                for name, value in self._bounds().items():
                    self._opened.execute(f"SET {name} = '{value}'")

    def _open(self) -> DuckDBPyConnection:
        import duckdb

        spill = str(Path(tempfile.gettempdir()) / f"mesure-{os.getpid()}.spill")
        return duckdb.connect(config={**self._bounds(), "temp_directory": spill})

    def _bounds(self) -> dict[str, str | bool | int | float | list[str]]:
        threads = min(os.cpu_count() or 1, int(self.memory_mb // _MB_A_THREAD))
        return {"memory_limit": f"{self.memory_mb:.0f}MB", "threads": threads}


_database = _Database()


def connect() -> DuckDBPyConnection:
    """A connection of its own, for one thread at a time; temporary tables and views are its alone."""
    return _database.cursor()


def allow_memory(memory_mb: float) -> None:
    """What all connections of this process may hold together; beyond it they use the disk."""
    _database.allow(memory_mb)
