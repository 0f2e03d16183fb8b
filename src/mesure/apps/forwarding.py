"""Stored, then forwarded: events of a local spool sent to another Mesure, each at least once, in order, never lost."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from mesure.apps.events_door import EVENTS_PATH
from mesure.ledger.segments import Segment, find_segments
from mesure.meter.sensors.http import HttpReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.ledger.segments import Read

__all__ = ["Forwarder", "ForwarderState"]

log = logging.getLogger("mesure.agent")

_BATCH = 500
_EVERY_S = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_POSITIONS = "forwarded.json"


class ForwarderState(NamedTuple):
    """Events taken and refused by the other side since start, bytes that wait, and what went wrong last."""

    sent: int
    rejected: int
    waiting_bytes: int
    last_error: str | None


class Forwarder:
    """Follows the segments of `folder` and sends what they hold to `remote`, with its virtual key.

    A segment is removed once its writer is gone and all of it was taken. What was sent is remembered in the folder: a
    crash between the two sends a batch again, and the other side counts it once, as its events keep their identity.
    A remote that is away, or refuses the key, is tried again after 1, 2, 4... up to 60 seconds.
    """

    def __init__(
        self,
        folder: Path,
        remote: str,
        key: str = "",
        *,
        ca_file: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._reader = HttpReader(remote, ca_file=ca_file, patience_s=10.0)
        if key:
            self._reader.headers["authorization"] = f"Bearer {key}"
        self._clock = clock
        self._segments: dict[str, Segment] = {}
        self._positions = self._read_positions()
        self._pause_s, self._not_before = _FIRST_PAUSE_S, 0.0
        self._sent = self._rejected = 0
        self._last_error: str | None = None

    @property
    def state(self) -> ForwarderState:
        waiting = sum(max(one.size - self._positions.get(name, 0), 0) for name, one in self._segments.items())
        return ForwarderState(self._sent, self._rejected, waiting, self._last_error)

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop, then once more what is there."""
        while not stop.wait(_EVERY_S):
            self.step()
        self._not_before = 0.0
        self.step()

    def step(self) -> bool:
        """Send all there is; False when the other side did not take it. Never raises."""
        if self._clock() < self._not_before:
            return False
        try:
            self._follow()
            while sum(self._forward(segment) for segment in tuple(self._segments.values())):
                pass  # until none of them held anything
        except (OSError, ValueError) as error:
            self._failed(error)
            return False
        self._pause_s, self._last_error = _FIRST_PAUSE_S, None
        return True

    def close(self) -> None:
        for segment in self._segments.values():
            segment.close()
        self._segments.clear()
        self._reader.close()

    def _follow(self) -> None:
        for path in find_segments(self._folder):
            if path.name not in self._segments:
                self._segments[path.name] = Segment.open(path, self._positions.get(path.name, 0), new=False)

    def _forward(self, segment: Segment) -> bool:
        """One batch of a segment; whether there was any. Nothing is passed over before it was taken."""
        finished, before = segment.check_finished(), segment.offset
        found = segment.read(_BATCH)
        if found:
            try:
                self._send(found)
            except (OSError, ValueError):
                segment.offset = before
                raise
            self._positions[segment.name] = segment.offset
            self._write_positions()
        elif finished and segment.exhausted:
            del self._segments[segment.name]
            segment.discard()
            self._positions.pop(segment.name, None)
            self._write_positions()
        return bool(found)

    def _send(self, found: list[Read]) -> None:
        lines = b"\n".join(orjson.dumps(read.event.to_json(), option=orjson.OPT_NAIVE_UTC) for read in found)
        _, body = self._reader.request("POST", f"{self._reader.path}{EVENTS_PATH}", lines)
        answer = json.loads(body)
        if not isinstance(answer, dict) or not isinstance(answer.get("booked"), int):
            raise ValueError("the address answers, but not as a Mesure")
        self._sent += answer["booked"]
        if rejected := answer.get("rejected", 0):
            self._rejected += rejected
            log.warning("Agent: %d events were refused by the other side: %s", rejected, answer.get("why"))

    def _failed(self, error: Exception) -> None:
        reason = "the key is refused" if isinstance(error, PermissionError) else str(error) or type(error).__name__
        if reason != self._last_error:
            log.warning("Agent: events wait, the other side did not take them (%s)", reason)
        self._last_error = reason
        self._not_before = self._clock() + self._pause_s
        self._pause_s = min(2.0 * self._pause_s, _LONGEST_PAUSE_S)

    def _read_positions(self) -> dict[str, int]:
        try:
            told = json.loads((self._folder / _POSITIONS).read_text())
            return {str(name): int(offset) for name, offset in told.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}

    def _write_positions(self) -> None:
        partial = self._folder / f"{_POSITIONS}.partial"
        partial.write_text(json.dumps(self._positions))
        partial.replace(self._folder / _POSITIONS)
