from __future__ import annotations

import csv
import gzip
import math
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.policy.budgets import Amount, Budget, Scope
from mesure.policy.forecast import Outlook
from mesure.policy.periods import period_at
from mesure.policy.progress import Overrun, Progress, Versions
from mesure.policy.rules import (
    ACTIONS,
    CODES,
    SEVERITIES,
    Alert,
    DaySeries,
    Hours,
    Repeats,
    Use,
    of_budget,
    of_coverage,
    of_repeats,
    of_silence,
    of_unit_and_volume,
    of_unknown_models,
    of_use,
    of_volume,
)

NOW = datetime(2026, 11, 22, 20, tzinfo=UTC)
USE = Use(
    team="support",
    use_case="reply",
    environment="production",
    task=None,
    provider="openai",
    model="gpt-4o",
    known=True,
    active_b=44.0,
    calls=1000,
    failed=10,
    input_tokens=800_000.0,
    output_tokens=400_000.0,
    tokens=1_200_000.0,
    energy_wh=900.0,
)


def progress(spent, foreseen=None, *, history=60, **budget):
    found = Budget(name="team", limit=100.0, scope=Scope(team="support"), **budget)
    return Progress(
        budget=found,
        period=period_at("month", NOW, ZoneInfo("Europe/Paris")),
        at=NOW,
        spent=Amount(spent, 10, 2),
        pinned=Versions("m", "c"),
        restated=None,
        foreseen=foreseen,
        overrun=Overrun(date(2026, 11, 24), date(2026, 11, 27), None),
        history=history,
    )


def codes(alerts):
    return [alert.code for alert in alerts]


def test_every_code_has_an_action_and_alerts_survive_json():
    assert set(ACTIONS) == set(CODES)
    [alert] = of_budget(progress(85.0))
    assert alert.severity in SEVERITIES
    assert Alert.from_json(alert.to_json()) == alert
    assert alert.to_json()["action"] == "look_at_largest_use"


# --- budgets ---


@pytest.mark.parametrize(
    ("spent", "said", "severity"),
    [
        (49.9, [], None),
        (50.0, ["budget_threshold"], "info"),
        (79.9, ["budget_threshold"], "info"),
        (80.0, ["budget_threshold"], "warning"),
        (100.0, ["budget_exceeded"], "serious"),
        (250.0, ["budget_exceeded"], "serious"),
    ],
)
def test_thresholds(spent, said, severity):
    found = list(of_budget(progress(spent)))
    assert codes(found) == said
    if found:
        assert found[0].severity == severity
        assert found[0].scope == {"budget": "team", "team": "support"}
        assert found[0].facts["share"] == pytest.approx(spent / 100)
        assert found[0].facts["unknown_calls"] == 2


def test_each_threshold_is_another_thing_and_each_period_too():
    keys = {next(iter(of_budget(progress(spent)))).key for spent in (51.0, 60.0, 81.0, 95.0, 101.0)}
    assert len(keys) == 3
    later = replace(progress(51.0), period=period_at("month", NOW + timedelta(days=20), ZoneInfo("Europe/Paris")))
    assert next(iter(of_budget(later))).key not in keys


def test_an_overrun_is_foreseen_where_the_middle_is_over():
    over = progress(40.0, Outlook(90.0, 120.0, 150.0))
    [alert] = of_budget(over)
    assert alert.code == "budget_forecast"
    assert (alert.facts["low"], alert.facts["mid"], alert.facts["high"]) == (90.0, 120.0, 150.0)
    assert (alert.facts["early"], alert.facts["middle"], alert.facts["late"]) == ("2026-11-24", "2026-11-27", None)
    assert codes(of_budget(progress(40.0, Outlook(80.0, 95.0, 150.0)))) == []
    assert codes(of_budget(progress(40.0, Outlook(90.0, 120.0, 150.0), history=4))) == []
    assert codes(of_budget(progress(110.0, Outlook(115.0, 120.0, 150.0)))) == ["budget_exceeded"]


# --- volume: what it finds, and how often it is wrong ---


def series(calls, first=date(2026, 9, 7)):
    days = [first + timedelta(days=n) for n in range(len(calls))]
    return DaySeries({"team": "support"}, days[-1], calls, [day.weekday() for day in days])


def quiet(draw, days, level, spread, *, weekend=0.25):
    sigma = math.sqrt(math.log(1 + spread * spread))
    return [
        level * (weekend if n % 7 >= 5 else 1.0) * draw.lognormvariate(-sigma * sigma / 2, sigma) for n in range(days)
    ]


