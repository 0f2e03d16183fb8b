from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mesure.config import ReceiverSettings
from mesure.errors import UnknownName
from mesure.policy.alerts import AlertBook, wanted_by
from mesure.policy.outbox import Outbox
from mesure.policy.rules import Alert

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
CODES = {"budget_threshold", "unknown_model"}
ALERT = Alert(code="budget_threshold", severity="warning", key="b:1", scope={"team": "support"}, facts={"share": 0.8})
OTHER = Alert(code="unknown_model", severity="info", key="m:1", scope={"model": "house-1"})
EVERYBODY = {"all": ReceiverSettings(kind="slack", url="http://x", least="info")}


class Clock:
    def __init__(self) -> None:
        self.now = AT.timestamp()

    def __call__(self) -> float:
        return self.now

    def later(self, **given) -> None:
        self.now += timedelta(**given).total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(store, clock) -> AlertBook:
    return AlertBook(store, clock=clock)


@pytest.fixture
def box(store, clock) -> Outbox:
    return Outbox(store, clock=clock)


def now_of(clock):
    return datetime.fromtimestamp(clock.now, UTC)


def test_a_thing_is_new_once(book, box, clock):
    assert [kept.alert for kept in book.record([ALERT, ALERT], CODES, EVERYBODY)] == [ALERT]
    for _ in range(5):
        clock.later(minutes=1)
        assert book.record([ALERT], CODES, EVERYBODY) == []
    [kept] = book.all()
    assert kept.opened_at == AT
    assert kept.seen_at == AT + timedelta(minutes=5)
    assert kept.state(AT) == "open"
    assert len(box.all()) == 1


def test_its_numbers_are_the_latest(book):
    book.record([ALERT], CODES, {})
    book.record([replace(ALERT, facts={"share": 0.9}, severity="serious")], CODES, {})
    assert book.all()[0].alert.facts == {"share": 0.9}
    assert book.all()[0].alert.severity == "serious"


def test_it_is_resolved_when_it_is_over_and_may_come_back_without_a_word(book, box, clock):
    book.record([ALERT, OTHER], CODES, EVERYBODY)
    clock.later(minutes=1)
    book.record([OTHER], CODES, EVERYBODY)
    assert [kept.alert.code for kept in book.all()] == ["unknown_model"]
    resolved = next(kept for kept in book.all(resolved=True) if kept.alert.code == "budget_threshold")
    assert resolved.state(AT) == "resolved"
    assert resolved.resolved_at == AT + timedelta(minutes=1)
    assert book.record([ALERT, OTHER], CODES, EVERYBODY) == []
    assert len(book.all()) == 2
    assert len(box.all()) == 2


def test_what_was_not_looked_at_is_not_resolved(book):
    book.record([ALERT, OTHER], CODES, {})
    book.record([], {"budget_threshold"}, {})
    assert [kept.alert.code for kept in book.all()] == ["unknown_model"]


def test_snoozed_it_is_told_to_nobody_then_again(book, box, clock):
    [kept] = book.record([ALERT], CODES, EVERYBODY)
    assert box.claim() is not None  # the first message leaves
    book.snooze(kept.id, AT + timedelta(days=1))
    assert book.all()[0].state(now_of(clock)) == "snoozed"
    clock.later(hours=23)
    book.record([ALERT], CODES, EVERYBODY)
    assert len(box.all()) == 1
    clock.later(hours=2)
    book.record([ALERT], CODES, EVERYBODY)
    assert book.all()[0].state(now_of(clock)) == "open"
    assert sorted(message.kind.partition("-")[0] for message in box.all()) == ["again", "new"]
    clock.later(hours=2)
    book.record([ALERT], CODES, EVERYBODY)
    assert len(box.all()) == 2


def test_snoozed_and_over_it_is_not_told_again(book, box, clock):
    [kept] = book.record([ALERT], CODES, EVERYBODY)
    box.claim()
    book.snooze(kept.id, AT + timedelta(hours=1))
    book.record([], CODES, EVERYBODY)
    clock.later(hours=2)
    book.record([ALERT], CODES, EVERYBODY)
    assert [message.kind for message in box.all()] == ["new"]


@pytest.mark.parametrize("ended", ["resolved", "snoozed"])
def test_what_was_not_sent_of_a_thing_that_ended_is_dropped(book, box, clock, ended):
    [kept] = book.record([ALERT], CODES, EVERYBODY)
    if ended == "resolved":
        book.record([], CODES, EVERYBODY)
    else:
        book.snooze(kept.id, AT + timedelta(days=1))
    assert box.claim() is None
    assert box.all() == []


@pytest.mark.parametrize(
    ("least", "team", "told"),
    [
        ("info", "", True),
        ("warning", "", True),
        ("serious", "", False),
        ("info", "support", True),
        ("info", "hr", False),
    ],
)
def test_who_is_told(least, team, told):
    assert wanted_by(ReceiverSettings(least=least, team=team), ALERT) is told


def test_alerts_are_named_by_the_end_of_their_id(book, clock):
    [kept] = book.record([ALERT], CODES, {})
    assert book.find(kept.id[-8:]).id == book.find(kept.id).id == kept.id
    for name in ("", "zzz", kept.id[-3:], "not-there"):
        with pytest.raises(UnknownName):
            book.find(name)


def test_old_messages_are_forgotten_when_they_are_done(book, box, clock):
    book.record([ALERT, OTHER], CODES, EVERYBODY)
    message = box.claim()
    box.sent(message)
    clock.later(days=40)
    assert box.forget(now_of(clock)) == 1
    assert [left.state for left in box.all()] == ["waiting"]
    assert box.attempts(message) == []


def test_an_alert_and_its_messages_are_written_together(book, box, store, monkeypatch):
    import mesure.policy.alerts as module

    def full(*_):
        raise RuntimeError

    monkeypatch.setattr(module, "enqueue", full)
    with pytest.raises(RuntimeError):
        book.record([ALERT], CODES, EVERYBODY)
    monkeypatch.undo()
    assert book.all(resolved=True) == []
    assert len(book.record([ALERT], CODES, EVERYBODY)) == 1
    assert len(box.all()) == 1
