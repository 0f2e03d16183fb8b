"""The store: transactions that hold on both databases, and what is said when it fails."""

from __future__ import annotations

import ast
import re
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pg8000.native import InterfaceError

from mesure.config import ServerSettings, Settings, StateSettings
from mesure.errors import ConfigError, StateError
from mesure.state import Store, open_store, store_at
from mesure.state.postgres import _PARAMETERS, _TLS, Postgres, _place, _Session
from mesure.state.sqlite import SQLite
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import PostgresServer

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mesure" / "state"


def put(store: Store, name: str, value: str) -> None:
    with store.writing() as transaction:
        transaction.run("INSERT INTO installation VALUES (:name, :value)", name=name, value=value)


def got(store: Store) -> dict[str, str]:
    with store.reading() as transaction:
        return {row["name"]: row["value"] for row in transaction.rows("SELECT name, value FROM installation")}


def test_what_is_written_is_read_again_by_another(settings: Settings, store: Store) -> None:
    put(store, "a", "réponse « é » 100 % :name ''")
    other = open_store(settings)
    assert got(other) == {"a": "réponse « é » 100 % :name ''"}
    other.close()


def test_a_block_that_raises_leaves_nothing(store: Store) -> None:
    def halfway() -> None:
        with store.writing() as transaction:
            transaction.run("INSERT INTO installation VALUES (:name, :value)", name="a", value="1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        halfway()
    assert got(store) == {}
    put(store, "a", "2")
    assert got(store) == {"a": "2"}


def test_counts_rows_changed_and_finds_one(store: Store) -> None:
    put(store, "a", "1")
    put(store, "b", "1")
    with store.writing() as transaction:
        assert transaction.run("UPDATE installation SET value = :value", value="2") == 2
        assert transaction.run("UPDATE installation SET value = :value WHERE name = :name", value="2", name="z") == 0
        assert transaction.one("SELECT value FROM installation WHERE name = :name", name="a") == {"value": "2"}
        assert transaction.one("SELECT value FROM installation WHERE name = :name", name="z") is None
        assert transaction.columns("SELECT * FROM installation") == ["name", "value"]
        assert sorted(row["name"] for row in transaction.each("SELECT * FROM installation")) == ["a", "b"]
        assert transaction.has_table("installation")
        assert not transaction.has_table("nothing")


def test_a_reader_sees_one_moment_and_waits_for_no_writer(store: Store) -> None:
    put(store, "a", "1")
    with store.reading() as before:
        assert before.one("SELECT COUNT(*) AS n FROM installation") == {"n": 1}
        put(store, "b", "2")
        assert before.one("SELECT COUNT(*) AS n FROM installation") == {"n": 1}
    assert set(got(store)) == {"a", "b"}
    with store.writing() as transaction:
        transaction.run("INSERT INTO installation VALUES ('c', '3')")
        assert set(got(store)) == {"a", "b"}


def test_writers_come_one_at_a_time(settings: Settings, store: Store) -> None:
    """Read, then write what was read plus one: no addition is lost, whatever the database."""
    put(store, "count", "0")

    def add(each: Store) -> None:
        for _ in range(10):
            with each.writing() as transaction:
                row = transaction.one("SELECT value FROM installation WHERE name = 'count'")
                assert row is not None
                transaction.run("UPDATE installation SET value = :value", value=str(int(row["value"]) + 1))

    stores = [store, store, store_at(settings), store_at(settings)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, stores))
    assert got(store) == {"count": "40"}
    for each in stores:
        each.close()


def test_a_foreign_key_must_lead_somewhere_at_the_end(store: Store) -> None:
    statement = "INSERT INTO virtual_key (id, hash, created_at_ms, replaced_by) VALUES (:id, :id, 0, :other)"
    with pytest.raises(StateError), store.writing() as transaction:
        transaction.run(statement, id="a", other="nobody")
    with store.reading() as transaction:
        assert transaction.rows("SELECT * FROM virtual_key") == []
    with store.writing() as transaction:
        transaction.run(statement, id="a", other="b")
        transaction.run(statement, id="b", other="a")
        transaction.settle()
        transaction.run("ALTER TABLE virtual_key ADD COLUMN note TEXT")
        transaction.run("DELETE FROM virtual_key WHERE id = 'a'")
        transaction.run("DELETE FROM virtual_key WHERE id = 'b'")


