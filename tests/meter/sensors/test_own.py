"""The footer's figures: this process's own watts and watt-hours."""

from __future__ import annotations

import time

import pytest

from mesure.meter.sensors import Energy, OwnMeter, Scope, SensorStatus
from mesure.quantity import Status


class _Steady:
    """A source that spends a constant power, on a clock that the test moves."""

    name = "fake"
    status: SensorStatus = "modelled"
    scope: Scope = "server"
    factors = ("some.factor",)

    def __init__(self) -> None:
        self.at = 0.0
        self.watts = 10.0
        self.joules = 0.0
        self.answers = True

    def advance(self, seconds: float) -> None:
        self.at += seconds
        self.joules += seconds * self.watts

    def read(self) -> Energy | None:
        return Energy(self.joules, 0.5 * self.joules, 2.0 * self.joules) if self.answers else None


def test_power_and_energy_with_interval_status_and_source() -> None:
    source = _Steady()
    meter = OwnMeter(source, clock=lambda: source.at)
    source.advance(36.0)
    own = meter.read()
    assert own.power_w.mid == pytest.approx(10.0)
    assert own.energy_wh.mid == pytest.approx(0.1)
    assert (own.energy_wh.low, own.energy_wh.high) == pytest.approx((0.05, 0.2))
    assert own.power_w.unit == "W"
    assert own.energy_wh.unit == "Wh"
    assert own.energy_wh.status is Status.MODELLED
    assert own.energy_wh.sources == ("some.factor",)
    assert own.seconds == pytest.approx(36.0)
    assert own.sensor == "fake"


def test_power_is_that_of_the_last_minute() -> None:
    source = _Steady()
    meter = OwnMeter(source, clock=lambda: source.at)
    for _ in range(300):
        source.advance(1.0)
        meter.read()
    source.watts = 2.0
    for _ in range(120):
        source.advance(1.0)
        own = meter.read()
    assert own.power_w.mid == pytest.approx(2.0)
    assert own.energy_wh.mid == pytest.approx((300 * 10 + 120 * 2) / 3600)


def test_many_readings_keep_few_samples() -> None:
    source = _Steady()
    meter = OwnMeter(source, clock=lambda: source.at)
    for _ in range(10_000):
        source.advance(0.01)
        meter.read()
    assert len(meter._samples) < 100
    assert meter.read().power_w.mid == pytest.approx(10.0)


def test_a_source_that_stops_answering_leaves_the_energy_where_it_was() -> None:
    source = _Steady()
    meter = OwnMeter(source, clock=lambda: source.at)
    source.advance(10.0)
    before = meter.read()
    source.answers = False
    source.advance(10.0)
    after = meter.read()
    assert after.energy_wh == before.energy_wh


def test_this_very_process_consumes_something() -> None:
    meter = OwnMeter()
    before = time.process_time()
    while time.process_time() - before < 0.1:
        pass
    own = meter.read()
    assert own.energy_wh.mid > 0.0
    assert own.energy_wh.low <= own.energy_wh.mid <= own.energy_wh.high
    assert own.sensor in ("cpu-time", "rapl")
    assert own.energy_wh.sources
