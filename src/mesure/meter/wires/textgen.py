"""Hugging Face's text-generation task, as Text Generation Inference (TGI) and the inference router speak it.

References: huggingface.github.io/text-generation-inference (generate, generate_stream, and its headers
`x-prompt-tokens`, `x-generated-tokens`), huggingface.co/docs/inference-providers/tasks/text-generation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, error_facts, member
from mesure.meter.wires.streams import EVENT_STREAM, EventReading
from mesure.meter.wires.usage import count, reported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.meter.wires.call import Facts, Reading

__all__ = ["answer_facts", "header_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_MODEL = re.compile(r"(?:^|/)models/([^/]+(?:/[^/]+)?)(/pipeline/[\w-]+)?$")
_GENERATE = ("generate", "generate_stream")
_EMBED = ("embed", "embed_all", "embed_sparse")
_HEADERS = {b"x-prompt-tokens": "input_tokens", b"x-generated-tokens": "output_tokens"}


def known(method: str, path: str) -> Known | None:
    """TGI's own paths, its root, and `models/<name>`, where the answer tells which task it was."""
    path = path.strip("/")
    if method != "POST":
        return None
    last = path.rpartition("/")[2]
    if last in _GENERATE or not path:
        return Known("completion", facts={"stream": True} if last == "generate_stream" else None)
    if last in _EMBED:
        return Known("embeddings", facts={"input_items": 1})
    if found := _MODEL.search(path):
        facts: Facts = {"model_requested": found[1]}
        if found[2] in ("/pipeline/feature-extraction", "/pipeline/sentence-similarity"):
            return Known("embeddings", facts={**facts, "input_items": 1})
        return Known("other", facts=facts)
    return None


def request_facts(request: Facts) -> Facts:
    """Cap and stream; texts to embed."""
    facts: Facts = {
        "max_output_tokens": count(member(request, "parameters", "max_new_tokens")),
        "stream": True if request.get("stream") is True else None,
    }
    if isinstance(inputs := request.get("inputs"), list):
        facts["input_items"] = len(inputs)
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    """An object, or a list of one; without `details` only the headers tell tokens."""
    try:
        answer = orjson.loads(body or b"null")
    except orjson.JSONDecodeError:
        return {}
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict) or "generated_text" not in answer:
        return {}
    return {"operation": "completion", **_details_facts(answer.get("details"))}


def header_facts(headers: Iterable[tuple[bytes, bytes]]) -> Facts:
    """Tokens that TGI tells in the headers of a whole answer."""
    facts: Facts = {}
    for key, value in headers:
        if (field := _HEADERS.get(key)) and value.isdigit() and len(value) < 16:
            facts[field] = int(value)
    return reported(facts)


def tail_facts(_head: bytes, _tail: bytes) -> Facts:
    return {}


def stream_reading(media_type: str) -> Reading | None:
    return TokenReading() if media_type == EVENT_STREAM else None


class TokenReading(EventReading):
    """One event a token; the last holds the whole text and, if asked for, details. Else the tokens are counted here."""

    __slots__ = ()

    plain = (b'"generated_text":null',)
    token_each = True
    telling = (b'"error"', b'"details":{')

    def _take(self, answer: dict[str, Any]) -> None:
        if answer.get("error"):
            self._fail(error_facts(orjson.dumps(answer)))
            return
        self.deltas += "token" in answer
        if isinstance(answer.get("generated_text"), str):
            self.done = self.finished = True
            self.facts["operation"] = "completion"
            counted = {"output_tokens": self.deltas, "tokens_reported": False}
            self.facts.update({**counted, **_details_facts(answer.get("details"))})


def _details_facts(details: object) -> Facts:
    if not isinstance(details, dict):
        return {}
    prefill = details.get("prefill")
    read = count(details.get("input_length"))
    if read is None and isinstance(prefill, list) and prefill:
        read = len(prefill)
    counts = {"input_tokens": read, "output_tokens": count(details.get("generated_tokens"))}
    facts = reported({field: value for field, value in counts.items() if value is not None})
    if reason := code(details.get("finish_reason")):
        facts["finish_reason"] = reason
    return facts
