"""What holds of every method: sums, order, growth, and words said only where they concern the calls."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.impact import Deployment
from mesure.impact.methods import (
    Amounts,
    Call,
    Traffic,
    amounts_of,
    call_of,
    compare_methods,
    compare_traffic,
    estimate_with,
    method,
    methods,
    traffic_of,
)
from mesure.impact.methods.ecologits import Halls, Size, boards_for, request
from mesure.impact.methods.ours import coefficients_of
from mesure.quantity import Quantity, Status
from mesure.record import UsageEvent

NAMES = tuple(one.name for one in methods())
SERVED = (
    {"provider": "openai", "model_requested": "gpt-4o", "host_zone": "FRA"},
    {"provider": "anthropic", "model_requested": "claude-sonnet-4-5", "host_zone": None},
    {"provider": "own", "model_requested": "llama-3.1-8b", "host_zone": "USA"},
    {"provider": "mistral", "model_requested": "mistral-large-latest", "host_zone": "SWE"},
)
calls = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 8_000), st.integers(1, 9)), min_size=1, max_size=6)


def event(**fields: Any) -> UsageEvent:
    given_fields: dict[str, Any] = {"id": "e", "started_at": datetime(2026, 11, 22, 12, tzinfo=UTC)}
    given_fields |= {"provider": "openai", "model_requested": "gpt-4o", "input_tokens": 1000, "output_tokens": 400}
    return UsageEvent(**(given_fields | fields))


def known(quantity: Quantity | None) -> Quantity:
    assert quantity is not None
    return quantity


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(SERVED), calls)
def test_a_sum_of_calls_is_the_sum_of_their_figures_under_every_method(
    name: str, served: dict[str, Any], made: list[tuple[int, int, int]]
) -> None:
    events = [event(input_tokens=read, output_tokens=wrote, calls_count=count, **served) for read, wrote, count in made]
    traffic = traffic_of(events)
    assert len(traffic) == 1
    [(call, amounts)] = traffic
    assert (traffic.events, traffic.calls) == (len(events), sum(count for _, _, count in made))
    whole, each = method(name).estimate(call, amounts), [estimate_with(name, one) for one in events]
    for quantity in ("energy_wh", "gwp_gco2eq"):
        total, parts = getattr(whole, quantity), [getattr(one, quantity) for one in each]
        assert (total is None) == all(part is None for part in parts)
        if total is not None:
            for q in range(3):
                assert total[q] == pytest.approx(math.fsum(part[q] for part in parts), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(NAMES), st.sampled_from(SERVED), st.integers(0, 50_000), st.integers(1, 20_000), st.integers(1, 9)
)
def test_figures_are_ordered_and_longer_answers_never_take_less(
    name: str, served: dict[str, Any], read: int, wrote: int, more: int
) -> None:
    short = estimate_with(name, event(input_tokens=read, output_tokens=wrote, **served))
    long = estimate_with(name, event(input_tokens=read, output_tokens=wrote * more, **served))
    for quantity in ("energy_wh", "gwp_gco2eq"):
        a, b = known(getattr(short, quantity)), known(getattr(long, quantity))
        for found in (a, b):
            assert 0.0 < found.low <= found.mid <= found.high < math.inf
            assert found.unit == {"energy_wh": "Wh", "gwp_gco2eq": "gCO2eq"}[quantity]
            assert found.sources
        assert all(x <= y * (1.0 + 1e-12) for x, y in zip(a[:3], b[:3], strict=True))
        if name.startswith("constant-"):
            assert a == b, "a constant per query knows no length"
        elif more > 1:
            assert b.mid > a.mid


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("without", "fact", "code"),
    [
        ({"input_tokens": 0}, {"input_tokens": 10}, "prompt_tokens_ignored"),
        ({}, {"cached_input_tokens": 10}, "cache_ignored"),
        ({}, {"energy_j": 10.0, "energy_status": "measured"}, "measurement_ignored"),
    ],
)
def test_an_omission_is_said_where_it_concerns_the_calls(
    name: str, without: dict[str, Any], fact: dict[str, Any], code: str
) -> None:
    ignored = code in method(name).ignores
    assert code not in estimate_with(name, event(**without)).codes
    assert (code in estimate_with(name, event(**without | fact)).codes) is ignored
    assert ignored is (name != "mesure")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (Deployment(), set()),
        (Deployment(gpu="H100"), {"stated_hardware_ignored"}),
        (Deployment(batch=8), {"stated_load_ignored"}),
        (Deployment(gpu="H100", batch=8), {"stated_hardware_ignored", "stated_load_ignored"}),
    ],
)
def test_machines_that_are_stated_and_not_used_are_said(name: str, deployment: Deployment, expected: set[str]) -> None:
    call = Call(("llama-3.1-8b",), "own", "FRA", date(2026, 1, 1), deployment)
    found = method(name).estimate(call, amounts_of(event(model_requested="llama-3.1-8b", provider="own")))
    assert {code for code in found.codes if code.startswith("stated_")} == (set() if name == "mesure" else expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("operation", ["embeddings", "image", "video", "speech", "transcription", "rerank"])
def test_a_method_for_text_gives_no_figure_for_another_operation(name: str, operation: str) -> None:
    found = estimate_with(name, event(operation=operation, output_tokens=None, images_count=1, audio_seconds=3.0))
    if name == "mesure":
        assert known(found.energy_wh).high > 0.0
    else:
        assert (found.energy_wh, found.gwp_gco2eq, found.codes) == (None, None, ("operation_not_covered",))
        assert found.to_json() == {"energy_wh": None, "gwp_gco2eq": None, "codes": ["operation_not_covered"]}


@pytest.mark.parametrize("name", NAMES)
def test_a_place_without_a_factor_leaves_carbon_unknown_but_for_a_figure_of_its_own(name: str) -> None:
    found = estimate_with(name, event(host_zone="XXX"))
    assert known(found.energy_wh).mid > 0.0
    assert (found.gwp_gco2eq is None) is ("grid_of_place" in method(name).counts)
    if found.gwp_gco2eq is None:
        assert "zone_no_factor" in found.codes
    assert "zone_no_factor" not in estimate_with(name, event(host_zone="FRA")).codes


def test_a_cleaner_place_lowers_the_carbon_of_methods_that_know_places_and_no_energy() -> None:
    for name in NAMES:
        here, there = (estimate_with(name, event(host_zone=zone)) for zone in ("FRA", "POL"))
        assert here.energy_wh == there.energy_wh
        assert not any(source.startswith(("grids.", "hosts.")) for source in known(here.energy_wh).sources)
        a, b = known(here.gwp_gco2eq), known(there.gwp_gco2eq)
        assert (a.mid < b.mid) is ("grid_of_place" in method(name).counts)
        assert a.mid <= b.mid


@pytest.mark.parametrize(
    ("answered", "requested", "taken"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o-mini", "gpt-4o"),
        ("no such model", "gpt-4o-mini", "gpt-4o-mini"),
        (None, "gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4o", None, "gpt-4o"),
        ("no such model", "nor this", None),
        (None, None, None),
    ],
)
def test_the_answered_model_counts_where_it_is_known(
    answered: str | None, requested: str | None, taken: str | None
) -> None:
    call = call_of(event(model_answered=answered, model_requested=requested))
    assert call.models == tuple(dict.fromkeys(name for name in (answered, requested) if name))
    found = coefficients_of(call)
    assert found.model == taken
    assert found.requested == ((answered or requested or "") if taken is None else found.requested)


# Sums and comparisons


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(8)))
def test_the_order_of_events_changes_nothing(order: list[int]) -> None:
    events = [event(**SERVED[n % 4], output_tokens=100 + n, energy_j=5.0 if n == 3 else None) for n in range(8)]
    straight, turned = compare_methods(events), compare_methods(events[n] for n in order)
    assert turned.calls == straight.calls == 8
    assert turned.spread == pytest.approx(straight.spread)
    for a, b in zip(straight.rows, turned.rows, strict=True):
        assert (a.method, a.covered_calls, a.gwp_calls, set(a.codes)) == (
            b.method,
            b.covered_calls,
            b.gwp_calls,
            set(b.codes),
        )
        assert known(a.energy_wh)[:3] == pytest.approx(known(b.energy_wh)[:3])


def test_ratios_are_against_the_same_calls_and_the_spread_is_between_the_extremes() -> None:
    found = compare_methods([event(**served) for served in SERVED])
    rows = {row.method: row for row in found.rows}
    assert rows["mesure"].ratio == 1.0
    for row in found.rows:
        assert row.ratio == pytest.approx(known(row.energy_wh).mid / (row.reference_wh or math.nan))
        assert row.to_json()["covered_calls"] == row.covered_calls == 4
    ratios = sorted(row.ratio for row in found.rows if row.ratio)
    assert found.spread == pytest.approx(ratios[-1] / ratios[0])
    assert compare_methods([event()], ["mesure"]).spread is None, "one method has nothing to differ from"
    assert compare_methods([event()], ["mesure", "mesure"]).spread == 1.0


def test_amounts_of_different_kinds_stay_apart_and_of_one_kind_come_together() -> None:
    traffic = Traffic()
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"output_tokens": None},
        {"operation": "completion"},
        {"energy_j": 1.0, "energy_status": "measured"},
        {"energy_j": 1.0},
        {"host_zone": "FRA"},
        {"started_at": datetime(2026, 10, 22, tzinfo=UTC)},
    )
    for _ in range(3):
        for kind in kinds:
            one = event(**kind)
            traffic.add(call_of(one), amounts_of(one))
    assert len(traffic) == len(kinds)
    assert all(amounts.events == 3 for _, amounts in traffic)
    assert {amounts.measured for _, amounts in traffic} == {None, Status.MEASURED, Status.MODELLED}
    later = event(started_at=datetime(2026, 11, 2, tzinfo=UTC))
    traffic.add(call_of(later), amounts_of(later))
    assert len(traffic) == len(kinds), "a day of the same month"
    assert compare_traffic(traffic, ["mesure"]).calls == 22


def test_tokens_nobody_counted_are_known_to_be_missing() -> None:
    counted, not_counted = amounts_of(event()), amounts_of(event(output_tokens=None))
    assert (counted.output_known, not_counted.output_known) == (True, False)
    read = amounts_of(event(energy_j=1.0, output_tokens=0))
    assert not read.output_known, "a reading keeps no count of what is missing"
    assert amounts_of(event(energy_j=1.0, output_tokens=1)).output_known
    assert Amounts().output_known


# The equations of EcoLogits, against themselves


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0.1, 500.0),
    st.floats(1.0, 10.0),
    st.floats(1.0, 2.0),
    st.floats(0.0, 1000.0),
    st.floats(1.0, 1e5),
    st.floats(1.0, 50.0),
)
def test_the_equations_are_linear_in_tokens_in_pue_and_in_the_grid(
    active: float, sparsity: float, pue: float, grid: float, tokens: float, factor: float
) -> None:
    size = Size(active, active * sparsity)
    one, many = request(size, Halls(pue, grid), tokens), request(size, Halls(pue, grid), tokens * factor)
    assert many.energy_wh == pytest.approx(factor * one.energy_wh)
    assert many.embodied_gco2eq == pytest.approx(factor * one.embodied_gco2eq)
    bare = request(size, Halls(1.0, grid), tokens)
    assert one.energy_wh == pytest.approx(pue * bare.energy_wh)
    assert one.usage_gco2eq == pytest.approx(one.energy_wh * grid * 1e-3)
    assert one.embodied_gco2eq == bare.embodied_gco2eq
    assert request(size, Halls(pue, None), tokens).usage_gco2eq is None
    larger = request(Size(active * 1.5, active * sparsity * 1.5), Halls(pue, grid), tokens)
    assert larger.energy_wh > one.energy_wh


@settings(max_examples=60, deadline=None)
@given(st.floats(0.01, 5_000.0), st.floats(1.0, 4.0))
def test_boards_are_a_power_of_two_and_never_fewer_for_a_larger_model(total: float, more: float) -> None:
    boards = boards_for(total)
    assert math.log2(boards).is_integer()
    assert boards >= 1.0
    assert boards_for(total * more) >= boards
    first = request(Size(1.0, total, 10.0, 2.0), Halls(1.0, 100.0), 0.0, requests=3.0)
    assert first.energy_wh > 0.0, "the server waits for the first token"
