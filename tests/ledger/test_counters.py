"""Counters only grow, add up to what was acknowledged, and stay few."""

from __future__ import annotations

import pytest
from ledger_events import make_event

from mesure.impact import impacts_of, resolve
from mesure.ledger import Counters
from mesure.ledger.counters import OTHER


def test_sums_are_those_of_the_events():
    counters = Counters()
    events = [make_event(number, calls_count=1 + number % 2) for number in range(40)]
    counters.add(events)
    rows = counters.rows()
    assert sum(row.events for row in rows) == 40
    assert sum(row.calls for row in rows) == 60
    assert sum(row.input_tokens for row in rows) == sum(event.input_tokens or 0 for event in events)
    assert sum(row.output_tokens for row in rows) == sum(event.output_tokens or 0 for event in events)
    energy = sum(
        impacts_of(e, resolve(e.model_requested or "", provider=e.provider, at=e.started_at)).energy_wh.mid
        for e in events
    )
    assert sum(row.energy_wh for row in rows) == pytest.approx(energy, rel=1e-12)
    assert {row.labels.team for row in rows} == {"team-0", "team-1", "team-2"}


def test_rows_are_copies():
    counters = Counters()
    counters.add([make_event()])
    (before,) = counters.rows()
    counters.add([make_event()])
    assert before.calls == 1
    assert counters.rows()[0].calls == 2


def test_water_without_a_factor_stays_unknown():
    counters = Counters()
    event = make_event()
    counters.add([event])
    water = impacts_of(event, resolve("gpt-4o", provider="openai")).water_ml
    assert (counters.rows()[0].water_ml is None) == (water is None)


def test_names_from_clients_do_not_make_labels_without_end():
    counters = Counters()
    counters.add(make_event(number, team=f"made-up-{number}") for number in range(1_300))
    rows = counters.rows()
    assert len(rows) <= 1_001
    assert sum(row.calls for row in rows) == 1_300
    assert any(row.labels.team == OTHER and row.calls == 300 for row in rows)


def test_a_call_whose_impacts_fail_is_counted(monkeypatch, caplog):
    def fail(*_args, **_kwargs):
        raise RuntimeError("broken")

    monkeypatch.setattr("mesure.ledger.pricing.Pricer.impacts", fail)
    counters = Counters()
    counters.add([make_event()])
    assert counters.rows()[0].calls == 1
    assert "could not be computed" in caplog.text
