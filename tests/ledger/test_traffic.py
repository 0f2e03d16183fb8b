"""The table as sums, against its events one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ledger_events import make_event

from mesure.catalogue import current
from mesure.config import DeploymentSettings, Settings
from mesure.impact.methods import method, methods, traffic_of
from mesure.ledger import Basis, Ledger, View, recomputed, traffic_in
from mesure.record import UsageEvent

FIELDS: tuple[dict[str, Any], ...] = (
    {},
    {"host_zone": "FRA", "cached_input_tokens": 50},
    {"output_tokens": None},
    {"input_tokens": None, "http_status": 429},
    {"operation": "embeddings", "output_tokens": None},
    {
        "energy_j": 40.0,
        "energy_low_j": 30.0,
        "energy_high_j": 60.0,
        "energy_status": "measured",
        "energy_scope": "server",
    },
    {"energy_j": 40.0},
    {"calls_count": 12, "model_answered": "gpt-4o-2024-08-06"},
    {"operation": "image", "images_count": 2, "model_requested": "flux.1-dev", "output_tokens": None},
    {"host_zone": "XXX"},
)


def events(count: int = 200) -> list[UsageEvent]:
    return [make_event(number, **FIELDS[number % len(FIELDS)]) for number in range(count)]


def test_sums_of_the_table_are_those_of_its_events_under_every_method(ledger: Ledger) -> None:
    made = events()
    for start in range(0, len(made), 50):
        ledger.append(made[start : start + 50], {"test": start + 50})
    read, expected = traffic_in(ledger, {}), traffic_of(made)
    assert (read.events, read.calls) == (expected.events, expected.calls) == (200, 200 + 20 * 11)
    for one in methods():
        found, wanted = (recomputed(traffic, Basis(one, current())) for traffic in (read, expected))
        assert found.energy_wh is not None
        assert wanted.energy_wh is not None
        assert found.energy_wh[:3] == pytest.approx(wanted.energy_wh[:3], rel=1e-12)
        assert found.gwp_gco2eq is not None
        assert wanted.gwp_gco2eq is not None
        assert found.gwp_gco2eq[:3] == pytest.approx(wanted.gwp_gco2eq[:3], rel=1e-12)
        assert (found.covered_calls, found.gwp_calls) == (wanted.covered_calls, wanted.gwp_calls)


def test_our_method_gives_what_the_pages_show(ledger: Ledger) -> None:
    ledger.append(events(), {})
    found = recomputed(traffic_in(ledger, {}), Basis(method("mesure"), current()))
    year = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    [shown] = View(ledger, None, Settings()).totals(*year, ())
    assert found.energy_wh is not None
    assert found.gwp_gco2eq is not None
    assert shown.gwp_gco2eq is not None
    assert found.energy_wh[:3] == pytest.approx(shown.energy_wh[:3], rel=1e-12)
    assert found.gwp_gco2eq[:3] == pytest.approx(shown.gwp_gco2eq[:3], rel=1e-12)
    assert (found.calls, found.events) == (shown.calls, shown.events)


def test_declared_deployments_are_taken(ledger: Ledger) -> None:
    ledger.append([make_event(3, deployment="rack", model_requested="llama-3.1-8b", provider="own")], {})
    stated = {"rack": DeploymentSettings(gpu="H100", n_gpus=1, batch=16)}
    plain, known = (traffic_in(ledger, deployments) for deployments in ({}, stated))
    widths = []
    for traffic in (plain, known):
        energy = recomputed(traffic, Basis(method("mesure"), current())).energy_wh
        assert energy is not None
        widths.append(energy.high / energy.low)
    assert widths[1] < 0.75 * widths[0]


def test_progress_counts_rows_and_memory_follows_kinds_not_rows(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mesure.ledger.traffic._MOST_ROWS", 100)
    for _ in range(4):
        ledger.append(events(100), {})
    seen: list[int] = []
    traffic = traffic_in(ledger, {}, progress=seen.append)
    assert seen == [100, 200, 300, 400]
    assert traffic.events == 400
    assert len(traffic) == len(traffic_of(events(100)))


def test_an_empty_ledger_has_no_traffic(ledger: Ledger) -> None:
    traffic = traffic_in(ledger, {})
    assert (len(traffic), traffic.calls) == (0, 0)
    assert recomputed(traffic, Basis(method("mesure"), current())).energy_wh is None
