"""The best sensor this machine offers for a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.sensors.cpu_time import CpuTimeSource
from mesure.meter.sensors.rapl import POWERCAP, RaplSource, rapl_zones
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.meter.sensors.source import EnergySource

__all__ = ["best_source", "why_no_rapl"]


def best_source(pid: int, *, children: bool = True, root: Path = POWERCAP) -> EnergySource:
    """The processor's counter where it can be read, else CPU time x sourced watts: the status tells which.

    Raises `SensorUnavailable` when there is no such process.
    """
    if why_no_rapl(root) is None:
        return RaplSource(pid, children=children, root=root)
    return CpuTimeSource(pid, children=children)


def why_no_rapl(root: Path = POWERCAP) -> SensorUnavailable | None:
    """What keeps the processor's counter from being read (absent, forbidden), or `None` when it can be."""
    try:
        rapl_zones(root)
    except SensorUnavailable as reason:
        return reason
    return None
