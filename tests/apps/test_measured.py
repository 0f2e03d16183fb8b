"""Deployments that are measured: from the configuration to a call's joules, through a real gateway and an exporter."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import web_scenes
from held_pages import HeldMeter, HeldSource
from provider_double import GOOD_KEY, ProviderDouble
from sensor_doubles import Place
from sensor_doubles import serving as exporting
from served_gateway import ListSink, Running, serving
from starlette.testclient import TestClient
from test_relay import call

from mesure.apps.measured import Measuring
from mesure.apps.web import create_web
from mesure.apps.web.openapi import openapi_document
from mesure.catalogue import current
from mesure.config import DeploymentSettings, ProviderSettings, SensorSettings, Settings
from mesure.ledger import Committer, Ledger, Spool, View
from mesure.meter.sensors.windows import IDLE
from mesure.record import UsageEvent, identity_of
from waiting import eventually

_CHAT = "/v1/chat/completions"
_BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "Bonjour"}]}).encode()
WATTS, IDLE_W = 300.0, 100.0


def exporter() -> Place:
    """DCGM's counter of a board that draws the same power all the time."""
    place = Place()

    def page() -> bytes:
        millijoules = int(1e3 * WATTS * time.monotonic())
        return f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{gpu="0",UUID="GPU-a"}} {millijoules}\n'.encode()

    place.answers["/metrics"] = page
    return place


@pytest.fixture
def place() -> Iterator[Place]:
    with exporting(exporter()) as place:
        yield place


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


def settings(place: Place, address: str = "http://127.0.0.1:9", **deployment: Any) -> Settings:
    given: dict[str, Any] = {"gpu": "h200", "sensor": "board", **deployment}
    return Settings(
        providers={
            "local": ProviderSettings(
                base_url=address, default=True, provider="vllm", api_key=GOOD_KEY, deployment="chat", zone="FRA"
            )
        },
        deployments={"chat": DeploymentSettings(**given)},
        sensors={"board": SensorSettings(kind="prometheus", url=place.url, idle_w=IDLE_W, sample_s=0.05)},
        agent=replace(Settings().agent, window_s=1.0),
    )


@pytest.fixture
def measured(provider: ProviderDouble, place: Place, tmp_path: Any) -> Iterator[tuple[Running, Measuring]]:
    given = settings(place, provider.url)
    given = replace(given, server=replace(given.server, data=str(tmp_path)))
    sink = ListSink()
    measuring = Measuring(given, sink, "gateway")
    assert measuring.unread == []
    measuring.start()
    with serving(given, sink, servers=measuring.by_provider) as running:
        yield running, measuring
    measuring.stop()


def told(running: Running, source: str) -> list[UsageEvent]:
    return [event for event in running.sink.events if event.source == source and event.task != IDLE]


def test_a_call_is_recorded_at_once_and_its_joules_follow(measured: tuple[Running, Measuring]) -> None:
    running, _ = measured
    assert call(running.port, _CHAT, _BODY).status == 200
    eventually(lambda: told(running, "gateway") != [])
    (event,) = told(running, "gateway")
    assert event.energy_j is None
    eventually(lambda: told(running, "sensor") != [])
    (sighting,) = told(running, "sensor")
    assert identity_of(sighting) == identity_of(event)
    assert (sighting.trace_id, sighting.span_id) == (event.trace_id, event.span_id)
    assert len(event.span_id or "") == 16  # the caller gave none
    assert (sighting.energy_sensor, sighting.energy_status, sighting.energy_scope) == (
        "nvml:prometheus",
        "measured",
        "accelerator",
    )
    seconds = (event.duration_ms or 0.0) / 1e3
    assert 0.0 < (sighting.energy_j or 0.0) < 10.0 * WATTS * max(seconds, 1.0)
    assert (sighting.input_tokens, sighting.deployment) == (event.input_tokens, "chat")


