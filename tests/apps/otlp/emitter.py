"""An instrumented application: `python emitter.py INSTRUMENTATION PROTOCOL ENDPOINT PROVIDER`. Run by its test."""

from __future__ import annotations

import sys
from importlib import import_module

import openai
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from provider_double import GOOD_KEY

INSTRUMENTATIONS = {
    "openinference": "openinference.instrumentation.openai",
    "openllmetry": "opentelemetry.instrumentation.openai",
    "opentelemetry": "opentelemetry.instrumentation.openai_v2",
}


def main(instrumentation: str, protocol: str, endpoint: str, provider: str, signals: str) -> None:
    way = f"opentelemetry.exporter.otlp.proto.{protocol}"
    paths = ("", "") if protocol == "grpc" else ("/v1/traces", "/v1/metrics")
    resource = Resource.create({"service.name": "emitter", "mesure.team": "tests", "deployment.environment": "test"})
    tracing = TracerProvider(resource=resource)
    readers = []
    if "traces" in signals:
        exporter = import_module(f"{way}.trace_exporter").OTLPSpanExporter(endpoint=endpoint + paths[0])
        tracing.add_span_processor(BatchSpanProcessor(exporter))
    if "metrics" in signals:
        measured = import_module(f"{way}.metric_exporter").OTLPMetricExporter(endpoint=endpoint + paths[1])
        readers.append(PeriodicExportingMetricReader(measured, export_interval_millis=60_000))
    metering = MeterProvider(metric_readers=readers, resource=resource)
    instrumentor = import_module(INSTRUMENTATIONS[instrumentation]).OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=tracing, meter_provider=metering)
    with openai.OpenAI(base_url=provider, api_key=GOOD_KEY, max_retries=0) as client:
        use(client)
    tracing.shutdown()
    metering.shutdown()


def use(client: openai.OpenAI) -> None:
    """A call, a stream, an embedding, and a refusal."""
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "A secret question"}])
    stream = client.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": "Another secret question"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    for _ in stream:
        pass
    client.embeddings.create(model="text-embedding-3-small", input=["a secret", "another"])
    try:
        client.chat.completions.create(model="fail-429", messages=[{"role": "user", "content": "A secret"}])
    except openai.RateLimitError:
        print("refused")  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
