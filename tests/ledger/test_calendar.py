"""Days and months of Europe/Paris, the days of 23 and 25 hours among them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.ledger.calendar import day_start, month_start, previous_month_start, same_point_before

PARIS = ZoneInfo("Europe/Paris")
_instants = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2026-11-22T12:00", "2026-11-21T23:00"),
        ("2026-11-21T22:59:59", "2026-11-20T23:00"),
        ("2026-11-21T23:00", "2026-11-21T23:00"),
        ("2026-07-14T21:59:59", "2026-07-13T22:00"),
        ("2026-03-29T00:30", "2026-03-28T23:00"),  # before the clocks go forward
        ("2026-03-29T12:00", "2026-03-28T23:00"),  # after
        ("2026-03-29T22:00", "2026-03-29T22:00"),  # that day lasted 23 hours
        ("2026-10-25T00:30", "2026-10-24T22:00"),
        ("2026-10-25T22:59", "2026-10-24T22:00"),  # this one lasts 25
    ],
)
def test_days(at, start):
    assert day_start(_utc(at), PARIS) == _utc(start)


def test_the_days_of_the_clock_changes_have_23_and_25_hours():
    def hours(day: str, following: str) -> float:
        return (day_start(_utc(following), PARIS) - day_start(_utc(day), PARIS)) / timedelta(hours=1)

    assert hours("2026-03-29T12:00", "2026-03-30T12:00") == 23
    assert hours("2026-10-25T12:00", "2026-10-26T12:00") == 25


@pytest.mark.parametrize(
    ("at", "month", "before", "point"),
    [
        ("2026-11-22T12:00", "2026-10-31T23:00", "2026-09-30T22:00", "2026-10-22T11:00"),  # 13:00 in Paris both times
        ("2026-01-10T08:00", "2025-12-31T23:00", "2025-11-30T23:00", "2025-12-10T08:00"),
        ("2026-03-30T10:00", "2026-02-28T23:00", "2026-01-31T23:00", "2026-02-28T23:00"),  # February has no 30th
        ("2026-10-31T23:30", "2026-10-31T23:00", "2026-09-30T22:00", "2026-09-30T22:30"),
        ("2026-04-29T00:30", "2026-03-31T22:00", "2026-02-28T23:00", "2026-03-29T01:30"),  # 02:30 did not exist
    ],
)
def test_months(at, month, before, point):
    assert month_start(_utc(at), PARIS) == _utc(month)
    assert previous_month_start(_utc(at), PARIS) == _utc(before)
    assert same_point_before(_utc(at), PARIS) == _utc(point)


@given(
    at=_instants, zone=st.sampled_from(["Europe/Paris", "Asia/Kolkata", "America/St_Johns", "Pacific/Chatham", "UTC"])
)
def test_an_instant_lies_in_its_day_and_month(at, zone):
    place = ZoneInfo(zone)
    day, month, before = day_start(at, place), month_start(at, place), previous_month_start(at, place)
    assert before < month <= day <= at
    assert before <= same_point_before(at, place) <= month
    assert at - day < timedelta(hours=25)
    # Sums are kept by quarters of an hour: every day must be made of whole ones
    assert day.timestamp() % 900 == 0
