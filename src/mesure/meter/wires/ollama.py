"""Ollama's own wire: lines of JSON unless asked otherwise, counts in the last one.

Reference: github.com/ollama/ollama/blob/main/docs/api.md (chat, generate, embed).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, how_many, member, name
from mesure.meter.wires.streams import LineReading
from mesure.meter.wires.usage import count, reported

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading
    from mesure.record import Operation

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_OPERATIONS: dict[str, Operation] = {
    "api/chat": "chat",
    "api/generate": "completion",
    "api/embed": "embeddings",
    "api/embeddings": "embeddings",
}
_MODEL = re.compile(rb'"model"\s*:\s*"([^"\\]{1,200})"')
_READ = re.compile(rb'"prompt_eval_count"\s*:\s*(\d{1,15})')


def known(method: str, path: str) -> Known | None:
    """Calls of a model; what else is under `api/` keeps models in order."""
    path = "/".join(path.strip("/").rsplit("/", 2)[-2:])
    operation = _OPERATIONS.get(path)
    if operation is None or method != "POST":
        return Known("other", "never") if path.startswith("api/") else None
    return Known(operation, facts={"input_items": 1} if operation == "embeddings" else {"stream": True})


def request_facts(request: Facts) -> Facts:
    """Model, cap, thinking and stream, which is the rule unless refused; texts to embed."""
    think = request.get("think")
    facts: Facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": count(member(request, "options", "num_predict")),
        "reasoning_effort": code(think) if isinstance(think, str) else None,
        "stream": False if request.get("stream") is False else None,
        "input_items": how_many(request.get("input")),
    }
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    answer = json_object(body)
    return {} if answer is None else _object_facts(answer)


def tail_facts(head: bytes, tail: bytes) -> Facts:
    """Of many vectors, the count stands at the end."""
    facts: Facts = {"input_tokens": int(found[-1])} if (found := _READ.findall(tail)) else {}
    reported(facts)
    if model := _MODEL.search(head):
        facts["model_answered"] = model[1].decode("utf-8", "replace")
    return facts


def stream_reading(media_type: str) -> Reading | None:
    return ChatReading() if media_type.endswith("ndjson") else None


class ChatReading(LineReading):
    """One line a piece of text; the last says `done`, why, and the counts."""

    __slots__ = ()

    plain = (b'"done":false',)
    token_each = True
    telling = (b'"done":true', b'"error"')

    def _take(self, answer: dict[str, Any]) -> None:
        self.facts.update(_object_facts(answer))
        self.done = answer.get("done") is True
        self.finished = self.done
        self.deltas += "error" not in answer
        self.error = "error_type" in self.facts


def _object_facts(answer: dict[str, Any]) -> Facts:
    facts: Facts = {
        "input_tokens": count(answer.get("prompt_eval_count")),
        "output_tokens": count(answer.get("eval_count")),
    }
    facts = reported({field: value for field, value in facts.items() if value is not None})
    if model := name(answer.get("model")):
        facts["model_answered"] = model
    if reason := code(answer.get("done_reason")):
        facts["finish_reason"] = reason
    if member(answer, "error"):
        facts["error_type"] = "unknown"  # a sentence, which may quote the request
    return facts
