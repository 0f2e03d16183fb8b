"""An import writes each row once, however often and whenever it is stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ledger_events import make_event, turns

from mesure.errors import LedgerError
from mesure.ledger import ImportResult, Ledger, import_events

_PROCESS = Path(__file__).parent / "writer_process.py"


def _events(count: int):
    return (make_event(number) for number in range(count))


def test_a_second_import_adds_nothing(ledger):
    seen = []
    assert import_events(ledger, "a", _events(250), batch=100, progress=seen.append) == ImportResult(
        added=250, already=0
    )
    assert seen == [100, 200, 250]
    assert import_events(ledger, "a", _events(250), batch=100) == ImportResult(added=0, already=250)
    assert import_events(ledger, "a", _events(250), batch=77) == ImportResult(added=0, already=250)
    assert turns(ledger) == list(range(250))


def test_another_import_is_another(ledger):
    import_events(ledger, "a", _events(10))
    assert import_events(ledger, "b", _events(10)) == ImportResult(added=10, already=0)
    assert ledger.count() == 20


def test_rows_added_to_the_file_are_added(ledger):
    import_events(ledger, "a", _events(130), batch=100)
    assert import_events(ledger, "a", _events(180), batch=100) == ImportResult(added=50, already=130)
    assert turns(ledger) == list(range(180))


def test_nothing_to_import(ledger):
    assert import_events(ledger, "a", []) == ImportResult(added=0, already=0)
    assert ledger.count() == 0


def test_the_same_import_running_twice_at_once(tmp_path):
    """The other one is ahead in the middle of ours, by a part of our batch."""
    ours, other = Ledger(tmp_path), Ledger(tmp_path)

    def slowed():
        for number, event in enumerate(_events(300)):
            if number == 150:
                import_events(other, "a", _events(230), batch=90)
            yield event

    result = import_events(ours, "a", slowed(), batch=100)
    assert turns(ours) == list(range(300))
    assert result == ImportResult(added=170, already=130)


def test_an_error_leaves_what_was_done_and_a_rerun_ends_it(ledger, monkeypatch):
    append = Ledger.append
    calls = []

    def fails_third(self, *args, **kwargs):
        calls.append(1)
        if len(calls) == 3:
            raise LedgerError("The ledger could not be written", action="Free some space.")
        return append(self, *args, **kwargs)

    monkeypatch.setattr(Ledger, "append", fails_third)
    with pytest.raises(LedgerError):
        import_events(ledger, "a", _events(500), batch=100)
    assert ledger.count() == 200
    assert import_events(ledger, "a", _events(500), batch=100) == ImportResult(added=300, already=200)
    assert turns(ledger) == list(range(500))


def test_killed_in_the_middle_and_run_again(tmp_path):
    process = subprocess.Popen([sys.executable, _PROCESS, "import", tmp_path, "0", "1500"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    while int(process.stdout.readline()) < 300:
        pass
    process.kill()
    process.wait()
    process.stdout.close()
    ledger = Ledger(tmp_path)
    before = ledger.count()
    assert 300 <= before < 1500
    assert import_events(ledger, "file", _events(1500), batch=400) == ImportResult(added=1500 - before, already=before)
    assert turns(ledger) == list(range(1500))
