"""The key ring: what the gateway knows of keys, whatever becomes of the store."""

from __future__ import annotations

import json
import logging
import stat
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mesure.config import ServerSettings, Settings, StateSettings
from mesure.errors import ConfigError, StateError
from mesure.state import KeyRing, Keys, Scope, Store, back_up, open_store, restore_state
from mesure.state.opening import sqlite_file
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import PostgresServer

SNAPSHOT = "keys.snapshot.json"


def ring_of(settings: Settings, every_s: float = 60.0) -> KeyRing:
    return KeyRing(Path(settings.server.data), partial(open_store, settings), every_s=every_s)


@contextmanager
def started(settings: Settings, every_s: float = 60.0) -> Iterator[KeyRing]:
    ring = ring_of(settings, every_s)
    ring.start()
    try:
        yield ring
    finally:
        ring.stop()


def unreachable() -> Store:
    raise StateError("The state store cannot be used: gone", value="x", action="y", code="state_unreachable")


@contextmanager
def without_store(settings: Settings) -> Iterator[KeyRing]:
    """A ring that starts while the store is out of reach."""
    ring = KeyRing(Path(settings.server.data), unreachable, every_s=60.0)
    ring.start()
    try:
        yield ring
    finally:
        ring.stop()


def test_it_knows_each_key_by_its_token_alone(settings: Settings, store: Store) -> None:
    expires = datetime.now(UTC) + timedelta(days=1)
    made = Keys(store).create(Scope(team="a", use_case="b", end_client="c"), expires_at=expires)
    other = Keys(store).create(Scope())
    with started(settings) as ring:
        held = ring.find(made.token.encode())
        assert held is not None
        assert (held.id, held.team, held.use_case, held.end_client) == (made.key.id, "a", "b", "c")
        assert held.expires_at_ms is not None
        assert abs(held.expires_at_ms / 1000 - expires.timestamp()) < 0.002
        assert not held.revoked
        assert (found := ring.find(other.token.encode())) is not None
        assert (found.team, found.expires_at_ms) == (None, None)
        for token in ("", "mesure-", made.key.id, made.key.prefix, made.token[:-1], made.token + "a", "é"):
            assert ring.find(token.encode()) is None
        assert ring.state.keys == 2
        assert ring.state.error is None


def test_no_key_at_all_is_known_too(settings: Settings) -> None:
    with started(settings) as ring:
        assert ring.known
        assert ring.find(b"mesure-AAAAAAAA-" + b"a" * 32) is None
        assert ring.state.to_json()["error"] is None


def test_new_and_revoked_keys_are_seen_while_it_runs(settings: Settings, store: Store) -> None:
    with started(settings, every_s=0.02) as ring:
        made = Keys(store).create(Scope(team="a"))
        eventually(lambda: ring.find(made.token.encode()) is not None)
        Keys(store).revoke(made.key.id)
        eventually(lambda: ring.find(made.token.encode()).revoked)  # type: ignore[union-attr]


def test_it_reads_the_keys_again_only_when_they_changed(settings: Settings, store: Store) -> None:
    made = Keys(store).create(Scope(team="a"))
    ring = ring_of(settings)
    ring.refresh()
    first = ring.find(made.token.encode())
    ring.refresh()
    assert ring.find(made.token.encode()) is first
    Keys(store).create(Scope())
    ring.refresh()
    assert ring.find(made.token.encode()) == first
    assert ring.find(made.token.encode()) is not first
    ring.stop()


def test_the_snapshot_holds_hashes_for_its_owner_alone(settings: Settings, store: Store) -> None:
    made = Keys(store).create(Scope(team="a"))
    with started(settings):
        file = Path(settings.server.data) / SNAPSHOT
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        text = file.read_text()
        assert made.token not in text
        assert made.token.split("-")[2] not in text
        assert next(iter(json.loads(text)["keys"].values()))["team"] == "a"
        assert [each.name for each in file.parent.iterdir() if SNAPSHOT in each.name] == [SNAPSHOT]


