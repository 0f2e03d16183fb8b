"""From the settings to an open store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import StateError
from mesure.state.backup import Backup, read_backup, restore
from mesure.state.postgres import Postgres
from mesure.state.schema import migrate
from mesure.state.sqlite import SQLite
from mesure.state.store import Store

if TYPE_CHECKING:
    from mesure.config import Settings
    from mesure.state.store import Backend

__all__ = ["Restored", "open_store", "restore_state", "sqlite_file", "store_at"]

_FILE = "state.sqlite"
#: A file that this version cannot use is set aside by a restore that replaces it.
_UNUSABLE = ("state_damaged", "state_edited", "state_newer")


class Restored(NamedTuple):
    """What a restore brought back, and where a file that could not be used was put."""

    backup: Backup
    set_aside: Path | None


def store_at(settings: Settings) -> Store:
    """The configured store, not opened yet. Raises `ConfigError` when its address or its driver will not do."""
    backend: Backend = Postgres(settings.state.url) if settings.state.url else SQLite(sqlite_file(settings))
    return Store(backend)


def open_store(settings: Settings) -> Store:
    """The configured store, at this version's schema. Raises `ConfigError` and `StateError`."""
    store = store_at(settings)
    try:
        migrate(store)
    except BaseException:
        store.close()
        raise
    return store


def sqlite_file(settings: Settings) -> Path:
    """Where the store's file is, when it is SQLite."""
    return Path(settings.server.data) / _FILE


def restore_state(settings: Settings, file: Path, *, replace: bool = False) -> Restored:
    """Bring a backup back into the configured store. The file is read to its end before the store is touched.

    Raises `ConfigError` and `StateError`.
    """
    backup = read_backup(file)
    store = store_at(settings)
    aside = None
    try:
        try:
            store.check()
            migrate(store)
        except StateError as error:
            if not (replace and error.code in _UNUSABLE and store.backend == "sqlite"):
                raise
            store.close()
            aside = _set_aside(sqlite_file(settings))
        restore(store, backup, replace=replace)
    finally:
        store.close()
    return Restored(backup, aside)


def _set_aside(file: Path) -> Path:
    """Move a store's file and its log away, under a name that is free."""
    aside = next(path for n in range(1, 10_000) if not (path := file.with_name(f"{file.name}.damaged-{n}")).exists())
    for suffix in ("-wal", "-shm", ""):
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
