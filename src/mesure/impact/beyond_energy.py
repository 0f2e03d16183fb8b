"""Trees of what an energy becomes: carbon, water, minerals and primary energy, of use and of manufacture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.impact import formulas
from mesure.impact.tree import Node
from mesure.quantity import multiply_independent

if TYPE_CHECKING:
    from mesure.impact.impacts import Impacts
    from mesure.quantity import Quantity

__all__ = ["WATER_OF_USE", "impact_trees"]

WATER_OF_USE = "usage alone: nobody publishes the water of manufacture"
_MIX = "generation mix of the zone x what each technology takes"
#: Quantity -> part of the grid, its formula, and that of use.
_OF_GRID = {
    "gwp_gco2eq": (
        "grid_intensity_gco2eq_per_kwh",
        "yearly, location-based, of the zone or of the provider's default places",
        "energy x grid intensity",
    ),
    "adpe_gsbeq": ("grid_adpe_gsbeq_per_kwh", _MIX, "energy x minerals of the grid"),
    "pe_mj": ("grid_pe_mj_per_kwh", _MIX, "energy x primary energy of the grid"),
}
_OF_MACHINES = {
    "gwp_gco2eq": "manufacture_gco2eq_per_kwh",
    "adpe_gsbeq": "manufacture_adpe_gsbeq_per_kwh",
    "pe_mj": "manufacture_pe_mj_per_kwh",
}


def impact_trees(impacts: Impacts, energy: Node) -> tuple[Node, ...]:
    """One root for each quantity; `energy` is shown whole elsewhere."""
    site = Node(energy.name, energy.formula, energy.quantity)
    trees = {name: _whole(impacts, name, site) for name in _OF_GRID}
    return trees["gwp_gco2eq"], _water(impacts, site), trees["adpe_gsbeq"], trees["pe_mj"]


def _whole(impacts: Impacts, name: str, site: Node) -> Node:
    part, of_grid, formula = _OF_GRID[name]
    grid = _sourced(impacts, part, of_grid)
    usage = Node(f"usage_{name}", formula, getattr(impacts.usage, name), (), (site, grid))
    return Node(name, "usage + embodied", getattr(impacts, name), (), (usage, _embodied(impacts, name, site)))


def _embodied(impacts: Impacts, name: str, site: Node) -> Node:
    quantity = getattr(impacts.embodied, name)
    if quantity is None:
        return Node(f"embodied_{name}", "no sourced factor for these machines", None)
    read = impacts.basis >= formulas.ACCELERATOR
    formula = "energy x manufacture per kWh"
    if read:
        formula = "middle of the energy x manufacture per kWh (it follows the hours of the machine)"
    made = "manufacture of accelerator and server / (lifetime x utilisation) / power at the meter"
    if impacts.coefficients.view == "local":
        made = "manufacture of the machine per W of its power / (lifetime x utilisation)"
    return Node(f"embodied_{name}", formula, quantity, (), (site, _sourced(impacts, _OF_MACHINES[name], made)))


def _sourced(impacts: Impacts, part: str, formula: str) -> Node:
    """A figure per kWh with the factors it comes from; unknown where there are none."""
    quantity = impacts.parts.get(part)
    ids = set(quantity.sources) if quantity else ()
    return Node(part, formula, quantity, tuple(f for f in impacts.coefficients.factors if f.id in ids))


def _water(impacts: Impacts, site: Node) -> Node:
    """Of use alone: on site and by generation."""
    grid = _sourced(impacts, "grid_water_l_per_kwh", _MIX)
    by_grid = Node("grid_water_ml", "energy x water of the grid", _litres(site, grid), (), (site, grid))
    parts = [by_grid]
    if "wue_l_per_kwh" in impacts.parts:
        wue = _sourced(impacts, "wue_l_per_kwh", "water evaporated on site per kWh of the machines")
        per_site = 1.0 / impacts.coefficients.stack.pue.mid
        on_site = _litres(site, wue)
        parts.insert(
            0, Node("site_water_ml", "energy / PUE x WUE", on_site and on_site.scaled(per_site), (), (site, wue))
        )
    usage = impacts.usage.water_ml
    node = Node("usage_water_ml", "on site + by generation", usage, (), tuple(parts))
    return Node("water_ml", WATER_OF_USE, impacts.water_ml, (), (node,))


def _litres(site: Node, per_kwh: Node) -> Quantity | None:
    """mL: a litre per kWh is a millilitre per Wh."""
    if site.quantity is None or per_kwh.quantity is None:
        return None
    return multiply_independent((site.quantity, per_kwh.quantity), "mL")
