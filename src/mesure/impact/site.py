"""From the accelerator to the meter and the grid: host, idle reserve, PUE, place and manufacture, with their
sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact.mixture import quantile
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from mesure.catalogue import Factor

__all__ = ["Sourced", "Stack", "manufacture", "place_of", "processor_share", "stack_of"]

_HOURS_PER_YEAR = 8766.0


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


# Manufacture


def manufacture(power_w: float, stack: Stack, *, on_processor: bool) -> Sourced:
    """gCO2e of manufacture per kWh of site energy: what an hour of the machine carries, over what it draws in that
    hour."""
    constant = current().constant
    kind = "local" if on_processor else "hardware"
    life, busy = constant(kind, "lifetime"), constant(kind, "utilisation")
    hours = life.value * _HOURS_PER_YEAR * busy.value
    if on_processor:
        made: tuple[Factor, ...] = (constant("local-manufacture", "gwp"),)
        kg, shares = made[0].value, [1.0]
    else:
        accelerator, server = constant("accelerator-manufacture", "gwp"), constant("server-manufacture", "gwp")
        per_server = constant("hardware", "accelerators_per_server")
        made = (accelerator, server, per_server)
        kg = accelerator.value + server.value / per_server.value
        shares = [accelerator.value / kg, server.value / per_server.value / kg]
    site_kw = power_w * stack.host.mid * stack.idle.mid * stack.pue.mid * 1e-3
    mid = kg * 1e3 / hours / site_kw
    below, above = _spread_of_product((life, True), (busy, True))
    for factor, share in zip(made, shares, strict=False):
        below = math.hypot(below, share * math.log(factor.value / factor.low))
        above = math.hypot(above, share * math.log(factor.high / factor.value))
    factors = (*made, life, busy)
    quantity = Quantity(
        mid * math.exp(-below), mid, mid * math.exp(above), "gCO2e/kWh", Status.MODELLED, tuple(f.id for f in factors)
    )
    return Sourced(quantity, factors)


def _spread_of_product(*factors: tuple[Factor, bool]) -> tuple[float, float]:
    """Log deviations below and above of a product; True marks a divisor."""
    below = math.hypot(
        *(math.log(f.high / f.value) if inverse else math.log(f.value / f.low) for f, inverse in factors)
    )
    above = math.hypot(
        *(math.log(f.value / f.low) if inverse else math.log(f.high / f.value) for f, inverse in factors)
    )
    return below, above
