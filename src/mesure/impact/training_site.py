"""From the energy and the hours of a training to carbon, water, minerals and primary energy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact.training_factors import training_factor
from mesure.impact.training_run import factor_node, product, stated
from mesure.impact.tree import Node
from mesure.quantity import Status, add_independent, add_shared, inverse, multiply_independent

if TYPE_CHECKING:
    from mesure.catalogue import Factor
    from mesure.impact.training_energy import TrainingEnergy
    from mesure.impact.training_run import TrainingRun

__all__ = ["UNITS", "embodied_of", "grid_range", "usage_of"]

UNITS = {"gwp_gco2eq": "gCO2eq", "water_ml": "mL", "adpe_gsbeq": "gSbeq", "pe_mj": "MJ"}
_HOURS_PER_YEAR = 8766.0
_ANYWHERE = "WORLD"

# Use


def usage_of(run: TrainingRun, energy: TrainingEnergy) -> tuple[dict[str, Node], tuple[str, ...]]:
    """Impacts of the electricity, by name; a node without quantity has no factor."""
    grid, warnings = _grid(run)
    if run.zone is None:
        warnings += ("zone_unknown",) if run.grid_gco2eq_per_kwh is None else ("zone_unknown_beyond_carbon",)
    carbon = product("usage_gwp_gco2eq", "energy x grid intensity", (_bare(energy.site), grid), "gCO2eq", 1e-3)
    found = {"gwp_gco2eq": carbon, "water_ml": _water(run, energy)}
    for name, parameter in (("adpe_gsbeq", "adpe"), ("pe_mj", "pe")):
        children = (_bare(energy.site), _per_kwh(run, parameter))
        found[name] = product(f"usage_{name}", f"energy x {parameter} of the grid", children, UNITS[name], 1e-3)
    lacking = tuple(f"{name.partition('_')[0]}_no_factor" for name, node in found.items() if node.quantity is None)
    return found, warnings + lacking


def _bare(node: Node) -> Node:
    """The node without its tree, which another root holds."""
    return Node(node.name, node.formula, node.quantity)


def _grid(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    """Yearly location-based intensity: stated, of the zone, or the world's."""
    name = "grid_intensity_gco2eq_per_kwh"
    if run.grid_gco2eq_per_kwh is not None:
        return stated(name, run.grid_gco2eq_per_kwh, "gCO2e/kWh"), ()
    factor = current().grid(run.zone or _ANYWHERE, run.at)
    if factor is None:
        return Node(name, "no factor of this zone", None), ()
    status = Status.MODELLED if run.zone else Status.DEFAULT
    warnings = ("grid_direct_only",) if "intensity_direct" in factor.id else ()
    if factor.low < factor.high:
        return factor_node(name, factor, "yearly, location-based", status), warnings
    yearly = factor_node("yearly_intensity", factor, "yearly, location-based, of the zone", status)
    within = factor_node("within_zone", current().constant("grid", "within_zone"), "hour and region against the year")
    return product(name, "yearly x within the zone", (yearly, within), "gCO2e/kWh"), warnings


def _per_kwh(run: TrainingRun, parameter: str) -> Node:
    factor = current().grid_factor(run.zone or _ANYWHERE, parameter, run.at)
    name = f"grid_{parameter}_per_kwh"
    if factor is None:
        return Node(name, "no factor of this zone", None)
    return factor_node(name, factor, "of the zone's mix", Status.MODELLED if run.zone else Status.DEFAULT)


def _water(run: TrainingRun, energy: TrainingEnergy) -> Node:
    """mL: a litre per kWh is a millilitre per Wh."""
    wue = factor_node(
        "wue", current().constant("unknown", "wue"), "water evaporated on site per kWh of the machines", Status.DEFAULT
    )
    on_site = product("site_water_ml", "energy of the machines x WUE", (_bare(energy.machines), wue), "mL")
    made = product("grid_water_ml", "energy x water of the grid", (_bare(energy.site), _per_kwh(run, "water")), "mL")
    both = (on_site.quantity, made.quantity)
    total = add_shared([both[0], both[1]]) if both[0] and both[1] else None
    return Node("usage_water_ml", "on site + by generation", total, (), (on_site, made))


def grid_range() -> tuple[float, float]:
    """Lowest and highest life-cycle intensity of a zone, gCO2e/kWh, hour and region within it included."""
    catalogue = current()
    yearly = [factor.value for zone in catalogue.zones() if (factor := catalogue.grid_factor(zone, "intensity"))]
    within = catalogue.constant("grid", "within_zone")
    return min(yearly) * within.low, max(yearly) * within.high


# Manufacture


def embodied_of(energy: TrainingEnergy) -> dict[str, Node]:
    """Share of manufacture: hours used / hours of a life that are used. Water of manufacture has no sourced factor."""
    found = {"water_ml": Node("embodied_water_ml", "no sourced factor", None)}
    for name, per in (("gwp_gco2eq", "kgCO2e"), ("adpe_gsbeq", "kgSbeq"), ("pe_mj", "MJ")):
        made = _manufacture_per_hour(name, per)
        hours = _bare(energy.gpu_hours) if energy.gpu_hours else Node("gpu_hours", "machines unknown", None)
        found[name] = product(
            f"embodied_{name}", "accelerator-hours x manufacture per hour", (hours, made), UNITS[name]
        )
    return found


def _manufacture_per_hour(name: str, per: str) -> Node:
    node_name = f"manufacture_{name}_per_gpu_hour"
    accelerator, server = _made(name, per, "accelerator", "GPU"), _made(name, per, "server", "server")
    if accelerator.quantity is None or server.quantity is None:
        return Node(node_name, "no sourced factor", None, (), (accelerator, server))
    constant = current().constant
    seats = factor_node("accelerators_per_server", constant("hardware", "accelerators_per_server"), "in one server")
    life = factor_node("lifetime", constant("hardware", "lifetime"), "years a machine is kept")
    use = factor_node("use", training_factor("accelerator.use"), "share of its life that is used")
    quantities = [node.quantity for node in (seats, life, use)]
    assert all(quantities)
    per_seat = multiply_independent((server.quantity, inverse(quantities[0], "servers")), per)  # type: ignore[arg-type]
    kg = add_independent((accelerator.quantity._replace(unit=per), per_seat))
    rates = [inverse(quantity, "1/h") for quantity in quantities[1:] if quantity is not None]
    scale = (1.0 if per == "MJ" else 1e3) / _HOURS_PER_YEAR
    quantity = multiply_independent((kg, *rates), UNITS[name]).scaled(scale)
    formula = "(accelerator + server / accelerators) / (lifetime x use)"
    return Node(node_name, formula, quantity, (), (accelerator, server, seats, life, use))


def _made(impact: str, per: str, what: str, unit: str) -> Node:
    """Manufacture of one accelerator or one server without its accelerators."""
    name, catalogue = f"{what}_manufacture_{impact}", current()
    if per == "kgCO2e":
        return factor_node(name, catalogue.constant(f"{what}-manufacture", "gwp"), "made once")
    listed: tuple[Factor, ...] = tuple(f for f in catalogue.embodied(per) if f.unit == f"{per}/{unit}")
    if not listed:
        return Node(name, "no sourced factor", None)
    value = factor_node(f"{name}_listed", listed[-1], "one estimate, no interval published")
    spread = factor_node("estimate_error", catalogue.constant("estimate", "error"), "least spread of a single estimate")
    return product(name, "one estimate x its spread", (value, spread), listed[-1].unit)
