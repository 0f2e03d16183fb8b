"""Shares the energy of a source among the calls in flight, so that nothing is counted twice or forgotten."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from mesure.meter.sensors.source import NO_ENERGY, Energy

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from mesure.meter.sensors.source import EnergySource, Scope, SensorStatus

__all__ = ["CallMeter", "Reading"]


class Reading(NamedTuple):
    """Energy of one call in joules: middle value, 5th and 95th percentiles, and how it was obtained."""

    energy_j: float
    low_j: float
    high_j: float
    sensor: str
    status: SensorStatus
    scope: Scope


class _Call(NamedTuple):
    base: Energy
    gap: int
    started: float


class CallMeter:
    """Energy since the last event is shared equally among the calls in flight.

    Law: energy of finished calls + `lost` + shares of the calls still in flight = energy of the source while any call
    ran; what it spends between calls is `between_calls`. Thread-safe, never raises; a reading costs microseconds.
    Calls that never stop leave after `longest_s`, and the oldest one when `most_calls` are in flight.
    """

    def __init__(
        self,
        source: EnergySource,
        *,
        most_calls: int = 10_000,
        longest_s: float = 3_600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.between_calls = NO_ENERGY
        self.lost = NO_ENERGY
        self._most_calls = most_calls
        self._longest_s = longest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: dict[Hashable, _Call] = {}  # oldest first
        self._each = NO_ENERGY  # what every call in flight has been charged since the last time none was
        self._gap = 0
        self._last = source.read()

    @property
    def in_flight(self) -> int:
        return len(self._calls)

    def start(self, key: Hashable) -> None:
        """A call begins. A key already in flight begins anew: what it had spent is `lost`."""
        with self._lock:
            self._settle()
            self._lose(key)
            while len(self._calls) >= self._most_calls:
                self._lose(next(iter(self._calls)))
            self._calls[key] = _Call(self._each, self._gap, self._clock())

    def stop(self, key: Hashable) -> Reading | None:
        """The call's share; `None` when the key is not in flight or the source could not be read meanwhile."""
        with self._lock:
            self._settle()
            call = self._calls.pop(key, None)
            if call is None:
                return None
            share = self._each.minus(call.base)
            if call.gap != self._gap:
                self.lost = self.lost.plus(share)
                return None
        return Reading(*share, self.source.name, self.source.status, self.source.scope)

    def _lose(self, key: Hashable) -> None:
        if (call := self._calls.pop(key, None)) is not None:
            self.lost = self.lost.plus(self._each.minus(call.base))

    def _settle(self) -> None:
        now = self.source.read()
        if now is None or self._last is None:
            self._gap += now is None  # calls now in flight are not fully known
            self._last = now or self._last
            return
        spent, self._last = now.minus(self._last), now
        if self._calls:
            self._each = self._each.plus(spent, 1.0 / len(self._calls))
            self._forget_stale()
        else:
            self.between_calls = self.between_calls.plus(spent)
            self._each = NO_ENERGY

    def _forget_stale(self) -> None:
        oldest = self._clock() - self._longest_s
        while self._calls and next(iter(self._calls.values())).started < oldest:
            self._lose(next(iter(self._calls)))
