"""The HTTP door: the answers that OTLP's specification asks for, and no other."""

from __future__ import annotations

import asyncio
import gzip
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_messages import NOW_NS, PARENT, Shelf, binary, log_record, logs, point, span, token_usage, traces
from starlette.testclient import TestClient

from mesure.apps.otlp import PATHS, OtlpApp, otlp_metrics
from mesure.config import GatewaySettings, OtlpSettings, ServerSettings, Settings
from mesure.meter.otlp import Intake, protobuf
from mesure.state import KeyRing, Keys, Scope, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

_CALL = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 40}
_BINARY = {"content-type": "application/x-protobuf"}
_OLD = {"startTimeUnixNano": "1", "endTimeUnixNano": "2", "spanId": PARENT}


class Door:
    def __init__(self, keys: KeyRing | None = None, **given: Any) -> None:
        self.shelf = Shelf()
        configured = Settings(**({"otlp": OtlpSettings()} | given))
        self.intake = Intake(configured, self.shelf, str, began_ns=0)
        self.app = OtlpApp(configured, self.intake, keys)
        self.client = TestClient(self.app, base_url="http://127.0.0.1")

    def send(self, body: bytes | dict[str, Any], path: str = "/v1/traces", **headers: str) -> httpx.Response:
        """A dict goes as JSON, bytes in binary form."""
        given = {"content-type": "application/json"} if isinstance(body, dict) else _BINARY
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        sent = given | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=content, headers=sent)


_MESSAGES: dict[str, Callable[[], dict[str, Any]]] = {
    "traces": lambda: traces(span(_CALL)),
    "metrics": lambda: token_usage(point("input", 2, 10.0)),
    "logs": lambda: logs(log_record(_CALL, eventName="gen_ai.client.inference.operation.details")),
}


@pytest.mark.parametrize("path", PATHS)
def test_each_signal_in_each_form_compressed_or_not(path: str) -> None:
    signal = PATHS[path]
    message = _MESSAGES[signal]()
    door = Door()
    answer = door.send(message, path)
    assert (answer.status_code, answer.json(), answer.headers["content-type"]) == (200, {}, "application/json")
    answer = door.send(binary(signal, message), path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/x-protobuf"
    answer = door.send(gzip.compress(binary(signal, message)), path, content_encoding="gzip")
    assert (answer.status_code, len(door.shelf.events)) == (200, 3)


def test_what_was_rejected_is_told_in_the_form_of_the_request() -> None:
    door = Door()
    message = traces(span(_CALL), span(_CALL, **_OLD))
    told = door.send(message).json()["partialSuccess"]
    assert told["rejectedSpans"] == "1"
    assert "time" in told["errorMessage"]
    answer = protobuf.messages("traces")[1].FromString(door.send(binary("traces", message)).content)
    assert (answer.partial_success.rejected_spans, len(door.shelf.events)) == (1, 2)


def test_a_full_disk_sends_the_client_away_with_a_time_to_come_back() -> None:
    door = Door()
    door.shelf.full = True
    answer = door.send(traces(span(_CALL)))
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "5", 14)
    answer = door.send(binary("traces", traces(span(_CALL))))
    assert answer.status_code == 503
    assert b"could not be written" in answer.content
    assert answer.content[0] == 0x08
    assert answer.content[1] == 14


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content_type": "text/plain"}, b"x", 415),
        ({"content_type": ""}, b"x", 415),
        ({"content_encoding": "br"}, b"x", 415),
        ({"content_encoding": "gzip"}, b"not gzip", 400),
        ({"content_encoding": "gzip"}, gzip.compress(b"x" * 5000)[:-9], 400),
        ({}, b"\xff\xff\xff", 400),
        ({"content_type": "application/json"}, b"[]", 400),
        ({"content_type": "application/json; charset=utf-8"}, b"{", 400),
        ({"host": "evil.example"}, b"", 403),
        ({"origin": "https://evil.example"}, b"", 403),
    ],
)
def test_refusals(headers: dict[str, str], body: bytes, status: int) -> None:
    answer = Door().send(body, **headers)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") is None
    form = "application/json" if "json" in headers.get("content_type", "") else "application/x-protobuf"
    assert answer.headers["content-type"] == form
    assert answer.content


