"""OpenAI's wire for text, and that of all who speak it: chat, completions, embeddings, moderations, reranking.

Also what reads the paths that no reader knows. References: platform.openai.com/docs/api-reference (chat, completions,
embeddings, moderations), docs.vllm.ai (rerank, score, classify, pooling), github.com/ggml-org/llama.cpp (timings).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from mesure.meter.wires.bodies import json_object, object_in_tail
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, error_of, first_count, how_many, identifier, member, name
from mesure.meter.wires.sse import EventSplitter, event_data
from mesure.meter.wires.streams import EVENT_STREAM
from mesure.meter.wires.usage import timings_facts, usage_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Reading
    from mesure.record import Operation

__all__ = [
    "StreamReading",
    "answer_facts",
    "deployment_facts",
    "known",
    "request_facts",
    "stream_reading",
    "tail_facts",
    "with_usage_asked",
]

Facts = dict[str, Any]

_OPERATIONS: dict[str, Operation] = {
    "chat/completions": "chat",
    "agents/completions": "chat",  # Mistral
    "completions": "completion",
    "embeddings": "embeddings",
    "pooling": "embeddings",
    "moderations": "classification",
    "classify": "classification",
    "classifications": "classification",
    "rerank": "rerank",
    "score": "rerank",
}
_DEPLOYMENT = re.compile(r"(?:^|/)deployments/([^/]{1,200})/")


def known(method: str, path: str) -> Known | None:
    """Paths known by their end (`chat/completions`, `v1/embeddings`). Only POST runs a model: GET shows old answers."""
    segments = path.strip("/").rsplit("/", 2)
    pair = "/".join(segments[-2:])
    operation = _OPERATIONS.get(pair) or _OPERATIONS.get(segments[-1])
    if operation is None or method != "POST":
        return None
    facts = deployment_facts(path)
    if operation == "classification":  # scores, no text: known without being told
        facts.update(output_tokens=0, tokens_reported=False)
    return Known(operation, facts=facts)


def deployment_facts(path: str) -> Facts:
    """The model that a path of Azure names."""
    deployment = _DEPLOYMENT.search(path)
    return {"model_requested": deployment[1]} if deployment else {}


def request_facts(request: dict[str, Any]) -> Facts:
    """Fields of `UsageEvent` that the request states: model, caps, effort, stream, number of inputs."""
    facts: Facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": first_count(request, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        "reasoning_effort": code(request.get("reasoning_effort")) or code(member(request, "reasoning", "effort")),
        "stream": request.get("stream") is True,
    }
    documents = request.get("documents") if "query" in request else None
    facts["input_items"] = len(documents) if isinstance(documents, list) else how_many(request.get("input"))
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    """Fields of `UsageEvent` in a whole JSON answer."""
    answer = json_object(body)
    return {} if answer is None else _object_facts(answer)


def stream_reading(media_type: str) -> Reading | None:
    """Events of chat and completions; also of what is not known, where usage may stand."""
    return StreamReading() if media_type == EVENT_STREAM else None


def tail_facts(head: bytes, tail: bytes) -> Facts:
    """The same from the two ends of an answer too large to keep: usage stands at its end, model and id at either."""
    facts = usage_facts(object_in_tail(tail, b"usage"))
    for end in (head, tail):
        if model := re.search(rb'"model"\s*:\s*"([^"\\]{1,200})"', end):
            facts["model_answered"] = model[1].decode("utf-8", "replace")
            break
    return facts


def with_usage_asked(body: bytes, request: dict[str, Any]) -> bytes | None:
    """The request with `stream_options.include_usage`, or None when there is nothing to add.

    Where the client gave no options the bytes are kept and the member inserted, so that nothing else changes.
    """
    if request.get("stream") is not True:
        return None
    options = request.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage") is True:
        return None
    if "stream_options" in request:
        if options is not None and not isinstance(options, dict):
            return None  # not ours to correct: the provider says what is wrong
        return orjson.dumps({**request, "stream_options": {**(options or {}), "include_usage": True}})
    brace = body.index(b"{") + 1
    return body[:brace] + b'"stream_options":{"include_usage":true},' + body[brace:]


class StreamReading:
    """Reads a stream's events as they pass, and removes the usage that the client did not ask for.

    `facts` are fields of `UsageEvent`; `deltas` counts events that carried output; `done` is set by `[DONE]`.
    """

    __slots__ = (
        "_identified",
        "_null",
        "_splitter",
        "_usage_added",
        "deltas",
        "done",
        "error",
        "facts",
        "finished",
        "usage",
    )

    token_each: ClassVar[bool] = True

    def __init__(self, *, usage_added: bool = False) -> None:
        self._splitter = EventSplitter()
        self._usage_added = usage_added
        self._identified = False
        self._null = b""  # how this provider writes an absent usage, once seen
        self.facts: Facts = {}
        self.deltas = 0
        self.done = False
        self.finished = False  # a finish reason was seen
        self.error = False
        self.usage = False

    def split(self, chunk: bytes) -> list[bytes]:
        """The raw events that `chunk` completes."""
        return self._splitter.feed(chunk)

    def rest(self) -> bytes:
        """Bytes after the last complete event."""
        return self._splitter.rest()

    def read(self, event: bytes) -> bytes:
        """Take one raw event's facts; returns it as the client should get it (empty: it should not)."""
        if self._identified and event.startswith(b"data: {"):
            plain = event.replace(self._null, b"", 1) if self._null else event  # where an event read whole had it
            if _is_plain(plain):
                self.deltas += 1
                return plain
        data = event_data(event)
        if data.startswith(b"[DONE]"):
            self.done = True
            return event
        answer = json_object(data)
        return event if answer is None else self._read_object(event, answer)

    def _read_object(self, event: bytes, answer: dict[str, Any]) -> bytes:
        choices, usage = answer.get("choices"), answer.get("usage")
        facts = _object_facts(answer)
        self._identified = self._identified or "model_answered" in facts
        self.facts.update(facts)
        self.deltas += bool(choices)
        self.usage = self.usage or "output_tokens" in facts
        self.finished = self.finished or "finish_reason" in facts
        self.error = self.error or "error_type" in facts
        if not self._usage_added or "usage" not in answer:
            return event
        if isinstance(usage, dict):
            return b"" if choices == [] else event
        return self._without_null_usage(event) if usage is None else event

    def _without_null_usage(self, event: bytes) -> bytes:
        """A provider asked for usage puts `"usage":null` in its other events: a client that did not ask sees none."""
        if len(found := _NULL_USAGE.findall(event)) != 1:
            return event
        self._null = found[0]
        return event.replace(self._null, b"", 1)


def _is_plain(event: bytes) -> bool:
    """An ordinary delta, with nothing to learn: most of a stream. Quotes in generated text are escaped, so that a
    member's name cannot be found in it."""
    if b'"usage"' in event or b'"error"' in event or b'"timings"' in event:
        return False
    at = event.find(b'"finish_reason"')
    return at < 0 or event.startswith((b":null", b": null"), at + 15)


_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')


def _object_facts(answer: dict[str, Any]) -> Facts:
    """Facts of an answer, or of one event of a stream."""
    facts: Facts = {}
    if model := name(answer.get("model")):
        facts["model_answered"] = model
    if own_id := identifier(answer.get("id")):
        facts["response_id"] = own_id
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    if reason := code(first.get("finish_reason")):
        facts["finish_reason"] = reason
    facts.update(_counts(answer, first))
    if answer.get("error"):
        facts.update(error_of(answer["error"]))
    return facts


def _counts(answer: dict[str, Any], first_choice: dict[str, Any]) -> Facts:
    for place in (answer.get("usage"), member(answer, "x_groq", "usage"), first_choice.get("usage")):
        if facts := usage_facts(place):
            return facts
    return timings_facts(answer.get("timings"))
