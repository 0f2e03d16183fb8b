"""RAPL zones as devices: what is added, what is only shown, and what is in the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from sensor_doubles import HandClock

from mesure.meter.sensors import SensorUnavailable
from mesure.meter.sensors.device import Faults
from mesure.meter.sensors.powercap import psys_sensor, rapl_sensor

RANGE_UJ = 262_143_328_850


def _zone(root: Path, folder: str, label: str, energy_uj: int = 0) -> Path:
    zone = root / folder
    zone.mkdir(parents=True)
    (zone / "name").write_text(label + "\n")
    (zone / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    (zone / "energy_uj").write_text(f"{energy_uj}\n")
    return zone / "energy_uj"


@pytest.fixture
def zones(tmp_path: Path) -> dict[str, Path]:
    """Two sockets with memory and cores, graphics, the platform, and a second view of the first socket."""
    return {
        "package-0": _zone(tmp_path, "intel-rapl:0", "package-0"),
        "core-0": _zone(tmp_path, "intel-rapl:0:0", "core"),
        "uncore-0": _zone(tmp_path, "intel-rapl:0:1", "uncore"),
        "dram-0": _zone(tmp_path, "intel-rapl:0:2", "dram"),
        "package-1": _zone(tmp_path, "intel-rapl:1", "package-1"),
        "core-1": _zone(tmp_path, "intel-rapl:1:0", "core"),
        "dram-1": _zone(tmp_path, "intel-rapl:1:1", "dram"),
        "psys": _zone(tmp_path, "intel-rapl:2", "psys"),
        "mmio": _zone(tmp_path, "intel-rapl-mmio:0", "package-0"),
    }


def test_nested_zones_are_shown_and_added_once(tmp_path: Path, zones: dict[str, Path]) -> None:
    clock = HandClock()
    sensor = rapl_sensor(tmp_path, clock=clock)
    for file in zones.values():
        file.write_text("10000000")
    clock.wait(1.0)
    sample = sensor.sample()
    assert sample.joules == pytest.approx(40.0)  # two packages and two memories
    assert sample.watts == pytest.approx(40.0)
    shown = {device.id: device.part_of for device in sensor.devices}
    assert shown == {
        "package-0 (intel-rapl:0)": None,
        "package-1 (intel-rapl:1)": None,
        "dram (intel-rapl:0:2)": None,
        "dram (intel-rapl:1:1)": None,
        "core (intel-rapl:0:0)": "package-0 (intel-rapl:0)",
        "uncore (intel-rapl:0:1)": "package-0 (intel-rapl:0)",
        "core (intel-rapl:1:0)": "package-1 (intel-rapl:1)",
    }
    assert (sensor.name, sensor.kind, sensor.scope) == ("rapl", "counter", "cpu")


def test_the_platform_is_a_sensor_of_its_own(tmp_path: Path, zones: dict[str, Path]) -> None:
    clock = HandClock()
    sensor = psys_sensor(tmp_path, clock=clock)
    zones["psys"].write_text("30000000")
    zones["package-0"].write_text("20000000")
    clock.wait(2.0)
    assert sensor.sample().joules == pytest.approx(30.0)
    assert (sensor.name, sensor.scope) == ("rapl:psys", "server")
    assert sensor.factors == ("stack.sensor-rapl.energy_error.2016",)


def test_each_zone_wraps_by_itself(tmp_path: Path, zones: dict[str, Path]) -> None:
    zones["package-1"].write_text(str(RANGE_UJ - 5_000_000))
    clock = HandClock()
    sensor = rapl_sensor(tmp_path, clock=clock)
    zones["package-0"].write_text("1000000")
    zones["package-1"].write_text("7000000")
    clock.wait(1.0)
    sample = sensor.sample()
    assert sample.joules == pytest.approx(13.0)
    assert sample.faults == Faults(wraps=1)


def test_a_processor_without_memory_counters_or_parts_is_read(tmp_path: Path) -> None:
    package = _zone(tmp_path, "intel-rapl:0", "package-0")
    sensor = rapl_sensor(tmp_path, clock=HandClock())
    package.write_text("2500000")
    assert sensor.sample().joules == pytest.approx(2.5)


def test_without_a_platform_counter_the_reason_is_told(tmp_path: Path) -> None:
    _zone(tmp_path, "intel-rapl:0", "package-0")
    with pytest.raises(SensorUnavailable, match="whole platform"):
        psys_sensor(tmp_path)


def test_a_zone_that_root_keeps_is_told_with_its_command(
    tmp_path: Path, zones: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.read_text

    def refused(path: Path, *args: object, **kwargs: object) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_text", refused)
    for opener in (rapl_sensor, psys_sensor):
        with pytest.raises(SensorUnavailable) as caught:
            opener(tmp_path)
        assert caught.value.code == "sensor_permission"
        assert "chmod a+r /sys/class/powercap" in caught.value.action


def test_a_zone_that_goes_away_is_a_miss_not_an_end(tmp_path: Path, zones: dict[str, Path]) -> None:
    clock = HandClock()
    sensor = rapl_sensor(tmp_path, clock=clock)
    zones["dram-1"].rename(tmp_path / "away")
    zones["package-0"].write_text("1000000")
    clock.wait(1.0)
    sample = sensor.sample()
    assert (sample.silent, sample.joules, sample.faults.misses) == (1, pytest.approx(1.0), 1)
