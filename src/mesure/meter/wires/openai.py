"""OpenAI's wire: what a request asks for, what an answer or a stream reports. Tolerant: odd input gives fewer facts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from mesure.meter.wires.bodies import json_object, object_in_tail
from mesure.meter.wires.sse import EventSplitter, event_data
from mesure.meter.wires.usage import count, ollama_facts, timings_facts, usage_facts

if TYPE_CHECKING:
    from mesure.record import Operation

__all__ = [
    "StreamReading",
    "answer_facts",
    "error_facts",
    "is_ai_call",
    "operation_of",
    "request_facts",
    "tail_facts",
    "takes_stream_options",
    "with_usage_asked",
]

Facts = dict[str, Any]

_OPERATIONS: dict[str, Operation] = {
    "chat/completions": "chat",
    "completions": "completion",
    "embeddings": "embeddings",
    "responses": "chat",
    "rerank": "rerank",
    "images/generations": "image",
    "images/edits": "image",
    "images/variations": "image",
    "audio/speech": "speech",
    "audio/transcriptions": "transcription",
    "audio/translations": "transcription",
}
#: Calls of a model whatever they answer. Any other path is one only when its answer carries usage.
_ALWAYS = frozenset({"chat/completions", "completions", "embeddings", "responses"})
#: Some servers number answers from a small range (`chatcmpl-417`): as an identity, those would merge different calls.
_IDENTIFYING = 20
_CODE = re.compile(r"[\w.\-]{1,64}", re.ASCII)
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)


def operation_of(path: str) -> Operation:
    """The operation of a path, known by its end (`chat/completions`, `v1/embeddings`); "other" when not listed."""
    return _OPERATIONS.get(_ending(path), "other")


def is_ai_call(method: str, path: str) -> bool:
    """Whether the call runs a model whatever it answers. Only POST does: GET may show an old answer's usage again."""
    return method == "POST" and _ending(path) in _ALWAYS


def takes_stream_options(path: str) -> bool:
    """Whether requests to `path` may ask for usage in their stream."""
    return _ending(path) == "chat/completions"


def _ending(path: str) -> str:
    segments = path.strip("/").rsplit("/", 2)
    pair = "/".join(segments[-2:])
    return pair if pair in _OPERATIONS else segments[-1]


def request_facts(operation: Operation, request: dict[str, Any]) -> Facts:
    """Fields of `UsageEvent` that the request states: model, caps, effort, stream, number of inputs, image size."""
    facts: Facts = {
        "model_requested": _text(request.get("model")),
        "max_output_tokens": _first_count(request, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        "reasoning_effort": _code(request.get("reasoning_effort")) or _effort(request.get("reasoning")),
        "stream": request.get("stream") is True,
    }
    if operation == "embeddings":
        facts["input_items"] = _inputs(request.get("input"))
    elif operation == "rerank" and isinstance(documents := request.get("documents"), list):
        facts["input_items"] = len(documents)
    elif operation == "speech" and isinstance(text := request.get("input"), str):
        facts["characters"] = len(text)
    elif operation == "image" and (size := _SIZE.fullmatch(str(request.get("size", "")))):
        facts["image_width"], facts["image_height"] = int(size[1]), int(size[2])
    return {name: value for name, value in facts.items() if value is not None}


def answer_facts(operation: Operation, body: bytes | None) -> Facts:
    """Fields of `UsageEvent` in a whole JSON answer."""
    answer = json_object(body)
    if answer is None:
        return {}
    facts = _object_facts(answer)
    if operation == "image" and isinstance(images := answer.get("data"), list):
        facts["images_count"] = len(images)
    return facts


def tail_facts(head: bytes, tail: bytes) -> Facts:
    """The same from the two ends of an answer too large to keep: usage stands at its end, model and id at either."""
    facts = usage_facts(object_in_tail(tail, b"usage"))
    for end in (head, tail):
        if model := re.search(rb'"model"\s*:\s*"([^"\\]{1,200})"', end):
            facts["model_answered"] = model[1].decode("utf-8", "replace")
            break
    return facts


def error_facts(body: bytes | None) -> Facts:
    """The code of a provider's error, never its message: a message may quote the request."""
    answer = json_object(body) or {}
    return _error(answer.get("error"))


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
            if self._null and self._null in event and event.count(b'"usage"') == 1:
                stripped = event.replace(self._null, b"", 1)  # where an event read whole had it
                if _is_plain(stripped):
                    self.deltas += 1
                    return stripped
            elif _is_plain(event):
                self.deltas += 1
                return event
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
    return at < 0 or event[at + 15 : at + 22].strip(b" :,}").startswith(b"null")


_NULL_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')


def _object_facts(answer: dict[str, Any]) -> Facts:
    """Facts of an answer, or of one event of a stream; `response` wraps those of the responses wire."""
    if isinstance(inner := answer.get("response"), dict):
        answer = inner
    facts: Facts = {}
    if model := _text(answer.get("model")):
        facts["model_answered"] = model
    if isinstance(identifier := answer.get("id"), str) and _IDENTIFYING <= len(identifier) <= 200:
        facts["response_id"] = identifier
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    if reason := _code(first.get("finish_reason")):
        facts["finish_reason"] = reason
    facts.update(_counts(answer, first))
    if answer.get("error"):
        facts.update(_error(answer["error"]))
    return facts


def _counts(answer: dict[str, Any], first_choice: dict[str, Any]) -> Facts:
    groq = answer.get("x_groq")
    places = (answer.get("usage"), groq.get("usage") if isinstance(groq, dict) else None, first_choice.get("usage"))
    for place in places:
        if facts := usage_facts(place):
            return facts
    return timings_facts(answer.get("timings")) or ollama_facts(answer)


def _error(error: object) -> Facts:
    if not isinstance(error, dict):
        return {"error_type": "unknown"}
    return {"error_type": _code(error.get("code")) or _code(error.get("type")) or "unknown"}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def _code(value: object) -> str | None:
    """A short machine word: never free text, which could carry content."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if _CODE.fullmatch(text) else None


def _effort(reasoning: object) -> str | None:
    return _code(reasoning.get("effort")) if isinstance(reasoning, dict) else None


def _first_count(request: dict[str, Any], *names: str) -> int | None:
    return next((value for name in names if (value := count(request.get(name))) is not None), None)


def _inputs(value: object) -> int | None:
    """How many texts are embedded: a list of texts or of token lists; one text or token list is one."""
    if isinstance(value, str):
        return 1
    if isinstance(value, list) and value:
        return 1 if isinstance(value[0], int) else len(value)
    return None
