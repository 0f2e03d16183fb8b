"""The box between callers and the thread: order, bounds, counts, and nothing that blocks."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from mesure.apps.sdk.outbox import Outbox
from waiting import eventually


def test_everything_is_worked_off_in_order() -> None:
    seen: list[int] = []
    box = Outbox(seen.extend)
    for number in range(500):
        box.put(number)
    assert box.flush(20)
    assert seen == list(range(500))
    assert (box.dropped, box.failed) == (0, 0)


def test_a_full_box_drops_counts_and_never_waits() -> None:
    go, begun = threading.Event(), threading.Event()
    seen: list[int] = []

    def work(items: list[int]) -> None:
        begun.set()
        go.wait(20)
        seen.extend(items)

    box = Outbox(work, most=10)
    box.put(-1)
    assert begun.wait(20)
    for number in range(25):
        box.put(number)
    assert box.dropped == 15
    assert not box.flush(0.01)
    go.set()
    assert box.flush(20)
    assert seen == [-1, *range(10)]


def test_failures_are_counted_told_once_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def work(items: list[str]) -> None:
        if "bad" in items:
            raise ValueError("with a secret in it")
        seen.extend(items)

    box = Outbox(work)
    for item in ("bad", "bad", "good"):
        box.put(item)
        assert box.flush(20)
    assert (box.failed, seen) == (2, ["good"])
    assert caplog.text.count("could not be metered") == 1
    assert "secret" not in caplog.text


def test_what_comes_after_the_end_is_dropped_and_counted() -> None:
    seen: list[int] = []
    box = Outbox(seen.extend)
    box.put(1)
    box.close()
    box.put(2)
    assert (seen, box.dropped) == ([1], 1)


def test_a_box_without_work_has_no_thread_and_is_empty() -> None:
    box = Outbox(print)
    assert box.flush(0.0)
    assert box._thread is None


def test_many_callers_lose_nothing() -> None:
    seen: list[int] = []
    box = Outbox(seen.extend)

    def put(first: int) -> None:
        for number in range(first, first + 200):
            box.put(number)

    callers = [threading.Thread(target=put, args=(first,)) for first in range(0, 2000, 200)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert box.flush(20)
    assert sorted(seen) == list(range(2000))


def test_the_interpreters_lists_keep_no_box_alive() -> None:
    box = Outbox(lambda items: None)
    held = weakref.ref(box)
    del box
    gc.collect()
    eventually(lambda: held() is None)
