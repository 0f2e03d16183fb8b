"""Training: paths, laws, what is flagged, what is refused."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mesure
from mesure.catalogue import current, use
from mesure.errors import InvalidValue, UnknownName
from mesure.impact import TrainingImpacts, amortised_training, estimate_training, explain_training
from mesure.impact.training_factors import training_factor
from mesure.quantity import Quantity, Status

METHOD = Path(__file__).resolve().parents[2] / "docs" / "method.md"
IMPACTS = ("gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")

RUNS: dict[str, dict[str, Any]] = {
    "gpu_hours": {"gpu_hours": 1000, "gpu": "H100", "zone": "FRA"},
    "tokens": {"tokens": 1e9, "params_b": 7, "gpu": "A100"},
    "measured": {"measured_energy_kwh": 12, "gpu": "L4", "pue": 1.2, "zone": "USA"},
    "nothing known": {"tokens": 1e9, "params_b": 7},
    "own grid": {"n_gpus": 8, "hours": 10, "power_w": 400, "grid_gco2eq_per_kwh": 60},
}


def every_quantity(found: TrainingImpacts) -> list[Quantity]:
    phases = [getattr(phase, name) for phase in (found, found.usage, found.embodied) for name in IMPACTS]
    return [found.energy_wh, *(quantity for quantity in phases if quantity is not None), *found.parts.values()]


def codes(found: TrainingImpacts) -> set[str]:
    return {one.code for one in found.plausibility}


# Paths


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_intervals_are_ordered_and_json_is_json(run: dict[str, Any]) -> None:
    found = estimate_training(**run)
    for quantity in every_quantity(found):
        assert 0.0 <= quantity.low <= quantity.mid <= quantity.high < float("inf")
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert told["energy_wh"]["mid"] == found.energy_wh.mid
    assert told["method_version"] == mesure.METHOD_VERSION
    assert told["catalogue_version"] == current().version
    assert told["water_ml"] == told["usage"]["water_ml"]  # water of manufacture has no factor
    assert told["water_ml"]["mid"] > 0.0


def test_the_package_exports_it() -> None:
    assert mesure.estimate_training is estimate_training


def test_gpu_hours_give_the_convention_in_the_middle_and_machines_in_the_interval() -> None:
    found = estimate_training(gpu_hours=1000, gpu="H100", pue=1.1, zone="FRA")
    assert (found.path, found.basis) == ("gpu_hours", "convention")
    assert found.parts["tdp_energy_wh"].mid == pytest.approx(700e3)
    assert found.energy_wh.mid == pytest.approx(770e3)
    assert found.parts["convention_energy_wh"].mid == pytest.approx(770e3)
    real = found.parts["realistic_energy_wh"]
    assert real.mid > found.energy_wh.mid
    assert found.energy_wh.low == pytest.approx(real.low)
    assert found.energy_wh.high == pytest.approx(real.high)
    realistic = estimate_training(gpu_hours=1000, gpu="H100", pue=1.1, zone="FRA", basis="realistic")
    assert realistic.energy_wh[:3] == pytest.approx(real[:3])
    assert "tdp_convention" in found.warnings
    assert "tdp_convention" not in realistic.warnings


def test_accelerators_x_hours_are_gpu_hours() -> None:
    hours = estimate_training(gpu_hours=640, gpu="H100")
    assert estimate_training(n_gpus=64, hours=10, gpu="H100").energy_wh == hours.energy_wh


def test_a_usual_name_and_a_stated_power_are_the_same() -> None:
    assert estimate_training(gpu_hours=5, gpu="A100-80GB").energy_wh[:3] == pytest.approx(
        estimate_training(gpu_hours=5, power_w=400).energy_wh[:3]
    )


def test_tokens_x_parameters_are_six_n_d() -> None:
    found = estimate_training(tokens=1e12, params_b=7, gpu="A100", mfu=0.5)
    assert found.parts["training_flop"].mid == pytest.approx(4.2e22)
    assert found.parts["gpu_hours"].mid == pytest.approx(4.2e22 / (312e12 * 0.5) / 3600)
    assert found.parts["gpu_hours"].low == found.parts["gpu_hours"].high
    assert "mfu_unknown" not in found.warnings
    machine = found.parts["gpu_hours"].mid * 400 * training_factor("node.over_tdp").value
    assert found.parts["it_energy_wh"].mid == pytest.approx(machine)


def test_a_mixture_counts_its_active_parameters() -> None:
    mixture = estimate_training(tokens=1e12, params_b=109, active_params_b=17, gpu="H100")
    assert mixture.energy_wh == estimate_training(tokens=1e12, params_b=17, gpu="H100").energy_wh


def test_lora_spares_a_third_of_the_arithmetic() -> None:
    whole = estimate_training(tokens=1e8, params_b=7, gpu="A100")
    adapters = estimate_training(tokens=1e8, params_b=7, gpu="A100", trainable_share=0.0)
    assert adapters.energy_wh.mid / whole.energy_wh.mid == pytest.approx(2 / 3)


def test_an_unknown_accelerator_is_flagged_and_wider() -> None:
    known, unknown = (estimate_training(tokens=1e9, params_b=7, gpu=gpu) for gpu in ("H100", None))
    assert "gpu_unknown" in unknown.warnings
    assert "gpu_unknown" not in known.warnings
    assert unknown.energy_wh.high / unknown.energy_wh.low > known.energy_wh.high / known.energy_wh.low
    for gpu in ("V100", "A100", "H100", "B200"):
        one = estimate_training(tokens=1e9, params_b=7, gpu=gpu).energy_wh
        assert unknown.energy_wh.low < one.mid < unknown.energy_wh.high
    assert "gpu_unknown" in estimate_training(gpu_hours=5).warnings


def test_a_reading_replaces_the_model_and_goes_up_from_where_it_was_read() -> None:
    machine = estimate_training(measured_energy_kwh=10, gpu_hours=40, gpu="L4", pue=1.2, tokens=1e6, params_b=1)
    assert (machine.path, machine.basis, machine.status) == ("measured", "measured", Status.MEASURED)
    assert machine.energy_wh.mid == pytest.approx(12e3)
    accelerator = estimate_training(measured_energy_kwh=10, measured_scope="accelerator", gpu="L4", pue=1.2)
    assert accelerator.energy_wh.mid / machine.energy_wh.mid == pytest.approx(current().constant("host", "share").value)
    assert accelerator.usage.gwp_gco2eq is not None
    assert accelerator.usage.gwp_gco2eq.status is Status.DEFAULT  # measured energy, assumed place


def test_manufacture_needs_the_machines() -> None:
    bare = estimate_training(measured_energy_kwh=10, zone="FRA", pue=1)
    assert bare.embodied.gwp_gco2eq is None
    assert bare.gwp_gco2eq is None
    assert bare.usage.gwp_gco2eq is not None
    assert "machines_unknown" in bare.warnings
    implied = estimate_training(measured_energy_kwh=10, gpu="H100", zone="FRA", pue=1)
    assert implied.parts["gpu_hours"].mid == pytest.approx(10e3 / 700 / training_factor("node.over_tdp").value)
    stated = estimate_training(measured_energy_kwh=10, gpu_hours=12, gpu="H100", zone="FRA", pue=1, repeats=2)
    assert stated.parts["gpu_hours"].mid == pytest.approx(24)


def test_an_accelerator_without_power_is_unknown_never_zero(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text(
        "table,entity,parameter,value,unit,year,source,source_url,licence,status\n"
        "accelerators,acme-npu,memory_gb,48,GB,2026,Acme,internal,internal,published\n",
        encoding="utf-8",
    )
    use(current().with_user_file(path))
    assert estimate_training(measured_energy_kwh=10, gpu="acme-npu").embodied.gwp_gco2eq is None
    with pytest.raises(InvalidValue, match="no board power"):
        estimate_training(gpu_hours=1, gpu="acme-npu")


def test_manufacture_is_hours_over_the_hours_of_a_life() -> None:
    """BLOOM's own assumptions (150 kg, 2 500 kg, 6 years) give 11.2 t for 1 082 990 hours: inside."""
    found = estimate_training(gpu_hours=1_082_990, gpu="A100").embodied.gwp_gco2eq
    assert found is not None
    constant = current().constant
    kg = constant("accelerator-manufacture", "gwp").value + constant("server-manufacture", "gwp").value / 8
    assert found.mid == pytest.approx(1_082_990 * kg * 1e3 / (4 * 8766 * 0.85))
    assert found.low < 11.2e6 < found.high


