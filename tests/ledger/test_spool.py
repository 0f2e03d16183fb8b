"""Acknowledged means written; what cannot be written is counted and never raised."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ledger_events import make_event, wait_for

from mesure.errors import LedgerError
from mesure.ledger import Spool
from mesure.ledger import spool as spool_module
from mesure.ledger.segments import Segment, find_segments
from mesure.record import FieldSink


def _read(folder: Path) -> list[int | None]:
    found = []
    for path in find_segments(folder):
        segment = Segment.open(path, 0, new=True)
        found += [event.turn for _, event in segment.read(100_000)]
        segment.close()
    return found


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_an_event_is_on_disk_when_record_returns(tmp_path):
    spool = Spool(tmp_path)
    for number in range(5):
        assert spool.record(make_event(number))
        assert _read(tmp_path) == list(range(number + 1))
    assert (spool.written, spool.failed) == (5, 0)
    spool.close()


def test_an_event_by_its_fields_is_written_as_the_event_is(tmp_path):
    spool = Spool(tmp_path)
    assert isinstance(spool, FieldSink)
    assert spool.record_fields(make_event(0).to_json())
    assert spool.record(make_event(1))
    assert spool.record_fields(make_event(2, team="\ud800").to_json()) is False
    assert _read(tmp_path) == [0, 1]
    assert (spool.written, spool.failed) == (2, 1)
    spool.close()
    assert spool.record_fields(make_event(3).to_json()) is False


def test_a_segment_is_locked_while_its_writer_lives_and_free_after(tmp_path):
    spool = Spool(tmp_path)
    spool.record(make_event())
    (path,) = find_segments(tmp_path)
    assert _is_locked(path)
    spool.close()
    assert not _is_locked(path)


def test_nothing_recorded_leaves_no_file(tmp_path):
    Spool(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_segment_is_followed_by_another(tmp_path):
    spool = Spool(tmp_path, segment_bytes=2_000)
    for number in range(40):
        assert spool.record(make_event(number))
    segments = find_segments(tmp_path)
    assert len(segments) > 2
    assert all(path.stat().st_size < 3_000 for path in segments)
    assert sorted(_read(tmp_path)) == list(range(40))
    wait_for(lambda: sum(map(_is_locked, segments)) == 1)  # the sync thread lets full ones go
    spool.close()


def test_many_threads_lose_nothing(tmp_path):
    spool = Spool(tmp_path, segment_bytes=20_000)
    threads = [
        threading.Thread(target=lambda first=first: [spool.record(make_event(first + i)) for i in range(100)])
        for first in range(0, 800, 100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spool.close()
    assert sorted(_read(tmp_path)) == list(range(800))
    assert spool.written == 800


def test_after_closing_events_count_as_failed(tmp_path):
    spool = Spool(tmp_path)
    spool.close()
    assert spool.record(make_event()) is False
    assert (spool.written, spool.failed) == (0, 1)


def test_an_event_that_is_not_json_counts_as_failed(tmp_path):
    spool = Spool(tmp_path)
    assert spool.record(make_event(team="\ud800")) is False
    assert spool.record(make_event(1))
    assert (spool.written, spool.failed) == (1, 1)
    assert spool.last_error == "the event cannot be written as JSON"
    spool.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB; needs the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False, capture_output=True)
    if made.returncode:
        pytest.skip("Mounting a small file system is not allowed here: the failing descriptor tests stand for it.")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_is_counted_and_forgotten_once_freed(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * 30_000)
    spool = Spool(small_disk)
    number = 0
    while spool.failed < 10:
        spool.record(make_event(number))
        number += 1
        assert number < 10_000
    kept = spool.written
    assert kept > 0
    ballast.unlink()
    assert spool.record(make_event(number))
    spool.close()
    assert len(_read(small_disk)) == kept + 1  # every acknowledged line, and no half line between them


def test_a_line_written_in_part_is_taken_back(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    spool.record(make_event(0))
    write = os.write
    monkeypatch.setattr(spool_module.os, "write", lambda fd, data: write(fd, data[: len(data) // 2]))
    assert spool.record(make_event(1)) is False
    monkeypatch.undo()
    assert spool.record(make_event(2))
    spool.close()
    assert _read(tmp_path) == [0, 2]
    assert spool.failed == 1


def test_a_line_that_cannot_be_taken_back_does_not_harm_the_next(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    spool.record(make_event(0))
    write = os.write

    def refuse(_fd: int, _size: int) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(spool_module.os, "write", lambda fd, data: write(fd, data[:30]))
    monkeypatch.setattr(spool_module.os, "ftruncate", refuse)
    assert spool.record(make_event(1)) is False
    monkeypatch.undo()
    assert spool.record(make_event(2))
    spool.close()
    assert _read(tmp_path) == [0, 2]


def test_a_dead_descriptor_is_replaced(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    spool.record(make_event(0))

    def refuse(_fd: int, _data: bytes) -> int:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(spool_module.os, "write", refuse)
    assert spool.record(make_event(1)) is False
    monkeypatch.undo()
    assert spool.record(make_event(2))
    spool.close()
    assert sorted(_read(tmp_path)) == [0, 2]


def test_a_removed_segment_is_noticed_and_replaced(tmp_path):
    spool = Spool(tmp_path)
    spool.record(make_event(0))
    find_segments(tmp_path)[0].unlink()

    def recorded_again() -> bool:
        spool.record(make_event(1))
        return bool(find_segments(tmp_path))

    wait_for(recorded_again)
    spool.close()


def test_a_forked_child_writes_a_segment_of_its_own(tmp_path):
    """In a process of its own: forking one that has threads is not for a test runner."""
    code = (
        "import os, sys\n"
        "from mesure.ledger.spool import Spool\n"
        "from ledger_events import make_event\n"
        "spool = Spool(sys.argv[1]); spool.record(make_event(0))\n"
        "pid = os.fork()\n"
        "spool.record(make_event(1 if pid else 2)); spool.close()\n"
        "os.waitpid(pid, 0) if pid else os._exit(0)\n"
    )
    here = str(Path(__file__).parent)
    subprocess.run(
        [sys.executable, "-c", code, tmp_path], check=True, env=os.environ | {"PYTHONPATH": here}, timeout=60
    )
    assert len(find_segments(tmp_path)) == 2
    assert sorted(_read(tmp_path)) == [0, 1, 2]


def test_an_unusable_folder_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="spool folder cannot be used") as caught:
        Spool(tmp_path / "file" / "spool")
    assert caught.value.code == "spool_unusable"
