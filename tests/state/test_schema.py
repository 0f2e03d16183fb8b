"""Migrations: the same on both databases, applied once, all or none, never edited."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mesure.errors import StateError
from mesure.state import open_store, schema, store_at
from mesure.state.schema import Migration, apply, migrate, schema_of, shipped, tables_of
from mesure.version import __version__
from waiting import eventually

if TYPE_CHECKING:
    from postgres_server import PostgresServer

    from mesure.config import Settings
    from mesure.state import Store

FOLDER = Path(schema.__file__).parent / "migrations"
CHECKSUMS = Path(__file__).parent / "migrations.sha256"


def applied(store: Store) -> list[dict[str, Any]]:
    with store.reading() as transaction:
        return transaction.rows("SELECT * FROM mesure_migration ORDER BY number")


def columns_of(store: Store) -> dict[str, list[str]]:
    with store.reading() as transaction:
        return {table: transaction.columns(f"SELECT * FROM {table}") for table in tables_of(len(shipped()))}


def test_no_migration_was_edited() -> None:
    """A released migration stays as it is: add another file, and its line here (`sha256sum *.sql`)."""
    noted = dict(reversed(line.split()) for line in CHECKSUMS.read_text().splitlines())
    found = {file.name: sha256(file.read_bytes()).hexdigest() for file in sorted(FOLDER.glob("*.sql"))}
    assert found == noted


def test_they_are_numbered_without_a_gap() -> None:
    assert [migration.number for migration in shipped()] == list(range(1, len(shipped()) + 1))
    assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", file.name) for file in FOLDER.iterdir())


@pytest.mark.parametrize("migration", shipped(), ids=lambda migration: migration.name)
def test_they_say_what_both_databases_read_alike(migration: Migration) -> None:
    text = "\n".join(migration.statements)
    assert "'" not in text  # where a semicolon or two dashes could stand for themselves
    kinds = set(re.findall(r"^  \w+ ([A-Z]+)", text, re.MULTILINE))
    assert kinds <= {"TEXT", "BIGINT", "DOUBLE", "KEY", "UNIQUE"}
    assert text.count("REFERENCES") == text.count("DEFERRABLE INITIALLY DEFERRED")


def test_an_empty_store_gets_them_all_and_says_so(settings: Settings) -> None:
    store = store_at(settings)
    assert migrate(store) == len(shipped())
    rows = applied(store)
    assert [(row["number"], row["name"], row["checksum"]) for row in rows] == [
        (migration.number, migration.name, migration.checksum) for migration in shipped()
    ]
    assert {row["mesure_version"] for row in rows} == {__version__}
    assert all(row["applied_at_ms"] > 1_700_000_000_000 for row in rows)
    assert migrate(store) == 0
    assert applied(store) == rows
    store.close()


def test_tables_are_those_of_the_files(store: Store) -> None:
    assert tables_of(0) == ()
    assert tables_of(1) == ("installation", "virtual_key")
    assert columns_of(store)["virtual_key"][:2] == ["id", "hash"]
    with store.reading() as transaction:
        kind = {"sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'"}.get(
            store.backend, "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
        )
        found = {row["name"] for row in transaction.rows(kind)}
    assert found == {*tables_of(len(shipped())), "mesure_migration"}


NEXT = Migration(
    len(shipped()) + 1, "next", ("CREATE TABLE later (a TEXT)", "INSERT INTO later VALUES (CAST(11 AS TEXT))"), "c"
)


def test_a_later_one_is_added_to_what_is_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.writing() as transaction:
        transaction.run("INSERT INTO installation VALUES ('kept', '1')")
    all_of_them = (*shipped(), NEXT)
    monkeypatch.setattr(schema, "shipped", lambda: all_of_them)
    assert migrate(store) == 1
    with store.reading() as transaction:
        assert schema_of(transaction) == len(all_of_them)
        assert transaction.one("SELECT a FROM later") == {"a": "11"}
        assert transaction.one("SELECT value FROM installation") == {"value": "1"}


def test_one_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = NEXT._replace(statements=("CREATE TABLE later (a TEXT)", "INSERT INTO nowhere VALUES (1)"))
    all_of_them = (*shipped(), broken)
    monkeypatch.setattr(schema, "shipped", lambda: all_of_them)
    with pytest.raises(StateError):
        migrate(store)
    with store.reading() as transaction:
        assert schema_of(transaction) == len(all_of_them) - 1
        assert not transaction.has_table("later")


def test_a_newer_store_is_refused_and_left_alone(settings: Settings, store: Store) -> None:
    with store.writing() as transaction:
        transaction.run(
            "INSERT INTO mesure_migration VALUES (:number, 'later', 'x', 0, '9.9')", number=len(shipped()) + 1
        )
    with pytest.raises(StateError) as raised:
        open_store(settings)
    error = raised.value
    assert error.code == "state_newer"
    assert f"schema {len(shipped()) + 1}" in str(error.value)
    assert "Upgrade" in error.action


def test_a_store_of_another_edition_is_refused(settings: Settings, store: Store) -> None:
    with store.writing() as transaction:
        transaction.run("UPDATE mesure_migration SET checksum = 'other' WHERE number = 1")
    with pytest.raises(StateError) as raised:
        open_store(settings)
    assert (raised.value.code, raised.value.value) == ("state_edited", "0001_virtual_keys")


def test_up_to_a_number(settings: Settings) -> None:
    store = store_at(settings)
    with store.writing() as transaction:
        apply(transaction, 0)
        assert schema_of(transaction) == 0
        apply(transaction, 1)
        assert schema_of(transaction) == 1
    store.close()


def waiting_writers(postgres: PostgresServer) -> int:
    return int(postgres.run("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")[0][0])


def test_one_that_waited_for_another_sees_what_it_did(settings: Settings, request: pytest.FixtureRequest) -> None:
    """It looked before, found an empty store, and must not go by what it remembers."""
    first, second = store_at(settings), store_at(settings)
    with ThreadPoolExecutor(1) as pool:
        with first.writing() as transaction:
            waits = pool.submit(migrate, second)
            if settings.state.url:
                eventually(lambda: waiting_writers(request.getfixturevalue("postgres")) == 1)
            apply(transaction)
        assert waits.result(15) in (0, len(shipped()))
    assert len(applied(second)) == len(shipped())
    first.close()
    second.close()


PROGRAM = """
import sys
from mesure.config import ServerSettings, Settings, StateSettings
from mesure.state import open_store
settings = Settings(server=ServerSettings(data=sys.argv[1]), state=StateSettings(url=sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
store = open_store(settings)
with store.writing() as transaction:
    transaction.run("INSERT INTO installation VALUES (:name, 'here')", name=sys.argv[3])
store.close()
"""


def test_processes_that_start_at_once_apply_each_one_time(settings: Settings) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, settings.server.data, settings.state.url, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    store = store_at(settings)
    assert len(applied(store)) == len(shipped())
    with store.reading() as transaction:
        assert transaction.one("SELECT COUNT(*) AS n FROM installation") == {"n": 4}
    store.close()
