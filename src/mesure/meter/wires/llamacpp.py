"""llama.cpp's own completion, infill and embedding. (Its chat is OpenAI's.)

Reference: github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object, object_in_tail
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, error_of, first_count, how_many, last_segment, member, name
from mesure.meter.wires.streams import EVENT_STREAM, EventReading
from mesure.meter.wires.usage import count, reported, timings_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading
    from mesure.record import Operation

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_OPERATIONS: dict[str, Operation] = {"completion": "completion", "infill": "completion", "embedding": "embeddings"}


def known(method: str, path: str) -> Known | None:
    operation = _OPERATIONS.get(last_segment(path))
    return Known(operation) if operation and method == "POST" else None


def request_facts(request: Facts) -> Facts:
    facts: Facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": first_count(request, "n_predict", "max_tokens"),
        "stream": request.get("stream") is True,
        "input_items": how_many(request.get("content", request.get("input"))),
    }
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    answer = json_object(body)
    return {} if answer is None else _object_facts(answer)


def tail_facts(_head: bytes, tail: bytes) -> Facts:
    return timings_facts(object_in_tail(tail, b"timings"))


def stream_reading(media_type: str) -> Reading | None:
    return CompletionReading() if media_type == EVENT_STREAM else None


class CompletionReading(EventReading):
    """Pieces of text, then an event with `stop`, counts and timings. Counts of the pieces are running ones."""

    __slots__ = ()

    plain = (b'"stop":false',)
    token_each = True
    telling = (b'"stop":true', b'"error"')

    def _take(self, answer: dict[str, Any]) -> None:
        self.deltas += "content" in answer
        if answer.get("stop") is True:
            self.facts.update(_object_facts(answer))
            self.done = self.finished = True
        elif isinstance(error := answer.get("error"), dict):
            self._fail(error_of(error))


def _object_facts(answer: dict[str, Any]) -> Facts:
    """`tokens_evaluated` is the whole prompt; of it `timings.prompt_n` were computed, the rest came from the cache."""
    prompt, computed = count(answer.get("tokens_evaluated")), count(member(answer, "timings", "prompt_n"))
    cached = count(member(answer, "timings", "cache_n"))
    if cached is None and prompt is not None and computed is not None:
        cached = max(0, prompt - computed)
    counts = {
        "input_tokens": prompt,
        "cached_input_tokens": cached if prompt is not None and (cached or 0) <= prompt else None,
        "output_tokens": count(answer.get("tokens_predicted")),
    }
    facts = reported({field: value for field, value in counts.items() if value is not None})
    if model := name(answer.get("model")):
        facts["model_answered"] = model
    if reason := code(answer.get("stop_type")):
        facts["finish_reason"] = reason
    return facts
