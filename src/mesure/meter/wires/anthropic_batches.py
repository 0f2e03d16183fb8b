"""Anthropic's message batches: one event for all their calls, added up while the lines of results pass.

Reference: docs.anthropic.com/en/api/retrieving-message-batch-results.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.anthropic import message_facts
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import member
from mesure.meter.wires.streams import LineReading

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_RESULTS = re.compile(r"(?:^|/)messages/batches/([^/]{1,200})/results$")
_SUMS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def known(method: str, path: str) -> Known | None:
    """`GET messages/batches/<id>/results` brings the results."""
    found = _RESULTS.search(path.strip("/"))
    return Known("chat", "collected", {"response_id": found[1]}) if found and method == "GET" else None


def request_facts(_request: Facts) -> Facts:
    return {}


def answer_facts(body: bytes | None) -> Facts | None:
    reading = BatchReading()
    for line in [*reading.split(body or b""), reading.rest()]:
        reading.read(line)
    return reading.facts or None


def tail_facts(_head: bytes, _tail: bytes) -> Facts:
    return {}


def stream_reading(_media_type: str) -> Reading | None:
    return BatchReading()


class BatchReading(LineReading):
    """Sums over succeeded results. A sum is kept only while every result tells its part; so is the one model."""

    __slots__ = ()

    def _take(self, answer: dict[str, Any]) -> None:
        self.finished = True
        message = member(answer, "result", "message")
        if member(answer, "result", "type") != "succeeded" or not isinstance(message, dict):
            return
        one, facts = message_facts(message), self.facts
        first = not facts
        facts["calls_count"] = facts.get("calls_count", 0) + 1
        for field in _SUMS:
            told, so_far = one.get(field), 0 if first else facts.get(field)
            facts[field] = None if told is None or so_far is None else so_far + told
        model = one.get("model_answered")
        facts["model_answered"] = model if first or facts["model_answered"] == model else None
        facts["tokens_reported"] = True if facts["input_tokens"] is not None else None
