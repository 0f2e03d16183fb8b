"""Backups: what comes out of one store goes into another, whole or not at all."""

from __future__ import annotations

import json
import sqlite3
import stat
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mesure.config import ServerSettings, Settings, StateSettings
from mesure.errors import StateError
from mesure.state import Keys, Scope, Store, back_up, open_store, read_backup, restore, restore_state
from mesure.state.opening import sqlite_file
from mesure.state.schema import Migration, shipped, tables_of

if TYPE_CHECKING:
    from postgres_server import PostgresServer


def contents(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row, save what backups and restores note themselves."""
    found = {}
    with store.reading() as transaction:
        for table in tables_of(len(shipped())):
            rows = transaction.rows(f"SELECT * FROM {table}")
            kept = [row for row in rows if row.get("name") not in ("keys_revision", "last_backup")]
            found[table] = sorted(kept, key=lambda row: json.dumps(row, sort_keys=True))
    return found


def filled(store: Store) -> list[str]:
    keys = Keys(store)
    tokens = [keys.create(Scope(team=f"équipe {n}", use_case="a\"b'c;--"), label="é\u2028x").token for n in range(3)]
    keys.rotate(keys.all()[0].id, grace=timedelta(days=1))
    keys.revoke(keys.all()[1].id)
    return tokens


def lines_of(file: Path) -> list[str]:
    """With their ends; a line separator inside a text (U+2028) ends none."""
    return [line + "\n" for line in file.read_text(encoding="utf-8").removesuffix("\n").split("\n")]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Settings:
    """An empty SQLite store."""
    return Settings(server=ServerSettings(data=str(tmp_path / "elsewhere")))


def test_a_backup_restores_the_same_rows(store: Store, file: Path, elsewhere: Settings) -> None:
    tokens = filled(store)
    backup = back_up(store, file)
    assert {table: rows for table, rows in backup.rows.items() if rows} == {"installation": 2, "virtual_key": 4}
    assert set(backup.rows) == set(tables_of(len(shipped())))
    assert read_backup(file) == backup
    restored = restore_state(elsewhere, file)
    assert (restored.backup, restored.set_aside) == (backup, None)
    other = open_store(elsewhere)
    assert contents(other) == contents(store)
    assert len(tokens) == 3
    other.close()


@pytest.mark.slow
def test_from_sqlite_to_postgresql_and_back(postgres: PostgresServer, tmp_path: Path, elsewhere: Settings) -> None:
    first = open_store(Settings(server=ServerSettings(data=str(tmp_path / "first"))))
    filled(first)
    back_up(first, tmp_path / "one")
    there = replace(elsewhere, state=StateSettings(url=postgres.new_schema()))
    restore_state(there, tmp_path / "one")
    second = open_store(there)
    assert contents(second) == contents(first)
    back_up(second, tmp_path / "two")
    restore_state(elsewhere, tmp_path / "two")
    third = open_store(elsewhere)
    assert contents(third) == contents(first)
    for store in (first, second, third):
        store.close()


def test_only_its_owner_may_read_it(store: Store, file: Path) -> None:
    back_up(store, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_later_backup_takes_the_place_of_the_last(store: Store, file: Path) -> None:
    back_up(store, file)
    filled(store)
    assert back_up(store, file).rows["virtual_key"] == 4
    assert read_backup(file).rows["virtual_key"] == 4
    assert list(file.parent.glob(".backup*")) == []


def test_a_file_that_is_no_backup_is_not_overwritten(store: Store, file: Path) -> None:
    file.write_bytes(b"\xff\xfeprecious")
    with pytest.raises(StateError) as raised:
        back_up(store, file)
    assert raised.value.code == "backup_refused"
    assert file.read_bytes() == b"\xff\xfeprecious"


def test_a_place_that_cannot_hold_it(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StateError) as raised:
        back_up(store, tmp_path / "no-such-folder" / "backup")
    assert raised.value.code == "backup_unwritable"


def test_a_store_that_holds_rows_is_replaced_only_when_asked(store: Store, file: Path, settings: Settings) -> None:
    filled(store)
    back_up(store, file)
    before = contents(store)
    Keys(store).create(Scope(team="since"))
    since = contents(store)
    with pytest.raises(StateError) as raised:
        restore_state(settings, file)
    assert raised.value.code == "state_not_empty"
    assert "--replace" in raised.value.action
    assert contents(store) == since
    restore_state(settings, file, replace=True)
    assert contents(store) == before


def test_the_revision_is_renewed_so_that_key_rings_look(store: Store, file: Path, settings: Settings) -> None:
    filled(store)
    back_up(store, file)

    def revision() -> Any:
        with store.reading() as transaction:
            return transaction.one("SELECT value FROM installation WHERE name = 'keys_revision'")

    before = revision()
    restore_state(settings, file, replace=True)
    assert revision() != before


LATER = Migration(
    len(shipped()) + 1,
    "later",
    ("CREATE TABLE later (name TEXT NOT NULL PRIMARY KEY)", "ALTER TABLE virtual_key ADD COLUMN note TEXT"),
    "checksum",
)


def test_a_backup_of_an_earlier_schema_is_brought_up(
    store: Store, file: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store)
    back_up(store, file)
    before = contents(store)["virtual_key"]
    all_of_them = (*shipped(), LATER)
    for room in ("schema", "backup"):
        monkeypatch.setattr(f"mesure.state.{room}.shipped", lambda: all_of_them)
    restore_state(settings, file, replace=True)
    after = sorted(contents(store)["virtual_key"], key=lambda row: json.dumps({**row, "note": None}, sort_keys=True))
    assert {row.pop("note") for row in after} == {None}
    assert sorted(map(str, after)) == sorted(map(str, before))
    with store.reading() as transaction:
        assert transaction.rows("SELECT * FROM later") == []
    # And one of this later schema goes back where it was, its tables in the right order
    back_up(store, file)
    restore_state(settings, file, replace=True)


def test_a_backup_of_a_later_schema_is_refused(store: Store, file: Path, elsewhere: Settings) -> None:
    back_up(store, file)
    rewritten(file, lambda header: {**header, "schema": 99})
    assert refusal(file, elsewhere) == "state_newer"


def rewritten(file: Path, change: Any) -> None:
    """The header changed, and the checksum made right again: what a careful hand could do."""
    header, *rest = lines_of(file)
    lines = [json.dumps(change(json.loads(header))) + "\n", *rest[:-1]]
    end = {"end": json.loads(rest[-1])["end"], "sha256": sha256("".join(lines).encode()).hexdigest()}
    file.write_text("".join(lines) + json.dumps(end) + "\n")


def refusal(file: Path, settings: Settings) -> str:
    """The code of the refusal; the store is not touched."""
    with pytest.raises(StateError) as raised:
        restore_state(settings, file, replace=True)
    assert raised.value.action
    return raised.value.code


def test_every_cut_is_seen(store: Store, file: Path, elsewhere: Settings) -> None:
    filled(store)
    back_up(store, file)
    whole = file.read_bytes()
    for length in (0, 1, 40, len(whole) // 2, whole.rindex(b'{"end'), len(whole) - 20):
        file.write_bytes(whole[:length])
        assert refusal(file, elsewhere) == "backup_refused"
    assert not Path(elsewhere.server.data).exists()


def test_every_changed_line_is_seen(store: Store, file: Path, elsewhere: Settings) -> None:
    filled(store)
    back_up(store, file)
    lines = lines_of(file)
    for number in range(1, len(lines) - 1):
        file.write_text("".join([*lines[:number], lines[number].replace('"', '"x', 1), *lines[number + 1 :]]))
        assert refusal(file, elsewhere) == "backup_refused"
        file.write_text("".join([*lines[:number], *lines[number + 1 :]]))
        assert refusal(file, elsewhere) == "backup_refused"
    assert not Path(elsewhere.server.data).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda header: {**header, "format": "other"},
        lambda header: {**header, "version": 2},
        lambda header: {**header, "schema": "one"},
        lambda header: {**header, "made_at": "yesterday"},
        lambda header: {**header, "tables": []},
        lambda header: {**header, "tables": {"virtual_key; DROP TABLE installation": ["id"]}},
        lambda header: {**header, "tables": {**header["tables"], "mesure_migration": ["number"]}},
    ],
)
def test_a_header_that_is_not_ours_is_refused(store: Store, file: Path, elsewhere: Settings, change: Any) -> None:
    back_up(store, file)
    rewritten(file, change)
    assert refusal(file, elsewhere) == "backup_refused"
    assert not Path(elsewhere.server.data).exists()


@pytest.mark.parametrize("names", [["id"], ["id); DROP TABLE installation; --"], ["hash", "id"]])
def test_columns_must_be_those_of_the_store(store: Store, file: Path, settings: Settings, names: list[str]) -> None:
    filled(store)
    back_up(store, file)
    before = contents(store)
    rewritten(file, lambda header: {**header, "tables": {**header["tables"], "virtual_key": names}})
    assert refusal(file, settings) == "backup_refused"
    assert contents(store) == before


def test_a_row_of_another_length_is_refused_and_nothing_changes(store: Store, file: Path, settings: Settings) -> None:
    filled(store)
    back_up(store, file)
    before = contents(store)
    lines = lines_of(file)
    lines[1] = json.dumps([*json.loads(lines[1]), "more"]) + "\n"
    file.write_text("".join(lines))
    rewritten(file, lambda header: header)
    assert refusal(file, settings) == "backup_refused"
    assert contents(store) == before


def test_other_files_are_no_backup(file: Path, elsewhere: Settings) -> None:
    for data in (b"", b"\x00\xff\xfe", b"[1]\n", b"{}\n", b"# words\n", b'{"format":"mesure-state"}\n'):
        file.write_bytes(data)
        assert refusal(file, elsewhere) == "backup_refused"
    assert refusal(file.with_name("absent"), elsewhere) == "backup_refused"


# A file that cannot be used any more


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return Settings(server=ServerSettings(data=str(tmp_path / "here")))


def damaged(settings: Settings, file: Path) -> None:
    """A store with keys, its backup, then a disk that wrote nonsense over the store."""
    store = open_store(settings)
    filled(store)
    back_up(store, file)
    store.close()
    with sqlite_file(settings).open("r+b") as handle:
        handle.write(b"nonsense" * 1000)


def test_a_damaged_file_is_kept_aside_and_the_backup_takes_its_place(here: Settings, file: Path) -> None:
    damaged(here, file)
    with pytest.raises(StateError) as raised:
        restore_state(here, file)
    assert raised.value.code == "state_damaged"
    restored = restore_state(here, file, replace=True)
    assert restored.set_aside is not None
    assert restored.set_aside.read_bytes().startswith(b"nonsense")
    store = open_store(here)
    assert len(Keys(store).all()) == 4
    store.close()
    with sqlite_file(here).open("r+b") as handle:
        handle.write(b"nonsense" * 1000)
    second = restore_state(here, file, replace=True)
    assert second.set_aside not in (None, restored.set_aside)


def test_a_server_that_runs_meanwhile_reads_what_was_restored(here: Settings, file: Path) -> None:
    running = open_store(here)
    filled(running)
    back_up(running, file)
    assert len(Keys(running).all()) == 4
    with sqlite_file(here).open("r+b") as handle:
        handle.write(b"nonsense" * 1000)
    for part in ("-wal", "-shm"):
        Path(str(sqlite_file(here)) + part).unlink(missing_ok=True)
    restore_state(here, file, replace=True)
    assert len(Keys(running).all()) == 4
    Keys(running).create(Scope())
    running.close()
    with sqlite3.connect(sqlite_file(here)) as plain:
        assert plain.execute("SELECT COUNT(*) FROM virtual_key").fetchone() == (5,)
    plain.close()


@pytest.mark.parametrize("statement", ["UPDATE mesure_migration SET checksum = 'x'", "newer"])
def test_a_file_of_another_version_is_kept_aside_too(here: Settings, file: Path, statement: str) -> None:
    store = open_store(here)
    filled(store)
    back_up(store, file)
    with store.writing() as transaction:
        if statement == "newer":
            transaction.run("INSERT INTO mesure_migration VALUES (99, 'x', 'x', 0, '9')")
        else:
            transaction.run(statement)
    store.close()
    with pytest.raises(StateError):
        open_store(here)
    assert restore_state(here, file, replace=True).set_aside is not None
    store = open_store(here)
    assert len(Keys(store).all()) == 4
    store.close()


def test_an_empty_store_is_backed_up_too(store: Store, file: Path, elsewhere: Settings) -> None:
    assert sum(back_up(store, file).rows.values()) == 0
    other = open_store(elsewhere)
    restore(other, read_backup(file))
    assert set(contents(other)) == set(contents(store))
    other.close()
