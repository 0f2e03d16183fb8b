"""Google's Gemini, on its own API and on Vertex: content whole and streamed, embeddings, images, interactions.

References: ai.google.dev/api/generate-content, /embeddings, /interactions-api; cloud.google.com/vertex-ai (predict).
Thoughts are counted beside the candidates there, tool results beside the prompt: here in output, in input.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mesure.meter.wires.bodies import json_object, object_in_tail
from mesure.meter.wires.call import Known
from mesure.meter.wires.members import code, error_of, identifier, last_segment, member, name
from mesure.meter.wires.streams import EVENT_STREAM, EventReading
from mesure.meter.wires.usage import count, reported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.meter.wires.call import Facts, Reading
    from mesure.record import Operation

__all__ = ["answer_facts", "known", "request_facts", "stream_reading", "tail_facts", "usage_facts"]

_VERB = re.compile(r"(?:^|/)(?:models|tunedModels|endpoints)/([^/:]{1,200}):(\w+)$")
_OPERATIONS: dict[str, Operation] = {
    "generateContent": "chat",
    "streamGenerateContent": "chat",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
    "predict": "other",  # Imagen, and embeddings on Vertex: the answer tells
    "predictLongRunning": "video",
}
#: Spellings of generateContent's usage, and of interactions'.
_PROMPT = ("promptTokenCount", "total_input_tokens")
_TOOLS = ("toolUsePromptTokenCount", "total_tool_use_tokens")
_CACHED = ("cachedContentTokenCount", "total_cached_tokens")
_WRITTEN = ("candidatesTokenCount", "total_output_tokens")
_THOUGHTS = ("thoughtsTokenCount", "total_thought_tokens")
_TOTAL = ("totalTokenCount", "total_tokens")
_MODALITIES = {
    ("input", "AUDIO"): "input_audio_tokens",
    ("input", "IMAGE"): "input_image_tokens",
    ("output", "AUDIO"): "output_audio_tokens",
    ("output", "IMAGE"): "output_image_tokens",
}
_DETAILS = {
    "promptTokensDetails": "input",
    "toolUsePromptTokensDetails": "input",
    "candidatesTokensDetails": "output",
    "input_tokens_by_modality": "input",
    "tool_use_tokens_by_modality": "input",
    "output_tokens_by_modality": "output",
}


def known(method: str, path: str) -> Known | None:
    """`models/<name>:<verb>`, where the path names the model and says whether the answer is streamed."""
    path = path.strip("/")
    if method != "POST":
        return None
    if last_segment(path) == "interactions":
        return Known("chat")
    found = _VERB.search(path)
    if found is None or (operation := _OPERATIONS.get(found[2])) is None:
        return None
    return Known(operation, facts={"model_requested": found[1], "stream": found[2] == "streamGenerateContent"})


def request_facts(request: Facts) -> Facts:
    """Cap and thinking; number of texts to embed. Interactions name their model in the request."""
    settings = member(request, "generationConfig") or member(request, "generation_config")
    thinking = member(settings, "thinkingConfig")
    facts: Facts = {
        "max_output_tokens": count(member(settings, "maxOutputTokens") or member(settings, "max_output_tokens")),
        "reasoning_effort": code(member(thinking, "thinkingLevel")) or code(member(settings, "thinking_level")),
    }
    if isinstance(batch := request.get("requests"), list):
        facts["input_items"] = len(batch)
    elif "content" in request:
        facts["input_items"] = 1
    elif "contents" not in request and "instances" not in request:
        facts["model_requested"] = name(request.get("model")) or name(request.get("agent"))
        facts["stream"] = request.get("stream") is True
    return {field: value for field, value in facts.items() if value is not None}


def answer_facts(body: bytes | None) -> Facts | None:
    answer = json_object(body)
    if answer is None:
        return {}
    if isinstance(predictions := answer.get("predictions"), list):
        return _predicted(predictions)
    return _object_facts(answer)


def tail_facts(head: bytes, tail: bytes) -> Facts:
    """Of large answers, and of streams that are one JSON array: the last usage, the model at either end."""
    facts = usage_facts(object_in_tail(tail, b"usageMetadata"))
    for field, key in (
        ("model_answered", b"modelVersion"),
        ("response_id", b"responseId"),
        ("finish_reason", b"finishReason"),
    ):
        found = re.findall(rb'"' + key + rb'"\s*:\s*"([\w.\-/]{1,200})"', tail) or re.findall(
            rb'"' + key + rb'"\s*:\s*"([\w.\-/]{1,200})"', head
        )
        if found:
            facts[field] = found[-1].decode("ascii")
    return facts


def stream_reading(media_type: str) -> Reading | None:
    return ContentReading() if media_type == EVENT_STREAM else None


class ContentReading(EventReading):
    """Every event repeats the usage so far: what was read holds, what was written counts once a reason ends it."""

    __slots__ = ()

    def _take(self, answer: dict[str, Any]) -> None:
        if answer.get("error"):
            self._fail(error_of(answer["error"]))
            return
        kind = answer.get("event_type")
        inner = answer.get("interaction") if kind else answer
        if isinstance(inner, dict):
            self._read(inner)
        self.deltas += bool(answer.get("candidates")) or kind in ("content.delta", "step.delta")
        self.done = self.done or kind in ("interaction.complete", "interaction.completed")

    def _read(self, answer: dict[str, Any]) -> None:
        images = self.facts.get("images_count", 0)
        facts = _object_facts(answer)
        self.finished = self.finished or "finish_reason" in facts
        if not self.finished:
            for field in [field for field in facts if field.startswith(("output_", "reasoning_"))]:
                del facts[field]
        if "images_count" in facts:
            facts["images_count"] += images
        self.facts.update(facts)


def usage_facts(usage: object) -> Facts:
    """Token fields of `UsageEvent` from `usageMetadata` or from an interaction's usage, where zeros are left out."""
    if not isinstance(usage, dict) or not usage:
        return {}
    prompt, tools, cached, written, thoughts, total = (
        _count(usage, names) for names in (_PROMPT, _TOOLS, _CACHED, _WRITTEN, _THOUGHTS, _TOTAL)
    )
    read = None if prompt is None else prompt + (tools or 0)
    if written is not None:
        written += thoughts or 0
    elif total is not None and read is not None:
        written = max(0, total - read)
    facts: Facts = {
        "input_tokens": read,
        "cached_input_tokens": cached if (cached or 0) <= (read or 0) else None,
        "output_tokens": written,
        "reasoning_tokens": thoughts if (thoughts or 0) <= (written or 0) else None,
    }
    facts = {field: value for field, value in facts.items() if value is not None}
    for field, tokens in _by_modality(usage):
        whole = facts.get(field.partition("_")[0] + "_tokens")
        if whole is not None and facts.get(field, 0) + tokens <= whole:
            facts[field] = facts.get(field, 0) + tokens
    return reported(facts)