def test_a_refused_row_is_told_without_its_values(store: Store) -> None:
    put(store, "a", "secret-value")
    with pytest.raises(StateError) as raised:
        put(store, "a", "other-secret")
    assert raised.value.code == "state_refused"
    assert "secret" not in str(raised.value)
    assert got(store) == {"a": "secret-value"}


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
WHOLE = st.integers(-(2**63), 2**63 - 1)


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=40
)
@given(value=TEXTS, label=st.none() | TEXTS, whole=WHOLE)
def test_values_come_back_as_they_went(store: Store, value: str, label: str | None, whole: int) -> None:
    with store.writing() as transaction:
        transaction.run("DELETE FROM virtual_key")
        transaction.run(
            "INSERT INTO virtual_key (id, hash, label, created_at_ms) VALUES (:id, :hash, :label, :whole)",
            id="a",
            hash=value,
            label=label,
            whole=whole,
        )
    with store.reading() as transaction:
        row = transaction.one("SELECT hash, label, created_at_ms, revoked_at_ms FROM virtual_key")
    assert row == {"hash": value, "label": label, "created_at_ms": whole, "revoked_at_ms": None}


def test_threads_share_it_and_few_connections_stay(store: Store) -> None:
    put(store, "a", "1")
    together = threading.Barrier(8)

    def read(_: int) -> dict[str, str]:
        with store.reading() as transaction:
            together.wait(10)
            return {row["name"]: row["value"] for row in transaction.rows("SELECT * FROM installation")}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, range(8))) == [{"a": "1"}] * 8
    assert len(store._idle) == 4
    store.close()
    assert got(store) == {"a": "1"}


# What a statement may be


def _statements() -> Iterator[tuple[Path, ast.expr]]:
    for file in sorted(SOURCE.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("run", "rows", "one", "each", "columns")
                and node.args
            ):
                yield file, node.args[0]


def test_values_never_stand_in_a_statement() -> None:
    """Every statement is a constant. Backups alone put names into some: those of the store's own tables."""
    found = list(_statements())
    assert len(found) > 15
    made = {(file.name, ast.unparse(text)) for file, text in found if not isinstance(text, ast.Constant)}
    assert {name for name, _ in made} <= {"backup.py", "postgres.py", "schema.py", "store.py"}
    driver = [text for name, text in made if name == "postgres.py"]
    assert {name for text in driver for name in re.findall(r"\{(.*?)\}", text)} <= {"statement", "_EACH"}
    assert {text for name, text in made if name == "schema.py"} == {"_RECORD", "statement"}
    inside = {re.search(r"\{(.*)\}", text) for name, text in made if name == "backup.py"} - {None}
    assert {match[1] for match in inside if match} == {"table"}


def test_an_import_of_the_room_loads_no_driver() -> None:
    program = "import mesure.state, sys; print([n for n in ('pg8000', 'sqlalchemy', 'click') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# SQLite: what can go wrong


def sqlite_store(path: Path, patience_s: float = 0.05) -> Store:
    return Store(SQLite(path, patience_s=patience_s))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    settings = Settings(server=ServerSettings(data=str(tmp_path)))
    store = open_store(settings)
    put(store, "kept", "1")
    store.close()
    return tmp_path / "state.sqlite"


def refused(store: Store, *, writing: bool = True) -> StateError:
    with pytest.raises(StateError) as raised:
        put(store, "new", "2") if writing else got(store)
    store.close()
    error = raised.value
    assert error.value
    assert error.action
    return error


def test_only_its_owner_may_read_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store = sqlite_store(file)
    with store.writing():
        for part in file.parent.glob("state.sqlite*"):
            assert stat.S_IMODE(part.stat().st_mode) == 0o600, part
    store.close()


