"""What a data folder holds now: stores, rows, columns that are filled, how long, under which keys, readable by whom."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.content import FILE, Content, Sought
from mesure.content.cipher import KEY_FILE as CONTENT_KEY
from mesure.content.cipher import KEY_VARIABLE
from mesure.errors import MesureError
from mesure.ledger import ContactTable, Ledger
from mesure.meter.pseudonyms import KEY_FILE as PSEUDONYM_KEY
from mesure.record import ALLOWED
from mesure.state import Keys, open_store, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mesure.config import ProviderSettings, Settings

__all__ = ["holdings"]


def holdings(settings: Settings) -> dict[str, Any]:
    """For a program, or to be put in words. Makes nothing; what cannot be read is said under `error`."""
    folder = Path(settings.server.data)
    return {
        "folder": str(folder),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "stores": [
            _files("spool", folder.glob("spool/*.spool*")),
            _table("ledger", folder / "ledger", lambda: Ledger(folder).files()),
            _table("contacts", folder / "contacts", lambda: ContactTable(folder).files()),
            _state(settings),
            _content(settings, folder),
        ],
        "retention_days": {
            "users": settings.privacy.user_days,
            "contacts": settings.privacy.contact_days,
            "calls": settings.privacy.ledger_days,
            "imported_contacts": settings.contacts.keep_days,
            "content": {name: given.days for name, given in settings.content.items()},
        },
        "label_keys": list(settings.privacy.label_keys),
        "keys": {
            "pseudonym_key": (folder / PSEUDONYM_KEY).exists(),
            "content_key": KEY_VARIABLE if KEY_VARIABLE in os.environ else (folder / CONTENT_KEY).exists(),
            "providers": {name: _key_place(given) for name, given in settings.providers.items()},
        },
        "logs": "standard error",
        "readable_by_others": [
            str(path) for path in _files_in(folder) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        ],
    }


def _files_in(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _files(store: str, paths: Iterable[Path]) -> dict[str, Any]:
    found = [path.stat() for path in paths if path.is_file()]
    return {
        "store": store,
        "files": len(found),
        "bytes": sum(each.st_size for each in found),
        "modes": sorted({f"{stat.S_IMODE(each.st_mode):04o}" for each in found}),
    }


def _table(store: str, path: Path, files: Any) -> dict[str, Any]:
    """A Delta table; one that is not there is not made."""
    found = _files(store, path.rglob("*"))
    if not (path / "_delta_log").is_dir():
        return found | {"rows": 0}
    try:
        return found | _filled(store, files())
    except MesureError as error:
        return found | {"error": error.to_json()}


def _filled(store: str, files: Sequence[str]) -> dict[str, Any]:
    """Rows, the oldest of them, and of each column that holds something: its share, its purpose, its kind."""
    import duckdb

    if not files:
        return {"rows": 0}
    source = "read_parquet(?, union_by_name=true)"
    with duckdb.connect() as connection:
        there = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {source}", [files]).fetchall()}  # noqa: S608
        entries = [entry for entry in ALLOWED[store] if entry.name in there]
        counted = ", ".join(f'count("{entry.name}")' for entry in entries)
        sql = f"SELECT count(*), epoch_ms(min(started_at)), {counted} FROM {source}"  # noqa: S608  (our own names)
        first = connection.execute(sql, [files]).fetchone()
    assert first is not None
    rows, oldest_ms, *counts = first
    columns = {
        entry.name: {"share": count / rows, "purpose": entry.purpose, "kind": entry.kind, "until": entry.retention}
        for entry, count in zip(entries, counts, strict=True)
        if count
    }
    return {"rows": rows, "oldest": _iso(oldest_ms), "columns": columns}


def _state(settings: Settings) -> dict[str, Any]:
    file = sqlite_file(settings)
    found = _files("state", file.parent.glob(f"{file.name}*"))
    if not (settings.state.url or file.exists()):
        return found | {"rows": 0, "virtual_keys": []}
    try:
        store = open_store(settings)
        try:
            keys = Keys(store)
            now = keys.now()
            held = [{"prefix": key.prefix, "state": key.state(now)} for key in keys.all()]
        finally:
            store.close()
    except MesureError as error:
        return found | {"error": error.to_json()}
    return found | {"where": "postgresql" if settings.state.url else "sqlite", "virtual_keys": held}


def _content(settings: Settings, folder: Path) -> dict[str, Any]:
    found = _files("content", folder.glob(f"{FILE}*"))
    if not (folder / FILE).exists():
        return found | {"rows": 0, "use_cases": dict.fromkeys(settings.content, 0)}
    try:
        content = Content(folder, settings.content)
        oldest = content.oldest()
        by_use_case = {name: content.count(Sought(use_case=name)) for name in settings.content}
        return found | {
            "rows": content.count(),
            "oldest": oldest.isoformat(timespec="seconds") if oldest else None,
            "use_cases": by_use_case,
        }
    except MesureError as error:
        return found | {"error": error.to_json()}


def _key_place(given: ProviderSettings) -> str:
    """Where a provider's key is kept, never the key."""
    if given.api_key_env:
        return f"environment: {given.api_key_env}"
    return "mesure.toml" if given.api_key else "clients"


def _iso(ms: int | None) -> str | None:
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
