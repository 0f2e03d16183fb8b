"""OpenAI's images and audio: what is asked in JSON or in a form, answers whole, binary or streamed.

References: platform.openai.com/docs/api-reference/images, /images-streaming, /audio.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import name
from mesure.meter.wires.openai import deployment_facts, tail_facts
from mesure.meter.wires.streams import EVENT_STREAM
from mesure.meter.wires.typed_events import TypedReading
from mesure.meter.wires.usage import count, seconds, usage_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading
    from mesure.record import Operation

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_OPERATIONS: dict[str, Operation] = {
    "images/generations": "image",
    "images/edits": "image",
    "images/variations": "image",
    "audio/speech": "speech",
    "audio/transcriptions": "transcription",
    "audio/translations": "transcription",
}
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
_LAST = frozenset(
    {
        "image_generation.completed",
        "image_edit.completed",
        "transcript.text.done",
        "speech.audio.done",
        "transcription.done",  # Mistral
    }
)


def known(method: str, path: str) -> Known | None:
    operation = _OPERATIONS.get("/".join(path.strip("/").rsplit("/", 2)[-2:]))
    if operation is None or method != "POST":
        return None
    facts = deployment_facts(path)
    if operation == "image":
        facts["images_count"] = 1
    return Known(operation, facts=facts)


def request_facts(request: Facts) -> Facts:
    """Model and stream, number and size of images, characters to speak. Fields of a form are texts."""
    facts: Facts = {"stream": request.get("stream") in (True, "true"), "model_requested": name(request.get("model"))}
    facts["images_count"] = _whole(request.get("n"))
    facts.update(_size(request.get("size")))
    if isinstance(text := request.get("input"), str):
        facts["characters"] = len(text)
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    """Images made, seconds heard, tokens where they are told."""
    answer = json_object(body)
    return {} if answer is None else _object_facts(answer)


def stream_reading(media_type: str) -> Reading | None:
    return TypedReading(_object_facts, _LAST) if media_type == EVENT_STREAM else None


def _object_facts(answer: dict[str, Any]) -> Facts:
    usage = answer.get("usage")
    facts = usage_facts(usage)
    facts.update(_size(answer.get("size")))
    if isinstance(images := answer.get("data"), list):
        facts["images_count"] = len(images)
    if model := name(answer.get("model")):
        facts["model_answered"] = model
    spoken = seconds(usage.get("seconds") or usage.get("prompt_audio_seconds")) if isinstance(usage, dict) else None
    if duration := spoken or seconds(answer.get("duration")):
        facts["audio_seconds"] = duration
    return facts


def _size(value: object) -> Facts:
    size = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return {"image_width": int(size[1]), "image_height": int(size[2])} if size else {}


def _whole(value: object) -> int | None:
    return count(int(value)) if isinstance(value, str) and value.isascii() and value.isdigit() else count(value)