def test_total_carbon_is_usage_and_manufacture() -> None:
    found = estimate_training(gpu_hours=10, gpu="H100", zone="FRA")
    for name in ("gwp_gco2eq", "adpe_gsbeq", "pe_mj"):
        whole, used, made = (getattr(phase, name) for phase in (found, found.usage, found.embodied))
        assert whole.mid == pytest.approx(used.mid + made.mid)
    assert found.embodied.energy_wh is None


# Place


def test_a_place_is_stated_listed_or_the_world() -> None:
    unknown = estimate_training(gpu_hours=10, gpu="H100")
    listed = estimate_training(gpu_hours=10, gpu="H100", zone="FRA")
    own = estimate_training(gpu_hours=10, gpu="H100", grid_gco2eq_per_kwh=50, pue=1.1)
    assert "zone_unknown" in unknown.warnings
    assert not any(code.startswith("zone") for code in listed.warnings)
    assert "zone_unknown_beyond_carbon" in own.warnings
    world = current().grid("WORLD")
    assert world is not None
    assert unknown.parts["grid_intensity_gco2eq_per_kwh"].mid == world.value
    assert unknown.usage.gwp_gco2eq is not None
    assert listed.usage.gwp_gco2eq is not None
    assert unknown.usage.gwp_gco2eq.mid > 5 * listed.usage.gwp_gco2eq.mid
    assert own.usage.gwp_gco2eq is not None
    assert own.usage.gwp_gco2eq.mid == pytest.approx(7.7 * 50)


