"""Impacts as attributes of exported spans, added where spans leave: in the exporter's thread, never in a call's path.

A span cannot be changed once it has ended, and computing before it ends would make the caller wait. What an exporter
gets is therefore a copy, with the impacts beside what the instrumentation wrote.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.trace.export import SpanExportResult

    from mesure.apps.sdk.pricing import Figures, Pricing

__all__ = ["ImpactExporter", "with_impacts", "wrap_exporters"]


class ImpactExporter(SpanExporter):
    """Passes spans on, those of calls of a model with their impacts. A span it cannot read passes as it is."""

    def __init__(self, exporter: SpanExporter, pricing: Callable[[], Pricing]) -> None:
        self.inner = exporter
        self._pricing = pricing

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.inner.export([self._with_impacts(span) for span in spans])

    def shutdown(self) -> None:
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self.inner.force_flush(timeout_millis)

    def _with_impacts(self, span: ReadableSpan) -> ReadableSpan:
        try:
            from mesure.apps.sdk.pricing import figures_of

            pricing = self._pricing()
            event = pricing.event_of(span)
            return span if event is None else _copy(span, attributes_of(figures_of(pricing.impacts(event))))
        except Exception:  # noqa: BLE001  (the application's own spans come first)
            return span


def attributes_of(figures: Figures) -> dict[str, Any]:
    """`mesure.energy_wh.low` and the like, and how they were obtained."""
    found: dict[str, Any] = {"mesure.energy_wh.status": figures.status, "mesure.method": figures.method}
    for name, bounds in figures.quantities.items():
        for part, value in zip(("low", "mid", "high"), bounds, strict=True):
            found[f"mesure.{name}.{part}"] = value
    return found


def _copy(span: ReadableSpan, more: dict[str, Any]) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes={**(span.attributes or {}), **more},
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def with_impacts(exporter: SpanExporter) -> SpanExporter:
    """The exporter, with the impacts of each call on the spans it gets: for one that is set up by hand."""
    return exporter if isinstance(exporter, ImpactExporter) else ImpactExporter(exporter, cache(_pricing))


def _pricing() -> Pricing:
    from mesure.apps.sdk.pricing import Pricing

    return Pricing()


def wrap_exporters(provider: Any, pricing: Callable[[], Pricing]) -> int:
    """Wrap the exporters that the provider's batch processors have now; how many. Others are left as they are.

    The SDK offers no way to do so: what is looked for is checked first, and another version of it loses the
    attributes, nothing more.
    """
    found = 0
    for processor in getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ()):
        inner = getattr(processor, "_batch_processor", None)
        exporter = getattr(inner, "_exporter", None)
        if isinstance(processor, BatchSpanProcessor) and isinstance(exporter, SpanExporter):
            if not isinstance(exporter, ImpactExporter):
                inner._exporter = ImpactExporter(exporter, pricing)  # type: ignore[union-attr]
            found += 1
    return found
