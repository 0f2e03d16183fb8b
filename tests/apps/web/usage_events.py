"""Calls as the ledger holds them: one priced from its tokens, one metered where it ran."""

from __future__ import annotations

from datetime import UTC, datetime

from mesure.meter.sensors import factor
from mesure.meter.sensors.factors import ANY_CPU
from mesure.record import UsageEvent, new_id

__all__ = ["called", "sensed"]


def called(**changes: object) -> UsageEvent:
    facts = {
        "id": new_id(),
        "started_at": datetime(2026, 11, 22, 13, 2, tzinfo=UTC),
        "provider": "openai",
        "model_requested": "gpt-4o",
        "model_answered": "gpt-4o",
        "input_tokens": 1204,
        "output_tokens": 186,
        "use_case": "Réponse client",
    }
    return UsageEvent(**facts | changes)  # type: ignore[arg-type]


def sensed(**changes: object) -> UsageEvent:
    """A call metered from processor time, as the local demonstration's: half a second of a busy thread."""
    power = factor(ANY_CPU)
    facts = {
        "energy_j": power.value / 2,
        "energy_low_j": power.low / 2,
        "energy_high_j": power.high / 2,
        "energy_sensor": "cpu-time",
        "energy_status": "modelled",
        "energy_scope": "server",
        "provider": "local",
        "model_requested": "gemma-3-270m",
        "model_answered": "gemma-3-270m",
    }
    return called(**facts | changes)
