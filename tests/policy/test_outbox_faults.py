"""The outbox while its store fails, and while many write at once: nothing is lost, nothing is sent for nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.config import ReceiverSettings, Settings
from mesure.errors import StateError
from mesure.policy.alerts import AlertBook
from mesure.policy.delivery import Delivery
from mesure.policy.notices import Notice
from mesure.policy.outbox import Outbox
from mesure.policy.rules import Alert
from mesure.policy.webhooks import signature

RECEIVERS = {"chat": ReceiverSettings(kind="slack", url="http://127.0.0.1:1/")}
NOTICE = Notice("title", "text", (), "action", "", "", "info", "en")


def alert(number: int) -> Alert:
    return Alert(code="failing_calls", severity="warning", key=f"failing:{number}", facts={"calls": number})


class Counting:
    """A receiver in memory: which identities came, how often."""

    def __init__(self) -> None:
        self.came: dict[str, int] = {}
        self._lock = threading.Lock()

    def send(self, notice, message, at) -> None:
        with self._lock:
            self.came[message.identity] = self.came.get(message.identity, 0) + 1


def delivery_to(receiver: Counting) -> Delivery:
    delivery = Delivery(Settings(receivers=RECEIVERS), lambda message, language: NOTICE)
    delivery._webhooks = {"chat": receiver}
    return delivery


def test_several_watches_write_one_alert_once(store):
    books = [AlertBook(store) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda book: book.record([alert(1)], {"failing_calls"}, RECEIVERS), books))
    assert sum(map(len, found)) == 1
    assert len(Outbox(store).all()) == 1


def test_a_store_that_fails_before_the_claim_sends_nothing_and_loses_nothing(store, monkeypatch):
    AlertBook(store).record([alert(1)], {"failing_calls"}, RECEIVERS)
    receiver, box = Counting(), Outbox(store)
    delivery = delivery_to(receiver)

    def away():
        raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")

    monkeypatch.setattr(box, "claim", away)
    with pytest.raises(StateError):
        delivery.run(box)
    assert receiver.came == {}
    monkeypatch.undo()
    assert delivery.run(box) == 1
    assert list(receiver.came.values()) == [1]


def test_a_store_that_fails_after_the_message_left_sends_it_again_as_the_same(store, monkeypatch):
    now = [datetime(2026, 11, 22, 12, tzinfo=UTC)]
    clock = lambda: now[0].timestamp()  # noqa: E731
    AlertBook(store, clock=clock).record([alert(1)], {"failing_calls"}, RECEIVERS)
    receiver, box = Counting(), Outbox(store, clock=clock)
    delivery = delivery_to(receiver)

    def away(message):
        raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")

    monkeypatch.setattr(box, "sent", away)
    with pytest.raises(StateError):
        delivery.run(box)
    monkeypatch.undo()
    now[0] += timedelta(minutes=3)
    assert delivery.run(box) == 1
    assert list(receiver.came.values()) == [2]  # twice, under one identity
    assert [message.state for message in box.all()] == ["sent"]


def test_many_messages_many_senders_each_once(store):
    AlertBook(store).record([alert(number) for number in range(40)], {"failing_calls"}, RECEIVERS)
    receiver = Counting()
    with ThreadPoolExecutor(4) as pool:
        tried = sum(pool.map(lambda _: delivery_to(receiver).run(Outbox(store)), range(4)))
    assert tried == 40
    assert set(receiver.came.values()) == {1}
    assert len(receiver.came) == 40


def test_a_run_is_bounded_and_the_rest_waits(store):
    AlertBook(store).record([alert(number) for number in range(7)], {"failing_calls"}, RECEIVERS)
    receiver = Counting()
    assert delivery_to(receiver).run(Outbox(store), most=5) == 5
    assert sorted(message.state for message in Outbox(store).all()) == ["sent"] * 5 + ["waiting"] * 2


def test_what_came_first_is_sent_first(store):
    now = [1_795_000_000.0]
    clock = lambda: now[0]  # noqa: E731
    for number in range(5):
        AlertBook(store, clock=clock).record([alert(n) for n in range(number + 1)], {"failing_calls"}, RECEIVERS)
        now[0] += 1.0
    box = Outbox(store, clock=clock)
    order = []
    while (message := box.claim()) is not None:
        order.append(message.body["facts"]["calls"])
        box.sent(message)
    assert order == [0, 1, 2, 3, 4]


@given(st.binary(min_size=1, max_size=40), st.integers(0, 2**33), st.binary(max_size=200), st.binary(max_size=200))
def test_a_signature_is_of_its_key_its_time_and_its_body(secret, stamp, body, other):
    mine = signature(secret, str(stamp), body)
    assert mine == signature(secret, str(stamp), body)
    assert mine.startswith("sha256=")
    assert len(mine) == 71
    assert mine != signature(secret + b"x", str(stamp), body)
    assert mine != signature(secret, str(stamp + 1), body)
    assert (mine == signature(secret, str(stamp), other)) == (body == other)
