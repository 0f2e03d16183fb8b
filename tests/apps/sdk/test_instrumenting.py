"""`mesure.instrument()` in an application of its own: what its clients return is the same, and every call is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic_exchanges
import openai_exchanges
import pytest

from mesure.ledger.lines import decode

if TYPE_CHECKING:
    from mesure.record import UsageEvent

_HERE = Path(__file__).parent
_TESTS = _HERE.parents[1]
_ROOMS = (_TESTS.parent / "src", _TESTS, _TESTS / "conformance", _TESTS / "apps" / "gateway")


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MESURE_", "OTEL_", "LANG"))}
    return kept | {"PYTHONPATH": os.pathsep.join(map(str, _ROOMS)), "LANGSMITH_TRACING": "false"} | more


def run(code: str, *arguments: str, **more: str) -> str:
    """What a Python process of its own says."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment(**more), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def spooled(data: Path) -> list[UsageEvent]:
    files = sorted((data / "spool").glob("*.spool"))
    return [decode(line) for file in files for line in file.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any], list[UsageEvent]]:
    """What an application's clients returned without `instrument()` and with it, and the events of the latter."""
    folder = tmp_path_factory.mktemp("sdk")
    running = []
    for data, out in (("-", "without"), (str(folder / "data"), "with")):
        command = [sys.executable, str(_HERE / "instrumented_app.py"), data, str(folder / out)]
        running.append(subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True))
    for process in running:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
        assert "Invalid type" not in said
    without, instrumented = (json.loads((folder / out).read_text(encoding="utf-8")) for out in ("without", "with"))
    return without, instrumented, spooled(folder / "data")


def test_every_client_gets_what_it_gets_without(both: tuple[dict[str, Any], dict[str, Any], Any]) -> None:
    without, instrumented, _ = both
    assert len(without) > 70
    different = [way for way, result in without.items() if instrumented[way] != result]
    assert different == []


def test_calls_are_in_the_spool_once_each(both: tuple[Any, dict[str, Any], list[UsageEvent]]) -> None:
    _, instrumented, events = both
    told = instrumented["mesure"]
    assert told["lost"] == 0
    assert told["taken"] == told["sent"] == len(events) > 60
    assert len({(event.trace_id, event.span_id) for event in events}) == len(events)
    assert {event.source for event in events} == {"hook"}
    assert {event.team for event in events} == {"tests"}
    assert {event.provider for event in events} >= {"openai", "anthropic"}
    assert not [event for event in events if "Bonjour" in repr(event) or "colis" in repr(event)]


@pytest.mark.parametrize("module", [openai_exchanges, anthropic_exchanges], ids=lambda module: module.__name__)
def test_tokens_are_those_of_the_conformance_kit(both: tuple[Any, Any, list[UsageEvent]], module: Any) -> None:
    """Of whole answers and streams that tell their usage; where the gateway adds what it asked for, a hook cannot."""
    events = both[2]
    names = ("input_tokens", "output_tokens")
    seen = {tuple(getattr(event, name) for name in names) for event in events}
    wanted = {
        tuple(exchange.booked.get(name) for name in names)
        for exchange in module.EXCHANGES
        if exchange.booked and exchange.booked.get("operation", "chat") == "chat" and exchange.unasked is None
        if exchange.status == 200 and not exchange.broken and all(exchange.booked.get(name) for name in names)
        if "responses" not in exchange.path and not exchange.streamed
    }
    assert wanted
    assert wanted <= seen, f"of {module.__name__}"


def test_without_an_instrumentor_it_says_what_to_install() -> None:
    said = run(
        "import logging, mesure; logging.basicConfig(); done = mesure.instrument(only=['no such client']);"
        "print(done, done.why, done.flush(), done.active)"
    )
    assert "No instrumentor of an AI client is installed" in said
    assert "opentelemetry-instrumentation-openai" in said
    assert "WARNING:mesure.sdk:Nothing is metered." in said


