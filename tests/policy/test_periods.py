from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.policy.periods import PERIODS, bucket_starts, period_at

PARIS = ZoneInfo("Europe/Paris")
ZONES = st.sampled_from(["Europe/Paris", "America/St_Johns", "Pacific/Chatham", "Asia/Kolkata", "UTC"]).map(ZoneInfo)
TIMES = st.integers(1_577_836_800, 2_051_222_400).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(st.sampled_from(PERIODS), TIMES, ZONES)
def test_periods_of_one_name_follow_each_other_without_a_gap(name, at, zone):
    period = period_at(name, at, zone)
    assert period.start <= at < period.end
    assert period_at(name, period.start, zone) == period
    assert period_at(name, period.end, zone).start == period.end
    assert period_at(name, period.start - timedelta(seconds=1), zone).end == period.start
    assert period.start.astimezone(zone).strftime("%H:%M") == "00:00"


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("day", "2026-11-22", "2026-11-23"),
        ("week", "2026-11-16", "2026-11-23"),
        ("month", "2026-11-01", "2026-12-01"),
        ("quarter", "2026-10-01", "2027-01-01"),
        ("year", "2026-01-01", "2027-01-01"),
    ],
)
def test_each_period_of_a_sunday_in_november(name, start, end):
    period = period_at(name, datetime(2026, 11, 22, 21, 30, tzinfo=UTC), PARIS)
    assert [f"{time.astimezone(PARIS):%Y-%m-%d}" for time in (period.start, period.end)] == [start, end]


def test_a_period_is_of_the_organisations_time_zone():
    late = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)  # already the new year in Paris
    assert period_at("year", late, PARIS).start == datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert period_at("year", late, ZoneInfo("UTC")).end == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_day_may_last_23_or_25_hours():
    lengths = {
        period.end - period.start
        for period in (
            period_at("day", datetime(2026, month, day, 12, tzinfo=UTC), PARIS)
            for month, day in ((3, 29), (10, 25), (6, 1))
        )
    }
    assert lengths == {timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)}


@given(TIMES, st.integers(0, 40), ZONES)
def test_buckets_of_days_are_local_midnights_in_order(since, days, zone):
    until = since + timedelta(days=days)
    starts = bucket_starts(since, until, zone, hourly=False)
    assert all(since <= start < until for start in starts)
    assert starts == sorted(set(starts))
    assert all(period_at("day", start, zone).start == start for start in starts)
    if starts:
        assert starts[-1] + timedelta(hours=26) > until


def test_buckets_of_hours_follow_the_clock_through_the_change_of_time():
    day = period_at("day", datetime(2026, 10, 25, 12, tzinfo=UTC), PARIS)
    hours = bucket_starts(day.start, day.end, PARIS, hourly=True)
    assert len(hours) == 25
    assert {later - earlier for earlier, later in pairwise(hours)} == {timedelta(hours=1)}
    within = bucket_starts(
        day.start + timedelta(minutes=1), day.start + timedelta(hours=2, minutes=1), PARIS, hourly=True
    )
    assert within == hours[1:3]


def test_the_key_of_a_period_is_its_start_in_milliseconds():
    assert period_at("month", datetime(2026, 11, 22, tzinfo=UTC), ZoneInfo("UTC")).key == 1793491200000
