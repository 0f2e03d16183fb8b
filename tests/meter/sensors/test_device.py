"""Counters that wrap, restart or jump; watts between readings; machines that sleep; readings that fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_doubles import HandClock

from mesure.meter.sensors.device import Device, DeviceMeter, Faults, Raw

RANGE_J = 262_143.0


class Shown:
    """What a device shows next: joules, watts, or a failure."""

    def __init__(self, joules: float | None = None, watts: float | None = None) -> None:
        self.joules, self.watts = joules, watts
        self.fails = False

    def __call__(self) -> Raw:
        if self.fails:
            raise OSError("gone")
        return Raw(self.joules, self.watts)


def meter(shown: Shown, clock: HandClock, range_j: float | None = None) -> DeviceMeter:
    return DeviceMeter(Device("d", "a device", shown, range_j), clock)


def test_a_counter_is_counted_from_where_it_stood() -> None:
    shown, clock = Shown(joules=5_000.0), HandClock()
    counted = meter(shown, clock)
    assert (counted.joules, counted.watts) == (0.0, None)
    shown.joules = 5_200.0
    clock.wait(2.0)
    assert counted.read()
    assert (counted.joules, counted.watts, counted.missing_s, counted.faults) == (200.0, 100.0, 0.0, Faults())


def test_a_counter_that_starts_again_past_its_range_keeps_its_energy() -> None:
    shown, clock = Shown(joules=RANGE_J - 30.0), HandClock()
    counted = meter(shown, clock, RANGE_J)
    shown.joules = 70.0
    clock.wait(1.0)
    counted.read()
    assert counted.joules == pytest.approx(100.0)
    assert counted.faults == Faults(wraps=1)


@pytest.mark.parametrize("range_j", [None, RANGE_J])
def test_a_driver_reloaded_is_no_wrap(range_j: float | None) -> None:
    """From 1 000 J to 0 in a second would take 261 kW to be a turn of the counter."""
    shown, clock = Shown(joules=1_000.0), HandClock()
    counted = meter(shown, clock, range_j)
    shown.joules = 4.0
    clock.wait(1.0)
    counted.read()
    assert (counted.joules, counted.missing_s, counted.faults) == (0.0, 1.0, Faults(resets=1))
    shown.joules = 54.0
    clock.wait(1.0)
    counted.read()
    assert (counted.joules, counted.missing_s) == (50.0, 1.0)


def test_a_jump_no_machine_can_make_is_not_energy() -> None:
    shown, clock = Shown(joules=0.0), HandClock()
    counted = meter(shown, clock)
    shown.joules = 9e15  # petajoules, as one exporter told of cloud machines
    clock.wait(1.0)
    counted.read()
    assert (counted.joules, counted.missing_s, counted.faults.resets) == (0.0, 1.0, 1)


def test_a_reading_that_failed_loses_nothing_of_a_counter() -> None:
    shown, clock = Shown(joules=0.0), HandClock()
    counted = meter(shown, clock)
    shown.fails = True
    clock.wait(30.0)
    assert not counted.read()
    assert counted.watts is None
    shown.fails, shown.joules = False, 6_000.0
    clock.wait(30.0)
    assert counted.read()
    assert (counted.joules, counted.missing_s, counted.faults.misses, counted.watts) == (6_000.0, 0.0, 1, 100.0)


def test_watts_are_averaged_between_readings() -> None:
    shown, clock = Shown(watts=100.0), HandClock()
    averaged = meter(shown, clock)
    for watts in (200.0, 200.0):
        shown.watts = watts
        clock.wait(2.0)
        averaged.read()
    assert (averaged.joules, averaged.watts, averaged.missing_s) == (300.0 + 400.0, 200.0, 0.0)


def test_watts_are_not_taken_to_last_over_a_silence() -> None:
    shown, clock = Shown(watts=100.0), HandClock()
    averaged = meter(shown, clock)
    clock.wait(60.0)
    averaged.read()
    assert (averaged.joules, averaged.missing_s) == (0.0, 60.0)
    clock.wait(1.0)
    averaged.read()
    assert (averaged.joules, averaged.missing_s) == (100.0, 60.0)


def test_a_machine_that_slept_draws_no_watts_meanwhile() -> None:
    shown, clock = Shown(watts=100.0), HandClock()
    averaged = meter(shown, clock)
    clock.wait(1.0)
    clock.sleep(3_600.0)
    averaged.read()
    assert (averaged.joules, averaged.missing_s, averaged.faults) == (0.0, 3_601.0, Faults(suspends=1))


def test_a_counter_that_ran_while_the_machine_slept_is_kept_and_told() -> None:
    shown, clock = Shown(joules=0.0), HandClock()
    counted = meter(shown, clock)
    clock.wait(1.0)
    clock.sleep(3_600.0)
    shown.joules = 7_200.0
    counted.read()
    assert (counted.joules, counted.missing_s, counted.faults) == (7_200.0, 0.0, Faults(suspends=1))
    assert counted.watts == pytest.approx(7_200.0 / 3_601.0)


def test_a_device_that_never_answers_is_refused() -> None:
    shown = Shown(joules=0.0)
    shown.fails = True
    with pytest.raises(OSError, match="gone"):
        meter(shown, HandClock())


@given(
    st.lists(st.tuples(st.floats(0.05, 60.0), st.floats(0.0, 900.0)), min_size=1, max_size=40),
    st.floats(0.0, RANGE_J),
)
def test_a_wrapping_counter_tells_what_was_drawn(steps: list[tuple[float, float]], start: float) -> None:
    """Law: whatever the steps and wherever the counter stood, its joules are those drawn, and they never decrease."""
    shown, clock = Shown(joules=start % RANGE_J), HandClock()
    counted = meter(shown, clock, RANGE_J)
    drawn = 0.0
    for seconds, watts in steps:
        drawn += seconds * watts
        shown.joules = (start + drawn) % RANGE_J
        clock.wait(seconds)
        before = counted.joules
        assert counted.read()
        assert counted.joules >= before
    assert counted.joules == pytest.approx(drawn, rel=1e-6, abs=1e-6)
    assert counted.faults.resets == 0
