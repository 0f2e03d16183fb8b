"""The table: written once, by whoever; readable by any engine; older and newer schemas alike."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from arro3.core import Array, DataType, Table
from deltalake import DeltaTable, write_deltalake
from ledger_events import NOON, make_event, turns

from mesure.config import LedgerSettings
from mesure.errors import LedgerError
from mesure.ledger import Ledger, StaleBatch
from mesure.ledger.schema import COLUMNS, event_of, to_table
from mesure.record import identity_of


def _events(first: int, count: int, **fields):
    return [make_event(number, **fields) for number in range(first, first + count)]


def _rows(ledger: Ledger, columns: str) -> list[tuple]:
    with duckdb.connect() as connection:
        query = f"SELECT {columns} FROM read_parquet(?, union_by_name=true) ORDER BY turn"
        return connection.execute(query, [ledger.files()]).fetchall()


def test_a_new_ledger_is_empty_and_readable_by_name(ledger):
    assert (ledger.version, ledger.count(), ledger.files()) == (0, 0, [])
    assert {field.name for field in DeltaTable(str(ledger.path)).schema().fields} == set(COLUMNS)
    assert ledger.transaction_version("nobody") == 0


def test_rows_and_progress_go_together(ledger):
    snapshot = ledger.append(_events(0, 10), {"a": 100, "b": 7}).snapshot
    assert (snapshot.rows, ledger.count()) == (10, 10)
    assert (ledger.transaction_version("a"), ledger.transaction_version("b")) == (100, 7)
    assert turns(ledger) == list(range(10))


def test_every_field_comes_back(ledger):
    event = make_event(
        3,
        labels={"b": "é", "a": "x"},
        stream=True,
        cost=0.25,
        ended_at=NOON + timedelta(seconds=1),
        response_id="r-1",
        energy_j=3.5,
    )
    ledger.append([event], {})
    with duckdb.connect() as connection:
        wanted = ", ".join(f"epoch_us({n}) AS {n}" if kind == "datetime" else n for n, kind in COLUMNS.items())
        relation = connection.execute(f"SELECT {wanted} FROM read_parquet('{ledger.files()[0]}')")
        names = [column[0] for column in relation.description]
        row = dict(zip(names, relation.fetchone(), strict=True))
    assert row["identity"] == identity_of(event)
    assert row["labels"] == '{"a":"x","b":"\u00e9"}'
    found = event_of(row)
    assert found.ingested_at is not None
    assert abs(found.ingested_at - datetime.now(UTC)) < timedelta(minutes=5)
    assert found.to_json() | {"ingested_at": None} == event.to_json() | {"ingested_at": None}


def test_months_are_partitions(ledger):
    ledger.append([make_event(0), make_event(1, started_at=datetime(2026, 10, 31, 23, 59, tzinfo=UTC))], {})
    assert sorted(file.month for file in ledger.snapshot().files) == ["2026-10", "2026-11"]


def test_a_replay_is_refused_by_the_snapshot_it_would_go_to(tmp_path):
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    assert second.count() == 0  # has seen the empty table
    first.append(_events(0, 5), {"a": 50}, after={"a": 0})
    with pytest.raises(StaleBatch, match="already holds part"):
        second.append(_events(0, 5), {"a": 50}, after={"a": 0})
    second.append(_events(5, 5), {"a": 90}, after={"a": 50})
    assert turns(first) == list(range(10))


def test_writers_at_the_same_time_all_get_through(tmp_path):
    ledgers = [Ledger(tmp_path) for _ in range(3)]
    ledgers[0].count()

    def write(name: int) -> None:
        for step in range(4):
            events = _events(100 * name + 10 * step, 10)
            ledgers[name].append(events, {f"w{name}": step + 1}, after={f"w{name}": step})

    threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert turns(ledgers[0]) == sorted(100 * n + i for n in range(3) for i in range(40))
    assert [ledgers[0].transaction_version(f"w{n}") for n in range(3)] == [4, 4, 4]


def test_compaction_keeps_every_row_and_every_progress(tmp_path):
    ledger = Ledger(tmp_path, LedgerSettings(compact_files=5))
    for step in range(6):
        ledger.append(_events(10 * step, 10), {"a": step + 1})
        ledger.append([make_event(1000 + step, started_at=datetime(2026, 9, 1, tzinfo=UTC))], {})
    assert ledger.needs_compaction()
    rows = _rows(ledger, "id, turn, identity")
    assert ledger.compact() == 10
    assert not ledger.needs_compaction()
    assert len(ledger.files()) == 2
    assert _rows(ledger, "id, turn, identity") == rows
    assert ledger.transaction_version("a") == 6


def test_vacuum_deletes_only_what_no_kept_version_names(tmp_path):
    ledger = Ledger(tmp_path, LedgerSettings(log_retention_hours=0))
    for step in range(3):
        ledger.append(_events(10 * step, 10), {"a": step + 1})
    ledger.compact()
    assert ledger.vacuum() == 3
    assert turns(ledger) == list(range(30))
    kept = Ledger(tmp_path, LedgerSettings(log_retention_hours=24))
    kept.append(_events(30, 10), {})
    kept.compact()
    assert kept.vacuum() == 0


def _older_table(ledger: Ledger) -> None:
    """A table as a version of Mesure with fewer columns would have left it."""
    kept = [name for name in COLUMNS if name not in ("prefix_fingerprint", "input_items", "energy_scope", "labels")]
    rows = to_table(_events(0, 4), NOON).select(kept)
    write_deltalake(str(ledger.path), rows, partition_by=["month"])


def test_a_table_with_fewer_columns_is_read_and_grows(ledger):
    _older_table(ledger)
    assert ledger.count() == 4
    ledger.append(_events(4, 4, input_items=3, labels={"a": "b"}), {"a": 1}, after={"a": 0})
    assert _rows(ledger, "turn, input_items") == [*((n, None) for n in range(4)), *((n, 3) for n in range(4, 8))]
    assert {field.name for field in DeltaTable(str(ledger.path)).schema().fields} == set(COLUMNS)


def test_a_table_with_more_columns_keeps_them(ledger):
    rows = to_table(_events(0, 2), NOON)
    later = Table.from_pydict(
        {name: rows.column(name) for name in rows.column_names}
        | {"of_a_later_version": Array([1, 2], DataType.int64())}
    )
    write_deltalake(str(ledger.path), later, partition_by=["month"])
    ledger.append(_events(2, 2), {"a": 1})
    assert _rows(ledger, "turn, of_a_later_version") == [(0, 1), (1, 2), (2, None), (3, None)]


def test_a_value_of_the_wrong_type_is_unknown_and_holds_nothing_up(ledger):
    ledger.append(
        [make_event(0, input_tokens="many", team=5, cost=float("nan"), turn=0), make_event(1, input_tokens=2**70)],
        {},
    )
    assert _rows(ledger, "turn, input_tokens, team, cost") == [(0, None, None, None), (1, None, "team-1", None)]


def test_progress_survives_checkpoints(tmp_path):
    ledger = Ledger(tmp_path)
    for step in range(55):
        ledger.append([make_event(step)], {"a": step + 1}, after={"a": step})
    assert list((ledger.path / "_delta_log").glob("*.checkpoint.parquet"))
    again = Ledger(tmp_path)
    assert again.transaction_version("a") == 55
    assert turns(again) == list(range(55))


def test_a_folder_that_cannot_hold_a_table_is_said(tmp_path):
    (tmp_path / "ledger").write_text("not a folder")
    with pytest.raises(LedgerError, match="could not be") as caught:
        Ledger(tmp_path).count()
    assert caught.value.code == "ledger_unavailable"
    assert "free space" in caught.value.action


def test_a_failed_write_leaves_the_table_as_it_was(ledger, monkeypatch):
    ledger.append(_events(0, 3), {"a": 1})

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("deltalake.write_deltalake", full)
    with pytest.raises(LedgerError, match="could not be written"):
        ledger.append(_events(3, 3), {"a": 2}, after={"a": 1})
    monkeypatch.undo()
    assert (ledger.count(), ledger.transaction_version("a")) == (3, 1)
    ledger.append(_events(3, 3), {"a": 2}, after={"a": 1})
    assert turns(ledger) == list(range(6))


@pytest.mark.parametrize("name", ["a[1]", "a]b", "100%25"])
def test_a_folder_whose_name_no_address_can_hold_is_refused_in_words(tmp_path, name):
    """The engine would take the bracket for a host, and end the thread that asked."""
    with pytest.raises(LedgerError, match="path of the data folder") as caught:
        Ledger(tmp_path / name).count()
    assert caught.value.code == "folder_unusable"
    assert "another data folder" in caught.value.action


@pytest.mark.parametrize("name", ["with space", "it's", "a*b", "été", "a#b", "a{b}", "a,b"])
def test_other_names_of_folders_work(tmp_path, name):
    ledger = Ledger(tmp_path / name)
    ledger.append([make_event(1)], {})
    assert turns(ledger) == [1]
    assert len(Ledger(tmp_path / name).files()) == 1


def test_an_engine_that_gives_up_on_itself_is_an_error_like_others(ledger, monkeypatch):
    class PanicException(BaseException):
        """What the engine raises: no `Exception`, which would end the thread that commits."""

    def panics(*_, **__):
        raise PanicException("index out of bounds")

    ledger.append([make_event(1)], {})
    monkeypatch.setattr("deltalake.write_deltalake", panics)
    with pytest.raises(LedgerError, match="index out of bounds"):
        ledger.append([make_event(2)], {})
    monkeypatch.undo()
    ledger.append([make_event(3)], {})
    assert turns(ledger) == [1, 3]


def test_what_ends_the_program_is_not_an_error_of_the_ledger(ledger, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    ledger.count()
    monkeypatch.setattr("deltalake.write_deltalake", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ledger.append([make_event(2)], {})
