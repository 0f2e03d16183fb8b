"""Impacts on exported spans: beside what was there, on calls of models alone, and never in the way."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode

import mesure
from mesure.apps.sdk.impact_exporter import ImpactExporter, wrap_exporters
from mesure.apps.sdk.pricing import Pricing, figures_of
from mesure.ledger import Pricer
from mesure.record import UsageEvent

_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 400,
}


def exported(exporter: Any, attributes: dict[str, Any]) -> Any:
    inner = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter(inner)))
    with provider.get_tracer("test", "1.0").start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT) as span:
        span.set_attributes(attributes)
        span.add_event("something", {"x": 1})
        span.set_status(Status(StatusCode.OK))
    provider.shutdown()
    (found,) = inner.get_finished_spans()
    return found


def test_they_are_those_of_the_ledger_beside_what_was_there() -> None:
    span = exported(mesure.with_impacts, _CALL)
    pricing = Pricing()
    event = pricing.event_of(span)
    assert isinstance(event, UsageEvent)
    figures = figures_of(Pricer({}).impacts(event))
    told = dict(span.attributes)
    for name, bounds in figures.quantities.items():
        assert tuple(told.pop(f"mesure.{name}.{part}") for part in ("low", "mid", "high")) == bounds
    assert told.pop("mesure.energy_wh.status") == figures.status
    assert told.pop("mesure.method") == mesure.METHOD_VERSION
    assert told == _CALL
    assert (span.name, span.kind, span.status.status_code) == ("chat gpt-4o", SpanKind.CLIENT, StatusCode.OK)
    assert [item.name for item in span.events] == ["something"]
    assert span.instrumentation_scope.name == "test"
    assert span.end_time > span.start_time


@pytest.mark.parametrize("attributes", [{}, {"http.request.method": "GET"}, _CALL | {"traceloop.span.kind": "agent"}])
def test_other_spans_pass_as_they_are(attributes: dict[str, Any]) -> None:
    assert dict(exported(mesure.with_impacts, attributes).attributes) == attributes


def test_a_failure_loses_the_impacts_and_nothing_else() -> None:
    def broken() -> Pricing:
        raise RuntimeError("no catalogue")

    assert dict(exported(lambda inner: ImpactExporter(inner, broken), _CALL).attributes) == _CALL


def test_batch_exporters_are_wrapped_once_and_simple_ones_left() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    simple = SimpleSpanProcessor(InMemorySpanExporter())
    batch = BatchSpanProcessor(InMemorySpanExporter())
    provider.add_span_processor(simple)
    provider.add_span_processor(batch)
    assert wrap_exporters(provider, Pricing) == 1
    assert wrap_exporters(provider, Pricing) == 1
    assert isinstance(batch.span_exporter, ImpactExporter)
    assert isinstance(batch.span_exporter.inner, InMemorySpanExporter)
    assert isinstance(simple.span_exporter, InMemorySpanExporter)
    assert mesure.with_impacts(batch.span_exporter) is batch.span_exporter
    assert wrap_exporters(object(), Pricing) == 0
    provider.shutdown()
