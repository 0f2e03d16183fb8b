"""Server-sent events: each language's page is compared with itself once a second, and what changed goes to all.

A listener states the last push it holds (`seen`) and gets everything since, so nothing is kept per listener, a slow one
skips to the latest, and a page that was hidden catches up when it comes back.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import orjson
from htpy import fragment

from mesure.apps.web import calls, now
from mesure.apps.web.feed import TICK_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from htpy import Node

    from mesure.apps.web.feed import Feed
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue
    from mesure.i18n import Language
    from mesure.ledger.view import Overview

__all__ = ["PUSH_BYTES", "Channel", "Live"]

log = logging.getLogger("mesure.web")

#: Largest push. What does not fit follows a second later.
PUSH_BYTES = 5000
_HEARTBEAT_S = 15.0
_HEARTBEAT = b": still here\n\n"
_FRAME_BYTES = 64  # "id: ...", "data: ", the names of its parts and the blank line
_DIGITS = 15  # of a step: whatever is longer was not given by us
#: Step of a page that no step of ours describes.
_FOREIGN = -1


class Row(NamedTuple):
    at: int
    html: str


class Channel:
    """One language's page: its fragments as last rendered, and at which step each of them last changed."""

    def __init__(self, reader: Reader, catalogue: Catalogue) -> None:
        self._reader = reader
        self._catalogue = catalogue
        self._epoch = secrets.token_hex(3)
        self._step = 0
        self._html: dict[str, str] = {}
        self._changed: dict[str, int] = {}
        self._turn = 0.0
        self._rows: deque[Row] = deque(maxlen=calls.ROWS)
        self._known: frozenset[str] = frozenset()
        self._units: tuple[str, ...] = ()
        self._redrawn = 0  # step of the last change of unit, which draws every row again
        self._empty_until = 0
        self._frames: dict[int, list[bytes]] = {}
        self._overview: Overview | None = None
        self.news = asyncio.Event()

    @property
    def seen(self) -> str:
        """Names the present step, also after a restart of the server."""
        return f"{self._epoch}-{self._step}"

    def update(self, overview: Overview) -> dict[str, Node]:
        """Take the overview in; the page's fragments, for whoever renders it whole."""
        parts = now.fragments(overview, self._catalogue, self._reader)
        if overview is self._overview:
            return parts
        self._overview = overview
        step = self._step + 1
        if self._take(parts, overview, step):
            self._step = step
            self._frames.clear()
            self.news.set()
            self.news = asyncio.Event()
        return parts

    def _take(self, parts: dict[str, Node], overview: Overview, step: int) -> bool:
        changed = False
        for name, node in parts.items():
            text = str(fragment[node])
            if self._html.get(name) != text:
                self._html[name], self._changed[name], changed = text, step, True
        turn = now.needle(overview)
        if turn != self._turn:
            self._turn, changed = turn, True
        units = calls.units_of(overview)
        if (names := calls.unit_names(units, self._reader)) != self._units:
            self._units, self._known, self._redrawn = names, frozenset(), step
            self._rows.clear()
        for call in reversed(overview.last_calls[: calls.ROWS]):
            if call.id not in self._known:
                self._rows.append(Row(step, str(calls.row(call, self._reader, units))))
                changed = True
        self._known = frozenset(call.id for call in overview.last_calls)
        if not overview.last_calls:
            self._empty_until = step if changed else self._step
        return changed

    def frames(self, seen: str) -> list[bytes]:
        """Pushes that bring a page from `seen` to the present step, at most `PUSH_BYTES` each; none when it is there.

        A page of a server before this one, or one that still tells how to begin, is told to load itself again.
        """
        since = self._since(seen)
        if since not in self._frames:
            self._frames[since] = [] if since == self._step else self._build(since)
        return self._frames[since]

    def _since(self, seen: str) -> int:
        epoch, _, step = seen.partition("-")
        ours = epoch == self._epoch and step.isdecimal() and len(step) <= _DIGITS
        return min(int(step), self._step) if ours else _FOREIGN

    def _build(self, since: int) -> list[bytes]:
        if since <= self._empty_until < self._step:
            return [self._frame({"reload": True}, last=True)]
        rows, cut = self._new_rows(since)
        head: dict[str, object] = {"turn": self._turn}
        if rows:
            head |= {"rows": rows, "cut": cut}
        changed = {name: self._html[name] for name, step in self._changed.items() if step > since}
        room = PUSH_BYTES - _FRAME_BYTES - len(orjson.dumps(head))
        first, *others = _packed(changed, room)
        messages: list[dict[str, object]] = [head | {"set": first}]
        messages += [{"set": other} for other in others]
        return [self._frame(message, last=message is messages[-1]) for message in messages]

    def _new_rows(self, since: int) -> tuple[str, bool]:
        """Rows newer than `since`, newest first, as many as fit beside the rest; whether older ones were left out."""
        kept: list[str] = []
        size = 0
        fresh = [row.html for row in reversed(self._rows) if row.at > since]
        for html in fresh:
            size += len(orjson.dumps(html))
            if size > PUSH_BYTES * 3 // 4:
                break
            kept.append(html)
        return "".join(kept), len(kept) < len(fresh) or since < self._redrawn

    def _frame(self, message: dict[str, object], *, last: bool) -> bytes:
        name = b"id: " + self.seen.encode() + b"\n" if last else b""
        return name + b"data: " + orjson.dumps(message) + b"\n\n"


def _packed(parts: dict[str, str], room: int) -> list[dict[str, str]]:
    """The parts in as few groups as needed: the first within `room` bytes, the others within a push."""
    groups: list[dict[str, str]] = [{}]
    for name, html in parts.items():
        size = len(orjson.dumps({name: html}))
        if size > room:
            groups.append({})
            room = PUSH_BYTES - _FRAME_BYTES
        groups[-1][name] = html
        room -= size
    return groups


class Live:
    """The channels, and the one task that keeps them fresh while anybody listens."""

    def __init__(self, feed: Feed, readers: Mapping[Language, Reader], catalogue: Catalogue) -> None:
        self._feed = feed
        self.channels: dict[str, Channel] = {
            language: Channel(reader, catalogue) for language, reader in readers.items()
        }
        self._listeners: dict[str, int] = dict.fromkeys(readers, 0)
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """End every stream, so that a server can stop at once."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
        for channel in self.channels.values():
            channel.news.set()

    async def stream(self, language: str, seen: str) -> AsyncIterator[bytes]:
        """Pushes for one listener, and a comment when there is nothing to say."""
        channel = self.channels[language]
        self._listeners[language] += 1
        self._start()
        try:
            yield b"retry: 3000\n\n"
            while not self._closed:
                news, present = channel.news, channel.seen
                for frame in channel.frames(seen):
                    yield frame
                    await asyncio.sleep(TICK_S)
                seen = present
                if news is channel.news and not await _told(news):
                    yield _HEARTBEAT
        finally:
            self._listeners[language] -= 1

    def _start(self) -> None:
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        """Ends when nobody has listened for one beat."""
        while any(self._listeners.values()):
            try:
                overview = await self._feed.latest()
                for language, count in self._listeners.items():
                    if count:
                        self.channels[language].update(overview)
            except Exception:
                # A push that fails must not end the pushes; the page itself shows the error when it is asked for.
                log.exception("The live figures could not be brought up to date")
            await asyncio.sleep(TICK_S)


async def _told(news: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(_HEARTBEAT_S):
            await news.wait()
    except TimeoutError:
        return False
    return True
