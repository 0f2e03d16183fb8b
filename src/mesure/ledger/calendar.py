"""Days and months of the organisation's time zone, as instants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["day_start", "month_start", "previous_month_start", "same_point_before"]


def day_start(at: datetime, zone: ZoneInfo) -> datetime:
    """First instant of the local day of `at`, in UTC. Such a day lasts 23, 24 or 25 hours."""
    local = at.astimezone(zone)
    return datetime(local.year, local.month, local.day, tzinfo=zone).astimezone(UTC)


def month_start(at: datetime, zone: ZoneInfo) -> datetime:
    """First instant of the local month of `at`, in UTC."""
    local = at.astimezone(zone)
    return datetime(local.year, local.month, 1, tzinfo=zone).astimezone(UTC)


def previous_month_start(at: datetime, zone: ZoneInfo) -> datetime:
    """First instant of the local month before that of `at`, in UTC."""
    local = at.astimezone(zone)
    year, month = (local.year, local.month - 1) if local.month > 1 else (local.year - 1, 12)
    return datetime(year, month, 1, tzinfo=zone).astimezone(UTC)


def same_point_before(at: datetime, zone: ZoneInfo) -> datetime:
    """Same day and time of the previous local month, in UTC; its end when it has no such day."""
    local = at.astimezone(zone)
    previous = previous_month_start(at, zone).astimezone(zone)
    try:
        point = local.replace(year=previous.year, month=previous.month)
    except ValueError:
        return month_start(at, zone)
    return point.astimezone(UTC)
