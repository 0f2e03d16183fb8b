"""The list of applications, from checkpoints and commits of the log."""

from __future__ import annotations

from deltalake import DeltaTable
from ledger_events import make_event

from mesure.ledger.log import logged_applications


def test_applications_of_a_table_without_a_checkpoint(ledger):
    ledger.append([make_event(1)], {"a": 1, "b": 2})
    ledger.append([make_event(2)], {"a": 2})
    assert logged_applications(ledger.path) == {"a", "b"}


def test_those_of_before_and_after_the_last_checkpoint(ledger):
    for number, name in enumerate("abcd"):
        ledger.append([make_event(number)], {name: 1})
        if name in "ac":
            DeltaTable(str(ledger.path)).create_checkpoint()
    commits = sorted((ledger.path / "_delta_log").glob("*.json"))
    for commit in commits[:3]:  # as the engine does once they are old
        commit.unlink()
    assert logged_applications(ledger.path) == set("abcd")


def test_a_table_where_nobody_wrote(ledger):
    ledger.count()
    assert logged_applications(ledger.path) == set()
