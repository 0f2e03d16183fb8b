"""Metering by wire: which calls are booked, and when; where keys go; what a failed call leaves out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from served_gateway import ListSink

from mesure.apps.gateway.headers import read_request
from mesure.apps.gateway.metering import CallMetering, Metering
from mesure.apps.gateway.providers import Providers
from mesure.config import ProviderSettings, ServerSettings, Settings
from mesure.meter.wires.choice import WIRES

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.apps.gateway.headers import Pairs

_USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
_BACKGROUND = {
    "id": "resp_0123456789abcdef0123",
    "status": "completed",
    "background": True,
    "model": "gpt-5",
    "usage": {"input_tokens": 8, "output_tokens": 2, "total_tokens": 10},
}


class _Answer:
    """What a provider answered, as far as metering looks at it."""

    def __init__(self, status: int = 200, media_type: str = "application/json", headers: Pairs | None = None) -> None:
        self.status, self.media_type, self.coding, self.headers = status, media_type, "", headers or []


class _Calls:
    """Calls to one provider, one after the other, under the same shared metering."""

    def __init__(self, folder: Path, wire: str, **given: Any) -> None:
        provider = ProviderSettings(base_url="https://p.example", default=True, wire=wire, zone="FRA", **given)
        self.settings = Settings(server=ServerSettings(data=str(folder)), providers={"p": provider})
        self.sink = ListSink()
        self.shared = Metering(self.settings, self.sink, {})
        self.providers = Providers(self.settings)

    def sent(self, path: str, request: Any = None, method: str = "POST") -> CallMetering:
        path, _, query = path.partition("?")
        call = CallMetering(self.shared, self.providers.route(method, path, query))
        body = b"" if request is None else json.dumps(request).encode()
        assert call.sent(read_request([(b"content-type", b"application/json")], b""), body) == body
        return call

    def held(self, path: str, request: Any, answer: Any, status: int = 200, method: str = "POST") -> dict[bytes, bytes]:
        call = self.sent(path, request, method)
        headers = call.held(_Answer(status), json.dumps(answer).encode())  # type: ignore[arg-type]
        call.finish("cancelled")  # what the relay does last of all
        return dict(headers or [])


@pytest.fixture
def calls(tmp_path: Path) -> _Calls:
    return _Calls(tmp_path, "openai")


def test_a_path_that_is_not_known_is_booked_when_it_names_a_model(calls: _Calls) -> None:
    headers = calls.held("/v1/oracles", {"model": "pythia-9"}, {"prophecy": "?"})
    event = calls.sink.take()
    assert (event.operation, event.model_requested, event.tokens_reported) == ("other", "pythia-9", None)
    assert headers[b"x-mesure-event-id"] == event.id.encode()
    assert calls.shared.unmetered == {}


def test_a_path_that_is_not_known_is_booked_when_it_tells_usage(calls: _Calls) -> None:
    calls.held("/v1/oracles", {"question": "?"}, {"usage": _USAGE})
    assert calls.sink.take().input_tokens == 12


def test_other_unknown_calls_are_counted_and_not_booked(calls: _Calls) -> None:
    assert calls.held("/v1/notes", {"text": "?"}, {"ok": True}) == {}
    calls.held("/v1/notes", {"text": "?"}, {"ok": True})
    calls.held("/v1/notes", {"text": "?", "model": "m"}, {"error": {}}, status=404)  # no such path: no call
    calls.held("/v1/files", {"model": "m"}, {"usage": _USAGE})
    calls.held("/v1/notes", None, {"usage": _USAGE}, method="GET")
    assert calls.sink.events == []
    assert calls.shared.unmetered == {"p": 2}


def test_what_the_background_made_is_booked_when_it_is_collected_and_once(calls: _Calls) -> None:
    waiting = {**_BACKGROUND, "status": "queued", "usage": None}
    assert b"x-mesure-event-id" in calls.held("/v1/responses", {"model": "gpt-5", "background": True}, waiting)
    assert calls.held("/v1/responses/resp_1", None, waiting, method="GET") == {}
    assert calls.sink.events == []
    for _ in range(3):
        calls.held("/v1/responses/resp_1", None, _BACKGROUND, method="GET")
    event = calls.sink.take()
    assert (event.input_tokens, event.output_tokens, event.duration_ms) == (8, 2, None)
    assert (event.response_id, event.stream) == (_BACKGROUND["id"], None)


def test_collecting_that_fails_is_not_a_call(calls: _Calls) -> None:
    calls.held("/v1/responses/resp_1", None, {"error": {"code": "not_found"}}, status=404, method="GET")
    calls.held("/v1/batches/batch_1", None, {"error": {"code": "oops"}}, status=500, method="GET")
    assert calls.sink.events == []
    calls.held("/v1/responses/resp_1", None, _BACKGROUND, method="GET")  # still to be booked
    assert len(calls.sink.events) == 1


def test_results_broken_off_are_booked_when_they_come_whole(tmp_path: Path) -> None:
    calls = _Calls(tmp_path, "anthropic")
    usage = {"input_tokens": 10, "output_tokens": 2}
    line = json.dumps({"result": {"type": "succeeded", "message": {"model": "c", "usage": usage}}}).encode() + b"\n"
    for outcome in ("truncated", "cancelled", "ok", "ok"):
        call = calls.sent("/v1/v1/messages/batches/msgbatch_1/results", method="GET")
        call.streams(_Answer(media_type="application/x-jsonl"))  # type: ignore[arg-type]
        assert call.passed(line) == line
        call.ended()
        call.finish(outcome)  # type: ignore[arg-type]
    event = calls.sink.take()
    assert (event.calls_count, event.input_tokens, event.status) == (1, 10, "ok")


def test_a_200_that_tells_an_error_is_an_error(calls: _Calls) -> None:
    calls.held("/v1/responses", {"model": "m"}, {"status": "failed", "error": {"code": "server_error"}})
    event = calls.sink.take()
    assert (event.status, event.error_type, event.http_status) == ("error", "server_error", 200)


@pytest.mark.parametrize(("status", "images"), [(200, 4), (400, None), (500, None)])
def test_images_asked_for_count_only_when_they_were_made(calls: _Calls, status: int, images: int | None) -> None:
    """A large answer is not read whole: its number of images is the number asked for."""
    call = calls.sent("/v1/images/generations", {"model": "gpt-image-1", "n": 4})
    if status == 200:
        call.streams(_Answer())  # type: ignore[arg-type]
        call.passed(b'{"data":[{"b64_json":"aaaa')
        call.passed(b'aaa"}],"usage":{"input_tokens":9,"output_tokens":4160}}')
        call.ended()
        call.finish(call.stream_outcome())
    else:
        call.held(_Answer(status), b"{}")  # type: ignore[arg-type]
    event = calls.sink.take()
    assert event.images_count == images
    assert event.output_tokens == (4160 if status == 200 else None)


def test_images_of_a_call_that_was_left_are_unknown(calls: _Calls) -> None:
    calls.sent("/v1/images/generations", {"model": "gpt-image-1", "n": 4}).finish("cancelled")
    assert calls.sink.take().images_count is None


@pytest.mark.parametrize(
    ("wire", "path", "request_body", "media_type", "pieces"),
    [
        ("openai", "/v1/chat/completions", {"stream": True}, "application/json", False),
        ("openai", "/v1/chat/completions", {}, "application/problem+json", False),
        ("openai", "/v1/lines", {}, "application/x-ndjson", True),
        ("ollama", "/v1/api/chat", {}, "application/x-ndjson", True),
        ("ollama", "/v1/api/chat", {"stream": False}, "application/json", False),
        ("ollama", "/v1/api/embed", {}, "application/json", False),
        ("gemini", "/v1/models/m:streamGenerateContent", {"contents": []}, "application/json", True),
        ("gemini", "/v1/models/m:generateContent", {"contents": []}, "application/json", False),
        ("cohere", "/v1/chat", {"stream": True}, "application/stream+json", True),
    ],
)
def test_what_is_a_stream_is_not_held(
    tmp_path: Path, wire: str, path: str, request_body: Any, media_type: str, pieces: bool
) -> None:
    calls = _Calls(tmp_path, wire, include_usage=False)
    call = calls.sent(path, request_body)
    assert call.comes_in_pieces(_Answer(media_type=media_type)) is pieces  # type: ignore[arg-type]


def test_an_array_that_is_streamed_has_a_first_output(tmp_path: Path) -> None:
    calls = _Calls(tmp_path, "gemini")
    call = calls.sent("/v1/models/gemini-x:streamGenerateContent", {"contents": []})
    call.streams(_Answer())  # type: ignore[arg-type]
    for piece in (b'[{"candidates":[]', b'},{"usageMetadata":{"promptTokenCount":3,"totalTokenCount":9}}]'):
        assert call.passed(piece) == piece
    assert call.ended() == b""
    call.finish(call.stream_outcome())
    event = calls.sink.take()
    assert 0 < (event.first_output_ms or 0) <= (event.duration_ms or 0)
    assert (event.model_requested, event.input_tokens, event.output_tokens) == ("gemini-x", 3, 6)
    assert event.stream


def test_headers_of_an_answer_tell_tokens_on_the_wires_that_do(tmp_path: Path) -> None:
    told: Pairs = [(b"x-prompt-tokens", b"7"), (b"x-generated-tokens", b"3")]
    for wire, expected in (("tgi", (7, 3)), ("openai", (None, None))):
        calls = _Calls(tmp_path, wire)
        path = "/v1/generate" if wire == "tgi" else "/v1/completions"
        call = calls.sent(path, {"inputs": "a"})
        call.held(_Answer(headers=told), b'{"generated_text":"b"}')  # type: ignore[arg-type]
        event = calls.sink.take()
        assert (event.input_tokens, event.output_tokens) == expected


# Keys

_CLIENT_KEYS = [(b"authorization", b"Bearer a"), (b"x-api-key", b"b"), (b"x-goog-api-key", b"c"), (b"api-key", b"d")]


@pytest.mark.parametrize("wire", WIRES)
def test_a_configured_key_takes_the_place_of_all_the_client_s(tmp_path: Path, wire: str) -> None:
    route = _Calls(tmp_path, wire, api_key="ours").providers.route("POST", "/v1/x", "key=mine&alt=sse")
    sent = read_request(_CLIENT_KEYS, route.provider.key.encode(), route.provider.key_header).sent
    header = WIRES[wire].key_header
    assert [pair for pair in sent if pair[0] != b"accept-encoding"] == [
        (header.encode(), b"Bearer ours" if header == "authorization" else b"ours")
    ]
    assert route.url == "https://p.example/x?alt=sse"


def test_without_one_the_client_s_keys_pass_on(tmp_path: Path) -> None:
    route = _Calls(tmp_path, "gemini").providers.route("POST", "/v1/x", "key=mine&alt=sse")
    sent = dict(read_request(_CLIENT_KEYS, route.provider.key.encode(), route.provider.key_header).sent)
    assert (sent[b"authorization"], sent[b"x-goog-api-key"], sent[b"api-key"]) == (b"Bearer a", b"c", b"d")
    assert route.url == "https://p.example/x?key=mine&alt=sse"


def test_a_key_in_the_middle_of_a_name_stays(tmp_path: Path) -> None:
    providers = _Calls(tmp_path, "gemini", api_key="ours").providers
    for query in ("monkey=1", "a=key=1", "pageToken=x&keyword=y"):
        assert providers.route("POST", "/v1/x", query).url.endswith(f"?{query}")
