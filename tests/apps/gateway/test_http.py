"""HTTP itself, between a client on a raw socket and a provider: nothing smuggled, mixed up or sent twice."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any

import pytest
from provider_double import GOOD_KEY, WORDS
from test_relay import Got, call
from wire import statuses

from waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provider_double import ProviderDouble
    from served_gateway import Running

_CHAT = "/v1/chat/completions"
_AUTH = f"authorization: Bearer {GOOD_KEY}"


def _body(model: str = "gpt-4o", content: str = "Bonjour", **more: Any) -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": content}], **more}).encode()


def _request(body: bytes, *headers: str, path: str = _CHAT) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "host: localhost", _AUTH, f"content-length: {len(body)}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Client:
    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.received = b""

    def until(self, end: bytes) -> bytes:
        while end not in self.received:
            piece = self.socket.recv(65_536)
            assert piece, self.received
            self.received += piece
        return self.received

    def rest(self) -> bytes:
        while piece := self.socket.recv(65_536):
            self.received += piece
        return self.received


@contextmanager
def client_of(running: Running) -> Iterator[Client]:
    client = Client(running.port)
    with client.socket:
        yield client


@pytest.mark.parametrize(
    "headers",
    [
        ["transfer-encoding: chunked"],
        ["content-length: 5"],
        ["transfer-encoding: identity"],
        ["host: elsewhere.example"],
        ["x-folded: a", " b"],
    ],
)
def test_a_request_that_can_be_read_two_ways_reaches_no_provider(
    gateway: Running, provider: ProviderDouble, headers: list[str]
) -> None:
    seen = len(provider.seen)
    with client_of(gateway) as client:
        client.socket.sendall(_request(_body(), *headers) + b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n")
        received = client.rest()
    assert statuses(received) == [400]
    assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"
    assert len(provider.seen) == seen
    assert gateway.gateway.refused["bad_request"] >= 1


def test_what_a_body_holds_is_never_a_request(gateway: Running, provider: ProviderDouble) -> None:
    inner = "GET /v1/moved HTTP/1.1\r\nhost: localhost\r\n\r\n"
    seen = len(provider.seen)
    with client_of(gateway) as client:
        client.socket.sendall(_request(_body(content=inner)) * 3)
        client.until(b"}" * 1)
        eventually(lambda: len(provider.seen) == seen + 3)
    assert {request.path for request in provider.seen[seen:]} == {_CHAT}


def test_pipelined_calls_are_answered_in_order_and_booked_each(gateway: Running) -> None:
    calls = [_request(_body(content=f"number {index}")) for index in range(8)]
    with client_of(gateway) as client:
        client.socket.sendall(b"".join(calls[:-1]) + calls[-1].replace(b"host:", b"connection: close\r\nhost:"))
        received = client.rest()
    events = gateway.sink.wait(8)
    assert len({event.response_id for event in events}) == 8
    places = [received.index(f"x-mesure-event-id: {event.id}".encode()) for event in events]
    assert places == sorted(places)


def test_continue_before_a_body(gateway: Running) -> None:
    body = _body()
    head, _, _ = _request(body, "expect: 100-continue").partition(b"\r\n\r\n")
    with client_of(gateway) as client:
        client.socket.sendall(head + b"\r\n\r\n")
        client.until(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.socket.sendall(body)
        client.until(b"HTTP/1.1 200")
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_no_continue_for_a_call_that_is_refused(gateway: Running) -> None:
    head = b"POST /providers/nobody/x HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n"
    with client_of(gateway) as client:
        client.socket.sendall(head)
        assert client.rest().startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_upgrade_to_http_2_is_declined_and_the_call_made(
    gateway: Running, provider: ProviderDouble, framing: str
) -> None:
    """Java's client asks so on every plain connection."""
    body = _body()
    asked = ("connection: Upgrade, HTTP2-Settings", "upgrade: h2c", "http2-settings: AAEAAEAAAAIAAAAB")
    request = _request(body, *asked)
    if framing == "chunked":
        length = f"content-length: {len(body)}".encode()
        request = request.replace(length, b"transfer-encoding: chunked")
        request = request[: -len(body)] + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    with client_of(gateway) as client:
        client.socket.sendall(request)
        assert client.until(b"}}").startswith(b"HTTP/1.1 200")
    assert provider.seen[-1].body == body
    assert not {"upgrade", "http2-settings"} & set(provider.seen[-1].headers)
    assert gateway.sink.take().output_tokens == len(WORDS)


