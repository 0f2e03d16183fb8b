"""Cohere: chat, embed, rerank and classify, in both versions of its API. Answers name no model.

References: docs.cohere.com/reference/chat, /chat-stream, /embed, /rerank. Of its two counts, the tokens processed are
taken, and the billed ones where nothing else is told.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object, object_in_tail
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, first_count, how_many, identifier, member, name
from mesure.meter.wires.streams import EVENT_STREAM, EventReading, LineReading
from mesure.meter.wires.usage import count, reported

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading
    from mesure.record import Operation

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_PATH = re.compile(r"(?:^|/)(?:v[12]/)?(chat|embed|rerank|classify|generate|summarize)$")
_OPERATIONS: dict[str, Operation] = {
    "chat": "chat",
    "embed": "embeddings",
    "rerank": "rerank",
    "classify": "classification",
    "generate": "completion",
    "summarize": "completion",
}


def known(method: str, path: str) -> Known | None:
    found = _PATH.search(path.strip("/"))
    return Known(_OPERATIONS[found[1]]) if found and method == "POST" else None


def request_facts(request: Facts) -> Facts:
    facts: Facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": first_count(request, "max_tokens"),
        "reasoning_effort": code(member(request, "thinking", "type")),
        "stream": request.get("stream") is True,
        "input_items": _items(request),
    }
    return {field: value for field, value in facts.items() if value is not None}


def _items(request: Facts) -> int | None:
    """Texts and images to embed, texts to classify, documents to rank."""
    if isinstance(documents := request.get("documents"), list) and "query" in request:
        return len(documents)
    return next((found for key in ("texts", "inputs", "images") if (found := how_many(request.get(key)))), None)


def answer_facts(body: bytes | None) -> Facts | None:
    answer = json_object(body)
    return {} if answer is None else _object_facts(answer)


def tail_facts(_head: bytes, tail: bytes) -> Facts:
    """Of many vectors, the counts stand at the end."""
    return _usage_facts(object_in_tail(tail, b"meta"))


def stream_reading(media_type: str) -> Reading | None:
    if media_type == EVENT_STREAM:
        return ChatReading()
    return OldChatReading() if media_type.endswith("stream+json") else None


class ChatReading(EventReading):
    """`message-start` brings the id, `message-end` the reason and the counts."""

    __slots__ = ()

    plain = (b'"content-delta"', b'"tool-call-delta"', b'"tool-plan-delta"')

    def _take(self, answer: dict[str, Any]) -> None:
        if own_id := identifier(answer.get("id")):
            self.facts["response_id"] = own_id
        if answer.get("type") == "message-end" and isinstance(delta := answer.get("delta"), dict):
            self.facts.update(_object_facts(delta))
            self.done = self.finished = True
            self.error = delta.get("finish_reason") == "ERROR" or bool(delta.get("error"))
            if self.error:
                self.facts["error_type"] = "unknown"  # a sentence, which may quote the request


class OldChatReading(LineReading):
    """Version 1: lines of JSON, the last of which holds the whole answer."""

    __slots__ = ()

    plain = (b'"text-generation"',)

    def _take(self, answer: dict[str, Any]) -> None:
        if answer.get("event_type") == "stream-end":
            response = answer.get("response")
            self.facts.update(_object_facts({**(response if isinstance(response, dict) else {}), **answer}))
            self.done = self.finished = True


def _object_facts(answer: dict[str, Any]) -> Facts:
    facts: Facts = {
        "response_id": identifier(answer.get("id")) or identifier(answer.get("generation_id")),
        "finish_reason": code(answer.get("finish_reason")),
    }
    facts = {field: value for field, value in facts.items() if value is not None}
    return {**facts, **_usage_facts(answer.get("usage") or answer.get("meta"))}


def _usage_facts(usage: object) -> Facts:
    places = [place for key in ("tokens", "billed_units") if isinstance(place := member(usage, key), dict)]
    read = next((found for place in places if (found := count(place.get("input_tokens"))) is not None), None)
    cached = count(member(usage, "cached_tokens"))
    counts = {
        "input_tokens": read,
        "cached_input_tokens": cached if read is not None and (cached or 0) <= read else None,
        "output_tokens": next(
            (found for place in places if (found := count(place.get("output_tokens"))) is not None), None
        ),
        "input_image_tokens": next((found for place in places if (found := count(place.get("image_tokens")))), None),
    }
    if (counts["input_image_tokens"] or 0) > (read or 0):
        counts["input_image_tokens"] = None
    return reported({field: value for field, value in counts.items() if value is not None})