def _count(usage: dict[str, Any], names: tuple[str, str]) -> int | None:
    return next((found for key in names if (found := count(usage.get(key))) is not None), None)


def _by_modality(usage: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for key, side in _DETAILS.items():
        details = usage.get(key)
        for detail in details if isinstance(details, list) else ():
            tokens = count(member(detail, "tokenCount") or member(detail, "tokens"))
            field = _MODALITIES.get((side, str(member(detail, "modality")).upper()))
            if field and tokens:
                yield field, tokens


def _object_facts(answer: dict[str, Any]) -> Facts:
    candidates = answer.get("candidates")
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    facts: Facts = {
        "model_answered": name(answer.get("modelVersion")) or name(answer.get("model")),
        "response_id": identifier(answer.get("responseId")) or identifier(answer.get("id")),
        "finish_reason": code(member(first, "finishReason"))
        or code(member(answer, "promptFeedback", "blockReason"))
        or _status(answer.get("status")),
        "images_count": _images(member(first, "content", "parts")) or None,
    }
    facts = {field: value for field, value in facts.items() if value is not None}
    facts.update(usage_facts(answer.get("usageMetadata") or answer.get("usage")))
    return facts


def _status(value: object) -> str | None:
    """How an interaction ended."""
    return None if value == "in_progress" else code(value)


def _images(parts: object) -> int:
    kinds = [member(part, "inlineData", "mimeType") for part in parts] if isinstance(parts, list) else []
    return sum(isinstance(kind, str) and kind.startswith("image/") for kind in kinds)


def _predicted(predictions: list[Any]) -> Facts:
    """Imagen answers images, Vertex embeddings their token counts."""
    counts = [count(member(one, "embeddings", "statistics", "token_count")) for one in predictions]
    if known_counts := [tokens for tokens in counts if tokens is not None]:
        if len(known_counts) != len(counts):
            return {"operation": "embeddings", "input_items": len(counts)}
        return reported({"operation": "embeddings", "input_items": len(counts), "input_tokens": sum(known_counts)})
    if images := sum(isinstance(member(one, "bytesBase64Encoded"), str) for one in predictions):
        return {"operation": "image", "images_count": images}
    return {}
