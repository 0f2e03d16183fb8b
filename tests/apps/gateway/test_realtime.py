"""Realtime sessions through the gateway: the same events as without it, exact tokens, and no side left hanging."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import openai
import pytest
from provider_double import GOOD_KEY
from realtime_double import FLOOD, MODEL, RealtimeDouble
from served_gateway import ListSink, Running, serving
from test_hard_budgets import hard
from test_virtual_keys import NEVER_MADE, door
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from mesure.apps.gateway.budgets import HardBudgets
from mesure.config import ProviderSettings, ServerSettings, Settings
from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesure.apps.http1.outgoing import Outgoing
    from mesure.record import UsageEvent


#: A later websockets would have what openai's own client does written otherwise.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")


@pytest.fixture(scope="module")
def double() -> Iterator[RealtimeDouble]:
    with RealtimeDouble() as running:
        yield running


@pytest.fixture
def settings(double: RealtimeDouble, tmp_path: Path) -> Settings:
    there = ProviderSettings(base_url=double.url, default=True, provider="openai", zone="FRA")
    azure = replace(there, default=False, wire="azure", base_url=double.url.removesuffix("/v1"))
    return Settings(
        server=ServerSettings(data=str(tmp_path)),
        providers={
            "double": there,
            "keyed": replace(there, default=False, api_key=GOOD_KEY),
            "impatient": replace(there, default=False, timeout_s=0.3),
            "azure": azure,
            "azure-keyed": replace(azure, api_key=GOOD_KEY),
            "gemini": replace(azure, wire="gemini"),
            "down": replace(there, default=False, base_url="http://127.0.0.1:9/v1"),
        },
    )


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    with serving(settings) as served:
        yield served
        eventually(lambda: served.gateway.in_flight == 0)


def session(running: Running, path: str = "/v1/realtime?model=gpt-realtime", **options: Any) -> ClientConnection:
    headers = options.pop("headers", {"authorization": f"Bearer {GOOD_KEY}"})
    address = f"ws://127.0.0.1:{running.port}{path}"
    client: ClientConnection = connect(address, additional_headers=headers, proxy=None, max_size=None, **options)
    return client


def ask(client: ClientConnection, scene: str) -> None:
    client.send(json.dumps({"type": "response.create", "response": {"instructions": scene}}))


def until(client: ClientConnection, kind: str = "response.done") -> list[Any]:
    """What comes, up to an event of this kind."""
    came: list[Any] = []
    while True:
        text = client.recv(20)
        came.append(json.loads(text) if isinstance(text, str) and text[0] == "{" else text)
        if isinstance(came[-1], dict) and came[-1]["type"] == kind:
            return came


def upstream(running: Running) -> list[Outgoing]:
    return list(running.gateway.upstreams._pool._deadlines.watched)


def steady(events: list[Any]) -> list[Any]:
    """Without the number of a response, which counts all of them."""
    return [json.loads(json.dumps(event).replace(_own_id(events), "resp")) for event in events]


def _own_id(events: list[Any]) -> str:
    return next(str(event["response"]["id"]) for event in events if event["type"] == "response.done")


def conversation(client: openai.OpenAI) -> list[Any]:
    came: list[Any] = []
    with client.realtime.connect(model="gpt-realtime") as connection:
        connection.session.update(session={"type": "realtime", "instructions": "Réponds."})
        connection.input_audio_buffer.append(audio="UklGRg==")
        connection.input_audio_buffer.commit()
        connection.response.create(response={"instructions": "speak"})
        for event in connection:
            came.append(event.to_dict())
            if event.type == "response.done":
                return came
    raise AssertionError("the session ended first")


def test_openais_own_client_sees_the_same_with_and_without(running: Running, double: RealtimeDouble) -> None:
    with (
        openai.OpenAI(base_url=running.url, api_key=GOOD_KEY) as through,
        openai.OpenAI(base_url=double.url, api_key=GOOD_KEY) as direct,
    ):
        there = conversation(through)
        assert steady(there) == steady(conversation(direct))
    heard, spoken = running.sink.wait(2)
    assert (heard.operation, heard.model_requested, heard.model_answered) == (
        "transcription",
        "gpt-4o-transcribe",
        "gpt-4o-transcribe",
    )
    assert (heard.input_tokens, heard.input_audio_tokens, heard.output_tokens) == (22, 20, 8)
    assert (spoken.operation, spoken.model_requested, spoken.model_answered) == ("chat", "gpt-realtime", MODEL)
    assert (spoken.input_tokens, spoken.input_audio_tokens, spoken.cached_input_tokens) == (253, 114, 64)
    assert (spoken.output_tokens, spoken.output_audio_tokens, spoken.tokens_reported) == (100, 70, True)
    assert (spoken.status, spoken.finish_reason, spoken.stream) == ("ok", "completed", True)
    assert spoken.response_id == _own_id(there)
    assert spoken.duration_ms is not None
    assert spoken.first_output_ms is not None
    assert 0 <= spoken.first_output_ms <= spoken.duration_ms
    assert running.gateway.metering_failures == 0


def test_its_asynchronous_client_too(running: Running, double: RealtimeDouble) -> None:
    async def talk(url: str) -> list[Any]:
        came: list[Any] = []
        async with (
            openai.AsyncOpenAI(base_url=url, api_key=GOOD_KEY) as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            await connection.response.create(response={"instructions": "large"})
            async for event in connection:
                came.append(event.to_dict())
                if event.type == "response.done":
                    break
        return came

    there = asyncio.run(talk(running.url))
    assert steady(there) == steady(asyncio.run(talk(double.url)))
    assert running.sink.take().response_id == _own_id(there)


@pytest.mark.parametrize("name", ["azure", "azure-keyed"])
def test_azures_client(running: Running, double: RealtimeDouble, name: str) -> None:
    key = GOOD_KEY if name == "azure" else "a key of nobody"
    endpoint = running.named(name)
    with (
        openai.AzureOpenAI(
            azure_endpoint=endpoint,
            websocket_base_url=f"{endpoint.replace('http', 'ws')}/openai",  # it would ask for TLS otherwise
            api_key=key,
            api_version="2025-04-01-preview",
        ) as client,
        client.realtime.connect(model="my-deployment") as connection,
    ):
        connection.response.create(response={"instructions": "speak"})
        came = next(event.to_dict() for event in connection if event.type == "response.done")
    event = running.sink.take()
    assert (event.model_requested, event.response_id) == ("my-deployment", _own_id([came]))
    assert double.seen[-1].headers.get_all("api-key") == [GOOD_KEY]


@pytest.mark.parametrize("scene", ["speak", "fragments", "binary", "large"])
def test_several_responses_of_a_session_are_booked_each(running: Running, scene: str) -> None:
    with session(running) as client:
        for _ in range(3):
            ask(client, scene)
            came = until(client)
    events = running.sink.wait(3)
    assert len({event.response_id for event in events}) == 3
    assert [event.output_tokens for event in events] == [100] * 3
    assert running.gateway.metering_failures == 0
    if scene == "large":
        assert any(len(event.get("delta", "")) == 500_000 for event in came)
    if scene == "binary":
        assert b"\x00\xff" * 1000 in came


@pytest.mark.parametrize(
    ("scene", "status", "reason", "error"),
    [("failed", "error", "failed", "overloaded"), ("cancelled", "cancelled", "turn_detected", None)],
)
def test_how_a_response_ended(running: Running, scene: str, status: str, reason: str, error: str | None) -> None:
    with session(running) as client:
        ask(client, scene)
        until(client)
    event = running.sink.take()
    assert (event.status, event.finish_reason, event.error_type) == (status, reason, error)
    assert event.output_tokens == 100


def test_a_client_that_leaves_in_a_response(running: Running, double: RealtimeDouble) -> None:
    ended = len(double.codes)
    client = session(running)
    ask(client, "unfinished")
    until(client, "response.output_audio.delta")
    client.socket.shutdown(socket.SHUT_RDWR)
    event = running.sink.take()
    assert (event.status, event.output_tokens, event.tokens_reported) == ("cancelled", 3, False)
    assert (event.input_tokens, event.model_answered) == (None, MODEL)
    eventually(lambda: len(double.codes) == ended + 1)  # the provider's side was closed too
    eventually(lambda: not upstream(running))


def test_a_provider_that_vanishes_in_a_response(running: Running) -> None:
    with session(running) as client:
        ask(client, "vanish")
        with pytest.raises(ConnectionClosedError):
            until(client)
    event = running.sink.take()
    assert (event.status, event.output_tokens) == ("truncated", 3)


def test_close_codes_pass_both_ways(running: Running, double: RealtimeDouble) -> None:
    with session(running) as client:
        ask(client, "close")
        with pytest.raises(ConnectionClosed):
            until(client)
        assert (client.close_code, client.close_reason) == (4321, "enough")
    client = session(running)
    client.close(4999, "home")
    eventually(lambda: double.codes[-1:] == [4999])


def test_garbage_passes_and_is_counted(running: Running) -> None:
    with session(running) as client:
        ask(client, "garbage")
        with pytest.raises(ConnectionClosed):
            until(client)
    assert client.protocol.close_sent is not None
    assert client.protocol.close_sent.code == 1002  # said by the client's library: it got the bytes as they were
    assert running.sink.take().status in ("cancelled", "truncated")
    assert +running.gateway.metering.failures == {"realtime": 1}


def test_a_message_too_large_to_be_read_passes_and_the_next_is_booked(running: Running) -> None:
    with session(running) as client:
        ask(client, "oversized")
        came = until(client)
    assert any(len(event.get("item", {}).get("audio", "")) == 5 << 20 for event in came)
    assert running.sink.take().output_tokens == 100
    assert +running.gateway.metering.failures == {"realtime_too_long": 1}


def test_a_reading_that_fails_disturbs_nobody(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr("mesure.apps.gateway.realtime.RealtimeReading.read", fail)
    with session(running) as client:
        ask(client, "speak")
        events = len(until(client))
    assert events == 7
    assert +running.gateway.metering.failures == {"realtime": events}


def test_a_client_that_reads_slowly_holds_the_provider_back(running: Running, double: RealtimeDouble) -> None:
    double.flooded = 0
    with session(running, max_queue=1) as client:
        ask(client, "flood")
        eventually(lambda: any(not connection._reading for connection in upstream(running)))
        assert double.flooded < FLOOD
        assert sum(connection._size for connection in upstream(running)) < 2 << 20
        came = until(client)
    assert sum(event == "x" * 1_000_000 for event in came) == FLOOD
    assert running.sink.take().output_tokens == 100


def test_a_provider_that_reads_slowly_holds_the_client_back(running: Running, double: RealtimeDouble) -> None:
    double.heard_bytes, sent = 0, []
    append = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 1_000_000})

    with session(running) as client:
        until(client, "session.created")
        double.listening.clear()

        def speak() -> None:
            for _ in range(FLOOD):
                client.send(append)
                sent.append(1)

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        eventually(lambda: any(connection._transport.get_write_buffer_size() for connection in upstream(running)))
        assert all(connection._transport.get_write_buffer_size() < 2 << 20 for connection in upstream(running))
        assert len(sent) < FLOOD
        double.listening.set()
        speaker.join(20)
        eventually(lambda: double.heard_bytes == FLOOD * 1_000_000)


def test_a_session_in_which_nothing_passes_is_ended(running: Running) -> None:
    with session(running, "/providers/impatient/realtime", ping_interval=None) as client:
        until(client, "session.created")
        with pytest.raises(ConnectionClosedError):
            client.recv(20)


def test_a_stop_ends_sessions_and_books_what_they_had_begun(settings: Settings) -> None:
    with serving(settings) as served:
        client = session(served)
        ask(client, "unfinished")
        until(client, "response.output_audio.delta")
    with pytest.raises(ConnectionClosed):
        client.recv(20)
    event = served.sink.take()
    assert (event.status, event.output_tokens) == ("cancelled", 3)


def test_nothing_compressed_is_agreed_on(running: Running, double: RealtimeDouble) -> None:
    with session(running, compression="deflate") as client:
        assert client.protocol.extensions == []
        ask(client, "speak")
        until(client)
    assert "sec-websocket-extensions" not in double.seen[-1].headers
    assert running.sink.take().output_tokens == 100


def test_who_and_trace_are_written_on_each_response(running: Running, double: RealtimeDouble) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {
        "authorization": f"Bearer {GOOD_KEY}",
        "x-mesure-team": "support",
        "x-mesure-turn": "many",
        "traceparent": f"00-{trace}-b7ad6b7169203331-01",
    }
    with session(running, headers=headers) as client:
        assert client.response is not None
        assert client.response.headers["x-mesure-ignored"] == "turn"
        for _ in range(2):
            ask(client, "speak")
            until(client)
    first, second = running.sink.wait(2)
    assert {(event.team, event.trace_id) for event in (first, second)} == {("support", trace)}
    assert first.span_id != second.span_id
    assert not [name for name in double.seen[-1].headers if name.lower().startswith("x-mesure")]


@pytest.mark.parametrize("target", ["/openai/realtime?api-version=1&deployment=mine", "/openai/v1/realtime?model=mine"])
def test_azures_paths(running: Running, double: RealtimeDouble, target: str) -> None:
    with session(running, f"/providers/azure{target}") as client:
        ask(client, "speak")
        until(client)
    assert double.seen[-1].path == target
    assert running.sink.take().model_requested == "mine"


def test_every_response_counts_against_a_hard_budget(settings: Settings) -> None:
    with serving(hard(settings, limit=3.0)) as served:
        for responses in (2, 1):
            with session(served) as client:
                for _ in range(responses):
                    ask(client, "speak")
                    until(client)
        status, body = refused(served)
        assert (status, json.loads(body)["error"]["code"]) == (429, "budget_exceeded")
    assert len(served.sink.events) == 3


def test_a_budget_that_fails_loses_no_event(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(HardBudgets, "passed", fail)
    with serving(hard(settings, limit=9.0)) as served:
        with session(served) as client:
            for _ in range(3):
                ask(client, "speak")
                until(client)
        assert len(served.sink.wait(3)) == 3
        assert served.gateway.metering.failures == {"realtime": 2}


def test_a_sink_that_takes_nothing_ends_no_session(settings: Settings) -> None:
    class Full(ListSink):
        def record(self, event: UsageEvent) -> bool:
            return False

    with serving(settings, Full()) as served:
        with session(served) as client:
            for _ in range(2):
                ask(client, "speak")
                until(client)
        assert served.gateway.not_acknowledged == 2


def test_a_session_without_a_response_takes_nothing_of_a_hard_budget(settings: Settings) -> None:
    with serving(hard(settings, limit=1.0)) as served:
        for _ in range(3):
            with session(served) as client:
                until(client, "session.created")
            eventually(lambda: served.gateway.in_flight == 0)
    assert served.sink.events == []


# --- the door ---


def refused(running: Running, path: str = "/v1/realtime", **options: Any) -> tuple[int, bytes]:
    with pytest.raises(InvalidStatus) as told:
        session(running, path, **options)
    answer = told.value.response
    return answer.status_code, bytes(answer.body or b"")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/v1/responses", {}, 501, "websocket_unsupported"),
        ("/providers/gemini/v1/realtime", {}, 501, "websocket_unsupported"),
        ("/healthz", {}, 404, "unknown_provider"),
        ("/providers/nobody/realtime", {}, 404, "unknown_provider"),
        ("/v1/../realtime", {}, 400, "bad_path"),
        ("/providers/down/realtime", {}, 502, "provider_unreachable"),
        ("/v1/realtime", {"origin": "https://evil.example"}, 403, "foreign_origin"),
        ("/providers/keyed/realtime", {"origin": "https://evil.example"}, 403, "foreign_origin"),
        ("/v1/realtime", {"authorization": f"Bearer {NEVER_MADE}"}, 401, "invalid_api_key"),
    ],
)
def test_what_is_refused(
    running: Running, double: RealtimeDouble, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    seen = len(double.seen)
    given, body = refused(running, path, headers=headers)
    assert (given, json.loads(body)["error"]["code"]) == (status, code)
    assert len(double.seen) == seen + (code == "invalid_api_key")
    assert running.sink.events == []


_SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n"


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 100\r\n\r\nhalf", 502, "provider_disconnected"),
        (b"HTTP/1.1 503 Busy\r\n\r\n" + b"x" * 200_000, 502, "provider_bad_answer"),
        (b"", 502, "provider_disconnected"),
        (b"no HTTP\r\n\r\n", 502, "provider_bad_answer"),
        (_SWITCHED + b"sec-websocket-extensions: permessage-deflate\r\n\r\n", 502, "provider_bad_answer"),
        (_SWITCHED.replace(b"websocket", b"h2c") + b"\r\n", 502, "provider_bad_answer"),
    ],
)
def test_a_provider_that_answers_no_handshake(settings: Settings, answer: bytes, status: int, code: str) -> None:
    def once(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer, suppress(OSError):  # the gateway may have cut it
            assert peer.recv(65_536).startswith(b"GET /v1/realtime HTTP/1.1\r\n")
            peer.sendall(answer)
            peer.shutdown(socket.SHUT_WR)
            peer.settimeout(20)
            peer.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=once, args=(listener,), daemon=True).start()
        there = replace(settings.providers["double"], base_url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1")
        held = replace(settings, providers={"bad": there}, gateway=replace(settings.gateway, hold_json_mb=0.1))
        with serving(held) as served:
            given, body = refused(served, "/v1/realtime")
            assert (given, json.loads(body)["error"]["code"]) == (status, code)
        assert served.sink.events == []


def test_a_key_that_the_provider_echoes_is_withheld(running: Running) -> None:
    status, body = refused(running, "/providers/keyed/realtime?model=echoes-key")
    assert (status, body) == (429, b"no more for [key withheld]")


def test_the_configured_key_takes_the_place_of_every_other(running: Running, double: RealtimeDouble) -> None:
    protocols: Any = ["realtime", "openai-insecure-api-key.sk-of-a-browser"]
    path = "/providers/keyed/realtime?api-key=sk-of-a-page&model=m"
    with session(running, path, headers={"api-key": "sk-other"}, subprotocols=protocols) as client:
        assert client.subprotocol == "realtime"
        ask(client, "speak")
        until(client)
    seen = double.seen[-1]
    assert seen.headers["sec-websocket-protocol"] == "realtime"
    assert seen.headers.get_all("authorization") == [f"Bearer {GOOD_KEY}"]
    assert "sk-o" not in str(seen.headers) + seen.path


def test_a_browsers_own_key_passes_where_none_is_kept(running: Running, double: RealtimeDouble) -> None:
    protocols: Any = ["realtime", f"openai-insecure-api-key.{GOOD_KEY}"]
    with session(running, headers={}, subprotocols=protocols) as client:
        until(client, "session.created")
    assert double.seen[-1].headers["sec-websocket-protocol"] == f"realtime, openai-insecure-api-key.{GOOD_KEY}"


@pytest.mark.parametrize("carrier", ["header", "protocol", "query"])
def test_a_virtual_key_opens_a_session_and_goes_no_further(
    settings: Settings, double: RealtimeDouble, carrier: str
) -> None:
    with door(settings, "required") as held:
        token = held.token(team="voice")
        protocols: Any = ["realtime", f"openai-insecure-api-key.{token}"] if carrier == "protocol" else ["realtime"]
        headers = {"authorization": f"Bearer {token}"} if carrier == "header" else {}
        path = "/providers/keyed/realtime" + (f"?api-key={token}" if carrier == "query" else "")
        with session(held.running, path, headers=headers, subprotocols=protocols) as client:
            ask(client, "speak")
            until(client)
        event = held.running.sink.take()
        assert event.team == "voice"
        assert event.key_id is not None
        assert token not in str(double.seen[-1].headers) + double.seen[-1].path


@pytest.mark.parametrize("protocols", [["realtime"], ["realtime", f"openai-insecure-api-key.{NEVER_MADE}"]])
def test_no_session_without_a_key_where_one_is_required(
    settings: Settings, double: RealtimeDouble, protocols: Any
) -> None:
    seen = len(double.seen)
    with door(settings, "required") as held:
        status, body = refused(held.running, "/providers/keyed/realtime", headers={}, subprotocols=protocols)
    assert status == 401
    assert json.loads(body)["error"]["code"] == ("key_required" if len(protocols) == 1 else "key_unknown")
    assert len(double.seen) == seen


def test_words_of_a_session_are_not_logged(
    running: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("Bonjour " + GOOD_KEY)

    monkeypatch.setattr("mesure.apps.gateway.realtime.RealtimeReading.read", fail)
    with session(running) as client:
        ask(client, "failed")
        until(client)
    eventually(lambda: running.gateway.metering_failures > 0)
    told = caplog.text
    assert "realtime" in told
    assert "Bonjour" not in told
    assert GOOD_KEY not in told
