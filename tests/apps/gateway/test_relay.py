"""Bytes in, the same bytes out; and what happens when either side goes away."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from http.client import HTTPConnection, IncompleteRead
from typing import TYPE_CHECKING, Any

import pytest
from provider_double import FLOOD, GOOD_KEY, WORDS, events
from served_gateway import serving

from waiting import eventually

if TYPE_CHECKING:
    from http.client import HTTPResponse

    from provider_double import ProviderDouble
    from served_gateway import Running

    from mesure.config import Settings

_AUTH = {"authorization": f"Bearer {GOOD_KEY}", "content-type": "application/json"}


def _body(model: str, **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "Bonjour"}], **more}).encode()


class Got:
    def __init__(self, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        try:
            self.body, self.broken = response.read(), False
        except IncompleteRead as error:
            self.body, self.broken = error.partial, True

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(port: int, path: str, body: bytes | None = None, method: str = "POST", **headers: str) -> Got:
    given = {**_AUTH, **{name.replace("_", "-"): value for name, value in headers.items()}}
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, given)
        return Got(connection.getresponse())
    finally:
        connection.close()


_CHAT = "/v1/chat/completions"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", _CHAT, _body("gpt-4o")),
        ("POST", _CHAT, _body("gzipped")),
        ("POST", _CHAT, _body("gzipped", stream=True, stream_options={"include_usage": True})),
        ("POST", _CHAT, _body("large")),
        ("POST", _CHAT, _body("bad-json")),
        ("POST", _CHAT, _body("until-closed")),
        ("POST", _CHAT, _body("until-closed", stream=True, stream_options={"include_usage": True})),
        ("POST", _CHAT, _body("fail-500")),
        ("POST", _CHAT, _body("gpt-4o", stream=True, stream_options={"include_usage": True})),
        ("POST", _CHAT, _body("not-text", stream=True, stream_options={"include_usage": True})),
        ("POST", "/v1/embeddings", b'{"model":"e","input":"a"}'),
        ("POST", "/v1/unknown/thing", b'{"model":"e"}'),
        ("POST", _CHAT, b"not json at all"),
        ("POST", _CHAT, b'{"model": '),
        ("POST", _CHAT, b""),
        ("GET", "/v1/models", None),
        ("HEAD", "/v1/models", None),
        ("GET", "/v1/bytes", None),
        ("DELETE", "/v1/bytes", None),
        ("HEAD", "/v1/bytes", None),
        ("DELETE", "/v1/none", None),
        ("OPTIONS", "/v1/bytes", None),
        ("PATCH", "/v1/bytes", b"{}"),
        ("GET", "/v1/moved", None),
    ],
)
def test_bytes_are_those_of_the_provider(
    gateway: Running, provider: ProviderDouble, method: str, path: str, body: bytes | None
) -> None:
    through, direct = (call(port, path, body, method) for port in (gateway.port, provider.port))
    assert through.status == direct.status
    assert through.body == direct.body
    assert not through.broken
    for name in ("content-type", "content-encoding", "x-request-id", "location"):
        assert through.headers.get_all(name) == direct.headers.get_all(name)
    assert provider.seen[-1].body == provider.seen[-2].body


def test_the_request_reaches_the_provider_untouched(gateway: Running, provider: ProviderDouble) -> None:
    body = b'{ "model":"gpt-4o",\n"messages":[],"temperature":1.10000000000000000001,"x":"\\u00e9" }'
    call(gateway.port, _CHAT + "?api-version=1%2F2&b", body, x_custom="kept")
    seen = provider.seen[-1]
    assert seen.body == body
    assert seen.path == _CHAT + "?api-version=1%2F2&b"
    assert seen.headers["x-custom"] == "kept"
    assert seen.headers["authorization"] == f"Bearer {GOOD_KEY}"


def test_a_stream_nobody_asked_usage_of_differs_only_by_that(gateway: Running, provider: ProviderDouble) -> None:
    through, direct = (call(port, _CHAT, _body("gpt-4o", stream=True)) for port in (gateway.port, provider.port))
    assert through.body == direct.body
    assert through.body.count(b"data: ") == len(WORDS) + 3
    assert json.loads(provider.seen[-2].body)["stream_options"] == {"include_usage": True}


def test_a_provider_that_cannot_report_usage_is_not_asked(gateway: Running, provider: ProviderDouble) -> None:
    call(gateway.port, "/providers/plain/chat/completions", _body("gpt-4o", stream=True))
    assert "stream_options" not in provider.seen[-1].json
    event = gateway.sink.take()
    assert event.output_tokens is None
    assert event.tokens_reported is None
    assert event.status == "ok"


def test_bytes_that_are_no_text_pass_through_a_rewritten_stream(gateway: Running, provider: ProviderDouble) -> None:
    through, direct = (call(port, _CHAT, _body("not-text", stream=True)) for port in (gateway.port, provider.port))
    assert through.body == direct.body
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_a_compressed_answer_is_read_from_a_copy(gateway: Running) -> None:
    assert call(gateway.port, _CHAT, _body("gzipped")).headers["x-mesure-event-id"] == gateway.sink.take().id
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_a_compressed_stream_is_read_from_a_copy(gateway: Running) -> None:
    call(gateway.port, _CHAT, _body("gzipped", stream=True))
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_an_answer_larger_than_is_held_is_streamed_and_read_at_its_end(gateway: Running) -> None:
    got = call(gateway.port, _CHAT, _body("large"))
    event = gateway.sink.take()
    assert event.output_tokens == 77
    assert event.model_answered == "large-2026-01-01"
    assert got.headers["x-mesure-event-id"] == event.id
    assert "x-mesure-energy-wh" not in got.headers


def test_json_broken_off_gives_the_bytes_that_came(gateway: Running, provider: ProviderDouble) -> None:
    through, direct = (call(port, _CHAT, _body("truncate-json")) for port in (gateway.port, provider.port))
    assert through.broken
    assert through.body == direct.body != b""
    assert gateway.sink.take().error_type == "provider_disconnected"


@pytest.mark.parametrize("provider_name", ["double", "plain"])
def test_a_stream_broken_off_gives_the_bytes_that_came(
    gateway: Running, provider: ProviderDouble, provider_name: str
) -> None:
    body = _body("truncate-stream", stream=True)
    through = call(gateway.port, f"/providers/{provider_name}/chat/completions", body)
    assert through.broken
    assert through.body == b"".join(events(json.loads(body), True)[:5])
    event = gateway.sink.take()
    assert event.status == "truncated"
    assert 0 < event.output_tokens <= len(WORDS)  # those that came
    assert event.tokens_reported is False


def test_a_stream_that_ends_early_but_cleanly_is_booked_truncated(gateway: Running) -> None:
    assert not call(gateway.port, _CHAT, _body("stop-without-done", stream=True)).broken
    assert gateway.sink.take().status == "truncated"


def test_a_slow_reader_holds_the_provider_back(gateway: Running, provider: ProviderDouble) -> None:
    """Nothing piles up here while a client does not read; when it does, it gets everything."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
        client.sendall(b"GET /v1/flood HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        flooded = -1
        while flooded != provider.flooded or not flooded:
            flooded = provider.flooded
            time.sleep(0.3)
        assert flooded < FLOOD // 2
        received = 0
        while piece := client.recv(1 << 20):
            received += len(piece)
    assert received > FLOOD
    eventually(lambda: provider.flooded == FLOOD)


def test_a_request_sent_in_pieces(gateway: Running) -> None:
    body = _body("gpt-4o")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
        client.sendall(f"POST {_CHAT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {GOOD_KEY}\r\n".encode())
        client.sendall(b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n")
        for at in range(0, len(body), 10):
            client.sendall(b"%x\r\n%s\r\n" % (len(body[at : at + 10]), body[at : at + 10]))
        client.sendall(b"0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_a_client_that_leaves_before_its_request_is_complete(gateway: Running, provider: ProviderDouble) -> None:
    seen, departures = len(provider.seen), gateway.gateway.departures
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
        client.sendall(f"POST {_CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nabc".encode())
    eventually(lambda: gateway.gateway.departures == departures + 1)
    assert len(provider.seen) == seen
    assert not gateway.sink.events


def test_a_client_that_hangs_up_on_done_is_not_a_departure(gateway: Running) -> None:
    body = _body("gpt-4o", stream=True)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as client:
        head = f"POST {_CHAT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {GOOD_KEY}\r\n"
        client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        received = b""
        while b"[DONE]" not in received:
            received += client.recv(65_536)
    assert gateway.sink.take().status == "ok"


def test_stopping_the_gateway_books_calls_in_flight(settings: Settings) -> None:
    """A server that stops cancels what runs: the call is booked all the same."""
    with serving(settings) as running:
        sink = running.sink
        client = socket.create_connection(("127.0.0.1", running.port), timeout=20)
        body = _body("slow-stream", stream=True)
        head = f"POST {_CHAT} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {GOOD_KEY}\r\n"
        client.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        assert client.recv(10)
        client.close()
    assert sink.take().status == "cancelled"


def test_no_cookie_travels(gateway: Running, provider: ProviderDouble) -> None:
    call(gateway.port, "/v1/models", method="GET", cookie="session=ours", referer="http://localhost/now")
    assert not {"cookie", "referer", "origin"} & set(provider.seen[-1].headers)


def test_our_headers_stay_here(gateway: Running, provider: ProviderDouble) -> None:
    call(gateway.port, _CHAT, _body("gpt-4o"), x_mesure_team="care", x_mesure_anything="x", te="trailers")
    sent = provider.seen[-1].headers
    assert not [name for name in sent if name.startswith("x-mesure")]
    assert "te" not in sent
    assert sent["accept-encoding"] == "identity"
    assert sent["host"] == f"127.0.0.1:{provider.port}"


def test_large_bodies_travel(settings: Settings, provider: ProviderDouble) -> None:
    body = _body("gpt-4o", padding="x" * 3_000_000)
    with serving(replace(settings, gateway=replace(settings.gateway, max_body_mb=4.0))) as running:
        assert call(running.port, _CHAT, body).status == 200
        assert provider.seen[-1].body == body
        assert running.sink.take().output_tokens == len(WORDS)
