"""Anthropic's messages, whole and streamed. Its three buckets of input become one input with sub-counts.

References: docs.anthropic.com/en/api/messages, /messages-streaming; prompt caching tells that the total input is
`input_tokens` + `cache_read_input_tokens` + `cache_creation_input_tokens`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object, object_in_tail
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, error_of, first_count, identifier, member, name
from mesure.meter.wires.streams import EVENT_STREAM, EventReading
from mesure.meter.wires.usage import count, reported

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading

__all__ = ["answer_facts", "known", "message_facts", "request_facts", "stream_reading", "tail_facts"]

_MESSAGES = re.compile(r"(?:^|/)messages$")
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,200})"')
_BUCKETS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def known(method: str, path: str) -> Known | None:
    """`POST messages` runs a model; counting tokens and making batches does not."""
    return Known("chat") if method == "POST" and _MESSAGES.search(path.strip("/")) else None


def request_facts(request: Facts) -> Facts:
    """Model, cap, effort and stream; without an effort, whether thinking was asked for."""
    facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": first_count(request, "max_tokens"),
        "reasoning_effort": code(member(request, "output_config", "effort"))
        or code(member(request, "thinking", "type")),
        "stream": request.get("stream") is True,
    }
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    """Facts of a whole message."""
    answer = json_object(body)
    return {} if answer is None else message_facts(answer)


def tail_facts(head: bytes, tail: bytes) -> Facts:
    """Usage stands at the end of a message, its model at the beginning."""
    facts = _usage_facts(object_in_tail(tail, b"usage") or {})
    if model := _MODEL.search(head):
        facts["model_answered"] = model[1].decode("utf-8", "replace")
    return facts


def stream_reading(media_type: str) -> Reading | None:
    return MessageReading() if media_type == EVENT_STREAM else None


class MessageReading(EventReading):
    """Counts come twice: what was read when the message starts, everything when it ends. Output is known at the end."""

    __slots__ = ("_usage",)

    plain = (b'"content_block_delta"',)

    def __init__(self) -> None:
        super().__init__()
        self._usage: dict[str, Any] = {}

    def _take(self, answer: dict[str, Any]) -> None:
        kind = answer.get("type")
        if kind == "message_start" and isinstance(message := answer.get("message"), dict):
            self._merge(message.get("usage"))
            self.facts.update(message_facts({**message, "usage": {**self._usage, "output_tokens": None}}))
        elif kind == "message_delta":
            self._merge(answer.get("usage"))
            self.facts.update(_usage_facts(self._usage))
            if reason := code(member(answer, "delta", "stop_reason")):
                self.facts["finish_reason"] = reason
                self.finished = True
        elif kind == "message_stop":
            self.done = True
        elif kind == "error":
            self._fail(error_of(answer.get("error")))

    def _merge(self, usage: object) -> None:
        if isinstance(usage, dict):
            self._usage.update({field: value for field, value in usage.items() if value is not None})


def message_facts(answer: dict[str, Any]) -> Facts:
    """Facts of a message object."""
    facts: Facts = {
        "model_answered": name(answer.get("model")),
        "response_id": identifier(answer.get("id")),
        "finish_reason": code(answer.get("stop_reason")),
    }
    facts = {field: value for field, value in facts.items() if value is not None}
    if isinstance(usage := answer.get("usage"), dict):
        facts.update(_usage_facts(usage))
    if isinstance(error := answer.get("error"), dict):
        facts.update(error_of(error))
    return facts


def _usage_facts(usage: dict[str, Any]) -> Facts:
    facts = _sampled(usage)
    iterations = usage.get("iterations")
    for step in iterations if isinstance(iterations, list) else ():
        if member(step, "type") == "compaction":  # the one kind that the totals leave out
            for field, value in _sampled(step).items():
                facts[field] = facts.get(field, 0) + value
    return reported(facts)


def _sampled(usage: dict[str, Any]) -> dict[str, int]:
    """Counts of one sampling, the three buckets added up."""
    fresh, read, written = (count(usage.get(bucket)) for bucket in _BUCKETS)
    output = count(usage.get("output_tokens"))
    thinking = count(member(usage, "output_tokens_details", "thinking_tokens"))
    facts = {
        "input_tokens": None if fresh is None else fresh + (read or 0) + (written or 0),
        "cached_input_tokens": None if fresh is None else read,
        "cache_write_tokens": written,
        "output_tokens": output,
        "reasoning_tokens": None if output is None or (thinking or 0) > output else thinking,
    }
    return {field: value for field, value in facts.items() if value is not None}