def test_other_methods_are_refused_and_switched_off_nothing_is_taken() -> None:
    assert Door().client.get("/v1/traces").status_code == 405
    assert Door(otlp=OtlpSettings(enabled=False)).send(traces(span(_CALL))).status_code == 404


@pytest.mark.parametrize("compressed", [True, False])
def test_a_request_that_is_too_large_is_refused_before_it_is_held(compressed: bool) -> None:
    door = Door(otlp=OtlpSettings(max_body_mb=0.01))
    body = b"\0" * 100_000
    answer = door.send(gzip.compress(body), content_encoding="gzip") if compressed else door.send(body)
    assert answer.status_code == 413
    assert b"max_body_mb" in answer.content
    assert door.send(binary("traces", traces(span(_CALL)))).status_code == 200


def test_too_many_at_once_are_sent_away() -> None:
    door = Door()
    scope = {"type": "http", "method": "POST", "path": "/v1/traces"}
    scope |= {"headers": [(b"host", b"localhost"), (b"content-type", b"application/x-protobuf")]}
    go = asyncio.Event()
    statuses: list[int] = []
    retry: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await go.wait()
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
            retry.extend(value for name, value in message["headers"] if name == b"retry-after")

    async def run() -> None:
        waiting = [asyncio.ensure_future(door.app(scope, receive, send)) for _ in range(8)]
        await asyncio.sleep(0)
        await door.app(scope, receive, send)
        assert (statuses, retry) == ([429], [b"1"])
        go.set()
        await asyncio.gather(*waiting)
        await door.app(scope, receive, send)

    asyncio.run(run())
    assert statuses == [429] + [200] * 9


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[tuple[KeyRing, str]]:
    """A ring that knows one key of the team `north`, and its token."""
    configured = Settings(server=ServerSettings(data=str(tmp_path)))
    store = open_store(configured)
    token = Keys(store).create(Scope(team="north")).token
    ring = KeyRing(tmp_path, partial(open_store, configured), every_s=60.0)
    ring.start()
    yield ring, token
    ring.stop()
    store.close()


@pytest.mark.parametrize("header", ["authorization", "x_mesure_key"])
def test_a_key_is_asked_for_and_settles_the_team(ring: tuple[KeyRing, str], header: str) -> None:
    keys, token = ring
    door = Door(keys, gateway=GatewaySettings(keys="required"))
    message = traces(span(_CALL | {"mesure.team": "south"}))
    answer = door.send(message)
    assert (answer.status_code, answer.json()["code"], door.shelf.events) == (401, 16, [])
    wrong = door.send(message, **{header: f"{token}x"})
    assert wrong.status_code == 401
    assert token not in wrong.text
    assert door.send(message, **{header: f"Bearer {token}" if header == "authorization" else token}).status_code == 200
    (event,) = door.shelf.events
    assert event.team == "north"
    assert event.key_id is not None
    assert event.key_id in token


def test_keys_that_cannot_be_read_send_the_client_away_for_a_while() -> None:
    door = Door(gateway=GatewaySettings(keys="required"))
    answer = door.send(traces(span(_CALL)), authorization=f"Bearer mesure-{'a' * 8}-{'b' * 32}")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, 14, "5")


@settings(max_examples=60)
@given(body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "application/x-protobuf", "x/y"]))
def test_any_bytes_get_an_answer_that_blames_no_server(body: bytes, kind: str) -> None:
    for path in ("/v1/traces", "/v1/metrics", "/otlp/v1/logs"):
        assert Door().send(body, path, content_type=kind).status_code in (200, 400, 415)


def test_metrics_tell_what_came() -> None:
    door = Door()
    door.send(traces(span(_CALL), span({}, spanId=PARENT), span(_CALL, **_OLD)))
    text = otlp_metrics(door.intake)
    for outcome in ("booked", "ignored", "rejected"):
        assert f'mesure_otlp_items_total{{signal="traces",outcome="{outcome}"}} 1\n' in text


def test_the_address_that_was_configured_answers() -> None:
    door = Door(server=ServerSettings(allowed_hosts=["meter.example"]))
    assert door.send(traces(span(_CALL)), host="meter.example").status_code == 200
    assert door.shelf.events[0].started_at.timestamp() == pytest.approx(NOW_NS / 1e9)
