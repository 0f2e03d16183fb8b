"""Names come from clients: whatever they hold, a page keeps its shape, and a push too."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
import web_scenes
from held_pages import HeldMeter, HeldSource, client_of, settings
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from page_reader import Node, read
from starlette.testclient import TestClient
from usage_events import called, sensed

from mesure.apps.web import calls, create_web
from mesure.apps.web.live import PUSH_BYTES, Channel
from mesure.apps.web.reader import Reader
from mesure.catalogue import current
from mesure.config import ProviderSettings
from mesure.ledger.view import Overview
from mesure.record import UsageEvent

_EVIL = (
    '<img src=x onerror="alert(1)">',
    "</td></tr></table><script>alert(1)</script>",
    "\"><svg onload='alert(1)'>",
    "' onmouseover='alert(1)",
    "{0.__class__} {model} %s %(x)s",
    "<!-- --><![CDATA[",
    "&lt;b&gt; &amp;amp;",
    "javascript:alert(1)",
    "\u202eevil\u202c \u0000\u0007\x1b[31m",
    "</style><style>*{display:none}",
)
_HARMLESS = "name"


def _now(name: str) -> Overview:
    """Every name of the overview is this one."""
    energy = web_scenes.q(1, 2, 3)
    rows = tuple(
        web_scenes.call(i, name, energy, use_case=name, team=name, provider=name, route=name, known=i % 2 == 0)
        for i in range(4)
    )
    models = (
        web_scenes.model(name, web_scenes.q(4, 5, 6), 9, provider=name),
        web_scenes.model(name, energy, 1, known=False, provider=name),
    )
    return web_scenes.office(last_calls=rows, models=models)


def _event(name: str, event_id: str) -> UsageEvent:
    names = {
        "provider": name,
        "model_requested": name,
        "model_answered": name,
        "team": name,
        "use_case": name,
        "host_region": name,
        "error_type": name,
    }
    return called(id=event_id, status="truncated", **names)


def _page(name: str, path: str, language: str) -> Node:
    source = HeldSource(_now(name))
    event_id = web_scenes.call(1, name, web_scenes.q(1, 2, 3)).id
    source.events = {event_id: _event(name, event_id), "sensed": sensed(energy_sensor=name)}
    answer = client_of(source).get(f"/{language}/{path.format(id=event_id)}")
    assert answer.status_code == 200
    return read(answer.text)


@pytest.mark.parametrize("path", ["", "why", "calls/{id}", "calls/sensed"])
@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("evil", _EVIL)
def test_names_from_calls_are_text_never_markup(evil: str, path: str, language: str) -> None:
    """The page has the elements it has with a harmless name, not one more, and shows the name as it is."""
    page, harmless = _page(evil, path, language), _page(_HARMLESS, path, language)
    assert page.outline == harmless.outline
    assert [sorted(node.attributes) for node in page.all()] == [sorted(node.attributes) for node in harmless.all()]
    shown = "".join("".join(node.pieces()) for node in page.all("main"))
    assert evil in shown
    assert re.search(r"\d+ (kB|ko),", page.one("footer").text)


@pytest.mark.parametrize("evil", _EVIL)
def test_pushes_hold_names_as_text(evil: str) -> None:
    def sent(name: str) -> list[str]:
        channel = Channel(Reader.of("en", settings()), current())
        channel.update(web_scenes.office())
        seen = channel.seen
        channel.update(_now(name))
        frames = channel.frames(seen)
        assert all(frame.count(b"\n\n") == 1 and frame.endswith(b"\n\n") for frame in frames)
        return [piece for frame in frames for piece in _html(frame)]

    for piece, harmless in zip(sent(evil), sent(_HARMLESS), strict=True):
        assert read(piece).outline == read(harmless).outline


def _html(frame: bytes) -> list[str]:
    message = json.loads(next(line for line in frame.split(b"\n") if line.startswith(b"data: "))[6:])
    return [*message.get("set", {}).values(), message.get("rows", "")]


@how(max_examples=40, deadline=None)
@given(st.text(max_size=60))
def test_any_name_leaves_the_row_as_it_is(name: str) -> None:
    reader = Reader.of("fr", settings())
    energy = web_scenes.q(1, 2, 3)
    units = calls.Units(energy, None)
    one, other = (
        read(str(calls.row(web_scenes.call(1, text, energy, team=text, use_case=text), reader, units)))
        for text in (name or "x", _HARMLESS)
    )
    assert one.outline == other.outline


@pytest.mark.parametrize("length", [200, 5_000])
def test_long_names_break_no_page_and_no_push(length: int) -> None:
    name = "m" * length
    page = _page(name, "", "fr")
    assert page.outline == _page(_HARMLESS, "", "fr").outline
    channel = Channel(Reader.of("fr", settings()), current())
    channel.update(web_scenes.office())
    seen = channel.seen
    channel.update(_now(name))
    frames = channel.frames(seen)
    assert frames[-1].startswith(b"id: ")
    assert length > PUSH_BYTES / 10 or max(map(len, frames)) <= PUSH_BYTES


@pytest.mark.parametrize("evil", _EVIL[:4])
def test_names_of_the_configuration_are_text_too(evil: str) -> None:
    """Nobody but who writes mesure.toml chooses these; they are escaped all the same."""
    chosen = settings()
    for name in (evil, _HARMLESS):
        chosen = replace(chosen, providers={name: ProviderSettings(base_url=f"http://x/{name}", default=False)})
        source = HeldSource(web_scenes.empty())
        web = create_web(chosen, source, own=HeldMeter(), gateway_metrics=str, health=lambda: {"ok": True})  # type: ignore[arg-type]
        page = read(TestClient(web, base_url="http://127.0.0.1:8420").get("/en/").text)
        assert not page.all("img", "svg")
        assert len(page.all("script")) == 1
        assert f"/providers/{name}" in "".join(page.one("main").pieces())


@pytest.mark.parametrize("path", ["/fr/calls/<script>alert(1)</script>", "/fr/<b>", "/en/calls/%22%3E%3Cimg%3E"])
def test_an_address_is_text_where_it_is_shown(source: HeldSource, path: str) -> None:
    answer = client_of(source).get(path)
    page = read(answer.text)
    assert answer.status_code == 404
    assert not page.all("script", "img", "b")
