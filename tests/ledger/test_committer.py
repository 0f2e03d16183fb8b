"""From the spool to the table: each acknowledged event once, whatever dies and whenever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event, turns, wait_for

from mesure.config import LedgerSettings
from mesure.errors import LedgerError
from mesure.ledger import Committer, Ledger, Spool
from mesure.ledger.lines import encode
from mesure.ledger.segments import find_segments

_PROCESS = Path(__file__).parent / "writer_process.py"


@pytest.fixture
def running(tmp_path, quick):
    """A committer at work on `tmp_path`, and a spool."""
    ledger = Ledger(tmp_path, quick)
    committer = Committer(ledger, tmp_path / "spool", quick)
    committer.start()
    spool = Spool(tmp_path / "spool")
    yield ledger, committer, spool
    spool.close()
    committer.stop()


def _seen(committer: Committer) -> int:
    snapshot, recent = committer.consistent()
    return snapshot.rows + len(recent)


def test_events_show_before_they_are_in_the_table(tmp_path):
    slow = LedgerSettings(commit_seconds=3600, commit_events=10_000)
    ledger = Ledger(tmp_path, slow)
    committer, spool = Committer(ledger, tmp_path / "spool", slow), Spool(tmp_path / "spool")
    committer.start()
    event = make_event(7)
    spool.record(event)
    wait_for(lambda: committer.recent == (event,))
    assert ledger.count() == 0
    assert committer.state.recent == 1
    spool.close()
    committer.stop()
    assert turns(ledger) == [7]
    assert committer.recent == ()


def test_at_no_moment_is_an_event_counted_twice_or_lost(running):
    ledger, committer, spool = running
    stop = threading.Event()
    offered, wrong = [0], []

    def watch() -> None:
        highest = 0
        while not stop.is_set():
            acknowledged = spool.written
            seen = _seen(committer)
            # A line is there to be seen before its writer can say so: `written` is no upper bound
            if seen < highest or seen > offered[0]:
                wrong.append((acknowledged, seen, highest))
            highest = max(highest, seen)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(3_000):
        offered[0] = number + 1
        assert spool.record(make_event(number))
    wait_for(lambda: _seen(committer) == 3_000)
    wait_for(lambda: committer.state.committed == 3_000)
    stop.set()
    watcher.join()
    assert wrong == []
    assert turns(ledger) == list(range(3_000))


def test_what_was_waiting_is_committed_and_its_segment_deleted(tmp_path, quick):
    spool = Spool(tmp_path / "spool", segment_bytes=5_000)
    for number in range(50):
        spool.record(make_event(number))
    spool.close()
    assert len(find_segments(tmp_path / "spool")) > 2
    committer = Committer(ledger := Ledger(tmp_path, quick), tmp_path / "spool", quick)
    committer.start()
    wait_for(lambda: not find_segments(tmp_path / "spool"))
    committer.stop()
    assert turns(ledger) == list(range(50))


def test_backlog_is_read_in_bounded_parts(tmp_path):
    settings = LedgerSettings(commit_seconds=3600, commit_events=200)
    spool = Spool(tmp_path / "spool")
    for number in range(5_000):
        spool.record(make_event(number))
    spool.close()
    committer = Committer(ledger := Ledger(tmp_path, settings), tmp_path / "spool", settings)
    most = []
    committer.listen(lambda _: most.append(len(committer.recent)), backlog=True)
    committer.start()
    wait_for(lambda: committer.state.committed >= 4_800)
    committer.stop()
    assert max(most) <= 400
    assert turns(ledger) == list(range(5_000))


def test_listeners_get_new_events_and_the_backlog_only_if_asked(tmp_path, quick):
    spool = Spool(tmp_path / "spool")
    spool.record(make_event(0))
    committer = Committer(Ledger(tmp_path, quick), tmp_path / "spool", quick)
    live, everything, gone = [], [], []
    committer.listen(live.extend)
    committer.listen(everything.extend, backlog=True)
    committer.listen(lambda _: 1 / 0)  # a listener that fails harms nobody
    forget = committer.listen(gone.extend)
    forget()
    forget()
    committer.start()
    spool.record(make_event(1))
    wait_for(lambda: len(everything) == 2)
    spool.close()
    committer.stop()
    assert [event.turn for event in live] == [1]
    assert [event.turn for event in everything] == [0, 1]
    assert gone == []


def test_counters_hold_what_was_acknowledged_since_the_start(tmp_path, quick):
    spool = Spool(tmp_path / "spool")
    for number in range(5):
        spool.record(make_event(number))
    committer = Committer(Ledger(tmp_path, quick), tmp_path / "spool", quick)
    committer.start()
    for number in range(30):
        spool.record(make_event(number))
    wait_for(lambda: sum(row.calls for row in committer.counters.rows()) == 30)
    spool.close()
    committer.stop()
    assert sum(row.calls for row in committer.counters.rows()) == 30


def test_what_pages_show_the_metrics_have(running, monkeypatch):
    """Wherever the thread that reads the spool stops for a while."""
    _, committer, spool = running
    add, shown = committer.counters.add, []

    def slow(events):
        shown.append(_seen(committer))
        time.sleep(0.05)
        add(events)

    monkeypatch.setattr(committer.counters, "add", slow)
    for number in range(5):
        assert spool.record(make_event(number))
        wait_for(lambda number=number: _seen(committer) == number + 1)
        assert sum(row.calls for row in committer.counters.rows()) == number + 1
    assert shown == [0, 1, 2, 3, 4]


def test_a_second_committer_is_refused(tmp_path, quick, running):
    second = Committer(Ledger(tmp_path, quick), tmp_path / "spool", quick)
    with pytest.raises(LedgerError, match="Another Mesure already commits this data folder") as caught:
        second.start()
    assert caught.value.code == "committer_running"
    assert str(tmp_path) in str(caught.value.value)
    running[1].stop()
    second.start()
    second.stop()


def test_a_corrupt_line_and_a_torn_tail_are_counted_and_kept(tmp_path, quick, caplog):
    folder = tmp_path / "spool"
    folder.mkdir()
    lines = [bytearray(encode(make_event(number))) for number in range(4)]
    lines[1][30] ^= 1
    (folder / "a.spool").write_bytes(b"".join(lines)[:-10])
    committer = Committer(ledger := Ledger(tmp_path, quick), folder, quick)
    committer.start()
    wait_for(lambda: not find_segments(folder))
    state = committer.state
    committer.stop()
    assert (state.damaged_lines, state.torn_lines) == (1, 1)
    assert turns(ledger) == [0, 2]
    assert (folder / "a.spool.damaged").exists()
    assert "damaged or cut lines" in caplog.text


def test_a_commit_that_fails_is_tried_again_and_said(tmp_path, quick, monkeypatch):
    monkeypatch.setattr("mesure.ledger.committer._RETRY_S", 0.05)
    append, failing = Ledger.append, threading.Event()
    failing.set()

    def unreliable(self, *args, **kwargs):
        if failing.is_set():
            raise LedgerError("The ledger could not be written: No space left on device", action="Free some space.")
        return append(self, *args, **kwargs)

    monkeypatch.setattr(Ledger, "append", unreliable)
    committer, spool = (
        Committer(ledger := Ledger(tmp_path, quick), tmp_path / "spool", quick),
        Spool(tmp_path / "spool"),
    )
    committer.start()
    for number in range(1_500):  # more than the buffer holds
        spool.record(make_event(number))
    wait_for(lambda: "No space left" in (committer.state.last_error or ""))
    wait_for(lambda: committer.state.recent == 1_000)
    failing.clear()
    wait_for(lambda: committer.state.committed == 1_500)
    wait_for(lambda: committer.state.last_error is None)
    spool.close()
    committer.stop()
    assert turns(ledger) == list(range(1_500))


def test_a_commit_that_was_written_but_seemed_to_fail_is_not_repeated(tmp_path, quick, monkeypatch):
    monkeypatch.setattr("mesure.ledger.committer._RETRY_S", 0.05)
    append, failures = Ledger.append, []

    def fails_after_writing(self, *args, **kwargs):
        snapshot = append(self, *args, **kwargs)
        if len(failures) < 3:
            failures.append(1)
            raise LedgerError("The checkpoint could not be written", action="Try again.")
        return snapshot

    monkeypatch.setattr(Ledger, "append", fails_after_writing)
    committer, spool = (
        Committer(ledger := Ledger(tmp_path, quick), tmp_path / "spool", quick),
        Spool(tmp_path / "spool"),
    )
    committer.start()
    for number in range(400):
        spool.record(make_event(number))
        if number % 100 == 0:
            wait_for(lambda: len(committer.recent) == 0)
    spool.close()
    wait_for(lambda: _seen(committer) == 400)
    committer.stop()
    assert failures
    assert turns(ledger) == list(range(400))


def test_versions_of_others_are_seen(running):
    ledger, committer, _ = running
    Ledger(ledger.path.parent).append([make_event(0)], {})
    wait_for(lambda: committer.consistent()[0].rows == 1)


def test_small_files_are_compacted(tmp_path):
    settings = LedgerSettings(commit_seconds=0.05, compact_files=3)
    ledger = Ledger(tmp_path, settings)
    committer, spool = Committer(ledger, tmp_path / "spool", settings), Spool(tmp_path / "spool")
    committer.start()
    for number in range(5):
        spool.record(make_event(number))
        wait_for(lambda number=number: committer.state.committed == number + 1)
    wait_for(lambda: len(ledger.files()) <= 3)
    spool.close()
    committer.stop()
    assert turns(ledger) == list(range(5))


def test_the_state_is_json(running):
    state = running[1].state.to_json()
    assert state["running"] is True
    assert state["last_error"] is None
    assert set(state) >= {"lag_s", "committed", "recent", "spool_bytes", "damaged_lines"}


class _Machine:
    """One machine without threads, so that any interleaving can be tried: processes are started and killed at will."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.settings = folder, LedgerSettings(commit_events=3)
        self.acknowledged: list[int] = []
        self.spool: Spool | None = None
        self.committer: Committer | None = None

    def record(self) -> None:
        if self.spool is None:
            self.spool = Spool(self.folder / "spool", segment_bytes=900)
        number = len(self.acknowledged)
        assert self.spool.record(make_event(number))
        self.acknowledged.append(number)

    def kill_writer(self) -> None:
        if self.spool is not None:
            os.write(self.spool._fd, b"0badc0de {half a li")  # what a kill may leave
            for fd in (*self.spool._retired, self.spool._fd):
                os.close(fd)
            self.spool._retired, self.spool._fd, self.spool._size = [], -1, 1
            self.spool.close()
            self.spool = None

    def kill_committer(self) -> None:
        """Nothing is written, nothing is closed properly; the system releases its files."""
        if self.committer is not None:
            for segment in self.committer._segments.values():
                segment.close()
            self.committer._release_folder()
            self.committer = None

    def _started(self) -> Committer:
        if self.committer is None:
            self.committer = Committer(Ledger(self.folder, self.settings), self.folder / "spool", self.settings)
            self.committer._take_folder()
            self.committer._snapshot = self.committer.ledger.snapshot()
            self.committer._find_segments(new=False)
        return self.committer

    def tail(self) -> None:
        self._started()._tail()

    def commit(self) -> None:
        self._started()._commit()

    def discard(self) -> None:
        self._started()._discard_done()

    def killed_between_commit_and_knowing(self) -> None:
        committer = self._started()
        append = committer.ledger.append

        def last_act(*args, **kwargs):
            append(*args, **kwargs)
            raise KeyboardInterrupt

        committer.ledger.append = last_act  # type: ignore[method-assign]
        try:
            committer._commit()
        except KeyboardInterrupt:
            self.kill_committer()
        else:
            del committer.ledger.append

    def end(self) -> list[int]:
        self.kill_writer()
        self.kill_committer()
        committer = Committer(ledger := Ledger(self.folder, self.settings), self.folder / "spool", self.settings)
        committer.start()
        committer.stop()
        assert find_segments(self.folder / "spool") == []
        return turns(ledger)


