"""Energy that came with a call: which sensor and which sourced factor made it, told from the call alone."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, NamedTuple

from mesure.meter.sensors import busy_thread_power, factor, machine_cpu_name
from mesure.meter.sensors.factors import ANY_CPU, RAPL_NEIGHBOURS

if TYPE_CHECKING:
    from mesure.apps.web.feed import Source
    from mesure.ledger.view import Overview
    from mesure.meter.sensors import SensorFactor
    from mesure.record import UsageEvent

__all__ = ["Sensed", "sensed", "sensor_factors"]

#: Calls looked up for the sensors of a period: one per provider and model, among the last ones.
_MOST = 6


class Sensed(NamedTuple):
    """`factor` is None when it cannot be told; `busy_s`: processor time of the call, where energy came from it."""

    sensor: str
    modelled: bool
    factor: SensorFactor | None = None
    busy_s: float | None = None


def sensed(event: UsageEvent) -> Sensed | None:
    """None when the energy of the call was estimated from its tokens."""
    if event.energy_j is None:
        return None
    sensor, modelled = event.energy_sensor or "", event.energy_status != "measured"
    if sensor == "rapl" and event.source != "sensor":  # shared out by processor time, not by tokens
        return Sensed(sensor, modelled, factor(RAPL_NEIGHBOURS))
    power = _thread_power(event) if sensor == "cpu-time" else None
    return Sensed(sensor, modelled, power, event.energy_j / power.value if power else None)


def _thread_power(event: UsageEvent) -> SensorFactor | None:
    """The call holds no factor id, but its bounds keep the factor's proportions: this machine's, or any server's."""
    for power in (busy_thread_power(machine_cpu_name()), factor(ANY_CPU)):
        low, high = event.energy_low_j, event.energy_high_j
        if low is None or high is None or not event.energy_j:
            return None
        if _same(low / event.energy_j, power.low / power.value) and _same(
            high / event.energy_j, power.high / power.value
        ):
            return power
    return None


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=1e-3)


async def sensor_factors(source: Source, overview: Overview) -> tuple[SensorFactor, ...]:
    """Factors of the sensors seen among the last calls, each once."""
    newest = {(call.provider, call.model): call.id for call in reversed(overview.last_calls) if call.status == "ok"}
    ids = list(newest.values())[-_MOST:]
    events = [await asyncio.to_thread(source.event, event_id) for event_id in ids]
    found = [used.factor for event in events if event and (used := sensed(event)) and used.factor]
    return tuple({factor.id: factor for factor in found}.values())
