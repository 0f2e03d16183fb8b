"""Trainings: figures that publishers print, laws of arithmetic and of place, and each bound of the plausible at its
edge."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.errors import InvalidValue
from mesure.impact import (
    Deployment,
    TrainingImpacts,
    amortised_training,
    estimate_training,
    explain_training,
    impacts_of_facts,
    resolve,
)
from mesure.quantity import Quantity, Status

A_YEAR = (date(2026, 1, 1), date(2026, 12, 31))
RUN: dict[str, Any] = {"gpu_hours": 10_000.0, "gpu": "H100", "zone": "FRA", "pue": 1.2}


def codes(**run: Any) -> set[str]:
    return {found.code for found in estimate_training(**run).plausibility}


def known(quantity: Quantity | None) -> Quantity:
    assert quantity is not None
    return quantity


# What publishers print


@pytest.mark.parametrize(
    ("name", "hours", "watts", "pue", "grid", "mwh", "tonnes"),
    [
        # Touvron et al. 2023 (LLaMA): GPU-hours, 400 W, PUE 1.1, 385 g/kWh, MWh and tCO2e as printed
        ("LLaMA 7B", 82_432, 400, 1.1, 385, 36, 14),
        ("LLaMA 13B", 135_168, 400, 1.1, 385, 59, 23),
        ("LLaMA 33B", 530_432, 400, 1.1, 385, 233, 90),
        ("LLaMA 65B", 1_022_362, 400, 1.1, 385, 449, 173),
        ("OPT 175B", 809_472, 400, 1.1, 385, 356, 137),
        ("BLOOM 175B", 1_082_880, 400, 1.1, 385, 475, 183),
    ],
)
def test_a_table_that_was_printed_comes_out_of_its_own_inputs(
    name: str, hours: int, watts: int, pue: float, grid: int, mwh: int, tonnes: int
) -> None:
    found = estimate_training(
        gpu_hours=hours, gpu="A100-80GB", power_w=watts, pue=pue, grid_gco2eq_per_kwh=grid,
        reported_mwh=mwh, reported_tco2e=tonnes,
    )  # fmt: skip
    assert found.energy_wh.mid * 1e-6 == pytest.approx(mwh, rel=0.015), name
    assert known(found.usage.gwp_gco2eq).mid * 1e-6 == pytest.approx(tonnes, rel=0.03), name
    assert found.plausibility == ()
    assert found.energy_wh.low < mwh * 1e6 < found.energy_wh.high


@pytest.mark.parametrize(
    ("name", "params_b", "tokens", "gpu", "hours"),
    [
        ("LLaMA 7B", 6.7, 1.0e12, "A100", 82_432),
        ("LLaMA 65B", 65.2, 1.4e12, "A100", 1_022_362),
        ("Llama 2 7B", 6.7, 2.0e12, "A100", 184_320),
        ("Llama 3.1 405B", 405.0, 15.6e12, "H100", 30_840_000),
        ("Llama 3.1 8B", 8.0, 15.0e12, "H100", 1_460_000),
    ],
)
def test_arithmetic_leads_to_the_hours_that_were_printed(
    name: str, params_b: float, tokens: float, gpu: str, hours: int
) -> None:
    """From tokens and parameters alone, the energy of the published GPU-hours lies in the interval."""
    from_tokens = estimate_training(tokens=tokens, params_b=params_b, gpu=gpu, pue=1.1)
    from_hours = estimate_training(gpu_hours=hours, gpu=gpu, pue=1.1)
    assert from_tokens.path == "tokens"
    assert from_tokens.energy_wh.low < from_hours.energy_wh.mid < from_tokens.energy_wh.high, name
    both = estimate_training(tokens=tokens, params_b=params_b, gpu=gpu, gpu_hours=hours)
    assert both.plausibility == (), name
    assert both.path == "gpu_hours"


# Laws


@settings(max_examples=40, deadline=None)
@given(st.floats(1.0, 1e8), st.floats(1.0, 100.0), st.sampled_from(["convention", "realistic"]))
def test_everything_is_in_proportion_to_hours(hours: float, factor: float, basis: Any) -> None:
    run = {**RUN, "basis": basis}
    one, more = (estimate_training(**run | {"gpu_hours": h}) for h in (hours, hours * factor))
    for name in ("energy_wh", "gwp_gco2eq", "adpe_gsbeq", "pe_mj"):
        small, large = getattr(one, name), getattr(more, name)
        assert (small is None) == (large is None)
        if small is not None:
            assert large[:3] == pytest.approx(tuple(factor * value for value in small[:3]), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 1.0), st.floats(1e8, 1e13), st.floats(0.1, 500.0), st.floats(0.05, 0.7))
def test_flop_are_four_and_two_times_the_share_that_learns(
    share: float, tokens: float, params_b: float, mfu: float
) -> None:
    found = estimate_training(tokens=tokens, params_b=params_b, gpu="H100", mfu=mfu, trainable_share=share)
    flop = (4.0 + 2.0 * share) * params_b * 1e9 * tokens
    assert found.parts["training_flop"].mid == pytest.approx(flop)
    peak = known(found.parts["peak_flop_per_s"]).mid
    assert found.parts["gpu_hours"].mid == pytest.approx(flop / (mfu * peak) / 3600.0)


def test_a_stronger_statement_replaces_a_weaker_one_and_narrows() -> None:
    tokens = estimate_training(tokens=1e12, params_b=7, gpu="A100", pue=1.1)
    hours = estimate_training(tokens=1e12, params_b=7, gpu="A100", gpu_hours=80_000, pue=1.1)
    read = estimate_training(tokens=1e12, params_b=7, gpu="A100", gpu_hours=80_000, pue=1.1, measured_energy_kwh=33_000)
    assert (tokens.path, hours.path, read.path) == ("tokens", "gpu_hours", "measured")

    def width(found: TrainingImpacts) -> float:
        return found.energy_wh.high / found.energy_wh.low

    assert width(read) < width(hours) < width(tokens)
    assert read.status is Status.MEASURED
    assert (read.basis, hours.basis, tokens.basis) == ("measured", "convention", "realistic")


@pytest.mark.parametrize("name", ["FRA", "POL", "USA", "SWE", "WORLD"])
def test_carbon_of_use_is_energy_by_the_grid_of_the_place(name: str) -> None:
    found = estimate_training(**{**RUN, "zone": name})
    grid = found.parts["grid_intensity_gco2eq_per_kwh"]
    usage = known(found.usage.gwp_gco2eq)
    assert usage.mid == pytest.approx(found.energy_wh.mid * grid.mid * 1e-3)
    assert usage.high / usage.low > found.energy_wh.high / found.energy_wh.low
    elsewhere = estimate_training(**{**RUN, "zone": "IND"})
    assert elsewhere.energy_wh == found.energy_wh
    assert elsewhere.embodied == found.embodied


def test_a_zone_known_by_its_stacks_alone_says_so() -> None:
    direct = next(zone for zone in current().zones() if (f := current().grid(zone)) and "intensity_direct" in f.id)
    assert "grid_direct_only" in estimate_training(**{**RUN, "zone": direct}).warnings
    assert "grid_direct_only" not in estimate_training(**RUN).warnings


def test_what_is_not_stated_is_flagged_and_what_is_stated_is_not() -> None:
    bare = set(estimate_training(gpu_hours=10.0).warnings)
    assert {"gpu_unknown", "pue_unknown", "zone_unknown", "tdp_convention"} <= bare
    for fact, code in (("gpu", "gpu_unknown"), ("pue", "pue_unknown"), ("zone", "zone_unknown")):
        assert bare - set(estimate_training(gpu_hours=10.0, **{fact: RUN[fact]}).warnings) >= {code}
    assert "gpu_unknown" not in estimate_training(gpu_hours=10.0, power_w=500).warnings
    beyond = estimate_training(gpu_hours=10.0, grid_gco2eq_per_kwh=50).warnings
    assert "zone_unknown_beyond_carbon" in beyond
    assert "zone_unknown" not in beyond
    assert "tdp_convention" not in estimate_training(**RUN, basis="realistic").warnings
    assert "mfu_unknown" in estimate_training(tokens=1e9, params_b=1, gpu="H100").warnings
    assert "mfu_unknown" not in estimate_training(tokens=1e9, params_b=1, gpu="H100", mfu=0.4).warnings


def test_a_reading_without_machines_has_no_manufacture_and_says_so() -> None:
    read = estimate_training(measured_energy_kwh=1000, pue=1.1, zone="FRA")
    assert "machines_unknown" in read.warnings
    assert read.embodied.gwp_gco2eq is None
    assert read.gwp_gco2eq is None
    assert known(read.usage.gwp_gco2eq).mid > 0.0
    for machines in ({"gpu": "H100"}, {"power_w": 700}, {"gpu_hours": 1400.0}, {"n_gpus": 8, "hours": 175.0}):
        found = estimate_training(measured_energy_kwh=1000, pue=1.1, zone="FRA", **machines)
        assert "machines_unknown" not in found.warnings
        assert known(found.embodied.gwp_gco2eq).mid > 0.0
        assert found.energy_wh == read.energy_wh
    hours = {
        found.parts["gpu_hours"].mid
        for found in (
            estimate_training(measured_energy_kwh=1000, gpu_hours=1400.0),
            estimate_training(measured_energy_kwh=1000, n_gpus=8, hours=175.0),
        )
    }
    assert hours == {1400.0}


@settings(max_examples=30, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "gpu": st.sampled_from(["H100", "A100", "V100", "B200"]),
            "pue": st.floats(1.0, 2.4),
            "zone": st.sampled_from(["FRA", "USA", "CHN"]),
            "gpu_hours": st.floats(1.0, 1e6),
            "power_w": st.floats(100.0, 1000.0),
            "repeats": st.floats(1.0, 20.0),
            "measured_energy_kwh": st.floats(0.1, 1e6),
        },
    )
)
def test_the_tree_computes_its_own_root_and_names_the_factors_of_every_figure(run: dict[str, Any]) -> None:
    found = estimate_training(tokens=1e10, params_b=3.0, **run)
    explanation = explain_training(found)
    ids = {factor.id for factor in explanation.factors()}
    for root in explanation.roots:
        for node in root.walk():
            quantity = node.quantity
            if quantity is None:
                assert not node.children or any(child.quantity is None for child in node.children), node.name
                continue
            assert 0.0 <= quantity.low <= quantity.mid <= quantity.high < math.inf
            assert set(quantity.sources) <= ids, node.name
    assert found.parts["energy_wh"] == found.energy_wh
    pue, it = found.parts["pue"].mid, found.parts["it_energy_wh"].mid
    assert found.energy_wh.mid == pytest.approx(pue * it)


# Each bound of the plausible, at its edge

_EDGE = 1e-6


@pytest.mark.parametrize(
    ("run", "fact", "bounds", "code"),
    [
        ({"gpu_hours": 10, "gpu": "H100"}, "pue", (None, 2.5), "pue"),
        ({"tokens": 1e9, "params_b": 7, "gpu": "H100"}, "mfu", (0.02, 0.75), "mfu"),
        ({"gpu_hours": 10, "gpu": "H100"}, "power_w", (70.0, 735.0), "power"),
        ({"n_gpus": 10, "hours": 10, "gpu": "H100"}, "gpu_hours", (100 / 1.02, 100 / 0.98), "gpu_hours"),
        ({"gpu_hours": 1000, "gpu": "H100"}, "measured_energy_kwh", (350.0, 1400.0), "measured_energy"),
        ({"gpu_hours": 1000, "gpu": "H100", "pue": 1.2}, "reported_mwh", (0.35, 1.4), "reported_energy"),
        ({"gpu_hours": 1000, "power_w": 500, "repeats": 4}, "reported_mwh", (1.0, 4.0), "reported_energy"),
    ],
)
def test_what_is_on_a_bound_may_be_and_what_is_beyond_is_flagged(
    run: dict[str, Any], fact: str, bounds: tuple[float | None, float], code: str
) -> None:
    low, high = bounds
    for value, outside in ((low, -1), (high, 1)):
        if value is None:
            continue
        assert code not in codes(**run, **{fact: value * (1.0 - outside * _EDGE)})
        assert code in codes(**run, **{fact: value * (1.0 + outside * _EDGE)})


def test_a_reading_is_compared_at_the_machines_and_a_report_at_the_site() -> None:
    """What one accelerator with its share of the machine may draw: more at the meter of the site, by its PUE."""
    for pue in (1.0, 1.5):
        run: dict[str, Any] = {"gpu_hours": 1000.0, "gpu": "H100", "pue": pue}
        at_most = 700.0 * estimate_training(**run).parts["node_over_tdp"].high
        assert "implied_power" not in codes(**run, measured_energy_kwh=at_most * (1 - _EDGE))
        assert "implied_power" in codes(**run, measured_energy_kwh=at_most * (1 + _EDGE))
        assert "implied_power" not in codes(**run, reported_mwh=at_most * pue * 1e-3 * (1 - _EDGE))
        assert "implied_power" in codes(**run, reported_mwh=at_most * pue * 1e-3 * (1 + _EDGE))


def test_reported_carbon_is_held_against_the_place_only_where_it_is_stated() -> None:
    run: dict[str, Any] = {"gpu_hours": 1000.0, "gpu": "H100", "pue": 1.0}
    usage = known(estimate_training(**run, grid_gco2eq_per_kwh=400).usage.gwp_gco2eq).mid * 1e-6
    for factor, flagged in ((1.99, False), (2.01, True), (0.51, False), (0.49, True)):
        reported = usage * factor
        assert ("reported_co2e" in codes(**run, grid_gco2eq_per_kwh=400, reported_tco2e=reported)) is flagged
        assert "reported_co2e" not in codes(**run, reported_tco2e=reported)
    world = known(estimate_training(**run).usage.gwp_gco2eq).mid * 1e-6
    assert codes(**run, reported_tco2e=world) == set()
    assert "reported_co2e" in codes(**run, zone="FRA", reported_tco2e=world)


def test_several_contradictions_are_all_told_with_bounds_and_units() -> None:
    found = estimate_training(
        gpu_hours=1000, gpu="A100", n_gpus=8, hours=10, pue=9.0, power_w=9000, tokens=1e13, params_b=70, mfu=0.9
    )
    told = {one.code: one for one in found.plausibility}
    assert {"gpu_hours", "pue", "power", "mfu", "implied_mfu", "mfu_against_gpu_hours"} <= set(told)
    for one in told.values():
        assert not one.low <= one.implied <= one.high
        assert one.unit
        assert len(one.reason) > 20
        assert one.to_json()["code"] == one.code
    assert found.energy_wh.mid > 0.0, "flagged, never refused"


# Per call


@settings(max_examples=30, deadline=None)
@given(st.floats(1.0, 1e12), st.floats(1.0, 1e3))
def test_shares_of_an_amortised_training_add_up_to_it(count: float, more: float) -> None:
    training = estimate_training(**RUN)
    one = amortised_training(training, count, A_YEAR, source="model card, 2026")
    fewer = amortised_training(training, count * more, A_YEAR, source="model card, 2026", unit="token")
    for name in ("energy_wh", "gwp_gco2eq", "pe_mj"):
        share, whole = getattr(one, name), getattr(training, name)
        assert share[:3] == pytest.approx(tuple(value / count for value in whole[:3]))
        assert getattr(fewer, name).mid == pytest.approx(share.mid / more)
    assert (one.unit, fewer.unit) == ("call", "token")
    assert one.to_json()["in_totals"] is False


def test_a_training_is_no_part_of_a_call_of_the_model_it_made() -> None:
    before = impacts_of_facts(
        resolve("qwen3-8b", zone="FRA", deployment=Deployment(gpu="H100")), input_tokens=100, output_tokens=100
    )
    amortised_training(estimate_training(**RUN), 1e3, A_YEAR, source="x")
    after = impacts_of_facts(
        resolve("qwen3-8b", zone="FRA", deployment=Deployment(gpu="H100")), input_tokens=100, output_tokens=100
    )
    assert after.to_json() == before.to_json()
    assert not any("training" in name for name in before.parts)


@pytest.mark.parametrize(
    "run",
    [
        {"tokens": 1e9},
        {"params_b": 7},
        {"n_gpus": 8},
        {"hours": 8},
        {"gpu": "H100"},
        {"power_w": 700, "pue": 1.1, "zone": "FRA"},
        {},
    ],
)
def test_a_training_of_which_nothing_is_known_is_refused_in_words(run: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match="Nothing to compute") as refused:
        estimate_training(**run)
    assert "gpu_hours" in refused.value.action
