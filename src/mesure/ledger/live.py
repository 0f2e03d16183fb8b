"""The needle: power now and over the last hour, from when calls ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.ledger.cells import energy_of, merged
from mesure.ledger.schema import time_of
from mesure.ledger.view import PowerPoint
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.ledger.cells import Ended, Table

__all__ = ["Live"]

_MINUTE_S = 60
_POINTS = 60
#: Wh in a minute -> W.
_W_PER_WH = 60.0


class Live:
    """Calls that ended before `end` (seconds since 1970). A call in flight is not known yet: it counts when it ends."""

    def __init__(self, end: int, ended: Sequence[Ended]) -> None:
        self._end = end
        self._ended = ended
        self._minute = self._last_minute()

    def power_w(self) -> Quantity:
        """Mean over the last 60 s; 0 W when no call ended, which is known and not missing."""
        return self._power_w(self._minute)

    def calls_per_minute(self) -> float:
        return float(sum(sums.calls for sums in self._minute.values()))

    def series(self) -> tuple[PowerPoint, ...]:
        """One point per minute of the clock, for an hour. For the minute in progress, the mean of the last 60 s."""
        current = (self._end - 1) // _MINUTE_S * _MINUTE_S
        starts = [current - _MINUTE_S * back for back in range(_POINTS - 1, 0, -1)]
        points = [
            self._point(start, self._power_w(merged(e.minutes[start] for e in self._ended if start in e.minutes)))
            for start in starts
        ]
        return (*points, self._point(current, self.power_w()))

    def _last_minute(self) -> Table:
        seconds = range(self._end - _MINUTE_S, self._end)
        return merged(e.seconds[second] for e in self._ended if e.seconds for second in seconds if second in e.seconds)

    def _power_w(self, table: Table) -> Quantity:
        energy = energy_of(table)
        if energy is None:
            return Quantity(0.0, 0.0, 0.0, "W", Status.MODELLED)
        return energy.scaled(_W_PER_WH, "W")

    @staticmethod
    def _point(start: int, power: Quantity) -> PowerPoint:
        return PowerPoint(at=time_of(start), low_w=power.low, mid_w=power.mid, high_w=power.high)
