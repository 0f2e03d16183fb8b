"""CPU time x watts: modelled, with the interval of its factor."""

from __future__ import annotations

import os
import time

import pytest

from mesure.meter.sensors import CpuTimeSource, SensorUnavailable, busy_thread_power, factor
from mesure.meter.sensors.factors import ANY_CPU


def _burn(seconds: float) -> float:
    before = time.process_time()
    while time.process_time() - before < seconds:
        pass
    return time.process_time() - before


def test_energy_is_cpu_time_times_the_sourced_watts() -> None:
    power = factor(ANY_CPU)
    source = CpuTimeSource(os.getpid(), children=False, power=power)
    first = source.read()
    burnt = _burn(0.3)
    second = source.read()
    assert first is not None
    assert second is not None
    spent = second.minus(first)
    # Threads of the test run count too, hence the width.
    assert burnt * power.value * 0.9 <= spent.mid_j <= burnt * power.value * 3.0
    assert spent.low_j == pytest.approx(spent.mid_j * power.low / power.value)
    assert spent.high_j == pytest.approx(spent.mid_j * power.high / power.value)


def test_it_says_that_it_is_modelled_and_from_what() -> None:
    source = CpuTimeSource(os.getpid())
    assert (source.name, source.status, source.scope) == ("cpu-time", "modelled", "server")
    assert source.factors == (source.power.id,)
    assert source.power.source


def test_a_named_processor_narrows_the_interval() -> None:
    named = CpuTimeSource(os.getpid(), power=busy_thread_power("AMD EPYC 7763 64-Core Processor")).power
    general = factor(ANY_CPU)
    assert named.high / named.low < general.high / general.low


def test_no_such_process_is_refused() -> None:
    with pytest.raises(SensorUnavailable):
        CpuTimeSource(2**22 + 1)
