"""Energy counters of the processor's package (RAPL), read from the Linux powercap files."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mesure.meter.sensors.factors import RAPL_NEIGHBOURS, factor
from mesure.meter.sensors.process import ProcessTree
from mesure.meter.sensors.source import NO_ENERGY, Energy, SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.meter.sensors.source import Scope, SensorStatus

__all__ = ["POWERCAP", "RaplSource", "check_readable", "label_of", "machine_busy_seconds", "rapl_zones"]

POWERCAP = Path("/sys/class/powercap")
_STAT = Path("/proc/stat")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class _Zone:
    """One counter in microjoules that starts again at zero past its range."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._range_uj = int((folder / "max_energy_range_uj").read_text())
        self._last_uj = self._read_uj()

    def _read_uj(self) -> int:
        return int((self.folder / "energy_uj").read_text())

    def joules_since_last(self) -> float:
        """At least one reading a turn of the counter is needed: about three quarters of an hour at full power."""
        now = self._read_uj()
        spent = now - self._last_uj
        if spent < 0:
            spent += self._range_uj
        self._last_uj = now
        return max(spent, 0) / 1e6


class RaplSource:
    """Package and memory counters; with `pid`, the part that goes with that process's share of the busy CPU time.

    mid charges the process with its share of busy time, idle power included; low with its share of the capacity
    (idle power left aside); high lets its seconds draw twice the mean when others run (`cpu.rapl_neighbour_ratio`),
    within what the package drew. Raises `SensorUnavailable` with the reason when there is nothing to read.
    """

    name = "rapl"
    status: SensorStatus = "measured"
    scope: Scope = "cpu"

    def __init__(
        self,
        pid: int | None = None,
        *,
        children: bool = True,
        root: Path = POWERCAP,
        busy_seconds: Callable[[], float] | None = None,
    ) -> None:
        self._zones = [_Zone(folder) for folder in rapl_zones(root)]
        self._process = ProcessTree(pid, children=children) if pid is not None else None
        self._busy_seconds = busy_seconds or machine_busy_seconds
        self.factors = (RAPL_NEIGHBOURS,) if self._process else ()
        self._neighbours = factor(RAPL_NEIGHBOURS).high
        self._cores = os.cpu_count() or 1
        self._total = NO_ENERGY
        self._at, self._busy, self._own = time.monotonic(), self._busy_seconds(), 0.0

    def read(self) -> Energy | None:
        own = self._process.seconds() if self._process else 0.0
        try:
            joules = sum(zone.joules_since_last() for zone in self._zones)
        except (OSError, ValueError):
            return None
        if own is None:
            return None
        self._total = self._total.plus(self._share(joules, own))
        return self._total

    def _share(self, joules: float, own: float) -> Energy:
        if self._process is None:
            return Energy(joules, joules, joules)
        at, busy = time.monotonic(), self._busy_seconds()
        spent = own - self._own
        # The machine's clock ticks every 10 ms, the process's every nanosecond: its own time is always busy time.
        of_busy = spent / max(busy - self._busy, spent) if spent > 0.0 else 0.0
        of_capacity = min(spent / (self._cores * max(at - self._at, 1e-9)), of_busy)
        self._at, self._busy, self._own = at, busy, own
        return Energy(joules * of_busy, joules * of_capacity, joules * min(1.0, of_busy * self._neighbours))


def rapl_zones(root: Path = POWERCAP) -> list[Path]:
    """Folders of the package and memory counters, each readable; `SensorUnavailable` says what is in the way.

    `psys` contains the packages, `core` and `uncore` are parts of them, `intel-rapl-mmio` shows them twice: left out.
    """
    packages = [zone for zone in sorted(root.glob("intel-rapl:*")) if label_of(zone).startswith("package")]
    if not packages:
        raise SensorUnavailable(
            "This machine shows no energy counter of its processor (usual on a virtual machine)",
            value=str(root),
            action="Nothing to do: energy is modelled from CPU time. On your own hardware, load the intel_rapl module",
        )
    memories = [zone for zone in sorted(root.glob("intel-rapl:*:*")) if label_of(zone) == "dram"]
    zones = packages + memories
    for zone in zones:
        check_readable(zone / "energy_uj")
    return zones


def label_of(zone: Path) -> str:
    try:
        return (zone / "name").read_text().strip()
    except OSError:
        return ""


def check_readable(counter: Path) -> None:
    try:
        int(counter.read_text())
    except PermissionError:
        raise SensorUnavailable(
            "The processor has an energy counter that this user may not read",
            value=str(counter),
            action="As root: chmod a+r /sys/class/powercap/intel-rapl*/energy_uj "
            "(the udev rule that keeps it after a restart is in docs/sensors.md)",
            code="sensor_permission",
        ) from None
    except (OSError, ValueError):
        raise SensorUnavailable(
            "The processor's energy counter does not answer with a number",
            value=str(counter),
            action="Check that the intel_rapl module suits this processor; energy is modelled from CPU time meanwhile.",
        ) from None


def machine_busy_seconds(path: Path = _STAT) -> float:
    """CPU seconds that all processors together have spent working since the machine started."""
    with path.open() as file:
        user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq) / _TICKS_PER_S
