"""NVIDIA boards through the real binding, over a double of the driver's library at its binary interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sensor_doubles import NO_PERMISSION, Board, HandClock, NvmlLibrary

from mesure.meter.sensors import SensorUnavailable
from mesure.meter.sensors.nvml import nvml_sensor

pynvml = pytest.importorskip("pynvml")

Loaded = Callable[..., NvmlLibrary]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loaded]:
    """Makes the binding load a double: everything from `nvmlInit` on is its own code."""

    def load(*boards: Board, init: int = 0) -> NvmlLibrary:
        library = NvmlLibrary(list(boards), init)
        monkeypatch.setattr(pynvml, "CDLL", lambda name: library)
        return library

    _forget(monkeypatch)
    yield load
    _forget(monkeypatch)


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})


def test_counters_of_several_boards_are_added_up(loaded: Loaded) -> None:
    library = loaded(Board("GPU-a", energy_mj=1_000_000), Board("GPU-b", "NVIDIA L4", energy_mj=5))
    clock = HandClock()
    sensor = nvml_sensor(clock=clock)
    assert [(device.id, device.name) for device in sensor.devices] == [("GPU-a", "NVIDIA H200"), ("GPU-b", "NVIDIA L4")]
    assert (sensor.name, sensor.kind, sensor.scope, sensor.status) == ("nvml", "counter", "accelerator", "measured")
    library.boards[0].energy_mj, library.boards[1].energy_mj = 1_500_000, 70_005
    library.boards[0].power_mw = 610_000
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.joules, sample.watts, sample.silent) == (pytest.approx(570.0), pytest.approx(700.0), 0)
    energy = sensor.read()
    assert energy is not None
    assert energy == pytest.approx((570.0, 513.0, 627.0))
    assert sensor.factors == ("stack.sensor-nvml.energy_error.2024",)


def test_a_board_without_a_counter_gives_its_watts(loaded: Loaded) -> None:
    library = loaded(Board("GPU-a", "Tesla P4", energy_mj=None, power_mw=40_000))
    clock = HandClock()
    sensor = nvml_sensor(clock=clock)
    assert sensor.kind == "power"
    library.boards[0].power_mw = 60_000
    clock.wait(1.0)
    assert sensor.sample().joules == pytest.approx(50.0)


@pytest.mark.parametrize("wanted", ["1", "GPU-b", "MIG-2"])
def test_boards_are_named_by_index_uuid_or_instance(loaded: Loaded, wanted: str) -> None:
    loaded(Board("GPU-a", instances=["MIG-1"]), Board("GPU-b", instances=["MIG-2", "MIG-3"]))
    sensor = nvml_sensor([wanted])
    assert [(device.id, device.name) for device in sensor.devices] == [("GPU-b", "NVIDIA H200 (MIG, 2)")]


def test_a_divided_board_is_read_once_for_all_its_parts(loaded: Loaded) -> None:
    library = loaded(Board("GPU-a", instances=["MIG-1", "MIG-2"]))
    sensor = nvml_sensor(["MIG-1", "MIG-2"], clock=HandClock())
    library.boards[0].energy_mj = 9_000
    assert sensor.sample().joules == pytest.approx(9.0)


def test_a_board_that_nobody_has_is_refused_and_the_library_let_go(loaded: Loaded) -> None:
    library = loaded(Board("GPU-a"))
    with pytest.raises(SensorUnavailable, match="index or UUID") as caught:
        nvml_sensor(["7"])
    assert caught.value.value == "7"
    assert library.opened == 0


def test_a_board_lost_from_the_bus_is_silent_until_it_is_back(loaded: Loaded) -> None:
    library = loaded(Board("GPU-a"), Board("GPU-b"))
    clock = HandClock()
    sensor = nvml_sensor(clock=clock)
    library.boards[1].lost = True
    library.boards[0].energy_mj = 100_000
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.silent, sample.watts, sample.joules) == (1, None, pytest.approx(100.0))
    assert sensor.read() is None
    library.boards[1].lost = False
    library.boards[1].energy_mj = 2_000  # the driver was loaded anew, and counts from 0: nothing jumps
    clock.wait(1.0)
    assert sensor.sample().joules == pytest.approx(102.0)


def test_a_machine_without_a_driver_says_so(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(pynvml, "CDLL", absent)
    with pytest.raises(SensorUnavailable, match="no NVIDIA driver") as caught:
        nvml_sensor()
    assert "--gpus all" in caught.value.action


def test_a_driver_that_refuses_tells_the_command(loaded: Loaded) -> None:
    loaded(Board("GPU-a"), init=NO_PERMISSION)
    with pytest.raises(SensorUnavailable, match="refuses this user") as caught:
        nvml_sensor()
    assert caught.value.code == "sensor_permission"
    assert "chmod" in caught.value.action


def test_a_machine_without_the_package_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(SensorUnavailable, match="not installed") as caught:
        nvml_sensor()
    assert "mesure[gpu]" in caught.value.action


def test_no_board_at_all_is_no_sensor(loaded: Loaded) -> None:
    loaded()
    with pytest.raises(SensorUnavailable, match="no device"):
        nvml_sensor()


def test_closing_lets_the_library_go(loaded: Loaded) -> None:
    library = loaded(Board("GPU-a"))
    sensor = nvml_sensor()
    assert library.opened == 1
    sensor.close()
    assert library.opened == 0


@pytest.mark.skipif(not Path("/dev/nvidiactl").exists(), reason="no NVIDIA board on this machine")
def test_a_real_board_counts_what_its_watts_say() -> None:
    sensor = nvml_sensor()
    try:
        first = sensor.sample()
        deadline = time.monotonic() + 10.0
        while (sample := sensor.sample()).joules <= first.joules and time.monotonic() < deadline:
            time.sleep(0.1)
        assert sample.joules > first.joules
        assert sample.watts is not None
        assert 5.0 < sample.watts < 2_000.0 * len(sensor.devices)
    finally:
        sensor.close()
