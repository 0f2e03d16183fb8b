"""In the box's thread: spans become events, events get impacts for the counters, and go where they are kept."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from mesure.record import UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mesure.apps.sdk.destinations import Destination
    from mesure.apps.sdk.pricing import Pricing
    from mesure.meter.otlp import Intake

__all__ = ["Flow"]

_HOOK = {"source": "hook"}
_UNITS = {"energy_wh": "Wh", "gwp_gco2eq": "g", "water_ml": "mL"}
_MEANINGS = {
    "energy_wh": "Energy of calls of models, middle of the interval",
    "gwp_gco2eq": "Greenhouse gases of calls of models in grams CO2e, middle of the interval",
    "water_ml": "Water consumed by calls of models, where a sourced factor exists, middle of the interval",
}


class Flow:
    """What it needs is loaded by the first work, in the thread that does it: no caller waits for it.

    `taken` events were made, `sent` acknowledged, `refused` not.
    """

    def __init__(self, open_destination: Callable[[], Destination], resource: Mapping[str, Any]) -> None:
        self._open = open_destination
        self._resource = dict(resource)
        self._events: list[UsageEvent] = []
        self.taken = 0
        self.sent = 0
        self.refused = 0

    @cached_property
    def destination(self) -> Destination:
        return self._open()

    @cached_property
    def pricing(self) -> Pricing:
        from mesure.apps.sdk.pricing import Pricing

        return Pricing(self._resource)

    @cached_property
    def intake(self) -> Intake:
        """The one that telemetry from elsewhere passes."""
        from mesure.config import Settings
        from mesure.meter.otlp import Intake

        return Intake(Settings(), self, self.destination.pseudonym, every_label=True)

    def _counted(self) -> dict[str, Any]:
        """The counters; none while the application has no meter provider, which it may set at any time."""
        try:
            from opentelemetry import metrics
        except ImportError:
            return {}
        if type(metrics.get_meter_provider()).__module__.startswith("opentelemetry.metrics"):  # stands for none
            return {}
        return self._counters

    @cached_property
    def _counters(self) -> dict[str, Any]:
        from opentelemetry import metrics

        meter = metrics.get_meter("mesure")
        return {
            name: meter.create_counter(f"mesure.{name}", unit=unit, description=_MEANINGS[name])
            for name, unit in _UNITS.items()
        }

    def after_fork(self) -> None:
        """In a child: what a thread of the parent may have held is made anew."""
        self.__dict__.pop("intake", None)
        self.taken = self.sent = self.refused = 0

    def close(self) -> None:
        if "destination" in self.__dict__:
            self.destination.close()

    def record(self, event: UsageEvent) -> bool:
        """As a sink: what is sent is counted where it is sent."""
        self._events.append(event)
        return True

    def work(self, items: Sequence[Any]) -> None:
        """Events, functions that make one here, and spans of which some are calls."""
        made = (item(self) if callable(item) else item for item in items)
        spans: list[Any] = []
        self._events = []
        for item in made:
            (self._events if isinstance(item, UsageEvent) else spans).append(item)
        if spans:
            from mesure.apps.sdk.spans import record_of

            records = [record_of(span, self.intake.wanted, self._resource) for span in spans]
            self.intake.take_records(records, _HOOK)
        if self._events:
            self._deliver(self._events)

    def _deliver(self, events: Sequence[UsageEvent]) -> None:
        try:
            sent = self.destination.send(events)
        except OSError:
            sent = 0
        self.taken += len(events)
        self.sent += sent
        self.refused += len(events) - sent
        if counters := self._counted():
            self._count(events, counters)

    def _count(self, events: Sequence[UsageEvent], counters: Mapping[str, Any]) -> None:
        from mesure.apps.sdk.pricing import figures_of

        for event in events:
            about = {
                "gen_ai.provider.name": event.provider or "",
                "gen_ai.request.model": event.model_requested or event.model_answered or "",
                "gen_ai.operation.name": event.operation,
            }
            for name, (_, mid, _) in figures_of(self.pricing.impacts(event)).quantities.items():
                counters[name].add(mid, about)
