"""Where a call ran, and what a kWh at the meter takes there: of the grid's generation, and of the hall's own water."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import current
from mesure.impact.mixture import quantile
from mesure.impact.site import Sourced, end_of, of_region
from mesure.quantity import Quantity, Status, add_independent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.catalogue import Factor
    from mesure.impact.site import Stack

__all__ = ["Electricity", "Place", "carbon_of", "electricity", "place_of", "stated_zone"]

_INTENSITY = "grid_intensity_gco2eq_per_kwh"
#: Parameter of the catalogue's grids -> the named part of a result, the phase it gives, the code of its absence.
_OF_GRID = {
    "water": ("grid_water_l_per_kwh", "usage_water_ml", "water_no_factor"),
    "adpe": ("grid_adpe_gsbeq_per_kwh", "usage_adpe_gsbeq", "adpe_no_factor"),
    "pe": ("grid_pe_mj_per_kwh", "usage_pe_mj", "pe_no_factor"),
}


@dataclass(frozen=True, slots=True)
class Place:
    """Zones with their share, and who says so; `warnings` where the place is not stated."""

    zones: tuple[tuple[str, float], ...]
    hosts: tuple[Factor, ...]
    warnings: tuple[str, ...]

    @property
    def status(self) -> Status:
        return Status.DEFAULT if self.warnings else Status.MODELLED


class Electricity(NamedTuple):
    """`parts`: each sourced figure by name; `phases`: what one kWh at the meter makes of each quantity of use, None
    without a sourced factor."""

    parts: Mapping[str, Sourced]
    phases: Mapping[str, Quantity | None]
    warnings: tuple[str, ...]


def stated_zone(provider: str | None, zone: str | None, region: str | None) -> str | None:
    """The zone stated, else that of the cloud region stated; None without either, or for a region that is no place."""
    return zone or (current().region_zone(provider, region) if provider and region else None) or None


def place_of(provider: str | None, zone: str | None, region: str | None = None) -> Place:
    """The place stated, else the default places of the provider, else the world."""
    if stated := stated_zone(provider, zone, region):
        return Place(((stated, 1.0),), (), ())
    host = current().host(provider) if provider else None
    unlisted = ("region_not_listed",) if region else ()
    if host:
        return Place(host.places, host.factors, (*unlisted, "zone_assumed"))
    return Place((("WORLD", 1.0),), (), (*unlisted, "zone_unknown"))


def carbon_of(place: Place, year: int) -> tuple[Sourced | None, tuple[str, ...]]:
    """Yearly location-based intensity, gCO2e/kWh, and what is to be said of it."""
    found = _of_grid(place, "intensity", year)
    if found is None:
        return None, ("zone_no_factor",)
    direct = any("intensity_direct" in factor.id for factor in found.factors)
    return found, ("grid_direct_only",) if direct else ()


def electricity(
    place: Place, stack: Stack, provider: str | None, year: int, *, on_processor: bool, region: str | None = None
) -> Electricity:
    """What a kWh at the meter of a place takes. A machine of one's own evaporates no water on site."""
    carbon, warnings = carbon_of(place, year)
    found = {name: _of_grid(place, parameter, year) for parameter, (name, _, _) in _OF_GRID.items()}
    warnings += tuple(absent for name, _, absent in _OF_GRID.values() if found[name] is None)
    if any(_of_another_place(factor) for one in found.values() if one for factor in one.factors):
        warnings += ("mix_not_of_zone",)
    phases = {phase: one.quantity if (one := found[name]) else None for name, phase, _ in _OF_GRID.values()}
    found |= {_INTENSITY: carbon, "wue_l_per_kwh": None if on_processor else _wue(provider, year, region)}
    water, wue = found["grid_water_l_per_kwh"], found["wue_l_per_kwh"]
    phases |= {"usage_gwp_gco2eq": carbon.quantity if carbon else None, "usage_water_ml": _water(water, wue, stack)}
    return Electricity({name: one for name, one in found.items() if one}, phases, (*place.warnings, *warnings))


def _of_grid(place: Place, parameter: str, year: int) -> Sourced | None:
    """One quantity per kWh as a distribution over the zones; None where one of them has no factor."""
    catalogue, at = current(), end_of(year)
    within = catalogue.constant("grid", "within_zone")
    weighted, factors = [], []
    for zone, share in place.zones:
        grid = catalogue.grid(zone, at) if parameter == "intensity" else catalogue.grid_factor(zone, parameter, at)
        if grid is None:
            return None
        weighted += [(value, share * weight) for value, weight in _points(grid, within)]
        factors += [grid] if grid.low < grid.high else [grid, within]
    used = tuple(dict.fromkeys((*factors, *place.hosts)))
    low, mid, high = (quantile(weighted, share) for share in (0.05, 0.5, 0.95))
    unit = "gCO2e/kWh" if parameter == "intensity" else factors[0].unit
    return Sourced(Quantity(low, mid, high, unit, place.status, tuple(factor.id for factor in used)), used)


def _points(grid: Factor, within: Factor) -> tuple[tuple[float, float], ...]:
    if grid.low < grid.high:
        return ((grid.low, 0.06), (grid.value, 0.88), (grid.high, 0.06))
    return ((grid.value * within.low, 0.06), (grid.value, 0.88), (grid.value * within.high, 0.06))


def _of_another_place(factor: Factor) -> bool:
    return factor.status == "assumed" and factor.id.startswith("grid_impacts.")


# Water


def _wue(provider: str | None, year: int, region: str | None) -> Sourced:
    """Litres evaporated on site per kWh of the machines: halls of one operator differ by more than ten, those of one
    region less."""
    catalogue = current()
    stated = catalogue.site(provider, "wue", end_of(year), region) if provider else None
    if stated is None:
        unknown = catalogue.constant("unknown", "wue")
        return Sourced(_as_stated(unknown, Status.DEFAULT), (unknown,))
    if stated.low < stated.high:
        return Sourced(_as_stated(stated, Status.MODELLED), (stated,))
    spread = catalogue.constant("region" if of_region(stated) else "fleet", "wue_spread")
    low, mid, high = (stated.value * factor for factor in (spread.low, spread.value, spread.high))
    return Sourced(Quantity(low, mid, high, stated.unit, Status.MODELLED, (stated.id, spread.id)), (stated, spread))


def _as_stated(factor: Factor, status: Status) -> Quantity:
    return Quantity(factor.low, factor.value, factor.high, factor.unit, status, (factor.id,))


def _water(grid: Sourced | None, wue: Sourced | None, stack: Stack) -> Quantity | None:
    """mL per kWh at the meter: WUE is per kWh of the machines, which is 1 / PUE of it."""
    if grid is None:
        return None
    parts = [grid.quantity, *([wue.quantity.scaled(1.0 / stack.pue.mid)] if wue else [])]
    return add_independent(parts).scaled(1e3, "mL/kWh")
