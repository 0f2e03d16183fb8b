"""What a kWh takes where a call ran: grids, the hall's own water, and places that nobody stated."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import Factor, current, use
from mesure.impact import Deployment, estimate, explain, impacts_of_facts, resolve
from mesure.impact.place import Electricity, carbon_of, electricity, place_of
from mesure.impact.site import stack_of
from mesure.quantity import Quantity, Status

YEAR = 2026
H100 = Deployment(gpu="H100", n_gpus=1, batch=32)
ZONES = sorted(current().zones())


def of(provider: str | None, zone: str | None, *, own: bool = False, year: int = YEAR) -> Electricity:
    stack = stack_of(provider, year, on_processor=own)
    return electricity(place_of(provider, zone), stack, provider, year, on_processor=own)


def factor(zone: str, parameter: str) -> Factor:
    found = current().grid_factor(zone, parameter)
    assert found is not None
    return found


def mid(quantity: Quantity | None) -> float:
    assert quantity is not None
    return quantity.mid


# Grids


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES))
def test_every_listed_zone_has_carbon_water_minerals_and_primary_energy(zone: str) -> None:
    found = of("openai", zone)
    for name, quantity in found.phases.items():
        assert quantity is not None, name
        assert 0.0 <= quantity.low <= quantity.mid <= quantity.high < math.inf
        assert quantity.status is Status.MODELLED
        assert quantity.sources
    assert found.phases["usage_adpe_gsbeq"].mid == factor(zone, "adpe").value  # type: ignore[union-attr]
    assert found.phases["usage_pe_mj"].mid == factor(zone, "pe").value  # type: ignore[union-attr]
    assert ("mix_not_of_zone" in found.warnings) == (factor(zone, "water").status == "assumed")


def test_bounds_are_those_of_the_table_where_it_states_some() -> None:
    found = of(None, "FRA").parts["grid_pe_mj_per_kwh"]
    listed = factor("FRA", "pe")
    assert found.quantity[:3] == (listed.low, listed.value, listed.high)
    assert found.factors == (listed,)
    carbon = of(None, "FRA").parts["grid_intensity_gco2eq_per_kwh"].quantity
    within = current().constant("grid", "within_zone")
    assert carbon.high == pytest.approx(carbon.mid * within.high)


def test_the_mix_of_a_country_that_stands_for_its_parts_is_said_and_wide() -> None:
    virginia, country = of(None, "US-VA"), of(None, "USA")
    assert "mix_not_of_zone" in virginia.warnings
    assert "mix_not_of_zone" not in country.warnings
    water = [found.parts["grid_water_l_per_kwh"].quantity for found in (virginia, country)]
    assert water[0].mid == water[1].mid
    assert water[0].high > water[1].high


def test_a_zone_that_is_not_listed_has_nothing() -> None:
    found = of(None, "XXX")
    assert found.phases == dict.fromkeys(found.phases)
    assert set(found.warnings) == {"zone_no_factor", "water_no_factor", "adpe_no_factor", "pe_no_factor"}
    assert carbon_of(place_of(None, "XXX"), YEAR) == (None, ("zone_no_factor",))


def test_a_place_that_nobody_states_is_a_mixture_of_the_usual_ones() -> None:
    found = of("nebius", None)
    assert "zone_assumed" in found.warnings
    for name in ("usage_water_ml", "usage_adpe_gsbeq", "usage_pe_mj", "usage_gwp_gco2eq"):
        quantity = found.phases[name]
        assert quantity is not None
        assert quantity.status is Status.DEFAULT
        assert any(source.startswith("hosts.nebius") for source in quantity.sources)
    bounds = sorted(factor(zone, "water").value for zone in ("FIN", "FRA"))
    assert bounds[0] <= found.parts["grid_water_l_per_kwh"].quantity.mid <= bounds[1]
    assert of("nobody", None).warnings[0] == "zone_unknown"


# Water


@pytest.mark.parametrize("zone", ["FRA", "USA", "NOR", "POL"])
def test_water_is_that_of_the_machines_on_site_and_that_of_generation(zone: str) -> None:
    """WUE is per kWh of the machines: a kWh at the meter holds 1 / PUE of them."""
    wue, pue = current().site("openai", "wue"), current().site("openai", "pue")
    assert wue is not None
    assert pue is not None
    found = of("openai", zone).phases["usage_water_ml"]
    assert mid(found) == pytest.approx(1000.0 * (wue.value / pue.value + factor(zone, "water").value))
    assert found is not None
    assert found.unit == "mL/kWh"


def test_a_call_s_water_is_its_machines_x_wue_and_its_meter_x_grid() -> None:
    found = impacts_of_facts(resolve("gpt-4o", provider="openai", zone="FRA"), input_tokens=100, output_tokens=400)
    machines_wh, site_wh = found.parts["it_energy_wh"].mid, found.energy_wh.mid
    wue = found.parts["wue_l_per_kwh"].mid
    by_hand = machines_wh * wue + site_wh * factor("FRA", "water").value
    assert mid(found.water_ml) == pytest.approx(by_hand, rel=1e-12)
    trees = {node.name: node for root in explain(found).roots for node in root.walk()}
    assert mid(trees["site_water_ml"].quantity) == pytest.approx(machines_wh * wue)
    assert mid(trees["grid_water_ml"].quantity) == pytest.approx(site_wh * factor("FRA", "water").value)
    assert trees["water_ml"].children == (trees["usage_water_ml"],)


def test_halls_of_one_operator_differ_and_an_unknown_one_more() -> None:
    stated, unknown = (of(name, "USA").parts["wue_l_per_kwh"] for name in ("aws", "never-heard-of"))
    spread = current().constant("fleet", "wue_spread")
    assert stated.quantity.high == pytest.approx(0.15 * spread.high)
    assert spread in stated.factors
    assert stated.quantity.status is Status.MODELLED
    assert unknown.quantity.status is Status.DEFAULT
    assert unknown.factors == (current().constant("unknown", "wue"),)
    ratios = [found.quantity.high / found.quantity.low for found in (stated, unknown)]
    assert ratios[0] < ratios[1]
    own_range = of("anthropic", "USA").parts["wue_l_per_kwh"].quantity
    assert own_range[:3] == (0.13, 0.5645, 0.999)


def test_a_machine_of_ones_own_evaporates_nothing_on_site() -> None:
    found = of("local", "FRA", own=True)
    assert "wue_l_per_kwh" not in found.parts
    assert mid(found.phases["usage_water_ml"]) == pytest.approx(1000.0 * factor("FRA", "water").value)
    told = impacts_of_facts(resolve("qwen3-8b", provider="local", zone="FRA"), input_tokens=9, output_tokens=9)
    names = {node.name for root in explain(told).roots for node in root.walk()}
    assert "grid_water_ml" in names
    assert "site_water_ml" not in names


# The user's own


def test_a_user_s_grid_and_hall_replace_the_packaged_ones(tmp_path: Path) -> None:
    common = 'year = 2026\nsource = "Acme"\nsource_url = "internal"\nlicence = "internal"\nstatus = "published"\n'
    rows = (
        ("grids", "FRA", "water", 0.5, "L/kWh"),
        ("grids", "FRA", "pe", 4.0, "MJ/kWh"),
        ("sites", "openai", "wue", 0.0, "L/kWh"),
    )
    own = tmp_path / "catalogue.toml"
    own.write_text(
        "".join(
            f'[[factor]]\ntable = "{table}"\nentity = "{entity}"\nparameter = "{parameter}"\nvalue = {value}\n'
            f'unit = "{unit}"\n{common}'
            for table, entity, parameter, value, unit in rows
        ),
        encoding="utf-8",
    )
    use(current().with_user_file(own))
    found = impacts_of_facts(resolve("gpt-4o", provider="openai", zone="FRA"), input_tokens=100, output_tokens=400)
    assert mid(found.water_ml) == pytest.approx(0.5 * found.energy_wh.mid)  # dry cooling: zero is a fact there
    assert mid(found.usage.pe_mj) == pytest.approx(4e-3 * found.energy_wh.mid)
    told = {one.id for one in explain(found).factors()}
    assert {f"user.{table}.{entity}.{parameter}.2026" for table, entity, parameter, *_ in rows} <= told


# Trees


@pytest.mark.parametrize("zone", [None, "FRA", "US-VA", "XXX"])
@pytest.mark.parametrize("deployment", [None, H100, Deployment(gpu="cpu")], ids=["api", "h100", "cpu"])
def test_every_tree_adds_up_and_names_its_factors(zone: str | None, deployment: Deployment | None) -> None:
    found = impacts_of_facts(
        resolve("llama-3.1-8b", provider="groq", zone=zone, deployment=deployment), input_tokens=100, output_tokens=100
    )
    for root in explain(found).roots[1:]:
        known = [child.quantity for child in root.children]
        if root.quantity is None:
            assert None in known
            continue
        assert root.quantity.mid == pytest.approx(sum(mid(quantity) for quantity in known))
        told = {one.id for node in root.walk() for one in node.factors}
        own = {source for name in ("usage", "embodied") for source in _sources(getattr(found, name), root.name)}
        assert told == own - set(found.energy_wh.sources)


def _sources(phase: object, name: str) -> tuple[str, ...]:
    quantity = getattr(phase, name)
    return quantity.sources if quantity else ()


def test_what_is_of_use_does_not_name_what_is_of_manufacture() -> None:
    found = estimate("gpt-4o", input_tokens=10, output_tokens=10, zone="FRA")
    used, made = found.usage.gwp_gco2eq, found.embodied.gwp_gco2eq
    assert used is not None
    assert made is not None
    assert not any("manufacture" in source for source in used.sources)
    assert not any(source.startswith("grids.") for source in made.sources)
    assert found.gwp_gco2eq is not None
    assert set(found.gwp_gco2eq.sources) == {*used.sources, *made.sources}
    assert not any("water" in source or ".wue" in source for source in found.gwp_gco2eq.sources)