def test_another_program_holds_it(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    store = sqlite_store(file)
    error = refused(store)
    assert (error.code, error.value) == ("state_locked", str(file))
    assert got(store) == {"kept": "1"}  # readers do not wait for it
    other.execute("ROLLBACK")
    put(store, "new", "2")
    store.close()
    other.close()


def test_a_lock_that_goes_away_in_time_is_waited_for(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    store = sqlite_store(file, patience_s=15.0)
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(put, store, "new", "2")
        assert not done.done()
        other.execute("ROLLBACK")
        done.result(15)
    assert got(store) == {"kept": "1", "new": "2"}
    store.close()
    other.close()


def overwrite(file: Path, start: int, data: bytes) -> None:
    with file.open("r+b") as handle:
        handle.seek(start)
        handle.write(data)


@pytest.mark.parametrize("data", [b"\x00" * 4096, b"not a database at all, but text" * 200], ids=["blank", "text"])
def test_a_damaged_file_names_the_way_back(file: Path, data: bytes) -> None:
    overwrite(file, 0, data)
    error = refused(sqlite_store(file), writing=False)
    assert error.code == "state_damaged"
    assert "mesure state restore" in error.action


def test_damage_inside_is_found_by_the_check(file: Path) -> None:
    store = sqlite_store(file)
    store.check()
    store.close()
    size = file.stat().st_size
    for page in range(1, size // 4096):
        overwrite(file, page * 4096, b"\xff" * 64)
    store = sqlite_store(file)
    with pytest.raises(StateError) as raised:
        store.check()
    assert raised.value.code == "state_damaged"
    store.close()


def test_a_full_disk_keeps_what_was_stored(file: Path) -> None:
    """A quota on the file stands for the disk: the same SQLITE_FULL."""
    store = sqlite_store(file)
    with store.writing() as transaction:
        connection: Any = transaction._connection
        pages = connection.execute("PRAGMA page_count").fetchone()["page_count"]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError) as raised:
        put(store, "big", "x" * 100_000)
    assert raised.value.code == "state_full"
    assert "Free some space" in raised.value.action
    assert got(store) == {"kept": "1"}
    store.close()
    put(store, "big", "x" * 100_000)
    store.close()


def fill(file: Path) -> None:
    """Take all the room there is."""
    with suppress(OSError), file.open("ab", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def put_until_it_fails(store: Store) -> None:
    for number in range(100):
        put(store, f"n{number}", "x" * 4000)


@pytest.mark.slow
def test_a_full_file_system(tmp_path: Path) -> None:
    """A real one, of 1 MB, where this user may mount it."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("this user may not mount a file system: the full disk was tried with a quota only")
    try:
        store = open_store(Settings(server=ServerSettings(data=str(folder))))
        put(store, "kept", "1")
        fill(folder / "filler")
        with pytest.raises(StateError) as raised:
            put_until_it_fails(store)
        assert raised.value.code == "state_full"
        (folder / "filler").unlink()
        put(store, "again", "1")
        assert got(store).keys() >= {"kept", "again"}
        store.close()
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_file_set_aside_is_no_longer_written(file: Path) -> None:
    store = sqlite_store(file)
    assert got(store) == {"kept": "1"}
    for part in file.parent.glob("state.sqlite*"):
        part.rename(part.with_name("old-" + part.name))
    put(open_store(Settings(server=ServerSettings(data=str(file.parent)))), "fresh", "1")
    assert got(store) == {"fresh": "1"}
    store.close()


@pytest.mark.parametrize("name", ["a-file/state.sqlite", "/proc/no/state.sqlite"])
def test_a_place_that_cannot_hold_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").write_text("")
    assert refused(sqlite_store(tmp_path / name)).code == "state_readonly"


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").mkdir()
    assert refused(sqlite_store(tmp_path / "state.sqlite")).code == "state_unreachable"


# PostgreSQL: what can go wrong


def at(url: str, patience_s: float = 0.2) -> Store:
    return Store(Postgres(url, patience_s=patience_s))


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as raised:
        store_at(Settings(state=StateSettings(url="postgresql://me:hunter2@[broken/db")))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:hunter2@db.example/mesure", "postgresql://me@db.example/mesure"),
        ("postgresql://db.example:5433/mesure?password=hunter2", "postgresql://db.example:5433/mesure"),
        ("postgres://me@/mesure?host=/run/pg", "postgresql://me@/run/pg/mesure"),
    ],
)
def test_its_address_is_shown_without_the_password(url: str, shown: str) -> None:
    store = store_at(Settings(state=StateSettings(url=url)))
    assert (store.address, store.backend) == (shown, "postgresql")
    assert "hunter2" not in repr(store)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://me:p%40ss@db.example/mesure",
            ("db.example", 5432, "mesure", "me", "p@ss", None, "prefer", None),
        ),
        ("postgres://me@[::1]:6/d?sslmode=require", ("::1", 6, "d", "me", None, None, "require", None)),
        ("postgresql://me@/d?host=%2Frun%2Fpg", ("/run/pg", 5432, "d", "me", None, None, "disable", None)),
        ("postgresql://me@h", ("h", 5432, "me", "me", None, None, "prefer", None)),
        (
            "postgresql://h/d?user=me&password=x&port=7&options=-csearch_path%3Ds&sslmode=verify-full&sslrootcert=/ca",
            ("h", 7, "d", "me", "x", "-csearch_path=s", "verify-full", "/ca"),
        ),
    ],
)
def test_what_an_address_says(url: str, expected: tuple[object, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    assert _place(url) == expected
    monkeypatch.setenv("PGPASSWORD", "kept apart")
    assert _place(url).password == (expected[4] or "kept apart")


@pytest.mark.parametrize("wrong", ["sslmode=perhaps", "target_session_attrs=any", "port=many", "host"])
def test_a_parameter_that_is_not_known_is_said_and_no_password(wrong: str) -> None:
    with pytest.raises(ConfigError) as raised:
        at(f"postgresql://me:hunter2@h/d?{wrong}")
    assert "hunter2" not in str(raised.value)


def test_the_parameters_that_are_known_are_the_ones_said() -> None:
    with pytest.raises(ConfigError) as raised:
        at("postgresql://h/d?unknown=1")
    assert raised.value.value == "unknown"
    assert re.findall(r"[a-z-]+", raised.value.action.partition(":")[2]) == [
        *_PARAMETERS[: _PARAMETERS.index("sslmode") + 1], *_TLS, *_PARAMETERS[_PARAMETERS.index("sslmode") + 1 :]
    ]  # fmt: skip


def test_a_server_that_takes_the_connection_and_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"postgresql://me@127.0.0.1:{listener.getsockname()[1]}/d?sslmode=disable"
        with pytest.raises(InterfaceError) as raised:
            _Session(_place(url), 0.1)
    assert Postgres(url).told(raised.value).code == "state_unreachable"


@pytest.mark.parametrize("answer", [b"N", b"\x15\x03\x01\x00\x02\x02\x28", b""])
def test_no_word_is_sent_in_the_clear_to_a_server_that_cannot_prove_itself(answer: bytes) -> None:
    heard: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        taken, _ = listener.accept()
        with taken:
            heard.append(taken.recv(8))
            if answer:
                taken.sendall(answer if answer == b"N" else b"S")
                heard.append(taken.recv(4096))
                with suppress(OSError):
                    taken.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        done = pool.submit(serve, listener)
        url = f"postgresql://me:hunter2@127.0.0.1:{listener.getsockname()[1]}/d?sslmode=verify-full"
        assert refused(at(url)).code == "state_unreachable"
        done.result(20)
    assert b"hunter2" not in b"".join(heard)
    assert b"user" not in b"".join(heard)


def test_nobody_answers() -> None:
    error = refused(at("postgresql://me:hunter2@127.0.0.1:9/mesure"))
    assert error.code == "state_unreachable"
    assert "hunter2" not in str(error)
    assert "state.url" in error.action


def test_the_driver_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pg8000.exceptions", None)
    with pytest.raises(ConfigError) as raised:
        store_at(Settings(state=StateSettings(url="postgresql://h/d")))
    assert raised.value.code == "not_installed"
    assert "mesure[postgres]" in raised.value.action


@pytest.mark.slow
def test_a_database_that_is_not_there_or_not_ours(postgres: PostgresServer) -> None:
    assert refused(at(postgres.url("nowhere"))).code == "state_unreachable"


@pytest.mark.slow
def test_a_writer_elsewhere_is_waited_for_only_so_long(postgres: PostgresServer) -> None:
    url = postgres.new_schema()
    first = open_store(Settings(state=StateSettings(url=url)))
    second = at(url)
    with first.writing() as transaction:
        transaction.run("INSERT INTO installation VALUES ('a', '1')")
        assert refused(second).code == "state_locked"
        assert got(second) == {}
    put(second, "b", "2")
    assert set(got(first)) == {"a", "b"}
    first.close()
    second.close()


@pytest.mark.slow
def test_rows_come_by_portions_and_a_connection_half_read_is_let_go(postgres: PostgresServer) -> None:
    store = open_store(Settings(state=StateSettings(url=postgres.new_schema())))
    with store.writing() as transaction:
        transaction.run(
            "INSERT INTO installation SELECT 'n' || number, :value FROM generate_series(1, 1201) AS number", value="x"
        )
    with store.reading() as transaction:
        assert sum(1 for _ in transaction.each("SELECT * FROM installation")) == 1201
    with store.reading() as transaction:
        assert next(transaction.each("SELECT * FROM installation"))["value"] == "x"
    with pytest.raises(UnicodeEncodeError), store.writing() as transaction:
        transaction.run("UPDATE installation SET value = :value", value="\ud800")
    with pytest.raises(StateError) as raised, store.reading() as transaction:
        transaction.rows("SELECT nothing FROM nowhere")
    assert raised.value.code == "state_refused"
    assert len(got(store)) == 1201
    store.close()


def interrupted(store: Store, postgres: PostgresServer) -> None:
    with store.writing() as transaction:
        transaction.run("INSERT INTO installation VALUES ('lost', '1')")
        postgres.stop()
        transaction.run("INSERT INTO installation VALUES ('lost too', '1')")


@pytest.mark.slow
def test_a_server_that_stops_in_the_middle_and_comes_back(postgres: PostgresServer) -> None:
    store = open_store(Settings(state=StateSettings(url=postgres.new_schema())))
    put(store, "kept", "1")
    try:
        with pytest.raises(StateError) as raised:
            interrupted(store, postgres)
        assert raised.value.code == "state_unreachable"
        assert refused(store, writing=False).code == "state_unreachable"
    finally:
        postgres.start()
    assert got(store) == {"kept": "1"}
    put(store, "again", "1")
    store.close()


@pytest.mark.slow
def test_idle_connections_that_died_are_replaced_without_a_word(postgres: PostgresServer) -> None:
    store = open_store(Settings(state=StateSettings(url=postgres.new_schema())))
    together = threading.Barrier(3)

    def read(_: int) -> None:
        with store.reading():
            together.wait(10)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(read, range(3)))
    assert len(store._idle) == 3
    postgres.stop()
    postgres.start()
    put(store, "a", "1")
    assert got(store) == {"a": "1"}
    store.close()


@pytest.mark.slow
def test_a_user_without_rights_is_told_so(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    postgres.run("CREATE ROLE reader LOGIN", url)
    postgres.run("REVOKE CREATE ON SCHEMA public FROM PUBLIC", url)
    with pytest.raises(StateError) as raised:
        open_store(Settings(state=StateSettings(url=url.replace("mesure@", "reader@"))))
    assert raised.value.code == "state_readonly"


@pytest.mark.slow
def test_two_installations_share_a_database_in_schemas_of_their_own(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    stores = []
    for name in ("one", "two"):
        postgres.run(f"CREATE SCHEMA {name}", url)
        stores.append(open_store(Settings(state=StateSettings(url=f"{url}&options=-csearch_path%3D{name}"))))
        put(stores[-1], "name", name)
    assert [got(store) for store in stores] == [{"name": "one"}, {"name": "two"}]
    for store in stores:
        store.close()


def test_close_lets_go_of_the_file(file: Path) -> None:
    store = sqlite_store(file)
    got(store)
    store.close()
    eventually(lambda: not list(file.parent.glob("state.sqlite-*")))
