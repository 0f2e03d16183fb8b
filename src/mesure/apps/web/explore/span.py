"""From a choice of time to instants: the period, its parts, and the one before it, in the organisation's time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import InvalidValue

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from mesure.apps.web.explore.query import Query

__all__ = ["Span", "offered", "span_of"]

_QUARTER = timedelta(minutes=15)
#: More parts than this fit on no screen.
_MOST = {"hour": 75, "day": 100, "week": 160, "month": 120}
_LONGEST = timedelta(days=3 * 366)
_EARLIEST, _LATEST = date(2000, 1, 1), date(2200, 1, 1)


class Span(NamedTuple):
    """`[since, until)` cut at `edges` (the first is `since`) into parts of `per`; `[before, before_until)` is what it
    is compared with: for a period that is not over yet, up to the same point."""

    since: datetime
    until: datetime
    edges: tuple[datetime, ...]
    per: str
    before: datetime
    before_until: datetime
    running: bool  # not over yet


def span_of(query: Query, now: datetime, zone: ZoneInfo) -> Span:
    """Raises `InvalidValue` for a period too long, or cut too fine."""
    first, last, earlier = _days(query, now.astimezone(zone).date())
    since, until = _start(first, zone), _start(last + timedelta(days=1), zone)
    before = _start(earlier, zone)
    running = since <= now < until
    # Up to the same point, on a quarter of an hour, so that pages asked for one after the other share their sums
    elapsed = (now - since) // _QUARTER * _QUARTER if running else until - since
    before_until = min(_same_point(before, elapsed, zone, since), since) if running else since
    per = query.per or _usual(last - first)
    edges = tuple(_edges(since, until, per, zone))
    if len(edges) > _MOST[per]:
        raise InvalidValue(
            "The period is cut into too many parts",
            value=f"per={per}: {len(edges)}",
            action="Choose longer parts, or a shorter period",
        )
    return Span(since, until, edges, per, before, before_until, running)


def offered(query: Query, now: datetime, zone: ZoneInfo) -> list[str]:
    """Parts the period may be cut into."""
    first, last, _ = _days(query, now.astimezone(zone).date())
    days = (last - first).days + 1
    fits = {"hour": days <= 3, "day": 1 < days <= _MOST["day"], "week": days > 13, "month": days > 59}
    return [per for per, good in fits.items() if good]


def _days(query: Query, today: date) -> tuple[date, date, date]:
    """(first, last, first of the period before)."""
    month = today.replace(day=1)
    if query.range == "today":
        return today, today, today - timedelta(days=1)
    if query.range == "7d":
        return today - timedelta(days=6), today, today - timedelta(days=13)
    if query.range == "month":
        return month, _months_on(month, 1) - timedelta(days=1), _months_on(month, -1)
    if query.range == "last-month":
        return _months_on(month, -1), month - timedelta(days=1), _months_on(month, -2)
    if query.range == "12m":
        return _months_on(month, -11), _months_on(month, 1) - timedelta(days=1), _months_on(month, -23)
    assert query.first is not None
    assert query.last is not None
    length = query.last - query.first + timedelta(days=1)
    if length > _LONGEST or query.first < _EARLIEST or query.last > _LATEST:
        raise InvalidValue(
            "The period is longer than three years, or out of sight",
            value=f"{query.first} – {query.last}",
            action="Choose a shorter one",
        )
    return query.first, query.last, query.first - length


def _months_on(first: date, months: int) -> date:
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _usual(length: timedelta) -> str:
    days = length.days + 1
    return "hour" if days == 1 else "day" if days <= 62 else "week" if days <= 184 else "month"


def _start(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _same_point(before: datetime, elapsed: timedelta, zone: ZoneInfo, since: datetime) -> datetime:
    """As far into the period before, on the local clock: a day of a clock change has its own length."""
    local = (since + elapsed).astimezone(zone).replace(tzinfo=None) - since.astimezone(zone).replace(tzinfo=None)
    return (before.astimezone(zone).replace(tzinfo=None) + local).replace(tzinfo=zone).astimezone(UTC)


def _edges(since: datetime, until: datetime, per: str, zone: ZoneInfo) -> list[datetime]:
    edges = [since]
    while len(edges) <= _MOST[per]:
        following = _following(edges[-1], per, zone)
        if following >= until:
            break
        edges.append(following)
    return edges


def _following(edge: datetime, per: str, zone: ZoneInfo) -> datetime:
    if per == "hour":
        return edge + timedelta(hours=1)
    day = edge.astimezone(zone).date()
    if per == "day":
        return _start(day + timedelta(days=1), zone)
    if per == "week":
        return _start(day + timedelta(days=7 - day.weekday()), zone)
    return _start(_months_on(day.replace(day=1), 1), zone)