def test_a_day_that_stands_out_is_told_once_with_its_numbers():
    calls = [*quiet(random.Random(1), 60, 500, 0.15), 2400.0]
    [alert] = of_volume(series(calls))
    assert (alert.code, alert.facts["calls"]) == ("volume_anomaly", 2400.0)
    assert alert.facts["mid"] < 700
    assert alert.key == next(iter(of_volume(series(calls)))).key


@pytest.mark.parametrize(
    "calls",
    [
        [500.0] * 10 + [5000.0],  # a past too short to know
        [3.0] * 60 + [40.0],  # few calls
        [0.0] * 60 + [5000.0],  # a use that begins
        [100.0, 900.0] * 30 + [950.0],  # always so
    ],
)
def test_what_is_not_told(calls):
    assert list(of_volume(series(calls))) == []


def test_false_alarms_of_volume_on_quiet_use_are_rare():
    """Stated in docs/alerts.md: at most one in 500 quiet days."""
    told = looked = 0
    for seed in range(120):
        draw = random.Random(f"quiet-{seed}")
        calls = quiet(draw, 80, draw.choice((80, 400, 5000)), draw.uniform(0.05, 0.4), weekend=draw.choice((0.2, 1.0)))
        for day in range(30, 80, 2):
            looked += 1
            told += bool(list(of_volume(series(calls[: day + 1]))))
    assert looked == 3000
    assert told / looked <= 1 / 500


def test_a_tripled_day_is_found():
    found = 0
    for seed in range(60):
        draw = random.Random(f"burst-{seed}")
        calls = quiet(draw, 60, 400, 0.2)
        calls[-1] = calls[-8] * 3.5
        found += bool(list(of_volume(series(calls))))
    assert found >= 50


def test_false_alarms_of_volume_on_the_real_trace(shared_data):
    """Its 30-second buckets stand for days: one hour of a busy service, without an incident that is known of."""
    with gzip.open(shared_data / "traces" / "azure_llm_2023_conv.csv.gz", "rt") as lines:
        times = [datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in csv.DictReader(lines)]
    counts = [0.0] * int((times[-1] - times[0]) // 30)
    for at in times:
        if (bucket := int((at - times[0]) // 30)) < len(counts):
            counts[bucket] += 1
    looked = range(30, len(counts))
    told = sum(bool(list(of_volume(DaySeries({}, date(2026, 1, 1), counts[: n + 1], [0] * (n + 1))))) for n in looked)
    assert len(looked) > 80
    assert told <= 1


# --- silence ---


def hours_of(calls):
    return Hours(NOW, calls)


def office_hours(draw, weeks, level):
    """Calls by hour: working days, from 8 to 18."""
    found = []
    for hour in range(weeks * 168):
        busy = hour // 24 % 7 < 5 and 8 <= hour % 24 < 18
        found.append(float(max(0, round(draw.gauss(level, level / 5)))) if busy else 0.0)
    return found


def test_nights_and_weekends_are_no_silence():
    calls = office_hours(random.Random(2), 6, 40)
    for end in range(5 * 168, 6 * 168):
        assert list(of_silence(hours_of(calls[end - 5 * 168 : end]))) == []


def test_a_working_day_without_a_call_is_told_once():
    calls = office_hours(random.Random(3), 6, 40)
    keys = set()
    for silent in range(1, 5):
        end = 5 * 168 + 10 + silent  # Monday from 10 on
        cut = calls[:end]
        cut[end - silent :] = [0.0] * silent
        found = list(of_silence(Hours(NOW + timedelta(hours=silent), cut[end - 5 * 168 : end])))
        keys |= {alert.key for alert in found}
        assert codes(found) == ["meter_silent"]
    assert len(keys) == 1


def test_false_alarms_of_silence_are_none_on_sparse_use():
    told = 0
    for seed in range(40):
        draw = random.Random(f"sparse-{seed}")
        calls = [float(draw.random() < 0.2) for _ in range(6 * 168)]
        told += sum(bool(list(of_silence(hours_of(calls[end - 5 * 168 : end])))) for end in range(850, 1000, 3))
    assert told == 0


def test_no_use_at_all_is_no_silence():
    assert list(of_silence(hours_of([0.0] * 840))) == []
    assert list(of_silence(hours_of([]))) == []


# --- use ---


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"output_tokens": 20_000.0}, True),  # 20 tokens an answer, from a large model
        ({"task": "classification"}, True),
        ({"task": "Classification", "output_tokens": 9e5}, True),
        ({"task": "report", "output_tokens": 20_000.0}, False),  # said to be something else
        ({"output_tokens": 20_000.0, "input_tokens": 9e6}, False),  # long documents read
        ({"output_tokens": 20_000.0, "active_b": 8.0}, False),
        ({"output_tokens": 20_000.0, "active_b": None}, False),  # nobody knows its size
        ({"output_tokens": 2_000.0, "calls": 100}, False),  # hardly used
        ({"output_tokens": 0.0}, False),  # embeddings, or nobody counted
        ({}, False),
    ],
)
def test_models_that_look_large_for_their_answers(changes, told):
    found = list(of_use([USE._replace(**changes)], "2026-11"))
    assert codes(found) == (["oversized_model"] if told else [])
    if told:
        assert found[0].severity == "info"
        assert found[0].scope["model"] == "gpt-4o"
        assert found[0].action == "try_a_smaller_model"


