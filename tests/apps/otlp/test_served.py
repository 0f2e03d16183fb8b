"""Telemetry through the assembled server: acknowledged, then in the ledger, and the gateway's paths untouched."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import grpc
import pytest
from otlp_messages import binary, span, traces
from provider_double import ProviderDouble

from served_process import free_port, served
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 40,
}


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def calls(metrics: str) -> float:
    lines = [line for line in metrics.splitlines() if line.startswith("mesure_calls_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_from_an_exporter_to_the_pages(provider: ProviderDouble, tmp_path: Path, workers: str) -> None:
    port = free_port()
    config = tmp_path / "mesure.toml"
    config.write_text(f"version = 1\n[otlp]\ngrpc_port = {port}\n")
    with served(provider, tmp_path / "data", "--config", str(config), "--workers", workers) as server:
        body = json.dumps(traces(span(_CALL))).encode()
        for path in ("/v1/traces", "/otlp/v1/traces"):
            request = urllib.request.Request(server.url + path, body, {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=20) as answer:
                assert (answer.status, answer.read()) == (200, b"{}")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            assert export(binary("traces", traces(span(_CALL, spanId="c" * 16))), timeout=20) == b""
        eventually(lambda: calls(server.get("/metrics")) == 2)  # what was sent twice is one call
        metrics = server.get("/metrics")
        assert 'mesure_otlp_items_total{signal="traces",outcome="booked"} 3' in metrics
        eventually(lambda: "mesure_spool_written_total 3\n" in server.get("/metrics"))
        assert (
            server.client()
            .chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "Bonjour"}])
            .usage
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            server.get("/v1/metrics")
        assert raised.value.code == 405
        raised.value.close()
        assert server.stop() == 0
