"""What is booked, and that metering can fail in any way without harm to the call."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from provider_double import GOOD_KEY, WORDS
from served_gateway import ListSink, serving
from test_relay import call

from mesure.apps.gateway import metering
from mesure.apps.gateway.metering import Metering
from mesure.config import ProviderSettings, Settings
from mesure.meter.pseudonyms import KEY_FILE
from mesure.meter.sensors import Reading
from mesure.meter.wires import openai
from waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from provider_double import ProviderDouble
    from served_gateway import Running

    from mesure.record import UsageEvent

_CHAT = "/v1/chat/completions"
_SECRET = "Mme Martin, 06 12 34 56 78"


def _body(model: str = "gpt-4o", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": _SECRET}], **more}).encode()


def test_one_call_one_event_with_its_facts(gateway: Running) -> None:
    got = call(gateway.port, _CHAT, _body(max_tokens=50, reasoning_effort="low"))
    event = gateway.sink.take()
    assert got.headers["x-mesure-event-id"] == event.id
    assert (event.organisation, event.provider, event.host_zone) == ("Relais", "openai", "FRA")
    assert (event.model_requested, event.model_answered) == ("gpt-4o", "gpt-4o-2026-01-01")
    assert (event.max_output_tokens, event.reasoning_effort) == (50, "low")
    assert (event.source, event.basis, event.operation, event.environment) == (
        "gateway",
        "observed",
        "chat",
        "production",
    )
    assert (event.status, event.http_status, event.finish_reason, event.stream) == ("ok", 200, "stop", False)
    assert event.tokens_reported
    assert event.response_id
    assert event.prompt_fingerprint
    assert event.started_at.utcoffset() is not None


def test_attribution(gateway: Running) -> None:
    headers = {
        "x-mesure-team": "Support clients",
        "x-mesure-use-case": "résumé",
        "x-mesure-user": "marie.martin@example.org",
        "x-mesure-contact": "C-2041",
        "x-mesure-conversation": "T-9",
        "x-mesure-turn": "0",
        "x-mesure-client": "Mutuelle du Lac",
        "x-mesure-application": "agent-desk",
        "x-mesure-environment": "test",
        "x-mesure-task": "summarise",
        "x-mesure-labels": "channel=voice, site=Lyon",
    }
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    got = call(gateway.port, _CHAT, _body(), **encoded)
    event = gateway.sink.take()
    assert (event.team, event.use_case, event.contact_id) == ("Support clients", "résumé", "C-2041")
    assert (event.conversation_id, event.turn, event.end_client) == ("T-9", 0, "Mutuelle du Lac")
    assert (event.application, event.environment, event.task) == ("agent-desk", "test", "summarise")
    assert event.labels == {"channel": "voice", "site": "Lyon"}
    assert event.user
    assert "marie" not in event.user
    assert "x-mesure-ignored" not in got.headers


def test_attribution_that_cannot_be_used_is_named(gateway: Running) -> None:
    got = call(gateway.port, _CHAT, _body(), x_mesure_environment="prod", x_mesure_turn="two", x_mesure_teem="x")
    assert got.status == 200
    assert set(got.headers["x-mesure-ignored"].split(", ")) == {"environment", "turn", "teem"}
    assert gateway.sink.take().environment == "production"


def test_trace_context_is_passed_on_and_kept(gateway: Running, provider: ProviderDouble) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    call(gateway.port, _CHAT, _body(), traceparent=trace)
    assert provider.seen[-1].headers["traceparent"] == trace
    event = gateway.sink.take()
    assert (event.trace_id, event.span_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


def test_calls_of_one_span_without_response_ids_stay_apart(gateway: Running) -> None:
    """Embeddings have no id: their trace and span would make two calls one."""
    trace = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01"
    for _ in range(3):
        call(gateway.port, "/v1/embeddings", b'{"model":"e","input":"a"}', traceparent=trace)
    events = gateway.sink.wait(3)
    assert [event.span_id for event in events] == ["c7ad6b7169203331", None, None]


def test_lists_and_other_paths_are_not_calls(gateway: Running) -> None:
    assert "x-mesure-event-id" not in call(gateway.port, "/v1/models", method="GET").headers
    call(gateway.port, "/v1/bytes", method="GET")
    call(gateway.port, "/v1/mirror", b"{}")
    call(gateway.port, "/v1/images/generations", b'{"model":"i","prompt":"x","size":"1024x1024"}')
    [event] = gateway.sink.wait()
    assert (event.operation, event.images_count, event.image_width) == ("image", 2, 1024)
    assert (event.input_tokens, event.output_tokens) == (12, 4160)


def test_no_content_in_events_or_logs(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for model in ("gpt-4o", "fail-400", "error-in-stream", "bad-json"):
        call(gateway.port, _CHAT, _body(model, stream=model.endswith("stream")), x_mesure_user=_SECRET)
    told = str([event.to_json() for event in gateway.sink.wait(4)]) + caplog.text
    for word in ("Martin", "06 12", "Bonjour", "hello", GOOD_KEY):
        assert word not in told


def test_tokens_that_were_not_reported_are_unknown(gateway: Running) -> None:
    for stream in (False, True):
        call(gateway.port, _CHAT, _body("no-usage", stream=stream))
    for event in gateway.sink.wait(2):
        assert (event.input_tokens, event.output_tokens, event.tokens_reported) == (None, None, None)
        assert event.status == "ok"


_STEPS = [
    (openai, "request_facts"),
    (openai, "answer_facts"),
    (openai.StreamReading, "read"),
    (metering, "attribution"),
    (metering, "UsageEvent"),
    (metering, "request_object"),
    (metering, "figure_headers"),
    (metering, "live_comment"),
]


@pytest.mark.parametrize(("owner", "name"), _STEPS)
@pytest.mark.parametrize("stream", [False, True])
def test_metering_that_fails_does_not_fail_the_call(
    gateway: Running,
    provider: ProviderDouble,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: Any,
    name: str,
    stream: bool,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError(_SECRET)

    monkeypatch.setattr(owner, name, broken)
    before = gateway.gateway.metering_failures
    body = _body(stream=stream, stream_options={"include_usage": True}) if stream else _body()
    headers = {"x_mesure_live": "1"} if name == "live_comment" else {}
    through, direct = (call(port, _CHAT, body, **headers) for port in (gateway.port, provider.port))
    assert through.status == direct.status == 200
    assert through.body == direct.body
    untouched = {"answer_facts": stream, "figure_headers": stream, "read": not stream, "live_comment": not stream}
    assert (gateway.gateway.metering_failures == before) is untouched.get(name, False)
    assert _SECRET not in caplog.text


class _Refusing(ListSink):
    def record(self, event: UsageEvent) -> bool:
        return False


class _Raising(ListSink):
    def record(self, event: UsageEvent) -> bool:
        raise OSError("disk full")


@pytest.mark.parametrize(("sink", "counter"), [(_Refusing(), "not_acknowledged"), (_Raising(), "metering_failures")])
def test_a_sink_that_fails_does_not_fail_the_call(settings: Settings, sink: ListSink, counter: str) -> None:
    with serving(settings, sink) as running:
        answer = call(running.port, _CHAT, _body())
        assert answer.status == 200
        assert answer.headers.get("x-mesure-recorded") == ("false" if counter == "not_acknowledged" else None)
        assert "x-mesure-event-id" not in answer.headers
        assert call(running.port, _CHAT, _body(stream=True)).body.endswith(b"data: [DONE]\n\n")
        eventually(lambda: getattr(running.gateway, counter) == 2)


def test_failures_are_logged_sparsely(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    shared = Metering(settings, ListSink(), {})
    for _ in range(150):
        try:
            raise ValueError(_SECRET)
        except ValueError as error:
            shared.failed("sent", error)
    assert shared.failures["sent"] == 150
    assert len(caplog.records) == 3
    assert _SECRET not in caplog.text


def test_figures_are_ready_before_the_first_call(settings: Settings) -> None:
    with serving(settings) as running:
        assert running.gateway.metering.pricer._resolved


def test_a_start_without_figures_serves_all_the_same(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(_SECRET)

    monkeypatch.setattr("mesure.ledger.Pricer.impacts_of_fields", broken)
    with serving(settings) as running:
        got = call(running.port, _CHAT, _body())
        assert got.status == 200
        assert got.headers["x-mesure-event-id"] == running.sink.take().id
        assert "x-mesure-energy-wh" not in got.headers
        assert running.gateway.metering_failures == 2


class _Meter:
    """Stands for a `CallMeter`: a joule a call."""

    def __init__(self, *, broken: bool = False) -> None:
        self.running: list[object] = []
        self.done: list[object] = []
        self.broken = broken

    def start(self, key: object) -> None:
        self.running.append(key)

    def stop(self, key: object) -> Reading | None:
        if self.broken:
            raise RuntimeError
        self.running.remove(key)
        self.done.append(key)
        return Reading(1.0, 0.5, 2.0, "cpu-time", "modelled", "process")


def test_a_sensor_s_reading_is_on_the_event(settings: Settings) -> None:
    meter = _Meter()
    with serving(settings, meters={"double": meter}) as running:
        got = call(running.port, _CHAT, _body())
        call(running.port, _CHAT, _body(stream=True), x_mesure_live="1")
        call(running.port, _CHAT, _body("truncate-stream", stream=True))
        call(running.port, _CHAT, _body("fail-429"))
        call(running.port, "/v1/models", method="GET")
        call(running.port, "/providers/plain/chat/completions", _body())
        events = running.sink.wait(5)
    assert [event.energy_j for event in events] == [1.0, 1.0, 1.0, 1.0, None]
    first = events[0]
    assert (first.energy_low_j, first.energy_high_j, first.energy_sensor) == (0.5, 2.0, "cpu-time")
    assert (first.energy_status, first.energy_scope) == ("modelled", "process")
    assert float(got.headers["x-mesure-energy-wh"]) > 0
    assert meter.running == []
    assert meter.done == [event.id for event in events[:4]]


def test_a_sensor_that_fails_does_not_fail_the_call(settings: Settings) -> None:
    with serving(settings, meters={"double": _Meter(broken=True)}) as running:
        assert call(running.port, _CHAT, _body()).status == 200
        assert running.sink.take().energy_j is None
        assert running.gateway.metering_failures == 1


def test_the_header_agrees_with_what_the_ledger_will_show(gateway: Running, settings: Settings) -> None:
    from mesure.ledger.pricing import Pricer

    got = call(gateway.port, _CHAT, _body())
    impacts = Pricer(settings.deployments).impacts(gateway.sink.take())
    assert impacts.energy_wh is not None
    assert float(got.headers["x-mesure-energy-wh"]) == pytest.approx(impacts.energy_wh.mid, rel=1e-3)
    assert float(got.headers["x-mesure-energy-wh-high"]) == pytest.approx(impacts.energy_wh.high, rel=1e-3)


def test_an_unknown_model_is_flagged_not_refused(gateway: Running) -> None:
    got = call(gateway.port, _CHAT, _body("nobody-knows-this-one"))
    assert got.headers["x-mesure-model-known"] == "false"
    assert float(got.headers["x-mesure-energy-wh"]) > 0


def test_models_without_number_do_not_fill_memory(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesure.ledger.pricing._MOST_KEYS", 20)
    pricer = gateway.gateway.metering.pricer
    call(gateway.port, _CHAT, _body())
    event = gateway.sink.take()
    for index in range(70):
        pricer.impacts(replace(event, model_answered=None, model_requested=f"model-{index}"))
    assert len(pricer._resolved) <= 20


def test_a_data_folder_without_room_for_a_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / KEY_FILE).write_text("damaged")
    settings = Settings(server=replace(Settings().server, data=str(tmp_path)))
    shared = Metering(settings, ListSink(), {})
    assert shared.fingerprints.pseudonym("x").startswith("u-")
    assert "pseudonyms" in caplog.text


def test_the_provider_s_name_is_the_table_s_unless_given(settings: Settings) -> None:
    providers = {"mine": ProviderSettings(base_url=settings.providers["double"].base_url, region="eu-west-3")}
    with serving(replace(settings, providers=providers)) as running:
        call(running.port, "/providers/mine/chat/completions", _body())
        event = running.sink.take()
    assert (event.provider, event.host_region, event.host_zone) == ("mine", "eu-west-3", None)
    assert event.output_tokens == len(WORDS)
