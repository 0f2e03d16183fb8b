"""Which sensors a machine has: each is tried, and each absence has its reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sensor_doubles import HandClock, Place, serving

from mesure.config import SensorSettings
from mesure.meter.sensors import Device, Raw, Sensor, SensorUnavailable, declared_sensors, look, open_sensor
from mesure.meter.sensors.found import cpu_time_sensor, in_container
from mesure.meter.sensors.http import HttpReader
from mesure.meter.sensors.sensor import error_of


def test_every_kind_is_tried_and_each_absence_is_explained() -> None:
    found = look()
    assert [one.name for one in found] == ["nvml", "amd", "rapl", "psys", "apple"]
    for one in found:
        if one.sensor is None:
            assert one.why is not None
            assert one.why.what
            assert one.why.action
        else:
            one.sensor.close()


def test_one_that_fails_does_not_hide_the_others() -> None:
    given = {
        "gone": SensorSettings(kind="cpu-time", pid=2**22 + 1),
        "here": SensorSettings(kind="cpu-time", pid=os.getpid()),
    }
    gone, here = declared_sensors(given, {})
    assert gone.why is not None
    assert "no such process" in str(gone.why)
    assert here.sensor is not None
    assert here.sensor.status == "modelled"


def test_the_model_of_cpu_time_is_no_measurement() -> None:
    sensor = cpu_time_sensor(os.getpid())
    assert (sensor.name, sensor.kind, sensor.scope, sensor.status) == ("cpu-time", "model", "server", "modelled")
    before = sensor.sample().joules
    total = sum(i * i for i in range(300_000))
    assert total > 0
    energy = sensor.read()
    assert energy is not None
    assert energy.mid_j > before
    assert energy.low_j < energy.mid_j < energy.high_j
    assert sensor.factors[0].startswith("cpu.busy_vcpu_w")


@pytest.mark.parametrize("kind", ["nvml", "amd", "rapl", "psys", "apple"])
def test_a_kind_this_machine_lacks_is_refused_when_it_is_declared(kind: str) -> None:
    given = SensorSettings(kind=kind)
    ((_, sensor, why),) = declared_sensors({"one": given}, {})
    if sensor is not None:  # a machine that has it
        assert sensor.devices
        sensor.close()
        return
    assert why is not None
    with pytest.raises(SensorUnavailable) as caught:
        open_sensor(given, {})
    assert (caught.value.what, caught.value.code) == (why.what, why.code)


def test_a_sensor_without_devices_is_none() -> None:
    with pytest.raises(SensorUnavailable, match="no device"):
        Sensor("nvml", "counter", "accelerator", [])
    shown = Device("core", "core", lambda: Raw(0.0, None), part_of="package")
    with pytest.raises(SensorUnavailable, match="no device"):
        Sensor("rapl", "counter", "cpu", [shown])


def test_a_device_that_does_not_answer_at_first_is_named() -> None:
    def refuse() -> Raw:
        raise OSError("input/output error")

    with pytest.raises(SensorUnavailable, match="input/output error") as caught:
        Sensor("nvml", "counter", "accelerator", [Device("GPU-a", "a", refuse)])
    assert "GPU-a" in str(caught.value.value)


def test_watts_of_all_devices_need_all_of_them() -> None:
    clock = HandClock()
    seen = [Raw(None, 100.0), Raw(None, 50.0)]
    devices = [Device(str(i), str(i), lambda i=i: seen[i]) for i in range(2)]  # type: ignore[misc]
    sensor = Sensor("nvml", "power", "accelerator", devices, clock=clock)
    assert sensor.sample().watts == 150.0
    seen[1] = Raw(None, None)
    clock.wait(1.0)
    assert sensor.sample().watts is None


@pytest.mark.parametrize("name", ["nvml", "nvml:prometheus", "rapl", "rapl:psys", "amd", "apple", "bmc", "metric"])
def test_every_sensor_has_a_stated_error_with_its_source(name: str) -> None:
    factor = error_of(name)
    assert factor.low < 1.0 < factor.high
    assert (factor.value, factor.unit) == (1.0, "ratio")
    assert "expert estimate" in factor.source
    assert factor.source_url.startswith("https://")
    assert factor.licence


@pytest.mark.parametrize(
    ("file", "text", "inside"),
    [
        (".dockerenv", "", True),
        ("run/.containerenv", "", True),
        ("proc/1/cgroup", "0::/kubepods/besteffort/pod1\n", True),
        ("proc/1/cgroup", "0::/init.scope\n", False),
        ("etc/hostname", "h\n", False),
    ],
)
def test_containers_are_recognised(tmp_path: Path, file: str, text: str, inside: bool) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert in_container(tmp_path) is inside


@pytest.fixture
def place() -> Iterator[Place]:
    with serving(Place()) as place:
        yield place


def test_what_is_asked_over_http_is_bounded_and_said(place: Place) -> None:
    reader = HttpReader(place.url + "/base/?a=b")
    assert reader.path == "/base?a=b"
    place.sets("/x", b"[1, 2]")
    assert reader.get_json("/x") == [1, 2]
    place.sets("/large", b" " * (17 << 20))
    with pytest.raises(OSError, match="16 MB"):
        reader.get("/large")
    place.sets("/gone", 404)
    with pytest.raises(OSError, match="not an answer"):
        reader.get("/gone")
    place.sets("/secret", 403)
    with pytest.raises(PermissionError):
        reader.get("/secret")
    reader.close()


def test_a_redirect_is_not_followed(place: Place) -> None:
    place.sets("/moved", 302)
    reader = HttpReader(place.url)
    with pytest.raises(OSError, match="not an answer"):
        reader.get("/moved")
    assert [path for _, path, _ in place.asked] == ["/moved"]
    reader.close()
