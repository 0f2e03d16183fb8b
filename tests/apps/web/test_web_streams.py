"""Live streams as a server drives them: many listeners, some that leave or fall behind, and the end of the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, pages
from starlette.applications import Starlette

from mesure.apps.web import feed as feed_module
from mesure.apps.web import live as live_module
from mesure.apps.web.live import Live
from mesure.ledger.view import Overview

_PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A beat of hundredths of a second: the order of what happens is tested, not the time it takes."""
    monkeypatch.setattr(live_module, "TICK_S", 0.01)
    monkeypatch.setattr(feed_module, "TICK_S", 0.0)
    monkeypatch.setattr(live_module, "_HEARTBEAT_S", 0.05)


class _Listener:
    """One browser's connection to /live, at the level of ASGI."""

    def __init__(self, app: Starlette, query: str, *, last: str = "", accept: str = "") -> None:
        headers = [(b"host", b"127.0.0.1:8420")]
        headers += [(b"last-event-id", last.encode())] if last else []
        headers += [(b"accept-encoding", accept.encode())] if accept else []
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/live",
            "raw_path": b"/live",
            "query_string": query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8420),
        }
        self._gone = asyncio.Event()
        self._first = True
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.ended = False
        self.task = asyncio.create_task(app(self._scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._first:
            self._first = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self.body += message.get("body", b"")
        self.ended = not message.get("more_body", False)

    def leave(self) -> None:
        self._gone.set()

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line[6:]) for line in self.body.split(b"\n") if line.startswith(b"data: ")]

    @property
    def ids(self) -> list[str]:
        return [line[4:].decode() for line in self.body.split(b"\n") if line.startswith(b"id: ")]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not condition():  # noqa: ASYNC110  (what another task receives)
                await asyncio.sleep(0.005)


def _live(app: Starlette) -> Live:
    found: Live = app.state.close.__self__
    return found


def _listening(app: Starlette) -> int:
    return sum(_live(app)._listeners.values())


@contextmanager
def _open(overview: Overview) -> Iterator[tuple[HeldSource, Starlette]]:
    source = HeldSource(overview)
    app = pages(source)
    yield source, app


def _run(act: Callable[[HeldSource, Starlette], Any], overview: Overview | None = None) -> None:
    async def within() -> None:
        with _open(overview or web_scenes.office()) as (source, app):
            try:
                async with asyncio.timeout(3 * _PATIENCE_S):
                    await act(source, app)
            finally:
                app.state.close()

    asyncio.run(within())


def _busier(number: int) -> Overview:
    return web_scenes.office(calls_per_minute=1000.0 + number)


def test_a_stream_is_of_its_kind_and_never_compressed() -> None:
    """Packed, pushes would wait in the packer's buffer."""

    async def act(source: HeldSource, app: Starlette) -> None:
        listener = _Listener(app, "lang=fr", accept="gzip, br")
        await listener.until(lambda: listener.body)
        assert listener.status == 200
        assert listener.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in listener.headers
        assert "content-length" not in listener.headers
        assert listener.headers["cache-control"] == "no-store"
        assert listener.body.startswith(b"retry: 3000\n\n")

    _run(act)


def test_every_listener_of_a_language_gets_the_same() -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        channels = _live(app).channels
        for channel in channels.values():
            channel.update(web_scenes.office())
        seen = {language: channel.seen for language, channel in channels.items()}
        listeners = {
            language: [_Listener(app, f"lang={language}&seen={seen[language]}") for _ in range(20)] for language in seen
        }
        everybody = [one for several in listeners.values() for one in several]
        await everybody[0].until(lambda: _listening(app) == 40)
        source.now = _busier(1)
        for one in everybody:
            await one.until(lambda one=one: one.messages)
        rates = {language: {json.dumps(one.messages[0]) for one in several} for language, several in listeners.items()}
        assert all(len(told) == 1 for told in rates.values())
        assert json.loads(rates["en"].pop())["set"] == {"rate": "1,001"}
        assert json.loads(rates["fr"].pop())["set"] == {"rate": "1\u202f001"}
        assert {one.ids[0] for one in listeners["fr"]} == {channels["fr"].seen}

    _run(act)


