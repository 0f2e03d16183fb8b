"""Paths lead to configured providers, and to nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.gateway.providers import Providers
from mesure.apps.gateway.refusals import Refusal
from mesure.apps.hosts import AllowedHosts
from mesure.apps.http1.dialing import Origin
from mesure.config import ProviderSettings, ServerSettings, Settings
from mesure.errors import ConfigError

_SETTINGS = Settings(
    providers={
        "main": ProviderSettings(base_url="https://api.example/v1/", default=True, provider="openai"),
        "bare": ProviderSettings(base_url="http://127.0.0.1:11434"),
        "keyed": ProviderSettings(base_url="https://k.example", api_key_env="THE_KEY"),
    }
)
_PROVIDERS = Providers(_SETTINGS, {"THE_KEY": "sk-1"})


@pytest.mark.parametrize(
    ("path", "query", "url"),
    [
        ("/v1/chat/completions", "", "https://api.example/v1/chat/completions"),
        ("/v1/models/a%2Fb", "x=1&y=%20", "https://api.example/v1/models/a%2Fb?x=1&y=%20"),
        ("/v1/", "", "https://api.example/v1/"),
        ("/v1", "", "https://api.example/v1/"),
        ("/providers/main/embeddings", "", "https://api.example/v1/embeddings"),
        ("/providers/bare/v1/chat/completions", "", "http://127.0.0.1:11434/v1/chat/completions"),
        ("/providers/bare", "", "http://127.0.0.1:11434/"),
        ("/v1/models/..gguf", "", "https://api.example/v1/models/..gguf"),
    ],
)
def test_addresses(path: str, query: str, url: str) -> None:
    assert _PROVIDERS.route("POST", path, query).url == url


def test_what_a_route_knows() -> None:
    route = _PROVIDERS.route("POST", "/providers/bare/v1/chat/completions", "")
    assert (route.path, route.operation, route.ai_call) == ("v1/chat/completions", "chat", True)
    assert route.provider.catalogue_name == "bare"
    assert not _PROVIDERS.route("GET", "/v1/models", "").ai_call
    assert _PROVIDERS.by_name["main"].catalogue_name == "openai"
    assert _PROVIDERS.by_name["keyed"].key == "sk-1"


@given(st.text(st.characters(codec="latin-1"), max_size=40))
def test_any_path_stays_under_its_base(rest: str) -> None:
    for prefix, base in (("/v1/", "https://api.example/v1/"), ("/providers/bare/", "http://127.0.0.1:11434/")):
        try:
            route = _PROVIDERS.route("GET", prefix + rest, "")
        except Refusal as refusal:
            assert refusal.code == "bad_path"  # noqa: PT017  (some paths are refused, some are not)
        else:
            assert route.url == base + rest
            assert ".." not in rest.split("/")


@pytest.mark.parametrize(
    ("base_url", "origin", "authority", "target"),
    [
        ("https://api.example/v1", Origin("api.example", 443, tls=True), b"api.example", b"/v1/x"),
        ("http://API.Example:80/", Origin("api.example", 80), b"api.example", b"/x"),
        ("https://api.example:8443", Origin("api.example", 8443, tls=True), b"api.example:8443", b"/x"),
        ("http://[::1]:11434/v1/", Origin("::1", 11434), b"[::1]:11434", b"/v1/x"),
        ("http://bücher.example/é", Origin("xn--bcher-kva.example", 80), b"xn--bcher-kva.example", b"/%C3%A9/x"),
        ("https://h.example/a%2Fb", Origin("h.example", 443, tls=True), b"h.example", b"/a%2Fb/x"),
    ],
)
def test_where_an_address_leads(base_url: str, origin: Origin, authority: bytes, target: bytes) -> None:
    providers = Providers(Settings(providers={"p": ProviderSettings(base_url=base_url)}), {})
    route = providers.route("GET", "/providers/p/x", "")
    assert (route.provider.origin, route.provider.authority, route.target) == (origin, authority, target)


@pytest.mark.parametrize(
    "base_url",
    [
        "api.example/v1",
        "ftp://api.example",
        "https://",
        "https://user:secret@api.example/v1",
        "https://api.example/v1?key=secret",
        "https://api.example/v1#x",
        "https://api.example:port/v1",
        "https://api.example:99999/v1",
        "https://[::1/v1",
        "https://a..b/v1",
    ],
)
def test_an_address_that_cannot_be_called(base_url: str) -> None:
    with pytest.raises(ConfigError, match="cannot be called") as raised:
        Providers(Settings(providers={"p": ProviderSettings(base_url=base_url)}), {})
    assert "secret" not in str(raised.value)
    assert "http://" in raised.value.action


@pytest.mark.parametrize(
    ("given", "environ"),
    [
        (ProviderSettings(), {}),
        (ProviderSettings(base_url="http://a", api_key_env="ABSENT"), {}),
        (ProviderSettings(base_url="http://a", api_key_env="EMPTY"), {"EMPTY": ""}),
        (ProviderSettings(base_url="http://a", api_key="sk-1\r\nx-injected: 1"), {}),
        (ProviderSettings(base_url="http://a", api_key=" sk-1"), {}),
        (ProviderSettings(base_url="http://a", api_key="clé"), {}),
    ],
)
def test_providers_that_cannot_be_used(given: ProviderSettings, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as raised:
        Providers(Settings(providers={"p": given}), environ)
    assert raised.value.action
    assert "sk-1" not in str(raised.value)


def test_configured_names() -> None:
    hosts = AllowedHosts(ServerSettings(host="10.0.0.5", allowed_hosts=["mesure.intranet", " IA.example "]))
    for name in (b"10.0.0.5:8420", b"mesure.intranet", b"MESURE.intranet.:80", b"ia.example", b"localhost"):
        assert hosts.takes_host(name)
        assert hosts.takes_host(name)  # remembered
    for name in (b"10.0.0.6", b"xmesure.intranet", b"mesure.intranet.evil.example", b"", b"\xff", b"["):
        assert not hosts.takes_host(name)
    assert hosts.takes_origin(b"https://mesure.intranet:8443")
    assert not hosts.takes_origin(b"https://evil.example")


def test_listening_everywhere_opens_no_name() -> None:
    assert not AllowedHosts(ServerSettings(host="0.0.0.0")).takes_host(b"0.0.0.0")
