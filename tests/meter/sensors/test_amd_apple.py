"""AMD boards by their library and by the kernel's files; Apple chips: the code runs, over doubles of what they read."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sensor_doubles import HandClock

from mesure.meter.sensors import SensorUnavailable
from mesure.meter.sensors.amd import amd_sensor
from mesure.meter.sensors.apple import apple_sensor


def _hwmon(root: Path, index: int, name: str, **files: int | str) -> Path:
    folder = root / f"hwmon{index}"
    (folder / "device").mkdir(parents=True)
    (folder / "name").write_text(name + "\n")
    for file, value in files.items():
        (folder / file).write_text(f"{value}\n")
    return folder


@pytest.fixture(autouse=True)
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "amdsmi", None)


def test_the_kernels_watts_are_averaged(tmp_path: Path) -> None:
    _hwmon(tmp_path, 0, "k10temp")
    first = _hwmon(tmp_path, 1, "amdgpu", power1_average=100_000_000)
    _hwmon(tmp_path, 2, "amdgpu", power1_input=50_000_000)
    clock = HandClock()
    sensor = amd_sensor(root=tmp_path, clock=clock)
    assert (sensor.name, sensor.kind, sensor.scope, len(sensor.devices)) == ("amd", "power", "accelerator", 2)
    (first / "power1_average").write_text("300000000\n")
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.joules, sample.watts) == (pytest.approx(250.0), pytest.approx(350.0))


def test_the_kernels_counter_is_preferred_to_its_watts(tmp_path: Path) -> None:
    folder = _hwmon(tmp_path, 0, "amdgpu", power1_average=100_000_000, energy1_input=7_000_000)
    clock = HandClock()
    sensor = amd_sensor(root=tmp_path, clock=clock)
    (folder / "energy1_input").write_text("19000000\n")
    clock.wait(1.0)
    assert (sensor.kind, sensor.sample().joules) == ("counter", pytest.approx(12.0))


def test_boards_are_chosen_by_index(tmp_path: Path) -> None:
    _hwmon(tmp_path, 0, "amdgpu", power1_average=1)
    _hwmon(tmp_path, 1, "amdgpu", power1_average=1)
    assert [device.id for device in amd_sensor(["1"], root=tmp_path).devices] == ["amdgpu 1"]


def test_no_board_is_told(tmp_path: Path) -> None:
    _hwmon(tmp_path, 0, "amdgpu")  # a board that shows neither watts nor joules
    with pytest.raises(SensorUnavailable, match="no AMD board"):
        amd_sensor(root=tmp_path)


class Amd(ModuleType):
    """AMD's Python package: an accumulator in steps, watts in watts."""

    class AmdSmiException(Exception):  # noqa: N818
        pass

    def __init__(self, boards: dict[str, dict[str, Any]]) -> None:
        super().__init__("amdsmi")
        self.boards = boards
        self.open = 0

    def amdsmi_init(self) -> None:
        self.open += 1

    def amdsmi_shut_down(self) -> None:
        self.open -= 1

    def amdsmi_get_processor_handles(self) -> list[str]:
        return list(self.boards)

    def amdsmi_get_gpu_device_uuid(self, handle: str) -> str:
        return handle

    def amdsmi_get_gpu_asic_info(self, handle: str) -> dict[str, str]:
        return {"market_name": "AMD Instinct MI300X"}

    def amdsmi_get_energy_count(self, handle: str) -> dict[str, Any]:
        if "count" not in self.boards[handle]:
            raise self.AmdSmiException("not supported")
        return {"energy_accumulator": self.boards[handle]["count"], "counter_resolution": 15.3, "timestamp": 0}

    def amdsmi_get_power_info(self, handle: str) -> dict[str, Any]:
        return {"current_socket_power": self.boards[handle]["watts"], "average_socket_power": "N/A"}


def test_amds_library_counts_in_steps_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = Amd({"uuid-a": {"count": 1_000_000, "watts": 150}, "integrated": {"watts": 5}})
    monkeypatch.setitem(sys.modules, "amdsmi", library)
    clock = HandClock()
    sensor = amd_sensor(root=tmp_path, clock=clock)
    library.boards["uuid-a"]["count"] += 10_000_000
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.joules, sample.watts) == (pytest.approx(153.0), 150.0)
    assert [(device.id, device.name) for device in sensor.devices] == [("uuid-a", "AMD Instinct MI300X")]
    library.boards["uuid-a"].pop("count")
    assert sensor.sample().silent == 1
    sensor.close()
    assert library.open == 0


def test_a_library_without_a_board_leaves_the_kernels_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    library = Amd({})
    monkeypatch.setitem(sys.modules, "amdsmi", library)
    _hwmon(tmp_path, 0, "amdgpu", power1_average=1)
    assert amd_sensor(root=tmp_path).kind == "power"
    assert library.open == 0


class Chip:
    """Millijoules of the parts of a chip, None where it has no such part."""

    def __init__(self) -> None:
        self.shown = SimpleNamespace(cpu_total_mj=1_000, gpu_mj=500, ane_mj=None, dram_mj=250)
        self.fails = False

    def get_cumulative_energy(self) -> SimpleNamespace:
        if self.fails:
            raise RuntimeError("IOReport")
        return self.shown


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    chip = Chip()
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", SimpleNamespace(AppleEnergyMonitor=lambda: chip))
    return chip


def test_parts_of_an_apple_chip_are_added_up(chip: Chip) -> None:
    clock = HandClock()
    sensor = apple_sensor(platform="darwin", clock=clock)
    assert [device.id for device in sensor.devices] == ["CPU", "GPU", "memory"]
    chip.shown = SimpleNamespace(cpu_total_mj=4_000, gpu_mj=9_500, ane_mj=None, dram_mj=1_250)
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.joules, sample.watts) == (pytest.approx(13.0), pytest.approx(13.0))
    chip.fails = True
    assert sensor.sample().silent == 3


def test_an_intel_mac_says_it_has_no_counter(monkeypatch: pytest.MonkeyPatch, chip: Chip) -> None:
    chip.fails = True
    with pytest.raises(SensorUnavailable, match="no energy counter"):
        apple_sensor(platform="darwin")


def test_a_mac_without_the_package_is_told_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeus_apple_silicon", None)
    with pytest.raises(SensorUnavailable) as caught:
        apple_sensor(platform="darwin")
    assert "mesure[apple]" in caught.value.action


def test_elsewhere_there_is_nothing_to_install() -> None:
    with pytest.raises(SensorUnavailable, match="not a Mac"):
        apple_sensor(platform="linux")
