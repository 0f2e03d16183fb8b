"""Totals split by any column give what Python's own grouping of the events gives, wherever the events are."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.config import OrganisationSettings, Settings
from mesure.errors import InvalidValue
from mesure.ledger import Ledger, View
from mesure.ledger.cells import QUARTER_S
from mesure.ledger.grouping import Grouping
from mesure.ledger.pricing import Pricer
from mesure.ledger.schema import COLUMNS, second_of

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=40)
_SPLITTABLE = sorted(
    name
    for name, kind in COLUMNS.items()
    if kind in ("str", "int", "bool") and name not in ("month", "identity", "identities", "sightings")
)
_UNSPLITTABLE = sorted(name for name, kind in COLUMNS.items() if kind not in ("str", "int", "bool"))


def _events():
    draw = random.Random(7)

    def some(*values):
        return draw.choice((None, *values))

    return [
        make_event(
            number,
            started_at=SINCE + timedelta(seconds=draw.randrange(40 * 86_400)),
            stream=some(True, False),
            team=some("a", "b", 'quote " and , and {'),
            use_case=some("réponse", "résumé"),
            user=some("u-1", "u-2"),
            end_client=some("x"),
            application=some("mail"),
            turn=some(1, 2, 3),
            http_status=some(200, 429),
            host_zone=some("FRA", "USA"),
            finish_reason=some("stop", "length"),
            tokens_reported=some(True),
            environment=draw.choice(("production", "test")),
            status=draw.choice(("ok", "error")),
            calls_count=draw.choice((1, 1, 4)),
        )
        for number in range(160)
    ]


EVENTS = _events()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """All events in the table."""
    ledger = Ledger(tmp_path_factory.mktemp("grouping"))
    ledger.append(EVENTS, {})
    return View(ledger, None, Settings())


@pytest.fixture(scope="module")
def unstored(tmp_path_factory):
    """The same events, none of them in the table yet."""

    class Held:
        recent = EVENTS

        def __init__(self, ledger):
            self.ledger = ledger

        def consistent(self):
            return self.ledger.snapshot(), tuple(EVENTS)

    ledger = Ledger(tmp_path_factory.mktemp("recent"))
    return View(ledger, Held(ledger), Settings())


def _text(value):
    return value if value is None or isinstance(value, str) else str(value).lower()


@pytest.mark.parametrize("column", _SPLITTABLE)
def test_every_column_that_is_offered_splits(stored, unstored, column):
    calls, tokens = Counter(), Counter()
    for event in EVENTS:
        key = (_text(getattr(event, column)),)
        calls[key] += event.calls_count
        tokens[key] += (event.input_tokens or 0) + (event.output_tokens or 0)
    until = NOW + timedelta(seconds=1)
    for view in (stored, unstored):
        rows = view.totals(SINCE, until, (column,))
        assert {row.key: row.calls for row in rows} == calls
        assert {row.key: row.tokens for row in rows} == tokens


@pytest.mark.parametrize("column", [*_UNSPLITTABLE, "modle", "", "days", "energy_wh", "id; DROP TABLE x"])
def test_what_cannot_split_is_refused(column):
    with pytest.raises(InvalidValue, match="cannot be split"):
        Grouping((column,), PARIS)


@pytest.mark.parametrize("by", [("day", "team"), ("team", "day"), ("hour", "model"), ("month", "day", "status")])
def test_keys_keep_the_order_asked_for(stored, unstored, by):
    until = NOW + timedelta(seconds=1)
    for view in (stored, unstored):
        expected = Counter()
        for event in EVENTS:
            local = event.started_at.astimezone(PARIS)
            given = {
                "day": local.date().isoformat(),
                "month": local.strftime("%Y-%m"),
                "hour": local.replace(minute=0, second=0, microsecond=0).isoformat(timespec="minutes"),
                "team": event.team,
                "status": event.status,
                "model": Pricer({}).impacts(event).model or event.model_requested,
            }
            expected[tuple(given[name] for name in by)] += event.calls_count
        assert {row.key: row.calls for row in view.totals(SINCE, until, by)} == expected


@pytest.mark.parametrize("zone", ["Europe/Paris", "Asia/Kolkata", "America/St_Johns", "Pacific/Chatham", "UTC"])
@pytest.mark.parametrize("name", ["hour", "day", "month"])
def test_a_quarter_lies_in_one_period_of_any_zone(zone, name):
    """Two days around each clock change, minute by minute."""
    local = ZoneInfo(zone)
    grouping = Grouping((name,), local)
    for start in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 31, tzinfo=UTC)):
        since, until = second_of(start), second_of(start + timedelta(days=2))
        periods = grouping.periods(since, until)
        assert periods is not None
        assert list(periods) == list(range(since - since % QUARTER_S, until, QUARTER_S))
        first_of = {}
        for second in range(since, until, 60):
            at = datetime.fromtimestamp(second, local)
            period = {
                "hour": (at.date(), at.hour, at.utcoffset()),
                "day": (at.date(),),
                "month": (at.year, at.month),
            }[name]
            start_of = periods[second - second % QUARTER_S]
            assert first_of.setdefault(period, start_of) == start_of
        assert len(set(periods.values())) == len(first_of)


@settings(max_examples=80, deadline=None)
@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["Europe/Paris", "Asia/Tokyo", "America/New_York"]),
)
def test_the_day_of_an_event_is_that_of_its_zone(at, zone):
    event = make_event(0, started_at=at.replace(tzinfo=UTC))
    local = event.started_at.astimezone(ZoneInfo(zone))
    served = Pricer({}).price(event)[0].served
    key = Grouping(("day", "month"), ZoneInfo(zone)).key_of(event, served)
    assert key == (local.date().isoformat(), f"{local.year:04d}-{local.month:02d}")


def test_the_hour_that_comes_twice_is_two_hours(tmp_path):
    ledger = Ledger(tmp_path)
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    ledger.append([make_event(n, started_at=start + timedelta(minutes=30 * n)) for n in range(6)], {})
    view = View(ledger, None, Settings(organisation=OrganisationSettings(timezone="Europe/Paris")))
    rows = view.totals(start, start + timedelta(hours=3), ("hour",))
    assert {row.key[0]: row.calls for row in rows} == {
        "2026-10-25T02:00+02:00": 2,
        "2026-10-25T02:00+01:00": 2,
        "2026-10-25T03:00+01:00": 2,
    }
