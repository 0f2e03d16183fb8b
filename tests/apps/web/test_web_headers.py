"""What stands before every page: headers, names of this server, methods."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
import web_scenes
from held_pages import HeldSource, client_of
from page_reader import read
from starlette.testclient import TestClient
from usage_events import called

from mesure.apps.web.headers import SAFE

_EVENT = called()
_EVERYWHERE = [
    ("get", "/", 302),
    ("get", "/fr/", 200),
    ("head", "/en/", 200),
    ("get", "/en/why", 200),
    ("get", f"/fr/calls/{_EVENT.id}", 200),
    ("get", "/fr/calls/nope", 404),
    ("get", "/nowhere", 404),
    ("post", "/fr/", 405),
    ("get", "/live?lang=de", 400),
    ("get", "/api/overview", 200),
    ("get", "/api/nowhere", 404),
    ("get", "/healthz", 200),
    ("get", "/readyz", 200),
    ("get", "/metrics", 200),
]


@pytest.mark.parametrize(("method", "path", "status"), _EVERYWHERE)
def test_every_answer_carries_the_headers_once(source: HeldSource, method: str, path: str, status: int) -> None:
    source.events[_EVENT.id] = _EVENT
    answer = getattr(client_of(source), method)(path, follow_redirects=False)
    assert answer.status_code == status
    for name, value in SAFE.items():
        assert answer.headers.get_list(name) == [value], name
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers


@pytest.mark.parametrize("path", ["/fr/", "/en/why", "/api/overview"])
def test_a_page_that_fails_carries_them_too(source: HeldSource, path: str) -> None:
    source.now = RuntimeError("unforeseen")
    answer = client_of(source).get(path)
    assert answer.status_code == 500
    for name, value in SAFE.items():
        assert answer.headers.get_list(name) == [value], name


def test_so_does_a_request_under_a_foreign_name(client: TestClient) -> None:
    answer = client.get("/fr/", headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert all(answer.headers[name] == value for name, value in SAFE.items())


def _policy(answer_policy: str) -> dict[str, list[str]]:
    directives = [directive.split() for directive in answer_policy.split("; ")]
    return {name: values for name, *values in directives}


def _sha(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@pytest.mark.parametrize("path", ["/fr/", "/en/why", "/en/nowhere"])
def test_only_our_own_style_and_script_run(client: TestClient, path: str) -> None:
    """The policy allows by hash exactly what the page carries, and the page carries nothing else."""
    answer = client.get(path)
    policy = _policy(answer.headers["content-security-policy"])
    styles, scripts = (re.findall(rf"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL) for tag in ("style", "script"))
    assert [_sha(style) for style in styles] == policy["style-src"]
    assert [_sha(script) for script in scripts] == (policy["script-src"] if path == "/fr/" else [])
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert policy["connect-src"] == policy["form-action"] == ["'self'"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    page = read(answer.text)
    assert not page.all("iframe", "object", "embed", "form", "base", "img")
    for node in page.all():
        assert not [name for name in node.attributes if name == "style" or name.startswith("on")], node.attributes


@pytest.mark.parametrize("path", ["/fr/", "/fr/why"])
def test_a_page_asks_nobody_else_for_anything(client: TestClient, path: str) -> None:
    answer = client.get(path)
    page = read(answer.text)
    assert not [node for node in page.all() if node["src"] or node["srcset"] or node["data"]]
    for link in page.all("link"):
        assert link["href"].startswith(("data:image/svg+xml,", "/en/"))
    assert not re.search(r"url\((?!#)", answer.text.partition("</style>")[0])
    assert "@import" not in answer.text
    live = page.one("body")["data-live"]
    assert live == ("/live?lang=fr" if path == "/fr/" else "")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8420", "10.0.0.3", "", "localhost.evil", "["])
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/fr/", headers={"host": host})
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error["code"] == "bad_host"
    assert error["action"]


@pytest.mark.parametrize("path", ["/", "/fr/", "/live?lang=fr", "/api/overview", "/metrics", "/healthz", "/nowhere"])
def test_no_address_is_exempt_from_the_check_of_names(client: TestClient, path: str) -> None:
    assert client.get(path, headers={"host": "evil.example"}, follow_redirects=False).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8420", "[::1]:8420", "meter.localhost"])
def test_loopback_names_are_ours(client: TestClient, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_health_readiness_and_metrics() -> None:
    fine, ill = client_of(HeldSource(web_scenes.office())), client_of(HeldSource(web_scenes.office()), ok=False)
    assert fine.get("/readyz").status_code == 200
    assert ill.get("/readyz").status_code == 503
    assert ill.get("/healthz").status_code == 200
    assert ill.get("/healthz").json()["committer"] == {"lag_s": 0.2}
    answer = fine.get("/metrics")
    assert answer.text == "mesure_calls_total 3\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("language", ["de", "", "FR", "fr-FR"])
def test_live_speaks_two_languages_only(client: TestClient, language: str) -> None:
    answer = client.get("/live", params={"lang": language})
    assert (answer.status_code, answer.text) == (400, "lang must be fr or en")


def test_pages_travel_compressed_and_say_what_they_vary_with(client: TestClient) -> None:
    packed = client.get("/fr/", headers={"accept-encoding": "gzip"})
    plain = client.get("/fr/", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert "accept-encoding" in packed.headers["vary"].lower()
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
