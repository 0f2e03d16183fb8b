"""What making the machines took: an hour's share of it, whatever is known of the energy of that hour."""

from __future__ import annotations

import math
import shutil
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import Catalogue, current, use
from mesure.impact import Coefficients, Deployment, Impacts, explain, formulas, impacts_of, impacts_of_facts, resolve
from mesure.impact.manufacture import MADE, manufacture
from mesure.impact.mixture import Spread
from mesure.impact.site import stack_of
from mesure.quantity import Quantity
from mesure.record import UsageEvent

HOURS_PER_YEAR = 8766.0
LOCAL = resolve("gemma-3-270m", provider="local", zone="FRA")
H100 = resolve("llama-3.1-8b", zone="FRA", deployment=Deployment(gpu="H100", n_gpus=1, batch=32))


def measured(coefficients: Coefficients, scope: Any, low: float, mid: float, high: float) -> Impacts:
    facts: dict[str, Any] = {"energy_low_j": low, "energy_j": mid, "energy_high_j": high, "energy_scope": scope}
    started = datetime(2026, 11, 1, tzinfo=UTC)
    event = UsageEvent(id="01890000-0000-7000-8000-000000000000", started_at=started, **facts, energy_status="modelled")
    return impacts_of(event, coefficients)


def gwp(quantity: Quantity | None) -> Quantity:
    assert quantity is not None
    return quantity


def width(quantity: Quantity) -> float:
    return quantity.high / quantity.low


def value(entity: str, parameter: str) -> float:
    return current().constant(entity, parameter).value


# Per kWh


def test_an_accelerator_carries_its_hours_over_what_it_draws_in_them() -> None:
    stack = stack_of("openai", 2026, on_processor=False)
    found = manufacture(Spread(300.0, 400.0, 500.0), stack, on_processor=False)["gwp_gco2eq"]
    assert found is not None
    seats = value("hardware", "accelerators_per_server")
    kg = value("accelerator-manufacture", "gwp") + value("server-manufacture", "gwp") / seats
    hours = value("hardware", "lifetime") * HOURS_PER_YEAR * value("hardware", "utilisation")
    site_kw = 0.4 * stack.host.mid * stack.idle.mid * stack.pue.mid
    assert found.quantity.mid == pytest.approx(1e3 * kg / hours / site_kw)
    assert found.quantity.unit == "gCO2e/kWh"
    assert set(found.quantity.sources) == {factor.id for factor in found.factors}
    assert len(found.factors) == 5


def test_a_machine_of_ones_own_is_known_per_watt_whatever_its_power() -> None:
    stack = stack_of("local", 2026, on_processor=True)
    small, large = (manufacture(Spread(w, w, w), stack, on_processor=True)["gwp_gco2eq"] for w in (15.0, 350.0))
    assert small is not None
    assert small == large
    hours = value("local", "lifetime") * HOURS_PER_YEAR * value("local", "utilisation")
    assert small.quantity.mid == pytest.approx(1e6 * value("local-manufacture", "gwp_per_w") / hours)


def test_the_spread_of_independent_factors_is_in_quadrature_and_not_of_the_worst_corners() -> None:
    found = gwp(LOCAL.parts["manufacture_gco2eq_per_kwh"])
    made, life, busy = (
        current().constant(*name)
        for name in (("local-manufacture", "gwp_per_w"), ("local", "lifetime"), ("local", "utilisation"))
    )
    above = math.hypot(
        math.log(made.high / made.value), math.log(life.value / life.low), math.log(busy.value / busy.low)
    )
    below = math.hypot(
        math.log(made.value / made.low), math.log(life.high / life.value), math.log(busy.high / busy.value)
    )
    assert math.log(found.high / found.mid) == pytest.approx(above)
    assert math.log(found.mid / found.low) == pytest.approx(below)
    worst = made.high / life.low / busy.low / (made.low / life.high / busy.high)
    assert width(found) < 0.3 * worst


def test_what_makers_report_for_a_server_and_a_desktop_lies_inside() -> None:
    """Manufacture over the energy of a whole life, as makers state both: 207 g/kWh for a server, 928 for a desktop."""
    found = LOCAL.parts["manufacture_gco2eq_per_kwh"]
    assert found.low < 207.0 < found.mid < 928.0 < found.high


