"""Sums that pages read, against plain sums of the events: at every border of a day and a month, whatever the clock did,
whoever cancelled, and however totals are split."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.config import OrganisationSettings, Settings
from mesure.impact import impacts_of, resolve
from mesure.ledger import GroupTotal, Ledger, View, Window
from mesure.ledger.calendar import day_start, month_start, previous_month_start, same_point_before
from mesure.ledger.schema import second_of
from mesure.quantity import Quantity, add_independent, add_shared
from mesure.record import UsageEvent

ZONES = ("Europe/Paris", "America/New_York", "Asia/Kolkata", "Pacific/Chatham", "Africa/Cairo", "America/Havana")
#: Instants around which sums may go wrong: months and days of several zones begin, clocks change.
BORDERS = (
    datetime(2026, 3, 28, 22, tzinfo=UTC),  # the day before the clocks of Paris went forward begins
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # they go forward
    datetime(2026, 3, 31, 22, tzinfo=UTC),  # April begins in Paris
    datetime(2026, 4, 23, 22, tzinfo=UTC),  # in Cairo there is no midnight
    datetime(2026, 10, 24, 22, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # two o'clock comes again in Paris
    datetime(2026, 10, 31, 23, tzinfo=UTC),  # November begins in Paris
    datetime(2026, 11, 1, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 5, tzinfo=UTC),  # and in Havana, an hour before its clocks go back
)
OUTCOMES = ("ok", "ok", "ok", "cancelled", "truncated", "error")


def traffic(seed: int = 5, each: int = 30) -> list[UsageEvent]:
    """Events within a second to a day of every border, of all outcomes, some without counts, some refused."""
    draw = random.Random(seed)
    found: list[UsageEvent] = []
    for border in BORDERS:
        for _ in range(each):
            status = draw.choice(OUTCOMES)
            cut = status in ("cancelled", "error") and draw.random() < 0.5
            found.append(
                make_event(
                    len(found),
                    started_at=border + timedelta(seconds=draw.choice((1, 60, 3600, 86_400)) * draw.uniform(-1, 1)),
                    status=status,
                    http_status=429 if status == "error" and cut else 200,
                    output_tokens=None if cut else draw.randrange(400),
                    calls_count=draw.choice((1, 1, 1, 3)),
                    team=draw.choice(("a", "b", None)),
                    use_case=draw.choice(("reply", "summary")),
                    host_zone=draw.choice(("FRA", "XXX", None)),
                    energy_j=draw.choice((None, None, None, 250.0)),
                )
            )
    return found


EVENTS = traffic()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """All events, in files of every size, not in their order."""
    ledger = Ledger(tmp_path_factory.mktemp("sums"))
    mixed = random.Random(2).sample(EVENTS, len(EVENTS))
    for start, end in pairwise((0, 1, 8, 120, len(mixed))):
        ledger.append(mixed[start:end], {})
    return ledger


def view(ledger: Ledger, zone: str = "Europe/Paris") -> View:
    return View(ledger, None, Settings(organisation=OrganisationSettings(timezone=zone)))


def priced(event: UsageEvent) -> tuple[tuple[object, ...], Quantity, Quantity | None]:
    """Who served an event, its energy and its CO2e, by the public functions alone."""
    model = event.model_requested or ""
    found = impacts_of(event, resolve(model, provider=event.provider, zone=event.host_zone, at=event.started_at.date()))
    return (event.provider, found.model or model, event.host_zone), found.energy_wh, found.gwp_gco2eq


def summed(found: Iterable[tuple[object, Quantity]]) -> Quantity | None:
    by_served: dict[object, list[Quantity]] = defaultdict(list)
    for served, quantity in found:
        by_served[served].append(quantity)
    return add_independent([add_shared(parts) for parts in by_served.values()]) if by_served else None


def assert_is_sum_of(total: Window | GroupTotal, events: list[UsageEvent]) -> None:
    assert total.events == len(events)
    assert total.calls == sum(event.calls_count for event in events)
    assert total.tokens == sum((event.input_tokens or 0) + (event.output_tokens or 0) for event in events)
    each = [priced(event) for event in events]
    energy = summed((served, quantity) for served, quantity, _ in each)
    gwp = summed((served, quantity) for served, _, quantity in each if quantity is not None)
    for seen, expected in ((total.energy_wh, energy), (total.gwp_gco2eq, gwp)):
        assert (seen is None) == (expected is None)
        if seen is not None and expected is not None:
            assert seen[:3] == pytest.approx(expected[:3], rel=1e-9)
            assert seen.status is expected.status


def local_day(at: datetime, zone: ZoneInfo) -> tuple[int, int, int]:
    local = at.astimezone(zone)
    return local.year, local.month, local.day


@pytest.mark.parametrize("zone", ["Europe/Paris", "Pacific/Chatham", "Africa/Cairo", "America/Havana"])
def test_today_and_this_month_begin_where_the_local_clock_says(ledger: Ledger, zone: str) -> None:
    """Asked at every border: a second before, at it, after, or in the middle of the day."""
    place, pages = ZoneInfo(zone), view(ledger, zone)
    for number, border in enumerate(BORDERS):
        now = border + timedelta(seconds=(-1, 0, 1, 40_000)[(number + len(zone)) % 4])
        found = pages.overview(now)
        # Windows end with the second of `now` included
        past = [event for event in EVENTS if second_of(event.started_at) <= second_of(now)]
        today = [event for event in past if local_day(event.started_at, place) == local_day(now, place)]
        month = [e for e in past if local_day(e.started_at, place)[:2] == local_day(now, place)[:2]]
        for total, expected in ((found.today, today), (found.month, month)):
            assert (total.events, total.calls) == (len(expected), sum(event.calls_count for event in expected))
            assert total.tokens == sum((e.input_tokens or 0) + (e.output_tokens or 0) for e in expected)
        assert found.month.since <= found.today.since <= found.today.until == now


def test_energy_and_carbon_of_a_window_are_those_of_its_events(ledger: Ledger) -> None:
    place, pages = ZoneInfo("Europe/Paris"), view(ledger)
    for border in BORDERS[1::2]:
        now = border + timedelta(hours=5)
        found = pages.overview(now)
        past = [event for event in EVENTS if second_of(event.started_at) <= second_of(now)]
        assert_is_sum_of(found.month, [e for e in past if e.started_at >= month_start(now, place)])
        before, point = previous_month_start(now, place), same_point_before(now, place)
        assert_is_sum_of(found.previous, [e for e in past if before <= e.started_at < point + timedelta(seconds=1)])


@pytest.mark.parametrize("zone", ["Europe/Paris", "Pacific/Chatham", "America/Havana"])
def test_periods_of_a_year_are_those_of_the_local_clock_and_nothing_is_lost_between(ledger: Ledger, zone: str) -> None:
    place, pages = ZoneInfo(zone), view(ledger, zone)
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    written: dict[str, Callable[[datetime], str]] = {
        "day": lambda at: at.date().isoformat(),
        "month": lambda at: at.strftime("%Y-%m"),
        "hour": lambda at: at.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes"),
    }
    for name, spell in written.items():
        expected: dict[tuple[str], list[UsageEvent]] = defaultdict(list)
        for event in EVENTS:
            expected[(spell(event.started_at.astimezone(place)),)].append(event)
        rows = pages.totals(since, until, (name,))
        assert {row.key: row.events for row in rows} == {key: len(events) for key, events in expected.items()}
        assert sum(row.calls for row in rows) == sum(event.calls_count for event in EVENTS)


def test_an_hour_that_comes_twice_is_two_hours_and_one_that_does_not_exist_has_no_calls(ledger: Ledger) -> None:
    rows = view(ledger).totals(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), ("hour",))
    hours = {row.key[0]: row.events for row in rows}
    assert {"2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"} <= set(hours)
    assert not any(hour and hour.startswith("2026-03-29T02:00") for hour in hours)


@pytest.mark.parametrize("by", [("team",), ("model",), ("day",), ("team", "status")])
def test_finer_groups_merge_into_the_coarser(ledger: Ledger, by: tuple[str, ...]) -> None:
    """Counts exactly; middles of energy too, as sums: intervals do not add up between deployments."""
    pages = view(ledger)
    since, until = BORDERS[0] - timedelta(days=2), BORDERS[-1] + timedelta(days=2)
    [whole] = pages.totals(since, until, ())
    coarse = pages.totals(since, until, by)
    fine = pages.totals(since, until, (*by, "use_case"))
    assert_is_sum_of(whole, [event for event in EVENTS if since <= event.started_at < until])
    of_all: dict[tuple[str | None, ...], list[GroupTotal]] = {(): [whole]}
    for rows, groups in ((coarse, of_all), (fine, {row.key: [row] for row in coarse})):
        merged: dict[tuple[str | None, ...], list[GroupTotal]] = defaultdict(list)
        for row in rows:
            merged[row.key[:-1] if rows is fine else ()].append(row)
        assert set(merged) == set(groups)
        for key, parts in merged.items():
            [total] = groups[key]
            for count in ("calls", "events", "tokens"):
                assert sum(getattr(part, count) for part in parts) == getattr(total, count)
            assert math.fsum(part.energy_wh.mid for part in parts) == pytest.approx(total.energy_wh.mid, rel=1e-9)
            assert math.fsum(part.energy_wh.high for part in parts) >= total.energy_wh.high * (1.0 - 1e-9)
            known = [part.gwp_gco2eq.mid for part in parts if part.gwp_gco2eq is not None]
            assert (total.gwp_gco2eq is None) == (not known)
            if total.gwp_gco2eq is not None:
                assert math.fsum(known) == pytest.approx(total.gwp_gco2eq.mid, rel=1e-9)


def test_each_outcome_is_counted_and_a_refused_call_took_nothing(ledger: Ledger) -> None:
    rows = view(ledger).totals(BORDERS[0] - timedelta(days=2), BORDERS[-1] + timedelta(days=2), ("status",))
    found = {row.key[0]: row for row in rows}
    assert set(found) == set(OUTCOMES)
    for status, row in found.items():
        assert_is_sum_of(row, [event for event in EVENTS if event.status == status])
    by_code = view(ledger).totals(BORDERS[0] - timedelta(days=2), BORDERS[-1] + timedelta(days=2), ("http_status",))
    refused = next(row for row in by_code if row.key == ("429",))
    assert_is_sum_of(refused, [event for event in EVENTS if event.http_status == 429])


@settings(max_examples=15, deadline=None)
@given(
    st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 20)),  # noqa: DTZ001
    st.integers(0, 40 * 86_400),
    st.sampled_from([(), ("team",), ("status",)]),
)
def test_any_window_is_the_sum_of_its_events_and_cut_in_two_it_adds_up(
    tmp_path_factory: pytest.TempPathFactory, start: datetime, length: int, by: tuple[str, ...]
) -> None:
    pages = _kept(tmp_path_factory)
    since = start.replace(tzinfo=UTC, microsecond=0)
    until, middle = since + timedelta(seconds=length), since + timedelta(seconds=length // 3)
    whole = {row.key: row for row in pages.totals(since, until, by)}
    events = [event for event in EVENTS if since <= event.started_at < until]
    assert sum(row.events for row in whole.values()) == len(events)
    parts = [*pages.totals(since, middle, by), *pages.totals(middle, until, by)]
    assert {row.key for row in parts} == set(whole)
    for key, row in whole.items():
        mine = [part for part in parts if part.key == key]
        assert sum(part.calls for part in mine) == row.calls
        assert math.fsum(part.energy_wh.mid for part in mine) == pytest.approx(row.energy_wh.mid, rel=1e-9)


_KEPT: list[View] = []


def _kept(factory: pytest.TempPathFactory) -> View:
    """One table for all examples."""
    if not _KEPT:
        ledger = Ledger(factory.mktemp("kept"))
        ledger.append(EVENTS, {})
        _KEPT.append(view(ledger))
    return _KEPT[0]


# Days and months of a zone


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_is_made_of_its_days_and_its_twelve_months(zone: str) -> None:
    """Also where a clock change takes midnight away or repeats the hour after it."""
    place = ZoneInfo(zone)
    noons = [datetime(2026, 1, 1, 12, tzinfo=place) + timedelta(days=day) for day in range(365)]
    days, months = ([start(noon.astimezone(UTC), place) for noon in noons] for start in (day_start, month_start))
    assert len(set(days)) == len(days) == 365
    starts = sorted(set(months))
    assert len(starts) == 12
    assert {hours for a, b in pairwise(days) if (hours := (b - a) / timedelta(hours=1)) != 24} <= {23.0, 25.0}
    for first, following in pairwise(starts):
        assert previous_month_start(following, place) == first
        assert month_start(following - timedelta(microseconds=1), place) == first
        assert previous_month_start(following + timedelta(days=27), place) == first
        assert day_start(following, place) == following
        assert same_point_before(following, place) == first
    for day in days:
        assert day_start(day, place) == day
        assert day_start(day - timedelta(microseconds=1), place) < day
        assert local_day(day, place) != local_day(day - timedelta(microseconds=1), place), (
            "the first instant of its day"
        )


def test_the_catalogue_s_year_is_that_of_the_month_in_utc(tmp_path: Path) -> None:
    """A call of New Year's Eve, a second before and after midnight, under a grid that changed its factor."""
    ledger = Ledger(tmp_path)
    events = [
        make_event(0, started_at=datetime(year, month, day, 23 if day == 31 else 0, tzinfo=UTC), host_zone="FRA")
        for year, month, day in ((2023, 12, 31), (2024, 1, 1))
    ]
    ledger.append(events, {})
    rows = view(ledger).totals(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC), ("id",))
    for row in rows:
        [event] = [event for event in events if event.id == row.key[0]]
        assert_is_sum_of(row, [event])
    carbon = {row.key[0]: row.gwp_gco2eq.mid for row in rows if row.gwp_gco2eq}
    assert carbon[events[0].id] != carbon[events[1].id]
