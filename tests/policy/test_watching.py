from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from policy_events import NOW, SETTINGS, make_event, steady_events
from receiving import WebhookServer

from mesure.config import AlertSettings, BudgetSettings, ReceiverSettings
from mesure.errors import ConfigError, StateError
from mesure.ledger import Ledger, View
from mesure.policy.alerts import AlertBook
from mesure.policy.budgets import Amount, Budget, Scope
from mesure.policy.kept import KeptBudgets, Pins
from mesure.policy.leases import Account, Ask, Leases, machine_id
from mesure.policy.notices import Notice
from mesure.policy.periods import period_at
from mesure.policy.progress import Versions
from mesure.policy.watching import Watch
from mesure.state import open_store
from waiting import eventually


def words(message, language):
    return Notice(f"{message.kind} {message.body['code']}", "text", (), "do", "", "", "info", language)


_OPENED = []


def opened(settings):
    _OPENED.append(open_store(settings))
    return _OPENED[-1]


@pytest.fixture(autouse=True)
def closed():
    """Stores that a watch opened and that no test stops."""
    yield
    while _OPENED:
        _OPENED.pop().close()


@pytest.fixture
def web():
    server = WebhookServer()
    yield server
    server.stop()


def watch_of(tmp_path, settings, events, *, now=NOW, **changes):
    ledger = Ledger(tmp_path / "ledger")
    if events:
        ledger.append(events, {"test": 1})
    settings = replace(settings, organisation=SETTINGS.organisation, **changes)
    clock = [now]
    watch = Watch(
        settings, View(ledger, None, settings), ledger, None, partial(opened, settings), words, now=lambda: clock[0]
    )
    return watch, ledger, clock


def codes(alerts):
    return sorted(alert.code for alert in alerts)


def test_budgets_are_looked_at_booked_and_told_once(tmp_path, settings, store, web):
    events = steady_events(30, 6, team="support")
    watch, _, clock = watch_of(
        tmp_path,
        settings,
        events,
        budgets={"team": BudgetSettings(limit=140.0, unit="calls", team="support")},
        receivers={"chat": ReceiverSettings(kind="generic", url=web.url, language="en")},
    )
    new = watch.look()
    assert codes(alert for alert in new if alert.code.startswith("budget")) == ["budget_forecast", "budget_threshold"]
    assert watch.latest.at == NOW
    [progress] = watch.latest.budgets
    assert progress.spent.value == pytest.approx(132, abs=4)
    clock[0] += timedelta(minutes=1)
    assert watch.look() == []
    assert watch.send() == 2
    assert watch.send() == 0
    assert sorted(body["alert"]["code"] for body in web.bodies()) == ["budget_forecast", "budget_threshold"]
    pin = Pins(store).of([(progress.budget, progress.period.key)])["team", progress.period.key]
    assert pin.booked == progress.spent
    assert pin.booked_until == clock[0]
    assert watch.state.error is None


def test_budgets_of_the_store_count_like_those_of_the_file(tmp_path, settings, store):
    KeptBudgets(store).save(Budget(name="kept", limit=10.0, unit="calls", scope=Scope(team="support")))
    watch, _, _ = watch_of(tmp_path, settings, steady_events(5, 6, team="support"))
    assert "budget_exceeded" in codes(watch.look())
    assert [progress.budget.name for progress in watch.latest.budgets] == ["kept"]
    KeptBudgets(store).delete("kept")
    watch.look()
    assert [kept.alert.code for kept in AlertBook(store).all() if kept.alert.code == "budget_exceeded"] == []


def test_versions_that_change_in_a_period_do_not_move_what_was_spent(tmp_path, settings, store, monkeypatch):
    import mesure.policy.progress as module

    events = steady_events(15, 6, team="support")
    watch, ledger, clock = watch_of(tmp_path, settings, events, budgets={"b": BudgetSettings(limit=1e3, unit="kWh")})
    watch.look()
    before = watch.latest.budgets[0]
    monkeypatch.setattr(module, "running", lambda: Versions("2099.1", "2099.1"))
    monkeypatch.setattr(module, "QUANTITIES", module.QUANTITIES | {"kWh": ("energy_wh", 500.0)})  # doubles all figures
    again, _, later = watch_of(tmp_path, settings, [], budgets={"b": BudgetSettings(limit=1e3, unit="kWh")})
    later[0] = clock[0]
    again.look()
    after = again.latest.budgets[0]
    assert after.spent == before.spent
    assert after.pinned == before.pinned
    assert after.restated.value == pytest.approx(2 * before.spent.value)
    ledger.append([make_event(started_at=NOW + timedelta(minutes=5), team="support")], {"test": 2})
    later[0] += timedelta(minutes=10)
    again.look()
    added = again.latest.budgets[0].spent.value - before.spent.value
    assert 0.0 < added < before.spent.value
    assert Pins(store).of([(after.budget, after.period.key)])["b", after.period.key].booked == before.spent