def test_a_websocket_elsewhere_is_refused_clearly(gateway: Running, provider: ProviderDouble) -> None:
    seen = len(provider.seen)
    connection = HTTPConnection("127.0.0.1", gateway.port, timeout=20)
    upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    connection.request("GET", "/v1/responses", headers=upgrade | {"sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA=="})
    got = Got(connection.getresponse())
    connection.close()
    assert got.status == 501
    assert got.json["error"]["code"] == "websocket_unsupported"
    assert "HTTP" in got.json["error"]["mesure"]["action"]
    assert len(provider.seen) == seen


def test_a_head_that_is_too_large(gateway: Running) -> None:
    got = call(gateway.port, "/v1/models", method="GET", x_large="y" * 70_000)
    assert got.status == 431
    assert got.json["error"]["code"] == "head_too_large"


def test_interim_answers_and_trailers_stay_here(gateway: Running) -> None:
    asked = {"stream": True, "stream_options": {"include_usage": True}}
    one, other = (call(gateway.port, _CHAT, _body(name, **asked)) for name in ("interim", "normal!"))
    assert one.status == 200
    assert one.body.replace(b"interim", b"normal!") == other.body
    assert "link" not in one.headers
    assert [event.output_tokens for event in gateway.sink.wait(2)] == [len(WORDS)] * 2


def test_a_call_that_reached_its_provider_is_never_made_twice(gateway: Running, provider: ProviderDouble) -> None:
    call(gateway.port, _CHAT, _body())  # leaves a connection
    seen = len(provider.seen)
    got = call(gateway.port, _CHAT, _body("drop"))
    assert (got.status, got.json["error"]["code"]) == (502, "provider_disconnected")
    assert len(provider.seen) == seen + 1
    assert gateway.gateway.upstreams.repeated == 0
    assert [event.error_type for event in gateway.sink.wait(2)] == [None, "provider_disconnected"]


def test_an_answer_that_is_no_http_is_told_and_not_passed_on(gateway: Running) -> None:
    got = call(gateway.port, _CHAT, _body("bad-answer"))
    assert (got.status, got.json["error"]["code"]) == (502, "provider_bad_answer")
    assert gateway.sink.take().error_type == "provider_bad_answer"


def test_an_answer_pushed_ahead_answers_nobody_else(gateway: Running) -> None:
    for index in range(10):
        got = call(gateway.port, _CHAT, _body("pushed", str(index)))
        assert got.status == 200
        assert b"666666" not in got.body
        assert got.json["usage"]["completion_tokens"] == len(WORDS)


def test_many_clients_at_once_get_each_their_own(gateway: Running) -> None:
    failures: list[str] = []

    def ask(number: int) -> None:
        for turn in range(5):
            name = f"model-{number}-{turn}"
            stream = bool((number + turn) % 2)
            got = call(gateway.port, _CHAT, _body(name, f"{number} {turn}", stream=stream))
            if got.broken or f'"{name}-2026-01-01"'.encode() not in got.body.replace(b": ", b":"):
                failures.append(name)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    events = gateway.sink.wait(80)
    assert len({event.model_requested for event in events}) == 80
    assert all(event.model_answered == f"{event.model_requested}-2026-01-01" for event in events)


def test_a_client_that_closes_its_sending_side_is_gone(gateway: Running, provider: ProviderDouble) -> None:
    cut = provider.cut
    with client_of(gateway) as client:
        client.socket.sendall(_request(_body("slow-stream", stream=True)))
        client.until(b"data: ")
        client.socket.shutdown(socket.SHUT_WR)
        eventually(lambda: provider.cut == cut + 1)
    assert gateway.sink.take().status == "cancelled"


def test_a_client_that_is_reset_cuts_the_provider(gateway: Running, provider: ProviderDouble) -> None:
    cut = provider.cut
    with client_of(gateway) as client:
        client.socket.sendall(_request(_body("hang")))
        eventually(lambda: gateway.gateway.in_flight == 1)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    eventually(lambda: provider.cut == cut + 1)
    assert gateway.sink.take().status == "cancelled"