def test_restarted_without_the_store_it_still_knows_them(settings: Settings, store: Store) -> None:
    kept, revoked = Keys(store).create(Scope(team="a")), Keys(store).create(Scope())
    Keys(store).revoke(revoked.key.id)
    with started(settings) as before:
        expected = before.find(kept.token.encode()), before.find(revoked.token.encode())
    with without_store(settings) as ring:
        assert (ring.find(kept.token.encode()), ring.find(revoked.token.encode())) == expected
        assert ring.known
        assert ring.state.read_at is None
        assert ring.state.to_json()["error"]["code"] == "state_unreachable"


def test_without_store_and_snapshot_it_knows_that_it_knows_nothing(settings: Settings) -> None:
    with without_store(settings) as ring:
        assert not ring.known
        assert ring.find(b"mesure-AAAAAAAA-" + b"a" * 32) is None
        assert ring.state.to_json() == {
            "keys": 0,
            "known": False,
            "read_at": None,
            "error": ring.state.to_json()["error"],
        }


def test_a_store_that_comes_back_is_found_again(settings: Settings, store: Store) -> None:
    made = Keys(store).create(Scope())
    down = True

    def opened() -> Store:
        return unreachable() if down else open_store(settings)

    ring = KeyRing(Path(settings.server.data), opened, every_s=0.02)
    ring.start()
    assert not ring.known
    down = False
    eventually(lambda: ring.find(made.token.encode()) is not None)
    assert ring.state.error is None
    ring.stop()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 99}', '{"format": 1}', '{"format": 1, "keys": 3}'])
def test_a_snapshot_that_cannot_be_read_is_left_aside(settings: Settings, store: Store, text: str) -> None:
    made = Keys(store).create(Scope())
    file = Path(settings.server.data) / SNAPSHOT
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    with without_store(settings) as blind:
        assert not blind.known
    with started(settings) as ring:
        assert ring.find(made.token.encode()) is not None