def test_a_factor_is_that_of_the_date() -> None:
    then, now = (
        estimate_training(gpu_hours=10, gpu="H100", zone="FRA", at=at).parts["yearly_intensity"].mid
        for at in (date(2023, 6, 1), date(2026, 6, 1))
    )
    assert then > now


@pytest.fixture
def acme_solar(tmp_path: Path) -> str:
    """A zone of a user's file of which only the contract is stated: no location-based factor."""
    path = tmp_path / "catalogue.csv"
    path.write_text(
        "table,entity,parameter,value,unit,year,source,source_url,licence,status\n"
        "grids,ACME-SOLAR,intensity_market,0,gCO2e/kWh,2026,Acme,internal,internal,published\n",
        encoding="utf-8",
    )
    use(current().with_user_file(path))
    return "ACME-SOLAR"


def test_a_zone_without_factor_is_unknown_never_zero(acme_solar: str) -> None:
    found = estimate_training(gpu_hours=10, gpu="H100", zone=acme_solar)
    assert found.usage.gwp_gco2eq is None
    assert "gwp_no_factor" in found.warnings


def test_water_counts_what_the_site_and_the_generation_take() -> None:
    found = estimate_training(gpu_hours=1000, gpu="H100", zone="FRA", pue=1.5).parts
    assert found["usage_water_ml"].mid == pytest.approx(found["site_water_ml"].mid + found["grid_water_ml"].mid)
    of_machines = 700e3 * current().constant("unknown", "wue").value  # and not of PUE
    assert found["site_water_ml"].mid == pytest.approx(of_machines)


# Laws

_SIZES = st.floats(1e-3, 1e9)
_MORE = st.floats(1.0, 1e3)


