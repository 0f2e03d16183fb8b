"""Mistral where it does not speak OpenAI's wire: documents read (OCR), conversations, batch jobs.

References: docs.mistral.ai/api (ocr, agents conversations, batch jobs).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, identifier, last_segment, member, name
from mesure.meter.wires.openai import tail_facts
from mesure.meter.wires.openai_batches import operation_of, utc_time
from mesure.meter.wires.streams import EVENT_STREAM, EventReading
from mesure.meter.wires.usage import count, usage_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Facts, Reading

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts"]

_CONVERSATION = re.compile(r"(?:^|/)conversations(?:/[^/]+(?:/restart)?)?$")
_JOB = re.compile(r"(?:^|/)batch/jobs/[^/]+$")
_ENDED = ("SUCCESS", "FAILED", "TIMEOUT_EXCEEDED", "CANCELLED")


def known(method: str, path: str) -> Known | None:
    path = path.strip("/")
    if method == "POST" and last_segment(path) == "ocr":
        return Known("other")
    if method == "POST" and _CONVERSATION.search(path):
        return Known("chat")
    return Known("other", "collected") if method == "GET" and _JOB.search(path) else None


def request_facts(request: Facts) -> Facts:
    facts: Facts = {
        "model_requested": name(request.get("model")),
        "max_output_tokens": count(member(request, "completion_args", "max_tokens")),
        "stream": request.get("stream") is True,
    }
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    answer = json_object(body)
    if answer is None:
        return {}
    if answer.get("object") == "batch":
        return _job_facts(answer)
    facts: Facts = {
        "model_answered": name(answer.get("model")) or _model_of(answer.get("outputs")),
        "input_items": count(member(answer, "usage_info", "pages_processed")),
    }
    facts = {field: value for field, value in facts.items() if value is not None}
    return {**facts, **_usage_facts(answer.get("usage"))}


def stream_reading(media_type: str) -> Reading | None:
    return ConversationReading() if media_type == EVENT_STREAM else None


class ConversationReading(EventReading):
    """Pieces name the model, the last event brings the counts of all turns."""

    __slots__ = ()

    def _take(self, answer: dict[str, Any]) -> None:
        kind = answer.get("type")
        self.deltas += isinstance(kind, str) and kind.endswith(".delta")
        if model := name(answer.get("model")):
            self.facts["model_answered"] = model
        if kind == "conversation.response.done":
            self.facts.update(_usage_facts(answer.get("usage")))
            self.done = self.finished = True
        elif kind == "conversation.response.error":
            self._fail({"error_type": code(answer.get("code")) or "unknown"})


def _usage_facts(usage: object) -> Facts:
    """What connectors brought was read too, and is counted apart."""
    brought, prompt = count(member(usage, "connector_tokens")), count(member(usage, "prompt_tokens"))
    if isinstance(usage, dict) and brought and prompt is not None:
        usage = {**usage, "prompt_tokens": prompt + brought}
    return usage_facts(usage)


def _model_of(outputs: object) -> str | None:
    models = [name(member(output, "model")) for output in outputs] if isinstance(outputs, list) else []
    return next(filter(None, models), None)


def _job_facts(job: dict[str, Any]) -> Facts | None:
    """A job tells how many calls it made, and no tokens: they stay unknown."""
    done = count(job.get("succeeded_requests"))
    if job.get("status") not in _ENDED or not done:
        return None
    facts = {
        "calls_count": done,
        "operation": operation_of(job.get("endpoint")),
        "model_requested": name(job.get("model")),
        "model_answered": name(job.get("model")),
        "response_id": identifier(job.get("id")),
        "started_at": utc_time(job.get("started_at")) or utc_time(job.get("created_at")),
        "ended_at": utc_time(job.get("completed_at")),
    }
    return {field: value for field, value in facts.items() if value is not None}
