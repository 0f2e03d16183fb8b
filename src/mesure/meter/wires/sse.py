"""Server-sent events cut out of a byte stream, whatever the chunks and line endings (WHATWG HTML, 9.2)."""

from __future__ import annotations

import re

__all__ = ["EventSplitter", "event_data"]

#: Two line ends in a row close an event. A lone \r counts as one unless \n follows it.
_BOUNDARY = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_LINES = re.compile(rb"\r\n|\n|\r")


class EventSplitter:
    """Feed chunks, get whole events: raw bytes with their closing blank line, so that joining them gives the stream.

    An event larger than `longest` bytes is handed over in pieces instead of being kept: memory stays bounded.
    """

    __slots__ = ("_longest", "_pending", "_searched")

    def __init__(self, longest: int = 4 << 20) -> None:
        self._longest = longest
        self._pending = b""
        self._searched = 0  # bytes of _pending known to hold no boundary

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes, in order."""
        data = self._pending + chunk if self._pending else chunk
        if b"\r" not in data:
            return self._cut_plain(data)
        events, start, at = [], 0, self._searched
        while match := _BOUNDARY.search(data, at):
            at = match.end()
            if at == len(data) and data.endswith(b"\n\r"):
                break  # lines end in \r\n here: the last \n is in the next chunk
            events.append(data[start:at])
            start = at
        return self._keep(data[start:], events)

    def rest(self) -> bytes:
        """What was fed after the last complete event; forgotten here."""
        rest, self._pending, self._searched = self._pending, b"", 0
        return rest

    def _cut_plain(self, data: bytes) -> list[bytes]:
        events, start, at = [], 0, self._searched
        while (at := data.find(b"\n\n", at)) >= 0:
            at += 2
            events.append(data[start:at])
            start = at
        return self._keep(data[start:] if start else data, events)

    def _keep(self, rest: bytes, events: list[bytes]) -> list[bytes]:
        if len(rest) > self._longest:
            events.append(rest)
            rest = b""
        self._pending = rest
        self._searched = max(0, len(rest) - 3)
        return events


def event_data(event: bytes) -> bytes:
    """The data of one event: its `data` lines joined by newlines, empty when it has none (a comment)."""
    end = len(event) - 2
    if event.startswith(b"data: ") and event.find(b"\n") == end and event.endswith(b"\n\n") and b"\r" not in event:
        return event[6:end]  # the form nearly every provider uses
    lines = []
    for line in _LINES.split(event):
        name, colon, value = line.partition(b":")
        if name == b"data":
            lines.append(value.removeprefix(b" ") if colon else b"")
    return b"\n".join(lines)
