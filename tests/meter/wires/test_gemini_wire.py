"""Gemini's counts: thoughts beside candidates, zeros left out, modalities, Vertex's predictions, interactions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_laws import begun, event_of, read_in_pieces

from mesure.meter.wires import gemini

_PART = st.none() | st.integers(0, 10**6)


@given(prompt=st.integers(0, 10**6), tools=_PART, written=_PART, thoughts=_PART, cached=st.integers(0, 10**6))
def test_parts_add_up_to_the_total(
    prompt: int, tools: int | None, written: int | None, thoughts: int | None, cached: int
) -> None:
    total = prompt + (tools or 0) + (written or 0) + (thoughts or 0)
    usage = {
        "promptTokenCount": prompt,
        "toolUsePromptTokenCount": tools,
        "candidatesTokenCount": written or None,  # zeros are left out
        "thoughtsTokenCount": thoughts,
        "cachedContentTokenCount": cached,
        "totalTokenCount": total,
    }
    event = event_of(gemini.usage_facts({name: value for name, value in usage.items() if value is not None}))
    assert event.input_tokens is not None
    assert event.output_tokens is not None
    assert event.input_tokens + event.output_tokens == total
    assert event.output_tokens == (written or 0) + (thoughts or 0)
    assert event.reasoning_tokens == thoughts
    assert event.cached_input_tokens == (cached if cached <= event.input_tokens else None)


@pytest.mark.parametrize("usage", [None, {}, [], 3, {"totalTokenCount": 9}, {"candidatesTokenCount": "9"}])
def test_what_is_absent_is_unknown(usage: Any) -> None:
    assert "input_tokens" not in gemini.usage_facts(usage)
    assert "output_tokens" not in gemini.usage_facts(usage)


def test_without_a_total_candidates_left_out_are_unknown() -> None:
    assert gemini.usage_facts({"promptTokenCount": 5}) == {"input_tokens": 5, "tokens_reported": True}


def test_modalities_are_parts_of_their_side() -> None:
    usage = {
        "promptTokenCount": 100,
        "candidatesTokenCount": 50,
        "promptTokensDetails": [
            {"modality": "AUDIO", "tokenCount": 30},
            {"modality": "image", "tokenCount": 20},
            {"modality": "AUDIO", "tokenCount": 5},
            {"modality": "VIDEO", "tokenCount": 45},
            "odd",
        ],
        "candidatesTokensDetails": [{"modality": "AUDIO", "tokenCount": 51}],  # more than there is
    }
    facts = gemini.usage_facts(usage)
    assert (facts["input_audio_tokens"], facts["input_image_tokens"]) == (35, 20)
    assert "output_audio_tokens" not in facts


def test_request_facts() -> None:
    asked = {
        "contents": [],
        "generationConfig": {"maxOutputTokens": 80, "thinkingConfig": {"thinkingLevel": "low"}},
    }
    assert gemini.request_facts(asked) == {"max_output_tokens": 80, "reasoning_effort": "low"}
    assert gemini.request_facts({"requests": [1, 2, 3]}) == {"input_items": 3}
    assert gemini.request_facts({"content": {}}) == {"input_items": 1}
    interaction = {"model": "gemini-3", "input": "?", "stream": True, "generation_config": {"max_output_tokens": 7}}
    assert gemini.request_facts(interaction) == {
        "model_requested": "gemini-3",
        "stream": True,
        "max_output_tokens": 7,
    }


def _facts(value: Any) -> dict[str, Any] | None:
    return gemini.answer_facts(json.dumps(value).encode())


def test_predictions_of_vertex() -> None:
    def embedded(tokens: Any) -> dict[str, Any]:
        return {"embeddings": {"values": [1.0], "statistics": {"token_count": tokens, "truncated": False}}}

    assert _facts({"predictions": [embedded(4), embedded(5.0)]}) == {
        "operation": "embeddings",
        "input_items": 2,
        "input_tokens": 9,
        "tokens_reported": True,
    }
    assert _facts({"predictions": [embedded(4), embedded(None)]}) == {"operation": "embeddings", "input_items": 2}
    assert _facts({"predictions": [{"bytesBase64Encoded": "aGk="}, {"raiFilteredReason": "x"}]}) == {
        "operation": "image",
        "images_count": 1,
    }
    assert _facts({"predictions": [3]}) == {}


_INTERACTION = {
    "id": "v1_0123456789abcdef0123",
    "model": "gemini-3-flash",
    "status": "completed",
    "usage": {
        "total_input_tokens": 12,
        "total_cached_tokens": 4,
        "total_output_tokens": 5,
        "total_thought_tokens": 20,
        "total_tokens": 37,
        "input_tokens_by_modality": [{"modality": "text", "tokens": 12}],
    },
}


def test_interactions_whole_and_streamed() -> None:
    expected = {
        "model_answered": "gemini-3-flash",
        "response_id": "v1_0123456789abcdef0123",
        "finish_reason": "completed",
        "input_tokens": 12,
        "cached_input_tokens": 4,
        "output_tokens": 25,
        "reasoning_tokens": 20,
        "tokens_reported": True,
    }
    assert _facts(_INTERACTION) == expected
    begun_one = {**_INTERACTION, "status": "in_progress", "usage": {}}
    reading = begun(gemini, "text/event-stream")
    for value in (
        {"event_type": "interaction.created", "interaction": begun_one},
        {"event_type": "step.delta", "delta": {"text": "a"}},
    ):
        read_in_pieces(reading, [f"data: {json.dumps(value)}\n\n".encode()])
    assert (reading.deltas, reading.finished, reading.done) == (1, False, False)
    last = {"event_type": "interaction.completed", "interaction": _INTERACTION}
    read_in_pieces(reading, [f"data: {json.dumps(last)}\n\n".encode()])
    assert reading.facts == expected
    assert reading.done


def test_the_ends_of_an_array_that_is_streamed() -> None:
    head = b'[{"candidates":[{"content":{}}],"usageMetadata":{"promptTokenCount":9},"modelVersion":"gemini-x"'
    tail = (
        b',"usageMetadata":{"promptTokenCount":9}},{"candidates":[{"finishReason":"STOP"}],'
        b'"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13},'
        b'"responseId":"abc-DEF_012345678901234"}]'
    )
    assert gemini.tail_facts(head, tail) == {
        "input_tokens": 9,
        "output_tokens": 4,
        "tokens_reported": True,
        "model_answered": "gemini-x",
        "response_id": "abc-DEF_012345678901234",
        "finish_reason": "STOP",
    }
    assert gemini.tail_facts(b"", b"") == {}


def test_images_of_several_events_are_counted_once_each() -> None:
    reading = begun(gemini, "text/event-stream")
    part = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    for reason in (None, "STOP"):
        candidate = {"content": {"parts": [part]}, **({"finishReason": reason} if reason else {})}
        read_in_pieces(reading, [b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\n\n"])
    assert reading.facts["images_count"] == 2
