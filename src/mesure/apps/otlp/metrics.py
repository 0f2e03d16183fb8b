"""What the telemetry intake counted, beside the gateway's own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.apps.gateway.metrics import Sample, family

if TYPE_CHECKING:
    from mesure.meter.otlp import Intake

__all__ = ["otlp_metrics"]


def otlp_metrics(intake: Intake) -> str:
    """One family, in Prometheus' text format."""
    samples = [
        Sample((("signal", signal), ("outcome", outcome)), items)
        for (signal, outcome), items in sorted(intake.counts.items())
        if items
    ]
    meaning = "Items of telemetry: booked as events, ignored (no call of a model, or told elsewhere), rejected."
    return "\n".join(family("mesure_otlp_items_total", "counter", meaning, samples)) + "\n"
