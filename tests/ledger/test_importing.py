"""An import writes each row once, however often and whenever it is stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ledger_events import make_event, turns

from mesure.errors import LedgerError
from mesure.ledger import ImportResult, KnownImport, Ledger, import_events, known_imports, remove_imports

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


# Files that grew


def test_the_rest_of_a_file_begins_where_another_import_ended(ledger):
    import_events(ledger, "a:1", _events(30), batch=20)
    rest = [make_event(number) for number in range(30, 100)]
    assert import_events(ledger, "b:1", rest, start=30, batch=20) == ImportResult(added=70, already=0)
    assert import_events(ledger, "b:1", rest, start=30) == ImportResult(added=0, already=70)
    assert turns(ledger) == list(range(100))


def test_a_rest_cut_in_the_middle_goes_on(ledger):
    rest = [make_event(number) for number in range(30, 100)]
    assert import_events(ledger, "b:1", rest[:25], start=30).added == 25
    assert import_events(ledger, "b:1", rest, start=30, batch=10) == ImportResult(added=45, already=25)
    assert turns(ledger) == list(range(30, 100))


# Known imports, and removal


def _of(content: str, count: int, **fields):
    return [make_event(number, origin=f"{content}:{number + 2}", **fields) for number in range(count)]


def test_known_imports_outlive_checkpoints_of_the_log(ledger):
    from deltalake import DeltaTable

    assert known_imports(ledger) == ()
    assert not ledger.path.exists()  # to look makes no table
    import_events(ledger, "a:1", _of("a", 3))
    ledger.append([make_event(1)], {"segment": 5})
    DeltaTable(str(ledger.path)).create_checkpoint()
    import_events(ledger, "b:2", _of("b", 2))
    assert known_imports(Ledger(ledger.path.parent)) == (
        KnownImport(import_id="a:1", done=3),
        KnownImport(import_id="b:2", done=2),
    )


def test_removal_takes_the_rows_of_that_import_only_and_they_can_come_back(ledger):
    import_events(ledger, "a:1", _of("a", 3, team="wrong"))
    import_events(ledger, "aa:1", _of("aa", 2))
    ledger.append([make_event(9)], {"segment": 5})
    (first,) = (found for found in known_imports(ledger) if found.content == "a")
    assert remove_imports(ledger, [first]) == 3
    assert ledger.count() == 3
    assert [(found.content, found.done) for found in known_imports(ledger)] == [("a", 0), ("aa", 2)]
    assert import_events(ledger, "a:1", _of("a", 3)) == ImportResult(added=3, already=0)
    assert ledger.count() == 6
    assert ledger.transaction_version("segment") == 5


def test_removal_of_rows_that_are_gone_already_is_recorded(ledger):
    ledger.append([], {"import:a:1": 4})
    assert remove_imports(ledger, known_imports(ledger)) == 0
    assert [found.done for found in known_imports(ledger)] == [0]


def test_removal_while_another_writer_commits(tmp_path, monkeypatch):
    ours, other = Ledger(tmp_path), Ledger(tmp_path)
    import_events(ours, "a:1", _of("a", 3))
    delete = Ledger._remove
    turns_taken = []

    def late(self, *args):
        if not turns_taken:
            turns_taken.append(1)
            other.append([make_event(7)], {"segment": 1})
        return delete(self, *args)

    monkeypatch.setattr(Ledger, "_remove", late)
    assert remove_imports(ours, known_imports(ours)) == 3
    assert turns(ours) == [7]


def test_an_import_that_is_removed_while_it_runs_says_so(tmp_path):
    ours, other = Ledger(tmp_path), Ledger(tmp_path)

    def removed():
        for number, event in enumerate(_of("a", 30)):
            if number == 15:
                remove_imports(other, known_imports(other))
            yield event

    with pytest.raises(LedgerError, match="removed"):
        import_events(ours, "a:1", removed(), batch=10)
    assert import_events(ours, "a:1", _of("a", 30)) == ImportResult(added=30, already=0)


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
