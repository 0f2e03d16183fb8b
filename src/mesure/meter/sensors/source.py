"""What a sensor is: something whose energy only ever grows, with the interval and the status of its figure."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

from mesure.errors import MesureError

__all__ = ["NO_ENERGY", "Energy", "EnergySource", "Scope", "SensorStatus", "SensorUnavailable"]

SensorStatus = Literal["measured", "modelled"]
#: What the energy covers: the processor's package, or the whole server at its wall plug.
Scope = Literal["process", "cpu", "accelerator", "server"]


class SensorUnavailable(MesureError):  # noqa: N818  (reads as the sentence it raises)
    """A sensor that this machine lacks, or does not let this user read."""

    default_code = "sensor_unavailable"


class Energy(NamedTuple):
    """Joules: middle value and the 5th and 95th percentiles."""

    mid_j: float
    low_j: float
    high_j: float

    def plus(self, other: Energy, times: float = 1.0) -> Energy:
        return Energy(
            self.mid_j + times * other.mid_j,
            self.low_j + times * other.low_j,
            self.high_j + times * other.high_j,
        )

    def minus(self, other: Energy) -> Energy:
        return self.plus(other, -1.0)


NO_ENERGY = Energy(0.0, 0.0, 0.0)


class EnergySource(Protocol):
    """A cumulative meter. Not for several threads at once: `CallMeter` and `OwnMeter` each hold one under a lock."""

    @property
    def name(self) -> str:
        """Short and stable, written on each call: "rapl", "cpu-time"."""
        ...

    @property
    def status(self) -> SensorStatus: ...

    @property
    def scope(self) -> Scope: ...

    @property
    def factors(self) -> tuple[str, ...]:
        """Ids of the sourced factors behind the figure."""
        ...

    def read(self) -> Energy | None:
        """Joules since the source was made; `None` when it cannot be read now. Never raises, never decreases."""
        ...