@settings(max_examples=50, deadline=None)
@given(st.floats(10.0, 1000.0), st.floats(1.0, 3.0), st.floats(1.0, 3.0))
def test_more_power_spreads_manufacture_thinner(power: float, below: float, above: float) -> None:
    stack = stack_of(None, 2026, on_processor=False)
    spread = Spread(power / below, power, power * above)
    found = manufacture(spread, stack, on_processor=False)
    twice = manufacture(Spread(*(2.0 * watts for watts in spread)), stack, on_processor=False)
    assert list(found) == list(twice) == list(MADE)
    for name, made in MADE.items():
        one, other = found[name], twice[name]
        assert one is not None
        assert other is not None
        assert one.quantity.unit == made.per_kwh
        assert one.quantity.low <= one.quantity.mid <= one.quantity.high
        assert other.quantity[:3] == pytest.approx([value / 2.0 for value in one.quantity[:3]])


@pytest.mark.parametrize(("name", "unit", "scale"), [("adpe_gsbeq", "kgSbeq", 1e3), ("pe_mj", "MJ", 1.0)])
def test_minerals_and_primary_energy_rest_on_the_one_estimate_there_is_with_its_error(
    name: str, unit: str, scale: float
) -> None:
    stack = stack_of(None, 2026, on_processor=False)
    found = manufacture(Spread(400.0, 400.0, 400.0), stack, on_processor=False)[name]
    assert found is not None
    [board] = [factor for factor in current().embodied(unit) if factor.unit == f"{unit}/GPU"]
    [server] = [factor for factor in current().embodied(unit) if factor.unit == f"{unit}/server"]
    each = board.value + server.value / value("hardware", "accelerators_per_server")
    hours = value("hardware", "lifetime") * HOURS_PER_YEAR * value("hardware", "utilisation")
    site_kw = 0.4 * stack.host.mid * stack.idle.mid * stack.pue.mid
    assert found.quantity.mid == pytest.approx(scale * each / hours / site_kw)
    assert {board.id, server.id, current().constant("estimate", "error").id} <= set(found.quantity.sources)
    assert width(found.quantity) > 4.0


def test_without_the_file_that_may_be_deleted_they_are_unknown_and_flagged(tmp_path: Path) -> None:
    """`embodied_mpl.csv` is under a licence of its own: Mesure works without it."""
    folder = tmp_path / "data"
    shutil.copytree(str(files("mesure.catalogue") / "data"), folder)
    (folder / "embodied_mpl.csv").unlink()
    use(Catalogue(folder))
    found = impacts_of_facts(resolve("llama-3.1-8b", zone="FRA"), input_tokens=9, output_tokens=9)
    assert found.gwp_gco2eq is not None
    assert found.adpe_gsbeq is None
    assert found.pe_mj is None
    assert found.usage.pe_mj is not None
    assert {"embodied_adpe_no_factor", "embodied_pe_no_factor"} <= set(found.warnings)
    [root] = [root for root in explain(found).roots if root.name == "adpe_gsbeq"]
    told = {node.name: node for node in root.walk()}
    assert told["embodied_adpe_gsbeq"].quantity is None
    assert told["embodied_adpe_gsbeq"].formula == "no sourced factor for these machines"


# Of a measured energy


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["process", "cpu", "accelerator", "server"]),
    st.sampled_from([LOCAL, H100]),
    st.floats(0.01, 1e4),
    st.floats(0.0, 1.0),
    st.floats(1.0, 1e3),
)
def test_manufacture_takes_the_middle_of_a_measured_energy(
    scope: str, coefficients: Coefficients, joules: float, low: float, high: float
) -> None:
    exact = measured(coefficients, scope, joules, joules, joules)
    wide = measured(coefficients, scope, joules * low, joules, joules * high)
    assert wide.embodied.gwp_gco2eq == exact.embodied.gwp_gco2eq
    used, whole = gwp(wide.usage.gwp_gco2eq), gwp(wide.gwp_gco2eq)
    assert used.low == pytest.approx(low * gwp(exact.usage.gwp_gco2eq).low)
    assert used.high == pytest.approx(high * gwp(exact.usage.gwp_gco2eq).high)
    for one, other, total in zip(used[:3], gwp(wide.embodied.gwp_gco2eq)[:3], whole[:3], strict=True):
        assert total == pytest.approx(one + other)


