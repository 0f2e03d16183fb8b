"""The feed computes only when something may have changed; pushes carry what changed, within their size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, settings

from mesure.apps.web import live as live_module
from mesure.apps.web.feed import Feed
from mesure.apps.web.live import PUSH_BYTES, Channel, Live
from mesure.apps.web.reader import Reader
from mesure.catalogue import current
from mesure.errors import LedgerError
from mesure.ledger.view import Overview


def _channel(language: str = "fr") -> Channel:
    return Channel(Reader.of(language, settings()), current())


def _message(frame: bytes) -> dict[str, Any]:
    data = next(line for line in frame.decode().splitlines() if line.startswith("data: "))
    message: dict[str, Any] = json.loads(data.removeprefix("data: "))
    return message


def _calls(first: int, count: int) -> Overview:
    rows = tuple(replace(row, id=f"call-{first - i}") for i, row in enumerate(web_scenes.office_calls()[:count]))
    return web_scenes.office(last_calls=rows)


def test_nothing_changed_nothing_pushed() -> None:
    channel = _channel()
    channel.update(web_scenes.office())
    seen = channel.seen
    channel.update(web_scenes.office())
    assert channel.seen == seen
    assert channel.frames(seen) == []


def test_a_push_carries_what_changed_and_only_that() -> None:
    channel = _channel()
    channel.update(web_scenes.office())
    seen = channel.seen
    channel.update(web_scenes.office(calls_per_minute=7.0))
    (frame,) = channel.frames(seen)
    assert _message(frame)["set"] == {"rate": "7"}
    assert frame.startswith(f"id: {channel.seen}\n".encode())
    assert frame.endswith(b"\n\n")


def test_new_calls_come_newest_first_once() -> None:
    channel = _channel()
    channel.update(_calls(100, 20))
    seen = channel.seen
    channel.update(_calls(102, 20))
    message = _message(channel.frames(seen)[0])
    assert message["rows"].count("<tr>") == 2
    assert message["rows"].index("call-102") < message["rows"].index("call-101")
    assert not message["cut"]


def test_more_calls_than_a_push_holds_replace_the_list() -> None:
    channel = _channel()
    channel.update(_calls(100, 20))
    seen = channel.seen
    channel.update(_calls(300, 20))
    message = _message(channel.frames(seen)[0])
    assert message["cut"]
    assert "call-300" in message["rows"]


@pytest.mark.parametrize("scene", ["office", "small", "large"])
def test_no_push_exceeds_its_size(scene: str) -> None:
    channel = _channel()
    channel.update(web_scenes.office(last_calls=_calls(1, 1).last_calls))
    seen = channel.seen
    channel.update(web_scenes.SCENES[scene]())
    frames = channel.frames(seen)
    assert frames
    assert max(map(len, frames)) <= PUSH_BYTES
    assert [b"id: " in frame for frame in frames] == [False] * (len(frames) - 1) + [True]


def test_one_rendering_serves_every_listener() -> None:
    channel = _channel()
    channel.update(web_scenes.office())
    seen = channel.seen
    channel.update(web_scenes.office(calls_per_minute=7.0))
    assert channel.frames(seen) is channel.frames(seen)


@pytest.mark.parametrize("seen", ["", "abc-3", "nonsense", "-"])
def test_a_page_of_another_time_loads_itself_again(seen: str) -> None:
    channel = _channel()
    channel.update(web_scenes.office())
    assert _message(channel.frames(seen)[0]) == {"reload": True}


def test_the_first_call_turns_the_welcome_into_the_page() -> None:
    channel = _channel()
    channel.update(web_scenes.empty())
    seen = channel.seen
    channel.update(web_scenes.empty(ledger_version=1))
    assert channel.frames(seen) == []
    channel.update(web_scenes.small())
    assert _message(channel.frames(seen)[0]) == {"reload": True}


def test_languages_differ() -> None:
    french, english = _channel("fr"), _channel("en")
    assert "estimée" in str(french.update(web_scenes.office())["lede"])
    assert "estimated" in str(english.update(web_scenes.office())["lede"])


class _Clock:
    def __init__(self) -> None:
        self.at = web_scenes.NOW

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def _quiet(**changes: Any) -> Overview:
    return web_scenes.empty(**changes)


def _asked_after(overview: Overview, seconds: float, act: Callable[[HeldSource], object] = lambda _: None) -> int:
    """How often the source was asked when the latest is wanted twice, `seconds` apart."""

    async def run() -> int:
        clock, source = _Clock(), HeldSource(overview)
        feed = Feed(source, "Europe/Paris", clock)
        await feed.latest()
        clock.pass_(seconds)
        act(source)
        await feed.latest()
        return source.asked

    return asyncio.run(run())


def test_idle_pages_ask_nothing() -> None:
    assert _asked_after(_quiet(), 30) == 1


def test_rows_of_other_processes_are_found_within_a_minute() -> None:
    assert _asked_after(_quiet(), 61) == 2


def test_an_event_makes_the_next_look_new_but_never_within_a_second() -> None:
    def touch(source: HeldSource) -> None:
        source.told[0]()

    assert _asked_after(_quiet(), 2, touch) == 2
    assert _asked_after(_quiet(), 0.5, touch) == 1


def test_power_falls_back_by_itself() -> None:
    assert _asked_after(web_scenes.office(), 2) == 2
    assert _asked_after(web_scenes.office(), 0.5) == 1


def test_the_hour_moves_each_minute_while_it_holds_anything() -> None:
    still = _quiet(power_series=web_scenes.hour(10.0))
    assert _asked_after(still, 40) == 1
    assert _asked_after(still, 50) == 2


def test_a_new_day_starts_its_counter() -> None:
    late = web_scenes.NOW.replace(hour=22, minute=59, second=50)
    assert _asked_after(_quiet(now=late), (late - web_scenes.NOW).total_seconds() + 20) == 2


def test_pages_that_ask_together_share_one_answer() -> None:
    async def run() -> int:
        source = HeldSource(web_scenes.office())
        feed = Feed(source, "Europe/Paris", _Clock())
        await asyncio.gather(*(feed.latest() for _ in range(50)))
        return source.asked

    assert asyncio.run(run()) == 1


def test_an_error_is_told_and_forgotten() -> None:
    async def run() -> None:
        source = HeldSource(LedgerError("The table cannot be read", action="Run mesure doctor"))
        feed = Feed(source, "Europe/Paris", _Clock())
        with pytest.raises(LedgerError):
            await feed.latest()
        source.now = web_scenes.office()
        assert await feed.latest() is source.now

    asyncio.run(run())


def _live(source: HeldSource) -> Live:
    readers = {language: Reader.of(language, settings()) for language in ("fr", "en")}
    return Live(Feed(source, "Europe/Paris"), readers, current())


def test_listeners_are_told_and_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "TICK_S", 0.01)
    monkeypatch.setattr(live_module, "_HEARTBEAT_S", 0.05)

    async def run() -> list[bytes]:
        source = HeldSource(web_scenes.office())
        live = _live(source)
        live.channels["fr"].update(web_scenes.office())
        frames = []
        async with asyncio.timeout(20):
            stream = live.stream("fr", live.channels["fr"].seen)
            frames.append(await anext(stream))
            frames.append(await anext(stream))
            live.channels["fr"].update(web_scenes.office(calls_per_minute=3.0))
            while b"data" not in frames[-1]:
                frames.append(await anext(stream))
            live.close()
            frames += [frame async for frame in stream]
        return frames

    frames = asyncio.run(run())
    assert frames[0].startswith(b"retry:")
    assert frames[1].startswith(b":")
    assert any(b'"rate":"3"' in frame for frame in frames)


def test_the_beat_stops_when_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "TICK_S", 0.01)

    async def run() -> None:
        live = _live(HeldSource(web_scenes.office()))
        stream = live.stream("en", "")
        async with asyncio.timeout(20):
            await anext(stream)
            ticker = live._ticker
            assert ticker is not None
            await stream.aclose()  # type: ignore[attr-defined]
            await ticker

    asyncio.run(run())


def test_a_failing_source_does_not_end_the_pushes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "TICK_S", 0.01)

    async def run() -> bytes:
        source = HeldSource(LedgerError("The table cannot be read", action="Run mesure doctor"))
        live = _live(source)
        stream = live.stream("en", "old-1")
        async with asyncio.timeout(20):
            await anext(stream)
            while source.asked < 3:  # noqa: ASYNC110  (the source is asked from a thread)
                await asyncio.sleep(0.01)
            source.now = web_scenes.office()
            frame = await anext(stream)
            while b"reload" not in frame:
                frame = await anext(stream)
            live.close()
        return frame

    assert b"reload" in asyncio.run(run())
