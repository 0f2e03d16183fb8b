"""Streams of OpenAI whose events name their type: responses, images, speech, transcriptions. No `[DONE]` ends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.meter.wires.members import error_of, member, name
from mesure.meter.wires.streams import EventReading

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.meter.wires.call import Facts

__all__ = ["TypedReading"]


class TypedReading(EventReading):
    """`facts_of` reads an event, or the response that it wraps; `last` are the types that end a stream."""

    __slots__ = ("_facts_of", "_last")

    plain = (b'.delta"',)
    telling = (b'"usage"', b'"response"', b'"error"', b'"code"')

    def __init__(self, facts_of: Callable[[dict[str, Any]], Facts], last: frozenset[str]) -> None:
        super().__init__()
        self._facts_of = facts_of
        self._last = last

    def _take(self, answer: dict[str, Any]) -> None:
        kind = name(answer.get("type")) or ""
        self.deltas += kind.endswith((".delta", ".partial_image"))
        if kind == "error":
            self._fail(error_of(member(answer, "error") or answer))
            return
        inner = answer.get("response")
        facts = self._facts_of(inner if isinstance(inner, dict) else answer)
        self.facts.update(facts)
        self.error = self.error or "error_type" in facts
        if kind in self._last:
            self.done = self.finished = True
            self.deltas += 1  # short answers come whole
