"""Periods in the organisation's time zone: where they begin, end and are cut, and what they are compared with."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.web.explore.query import PERIODS, RANGES, Query
from mesure.apps.web.explore.span import Span, offered, span_of
from mesure.errors import InvalidValue

_PARIS = ZoneInfo("Europe/Paris")
_NOW = datetime(2026, 11, 22, 13, 2, 12, tzinfo=UTC)


def _span(range: str = "month", now: datetime = _NOW, zone: ZoneInfo = _PARIS, **more: object) -> Span:  # noqa: A002
    return span_of(Query(range=range, **more), now, zone)  # type: ignore[arg-type]


def _dates(first: str, last: str, **more: object) -> Span:
    return _span("dates", first=date.fromisoformat(first), last=date.fromisoformat(last), **more)  # type: ignore[arg-type]


def _local(at: datetime) -> str:
    return at.astimezone(_PARIS).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("range", "since", "until", "before", "before_until"),
    [
        (
            "today",
            "2026-11-22T00:00+01:00",
            "2026-11-23T00:00+01:00",
            "2026-11-21T00:00+01:00",
            "2026-11-21T14:00+01:00",
        ),
        ("7d", "2026-11-16T00:00+01:00", "2026-11-23T00:00+01:00", "2026-11-09T00:00+01:00", "2026-11-15T14:00+01:00"),
        (
            "month",
            "2026-11-01T00:00+01:00",
            "2026-12-01T00:00+01:00",
            "2026-10-01T00:00+02:00",
            "2026-10-22T14:00+02:00",
        ),
        (
            "last-month",
            "2026-10-01T00:00+02:00",
            "2026-11-01T00:00+01:00",
            "2026-09-01T00:00+02:00",
            "2026-10-01T00:00+02:00",
        ),
        ("12m", "2025-12-01T00:00+01:00", "2026-12-01T00:00+01:00", "2024-12-01T00:00+01:00", "2025-11-22T14:00+01:00"),
    ],
)
def test_periods_by_name(range: str, since: str, until: str, before: str, before_until: str) -> None:  # noqa: A002
    span = _span(range)
    assert [_local(at) for at in span[:2]] == [since, until]
    assert [_local(span.before), _local(span.before_until)] == [before, before_until]
    assert span.running == (range != "last-month")


def test_dates_of_one_s_own_end_with_their_last_day() -> None:
    span = _dates("2026-10-24", "2026-10-25")
    assert [_local(at) for at in span[:2]] == ["2026-10-24T00:00+02:00", "2026-10-26T00:00+01:00"]
    assert span.until - span.since == timedelta(hours=49)
    assert _local(span.before) == "2026-10-22T00:00+02:00"
    assert span.before_until == span.since
    assert not span.running


def test_a_month_longer_than_the_one_before_is_compared_with_all_of_it() -> None:
    """On 31 March, February has been over for days."""
    span = _span("month", datetime(2026, 3, 31, 12, tzinfo=UTC))
    assert _local(span.before) == "2026-02-01T00:00+01:00"
    assert span.before_until == span.since


@pytest.mark.parametrize(
    ("range", "per", "count"),
    [("today", "hour", 24), ("7d", "day", 7), ("month", "day", 30), ("last-month", "day", 31), ("12m", "month", 12)],
)
def test_usual_parts(range: str, per: str, count: int) -> None:  # noqa: A002
    span = _span(range)
    assert (span.per, len(span.edges)) == (per, count)


def test_a_day_of_the_clock_change_has_its_hours() -> None:
    assert len(_dates("2026-10-25", "2026-10-25").edges) == 25
    assert len(_dates("2026-03-29", "2026-03-29").edges) == 23


def test_weeks_begin_on_monday() -> None:
    span = _span("month", per="week")
    days = [edge.astimezone(_PARIS) for edge in span.edges]
    assert [day.weekday() for day in days] == [6, 0, 0, 0, 0, 0]  # the first of November is a Sunday
    assert [day.day for day in days] == [1, 2, 9, 16, 23, 30]


_moments = st.integers(1_577_836_800, 1_893_456_000).map(lambda second: datetime.fromtimestamp(second, UTC))
_zones = st.sampled_from(["Europe/Paris", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])


@given(_moments, _zones, st.sampled_from(RANGES[:-1]), st.none() | st.sampled_from(PERIODS))
def test_parts_cover_the_period_without_holes(now: datetime, zone: str, range: str, per: str | None) -> None:  # noqa: A002
    try:
        span = _span(range, now, ZoneInfo(zone), per=per)
    except InvalidValue:
        assert per is not None  # what is usual always fits
        return
    assert span.edges[0] == span.since < span.until
    assert all(earlier < later for earlier, later in pairwise(span.edges))
    assert span.edges[-1] < span.until
    for edge in span.edges:  # sums are kept by quarters of an hour
        assert edge.timestamp() % 900 == 0
    if span.per != "hour":
        assert all(edge.astimezone(ZoneInfo(zone)).strftime("%H:%M") == "00:00" for edge in span.edges)


@given(_moments, _zones, st.sampled_from(RANGES[:-1]))
def test_the_period_before_is_before_and_no_longer_than_what_has_passed(now: datetime, zone: str, range: str) -> None:  # noqa: A002
    span = _span(range, now, ZoneInfo(zone))
    assert span.before < span.since
    assert span.before <= span.before_until <= span.since
    if span.running:
        assert span.since <= now < span.until
        assert span.before_until - span.before <= now - span.since + timedelta(hours=1)  # a clock change apart


@pytest.mark.parametrize(
    ("first", "last", "per"),
    [("2026-01-01", "2026-12-31", "hour"), ("2026-01-01", "2026-12-31", "day"), ("2024-01-01", "2026-12-31", "day")],
)
def test_too_many_parts_are_refused(first: str, last: str, per: str) -> None:
    with pytest.raises(InvalidValue, match="too many parts") as caught:
        _dates(first, last, per=per)
    assert str(caught.value.value).startswith(f"per={per}")


@pytest.mark.parametrize(
    ("first", "last"), [("2020-01-01", "2026-01-01"), ("0001-01-01", "0001-01-02"), ("9999-12-31",) * 2]
)
def test_a_period_out_of_sight_is_refused(first: str, last: str) -> None:
    with pytest.raises(InvalidValue, match="three years"):
        _dates(first, last)


@pytest.mark.parametrize(
    ("range", "parts"),
    [
        ("today", ["hour"]),
        ("7d", ["day"]),
        ("month", ["day", "week"]),
        ("12m", ["week", "month"]),
    ],
)
def test_parts_that_are_offered_fit(range: str, parts: list[str]) -> None:  # noqa: A002
    assert offered(Query(range=range), _NOW, _PARIS) == parts
    for per in parts:
        assert len(_span(range, per=per).edges) >= 1


def test_three_years_can_be_seen_by_month_and_by_week() -> None:
    query = Query(range="dates", first=date(2024, 1, 1), last=date(2026, 12, 31))
    assert offered(query, _NOW, _PARIS) == ["week", "month"]
    assert len(span_of(query, _NOW, _PARIS).edges) == 36
    assert len(_dates("2024-01-01", "2026-12-31", per="week").edges) == 157