@given(hours=_SIZES, more=_MORE, path=st.sampled_from(["gpu_hours", "tokens", "measured_energy_kwh"]))
def test_more_of_it_takes_more(hours: float, more: float, path: str) -> None:
    less, greater = (
        estimate_training(**{path: amount}, params_b=7, gpu="H100", zone="FRA") for amount in (hours, hours * more)
    )
    for one, two in zip(every_quantity(less), every_quantity(greater), strict=True):
        assert two.mid >= one.mid * (1 - 1e-12)
    assert greater.energy_wh[:3] == pytest.approx([value * more for value in less.energy_wh[:3]])


@given(repeats=st.floats(1.0, 100.0), run=st.sampled_from(list(RUNS)))
def test_repeats_multiply_everything(repeats: float, run: str) -> None:
    once, often = estimate_training(**RUNS[run]), estimate_training(**RUNS[run], repeats=repeats)
    assert often.energy_wh[:3] == pytest.approx([value * repeats for value in once.energy_wh[:3]])
    for name in ("adpe_gsbeq", "pe_mj", "gwp_gco2eq"):
        one, two = getattr(once, name), getattr(often, name)
        assert two[:3] == pytest.approx([value * repeats for value in one[:3]])


@given(pue=st.floats(1.0, 2.4), more=st.floats(1.0, 2.0), basis=st.sampled_from([None, "convention", "realistic"]))
def test_pue_multiplies_energy_and_leaves_manufacture(pue: float, more: float, basis: Any) -> None:
    low, high = (
        estimate_training(gpu_hours=10, gpu="A100", zone="FRA", pue=value, basis=basis) for value in (pue, pue * more)
    )
    assert high.energy_wh[:3] == pytest.approx([value * more for value in low.energy_wh[:3]])
    assert high.embodied == low.embodied
    assert high.parts["site_water_ml"] == low.parts["site_water_ml"]


@given(mfu=st.floats(0.02, 0.7), better=st.floats(1.0, 1.4))
def test_a_better_use_of_the_peak_takes_less(mfu: float, better: float) -> None:
    worse, good = (
        estimate_training(tokens=1e9, params_b=7, gpu="A100", mfu=value).energy_wh for value in (mfu, mfu * better)
    )
    assert good.mid <= worse.mid


@given(
    share=st.floats(0.0, 1.0),
    tokens=_SIZES,
    params_b=st.floats(1e-3, 1e4),
    gpu=st.sampled_from(["H100", "A100", "L4", None]),
    pue=st.one_of(st.none(), st.floats(1.0, 5.0)),
    grid=st.one_of(st.none(), st.floats(0.0, 2000.0)),
)
def test_intervals_stay_in_order(
    share: float, tokens: float, params_b: float, gpu: str | None, pue: float | None, grid: float | None
) -> None:
    found = estimate_training(
        tokens=tokens, params_b=params_b, gpu=gpu, pue=pue, grid_gco2eq_per_kwh=grid, trainable_share=share
    )
    for quantity in every_quantity(found):
        assert 0.0 <= quantity.low <= quantity.mid <= quantity.high


@pytest.mark.parametrize("nothing", [{"gpu_hours": 0, "gpu": "H100"}, {"tokens": 0, "params_b": 7},
                                     {"measured_energy_kwh": 0, "gpu": "H100"}])  # fmt: skip
def test_no_work_takes_nothing(nothing: dict[str, Any]) -> None:
    found = estimate_training(**nothing, reported_mwh=1, reported_tco2e=1)
    assert found.energy_wh.mid == 0.0
    assert found.usage.gwp_gco2eq is not None
    assert found.usage.gwp_gco2eq.mid == 0.0


# What is flagged


