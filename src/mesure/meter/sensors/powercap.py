"""Energy counters of the processor (RAPL) as a sensor: its packages and memory, or the whole platform (psys)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from mesure.meter.sensors.device import Device, Raw, now
from mesure.meter.sensors.rapl import POWERCAP, check_readable, label_of, rapl_zones
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.meter.sensors.device import Clock

__all__ = ["psys_sensor", "rapl_sensor"]

_J_PER_UJ = 1e-6


def rapl_sensor(root: Path = POWERCAP, *, clock: Clock = now) -> Sensor:
    """Packages and memory, added up; cores and integrated graphics are parts of a package: shown, not added.

    Raises `SensorUnavailable` with what is in the way and the command that removes it.
    """
    counted = rapl_zones(root)
    devices = [_device(zone) for zone in counted]
    packages = {zone.name: f"{label_of(zone)} ({zone.name})" for zone in counted if zone.name.count(":") == 1}
    for zone in sorted(root.glob("intel-rapl:*:*")):
        package = packages.get(zone.name.rpartition(":")[0])
        if zone not in counted and package is not None:
            devices.append(_device(zone, part_of=package))
    return Sensor("rapl", "counter", "cpu", devices, clock=clock)


def psys_sensor(root: Path = POWERCAP, *, clock: Clock = now) -> Sensor:
    """The counter of the whole platform that some machines have beside those of the packages, which it contains."""
    zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if label_of(zone) == "psys"]
    if not zones:
        raise SensorUnavailable(
            "This machine shows no counter of its whole platform (psys: laptops and some desktops have one)",
            value=str(root),
            action="Use rapl, or the power that the server's management controller reads (redfish)",
        )
    for zone in zones:
        check_readable(zone / "energy_uj")
    return Sensor("rapl:psys", "counter", "server", [_device(zone) for zone in zones], clock=clock)


def _device(zone: Path, part_of: str | None = None) -> Device:
    range_j = int((zone / "max_energy_range_uj").read_text()) * _J_PER_UJ
    name = f"{label_of(zone)} ({zone.name})"
    return Device(name, name, partial(_read, zone / "energy_uj"), range_j, part_of)


def _read(counter: Path) -> Raw:
    return Raw(int(counter.read_text()) * _J_PER_UJ, None)