def test_listeners_that_leave_are_forgotten_and_the_others_go_on() -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        listeners = [_Listener(app, "lang=en") for _ in range(30)]
        await listeners[0].until(lambda: _listening(app) == 30)
        for one in listeners[:29]:
            one.leave()
        await listeners[0].until(lambda: _listening(app) == 1)
        for one in listeners[:29]:
            await asyncio.wait_for(one.task, _PATIENCE_S)
        last = listeners[29]
        before = len(last.messages)
        source.now = _busier(2)
        await last.until(lambda: len(last.messages) > before)
        last.leave()
        ticker = _live(app)._ticker
        assert ticker is not None
        await last.until(lambda: _listening(app) == 0 and ticker.done())

    _run(act)


def test_nobody_is_asked_for_figures_when_nobody_listens() -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        listener = _Listener(app, "lang=en")
        await listener.until(lambda: source.asked)
        listener.leave()
        ticker = _live(app)._ticker
        assert ticker is not None
        await listener.until(ticker.done)
        asked = source.asked
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert source.asked == asked
        again = _Listener(app, "lang=en")
        await again.until(lambda: source.asked > asked)

    _run(act)


def test_closing_ends_every_stream_as_it_should_end() -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        listeners = [_Listener(app, f"lang={'fr' if i % 2 else 'en'}") for i in range(10)]
        await listeners[0].until(lambda: _listening(app) == 10 and all(one.body for one in listeners))
        app.state.close()
        for one in listeners:
            await asyncio.wait_for(one.task, _PATIENCE_S)
        assert all(one.ended for one in listeners)
        assert _listening(app) == 0
        late = _Listener(app, "lang=fr")  # a browser that comes back while the server stops
        await asyncio.wait_for(late.task, _PATIENCE_S)
        assert late.ended
        assert not late.messages

    _run(act)


def test_closing_without_a_listener_is_no_error() -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        app.state.close()
        app.state.close()

    _run(act)


def test_a_page_that_comes_back_gets_what_it_missed_once() -> None:
    """The browser says the last push it holds; the address of the page says the one it was loaded with."""

    async def act(source: HeldSource, app: Starlette) -> None:
        channel = _live(app).channels["en"]
        channel.update(web_scenes.office())
        loaded = channel.seen
        channel.update(_busier(1))
        middle = channel.seen
        channel.update(web_scenes.office(calls_per_minute=1001.0, power_w=web_scenes.q(1, 2, 3, "W")))
        source.now = web_scenes.office(calls_per_minute=1001.0, power_w=web_scenes.q(1, 2, 3, "W"))
        behind, nearly, present = (
            _Listener(app, f"lang=en&seen={loaded}"),
            _Listener(app, f"lang=en&seen={loaded}", last=middle),  # the header is the later word
            _Listener(app, f"lang=en&seen={channel.seen}"),
        )
        await behind.until(lambda: behind.ids and nearly.ids and b": still here" in present.body)
        assert "rate" in behind.messages[0]["set"]
        assert "rate" not in nearly.messages[0]["set"]
        assert "watts" in nearly.messages[0]["set"]
        assert behind.ids[-1] == nearly.ids[-1] == channel.seen
        assert present.messages == []

    _run(act)


@pytest.mark.parametrize("seen", ["", "zzz-1", "%00", "-", "9" * 5000, "{epoch}-" + "9" * 5000, "{epoch}-²"])
def test_whatever_a_browser_claims_to_have_seen_a_stream_answers(seen: str) -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        channel = _live(app).channels["en"]
        channel.update(web_scenes.office())
        epoch = channel.seen.partition("-")[0]
        listener = _Listener(app, f"lang=en&seen={seen.format(epoch=epoch)}")
        await listener.until(lambda: listener.messages or b": still here" in listener.body)
        assert not listener.task.done()
        assert all(message == {"reload": True} for message in listener.messages)

    _run(act)


def test_calls_arrive_in_their_order_whatever_the_beat() -> None:
    async def act(source: HeldSource, app: Starlette) -> None:
        rows = web_scenes.office_calls()
        first = replace(web_scenes.office(), last_calls=rows[5:15])
        channel = _live(app).channels["fr"]
        channel.update(first)
        source.now = first
        listener = _Listener(app, f"lang=fr&seen={channel.seen}")
        await listener.until(lambda: listener.body)
        for start in (4, 3, 2, 1, 0):
            source.now = replace(first, last_calls=rows[start : start + 10])
            wanted = rows[start].id
            await listener.until(lambda wanted=wanted: wanted in str(listener.messages))
        seen: list[str] = []
        for message in listener.messages:
            ids = [row.id for row in rows if row.id in message.get("rows", "")]
            seen = [*ids, *(one for one in seen if one not in ids)] if message.get("rows") else seen
        assert seen == [row.id for row in rows[:5]]

    _run(act)