@pytest.mark.parametrize(
    ("run", "code", "implied"),
    [
        ({"gpu_hours": 10, "gpu": "H100", "power_w": 7000}, "power", 7000),
        ({"gpu_hours": 10, "gpu": "H100", "power_w": 7}, "power", 7),
        ({"gpu_hours": 10, "gpu": "H100", "pue": 3.0}, "pue", 3.0),
        ({"gpu_hours": 10, "gpu": "H100", "grid_gco2eq_per_kwh": 3.94}, "grid_intensity", 3.94),
        ({"gpu_hours": 10, "gpu": "H100", "grid_gco2eq_per_kwh": 0}, "grid_intensity", 0),
        ({"gpu_hours": 10, "gpu": "H100", "grid_gco2eq_per_kwh": 2500}, "grid_intensity", 2500),
        ({"tokens": 1e9, "params_b": 7, "gpu": "H100", "mfu": 0.9}, "mfu", 0.9),
        ({"tokens": 1e9, "params_b": 7, "gpu": "H100", "mfu": 0.001}, "mfu", 0.001),
        # 4.2e22 FLOP in 1 000 hours of A100: 37 times its peak; in 10 million hours: a third of a percent
        ({"tokens": 1e12, "params_b": 7, "gpu": "A100", "gpu_hours": 1000}, "implied_mfu", 37.39),
        ({"tokens": 1e12, "params_b": 7, "gpu": "A100", "gpu_hours": 1e7}, "implied_mfu", 0.003739),
        ({"tokens": 1e12, "params_b": 7, "gpu": "A100", "gpu_hours": 82_432, "mfu": 0.1},
         "mfu_against_gpu_hours", 0.4536),
        ({"n_gpus": 8, "hours": 10, "gpu_hours": 100, "gpu": "H100"}, "gpu_hours", 80),
        ({"gpu_hours": 1000, "gpu": "H100", "measured_energy_kwh": 1500}, "measured_energy", 1.5),
        ({"gpu_hours": 1000, "gpu": "H100", "measured_energy_kwh": 50}, "implied_power", 50),
        ({"gpu_hours": 1000, "gpu": "H100", "reported_mwh": 0.3}, "reported_energy", 0.3),
        ({"gpu_hours": 1000, "gpu": "H100", "reported_mwh": 3}, "implied_power", 3000),
        ({"gpu_hours": 1000, "gpu": "H100", "pue": 1.0, "reported_tco2e": 0.001}, "implied_grid_intensity", 1.4286),
        ({"gpu_hours": 1000, "gpu": "H100", "reported_mwh": 0.7, "reported_tco2e": 2}, "implied_grid_intensity",
         2857.1),
        ({"gpu_hours": 1000, "gpu": "H100", "pue": 1.0, "zone": "FRA", "reported_tco2e": 0.3}, "reported_co2e", 0.3),
    ],
)  # fmt: skip
def test_what_cannot_be_is_flagged_with_the_implied_value(run: dict[str, Any], code: str, implied: float) -> None:
    found = estimate_training(**run)
    [flagged] = [one for one in found.plausibility if one.code == code]
    assert flagged.implied == pytest.approx(implied, rel=1e-3)
    assert not flagged.low <= flagged.implied <= flagged.high
    assert flagged.reason
    assert flagged.unit
    assert code in {one["code"] for one in found.to_json()["plausibility"]}


@pytest.mark.parametrize(
    "run",
    [
        {"gpu_hours": 10, "gpu": "H100", "power_w": 650},
        {"gpu_hours": 10, "gpu": "H100", "grid_gco2eq_per_kwh": 20},
        {"gpu_hours": 10, "gpu": "H100", "grid_gco2eq_per_kwh": 900},
        {"n_gpus": 8, "hours": 10, "gpu_hours": 80.5, "gpu": "H100"},
        {"gpu_hours": 1000, "gpu": "H100", "measured_energy_kwh": 900, "repeats": 3, "reported_mwh": 2.9},
        {"measured_energy_kwh": 900, "zone": "FRA", "reported_tco2e": 0.04},
        *RUNS.values(),
    ],
)
def test_what_may_be_is_not_flagged(run: dict[str, Any]) -> None:
    assert estimate_training(**run).plausibility == ()


