"""What a commit asks of the disk, two tables made at once, and files large enough to be left alone."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from deltalake.exceptions import DeltaError
from ledger_events import make_event, turns

from mesure.config import LedgerSettings
from mesure.errors import LedgerError
from mesure.ledger import Ledger, StaleBatch
from mesure.ledger import table as table_module
from mesure.record import UsageEvent


def events(count: int, first: int = 0) -> list[UsageEvent]:
    return [make_event(number) for number in range(first, first + count)]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file and folder that the disk is asked to hold."""
    found: list[Path] = []
    sync = table_module._sync

    def seen(path: Path) -> None:
        found.append(path)
        sync(path)

    monkeypatch.setattr(table_module, "_sync", seen)
    return found


def test_a_commit_holds_its_files_their_folder_itself_and_the_log(ledger: Ledger, synced: list[Path]) -> None:
    """Segments of the spool are deleted on the strength of it."""
    for step in range(3):
        synced.clear()
        before = set(ledger.files())
        snapshot = ledger.append(events(2, first=2 * step), {"a": step + 1}).snapshot
        [written] = set(ledger.files()) - before
        log = ledger.path / "_delta_log"
        assert synced == [Path(written), Path(written).parent, log / f"{snapshot.version:020d}.json", log]
        assert all(path.exists() for path in synced)


def test_a_compaction_and_a_removal_are_held_too(ledger: Ledger, synced: list[Path]) -> None:
    for step in range(3):
        ledger.append([make_event(step, origin=f"abc:{step}")], {})
    synced.clear()
    assert ledger.compact() == 2
    assert ledger.path / "_delta_log" / f"{ledger.version:020d}.json" in synced
    assert [Path(uri) for uri in ledger.files()] == [path for path in synced if path.suffix == ".parquet"]
    synced.clear()
    assert ledger.remove(["abc:1"], {"import:abc": 0}) == 1
    assert ledger.path / "_delta_log" / f"{ledger.version:020d}.json" in synced
    synced.clear()
    assert ledger.remove(["abc:1"], {"import:abc": 0}) == 0, "gone already, and said all the same"
    assert ledger.path / "_delta_log" / f"{ledger.version:020d}.json" in synced
    assert turns(ledger) == [0, 2]


def test_a_disk_that_cannot_promise_does_not_lose_the_commit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(table_module, "_sync", refuse)
    assert ledger.append(events(2), {"a": 1}).snapshot.rows == 2


def test_tables_made_at_once_by_several_are_one(tmp_path: Path) -> None:
    ledgers, errors = [Ledger(tmp_path) for _ in range(4)], []
    start = threading.Barrier(len(ledgers))

    def write(number: int) -> None:
        start.wait()
        try:
            ledgers[number].append(events(3, first=3 * number), {f"segment-{number}": 1})
        except LedgerError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert turns(ledgers[0]) == list(range(12))
    assert {ledger.count() for ledger in ledgers} == {12}


def test_a_table_that_somebody_made_first_is_taken_and_one_nobody_could_make_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deltalake import DeltaTable

    create = DeltaTable.create

    def late(*args: object, **kwargs: object) -> object:
        create(*args, **kwargs)  # type: ignore[arg-type]
        raise DeltaError("a table exists there already")

    def never(*args: object, **kwargs: object) -> object:
        raise DeltaError("no table can be made here")

    monkeypatch.setattr(DeltaTable, "create", late)
    first = Ledger(tmp_path / "late")
    first.append(events(1), {})
    assert first.count() == 1
    monkeypatch.setattr(DeltaTable, "create", never)
    with pytest.raises(LedgerError, match="no table can be made here") as refused:
        Ledger(tmp_path / "never").count()
    assert refused.value.code == "ledger_unavailable"


def test_files_large_enough_are_left_alone_by_compaction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(tmp_path, LedgerSettings(compact_files=2))
    for step in range(3):
        ledger.append(events(5, first=5 * step), {})
    sizes = [file.size_bytes for file in ledger.snapshot().files]
    monkeypatch.setattr(table_module, "_TARGET_BYTES", 2 * min(sizes))
    assert not ledger.needs_compaction()
    assert ledger.compact() == 0
    monkeypatch.setattr(table_module, "_TARGET_BYTES", 2 * max(sizes) + 2)
    assert ledger.needs_compaction()
    monkeypatch.setattr(table_module, "_TARGET_BYTES", 16 << 20)
    assert ledger.compact() == 2
    assert turns(ledger) == list(range(15))


def test_a_stale_batch_says_how_far_the_table_is(ledger: Ledger) -> None:
    ledger.append(events(2), {"segment": 120}, after={"segment": 0})
    with pytest.raises(StaleBatch, match="120, expected 0") as stale:
        ledger.append(events(2), {"segment": 120}, after={"segment": 0})
    assert stale.value.code == "stale_batch"
    assert turns(ledger) == [0, 1]


def test_a_snapshot_is_what_one_version_holds_whatever_comes_after(ledger: Ledger) -> None:
    ledger.append(events(2), {})
    first = ledger.snapshot()
    ledger.append(events(3, first=2), {})
    assert (first.rows, ledger.snapshot().rows) == (2, 5)
    assert first.version + 1 == ledger.version
    assert set(first.files) < set(ledger.snapshot().files)
    assert {file.month for file in first.files} == {"2026-11"}
    assert sum(file.rows for file in ledger.snapshot().files) == ledger.count() == 5
    assert ledger.snapshot() is ledger.snapshot(), "read once a version"