def test_without_opentelemetry_it_says_so_and_the_application_goes_on() -> None:
    said = run("import sys; sys.modules['opentelemetry'] = None; import mesure; print(mesure.instrument(), 'goes on')")
    assert "pip install 'mesure[instrument]'" in said
    assert "goes on" in said


def test_twice_is_once(tmp_path: Path) -> None:
    code = (
        "import sys, mesure; first = mesure.instrument(to=sys.argv[1], only=['openai']);"
        "print(first is mesure.instrument(to=sys.argv[1]), first.active)"
    )
    assert "True {'openai': 'openinference.instrumentation.openai'}" in run(code, str(tmp_path))


_FORKED = """
import os, sys
import openai, mesure
from provider_double import GOOD_KEY, ProviderDouble

def call():
    with openai.OpenAI(base_url=url, api_key=GOOD_KEY, max_retries=0) as client:
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Bonjour"}])

mesure.instrument(to=sys.argv[1], only=["openai"])
with ProviderDouble() as provider:
    url = provider.url
    call()
    child = os.fork()
    call()
    if child == 0:
        sys.exit(0)  # what is left is sent at the end
    os.waitpid(child, 0)
"""


def test_after_a_fork_each_process_tells_its_own_calls_and_none_twice(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _FORKED, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    events = spooled(tmp_path)
    assert len(events) == 3
    assert len({(event.trace_id, event.span_id) for event in events}) == 3


_EXPORTED = """
import json, sys
import openai, mesure
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from provider_double import GOOD_KEY, ProviderDouble

exported, reader = InMemorySpanExporter(), InMemoryMetricReader()
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exported))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
done = mesure.instrument(to=sys.argv[1], only=["openai"])
with ProviderDouble() as double, openai.OpenAI(base_url=double.url, api_key=GOOD_KEY, max_retries=0) as client:
    with trace.get_tracer("app").start_as_current_span("the application's own"):
        client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Bonjour"}])
assert done.flush(60)
provider.force_flush()
spans = {span.name: dict(span.attributes) for span in exported.get_finished_spans()}
points = {
    metric.name: [point.value for point in metric.data.data_points]
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
}
print(json.dumps([spans, points, done.exporters]))
"""


def test_impacts_are_attributes_of_exported_spans_and_counters(tmp_path: Path) -> None:
    spans, points, exporters = json.loads(run(_EXPORTED, str(tmp_path)).splitlines()[-1])
    assert exporters == 1
    call = spans["ChatCompletion"]
    for name in ("energy_wh", "gwp_gco2eq"):
        low, mid, high = (call[f"mesure.{name}.{part}"] for part in ("low", "mid", "high"))
        assert 0 < low < mid < high
        assert points[f"mesure.{name}"] == [pytest.approx(mid)]
    assert call["mesure.energy_wh.status"] == "modelled"
    assert call["mesure.method"]
    assert call["llm.token_count.prompt"] == 120
    assert spans["the application's own"] == {}
    (event,) = spooled(tmp_path)
    assert (event.input_tokens, event.cached_input_tokens) == (120, 32)


_NESTED = """
import sys
import mesure
from langchain_openai import ChatOpenAI
from provider_double import GOOD_KEY, ProviderDouble

done = mesure.instrument(to=sys.argv[1], only=["langchain", "openai"])
with ProviderDouble() as double:
    chat = ChatOpenAI(model="gpt-4o", base_url=double.url, api_key=GOOD_KEY, max_retries=0)
    chain = chat | (lambda message: message.content)
    chain.invoke("Bonjour")
    list(chat.stream("Bonjour", stream_usage=True))
assert done.flush(60)
print(sorted(done.active), done)
"""


def test_a_call_that_a_framework_and_its_client_both_tell_is_one(tmp_path: Path) -> None:
    assert "['langchain', 'openai']" in run(_NESTED, str(tmp_path))
    events = spooled(tmp_path)
    assert [(event.input_tokens, event.output_tokens) for event in events] == [(120, 10), (120, 10)]