def test_what_is_reported_never_moves_the_estimate() -> None:
    plain = estimate_training(gpu_hours=1000, gpu="H100", zone="FRA")
    told = estimate_training(gpu_hours=1000, gpu="H100", zone="FRA", reported_mwh=50, reported_tco2e=9)
    assert told.plausibility
    assert (told.energy_wh, told.usage, told.embodied) == (plain.energy_wh, plain.usage, plain.embodied)


# What is refused


@pytest.mark.parametrize(
    ("run", "says"),
    [
        ({}, "Nothing to compute"),
        ({"tokens": 1e9}, "Nothing to compute"),
        ({"n_gpus": 8}, "Nothing to compute"),
        ({"gpu_hours": -1, "gpu": "H100"}, "gpu_hours must be"),
        ({"gpu_hours": float("nan"), "gpu": "H100"}, "gpu_hours must be"),
        ({"gpu_hours": float("inf"), "gpu": "H100"}, "gpu_hours must be"),
        ({"gpu_hours": 1, "gpu": "H100", "pue": 0.9}, "pue must be"),
        ({"gpu_hours": 1, "gpu": "H100", "repeats": 0}, "repeats must be"),
        ({"gpu_hours": 1, "power_w": 0}, "power_w must be"),
        ({"tokens": 1e9, "params_b": 7, "mfu": 1.2}, "mfu is a share"),
        ({"tokens": 1e9, "params_b": 7, "trainable_share": 1.2}, "trainable_share is a share"),
        ({"tokens": 1e9, "params_b": 7, "active_params_b": 70}, "more active parameters"),
        ({"measured_energy_kwh": 1, "measured_scope": "rack"}, "measured_scope"),
        ({"gpu_hours": 1, "gpu": "H100", "basis": "best"}, "basis"),
        ({"tokens": 1e9, "params_b": 7, "gpu": "maia-100", "power_w": 20}, "no dense 16-bit rate"),
    ],
)
def test_bad_input_has_a_clear_sentence(run: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValue, match=says) as raised:
        estimate_training(**run)
    assert raised.value.action


@pytest.mark.parametrize("run", [{"zone": "FRZ", "gpu": "H100"}, {"gpu": "H1000"}])
def test_unknown_names_propose_the_nearest(run: dict[str, Any]) -> None:
    with pytest.raises(UnknownName) as raised:
        estimate_training(gpu_hours=1, **run)
    assert raised.value.nearest


# Why this number


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_tree_holds_every_source_the_figures_name(run: dict[str, Any]) -> None:
    found = estimate_training(**run)
    tree = explain_training(found)
    shown = {factor.id for factor in tree.factors()}
    assert {source for quantity in every_quantity(found) for source in quantity.sources} <= shown
    for factor in tree.factors():
        assert factor.source
        assert factor.source_url
        assert factor.unit
        assert factor.licence
        assert 1990 < factor.year < 2100
    assert tree.roots[0].quantity == found.energy_wh
    assert {"energy_wh", *IMPACTS} <= {root.name for root in tree.roots}
    assert json.dumps(tree.to_json(), allow_nan=False)


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_name_of_the_tree_means_one_figure(run: dict[str, Any]) -> None:
    seen: dict[str, Quantity | None] = {}
    for root in explain_training(estimate_training(**run)).roots:
        for node in root.walk():
            assert seen.setdefault(node.name, node.quantity) == node.quantity, node.name


def test_every_factor_of_training_holds_its_value() -> None:
    rows = current().rows("training")
    assert len(rows) >= 9
    for row in rows:
        factor = training_factor(f"{row['entity']}.{row['parameter']}")
        assert factor.low < factor.value < factor.high
        assert factor.id.startswith("training.")