def test_in_the_ledger_it_is_one_call_with_its_joules_and_idle_is_none(
    measured: tuple[Running, Measuring], tmp_path: Path
) -> None:
    """The same events through spool and table: the order in which sightings came does not matter."""
    running, measuring = measured
    call(running.port, _CHAT, _BODY)
    eventually(lambda: told(running, "sensor") != [] and any(event.task == IDLE for event in running.sink.events))
    measuring.stop()
    given = settings(Place(url="http://127.0.0.1:9"))
    data = tmp_path / "ledger-data"
    ledger = Ledger(data, given.ledger, given.deployments)
    spool = Spool(data / "spool")
    committer = Committer(ledger, data / "spool", given.ledger)
    committer.start()
    for event in (*reversed(running.sink.events), *running.sink.events):
        assert spool.record(event)
    spool.close()
    committer.stop()
    view = View(ledger, committer, given)
    overview = view.overview(datetime.now(UTC))
    assert overview.month.calls == 1
    (kept,) = told(running, "sensor")
    row = view.event(kept.id)
    assert row is not None
    assert (row.energy_status, row.energy_j, row.energy_sensor) == ("measured", kept.energy_j, "nvml:prometheus")
    read_j = sum(event.energy_j or 0.0 for event in running.sink.events if event.source == "sensor")
    assert overview.month.energy_wh is not None
    assert overview.month.energy_wh.mid > read_j / 3600.0  # host, idle reserve and PUE on top


def test_what_is_drawn_for_nobody_is_a_line_of_its_own(measured: tuple[Running, Measuring]) -> None:
    running, measuring = measured
    eventually(lambda: any(event.task == IDLE for event in running.sink.events))
    idle = next(event for event in running.sink.events if event.task == IDLE)
    assert (idle.calls_count, idle.deployment, idle.provider, idle.host_zone) == (0, "chat", "vllm", "FRA")
    (meter,) = measuring.meters.values()
    assert meter.state.idle_share == pytest.approx(1.0)
    assert (meter.state.watts or 0.0) > 0.0


def test_calls_of_one_span_of_the_caller_keep_their_own_joules(measured: tuple[Running, Measuring]) -> None:
    running, _ = measured
    trace = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    for _ in range(2):
        call(running.port, _CHAT, _BODY, **trace)
    eventually(lambda: len(told(running, "sensor")) == 2)
    spans = {event.span_id for event in told(running, "gateway")}
    assert len(spans) == 2
    assert "b" * 16 in spans
    assert {event.trace_id for event in told(running, "sensor")} == {"a" * 32}


def test_a_list_of_models_is_no_call_of_the_board(measured: tuple[Running, Measuring]) -> None:
    running, measuring = measured
    call(running.port, "/v1/models", method="GET")
    call(running.port, _CHAT, _BODY)
    eventually(lambda: told(running, "sensor") != [])
    assert len(told(running, "sensor")) == 1
    assert measuring.meters["board"].state.waiting == 0


def test_programs_are_told_of_each_sensor(measured: tuple[Running, Measuring], place: Place) -> None:
    _, measuring = measured
    eventually(lambda: measuring.to_json()[0]["idle_share"] is not None)
    app = create_web(
        Settings(),
        HeldSource(web_scenes.office()),
        own=HeldMeter(),  # type: ignore[arg-type]
        gateway_metrics=str,
        health=lambda: {"ok": True},
        sensors=measuring.to_json,
    )
    (told,) = TestClient(app, base_url="http://127.0.0.1").get("/api/sensors").json()["sensors"]
    assert (told["name"], told["sensor"], told["scope"]) == ("board", "nvml:prometheus", "accelerator")
    assert (told["deployments"], told["idle_w"], told["error_low"]) == (["chat"], IDLE_W, 0.9)
    assert current().find_factor(told["error_factor"]) is not None
    place.answers["/metrics"] = 503
    (absent,) = Measuring(settings(place), ListSink(), "gateway").to_json()
    assert set(absent) == set(told)
    answers = openapi_document()["paths"]["/api/sensors"]["get"]["responses"]
    schema = answers["200"]["content"]["application/json"]["schema"]
    assert jsonschema_rs.validator_for(schema).is_valid({"sensors": [told, absent]})


