"""Virtual keys in front of a provider: what passes, what is refused, what the call says of whom; no key ever leaves."""

from __future__ import annotations

import json
import logging
import re
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from provider_double import GOOD_KEY
from served_gateway import serving

from mesure.apps.gateway.keys import _CARRIERS, KeyCheck, _token, overruled, scope_of
from mesure.apps.gateway.refusals import Refusal
from mesure.errors import StateError
from mesure.state import HeldKey, KeyRing, Keys, Scope, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provider_double import ProviderDouble
    from served_gateway import Running

    from mesure.config import Settings

_CHAT = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Bonjour"}]}'
NEVER_MADE = "mesure-AAAAAAAA-" + "b" * 32


def call(
    url: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Without a client library between."""
    address = urlsplit(url)
    connection = HTTPConnection("127.0.0.1", address.port, timeout=20)
    try:
        connection.request(method, url.partition(str(address.port))[2], body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


class Door:
    """A gateway with keys: its store, its ring, and what it served."""

    def __init__(self, running: Running, keys: Keys, ring: KeyRing) -> None:
        self.running, self.keys, self.ring = running, keys, ring

    def token(self, **scope: str | None) -> str:
        token = self.keys.create(Scope(**scope)).token
        self.ring.refresh()
        return token


@contextmanager
def door(settings: Settings, mode: str) -> Iterator[Door]:
    settings = replace(settings, gateway=replace(settings.gateway, keys=mode))
    store = open_store(settings)
    ring = KeyRing(Path(settings.server.data), partial(open_store, settings), every_s=60.0)
    ring.start()
    try:
        with serving(settings, keys=ring) as running:
            yield Door(running, Keys(store), ring)
    finally:
        ring.stop()
        store.close()


@pytest.fixture
def required(settings: Settings) -> Iterator[Door]:
    with door(settings, "required") as opened:
        yield opened


@pytest.fixture
def optional(settings: Settings) -> Iterator[Door]:
    with door(settings, "optional") as opened:
        yield opened


def ask(url: str, key: str, **headers: str) -> Any:
    with openai.OpenAI(base_url=url, api_key=key, max_retries=0, default_headers=headers) as client:
        messages: list[Any] = [{"role": "user", "content": "Bonjour"}]
        return client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages)


def refused(url: str, key: str, code: str, status: int = 401, **headers: str) -> str:
    """What the client is told, in full."""
    with pytest.raises(openai.APIStatusError) as raised:
        ask(url, key, **headers)
    error = raised.value
    assert (error.code, error.response.status_code) == (code, status)
    assert error.response.headers["x-mesure-error"] == code
    assert error.response.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert isinstance(error.body, dict)
    assert error.body["mesure"]["action"]
    return error.response.text


def test_a_key_opens_the_gateway_and_the_provider_gets_its_own(required: Door, provider: ProviderDouble) -> None:
    url = required.running.named("keyed")
    assert ask(url, required.token(team="livraison")).parse().id
    sent = provider.seen[-1].headers
    assert sent["authorization"] == f"Bearer {GOOD_KEY}"
    assert not [name for name in sent if name.startswith("x-mesure")]


def test_its_scope_is_written_on_the_call(required: Door) -> None:
    token = required.token(team="livraison", use_case="suivi", end_client="Épicerie Öst")
    answer = ask(required.running.named("keyed"), token, **{"x-mesure-application": "bot", "x-mesure-contact": "c1"})
    event = required.running.sink.take()
    assert (event.team, event.use_case, event.end_client) == ("livraison", "suivi", "Épicerie Öst")
    assert (event.application, event.contact_id) == ("bot", "c1")
    assert event.key_id == token.split("-")[1]
    assert "x-mesure-ignored" not in answer.headers


def test_the_key_wins_over_a_header_and_says_so(required: Door) -> None:
    token = required.token(team="livraison", end_client="a")
    said = {"x-mesure-team": "ventes", "x-mesure-client": "a", "x-mesure-use-case": "devis"}
    answer = ask(required.running.named("keyed"), token, **said)
    event = required.running.sink.take()
    assert (event.team, event.end_client, event.use_case) == ("livraison", "a", "devis")
    assert answer.headers["x-mesure-ignored"] == "team"


def test_a_key_without_scope_leaves_the_fields_to_the_caller(required: Door) -> None:
    ask(required.running.named("keyed"), required.token(), **{"x-mesure-team": "ventes"})
    assert required.running.sink.take().team == "ventes"


@pytest.mark.parametrize("header", ["x-mesure-key", "x-api-key", "api-key", "x-goog-api-key"])
def test_a_key_in_another_header_leaves_the_clients_own_to_the_provider(
    required: Door, provider: ProviderDouble, header: str
) -> None:
    token = required.token(team="t")
    ask(required.running.url, GOOD_KEY, **{header: token})
    sent = provider.seen[-1].headers
    assert sent["authorization"] == f"Bearer {GOOD_KEY}"
    assert token not in json.dumps(sent)
    event = required.running.sink.take()
    assert (event.team, event.key_id) == ("t", token.split("-")[1])


@pytest.mark.parametrize("written", ["key={}", "alt=sse&key={}", "k%65y={}&alt=sse"])
def test_a_key_in_the_query_opens_and_goes_no_further(required: Door, provider: ProviderDouble, written: str) -> None:
    """Where clients of Google's wire put theirs."""
    token = required.token(team="t")
    for url in (required.running.url, required.running.named("keyed")):
        status, _, body = call(f"{url}/mirror?{written.format(token)}")
        assert status == 200
        assert token.split("-")[2] not in body.decode()
        assert provider.seen[-1].path == ("/v1/mirror?alt=sse" if "alt" in written else "/v1/mirror")
    refused_url = f"{required.running.url}/mirror?{written.format('mesure-wrong')}"
    assert call(refused_url)[1]["x-mesure-error"] == "key_unknown"


def test_ours_comes_before_a_key_elsewhere(required: Door, provider: ProviderDouble) -> None:
    first, second = required.token(team="first"), required.token(team="second")
    ask(required.running.named("keyed"), first, **{"x-mesure-key": second})
    assert required.running.sink.take().team == "second"
    assert first not in json.dumps(provider.seen[-1].headers)


def test_no_provider_ever_gets_a_key_of_ours(optional: Door, provider: ProviderDouble, settings: Settings) -> None:
    """Also where no key of the provider is configured, and where keys are off."""
    token = optional.token()
    headers = {"authorization": f"Bearer {token}", "x-api-key": token, "x-mesure-key": token}
    with door(settings, "off") as off:
        for running in (optional.running, off.running):
            status, _, body = call(running.url + "/mirror", headers=headers)
            assert status == 200
            assert token.split("-")[2] not in body.decode()
            assert "authorization" not in provider.last("/v1/mirror").headers


def test_without_a_key(required: Door, optional: Door, provider: ProviderDouble) -> None:
    before = len(provider.seen)
    for key in (GOOD_KEY, "sk-other"):
        refused(required.running.named("keyed"), key, "key_required")
    assert len(provider.seen) == before
    assert not required.running.sink.events
    assert required.running.gateway.refused["key_required"] == 2
    assert ask(optional.running.url, GOOD_KEY).parse().id
    event = optional.running.sink.take()
    assert (event.key_id, event.team) == (None, None)


@pytest.mark.parametrize("mode", ["required", "optional"])
def test_keys_that_do_not_open(settings: Settings, provider: ProviderDouble, mode: str) -> None:
    with door(settings, mode) as at:
        url = at.running.named("keyed")
        revoked, expired = at.token(), at.token()
        at.keys.revoke(revoked)
        with open_store(settings).writing() as transaction:
            ended = {"id": expired.split("-")[1], "ms": 1_700_000_000_000}
            transaction.run("UPDATE virtual_key SET expires_at_ms = :ms WHERE id = :id", **ended)
            transaction.run("UPDATE installation SET value = 'x' WHERE name = 'keys_revision'")
        at.ring.refresh()
        before = len(provider.seen)
        for token, code in ((NEVER_MADE, "key_unknown"), (revoked, "key_revoked"), (expired, "key_expired")):
            text = refused(url, token, code)
            assert token.split("-")[2] not in text
            assert token.rpartition("-")[0] in text  # which key it was, by what may be seen of it
            assert at.running.gateway.refused[code] == 1
        assert "2023-11-14 22:13 UTC" in refused(url, expired, "key_expired")
        assert len(provider.seen) == before
        assert not at.running.sink.events


@pytest.mark.parametrize("given", ["sk-someone-elses-secret", "mesure-short", "mesure-" + "é" * 41, "x" * 4000])
def test_what_is_no_key_of_ours_is_not_repeated(required: Door, given: str) -> None:
    status, headers, body = call(
        required.running.url + "/chat/completions", "POST", _CHAT, {"x-mesure-key": given.encode().decode("latin-1")}
    )
    assert (status, headers["x-mesure-error"]) == (401, "key_unknown")
    assert given not in body.decode()
    assert given[-12:] not in body.decode()


def test_a_revoked_key_is_refused_at_the_next_look(required: Door) -> None:
    url, token = required.running.named("keyed"), required.token()
    assert ask(url, token).parse().id
    required.keys.revoke(token)
    required.ring.refresh()
    refused(url, token, "key_revoked")


def test_both_keys_open_while_one_replaces_the_other(required: Door) -> None:
    from datetime import timedelta

    url, old = required.running.named("keyed"), required.token(team="t")
    new = required.keys.rotate(old, grace=timedelta(days=1)).token
    required.ring.refresh()
    for token in (old, new):
        assert ask(url, token).parse().id
    assert [event.team for event in required.running.sink.wait(2)] == ["t", "t"]


def gone() -> Store:
    raise StateError("The state store cannot be used: gone", value="x", action="y", code="state_unreachable")


def test_the_store_is_never_asked_by_a_call(required: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    token = required.token(team="t")
    monkeypatch.setattr(Store, "_begun", lambda *_, **__: gone())
    required.ring.refresh()
    assert required.ring.state.error is not None
    for _ in range(3):
        assert ask(required.running.named("keyed"), token).parse().id
    assert {event.team for event in required.running.sink.wait(3)} == {"t"}


def test_keys_that_could_never_be_read(settings: Settings) -> None:
    """With `required` nobody can be let in; with `optional` a key says who calls, and a call needs none."""
    ring = KeyRing(Path(settings.server.data) / "nothing", gone, every_s=60.0)
    ring.start()
    for mode in ("required", "optional"):
        changed = replace(settings, gateway=replace(settings.gateway, keys=mode))
        with serving(changed, keys=ring) as running:
            if mode == "required":
                refused(running.named("keyed"), NEVER_MADE, "keys_unavailable", 503)
            else:
                assert ask(running.named("keyed"), NEVER_MADE).parse().id
                assert running.sink.take().key_id is None
    ring.stop()


def test_required_without_any_ring_lets_nobody_in(settings: Settings) -> None:
    changed = replace(settings, gateway=replace(settings.gateway, keys="required"))
    with serving(changed) as running:
        refused(running.named("keyed"), NEVER_MADE, "keys_unavailable", 503)
        refused(running.named("keyed"), GOOD_KEY, "key_required")


def test_a_stream_carries_the_scope_too(required: Door) -> None:
    token = required.token(team="t", use_case="u")
    with openai.OpenAI(base_url=required.running.named("keyed"), api_key=token, max_retries=0) as client:
        messages: list[Any] = [{"role": "user", "content": "Bonjour"}]
        assert list(client.chat.completions.create(model="gpt-4o", messages=messages, stream=True))
    event = required.running.sink.take()
    assert (event.team, event.use_case, event.key_id, event.stream) == ("t", "u", token.split("-")[1], True)


def test_the_scope_is_written_even_when_reading_the_request_fails(
    required: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("mesure.apps.gateway.metering.attribution", broken)
    ask(required.running.named("keyed"), required.token(team="t"))
    assert required.running.sink.take().team == "t"


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/models", "/mirror", "/no/such", "/%2e%2e/x"])
def test_every_path_asks_for_the_key(required: Door, provider: ProviderDouble, path: str) -> None:
    before = len(provider.seen)
    for url in (required.running.url, required.running.named("keyed"), required.running.named("unknown")):
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            status, headers, _ = call(url + path, method, headers={"authorization": f"Bearer {GOOD_KEY}"})
            assert (status, headers["x-mesure-error"]) == (401, "key_required")
    assert len(provider.seen) == before


def test_no_key_in_logs_events_answers_or_files(
    required: Door, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Every way a call can end, then a search of everything that stayed."""
    token = required.token(team="t")
    secret = token.split("-")[2]
    told = []
    with caplog.at_level(logging.DEBUG):
        for provider_name in ("keyed", "double", "down", "impatient", "nobody"):
            for path in ("/chat/completions", "/mirror", "/../x", "/models"):
                for body in (_CHAT, b"{", _CHAT.replace(b"gpt-4o", b"fail-500")):
                    headers = {"authorization": f"Bearer {token}", "x-mesure-key": token, "x-mesure-labels": "a=b"}
                    url = required.running.named(provider_name) + path
                    _, answered, text = call(url, "POST", body, headers)
                    told.append(json.dumps(dict(answered)) + text.decode("utf-8", "replace"))
    assert len(told) == 60
    found = [caplog.text, *told, *(str(event.to_json()) for event in required.running.sink.events)]
    found += [file.read_bytes().decode("latin-1") for file in Path(settings.server.data).rglob("*") if file.is_file()]
    assert not [text for text in found if secret in text]


# The door itself

HELD = HeldKey("AAAAAAAA", "t", None, "c", 2_000_000_000_000, revoked=False)
NAMES = [b"authorization", b"x-mesure-key", b"x-api-key", b"api-key", b"x-goog-api-key", b"accept", b"x-mesure-team"]
VALUES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([NEVER_MADE.encode(), b"Bearer " + NEVER_MADE.encode(), b"bearer  " + NEVER_MADE.encode() + b" "]),
    st.sampled_from([b"Bearer sk-x", b"Basic bWVzdXJl", b"mesure-", b"Bearer mesure-", b"Bearer", b""]),
)


class OneKey:
    """Knows one token."""

    known = True

    def find(self, token: bytes) -> HeldKey | None:
        return HELD if token == NEVER_MADE.encode() else None


@given(
    headers=st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=6), mode=st.sampled_from(["off", "optional"])
)
def test_whatever_the_headers_no_key_passes_and_nothing_else_is_lost(
    headers: list[tuple[bytes, bytes]], mode: str
) -> None:
    check = KeyCheck(mode, OneKey(), clock=lambda: 1_900_000_000.0)  # type: ignore[arg-type]
    carried = [(name, found) for name, value in headers if name in _CARRIERS and (found := _token(name, value))]
    ours = [token for name, token in carried if name == b"x-mesure-key"]
    token = ours[-1] if ours else carried[0][1] if carried else NEVER_MADE.encode()
    if mode == "optional" and token != NEVER_MADE.encode():
        with pytest.raises(Refusal, match="not known"):
            check.admit(headers)
        return
    kept, _, key = check.admit(headers)
    assert not any(re.search(rb"mesure-\w{8}-\w{32}", value) for name, value in kept if name in _CARRIERS)
    lost = [pair for pair in headers if pair not in kept]
    assert all(b"mesure-" in value or name == b"x-mesure-key" for name, value in lost)
    assert key in (None, HELD)
    if key is None and mode == "optional":
        assert list(kept) == headers


PARTS = st.one_of(
    st.sampled_from(["alt=sse", "key=AIza-x", "key", "key=", "monkey=mesure-x", "k%65y=AIza", "=", ""]),
    st.text("abckey=%2", max_size=8),
)
OURS = ["key=" + NEVER_MADE, "k%65y=" + NEVER_MADE, "key=" + NEVER_MADE.replace("-", "%2D")]


@given(parts=st.lists(PARTS, max_size=5), at=st.integers(0, 5), ours=st.sampled_from([*OURS, None]))
def test_whatever_the_query_no_key_passes_and_the_rest_stays_as_it_is(
    parts: list[str], at: int, ours: str | None
) -> None:
    asked = "&".join([*parts[:at], *([ours] if ours else []), *parts[at:]])
    admitted = KeyCheck("optional", OneKey(), clock=lambda: 1_900_000_000.0).admit([], asked)  # type: ignore[arg-type]
    assert admitted == ([], "&".join(parts) if ours else asked, HELD if ours else None)


def test_a_key_in_the_query_gives_way_to_one_in_a_header_and_neither_passes() -> None:
    check = KeyCheck("optional", OneKey(), clock=lambda: 1_900_000_000.0)  # type: ignore[arg-type]
    headers = [(b"x-goog-api-key", NEVER_MADE.encode())]
    assert check.admit(headers, "key=mesure-other&alt=sse") == ([], "alt=sse", HELD)
    with pytest.raises(Refusal, match="not known"):
        check.admit([], "alt=sse&key=mesure-other")


def test_it_ends_at_its_millisecond() -> None:
    headers = [(b"authorization", b"Bearer " + NEVER_MADE.encode())]
    for at_s, opens in ((1_999_999_999.999, True), (2_000_000_000.0, False), (2_000_000_001.0, False)):
        check = KeyCheck("required", OneKey(), clock=lambda at_s=at_s: at_s)  # type: ignore[arg-type, misc]
        if opens:
            assert check.admit(headers) == ([], "", HELD)
        else:
            with pytest.raises(Refusal) as raised:
                check.admit(headers)
            assert raised.value.code == "key_expired"


def test_scope_and_what_it_overrules() -> None:
    assert scope_of(None) == {}
    assert scope_of(HELD) == {"team": "t", "end_client": "c", "key_id": "AAAAAAAA"}
    who = {"team": "other", "end_client": "c", "use_case": "u", "user": "x"}
    assert overruled(who, HELD) == ["team"]
    assert who == {"use_case": "u", "user": "x"}
    assert overruled(who, None) == []
    assert overruled({}, HELD) == []
