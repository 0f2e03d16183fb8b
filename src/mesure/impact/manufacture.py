"""What making the machines took, for each kWh at the meter: an hour's share of it, over what they draw in that hour.

What lies between the accelerators and the meter divides here and multiplies the energy there: its middle values cancel
out, and its spread is in neither (`rows`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import current
from mesure.impact.site import Sourced
from mesure.quantity import Quantity, Status, add_independent, inverse, multiply_independent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.catalogue import Factor
    from mesure.impact.mixture import Spread
    from mesure.impact.site import Stack

__all__ = ["MADE", "manufacture"]

_HOURS_PER_YEAR = 8766.0


class _Made(NamedTuple):
    """`unit` in which makers and libraries state one quantity, `per` machine; a kWh carries it in `per_kwh`."""

    unit: str
    per_kwh: str
    scale: float


#: Quantity -> how it is stated. Water of manufacture has no sourced factor.
MADE: Mapping[str, _Made] = {
    "gwp_gco2eq": _Made("kgCO2e", "gCO2e/kWh", 1e3),
    "adpe_gsbeq": _Made("kgSbeq", "gSbeq/kWh", 1e3),
    "pe_mj": _Made("MJ", "MJ/kWh", 1.0),
}


def manufacture(power_w: Spread, stack: Stack, *, on_processor: bool) -> dict[str, Sourced | None]:
    """Each quantity of `MADE` per kWh of site energy; None without a sourced factor. `power_w`: what one accelerator
    draws while it works.

    A machine of one's own has neither its size nor its power stated: a larger one takes more to make and draws more, so
    that its manufacture is known per W, for carbon only.
    """
    if on_processor:
        per_w = _sourced(current().constant("local-manufacture", "gwp_per_w"))
        found = _per_kwh(per_w, MADE["gwp_gco2eq"], "local", stack.idle.mid * stack.pue.mid)
        return dict.fromkeys(MADE) | {"gwp_gco2eq": found}
    watts = inverse(Quantity(*power_w, "W", Status.MODELLED), "1/W")
    above = stack.host.mid * stack.idle.mid * stack.pue.mid
    out: dict[str, Sourced | None] = {}
    for name, made in MADE.items():
        each = _per_accelerator(made.unit)
        if each:
            each = Sourced(multiply_independent((each.quantity, watts), made.unit), each.factors)
        out[name] = _per_kwh(each, made, "hardware", above) if each else None
    return out


def _per_kwh(per_w: Sourced, made: _Made, kind: str, above: float) -> Sourced:
    """`above`: W at the meter per W of the machine."""
    life, busy = (current().constant(kind, name) for name in ("lifetime", "utilisation"))
    rates = (inverse(_quantity(life), "1/years"), inverse(_quantity(busy), "1"))
    scale = 1e3 * made.scale / _HOURS_PER_YEAR / above
    quantity = multiply_independent((per_w.quantity, *rates), made.per_kwh).scaled(scale)
    factors = (*per_w.factors, life, busy)
    return Sourced(quantity._replace(sources=tuple(factor.id for factor in factors)), factors)


def _per_accelerator(unit: str) -> Sourced | None:
    """One accelerator and its share of the server around it."""
    accelerator, server = _listed("accelerator", f"{unit}/GPU"), _listed("server", f"{unit}/server")
    if accelerator is None or server is None:
        return None
    seats = current().constant("hardware", "accelerators_per_server")
    share = multiply_independent((server.quantity, inverse(_quantity(seats), "1")), accelerator.quantity.unit)
    factors = tuple(dict.fromkeys((*accelerator.factors, *server.factors, seats)))
    return Sourced(add_independent((accelerator.quantity, share)), factors)


def _listed(what: str, unit: str) -> Sourced | None:
    """Carbon between the published figures; else the one estimate there is, with the least spread of an estimate."""
    if unit.startswith("kgCO2e"):
        return _sourced(current().constant(f"{what}-manufacture", "gwp"))
    listed = [factor for factor in current().embodied(unit) if factor.unit == unit]
    if not listed:
        return None
    error = current().constant("estimate", "error")
    return Sourced(multiply_independent((_quantity(listed[-1]), _quantity(error)), unit), (listed[-1], error))


def _sourced(factor: Factor) -> Sourced:
    return Sourced(_quantity(factor), (factor,))


def _quantity(factor: Factor) -> Quantity:
    return Quantity(factor.low, factor.value, factor.high, factor.unit, Status.MODELLED, (factor.id,))