def test_a_snapshot_that_cannot_be_written_changes_nothing_else(
    settings: Settings, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    made = Keys(store).create(Scope())
    folder = Path(settings.server.data)
    folder.mkdir(exist_ok=True)
    (folder / SNAPSHOT).mkdir()  # a folder in its place: nobody can write there, not even root
    with started(settings) as ring:
        assert ring.find(made.token.encode()) is not None
    assert "snapshot" in caplog.text
    assert [each.name for each in folder.iterdir() if SNAPSHOT in each.name] == [SNAPSHOT]


def test_an_outage_is_told_once_and_its_end_too(
    settings: Settings, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    made = Keys(store).create(Scope())
    answers = iter([open_store(settings)])
    ring = KeyRing(Path(settings.server.data), lambda: next(answers), every_s=60.0)
    with caplog.at_level(logging.INFO, "mesure.state"):
        ring.refresh()
        reading = Store.reading
        Store.reading = lambda self: unreachable()  # type: ignore[method-assign, assignment, return-value]
        try:
            for _ in range(5):
                ring.refresh()
        finally:
            Store.reading = reading  # type: ignore[method-assign]
        assert ring.find(made.token.encode()) is not None
        ring.refresh()
    told = [record.message for record in caplog.records]
    assert len(told) == 2
    assert "stay valid" in told[0]
    assert "again" in told[1]
    assert made.token.split("-")[2] not in caplog.text
    ring.stop()


@pytest.mark.parametrize("code", ["state_newer", "state_edited"])
def test_a_store_that_no_waiting_repairs_stops_the_start(settings: Settings, store: Store, code: str) -> None:
    with store.writing() as transaction:
        if code == "state_newer":
            transaction.run("INSERT INTO mesure_migration VALUES (99, 'x', 'x', 0, '9')")
        else:
            transaction.run("UPDATE mesure_migration SET checksum = 'x'")
    ring = ring_of(settings)
    with pytest.raises(StateError) as raised:
        ring.start()
    assert raised.value.code == code
    ring.stop()


def test_settings_that_lead_nowhere_stop_the_start() -> None:
    ring = ring_of(Settings(state=StateSettings(url="postgresql://[broken")))
    with pytest.raises(ConfigError):
        ring.start()


def test_a_store_that_was_emptied_does_not_revoke_every_key(tmp_path: Path) -> None:
    """A volume that is not mounted, a database made anew: calls go on with the keys known before."""
    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    store = open_store(settings)
    made = Keys(store).create(Scope())
    back_up(store, tmp_path / "backup")
    store.close()
    with started(settings) as ring:
        for part in tmp_path.glob("state.sqlite*"):
            part.rename(tmp_path / f"old-{part.name}")
        fresh = open_store(settings)
        ring.refresh()
        assert ring.find(made.token.encode()) is not None
        assert ring.state.error is not None
        assert ring.state.error.code == "state_other"
        Keys(fresh).create(Scope())  # even when keys are made there
        ring.refresh()
        assert ring.find(made.token.encode()) is not None
        restore_state(settings, tmp_path / "backup", replace=True)
        ring.refresh()
        assert ring.find(made.token.encode()) is not None
        assert ring.state.error is None
        fresh.close()
    (tmp_path / SNAPSHOT).unlink()
    with started(settings) as ring:
        assert ring.find(made.token.encode()) is not None


def test_a_file_that_vanished_does_not_revoke_every_key(tmp_path: Path) -> None:
    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    store = open_store(settings)
    made = Keys(store).create(Scope())
    store.close()
    with started(settings) as ring:
        for part in tmp_path.glob("state.sqlite*"):
            part.unlink()
        for _ in range(2):
            ring.refresh()
            assert ring.find(made.token.encode()) is not None
            assert ring.state.error is not None
            assert ring.state.error.code == "state_other"


def test_a_damaged_file_leaves_the_keys_in_use(tmp_path: Path) -> None:
    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    store = open_store(settings)
    made = Keys(store).create(Scope())
    back_up(store, tmp_path / "backup")
    store.close()
    with started(settings) as ring:
        assert ring.find(made.token.encode()) is not None
    with sqlite_file(settings).open("r+b") as handle:
        handle.write(b"nonsense" * 1000)
    with started(settings, every_s=0.02) as ring:
        assert ring.find(made.token.encode()) is not None
        assert ring.state.error is not None
        assert ring.state.error.code == "state_damaged"
        restore_state(settings, tmp_path / "backup", replace=True)
        eventually(lambda: ring.state.error is None)
        assert ring.find(made.token.encode()) is not None


def test_ten_thousand_keys_are_found_among_each_other(tmp_path: Path) -> None:
    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    store = open_store(settings)
    first = Keys(store).create(Scope(team="first"))
    with store.writing() as transaction:
        for number in range(10_000):
            transaction.run(
                "INSERT INTO virtual_key (id, hash, team, created_at_ms) VALUES (:id, :id, :id, 0)", id=f"k{number}"
            )
    last = Keys(store).create(Scope(team="last"))
    with started(settings) as ring:
        assert ring.state.keys == 10_002
        assert [ring.find(made.token.encode()).team for made in (first, last)] == ["first", "last"]  # type: ignore[union-attr]
    store.close()


@pytest.mark.slow
def test_postgresql_stops_and_comes_back_while_keys_are_asked(postgres: PostgresServer, tmp_path: Path) -> None:
    settings = Settings(server=ServerSettings(data=str(tmp_path)), state=StateSettings(url=postgres.new_schema()))
    store = open_store(settings)
    made = Keys(store).create(Scope(team="a"))
    with started(settings, every_s=0.02) as ring:
        postgres.stop()
        try:
            eventually(lambda: ring.state.error is not None)
            assert ring.find(made.token.encode()) is not None
            with started(settings) as restarted:
                assert restarted.find(made.token.encode()) is not None
                assert restarted.state.error is not None
        finally:
            postgres.start()
        later = Keys(store).create(Scope(team="b"))
        eventually(lambda: ring.find(later.token.encode()) is not None)
        assert ring.state.error is None
    store.close()


@pytest.mark.slow
def test_machines_that_share_a_database_know_the_same_keys(postgres: PostgresServer, tmp_path: Path) -> None:
    shared = StateSettings(url=postgres.new_schema())
    here, there = (
        replace(Settings(server=ServerSettings(data=str(tmp_path / name))), state=shared) for name in ("here", "there")
    )
    store = open_store(here)
    made = Keys(store).create(Scope(team="a"))
    with started(here) as one, started(there) as other:
        assert one.find(made.token.encode()) == other.find(made.token.encode()) is not None
    store.close()
