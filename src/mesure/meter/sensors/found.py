"""Which sensors this machine has, and why it lacks the others; and those that mesure.toml declares."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mesure.meter.sensors.amd import amd_sensor
from mesure.meter.sensors.apple import apple_sensor
from mesure.meter.sensors.device import Device, Raw, now
from mesure.meter.sensors.factors import busy_thread_power, machine_cpu_name
from mesure.meter.sensors.http import HttpReader
from mesure.meter.sensors.nvml import nvml_sensor
from mesure.meter.sensors.powercap import psys_sensor, rapl_sensor
from mesure.meter.sensors.process import ProcessTree
from mesure.meter.sensors.prometheus import Metric, prometheus_sensor
from mesure.meter.sensors.redfish import redfish_sensor
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mesure.config import SensorSettings

__all__ = ["Found", "declared_sensors", "http_reader", "in_container", "look", "open_sensor", "serving_reader"]


class Found(NamedTuple):
    """A sensor that can be read, or the reason why it cannot."""

    name: str
    sensor: Sensor | None
    why: SensorUnavailable | None = None


#: What a machine may have by itself, in the order in which `mesure sensors` shows it.
_LOCAL: dict[str, Callable[[], Sensor]] = {
    "nvml": nvml_sensor,
    "amd": amd_sensor,
    "rapl": rapl_sensor,
    "psys": psys_sensor,
    "apple": apple_sensor,
}


def look() -> list[Found]:
    """Every kind of sensor a machine may have by itself. Close those that are found."""
    return [_tried(name, opener) for name, opener in _LOCAL.items()]


def declared_sensors(settings: Mapping[str, SensorSettings], environ: Mapping[str, str] = os.environ) -> list[Found]:
    """Those of mesure.toml, by their names there."""
    return [_tried(name, partial(open_sensor, given, environ)) for name, given in settings.items()]


def _tried(name: str, opener: Callable[[], Sensor]) -> Found:
    try:
        return Found(name, opener())
    except SensorUnavailable as why:
        return Found(name, None, why)


def open_sensor(given: SensorSettings, environ: Mapping[str, str] = os.environ) -> Sensor:
    """The sensor that settings describe. Raises `SensorUnavailable`."""
    if given.kind == "nvml":
        return nvml_sensor(given.devices)
    if given.kind == "amd":
        return amd_sensor(given.devices)
    if given.kind == "cpu-time":
        return cpu_time_sensor(given.pid)
    if given.kind == "prometheus":
        return _prometheus(given, environ)
    if given.kind == "redfish":
        reader = http_reader(given, environ, basic=not given.session)
        session = (given.user, _password(given, environ)) if given.session else None
        return redfish_sensor(reader, session=session, wanted=given.devices)
    return _LOCAL[given.kind]()


def _prometheus(given: SensorSettings, environ: Mapping[str, str]) -> Sensor:
    metric = None
    if given.metric or given.query:
        scope = given.scope or "server"
        metric = Metric(given.metric or given.query, given.unit or "W", "metric", scope)  # type: ignore[arg-type]
    labels = dict(text.split("=", 1) for text in given.labels)
    return prometheus_sensor(
        http_reader(given, environ), clock=now, query=given.query, metric=metric, labels=labels, wanted=given.devices
    )


def http_reader(given: SensorSettings, environ: Mapping[str, str] = os.environ, *, basic: bool = True) -> HttpReader:
    """A reader of the address in settings; the password comes from the environment where they say so."""
    if not basic or not given.user:
        return HttpReader(given.url, ca_file=given.ca_file)
    return HttpReader(given.url, user=given.user, password=_password(given, environ), ca_file=given.ca_file)


def serving_reader(url: str) -> HttpReader:
    """A reader of an inference server's metrics, which are asked for every second: it answers fast or not at all."""
    return HttpReader(url)


def _password(given: SensorSettings, environ: Mapping[str, str]) -> str:
    if not given.password_env:
        return given.password
    if given.password_env not in environ:
        raise SensorUnavailable(
            "The environment variable that holds the sensor's password is not set",
            value=given.password_env,
            action="Set it, or correct password_env of the sensor in mesure.toml",
            code="sensor_permission",
        )
    return environ[given.password_env]


def cpu_time_sensor(pid: int) -> Sensor:
    """CPU seconds of a process tree x watts of a busy thread: modelled, for machines without any sensor."""
    tree, power = ProcessTree(pid), busy_thread_power(machine_cpu_name())
    device = Device(str(pid), f"process {pid}", partial(_modelled, tree, power.value))
    return Sensor("cpu-time", "model", "server", [device], model=power)


def _modelled(tree: ProcessTree, watts: float) -> Raw:
    seconds = tree.seconds()
    if seconds is None:
        raise OSError("the process has ended")
    return Raw(seconds * watts, None)


def in_container(root: Path = Path("/")) -> bool:
    """Whether this process seems to run in a container, where counters are often hidden."""
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    try:
        return any(word in (root / "proc/1/cgroup").read_text() for word in ("docker", "kubepods", "containerd"))
    except OSError:
        return False
