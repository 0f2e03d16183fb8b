"""From the accelerator to the meter and the grid: host, idle reserve, PUE and place, with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact.mixture import quantile
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from mesure.catalogue import Factor

__all__ = ["Sourced", "Stack", "place_of", "processor_share", "stack_of"]


@dataclass(frozen=True, slots=True)
class Stack:
    host: Quantity
    idle: Quantity
    pue: Quantity
    processor: Quantity
    factors: tuple[Factor, ...]


def _quantity(factor: Factor, status: Status = Status.MODELLED) -> Quantity:
    return Quantity(factor.low, factor.value, factor.high, factor.unit, status, (factor.id,))


def processor_share() -> Factor:
    """The whole machine over its processor package."""
    return current().constant("processor", "share")


def stack_of(provider: str | None, year: int, *, on_processor: bool) -> Stack:
    catalogue = current()
    processor = processor_share()
    if on_processor:
        host, idle, pue = processor, catalogue.constant("local", "idle"), catalogue.constant("local", "pue")
        return Stack(_quantity(host), _quantity(idle), _quantity(pue), _quantity(processor), (host, idle, pue))
    host, idle = catalogue.constant("host", "share"), catalogue.constant("idle", "reserve")
    stated = catalogue.site(provider, "pue", _at(year)) if provider else None
    if stated is None:
        pue = catalogue.constant("unknown", "pue")
        return Stack(
            _quantity(host), _quantity(idle), _quantity(pue, Status.DEFAULT), _quantity(processor), (host, idle, pue)
        )
    spread = catalogue.constant("fleet", "pue_spread")
    pue_quantity = Quantity(
        max(1.0, stated.low * spread.low),
        stated.value,
        stated.high * spread.high,
        "ratio",
        Status.MODELLED,
        (stated.id,),
    )
    return Stack(_quantity(host), _quantity(idle), pue_quantity, _quantity(processor), (host, idle, stated, spread))


def _at(year: int) -> date:
    return date(year, 12, 31)


# Place


@dataclass(frozen=True, slots=True)
class Sourced:
    quantity: Quantity
    factors: tuple[Factor, ...]


def place_of(provider: str | None, zone: str | None, year: int) -> tuple[Sourced | None, tuple[str, ...]]:
    """Grid intensity where the call ran, as a distribution when the place is not stated."""
    catalogue = current()
    within = catalogue.constant("grid", "within_zone")
    warnings: tuple[str, ...] = ()
    if zone:
        places: tuple[tuple[str, float], ...] = ((zone, 1.0),)
        hosted: tuple[Factor, ...] = ()
    else:
        host = catalogue.host(provider) if provider else None
        places, hosted = (host.places, host.factors) if host else ((("WORLD", 1.0),), ())
        warnings = ("zone_assumed",) if host else ("zone_unknown",)
    grids = [(catalogue.grid(place, _at(year)), share) for place, share in places]
    found = [(grid, share) for grid, share in grids if grid is not None]
    if len(found) < len(grids):
        return None, (*warnings, "zone_no_factor")
    if any("intensity_direct" in grid.id for grid, _ in found):
        warnings = (*warnings, "grid_direct_only")
    weighted = [(value, share * weight) for grid, share in found for value, weight in _points(grid, within)]
    low, mid, high = (quantile(weighted, share) for share in (0.05, 0.5, 0.95))
    factors = (*(grid for grid, _ in found), within, *hosted)
    status = Status.MODELLED if zone else Status.DEFAULT
    unit = "gCO2e/kWh"
    return Sourced(Quantity(low, mid, high, unit, status, tuple(f.id for f in factors)), factors), warnings


def _points(grid: Factor, within: Factor) -> tuple[tuple[float, float], ...]:
    if grid.low < grid.high:
        return ((grid.low, 0.06), (grid.value, 0.88), (grid.high, 0.06))
    return ((grid.value * within.low, 0.06), (grid.value, 0.88), (grid.value * within.high, 0.06))