@pytest.mark.parametrize("scope", ["process", "accelerator", "server"])
@pytest.mark.parametrize("coefficients", [LOCAL, H100], ids=["local", "h100"])
def test_its_interval_is_that_of_the_factor_alone(coefficients: Coefficients, scope: str) -> None:
    """Host, idle reserve and PUE divide the one and multiply the other: their spread cancels out."""
    found = gwp(measured(coefficients, scope, 100.0, 100.0, 100.0).embodied.gwp_gco2eq)
    made = coefficients.parts["manufacture_gco2eq_per_kwh"]
    assert found.high / found.mid == pytest.approx(made.high / made.mid)
    assert found.mid / found.low == pytest.approx(made.mid / made.low)
    site = measured(coefficients, scope, 100.0, 100.0, 100.0).energy_wh
    assert found.mid == pytest.approx(site.mid * 1e-3 * made.mid)


def test_a_call_of_the_demonstration_has_an_interval_one_can_believe() -> None:
    """Eight seconds of a processor thread of which nothing is known, 4.8 W [1.2-10.9]."""
    found = measured(LOCAL, "server", 8 * 1.2, 8 * 4.8, 8 * 10.9)
    whole, made = gwp(found.gwp_gco2eq), gwp(found.embodied.gwp_gco2eq)
    assert width(whole) < 10.0
    assert width(made) < width(found.energy_wh)
    assert 0.001 < whole.low < whole.mid < whole.high < 0.02


def test_engine_outputs_hold_the_same_law() -> None:
    """What the ledger sums by: outputs of the formulas themselves."""
    for basis in (formulas.ACCELERATOR, formulas.PROCESSOR, formulas.SERVER):
        row = H100.row(basis)
        x = dict.fromkeys(formulas.SUMMED, 0.0) | {
            "x_measured_low_wh": 0.5, "x_measured_mid_wh": 1.0, "x_measured_high_wh": 8.0,
        }  # fmt: skip
        found = formulas.impacts(x, row)
        for q, energy in (("low", 0.5), ("mid", 1.0), ("high", 8.0)):
            assert found[f"embodied_gwp_gco2eq_{q}"] == row[f"m_embodied_gwp_gco2eq_{q}"]
            assert found[f"usage_gwp_gco2eq_{q}"] == energy * row[f"m_usage_gwp_gco2eq_{q}"]


# Of a modelled energy


def test_a_modelled_energy_keeps_its_error_but_not_the_way_to_the_meter() -> None:
    found = impacts_of_facts(H100, input_tokens=300, output_tokens=300)
    embodied, made = gwp(found.embodied.gwp_gco2eq), H100.parts["manufacture_gco2eq_per_kwh"]
    error = H100.error(found.basis)
    above = math.hypot(math.log(error.high / error.mid), math.log(made.high / made.mid))
    assert math.log(embodied.high / embodied.mid) == pytest.approx(above)
    assert embodied.mid == pytest.approx(found.energy_wh.mid * 1e-3 * made.mid)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (measured(LOCAL, "server", 1.0, 2.0, 3.0), "middle of the energy"),
        (impacts_of_facts(LOCAL, input_tokens=9, output_tokens=9), "energy x manufacture per kWh"),
    ],
)
def test_the_tree_says_which_energy_manufacture_follows(found: Impacts, told: str) -> None:
    [root] = [root for root in explain(found).roots if root.name == "gwp_gco2eq"]
    nodes = {node.name: node for node in root.walk()}
    assert nodes["embodied_gwp_gco2eq"].formula.startswith(told)
    made = nodes["manufacture_gco2eq_per_kwh"]
    assert "per W" in made.formula
    assert {factor.id for factor in made.factors} == set(made.quantity.sources if made.quantity else ())
    assert all(factor.source and factor.source_url and factor.licence and factor.year for factor in made.factors)
