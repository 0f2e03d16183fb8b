"""Apple chips through `zeus-apple-silicon`, which reads macOS's own counters without root."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from mesure.meter.sensors.device import Device, Raw, now
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from mesure.meter.sensors.device import Clock

__all__ = ["apple_sensor"]

_J_PER_MJ = 1e-3
#: Parts of the chip that its counters tell apart: together they are what the sensor covers.
_PARTS = {"cpu_total_mj": "CPU", "gpu_mj": "GPU", "ane_mj": "Neural Engine", "dram_mj": "memory"}


def apple_sensor(*, platform: str = sys.platform, clock: Clock = now) -> Sensor:
    """CPU, GPU, neural engine and memory of the chip. Raises `SensorUnavailable`."""
    if platform != "darwin":
        raise SensorUnavailable("This is not a Mac", value=platform, action="Nothing to do")
    try:
        from zeus_apple_silicon import AppleEnergyMonitor
    except ImportError:
        raise SensorUnavailable(
            "The package that reads Apple chips is not installed",
            value="zeus-apple-silicon",
            action="Install it with: pip install 'mesure[apple]'",
            code="sensor_not_installed",
        ) from None
    try:
        monitor = AppleEnergyMonitor()
        first = monitor.get_cumulative_energy()
    except RuntimeError as error:  # a Mac with an Intel chip
        raise SensorUnavailable(
            "This Mac shows no energy counter", value=str(error), action="Use the CPU-time model"
        ) from None
    shown = [part for part in _PARTS if getattr(first, part, None) is not None]
    devices = [Device(_PARTS[part], _PARTS[part], partial(_read, monitor, part)) for part in shown]
    return Sensor("apple", "counter", "cpu", devices, clock=clock)


def _read(monitor: Any, part: str) -> Raw:
    try:
        millijoules = getattr(monitor.get_cumulative_energy(), part)
    except RuntimeError as error:
        raise OSError(str(error)) from None
    if millijoules is None:
        raise OSError(f"{part} is not shown now")
    return Raw(millijoules * _J_PER_MJ, None)