_STEPS = ("record", "tail", "commit", "discard", "kill_writer", "kill_committer", "killed_between_commit_and_knowing")


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(("record", "record", "record", *_STEPS)), max_size=25))
def test_any_interleaving_gives_each_event_once(tmp_path_factory, steps):
    machine = _Machine(tmp_path_factory.mktemp("machine"))
    for step in steps:
        getattr(machine, step)()
    assert machine.end() == machine.acknowledged


def _start(role: str, data: Path, first: int = 0, count: int = 0) -> subprocess.Popen[bytes]:
    arguments = [sys.executable, _PROCESS, role, data, str(first), str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE)


def _kill(process: subprocess.Popen[bytes]) -> list[int]:
    """End it as the system would; the numbers it had printed."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    with process.stdout as printed:
        return [int(line) for line in printed.read().split(b"\n")[:-1] if line.isdigit()]


def test_killed_writers_and_committers_lose_and_double_nothing(tmp_path, quick):
    """kill -9, again and again, of processes at work."""
    acknowledged: list[int] = []
    for step in range(4):
        committer = _start("committer", tmp_path)
        assert committer.stdout is not None
        assert committer.stdout.readline() == b"started\n"
        writer = _start("writer", tmp_path, 100_000 * step, 50_000)
        assert writer.stdout is not None
        acknowledged += [int(writer.stdout.readline()) for _ in range(150 + 130 * step)]
        acknowledged += _kill(committer if step % 2 else writer)
        acknowledged += _kill(writer if step % 2 else committer)
    last = Committer(ledger := Ledger(tmp_path, quick), tmp_path / "spool", quick)
    last.start()
    wait_for(lambda: not find_segments(tmp_path / "spool"))
    state = last.state
    last.stop()
    stored = turns(ledger)
    assert len(stored) == len(set(stored)), "an event is in the table twice"
    missing = set(acknowledged) - set(stored)
    assert not missing, "an acknowledged event is lost"
    # A line may be written and its writer killed before it could say so: at most one per kill
    assert len(set(stored) - set(acknowledged)) <= 4
    assert state.damaged_lines == 0


def test_a_segment_read_but_not_yet_shown_is_kept(tmp_path, quick, monkeypatch):
    """Its writer is dead and all of it is read: deleted now, a crash would lose acknowledged calls."""
    monkeypatch.setattr("mesure.ledger.committer._FOREIGN_POLL_S", 0.005)
    spool = Spool(tmp_path / "spool")
    for number in range(5):
        assert spool.record(make_event(number))
    spool.close()
    ledger = Ledger(tmp_path, quick)
    committer = Committer(ledger, tmp_path / "spool", quick)
    rounds, reading = [], threading.Event()
    foreign, see = committer._see_foreign, committer._see

    def counted():
        if reading.is_set():
            rounds.append(len(find_segments(tmp_path / "spool")))
        return foreign()

    def slow(segment, found):
        if found:
            reading.set()
            wait_for(lambda: len(rounds) >= 4)  # the other thread goes round meanwhile
        see(segment, found)

    monkeypatch.setattr(committer, "_see_foreign", counted)
    monkeypatch.setattr(committer, "_see", slow)
    committer.start()
    wait_for(lambda: ledger.count() == 5)
    wait_for(lambda: not find_segments(tmp_path / "spool"))
    committer.stop()
    assert rounds[:4] == [1, 1, 1, 1]
    assert turns(ledger) == [0, 1, 2, 3, 4]


def test_a_file_that_cannot_be_read_does_not_hold_up_the_others(tmp_path, quick, monkeypatch):
    from mesure.ledger.segments import Segment

    for number in range(3):
        spool = Spool(tmp_path / "spool")
        spool.record(make_event(number))
        spool.close()
    first = find_segments(tmp_path / "spool")[0].name
    read = Segment.read
    ill = {first}

    def failing(segment, limit):
        if segment.name in ill:
            raise OSError(5, "Input/output error")
        return read(segment, limit)

    monkeypatch.setattr(Segment, "read", failing)
    ledger = Ledger(tmp_path, quick)
    committer = Committer(ledger, tmp_path / "spool", quick)
    committer.start()
    wait_for(lambda: ledger.count() == 2)
    assert "Input/output error" in (committer.state.last_error or "")
    ill.clear()
    wait_for(lambda: ledger.count() == 3)
    wait_for(lambda: committer.state.last_error is None)
    committer.stop()
    assert turns(ledger) == [0, 1, 2]
