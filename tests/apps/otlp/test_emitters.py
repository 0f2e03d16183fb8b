"""Real instrumentations of the real client, exported by the real exporters: what their users have."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvicorn
from otlp_messages import Shelf
from provider_double import PROMPT_TOKENS, ProviderDouble

from mesure.apps.otlp import OtlpApp, open_grpc
from mesure.config import OtlpSettings, Settings
from mesure.meter.otlp import Intake
from served_process import free_port
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.record import UsageEvent

_EMITTER = Path(__file__).with_name("emitter.py")


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


@contextmanager
def intake(protocol: str) -> Iterator[tuple[Shelf, str]]:
    """An intake on a real socket: its sink, and the endpoint that exporters are given."""
    shelf, port = Shelf(), free_port()
    settings = Settings(otlp=OtlpSettings(grpc_port=port if protocol == "grpc" else 0))
    taking = Intake(settings, shelf, str)
    if door := open_grpc(settings, taking, None):
        door.start()
        yield shelf, f"http://127.0.0.1:{port}"
        door.stop()
        return
    config = uvicorn.Config(OtlpApp(settings, taking), port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started)
    yield shelf, f"http://127.0.0.1:{port}/otlp"
    server.should_exit = True
    thread.join(20)


def emit(instrumentation: str, protocol: str, provider: ProviderDouble, signals: str) -> list[UsageEvent]:
    paths = [str(path) for path in (_EMITTER.parent.parent / "gateway", *map(Path, sys.path)) if str(path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with intake(protocol) as (shelf, endpoint):
        done = subprocess.run(
            [sys.executable, _EMITTER, instrumentation, protocol, endpoint, provider.url, signals],
            env=environment | {"PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        assert "refused" in done.stdout
        assert "Failed to export" not in done.stderr
    return shelf.events


@pytest.mark.parametrize(
    ("instrumentation", "protocol"),
    [("openinference", "http"), ("openllmetry", "http"), ("opentelemetry", "http"), ("openllmetry", "grpc")],
)
def test_spans_of_real_instrumentations(instrumentation: str, protocol: str, provider: ProviderDouble) -> None:
    events = emit(instrumentation, protocol, provider, "traces+metrics")
    assert "secret" not in repr(events)
    assert {(event.application, event.team, event.environment) for event in events} == {("emitter", "tests", "test")}
    call, stream, embedding, refusal = sorted(events, key=lambda event: event.started_at)
    for event in (call, stream):
        assert (event.operation, event.provider, event.status) == ("chat", "openai", "ok")
        assert (event.input_tokens, event.output_tokens) == (PROMPT_TOKENS, 10)
        assert event.model_answered or event.model_requested
        assert event.duration_ms is not None
    assert (embedding.operation, embedding.input_tokens, embedding.output_tokens) == ("embeddings", 14, None)
    assert (refusal.status, refusal.input_tokens, refusal.model_requested) == ("error", 0, "fail-429")
    assert refusal.error_type in ("RateLimitError", "openai.RateLimitError")
    if instrumentation != "opentelemetry":
        assert call.cached_input_tokens == 32
        assert call.reasoning_tokens == 4
        assert stream.first_output_ms is not None
    if instrumentation != "openinference":
        assert call.response_id is not None
        assert call.response_id.startswith("chatcmpl-")


def test_token_histograms_of_a_service_without_spans(provider: ProviderDouble) -> None:
    events = emit("opentelemetry", "http", provider, "metrics")
    assert {event.basis for event in events} == {"exported"}
    chat = [event for event in events if event.operation == "chat" and event.input_tokens]
    assert sum(event.calls_count for event in chat) == 1, "this instrumentation leaves streams out of its histogram"
    assert sum(event.input_tokens or 0 for event in chat) == PROMPT_TOKENS
    assert sum(event.output_tokens or 0 for event in chat) == 10
    assert sum(event.input_tokens or 0 for event in events if event.operation == "embeddings") == 14
