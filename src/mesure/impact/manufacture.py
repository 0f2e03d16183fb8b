"""What making the machines took, for each kWh at the meter: an hour's share of it, over what they draw in that hour.

What lies between the accelerators and the meter divides here and multiplies the energy there: its middle values cancel
out, and its spread is in neither (`rows`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact.site import Sourced
from mesure.quantity import Quantity, Status, add_independent, inverse, multiply_independent

if TYPE_CHECKING:
    from mesure.catalogue import Factor
    from mesure.impact.mixture import Spread
    from mesure.impact.site import Stack

__all__ = ["manufacture"]

_HOURS_PER_YEAR = 8766.0
_UNIT = "gCO2e/kWh"


def manufacture(power_w: Spread, stack: Stack, *, on_processor: bool) -> Sourced:
    """gCO2e per kWh of site energy. `power_w`: what one accelerator draws while it works.

    A machine of one's own has neither its size nor its power stated: a larger one takes more to make and draws more, so
    that its manufacture is known per W.
    """
    constant = current().constant
    kind = "local" if on_processor else "hardware"
    life, busy = constant(kind, "lifetime"), constant(kind, "utilisation")
    if on_processor:
        made: tuple[Factor, ...] = (constant("local-manufacture", "gwp_per_w"),)
        per_w: tuple[Quantity, ...] = (_quantity(made[0]),)
        above = stack.idle.mid * stack.pue.mid
    else:
        made = (
            constant("accelerator-manufacture", "gwp"),
            constant("server-manufacture", "gwp"),
            constant("hardware", "accelerators_per_server"),
        )
        power = Quantity(*power_w, "W", Status.MODELLED)
        per_w = (_per_accelerator(*made), inverse(power, "1/W"))
        above = stack.host.mid * stack.idle.mid * stack.pue.mid
    hours = (inverse(_quantity(life), "1/years"), inverse(_quantity(busy), "1"))
    found = multiply_independent((*per_w, *hours), _UNIT).scaled(1e6 / _HOURS_PER_YEAR / above)
    factors = (*made, life, busy)
    return Sourced(found._replace(sources=tuple(factor.id for factor in factors)), factors)


def _per_accelerator(accelerator: Factor, server: Factor, per_server: Factor) -> Quantity:
    """One accelerator and its share of the server around it."""
    share = multiply_independent((_quantity(server), inverse(_quantity(per_server), "1")), accelerator.unit)
    return add_independent((_quantity(accelerator), share))


def _quantity(factor: Factor) -> Quantity:
    return Quantity(factor.low, factor.value, factor.high, factor.unit, Status.MODELLED, (factor.id,))
