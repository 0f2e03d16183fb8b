"""The one database that questions share: bounded in memory, separate in what they name."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from mesure.config import LedgerSettings, load_settings
from mesure.errors import ConfigError
from mesure.ledger import Ledger
from mesure.ledger.database import _Database, allow_memory, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

_SETTINGS = "SELECT current_setting('memory_limit'), current_setting('threads'), current_setting('temp_directory')"


@pytest.fixture
def database() -> Iterator[_Database]:
    found = _Database()
    yield found
    if found._opened is not None:
        found._opened.close()


def _mib(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"MiB": 1.0, "GiB": 1024.0}[unit]


def test_memory_and_threads_are_bounded(database: _Database) -> None:
    limit, threads, spill = database.cursor().execute(_SETTINGS).fetchall()[0]
    assert _mib(limit) == pytest.approx(256e6 / 2**20, abs=0.1)
    assert 1 <= threads <= 4
    assert str(os.getpid()) in spill
    assert not spill.startswith(str(Path.cwd()))


@pytest.mark.parametrize(("memory_mb", "most"), [(128.0, 2), (200.0, 3), (10_000.0, 156)])
def test_every_thread_has_its_part(database: _Database, memory_mb: float, most: int) -> None:
    database.cursor().close()
    database.allow(memory_mb)
    limit, threads, _ = database.cursor().execute(_SETTINGS).fetchall()[0]
    assert _mib(limit) == pytest.approx(memory_mb * 1e6 / 2**20, rel=1e-2)
    assert threads == min(os.cpu_count() or 1, most)


def test_a_question_larger_than_its_memory_is_answered_from_the_disk(database: _Database) -> None:
    database.memory_mb = 128.0
    rows = "SELECT repeat('x', 150) || (i % 900000) AS t FROM range(1000000) AS r(i)"
    asked = f"SELECT count(*), sum(n), max(length(t)) FROM (SELECT t, count(*) n FROM ({rows}) GROUP BY t)"
    assert database.cursor().execute(asked).fetchall() == [(900_000, 1_000_000, 156)]


def test_what_one_names_is_not_the_others(database: _Database) -> None:
    one, other = database.cursor(), database.cursor()
    one.execute("CREATE TEMP TABLE stored AS SELECT 1 AS a")
    one.execute("CREATE TEMP VIEW staged AS SELECT * FROM stored")
    with pytest.raises(duckdb.CatalogException):
        other.execute("SELECT * FROM staged")
    other.execute("CREATE TEMP TABLE stored AS SELECT 2 AS a")
    assert [each.execute("SELECT a FROM stored").fetchall() for each in (one, other)] == [[(1,)], [(2,)]]
    one.close()
    assert other.execute("SELECT a FROM stored").fetchall() == [(2,)]


def test_many_threads_ask_at_once(database: _Database) -> None:
    found: list[int] = []

    def ask(number: int) -> None:
        with database.cursor() as connection:
            [(total,)] = connection.execute("SELECT sum(i) + ? FROM range(200000) AS r(i)", [number]).fetchall()
        found.append(int(total))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [199_999 * 100_000 + number for number in range(12)]


def test_the_configuration_sets_it_and_refuses_too_little(tmp_path: Path) -> None:
    try:
        Ledger(tmp_path, LedgerSettings(memory_mb=160.0))
        [(limit,)] = connect().execute("SELECT current_setting('memory_limit')").fetchall()
        assert _mib(limit) == pytest.approx(160e6 / 2**20, abs=0.1)
        Ledger(tmp_path)  # a look at a folder in passing changes nothing
        assert connect().execute("SELECT current_setting('memory_limit')").fetchall() == [(limit,)]
    finally:
        allow_memory(LedgerSettings().memory_mb)
    file = tmp_path / "mesure.toml"
    file.write_text("[ledger]\nmemory_mb = 10\n")
    with pytest.raises(ConfigError, match="memory_mb"):
        load_settings(file)
