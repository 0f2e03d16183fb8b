"""Periods of a budget, as days of the organisation's time zone, and the buckets that its history is counted in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["PERIODS", "Period", "PeriodName", "bucket_starts", "period_at"]

PeriodName = Literal["day", "week", "month", "quarter", "year"]
PERIODS: tuple[PeriodName, ...] = get_args(PeriodName)


@dataclass(frozen=True, slots=True)
class Period:
    """`[start, end)`, in UTC; both are midnights of the organisation's time zone."""

    name: PeriodName
    start: datetime
    end: datetime

    @property
    def key(self) -> int:
        """What names it in the state store: milliseconds since 1970."""
        return int(self.start.timestamp()) * 1000


def period_at(name: PeriodName, at: datetime, zone: ZoneInfo) -> Period:
    """The period that holds `at`. Weeks begin on Monday."""
    first = _first_day(name, at.astimezone(zone).date())
    return Period(name, _midnight(first, zone), _midnight(_next(name, first), zone))


def _first_day(name: PeriodName, day: date) -> date:
    if name == "day":
        return day
    if name == "week":
        return day - timedelta(days=day.weekday())
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}[name]
    return date(day.year, month, 1)


def _next(name: PeriodName, first: date) -> date:
    if name in ("day", "week"):
        return first + timedelta(days=1 if name == "day" else 7)
    months = first.year * 12 + first.month - 1 + {"month": 1, "quarter": 3, "year": 12}[name]
    return date(months // 12, months % 12 + 1, 1)


def bucket_starts(since: datetime, until: datetime, zone: ZoneInfo, *, hourly: bool) -> list[datetime]:
    """Starts, in UTC, of the local days (or of the hours) that begin in `[since, until)`, in order."""
    if hourly:
        first = -(-since.timestamp() // 3600)
        return [datetime.fromtimestamp(hour * 3600, UTC) for hour in range(int(first), _hours(until))]
    day = since.astimezone(zone).date()
    starts = []
    while (start := _midnight(day, zone)) < until:
        if start >= since:
            starts.append(start)
        day += timedelta(days=1)
    return starts


def _hours(until: datetime) -> int:
    """The first hour that does not begin before `until`."""
    return int(-(-until.timestamp() // 3600))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
