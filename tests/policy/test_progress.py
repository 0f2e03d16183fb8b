from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from policy_events import NOW, SETTINGS, make_event, spending_of, steady_events

from mesure.config import OrganisationSettings
from mesure.ledger import Committer, Ledger, Pricer, Spool, View
from mesure.policy.budgets import Amount, Budget, Scope, amount_of
from mesure.policy.periods import period_at
from mesure.policy.progress import Pin, Progress, Spending, Versions, running, weigh
from waiting import eventually

PARIS = ZoneInfo("Europe/Paris")
UNITS = ("kWh", "kgCO2eq", "L", "calls")


def by_hand(budget, events, since, until):
    """The same sum, one event at a time, by the public functions."""
    pricer, total = Pricer({}), 0.0
    for event in events:
        impacts = pricer.impacts(event)
        if since <= event.started_at < until and budget.scope.holds(event, impacts.model):
            total += amount_of(budget, event, impacts, None) or 0.0
    return total


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """Two months of two teams on two models."""
    events = steady_events(75, team="support", seed=1) + steady_events(75, 2, team="sales", use_case="mail", seed=2)
    events += steady_events(20, 3, team="support", model_requested="mistral-large-latest", provider="mistral", seed=3)
    return events, spending_of(tmp_path_factory.mktemp("ledger"), events)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("period", ["day", "week", "month", "quarter", "year"])
def test_what_is_spent_is_the_sum_of_the_periods_calls(used, unit, period):
    events, spending = used
    budget = Budget(name="b", limit=100.0, unit=unit, period=period, scope=Scope(team="support"))
    found = spending.progress(budget, NOW, None)
    at = period_at(period, NOW, PARIS)
    assert found.spent.value == pytest.approx(by_hand(budget, events, at.start, at.end), rel=1e-9)
    assert found.period == at
    assert found.spent.unknown == 0
    assert found.restated is None


@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        Scope(team="sales"),
        Scope(team="sales", use_case="mail"),
        Scope(model="gpt-4o"),
        Scope(team="support", model="gpt-4o"),
        Scope(team="nobody"),
    ],
)
def test_scopes_are_the_same_in_the_ledger_and_on_one_event(used, scope):
    events, spending = used
    budget = Budget(name="b", limit=1.0, unit="kWh", scope=scope)
    month = period_at("month", NOW, PARIS)
    expected = by_hand(budget, events, month.start, month.end)
    assert spending.progress(budget, NOW, None).spent.value == pytest.approx(expected, rel=1e-9)
    assert (expected == 0.0) == (scope.team == "nobody")


def test_a_month_of_steady_use_ends_near_its_rate(used):
    _, spending = used
    budget = Budget(name="b", limit=200.0, unit="calls", scope=Scope(team="sales"))
    found = spending.progress(budget, NOW, None)
    assert found.spent.value == 2 * 22 or abs(found.spent.value - 44) <= 2
    low, mid, high = found.foreseen
    assert low <= 60 <= high
    assert mid == pytest.approx(60, rel=0.1)
    assert found.history > 60
    assert weigh(found) == "within"
    assert found.overrun == (None, None, None)


def test_the_day_on_which_a_budget_will_be_overrun(used):
    _, spending = used
    budget = Budget(name="b", limit=52.0, unit="calls", scope=Scope(team="sales"))
    found = spending.progress(budget, NOW, None)
    early, middle, late = found.overrun
    assert middle in (date(2026, 11, 25), date(2026, 11, 26), date(2026, 11, 27))
    assert early <= middle
    assert late is None or late >= middle
    assert weigh(found) == "will_be"


def test_thresholds_and_the_limit(used):
    _, spending = used
    for limit, reached, state in ((1000.0, None, "within"), (80.0, 0.5, "within"), (40.0, 1.0, "over")):
        budget = Budget(name="b", limit=limit, unit="calls", scope=Scope(team="sales"))
        found = spending.progress(budget, NOW, None)
        assert found.reached == reached
        assert (weigh(found) == "over") == (state == "over") == found.exceeded


def test_without_use_nothing_is_foreseen(tmp_path):
    found = spending_of(tmp_path, []).progress(Budget(name="b", limit=1.0), NOW, None)
    assert found.spent == Amount(0.0, 0, 0)
    assert found.foreseen is None
    assert weigh(found) == "within"


def test_the_first_day_of_use_foresees_nothing_and_the_second_widely(tmp_path):
    first = [make_event(started_at=NOW - timedelta(minutes=minute)) for minute in range(1, 6)]
    budget = Budget(name="b", limit=1e6, unit="calls")
    assert spending_of(tmp_path / "a", first).progress(budget, NOW, None).foreseen is None
    second = [*first, *(replace(event, started_at=event.started_at - timedelta(days=1)) for event in first)]
    low, mid, high = spending_of(tmp_path / "b", second).progress(budget, NOW, None).foreseen
    assert high > 2 * mid
    assert low < mid


def test_calls_without_a_factor_are_counted_as_unknown(tmp_path):
    events = [make_event(started_at=NOW - timedelta(hours=1), host_zone=zone) for zone in ("FRA", "XXX", "XXX")]
    spending = spending_of(tmp_path, events)
    assert spending.progress(Budget(name="b", limit=1.0, unit="kgCO2eq"), NOW, None).spent.unknown == 2
    assert spending.progress(Budget(name="b", limit=1.0, unit="kWh"), NOW, None).spent.unknown == 0


