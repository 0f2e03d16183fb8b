"""The law of the call meter: nothing counted twice, nothing forgotten."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.sensors import CallMeter, Energy, Reading, Scope, SensorStatus


class _Fake:
    """A source that spends what it is told to."""

    name = "fake"
    status: SensorStatus = "measured"
    scope: Scope = "cpu"
    factors = ()

    def __init__(self) -> None:
        self.joules = 0.0
        self.answers = True
        self.lock = threading.Lock()

    def spend(self, joules: float) -> None:
        with self.lock:
            self.joules += joules

    def read(self) -> Energy | None:
        return Energy(self.joules, 0.5 * self.joules, 3.0 * self.joules) if self.answers else None


def _sum(readings: Iterable[Reading | None]) -> float:
    return math.fsum(reading.energy_j for reading in readings if reading is not None)


def test_one_call_gets_what_was_spent_while_it_ran() -> None:
    source = _Fake()
    meter = CallMeter(source)
    source.spend(5.0)
    meter.start("a")
    source.spend(2.0)
    reading = meter.stop("a")
    source.spend(7.0)
    meter.start("b")
    assert reading == Reading(2.0, 1.0, 6.0, "fake", "measured", "cpu")
    assert meter.between_calls.mid_j == pytest.approx(12.0)


def test_two_calls_share_equally_while_both_run() -> None:
    source = _Fake()
    meter = CallMeter(source)
    meter.start("a")
    source.spend(4.0)
    meter.start("b")
    source.spend(6.0)
    first = meter.stop("a")
    source.spend(1.0)
    second = meter.stop("b")
    assert first is not None
    assert second is not None
    assert first.energy_j == pytest.approx(7.0)
    assert second.energy_j == pytest.approx(4.0)


_EVENTS = st.lists(
    st.tuples(st.sampled_from(["start", "stop", "spend"]), st.integers(0, 5), st.floats(0.0, 1e4)), max_size=60
)


@given(_EVENTS)
def test_the_sum_over_calls_is_the_energy_while_any_call_ran(events: list[tuple[str, int, float]]) -> None:
    source = _Fake()
    meter = CallMeter(source, most_calls=4)
    readings: list[Reading | None] = []
    open_calls: set[int] = set()
    during = between = 0.0
    for what, key, joules in events:
        if what == "spend":
            source.spend(joules)
            during, between = (during + joules, between) if open_calls else (during, between + joules)
        elif what == "start":
            meter.start(key)
            open_calls.add(key)
            if meter.in_flight < len(open_calls):  # the oldest left: which one is the meter's affair
                open_calls = set(meter._calls)  # type: ignore[arg-type]
        else:
            readings.append(meter.stop(key))
            assert (readings[-1] is not None) == (key in open_calls)
            open_calls.discard(key)
    readings += [meter.stop(key) for key in tuple(open_calls)]
    assert meter.in_flight == 0
    assert _sum(readings) + meter.lost.mid_j == pytest.approx(during, rel=1e-9, abs=1e-6)
    meter.start("end")
    assert meter.between_calls.mid_j == pytest.approx(between, rel=1e-9, abs=1e-6)
    for reading in readings:
        if reading is not None:
            assert -1e-6 <= reading.low_j <= reading.energy_j + 1e-6 <= reading.high_j + 2e-6


def test_an_unknown_key_has_no_reading() -> None:
    assert CallMeter(_Fake()).stop("never started") is None


def test_a_source_that_fails_meanwhile_leaves_the_energy_unknown_not_zero() -> None:
    source = _Fake()
    meter = CallMeter(source)
    meter.start("a")
    source.spend(2.0)
    source.answers = False
    meter.start("b")
    source.answers = True
    source.spend(2.0)
    assert meter.stop("a") is None
    assert meter.stop("b") is not None
    meter.start("c")
    source.spend(1.0)
    reading = meter.stop("c")
    assert reading is not None
    assert reading.energy_j == pytest.approx(1.0)


def test_a_source_that_never_answers_gives_no_reading() -> None:
    source = _Fake()
    source.answers = False
    meter = CallMeter(source)
    meter.start("a")
    assert meter.stop("a") is None


def test_calls_that_never_stop_leave() -> None:
    source = _Fake()
    now = [0.0]
    meter = CallMeter(source, longest_s=60.0, clock=lambda: now[0])
    meter.start("stuck")
    now[0] = 61.0
    source.spend(3.0)
    meter.start("next")
    assert meter.in_flight == 1
    assert meter.lost.mid_j == pytest.approx(3.0)
    source.spend(2.0)
    reading = meter.stop("next")
    assert reading is not None
    assert reading.energy_j == pytest.approx(2.0)
    assert meter.stop("stuck") is None


def test_the_number_of_calls_kept_is_bounded() -> None:
    meter = CallMeter(_Fake(), most_calls=10)
    for key in range(100):
        meter.start(key)
    assert meter.in_flight == 10
    assert meter.stop(99) is not None
    assert meter.stop(0) is None


def test_a_key_started_again_begins_anew() -> None:
    source = _Fake()
    meter = CallMeter(source)
    meter.start("a")
    source.spend(3.0)
    meter.start("a")
    source.spend(4.0)
    reading = meter.stop("a")
    assert reading is not None
    assert reading.energy_j == pytest.approx(4.0)
    assert meter.lost.mid_j == pytest.approx(3.0)


def test_threads_do_not_lose_energy() -> None:
    source = _Fake()
    meter = CallMeter(source)
    meter.start("always")
    found: list[Reading | None] = []

    def work(thread: int) -> None:
        for turn in range(300):
            meter.start((thread, turn))
            source.spend(0.01)
            found.append(meter.stop((thread, turn)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.append(meter.stop("always"))
    assert None not in found
    assert _sum(found) == pytest.approx(8 * 300 * 0.01)
    assert meter.in_flight == 0