def test_a_sensor_that_cannot_be_read_leaves_the_estimate(place: Place) -> None:
    place.answers["/metrics"] = 503
    measuring = Measuring(settings(place), ListSink(), "gateway")
    assert (measuring.meters, measuring.by_provider) == ({}, {})
    ((name, why),) = measuring.unread
    assert name == "board"
    assert "cannot be read" in str(why)
    measuring.start()
    measuring.stop()


def test_each_process_takes_the_deployments_it_is_for(place: Place) -> None:
    ours = settings(place)
    theirs = settings(place, requests="server", metrics_url=place.url + "/server")
    assert Measuring(ours, ListSink(), "server").meters == {}
    assert Measuring(theirs, ListSink(), "gateway").meters == {}
    found = Measuring(theirs, ListSink(), "server")
    assert set(found.meters) == {"board"}
    found.stop()


def test_a_server_that_counts_its_own_calls(place: Place) -> None:
    """vLLM's metrics, as it publishes them: tokens weigh by the model they are of, and calls are those that ended."""
    done = {"calls": 0}

    def page() -> bytes:
        done["calls"] += 1
        tokens = done["calls"]
        return (
            f'vllm:num_requests_running{{engine="0",model_name="llama-3.1-8b-instruct"}} 1.0\n'
            f'vllm:prompt_tokens_total{{engine="0",model_name="llama-3.1-8b-instruct"}} {100.0 * tokens}\n'
            f"vllm:prompt_tokens_total_unrelated 7\n"
            f'vllm:generation_tokens_total{{engine="0",model_name="llama-3.1-8b-instruct"}} {20.0 * tokens}\n'
            f'vllm:request_success_total{{finished_reason="stop",model_name="llama-3.1-8b-instruct"}} {1.0 * tokens}\n'
            f'vllm:request_success_total{{finished_reason="length",model_name="llama-3.1-8b-instruct"}} 0.0\n'
        ).encode()

    place.answers["/server"] = page
    sink = ListSink()
    measuring = Measuring(settings(place, requests="server", metrics_url=place.url + "/server"), sink, "server")
    measuring.start()
    try:
        eventually(lambda: any(event.calls_count for event in sink.events))
    finally:
        measuring.stop()
    event = next(event for event in sink.events if event.calls_count)
    assert (event.model_answered, event.provider, event.deployment) == ("llama-3.1-8b-instruct", "vllm", "chat")
    assert event.input_tokens == 100 * event.calls_count
    assert event.output_tokens == 20 * event.calls_count
    assert event.energy_status == "measured"
    assert (event.energy_j or 0.0) > 0.0
    assert (event.energy_low_j or 0.0) < (event.energy_j or 0.0) < (event.energy_high_j or 0.0)


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        (
            "tgi_request_count 4\ntgi_request_input_length_sum 90\ntgi_request_generated_tokens_sum 30\n",
            ("tgi", 90, 30, 4),
        ),
        ("llamacpp:prompt_tokens_total 90\nllamacpp:tokens_predicted_total 30\n", ("llama.cpp", 90, 30, None)),
        (
            "sglang:prompt_tokens_total 90\nsglang:generation_tokens_total 30\nsglang:num_requests_total 4\n",
            ("sglang", 90, 30, 4),
        ),
    ],
)
def test_servers_are_told_apart_by_what_they_publish(place: Place, lines: str, counts: tuple[Any, ...]) -> None:
    from mesure.meter.sensors.found import serving_reader
    from mesure.meter.sensors.serving import read_counts

    place.sets("/server", lines.encode())
    reader = serving_reader(place.url + "/server")
    told = read_counts(reader)
    assert (told.server, told.prompt, told.answer, told.calls) == counts
    place.sets("/server", b"go_goroutines 1\n")
    with pytest.raises(ValueError, match="no counts of tokens"):
        read_counts(reader)
    reader.close()
