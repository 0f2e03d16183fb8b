"""Methods by name, and what every one of them owes its reader."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure import METHOD_VERSION
from mesure.errors import UnknownName
from mesure.impact import impacts_of, resolve
from mesure.impact.methods import amounts_of, call_of, estimate_with, method, methods, traffic_of
from mesure.impact.methods.own_factors import factors_of
from mesure.record import UsageEvent

NAMES = [one.name for one in methods()]


def event(**fields: Any) -> UsageEvent:
    given: dict[str, Any] = {
        "id": "e",
        "started_at": datetime(2026, 11, 22, 12, tzinfo=UTC),
        "provider": "openai",
        "model_requested": "gpt-4o",
        "input_tokens": 1000,
        "output_tokens": 400,
        "host_zone": "FRA",
    }
    return UsageEvent(**(given | fields))


def test_names_are_unique_and_ours_comes_first() -> None:
    assert NAMES[:2] == ["mesure", "ecologits-0.11"]
    assert len(set(NAMES)) == len(NAMES) >= 6
    assert method("mesure").version == METHOD_VERSION


def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName) as refused:
        method("ecologit")
    assert refused.value.nearest == ("ecologits-0.11",)


@pytest.mark.parametrize("name", NAMES)
def test_every_method_is_versioned_and_says_what_it_counts_and_ignores(name: str) -> None:
    one = method(name)
    assert one.version
    assert one.counts
    assert one.ignores
    assert not set(one.counts) & set(one.ignores)
    for factor in one.factors:
        assert factor.source
        assert factor.year
        assert factor.licence
        assert factor.unit


@pytest.mark.parametrize("table", ["published", "ecologits_mpl"])
def test_every_figure_has_its_provenance(table: str) -> None:
    for parameters in factors_of(table).values():
        for factor in parameters.values():
            assert all((factor.source, factor.source_url, factor.unit, factor.licence, factor.status))
            assert factor.low <= factor.value <= factor.high


@pytest.mark.parametrize(("name", "wh"), [("epoch", 0.3), ("openai", 0.34), ("gemini", 0.24), ("devries", 3.0)])
def test_constants_are_those_published_whatever_is_asked(name: str, wh: float) -> None:
    full = next(one for one in NAMES if one.startswith(f"constant-{name}"))
    for fields in ({}, {"output_tokens": 90_000}, {"model_requested": "nobody-1"}):
        found = estimate_with(full, event(**fields))
        assert found.energy_wh is not None
        assert found.energy_wh.mid == pytest.approx(wh)
    many = estimate_with(full, event(calls_count=1000)).energy_wh
    assert many is not None
    assert many.mid == pytest.approx(1000 * wh)
    assert estimate_with(full, event(operation="embeddings")).energy_wh is None


def test_a_constant_takes_the_grid_of_the_place_and_the_market_based_one_does_not() -> None:
    def gwp(name: str, zone: str) -> float | None:
        found = estimate_with(name, event(host_zone=zone)).gwp_gco2eq
        return found.mid if found else None

    france, poland = gwp("constant-epoch-2025", "FRA"), gwp("constant-epoch-2025", "POL")
    assert france is not None
    assert poland is not None
    assert poland > 5 * france
    assert gwp("constant-gemini-2025", "FRA") == gwp("constant-gemini-2025", "POL") == 0.03
    assert gwp("constant-epoch-2025", "XXX") is None


def test_ours_is_the_estimator_itself() -> None:
    for one in (
        event(),
        event(model_requested="nobody-1"),
        event(energy_j=7.2, energy_scope="server"),
        event(input_tokens=None),
    ):
        coefficients = resolve(one.model_requested or "", provider="openai", zone="FRA", at=date(2026, 11, 1))
        expected, found = impacts_of(one, coefficients), estimate_with("mesure", one)
        assert found.energy_wh == expected.energy_wh
        assert found.gwp_gco2eq == expected.gwp_gco2eq


def test_ours_prefers_the_answered_model_and_falls_back_on_the_requested_one() -> None:
    answered = estimate_with("mesure", event(model_answered="gpt-4o", model_requested="nobody-1"))
    assert answered.energy_wh == estimate_with("mesure", event()).energy_wh
    fallen = estimate_with("mesure", event(model_answered="nobody-1"))
    assert fallen.energy_wh == estimate_with("mesure", event()).energy_wh


@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 3000), st.integers(1, 5)), min_size=1, max_size=8))
def test_a_sum_of_calls_gives_the_sum_of_their_figures(calls: list[tuple[int, int, int]]) -> None:
    events = [event(input_tokens=i, output_tokens=o, calls_count=n) for i, o, n in calls]
    [(call, amounts)] = traffic_of(events)
    for one in methods():
        singles = [one.estimate(call_of(e), amounts_of(e)).energy_wh for e in events]
        whole = one.estimate(call, amounts).energy_wh
        assert whole is not None
        assert whole.mid == pytest.approx(sum(s.mid for s in singles if s), rel=1e-9, abs=1e-12)


def test_traffic_keeps_apart_what_does_not_add() -> None:
    events = [
        event(),
        event(output_tokens=None),
        event(operation="embeddings"),
        event(energy_j=1.0),
        event(host_zone="DEU"),
    ]
    traffic = traffic_of([*events, replace(events[0], input_tokens=5)])
    assert len(traffic) == len(events)
    assert traffic.events == traffic.calls == 6