def test_a_user_s_own_factor_of_training_counts(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.csv"
    path.write_text(
        "table,entity,parameter,value,unit,year,source,source_url,licence,status\n"
        "training,node,over_tdp,1.0,ratio,2026,Acme meter,internal,internal,published\n",
        encoding="utf-8",
    )
    before = estimate_training(gpu_hours=10, gpu="H100", basis="realistic")
    use(current().with_user_file(path))
    after = estimate_training(gpu_hours=10, gpu="H100", basis="realistic")
    assert after.energy_wh.mid == pytest.approx(before.energy_wh.mid / 1.2)
    assert "user.training.node.over_tdp.2026" in {factor.id for factor in explain_training(after).factors()}


@pytest.mark.skipif(not METHOD.is_file(), reason="the documents are not in this checkout")
def test_the_method_explains_every_code_and_prints_every_factor(acme_solar: str) -> None:
    text = METHOD.read_text(encoding="utf-8").partition("\n## Training")[2]
    met = [estimate_training(**run) for run in RUNS.values()]
    met += [
        estimate_training(measured_energy_kwh=1, zone=acme_solar),
        estimate_training(gpu_hours=1, gpu="H100", pue=4, power_w=9, reported_tco2e=3, reported_mwh=9, n_gpus=1,
                          hours=2, zone="FRA", tokens=1e14, params_b=7, mfu=0.001, grid_gco2eq_per_kwh=1),
        estimate_training(measured_energy_kwh=9, gpu="H100", gpu_hours=1),
        estimate_training(gpu_hours=1, gpu="H100", zone="US-VA"),
    ]  # fmt: skip
    named = {code for one in met for code in (*one.warnings, *codes(one))}
    assert len(named) > 15
    for code in named:
        assert f"`{code}`" in text, f"docs/method.md does not explain {code}"
    for factor in map(training_factor, ("node.over_tdp", "mfu.share", "accelerator.use")):
        assert re.search(rf"{factor.value:g} \[{factor.low:g}-{factor.high:g}\]", text), factor.id


# A provider's training, per call


def test_a_training_per_call_is_a_line_of_its_own() -> None:
    training = estimate_training(gpu_hours=1.3e6, gpu="H100", pue=1.1, zone="USA")
    line = amortised_training(
        training, 1e9, (date(2024, 5, 1), date(2025, 4, 30)), source="model card; operator's report"
    )
    assert line.energy_wh[:3] == pytest.approx([value / 1e9 for value in training.energy_wh[:3]])
    assert line.gwp_gco2eq is not None
    assert training.gwp_gco2eq is not None
    assert line.gwp_gco2eq.mid * 1e9 == pytest.approx(training.gwp_gco2eq.mid)
    assert line.water_ml is not None
    assert training.water_ml is not None
    assert line.water_ml.mid * 1e9 == pytest.approx(training.water_ml.mid)
    told = json.loads(json.dumps(line.to_json(), allow_nan=False))
    assert told["in_totals"] is False
    assert told["period"] == ["2024-05-01", "2025-04-30"]
    assert told["unit"] == "call"


def test_no_call_holds_its_training() -> None:
    call = mesure.estimate("llama-3.1-8b", input_tokens=100, output_tokens=100)
    assert not [name for name in call.parts if "training" in name]


@pytest.mark.parametrize(
    ("count", "period", "source"),
    [
        (0, (date(2024, 1, 1), date(2025, 1, 1)), "a report"),
        (float("nan"), (date(2024, 1, 1), date(2025, 1, 1)), "a report"),
        (1e9, (date(2025, 1, 1), date(2024, 1, 1)), "a report"),
        (1e9, (date(2024, 1, 1), date(2025, 1, 1)), " "),
    ],
)
def test_an_amortisation_is_stated_whole(count: float, period: tuple[date, date], source: str) -> None:
    with pytest.raises(InvalidValue, match="Amortising"):
        amortised_training(estimate_training(gpu_hours=1, gpu="H100"), count, period, source=source)


def test_an_implausible_training_is_not_amortised() -> None:
    training = estimate_training(gpu_hours=7e6, gpu="H100", reported_tco2e=12.9)
    with pytest.raises(InvalidValue, match="contradict"):
        amortised_training(training, 1e9, (date(2024, 1, 1), date(2025, 1, 1)), source="model card")
