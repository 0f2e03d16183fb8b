"""Content through the gateway: kept for named use cases alone, whole and streamed, and never in any other's way."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from provider_double import GOOD_KEY
from served_gateway import serving

from mesure.apps.gateway.keeping import content_of, keeping
from mesure.config import ContentSettings
from mesure.content import Content, Kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from served_gateway import Running

    from mesure.config import Settings

ASKED = [{"role": "system", "content": "Réponds."}, {"role": "user", "content": "Où est mon colis ?"}]


@contextmanager
def keeping_for(settings: Settings, **kept: ContentSettings) -> Iterator[tuple[Running, Content]]:
    settings = replace(settings, content=kept)
    content = content_of(settings)
    assert content is not None
    with serving(settings, content=content) as running:
        yield running, content
        content.close()


def ask(running: Running, use_case: str | None, *, stream: bool = False, model: str = "gpt-4o", **headers: str) -> str:
    given = headers | ({"x-mesure-use-case": use_case} if use_case else {})
    messages: list[Any] = ASKED
    with openai.OpenAI(base_url=running.url, api_key=GOOD_KEY, max_retries=0, default_headers=given) as client:
        if stream:
            chunks = client.chat.completions.create(model=model, messages=messages, stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        return client.chat.completions.create(model=model, messages=messages).choices[0].message.content or ""


def kept_by(content: Content, calls: int) -> list[Kept]:
    content.close()
    assert content.written == calls
    return list(content.records())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("live", [False, True], ids=["", "live"])
def test_a_named_use_case_is_kept_as_the_client_got_it(settings: Settings, stream: bool, live: bool) -> None:
    more = {"x-mesure-live": "1"} if live else {}
    with keeping_for(settings, suivi=ContentSettings()) as (running, content):
        got = ask(running, "suivi", stream=stream, **{"x-mesure-contact": "c1", "x-mesure-user": "jean"}, **more)
        event = running.sink.take()
        [kept] = kept_by(content, 1)
    assert got
    assert kept.answer == got
    assert kept.messages == ASKED
    assert (kept.event_id, kept.use_case, kept.contact_id, kept.user) == (event.id, "suivi", "c1", event.user)
    assert (kept.started_at, kept.model) == (event.started_at, event.model_answered)


@pytest.mark.parametrize("use_case", ["other", "Suivi", None])
def test_no_other_use_case_is_kept(settings: Settings, use_case: str | None) -> None:
    with keeping_for(settings, suivi=ContentSettings()) as (running, content):
        ask(running, use_case)
        ask(running, use_case, stream=True)
        running.sink.wait(2)
        assert kept_by(content, 0) == []
    assert not (Path(settings.server.data) / "content.sqlite").exists()


@pytest.mark.parametrize("model", ["fail-500", "fail-429", "truncate-stream", "error-in-stream", "drop"])
def test_what_did_not_end_well_is_not_kept(settings: Settings, model: str) -> None:
    with keeping_for(settings, suivi=ContentSettings()) as (running, content):
        with suppress(Exception):  # whatever the client makes of a broken answer
            ask(running, "suivi", stream=True, model=model)
        assert running.sink.take().status != "ok"
        assert kept_by(content, 0) == []


def test_too_large_is_let_go_while_it_passes() -> None:
    kept: list[Any] = []

    class Small:
        def keeps(self, _: str | None) -> int:
            return 10

        def keep(self, call: Any) -> bool:
            kept.append(call)
            return True

    for pieces, expected in (([b"x" * 40], 1), ([b"x" * 41], 0), ([b"x" * 30, b"x" * 30, b"x"], 0), ([], 0)):
        kept.clear()
        held = keeping(Small(), "a", {"messages": []})  # type: ignore[arg-type]
        assert held is not None
        for piece in pieces:
            held.passed([piece])
        held.done({"use_case": "a"})
        assert len(kept) == expected
        assert sum(map(len, held._pieces)) <= 40


def test_off_it_costs_nothing_and_makes_nothing(settings: Settings) -> None:
    assert content_of(settings) is None
    assert keeping(None, "suivi", {}) is None
    with serving(settings) as running:
        ask(running, "suivi")
        running.sink.take()
    assert not list(Path(settings.server.data).glob("content*"))


def test_a_failing_store_changes_nothing_for_the_call(settings: Settings) -> None:
    with keeping_for(settings, suivi=ContentSettings()) as (running, content):
        (Path(settings.server.data) / "content.sqlite").mkdir()
        assert ask(running, "suivi")
        assert running.sink.take().status == "ok"
        content.close()
        assert (content.written, content.failed) == (0, 1)
        assert running.gateway.metering_failures == 0


def test_content_goes_nowhere_but_its_store(settings: Settings) -> None:
    with keeping_for(settings, suivi=ContentSettings()) as (running, content):
        ask(running, "suivi")
        event = running.sink.take()
        kept_by(content, 1)
    assert "colis" not in json.dumps(event.to_json(), default=str)
    for path in Path(settings.server.data).rglob("*"):
        if path.is_file():
            assert b"colis" not in path.read_bytes()