def test_rules_are_looked_at_each_hour_and_may_be_switched_off(tmp_path, settings, store, monkeypatch):
    events = steady_events(10, 30, team="a", model_requested="house-1", provider="own")
    events += steady_events(10, 30, team="b", task="classification", seed=2)
    events += steady_events(10, 30, team="c", use_case="faq", prompt_fingerprint="same", seed=3)
    watch, _, clock = watch_of(tmp_path, settings, events)
    assert codes(watch.look()) == ["oversized_model", "repeated_calls", "unknown_model"]
    read = []
    rules = watch.rules
    monkeypatch.setattr(watch, "rules", lambda now: read.append(now) or rules(now))
    for minutes in (10, 40, 20):
        clock[0] += timedelta(minutes=minutes)
        assert watch.look() == []
    assert len(read) == 1
    quiet, _, _ = watch_of(tmp_path, settings, [], alerts=AlertSettings(off=["unknown_model", "repeated_calls"]))
    assert quiet.look() == []
    assert codes(kept.alert for kept in AlertBook(store).all()) == ["oversized_model"]


def test_a_quiet_ledger_tells_nothing(tmp_path, settings):
    watch, _, clock = watch_of(tmp_path, settings, steady_events(60, 8, team="support"))
    for _ in range(5):
        assert watch.look() == []
        clock[0] += timedelta(hours=1)


def test_leases_of_a_dead_worker_end_on_the_ledgers_word(tmp_path, settings, store):
    budget = BudgetSettings(limit=500.0, unit="calls", mode="hard", team="support")
    watch, _, _ = watch_of(tmp_path, settings, steady_events(5, 6, team="support"), budgets={"hard": budget})
    watch._machine = "here"
    account = Account("hard", period_at("month", NOW, watch._spending.zone).key, 500.0)
    dead = Leases(store, "here", clock=lambda: NOW.timestamp() - 10_000)
    dead.renew("dead", [Ask(account, 0.0, 0.0, 0.0, 100.0, 0.0)])
    watch.look()
    standing = Leases(store, "here").standing(account)
    assert (standing.spent, standing.held) == (30.0, 0.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"budgets": {"b": BudgetSettings(limit=0.0)}},
        {"receivers": {"r": ReceiverSettings(kind="slack")}},
        {"receivers": {"r": ReceiverSettings(kind="email", to=["a@example.org"])}},
    ],
)
def test_settings_that_cannot_stand_are_refused_before_anything_runs(tmp_path, settings, changes):
    with pytest.raises(ConfigError):
        watch_of(tmp_path, settings, [], **changes)


def test_the_thread_looks_and_sends_and_outlives_a_store_that_is_away(tmp_path, settings, web):
    ledger = Ledger(tmp_path / "ledger")
    ledger.append(steady_events(5, 6, team="support"), {"test": 1})
    given = replace(
        settings,
        organisation=SETTINGS.organisation,
        budgets={"b": BudgetSettings(limit=3.0, unit="calls")},
        receivers={"chat": ReceiverSettings(kind="slack", url=web.url)},
        alerts=AlertSettings(every_s=0.02),
    )
    away = [True]

    def reached():
        if away[0]:
            raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")
        return opened(given)

    watch = Watch(given, View(ledger, None, given), ledger, None, reached, words, now=lambda: NOW)
    watch.start("here")
    try:
        eventually(lambda: watch.state.error is not None)
        assert watch.state.to_json()["error"]["code"] == "state_unreachable"
        away[0] = False
        eventually(lambda: len(web.came) == 1)
        eventually(lambda: watch.state.error is None)
        assert watch.latest.budgets[0].exceeded
    finally:
        watch.stop()


def test_a_data_folder_keeps_its_name(tmp_path):
    first = machine_id(tmp_path / "data")
    assert first == machine_id(tmp_path / "data")
    assert first != machine_id(tmp_path / "other")
    assert len(first) == 36


def test_budgets_survive_the_store_whole(store):
    budget = Budget(
        name="équipe", limit=5.0, unit="EUR", period="week", scope=Scope(team="a", key="k"), mode="hard", usd_rate=0.9
    )
    kept = KeptBudgets(store)
    kept.save(budget)
    kept.save(replace(budget, limit=6.0))
    assert kept.all() == {"équipe": replace(budget, limit=6.0)}
    for wrong in (replace(budget, name="a\nb"), replace(budget, limit=0.0)):
        with pytest.raises(Exception, match="budget"):
            kept.save(wrong)
    with pytest.raises(Exception, match="No budget") as unknown:
        kept.delete("equipe")
    assert unknown.value.nearest == ("équipe",)


def test_pins_are_forgotten_with_their_period(store, tmp_path, settings):
    watch, _, _ = watch_of(tmp_path, settings, [], budgets={"b": BudgetSettings(limit=1.0)})
    watch.look()
    [progress] = watch.latest.budgets
    asked = [(progress.budget, progress.period.key)]
    assert Pins(store).of(asked)["b", progress.period.key].booked == Amount(0.0, 0, 0)
    Pins(store).forget(progress.period.key + 1)
    assert Pins(store).of(asked) == {}
