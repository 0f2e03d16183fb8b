"""One thing that can be read: a counter of joules, or watts now; and the joules it makes since reading began."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Clock", "Device", "DeviceMeter", "Faults", "Raw", "Times", "now"]

#: No device, nor whole chassis of them, draws more: above it a counter has jumped.
_MOST_W = 50_000.0
#: Watts are not taken to have lasted between readings further apart.
_LONGEST_GAP_S = 10.0
_SLEPT_S = 1.0


class Times(NamedTuple):
    """Seconds of two clocks of the kernel: the second one also runs while the machine sleeps."""

    awake_s: float
    elapsed_s: float


def now() -> Times:
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    awake = time.monotonic()
    return Times(awake, time.clock_gettime(boottime) if boottime is not None else awake)


if TYPE_CHECKING:
    Clock = Callable[[], Times]


class Raw(NamedTuple):
    """What a device shows: joules of its own counter, or None where it has none; watts now, or None."""

    joules: float | None
    watts: float | None


class Faults(NamedTuple):
    """What was seen and dealt with since reading began.

    `wraps`: a counter started again past its range (its energy is kept); `resets`: it started again for another reason,
    or jumped (that interval is missing); `suspends`: the machine slept; `misses`: readings that failed.
    """

    wraps: int = 0
    resets: int = 0
    suspends: int = 0
    misses: int = 0

    def plus(self, other: Faults) -> Faults:
        return Faults(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """`read` raises `OSError` or `ValueError` when it cannot be read now. `range_j`: where its counter starts again.

    `part_of`: id of the device whose energy already holds this one's: shown, never added.
    """

    id: str
    name: str
    read: Callable[[], Raw]
    range_j: float | None = None
    part_of: str | None = None


class DeviceMeter:
    """Joules of a device since this object was made. They only grow; what could not be known is in `missing_s`.

    A counter that a late reading finds further on has counted all the while: nothing is missing. Watts are averaged
    between two readings, and missing where these are more than ten seconds apart or the machine slept between.
    """

    def __init__(self, device: Device, clock: Clock = now) -> None:
        """Raises what `device.read` raises."""
        self.device = device
        self.joules = 0.0
        self.missing_s = 0.0
        self.faults = Faults()
        self._clock = clock
        self._at = clock()
        self._raw = device.read()
        self.watts = self._raw.watts

    def read(self) -> bool:
        """Read it once more; False when it does not answer now."""
        at = self._clock()
        try:
            raw = self.device.read()
        except (OSError, ValueError):
            self._note(Faults(misses=1))
            self.watts = None
            return False
        elapsed = at.elapsed_s - self._at.elapsed_s
        slept = elapsed - (at.awake_s - self._at.awake_s) > _SLEPT_S
        if slept:
            self._note(Faults(suspends=1))
        if raw.joules is not None and self._raw.joules is not None:
            spent = self._counted(raw.joules - self._raw.joules, elapsed)
        else:
            spent = self._averaged(raw.watts, elapsed, slept=slept)
        if spent is None:
            self.missing_s += elapsed
        else:
            self.joules += spent
        self.watts = raw.watts if raw.watts is not None or spent is None else spent / elapsed if elapsed > 0 else None
        self._at, self._raw = at, raw
        return True

    def _counted(self, delta: float, elapsed: float) -> float | None:
        most = _MOST_W * max(elapsed, 1.0)
        if delta < 0.0 and self.device.range_j is not None and delta + self.device.range_j <= most:
            self._note(Faults(wraps=1))
            return delta + self.device.range_j
        if not 0.0 <= delta <= most:
            self._note(Faults(resets=1))
            return None
        return delta

    def _averaged(self, watts: float | None, elapsed: float, *, slept: bool) -> float | None:
        before = self._raw.watts
        if watts is None or before is None or slept or elapsed > _LONGEST_GAP_S:
            return None
        return 0.5 * (before + watts) * elapsed

    def _note(self, fault: Faults) -> None:
        self.faults = self.faults.plus(fault)
