"""From the accelerator to the meter: host, idle reserve and PUE, with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.errors import CatalogueError
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from mesure.catalogue import Factor

__all__ = ["Sourced", "Stack", "end_of", "of_region", "processor_share", "sensor_error", "stack_of"]


@dataclass(frozen=True, slots=True)
class Sourced:
    quantity: Quantity
    factors: tuple[Factor, ...]


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


def sensor_error(sensor: str) -> Factor | None:
    """The stated error of what read an energy, by the name on the event; None where it is not listed."""
    try:
        return current().constant(f"sensor-{sensor.partition(':')[0]}", "energy_error")
    except CatalogueError:
        return None


def stack_of(
    provider: str | None,
    year: int,
    *,
    on_processor: bool,
    region: str | None = None,
    idle_measured: bool = False,
) -> Stack:
    """What lies between an energy and the meter. `idle_measured`: idle machines are booked apart, not shared out."""
    catalogue = current()
    processor = processor_share()
    idle = catalogue.constant("idle-measured", "reserve") if idle_measured else None
    if on_processor:
        host, pue = processor, catalogue.constant("local", "pue")
        idle = idle or catalogue.constant("local", "idle")
        return Stack(_quantity(host), _quantity(idle), _quantity(pue), _quantity(processor), (host, idle, pue))
    host, idle = catalogue.constant("host", "share"), idle or catalogue.constant("idle", "reserve")
    stated = catalogue.site(provider, "pue", end_of(year), region) if provider else None
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
        (stated.id, spread.id),
    )
    return Stack(_quantity(host), _quantity(idle), pue_quantity, _quantity(processor), (host, idle, stated, spread))


def of_region(site: Factor) -> bool:
    """Whether a figure of halls is that of one region, rather than of all an operator has."""
    return ":" in site.id


def end_of(year: int) -> date:
    return date(year, 12, 31)
