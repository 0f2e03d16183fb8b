"""The overview that every page and push is made from, computed once for all who watch, and only when it may differ."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.ledger import Amounts, CallPage, Cut, Place
    from mesure.ledger.view import Overview
    from mesure.record import UsageEvent

__all__ = ["Feed", "Source"]

log = logging.getLogger("mesure.web")

#: Never computed more often than this; also the beat of the pushes.
TICK_S = 1.0
#: Rows may have been written by another process, which tells nobody: looked at this often all the same.
_LOOK_ANYWAY_S = 60.0


class Source(Protocol):
    """What the pages read: `mesure.ledger.View`."""

    def overview(self, now: datetime) -> Overview: ...

    def event(self, event_id: str) -> UsageEvent | None:
        """One event by its id; None when the ledger has none."""

    def explore(self, cut: Cut, measure: str) -> Amounts:
        """Sums of a cut by a measure."""

    def calls(self, cut: Cut, after: Place | None = None, count: int = ...) -> CallPage:
        """Calls of a cut, newest first."""

    def listen(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call back, from any thread, when events came in; the result ends it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Feed:
    """Holds the latest overview. `touch` may be called from any thread; everything else belongs to one event loop."""

    def __init__(self, source: Source, timezone: str, clock: Callable[[], datetime] = _now) -> None:
        self._source = source
        self._zone = ZoneInfo(timezone)
        self._clock = clock
        self._latest: Overview | None = None
        self._touched = False
        self._computing: asyncio.Task[Overview] | None = None
        source.listen(self.touch)

    def touch(self) -> None:
        """An event came in."""
        self._touched = True

    async def latest(self) -> Overview:
        """The overview as of now, at most a second old while calls come in. Errors of the source come through."""
        if self._latest is not None and not self._due(self._latest, self._clock()):
            return self._latest
        if self._computing is None or self._computing.done():
            self._computing = asyncio.create_task(self._compute())
        return await asyncio.shield(self._computing)

    async def _compute(self) -> Overview:
        touched, self._touched = self._touched, False
        try:
            self._latest = await asyncio.to_thread(self._source.overview, self._clock())
        except BaseException:
            self._touched = touched or self._touched
            raise
        return self._latest

    def _due(self, latest: Overview, now: datetime) -> bool:
        age = (now - latest.now).total_seconds()
        if 0.0 <= age < TICK_S:
            return False
        if self._touched or not 0.0 <= age < _LOOK_ANYWAY_S:
            return True
        if latest.power_w.high > 0.0 or latest.calls_per_minute > 0.0:
            return True
        if now.astimezone(self._zone).date() != latest.now.astimezone(self._zone).date():
            return True
        moving = any(point.high_w > 0.0 for point in latest.power_series)
        return moving and now.replace(second=0, microsecond=0) > latest.now