def test_experiments_that_weigh_a_lot():
    trial = USE._replace(environment="experiment", energy_wh=400.0)
    assert codes(of_use([USE, trial], "2026-11")) == ["experiments_heavy"]
    assert codes(of_use([USE, trial._replace(energy_wh=100.0)], "2026-11")) == []
    assert codes(of_use([USE, trial._replace(calls=100)], "2026-11")) == []


@pytest.mark.parametrize(
    ("use_case", "told"), [("demo", True), ("poc-chat", True), ("my_test", True), ("contest", False), (None, False)]
)
def test_trials_that_run_as_production(use_case, told):
    found = codes(of_use([USE._replace(use_case=use_case)], "2026-11"))
    assert found == (["experiments_in_production"] if told else [])


def test_calls_that_fail():
    assert codes(of_use([USE._replace(failed=400)], "2026-11")) == ["failing_calls"]
    assert codes(of_use([USE._replace(failed=200)], "2026-11")) == []
    assert codes(of_use([USE._replace(calls=40, failed=40)], "2026-11")) == []


def test_rebound_is_less_a_call_and_more_in_all():
    before = [USE]
    lighter = USE._replace(calls=2000, energy_wh=1400.0)  # 0.78 a call, 2 x the calls, 1.56 x in all
    [alert] = of_unit_and_volume([lighter], before, "2026-11")
    assert alert.code == "rebound"
    assert alert.facts["unit"] == pytest.approx(0.7 / 0.9)
    assert alert.facts["total"] == pytest.approx(1400 / 900)
    for now in (
        USE._replace(calls=2000, energy_wh=1800.0),  # as much a call
        USE._replace(calls=1100, energy_wh=700.0),  # hardly more calls
        USE._replace(calls=2000, energy_wh=800.0),  # less in all
        USE._replace(calls=150, energy_wh=950.0),
    ):
        assert list(of_unit_and_volume([now], before, "2026-11")) == []
    assert list(of_unit_and_volume([lighter], [], "2026-11")) == []


def test_repeated_calls():
    found = of_repeats([Repeats("support", "faq", 1000, 400), Repeats("support", "mail", 1000, 100)], "2026-11")
    [alert] = found
    assert (alert.scope["use_case"], alert.facts["share"]) == ("faq", 0.4)
    assert list(of_repeats([Repeats(None, None, 60, 49)], "2026-11")) == []


def test_unknown_models_once_each():
    uses = [USE, USE._replace(known=False, model="house-1"), USE._replace(known=False, model="house-1", team="sales")]
    [alert] = of_unknown_models(uses, "2026-11")
    assert alert.facts["calls"] == 2000
    assert alert.scope == {"provider": "openai", "model": "house-1"}


def test_coverage_that_drops():
    unknown = USE._replace(known=False, model="house-1")
    assert codes(of_coverage([USE, unknown], [USE], "w")) == ["coverage_drop"]
    assert codes(of_coverage([USE, unknown], [USE, unknown], "w")) == []
    assert codes(of_coverage([USE], [USE], "w")) == []
    assert codes(of_coverage([], [USE], "w")) == []
    assert codes(of_coverage([unknown._replace(calls=10)], [USE], "w")) == []


@given(st.lists(st.floats(0, 1e6), max_size=90))
def test_rules_take_any_series(calls):
    if calls:
        assert all(alert.facts["calls"] == calls[-1] for alert in of_volume(series(calls)))
    assert all(alert.facts["hours"] >= 1 for alert in of_silence(hours_of(calls)))


@given(st.text(max_size=30), st.text(max_size=30))
def test_keys_name_their_scope(team, use_case):
    uses = [USE._replace(team=team or None, use_case=use_case or None, failed=900)]
    [alert] = [alert for alert in of_use(uses, "p") if alert.code == "failing_calls"]
    other = [USE._replace(team=(team or "") + "x", use_case=use_case or None, failed=900)]
    assert alert.key != next(alert for alert in of_use(other, "p") if alert.code == "failing_calls").key
