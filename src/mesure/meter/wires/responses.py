"""OpenAI's responses, whole and streamed; one that is left to the background is collected later.

References: platform.openai.com/docs/api-reference/responses and /responses-streaming.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, error_of, first_count, identifier, member, name
from mesure.meter.wires.openai import tail_facts
from mesure.meter.wires.streams import EVENT_STREAM
from mesure.meter.wires.typed_events import TypedReading
from mesure.meter.wires.usage import usage_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading

__all__ = ["PENDING", "answer_facts", "known", "request_facts", "response_facts", "stream_reading", "tail_facts"]

_RUN = re.compile(r"(?:^|/)responses(?:/compact)?$")
#: States of a response whose result comes later.
PENDING = ("queued", "in_progress")
_LAST = frozenset({"response.completed", "response.incomplete", "response.failed"})


def known(method: str, path: str) -> Known | None:
    """`POST responses` runs a model."""
    return Known("chat") if method == "POST" and _RUN.search(path.strip("/")) else None


def request_facts(request: Facts) -> Facts:
    """Model, cap, effort and stream as the request states them."""
    facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": first_count(request, "max_output_tokens"),
        "reasoning_effort": code(member(request, "reasoning", "effort")),
        "stream": request.get("stream") is True,
    }
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    """Facts of a response; None for one that is left to the background."""
    answer = json_object(body)
    if answer is None:
        return {}
    if answer.get("status") in PENDING:
        return None
    return response_facts(answer)


def stream_reading(media_type: str) -> Reading | None:
    return TypedReading(response_facts, _LAST) if media_type == EVENT_STREAM else None


def response_facts(answer: dict[str, Any]) -> Facts:
    """Facts of a response object, whole or inside an event."""
    facts: Facts = {
        "model_answered": name(answer.get("model")),
        "response_id": identifier(answer.get("id")),
        "finish_reason": _finish_reason(answer),
        "images_count": _images(answer.get("output")) or None,
    }
    facts = {field: value for field, value in facts.items() if value is not None}
    facts.update(usage_facts(answer.get("usage")))
    if isinstance(error := answer.get("error"), dict):
        facts.update(error_of(error))
    return facts


def _finish_reason(answer: dict[str, Any]) -> str | None:
    status = code(answer.get("status"))
    return None if status in PENDING else code(member(answer, "incomplete_details", "reason")) or status


def _images(output: object) -> int:
    """Images that a tool made for the answer."""
    items = output if isinstance(output, list) else []
    return sum(member(item, "type") == "image_generation_call" for item in items)
