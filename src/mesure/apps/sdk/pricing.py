"""Impacts of an application's own calls, computed where nobody waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.apps.sdk.spans import record_of
from mesure.ledger.pricing import Pricer
from mesure.meter.otlp.calls import ATTRIBUTES, span_fields
from mesure.meter.otlp.records import Wanted
from mesure.meter.otlp.who import Attribution
from mesure.record import UsageEvent
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from mesure.impact import Impacts

__all__ = ["QUANTITIES", "Figures", "Pricing", "figures_of"]

#: What is told of a call, in the units that the names carry.
QUANTITIES = ("energy_wh", "gwp_gco2eq", "water_ml")


class Figures(NamedTuple):
    """(low, mid, high) of each quantity that is known; status of the energy; version of the method."""

    quantities: dict[str, tuple[float, float, float]]
    status: str
    method: str


def figures_of(impacts: Impacts) -> Figures:
    found = {name: getattr(impacts, name) for name in QUANTITIES}
    known = {name: (value.low, value.mid, value.high) for name, value in found.items() if value is not None}
    return Figures(known, str(impacts.energy_wh.status), METHOD_VERSION)


class Pricing:
    """Resolves a model once, then computes. For the threads of exporters and of the box."""

    def __init__(self, resource: Mapping[str, Any] | None = None) -> None:
        self._pricer = Pricer({})
        self._who = Attribution({}, str, {})
        self._wanted = Wanted({*ATTRIBUTES, *self._who.attributes})
        self._resource = resource or {}

    def event_of(self, span: ReadableSpan) -> UsageEvent | None:
        """The call that a span tells of, None when it tells of none."""
        fields = span_fields(record_of(span, self._wanted, self._resource), self._who)
        return UsageEvent(id="", **fields).checked() if fields is not None else None

    def impacts(self, event: UsageEvent) -> Impacts:
        return self._pricer.impacts(event)
