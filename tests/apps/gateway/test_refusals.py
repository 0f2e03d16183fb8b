"""What the gateway answers itself: three parts, a stable code, and the client's natural exception. Keys never leave."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import openai
import pytest
from provider_double import GOOD_KEY
from served_gateway import serving
from test_relay import call

from mesure.config import Settings

if TYPE_CHECKING:
    from provider_double import ProviderDouble
    from served_gateway import Running

_CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Bonjour"}]}'


def _ask(url: str, model: str = "gpt-4o", **more: Any) -> Any:
    with openai.OpenAI(base_url=url, api_key=GOOD_KEY, max_retries=0) as client:
        messages: list[Any] = [{"role": "user", "content": "Bonjour"}]
        return client.chat.completions.create(model=model, messages=messages, **more)


def _refused(error: openai.APIStatusError, code: str) -> dict[str, Any]:
    """The error's own account of itself, checked for its three parts."""
    assert error.code == code
    assert error.response.headers["x-mesure-error"] == code
    body = error.body
    assert isinstance(body, dict)
    parts = body["mesure"]
    assert parts["code"] == code
    assert parts["what"]
    assert parts["action"]
    assert parts["what"] in error.message
    assert parts["action"] in error.message
    return dict(parts)


def test_unknown_provider_names_the_nearest(gateway: Running) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        _ask(gateway.named("doubel"))
    parts = _refused(raised.value, "unknown_provider")
    assert parts["value"] == "doubel"
    assert "double" in parts["nearest"]
    assert not gateway.sink.events


def test_no_default_provider(settings: Settings) -> None:
    others = {name: replace(given, default=False) for name, given in settings.providers.items()}
    with serving(replace(settings, providers=others)) as running:
        with pytest.raises(openai.NotFoundError) as raised:
            _ask(running.url)
        assert "/providers/double/" in _refused(raised.value, "no_default_provider")["action"]
        assert _ask(running.named("double")).id


def test_no_provider_at_all() -> None:
    with serving(Settings()) as running, pytest.raises(openai.NotFoundError) as raised:
        _ask(running.url)
    _refused(raised.value, "no_default_provider")


def test_provider_down(gateway: Running) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        _ask(gateway.named("down"))
    assert raised.value.status_code == 502
    assert _refused(raised.value, "provider_unreachable")["value"] == "down"
    event = gateway.sink.take()
    assert (event.status, event.http_status, event.error_type) == ("error", 502, "provider_unreachable")
    assert event.provider == "down"
    assert (event.input_tokens, event.output_tokens, event.tokens_reported) == (0, 0, False)  # it was never sent


def test_a_provider_that_takes_no_connection(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(full.getsockname())
        slow = replace(
            settings.providers["down"],
            base_url=f"http://127.0.0.1:{full.getsockname()[1]}/v1",
            connect_timeout_s=0.2,
        )
        with serving(replace(settings, providers={"slow": slow})) as running:
            with pytest.raises(openai.InternalServerError) as raised:
                _ask(running.named("slow"))
            told = _refused(raised.value, "provider_unreachable")
            assert "0.2 s" in told["what"]
            assert "connect_timeout_s" in told["action"]
            event = running.sink.take()
    assert (event.error_type, event.input_tokens, event.output_tokens) == ("provider_unreachable", 0, 0)


def test_provider_that_hangs_up_without_an_answer(gateway: Running) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        _ask(gateway.url, "drop")
    _refused(raised.value, "provider_disconnected")
    assert gateway.sink.take().error_type == "provider_disconnected"


def test_provider_that_takes_too_long(gateway: Running) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        _ask(gateway.named("impatient"), "hang")
    assert raised.value.status_code == 504
    told = _refused(raised.value, "provider_timeout")
    assert told["value"] == "impatient, 0.4 s"
    assert told["action"].endswith("providers.impatient.first_byte_timeout_s")
    event = gateway.sink.take()
    assert (event.input_tokens, event.output_tokens) == (None, None)  # it may have worked all the while


def test_provider_that_stalls_in_a_stream(gateway: Running) -> None:
    body = _CHAT.replace(b"gpt-4o", b"slow-stream")[:-1] + b',"stream":true}'
    assert call(gateway.port, "/providers/impatient/chat/completions", body).broken
    event = gateway.sink.take()
    assert (event.status, event.error_type) == ("truncated", "provider_timeout")


def test_body_too_large(gateway: Running, provider: ProviderDouble) -> None:
    seen = len(provider.seen)
    with pytest.raises(openai.APIStatusError) as raised:
        _ask(gateway.url, user="x" * 2_000_001)
    assert raised.value.status_code == 413
    assert _refused(raised.value, "body_too_large")["value"] == "limit 2 MB"
    assert len(provider.seen) == seen
    assert _ask(gateway.url).id  # and the next call goes through


def test_body_too_large_without_a_length(gateway: Running) -> None:
    with openai.OpenAI(base_url=gateway.url, api_key=GOOD_KEY, max_retries=0) as client:
        pieces = (b"x" * 100_000 for _ in range(30))
        response = client._client.post(gateway.url + "/chat/completions", content=pieces)
    assert response.status_code == 413


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "169.254.169.254"])
def test_other_host_names(gateway: Running, provider: ProviderDouble, host: str) -> None:
    seen = len(provider.seen)
    for path in ("/v1/models", "/providers/keyed/models", "/providers/nobody/models"):
        got = call(gateway.port, path, method="GET", host=host)
        assert got.status == 403
        assert got.json["error"]["code"] == "bad_host"
    assert len(provider.seen) == seen


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1234", "127.0.0.1", "127.8.9.1:80", "[::1]:8420", "a.localhost"]
)
def test_names_of_this_machine(gateway: Running, host: str) -> None:
    assert call(gateway.port, "/v1/models", method="GET", host=host).status == 200


