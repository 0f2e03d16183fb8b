"""Numbered migrations, the same SQL on every backend, each applied once, in order, all or none.

A file is never edited once released: its checksum is kept beside the tables it made. The SQL both databases read alike:
TEXT, BIGINT and DOUBLE PRECISION; times as `_at_ms`, milliseconds since 1970 UTC; foreign keys deferred, so that rows
can be brought back in any order.
"""

from __future__ import annotations

import re
import time
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import StateError
from mesure.version import __version__

if TYPE_CHECKING:
    from mesure.state.store import Store, Transaction

__all__ = ["Migration", "apply", "migrate", "missing_migrations", "newer", "schema_of", "shipped", "tables_of"]

_FOLDER = Path(__file__).parent / "migrations"
_TABLE = "mesure_migration"
_RECORD = f"""
CREATE TABLE {_TABLE} (
  number BIGINT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at_ms BIGINT NOT NULL,
  mesure_version TEXT NOT NULL
)
"""
_COMMENT = re.compile(r"--[^\n]*")
_MADE = re.compile(r"CREATE TABLE (\w+)")


class Migration(NamedTuple):
    number: int
    name: str
    statements: tuple[str, ...]
    checksum: str  # SHA-256 of the file


@cache
def shipped() -> tuple[Migration, ...]:
    """The migrations of this version, in order."""
    return tuple(_read(file) for file in sorted(_FOLDER.glob("*.sql")))


def tables_of(schema: int) -> tuple[str, ...]:
    """The tables that the first `schema` migrations make, in their order."""
    statements = [statement for migration in shipped()[:schema] for statement in migration.statements]
    return tuple(found[1] for found in map(_MADE.match, statements) if found)


def schema_of(transaction: Transaction) -> int:
    """Number of the last migration applied; 0 in an empty store. Raises `StateError` where it is not one of ours."""
    if not transaction.has_table(_TABLE):
        return 0
    applied = transaction.rows("SELECT number, name, checksum FROM mesure_migration ORDER BY number")
    for row, migration in zip(applied, shipped(), strict=False):
        if (row["number"], row["checksum"]) != (migration.number, migration.checksum):
            raise StateError(
                "The state store was made by another edition of this migration",
                value=f"{row['number']:04d}_{row['name']}",
                action="Use the Mesure that made it, or restore a backup into an empty store",
                code="state_edited",
            )
    return len(applied)


def migrate(store: Store) -> int:
    """Bring the store to this version's schema; returns how many migrations were applied. Safe when several do it.

    Raises `StateError`: `state_newer` when a later Mesure wrote it, or when the store cannot be used.
    """
    if missing_migrations(store) == 0:
        return 0
    with store.writing() as transaction:
        missing = _missing(transaction)
        apply(transaction)
    return missing


def missing_migrations(store: Store) -> int:
    """How many this version would apply. Raises `StateError` for a store of a later one."""
    with store.reading() as transaction:
        return _missing(transaction)


def apply(transaction: Transaction, up_to: int | None = None) -> None:
    """Apply what is missing, up to a number."""
    done = schema_of(transaction)
    if not transaction.has_table(_TABLE):
        transaction.run(_RECORD)
    for migration in shipped()[done:up_to]:
        transaction.settle()
        for statement in migration.statements:
            transaction.run(statement)
        transaction.run(
            "INSERT INTO mesure_migration VALUES (:number, :name, :checksum, :applied_at_ms, :mesure_version)",
            number=migration.number,
            name=migration.name,
            checksum=migration.checksum,
            applied_at_ms=time.time_ns() // 1_000_000,
            mesure_version=__version__,
        )


def newer(schema: int, where: str) -> StateError:
    """What is said of a store or a backup of a later version."""
    return StateError(
        "A newer Mesure wrote this state",
        value=f"{where}: schema {schema}, this one knows {len(shipped())}",
        action="Upgrade Mesure, or restore a backup made by this version",
        code="state_newer",
    )


def _missing(transaction: Transaction) -> int:
    schema = schema_of(transaction)
    if schema > len(shipped()):
        raise newer(schema, "store")
    return len(shipped()) - schema


def _read(file: Path) -> Migration:
    text = file.read_text(encoding="utf-8")
    number, _, name = file.stem.partition("_")
    statements = tuple(part for part in map(str.strip, _COMMENT.sub("", text).split(";")) if part)
    return Migration(int(number), name, statements, sha256(text.encode()).hexdigest())
