"""Streams that pass untouched: cut into events or lines, and read on the way. Memory is bounded by one event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.sse import EventSplitter, event_data

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts

__all__ = ["EVENT_STREAM", "EventReading", "LineReading", "LineSplitter"]

EVENT_STREAM = "text/event-stream"
_LONGEST = 4 << 20


class LineSplitter:
    """Feed chunks, get whole lines with their ends. A line beyond `longest` bytes is handed over in pieces."""

    __slots__ = ("_held", "_longest", "_pending")

    def __init__(self, longest: int = _LONGEST) -> None:
        self._longest = longest
        self._pending: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, in order."""
        *lines, rest = chunk.split(b"\n")
        found = [line + b"\n" for line in lines]
        if found and self._pending:
            found[0] = self.rest() + found[0]
        if rest:
            self._pending.append(rest)
            self._held += len(rest)
            if self._held > self._longest:
                found.append(self.rest())
        return found

    def rest(self) -> bytes:
        """What was fed after the last line end; forgotten here."""
        rest = b"".join(self._pending)
        self._pending.clear()
        self._held = 0
        return rest


class EventReading:
    """Server-sent events whose data are JSON objects. Subclasses say what `_take` learns from each.

    An event that holds any of `plain` and none of `telling` is counted as output without being parsed: quotes in
    generated text are escaped, so that these cannot stand in it.
    """

    __slots__ = ("_splitter", "deltas", "done", "error", "facts", "finished", "usage")

    plain: ClassVar[tuple[bytes, ...]] = ()
    telling: ClassVar[tuple[bytes, ...]] = ()
    token_each: ClassVar[bool] = False

    def __init__(self) -> None:
        self._splitter: EventSplitter | LineSplitter = EventSplitter()
        self.facts: Facts = {}
        self.deltas = 0
        self.done = False
        self.finished = False
        self.usage = False
        self.error = False

    def split(self, chunk: bytes) -> list[bytes]:
        """The raw events that `chunk` completes."""
        return self._splitter.feed(chunk)

    def rest(self) -> bytes:
        """Bytes after the last complete event."""
        return self._splitter.rest()

    def read(self, event: bytes) -> bytes:
        """Take one raw event's facts; returns it unchanged."""
        if any(mark in event for mark in self.plain) and not any(mark in event for mark in self.telling):
            self.deltas += 1
            return event
        data = self._data(event)
        if data.startswith(b"[DONE]"):
            self.done = True
        elif (answer := json_object(data)) is not None:
            self._take(answer)
        return event

    def _data(self, event: bytes) -> bytes:
        return event_data(event)

    def _take(self, answer: dict[str, Any]) -> None:
        raise NotImplementedError

    def _fail(self, error: Facts) -> None:
        self.error = True
        self.facts.update(error)


class LineReading(EventReading):
    """Lines that are JSON objects."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self._splitter = LineSplitter()

    def _data(self, event: bytes) -> bytes:
        return event
