"""What the product itself consumes, for the footer of its pages."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from mesure.meter.sensors.choice import best_source
from mesure.meter.sensors.source import NO_ENERGY, Energy
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.meter.sensors.source import EnergySource

__all__ = ["Own", "OwnMeter"]

_J_PER_WH = 3600.0


class Own(NamedTuple):
    """Own consumption: mean power over the last minute (W), energy (Wh) and seconds since the meter was made."""

    power_w: Quantity
    energy_wh: Quantity
    seconds: float
    sensor: str


class OwnMeter:
    """Reads this process (not what it started, which has its own meters) each time it is asked. Thread-safe."""

    def __init__(
        self,
        source: EnergySource | None = None,
        *,
        window_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source or best_source(os.getpid(), children=False)
        self._window_s = window_s
        self._clock = clock
        self._lock = threading.Lock()
        self._first = self.source.read() or NO_ENERGY
        self._last = self._first
        self._started = clock()
        self._samples: deque[tuple[float, Energy]] = deque([(self._started, self._first)], maxlen=600)

    def read(self) -> Own:
        """Power and energy now. A source that stops answering leaves the energy where it was."""
        with self._lock:
            at = self._clock()
            self._last = self.source.read() or self._last
            since, before = self._sample(at)
            elapsed = max(at - since, 1e-3)
            power = NO_ENERGY.plus(self._last.minus(before), 1.0 / elapsed)
            energy = NO_ENERGY.plus(self._last.minus(self._first), 1.0 / _J_PER_WH)
        return Own(
            self._quantity(power, "W"), self._quantity(energy, "Wh"), max(at - self._started, 0.0), self.source.name
        )

    def _sample(self, at: float) -> tuple[float, Energy]:
        """The reading from which the mean is taken: the youngest that is a window old, else the oldest kept."""
        while len(self._samples) > 1 and self._samples[1][0] <= at - self._window_s:
            self._samples.popleft()
        if at - self._samples[-1][0] >= self._window_s / 60.0:
            self._samples.append((at, self._last))
        return self._samples[0]

    def _quantity(self, energy: Energy, unit: str) -> Quantity:
        mid, low, high = (max(value, 0.0) for value in energy)
        return Quantity(low, mid, high, unit, Status(self.source.status), self.source.factors)
