"""Laws of a call's impacts that hold whatever serves it: order, growth, proportion, sums, place."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.catalogue.store import packaged
from mesure.impact import (
    Coefficients,
    Deployment,
    Impacts,
    ModelCard,
    estimate,
    explain,
    formulas,
    impacts_of_facts,
    resolve,
)
from mesure.impact.methods import under
from mesure.quantity import Quantity, Status, add_shared, ratio, weakest

#: Every way a text may be served: closed, open, mixture, encoder, unknown; stated in full, in part, not at all; local.
TEXTS: dict[str, dict[str, Any]] = {
    "closed": {"model": "gpt-4o", "provider": "openai"},
    "closed, no provider": {"model": "claude-sonnet-4-5", "zone": "USA"},
    "open": {"model": "llama-3.1-8b", "zone": "FRA"},
    "open, stated": {"model": "qwen3-8b", "zone": "DEU", "deployment": Deployment(gpu="H100", n_gpus=1, batch=64)},
    "mixture": {"model": "deepseek-v3", "zone": "CHN", "deployment": Deployment(gpu="H200", n_gpus=8)},
    "old software": {"model": "gemma-3-27b", "deployment": Deployment(gpu="A100", n_gpus=2, framework="vLLM 0.5")},
    "encoder": {"model": "bge-m3", "zone": "POL"},
    "on a processor": {"model": "gemma-3-270m", "provider": "local", "zone": "FRA"},
    "unknown": {"model": "nobody-1"},
    "described": {"model": "ours", "card": ModelCard(total_params_b=12.0, window_tokens=1024.0, full_layers=8.0)},
}
tokens = st.integers(0, 200_000)
served = st.sampled_from(sorted(TEXTS))


@cache
def coefficients(name: str) -> Coefficients:
    return resolve(**TEXTS[name])


def quantities(impacts: Impacts) -> Iterator[tuple[str, Quantity]]:
    """Every figure of a result that is known, with its place."""
    for part in formulas.PARTS:
        for name in formulas.QUANTITIES:
            if (part, name) != ("embodied_", "energy_wh") and (found := impacts.quantity(part, name)) is not None:
                yield f"{part}{name}", found
    yield from impacts.parts.items()


def assert_at_least(more: Impacts, less: Impacts, slack: float = 1e-9) -> None:
    for name in formulas.QUANTITIES:
        a, b = less.quantity("", name), more.quantity("", name)
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert all(low <= high * (1.0 + slack) for low, high in zip(a[:3], b[:3], strict=True)), (name, a, b)


# Order


@settings(max_examples=60, deadline=None)
@given(served, st.none() | tokens, st.none() | tokens, st.floats(0.0, 1.0))
def test_every_figure_is_an_ordered_interval_with_a_unit(
    name: str, read: int | None, written: int | None, reused: float
) -> None:
    cached = None if read is None else int(read * reused)
    found = impacts_of_facts(coefficients(name), input_tokens=read, cached_input_tokens=cached, output_tokens=written)
    for place, quantity in quantities(found):
        assert 0.0 <= quantity.low <= quantity.mid <= quantity.high < math.inf, place
        assert quantity.unit, place
    trees = explain(found)
    for root in trees.roots:
        for node in root.walk():
            assert node.formula
            if node.quantity is not None:
                assert 0.0 <= node.quantity.low <= node.quantity.mid <= node.quantity.high < math.inf, node.name
    assert all(factor.source and factor.year and factor.licence and factor.unit for factor in trees.factors())


@settings(max_examples=40, deadline=None)
@given(served, st.integers(1, 50_000), st.integers(1, 50_000))
def test_a_total_is_usage_and_manufacture_and_as_weak_as_the_weakest(name: str, read: int, written: int) -> None:
    found = impacts_of_facts(coefficients(name), input_tokens=read, output_tokens=written)
    for quantity in formulas.QUANTITIES[1:]:
        whole = found.quantity("", quantity)
        usage, embodied = found.quantity("usage_", quantity), found.quantity("embodied_", quantity)
        if quantity == "water_ml":  # nobody publishes that of manufacture
            assert embodied is None
            assert whole == usage
            continue
        assert (whole is None) == (usage is None or embodied is None)
        if whole is not None and usage is not None and embodied is not None:
            assert whole.mid == pytest.approx(usage.mid + embodied.mid, rel=1e-12)
            assert whole.low == pytest.approx(usage.low + embodied.low, rel=1e-12)
            assert whole.high == pytest.approx(usage.high + embodied.high, rel=1e-12)
            assert whole.status is weakest((usage.status, embodied.status))
            assert whole.status is not Status.MEASURED


# Growth


@settings(max_examples=80, deadline=None)
@given(served, tokens, tokens, st.integers(0, 50_000), st.floats(0.0, 1.0))
def test_no_figure_falls_as_tokens_grow(name: str, read: int, written: int, more: int, reused: float) -> None:
    of, cached = coefficients(name), int(read * reused)
    less = impacts_of_facts(of, input_tokens=read, cached_input_tokens=cached, output_tokens=written)
    longer = impacts_of_facts(of, input_tokens=read + more, cached_input_tokens=cached, output_tokens=written)
    assert_at_least(longer, less)
    assert_at_least(
        impacts_of_facts(of, input_tokens=read, cached_input_tokens=cached, output_tokens=written + more), less
    )
    if more and read + more > 100:
        assert longer.energy_wh.mid > less.energy_wh.mid


@settings(max_examples=60, deadline=None)
@given(served, tokens, tokens, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_what_is_read_from_the_cache_never_costs_more_than_what_is_not(
    name: str, read: int, written: int, a: float, b: float
) -> None:
    of, (some, more) = coefficients(name), sorted((int(read * a), int(read * b)))
    fresh = impacts_of_facts(of, input_tokens=read, output_tokens=written)
    first = impacts_of_facts(of, input_tokens=read, cached_input_tokens=some, output_tokens=written)
    second = impacts_of_facts(of, input_tokens=read, cached_input_tokens=more, output_tokens=written)
    assert_at_least(fresh, first)
    assert_at_least(first, second)


#: Where the length that one estimate is evaluated at changes: half-way between two of four an octave.
_STEPS = [2.0 ** ((quarter + 0.5) / 4.0) for quarter in (12, 27, 28, 44)]


@pytest.mark.parametrize(
    ("model", "machines"),
    [
        ("gpt-4o", None),
        ("deepseek-v3", Deployment(gpu="H100", n_gpus=8)),
        ("nobody-1", Deployment(gpu="H100", n_gpus=1, batch=16)),
        ("qwen3-8b", Deployment(gpu="H100", n_gpus=8, batch=16)),
    ],
)
@pytest.mark.parametrize("facts", ["input_tokens", "output_tokens"])
def test_an_estimate_dips_by_a_few_percent_at_most_where_its_reference_changes(
    model: str, machines: Deployment | None, facts: str
) -> None:
    def energy(length: float) -> Quantity:
        given = {"input_tokens": 500.0, "output_tokens": 200.0, facts: length}
        return estimate(model, zone="FRA", deployment=machines, **given).energy_wh  # type: ignore[arg-type]

    before, after = [energy(0.995 * step) for step in _STEPS], [energy(1.005 * step) for step in _STEPS]
    assert all(longer.mid >= 0.97 * shorter.mid for shorter, longer in zip(before, after, strict=True))
    assert all(longer.mid > shorter.mid for shorter, longer in pairwise(after)), "no step undoes a growth"


@settings(max_examples=60, deadline=None)
@given(served, st.integers(0, 20_000), st.integers(0, 20_000), st.sampled_from([1, 2, 3]))
def test_what_stands_for_unknown_tokens_is_as_if_the_call_had_stated_it(
    name: str, cached: int, written: int, unknown: int
) -> None:
    """Folded into the row of coefficients or counted by the call, cached tokens beside it included: one energy."""
    of = coefficients(name)
    assumed = of.form.assumed
    read = cached + assumed.input_tokens if unknown & formulas.INPUT else cached + 100
    wrote = assumed.output_tokens if unknown & formulas.OUTPUT else written
    stated = impacts_of_facts(of, operation="chat", input_tokens=read, cached_input_tokens=cached, output_tokens=wrote)
    found = impacts_of_facts(
        of,
        operation="chat",
        input_tokens=None if unknown & formulas.INPUT else read,
        cached_input_tokens=cached,
        output_tokens=None if unknown & formulas.OUTPUT else wrote,
    )
    assert (found.basis, stated.basis) == (unknown, 0)
    assert formulas.accelerator_energy_wh(found.columns, found.row) == pytest.approx(
        formulas.accelerator_energy_wh(stated.columns, stated.row), rel=1e-9
    )


# Proportion and sums


@settings(max_examples=40, deadline=None)
@given(served, st.integers(1, 20_000), st.integers(1, 20_000), st.integers(2, 500))
def test_half_the_calls_of_one_deployment_are_exactly_half(name: str, read: int, written: int, calls: int) -> None:
    of = coefficients(name)
    one = impacts_of_facts(of, input_tokens=read, output_tokens=written)
    many = impacts_of_facts(of, calls_count=calls, input_tokens=calls * read, output_tokens=calls * written)
    for quantity in formulas.QUANTITIES:
        single, whole = one.quantity("", quantity), many.quantity("", quantity)
        if single is not None and whole is not None:
            share = ratio(single, whole, shared=1.0)
            assert share.low == share.mid == share.high == pytest.approx(1.0 / calls, rel=1e-9)
            assert whole.high / whole.low == pytest.approx(single.high / single.low, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(served, st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 9_000)), min_size=1, max_size=12))
def test_features_of_calls_of_one_deployment_add_up_to_their_total(name: str, calls: list[tuple[int, int]]) -> None:
    of = coefficients(name)
    found = [impacts_of_facts(of, input_tokens=read, output_tokens=written) for read, written in calls]
    columns = {column: math.fsum(one.columns[column] for one in found) for column in found[0].columns}
    whole = Impacts(columns | {"basis": 0}, of)
    for quantity in formulas.QUANTITIES:
        parts = [one.quantity("", quantity) for one in found]
        known = [part for part in parts if part is not None]
        if known:
            total, summed = whole.quantity("", quantity), add_shared(known)
            assert total is not None
            assert total[:3] == pytest.approx(summed[:3], rel=1e-9)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_reading_goes_up_in_proportion_and_its_own_error_stays(name: str) -> None:
    of = coefficients(name)
    for scope in ("process", "accelerator", "server"):
        one = impacts_of_facts(of, energy_j=3600.0, energy_scope=scope).energy_wh
        five = impacts_of_facts(of, energy_j=18_000.0, energy_scope=scope).energy_wh
        loose = impacts_of_facts(
            of, energy_j=3600.0, energy_low_j=1800.0, energy_high_j=7200.0, energy_scope=scope
        ).energy_wh
        assert five[:3] == pytest.approx(tuple(5.0 * value for value in one[:3]))
        assert loose[:3] == pytest.approx((0.5 * one.low, one.mid, 2.0 * one.high))
        assert one.mid >= 1.0, "what lies above the place of the reading only adds"
    nothing = impacts_of_facts(of, energy_j=0.0, energy_scope="server", input_tokens=1000, output_tokens=1000)
    assert nothing.energy_wh.high == 0.0
    assert nothing.status is Status.MEASURED


@settings(max_examples=40, deadline=None)
@given(served, st.integers(0, 20_000), st.integers(1, 20_000))
def test_a_reading_has_the_same_place_and_no_part_of_the_model(name: str, read: int, written: int) -> None:
    """A measured energy equal to the modelled one at the accelerators leads to the same middle figures."""
    of = coefficients(name)
    modelled = impacts_of_facts(of, input_tokens=read, output_tokens=written)
    joules = modelled.parts["accelerator_energy_wh"].mid * 3600.0
    measured = impacts_of_facts(
        of, input_tokens=read, output_tokens=written, energy_j=joules, energy_scope="accelerator"
    )
    assert measured.energy_wh.mid == pytest.approx(modelled.energy_wh.mid)
    assert measured.energy_wh.high / measured.energy_wh.low <= modelled.energy_wh.high / modelled.energy_wh.low
    assert not any(source.startswith(("models", "fit.", "accelerators")) for source in measured.energy_wh.sources)
    for quantity in formulas.QUANTITIES[1:]:
        a, b = measured.quantity("usage_", quantity), modelled.quantity("usage_", quantity)
        assert (a is None) == (b is None)
        if a is not None and b is not None and quantity == "gwp_gco2eq":
            assert a.mid == pytest.approx(b.mid)


# Place


def test_carbon_of_use_follows_the_grid_of_the_place_in_every_zone() -> None:
    found = {}
    for zone in current().zones():
        of = resolve("qwen3-8b", zone=zone)
        impacts = impacts_of_facts(of, input_tokens=300, output_tokens=300)
        grid, usage = of.parts.get("grid_intensity_gco2eq_per_kwh"), impacts.usage.gwp_gco2eq
        if grid is None:
            assert usage is None
            assert "zone_no_factor" in of.warnings
            continue
        assert usage is not None
        energy = impacts.energy_wh
        assert usage.mid == pytest.approx(energy.mid * grid.mid * 1e-3)
        if grid.low > 0.0:  # the error of the place is added to that of the energy
            assert usage.high / usage.low > max(grid.high / grid.low, energy.high / energy.low)
        found[zone] = (grid.mid, usage.mid, energy)
    assert len(found) > 200
    assert len({energy[:3] for _, _, energy in found.values()}) == 1, "the grid changes no energy"
    ordered = sorted(found.values())
    assert [usage for _, usage, _ in ordered] == sorted(usage for _, usage, _ in ordered)
    assert ordered[-1][1] > 10.0 * found["FRA"][1]


_PUE = """
[[factor]]
table = "stack"
entity = "unknown"
parameter = "pue"
value = {value}
low = {value}
high = {value}
unit = "ratio"
year = 2026
source = "a test"
source_url = "internal"
licence = "internal"
status = "assumed"
"""


def test_pue_multiplies_energy_exactly(tmp_path: Path) -> None:
    seen = []
    for pue in (1.0, 1.25, 2.0):
        path = tmp_path / f"{pue}.toml"
        path.write_text(_PUE.format(value=pue), encoding="utf-8")
        with under(packaged().with_user_file(path)):
            found = impacts_of_facts(resolve("qwen3-8b", zone="FRA"), input_tokens=500, output_tokens=500)
            assert found.parts["pue"].mid == pue
            assert found.parts["site_energy_wh"].mid == pytest.approx(pue * found.parts["it_energy_wh"].mid)
            seen.append(found)
    energies = [one.energy_wh for one in seen]
    assert [energy.mid / energies[0].mid for energy in energies] == pytest.approx([1.0, 1.25, 2.0])
    assert [energy.low / energies[0].low for energy in energies] == pytest.approx([1.0, 1.25, 2.0])
    made = [one.embodied.gwp_gco2eq for one in seen]
    assert made[0] is not None
    assert made[2] is not None
    assert made[2].mid == pytest.approx(made[0].mid), "a hall's own draw makes no machine"


def test_an_aggregate_of_an_unknown_number_of_calls_is_below_one_of_any_number() -> None:
    """Its tokens are priced; what grows with the square of a call's length is left out, whatever its size."""
    of = resolve("gpt-4o", provider="openai", zone="FRA")
    tokens = {"input_tokens": 50_000_000, "output_tokens": 4_000_000}
    unknown = impacts_of_facts(of, calls_count=0, **tokens).energy_wh
    many = impacts_of_facts(of, calls_count=100_000, **tokens).energy_wh
    one = impacts_of_facts(of, calls_count=1, **tokens).energy_wh
    assert 0.0 < unknown.mid < many.mid < one.mid
    assert unknown.mid > 0.5 * many.mid
    nothing = impacts_of_facts(of, calls_count=0, input_tokens=0, output_tokens=0).energy_wh
    assert nothing.high == 0.0
