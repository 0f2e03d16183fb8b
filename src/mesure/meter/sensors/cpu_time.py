"""Energy modelled from CPU time, where no sensor can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.meter.sensors.factors import busy_thread_power, machine_cpu_name
from mesure.meter.sensors.process import ProcessTree
from mesure.meter.sensors.source import Energy

if TYPE_CHECKING:
    from mesure.meter.sensors.factors import SensorFactor
    from mesure.meter.sensors.source import Scope, SensorStatus

__all__ = ["CpuTimeSource"]


class CpuTimeSource:
    """CPU seconds of a process tree x watts of a busy hardware thread (server at its wall plug).

    Modelled, never measured: the range is that of servers (`cpu.busy_vcpu_w`), narrowed only when the processor's
    whole name is listed. Idle machine time, memory traffic and the facility's overhead are not in it.
    """

    name = "cpu-time"
    status: SensorStatus = "modelled"
    scope: Scope = "server"

    def __init__(self, pid: int, *, children: bool = True, power: SensorFactor | None = None) -> None:
        self.power = power or busy_thread_power(machine_cpu_name())
        self.factors = (self.power.id,)
        self._process = ProcessTree(pid, children=children)

    def read(self) -> Energy | None:
        seconds = self._process.seconds()
        if seconds is None:
            return None
        return Energy(seconds * self.power.value, seconds * self.power.low, seconds * self.power.high)