def test_a_foreign_page_cannot_spend_our_key(gateway: Running, provider: ProviderDouble) -> None:
    seen = len(provider.seen)
    for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example", "http://[bad"):
        got = call(gateway.port, "/providers/keyed/chat/completions", _CHAT, origin=origin)
        assert got.json["error"]["code"] == "foreign_origin"
    assert len(provider.seen) == seen
    assert call(gateway.port, "/providers/keyed/chat/completions", _CHAT, origin="http://localhost:3000").status == 200
    assert call(gateway.port, "/v1/chat/completions", _CHAT, origin="https://app.example").status == 200


_CLIMBING = [
    "/v1/../admin",
    "/v1/..",
    "/v1/a/../../b",
    "/v1/%2e%2e/admin",
    "/v1/.%2E/admin",
    "/v1/x%2f..%2fadmin",
    "/v1/..%2fadmin",
    "/v1/..\\admin",
    "/v1/x%5c..%5cadmin",
    "/providers/keyed/./x",
]


@pytest.mark.parametrize("path", _CLIMBING)
def test_paths_that_climb(gateway: Running, provider: ProviderDouble, path: str) -> None:
    seen = len(provider.seen)
    got = call(gateway.port, path, method="GET")
    assert got.status == 400
    assert got.json["error"]["code"] == "bad_path"
    assert len(provider.seen) == seen


_ELSEWHERE = ["//evil.example/x", "/@evil.example/x", "/http://evil.example/", "/.evil.example", "/:80@evil.example/"]


@pytest.mark.parametrize("rest", _ELSEWHERE)
@pytest.mark.parametrize("base", ["/v1", "/providers/keyed"])
def test_no_path_names_another_upstream(gateway: Running, provider: ProviderDouble, base: str, rest: str) -> None:
    seen = len(provider.seen)
    call(gateway.port, base + rest, method="GET")
    assert len(provider.seen) == seen + 1
    assert provider.seen[-1].path == "/v1" + rest
    assert provider.seen[-1].headers["host"] == f"127.0.0.1:{provider.port}"


def test_no_header_or_field_names_another_upstream(gateway: Running, provider: ProviderDouble) -> None:
    elsewhere = "http://127.0.0.1:9/v1"
    body = json.loads(_CHAT) | {"base_url": elsewhere, "api_base": elsewhere}
    names = ("x_mesure_upstream", "x_mesure_base_url", "x_portkey_custom_host", "x_forwarded_host", "forwarded")
    headers = dict.fromkeys(names, elsewhere)
    assert call(gateway.port, "/providers/keyed/chat/completions", json.dumps(body).encode(), **headers).status == 200
    assert provider.seen[-1].headers["host"] == f"127.0.0.1:{provider.port}"


def test_redirects_are_passed_on_not_followed(gateway: Running) -> None:
    got = call(gateway.port, "/providers/keyed/moved", method="GET")
    assert got.status == 302
    assert got.headers["location"] == "http://169.254.169.254/latest"


def test_a_configured_key_replaces_the_client_s(gateway: Running, provider: ProviderDouble) -> None:
    with openai.OpenAI(base_url=gateway.named("keyed"), api_key="sk-of-the-client", max_retries=0) as client:
        assert client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}]).id
    assert provider.seen[-1].headers["authorization"] == f"Bearer {GOOD_KEY}"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "mirror", None),
        ("POST", "mirror", b"{}"),
        ("POST", "chat/completions", b"{}"),
        ("POST", "chat/completions", _CHAT.replace(b"gpt-4o", b"fail-500")),
        ("GET", "models", None),
    ],
)
def test_a_configured_key_is_never_echoed(gateway: Running, method: str, path: str, body: bytes | None) -> None:
    got = call(gateway.port, f"/providers/keyed/{path}", body, method)
    assert GOOD_KEY.encode() not in got.body
    assert GOOD_KEY not in str(got.headers)
    if path == "mirror":
        assert got.json["headers"]["authorization"] == "Bearer [key withheld]"


def test_a_key_refused_by_the_provider_is_not_echoed(settings: Settings) -> None:
    wrong = replace(settings.providers["keyed"], api_key="sk-configured-but-wrong")
    with (
        serving(replace(settings, providers={"keyed": wrong})) as running,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        _ask(running.named("keyed"))
    assert "sk-configured" not in str(raised.value)
    assert "[key withheld]" in str(raised.value)


def test_a_failure_of_the_gateway_itself_is_told(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(gateway.gateway.upstreams, "call", broken)
    with pytest.raises(openai.InternalServerError) as raised:
        _ask(gateway.url)
    assert "a secret detail" not in str(raised.value)
    _refused(raised.value, "gateway_failure")
    assert gateway.sink.take().status == "error"
