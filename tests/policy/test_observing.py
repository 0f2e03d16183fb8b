from __future__ import annotations

from datetime import timedelta

import pytest
from policy_events import NOW, SETTINGS, make_event, steady_events

from mesure.ledger import Ledger, Pricer, View
from mesure.policy.observing import Observer

WEEK = timedelta(days=7)


def observer(folder, events):
    ledger = Ledger(folder)
    if events:
        ledger.append(events, {"test": 1})
    return Observer(View(ledger, None, SETTINGS), ledger, SETTINGS)


def test_an_empty_ledger_shows_nothing(tmp_path):
    found = observer(tmp_path, [])
    assert found.uses(NOW - WEEK, NOW) == []
    assert found.repeats(NOW - WEEK, NOW) == []
    assert not any(found.hours(NOW).calls)
    assert [list(series.calls) for series in found.days(NOW)] == [[0.0] * 70]


def test_uses_are_sums_by_place_and_model(tmp_path):
    at = NOW - timedelta(days=1)
    events = [make_event(started_at=at, team="a", use_case="x", task="classification", output_tokens=20)] * 1
    events += [make_event(started_at=at, team="a", use_case="x", task="classification", output_tokens=40)]
    events += [make_event(started_at=at, team="a", use_case="x", status="error", http_status=500)]
    events += [make_event(started_at=at, team="b", model_requested="house-1", provider="own", environment="test")]
    events += [make_event(started_at=NOW - 2 * WEEK, team="a")]
    found = {(use.team, use.task, use.model): use for use in observer(tmp_path, events).uses(NOW - WEEK, NOW)}
    assert set(found) == {("a", "classification", "gpt-4o"), ("a", None, "gpt-4o"), ("b", None, "house-1")}
    sorted_out = found["a", "classification", "gpt-4o"]
    assert (sorted_out.calls, sorted_out.failed) == (2, 0)
    assert sorted_out.output_tokens / sorted_out.calls == 30
    assert sorted_out.input_tokens / sorted_out.calls == 1000
    assert sorted_out.known
    assert sorted_out.active_b > 20
    assert found["a", None, "gpt-4o"].failed == 1
    unknown = found["b", None, "house-1"]
    assert (unknown.known, unknown.active_b, unknown.environment) == (False, None, "test")
    energy = sum(Pricer({}).impacts(event).energy_wh.mid for event in events[:-1])
    assert sum(use.energy_wh for use in found.values()) == pytest.approx(energy)


def test_days_are_whole_and_end_with_yesterday(tmp_path):
    events = steady_events(20, 5, team="a", use_case="x") + steady_events(20, 3, team="b", seed=2)
    found = {tuple(series.scope.items()): series for series in observer(tmp_path, events).days(NOW)}
    assert set(found) == {(), (("team", "a"), ("use_case", "x")), (("team", "b"),)}
    whole = found[()]
    assert whole.day.isoformat() == "2026-11-21"
    assert len(whole.calls) == len(whole.weekdays) == 70
    assert whole.weekdays[-1] == 5
    assert whole.calls[-1] == 8.0
    assert sum(found[("team", "b"),].calls) == 3 * 19


def test_hours_up_to_the_last_whole_one(tmp_path):
    events = [make_event(started_at=NOW - timedelta(hours=hours)) for hours in (0, 1, 1, 30)]
    events += [make_event(started_at=NOW - timedelta(hours=2), basis="exported", calls_count=500)]
    found = observer(tmp_path, events).hours(NOW)
    assert found.ended.isoformat() == "2026-11-22T20:00:00+00:00"
    assert len(found.calls) == 5 * 168
    assert found.calls[-1] == 2.0
    assert sum(found.calls) == 3.0


def test_repeats_by_use_case(tmp_path):
    at = NOW - timedelta(days=2)
    prints = ["p1"] * 5 + ["p2"] * 2 + ["p3"]
    events = [make_event(started_at=at, team="a", use_case="faq", prompt_fingerprint=p) for p in prints]
    events += [make_event(started_at=at, team="b", prompt_fingerprint="p1")]  # another team asks the same
    events += [make_event(started_at=at, team="a", use_case="faq")]  # no fingerprint
    events += [make_event(started_at=at, team="a", use_case="faq", prompt_fingerprint="p1", route="cache")]
    events += [make_event(started_at=at, team="a", use_case="faq", prompt_fingerprint="p1", status="error")]
    found = {(row.team, row.use_case): row[2:] for row in observer(tmp_path, events).repeats(NOW - WEEK, NOW)}
    assert found == {("a", "faq"): (8, 5), ("b", None): (1, 0)}