def test_other_versions_restate_beside_and_never_jump(used):
    events, spending = used
    budget = Budget(name="b", limit=10.0, unit="kWh", scope=Scope(team="support"))
    plain = spending.progress(budget, NOW, None)
    moment = NOW - timedelta(days=3)
    booked = Amount(0.123, 17, 0)
    pin = Pin(Versions("2020.1", "2020.1"), booked, moment)
    found = spending.progress(budget, NOW, pin)
    assert found.pinned == Versions("2020.1", "2020.1")
    assert found.restated == plain.spent
    month = period_at("month", NOW, PARIS)
    since = by_hand(budget, events, moment, month.end)
    assert found.spent.value == pytest.approx(0.123 + since, rel=1e-9)
    at_the_change = spending.progress(budget, NOW, pin._replace(booked_until=month.end))
    assert at_the_change.spent == booked  # the moment the versions changed, nothing moved


def test_a_pin_of_the_running_versions_changes_nothing(used):
    _, spending = used
    budget = Budget(name="b", limit=10.0)
    pin = Pin(running(), Amount(99.0, 1, 0), NOW)
    assert spending.progress(budget, NOW, pin) == spending.progress(budget, NOW, None)


def test_a_budget_of_a_day_counts_by_hours(used):
    _, spending = used
    budget = Budget(name="b", limit=1000.0, unit="calls", period="day", scope=Scope(team="support"))
    found = spending.progress(budget, NOW, None)
    assert found.history > 24 * 20
    assert found.foreseen.low >= found.spent.value
    assert found.foreseen.mid - found.spent.value < 4  # little of the day is left, and calls come by day


def test_holidays_are_taken_for_sundays_where_configured(tmp_path):
    weeks = [
        make_event(started_at=NOW - timedelta(days=day, hours=8))
        for day in range(1, 71)
        for _ in range(1 if (NOW - timedelta(days=day)).weekday() == 6 else 20)
    ]
    budget = Budget(name="b", limit=1e6, unit="calls")
    plain = spending_of(tmp_path / "a", weeks).progress(budget, NOW, None)
    organisation = OrganisationSettings(timezone="Europe/Paris", holidays=["2026-11-24", "2026-11-25"])
    feast = spending_of(tmp_path / "b", weeks, replace(SETTINGS, organisation=organisation)).progress(budget, NOW, None)
    assert plain.foreseen.mid - feast.foreseen.mid > 20


def test_calls_that_are_not_in_the_table_yet_count(tmp_path):
    ledger = Ledger(tmp_path)
    spool = Spool(tmp_path / "spool")
    committer = Committer(ledger, tmp_path / "spool")
    committer.start()
    try:
        view = View(ledger, committer, SETTINGS)
        spending = Spending(view, ledger, committer, SETTINGS)
        now = datetime.now(UTC)
        for unit in ("calls", "USD"):
            assert spending.progress(Budget(name="b", limit=9.0, unit=unit), now, None).spent.calls == 0
        assert spool.record(make_event(started_at=now, cost=0.25, cost_currency="USD"))
        eventually(lambda: len(committer.recent) == 1)
        assert spending.progress(Budget(name="b", limit=9.0, unit="calls"), now, None).spent.value == 1.0
        assert spending.progress(Budget(name="b", limit=9.0, unit="USD"), now, None).spent.value == 0.25
    finally:
        spool.close()
        committer.stop()


def test_closed_days_are_read_once_in_ten_minutes(used, monkeypatch):
    _, spending = used
    asked, clock = [], [0.0]
    counted = Spending(spending._view, spending._ledger, None, SETTINGS, clock=lambda: clock[0])
    rows = counted._counted
    monkeypatch.setattr(counted, "_counted", lambda b, since, *rest: asked.append(since) or rows(b, since, *rest))
    budget = Budget(name="b", limit=1.0)
    for seconds in (0.0, 60.0, 120.0, 601.0):
        clock[0] = seconds
        counted.progress(budget, NOW, None)
    whole = [since for since in asked if since < NOW - timedelta(days=2)]
    assert len(whole) == 2
    assert len(asked) == 6


def test_a_budget_of_one_key(tmp_path):
    events = [make_event(started_at=NOW - timedelta(hours=1), key_id=key) for key in ("AbCd1234", "AbCd1234", None)]
    budget = Budget(name="b", limit=9.0, unit="calls", scope=Scope(key="AbCd1234"))
    assert spending_of(tmp_path, events).progress(budget, NOW, None).spent.value == 2.0
    assert [budget.scope.holds(event) for event in events] == [True, True, False]


def test_a_model_by_another_of_its_names(tmp_path):
    events = [
        make_event(started_at=NOW - timedelta(hours=1), model_requested=name) for name in ("gpt-4o", "gpt-4o-mini")
    ]
    for name in ("gpt-4o", "openai/gpt-4o"):
        budget = Budget(name="b", limit=9.0, unit="calls", scope=Scope(model=name))
        assert spending_of(tmp_path / name.replace("/", "-"), events).progress(budget, NOW, None).spent.value == 1.0


def test_progress_is_frozen(used):
    _, spending = used
    found = spending.progress(Budget(name="b", limit=1.0), NOW, None)
    assert isinstance(found, Progress)
    with pytest.raises(AttributeError):
        found.spent = Amount(0.0, 0, 0)
