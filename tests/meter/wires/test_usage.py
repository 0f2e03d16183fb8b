"""Usage objects of many dialects come out as the same fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.wires.usage import count, seconds, timings_facts, usage_facts
from mesure.record import UsageEvent, new_id

_OPENAI = {
    "prompt_tokens": 1200,
    "completion_tokens": 300,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 5},
}


def test_openai_chat() -> None:
    assert usage_facts(_OPENAI) == {
        "input_tokens": 1200,
        "output_tokens": 300,
        "cached_input_tokens": 1024,
        "reasoning_tokens": 128,
        "input_audio_tokens": 10,
        "output_audio_tokens": 5,
        "tokens_reported": True,
    }


@pytest.mark.parametrize(
    ("name", "usage", "expected"),
    [
        ("embeddings", {"prompt_tokens": 8, "total_tokens": 8}, {"input_tokens": 8}),
        (
            "responses",
            {
                "input_tokens": 10,
                "output_tokens": 7,
                "total_tokens": 17,
                "input_tokens_details": {"cached_tokens": 4},
                "output_tokens_details": {"reasoning_tokens": 5},
            },
            {"input_tokens": 10, "output_tokens": 7, "cached_input_tokens": 4, "reasoning_tokens": 5},
        ),
        (
            "images",
            {"input_tokens": 50, "output_tokens": 60, "input_tokens_details": {"image_tokens": 40, "text_tokens": 10}},
            {"input_tokens": 50, "output_tokens": 60, "input_image_tokens": 40},
        ),
        (
            "DeepSeek",
            {"prompt_tokens": 100, "completion_tokens": 9, "prompt_cache_hit_tokens": 64},
            {"input_tokens": 100, "output_tokens": 9, "cached_input_tokens": 64},
        ),
        (
            "Moonshot",
            {"prompt_tokens": 100, "completion_tokens": 9, "cached_tokens": 50},
            {"input_tokens": 100, "output_tokens": 9, "cached_input_tokens": 50},
        ),
        (
            "xAI: reasoning beside the output, in the total",
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            {"input_tokens": 32, "output_tokens": 103, "reasoning_tokens": 94},
        ),
        (
            "Gemini, compatible: thoughts only in the total",
            {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 90},
            {"input_tokens": 10, "output_tokens": 80, "reasoning_tokens": 60},
        ),
        (
            "reasoning beside the output, without a total",
            {"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 20}},
            {"input_tokens": 1, "output_tokens": 25, "reasoning_tokens": 20},
        ),
        (
            "cached beside the input",
            {"prompt_tokens": 5, "completion_tokens": 1, "cache_read_input_tokens": 900, "cache_write_tokens": 7},
            {"input_tokens": 905, "output_tokens": 1, "cached_input_tokens": 900, "cache_write_tokens": 7},
        ),
        ("floats", {"prompt_tokens": 5.0, "completion_tokens": 1.5}, {"input_tokens": 5}),
        (
            "an audio part larger than the whole",
            {"prompt_tokens": 5, "prompt_tokens_details": {"audio_tokens": 9}},
            {"input_tokens": 5},
        ),
    ],
)  # fmt: skip
def test_dialects(name: str, usage: dict[str, Any], expected: dict[str, int]) -> None:
    assert usage_facts(usage) == {**expected, "tokens_reported": True}


@pytest.mark.parametrize(
    "nothing", [None, {}, [], "usage", 3, {"prompt_tokens": None}, {"prompt_tokens": -1, "x": True}]
)
def test_what_is_absent_is_unknown_not_zero(nothing: object) -> None:
    assert usage_facts(nothing) == {}


def test_a_reported_zero_stays_zero() -> None:
    assert usage_facts({"prompt_tokens": 3, "completion_tokens": 0})["output_tokens"] == 0


def test_llama_cpp_timings() -> None:
    timings = {"prompt_n": 4, "cache_n": 60, "predicted_n": 12, "predicted_ms": 33.1}
    expected = {"input_tokens": 64, "cached_input_tokens": 60, "output_tokens": 12, "tokens_reported": True}
    assert timings_facts(timings) == expected
    assert timings_facts({"prompt_n": 4, "predicted_n": 12}) == {"output_tokens": 12, "tokens_reported": True}
    assert timings_facts(None) == {}


def test_what_mistral_heard_is_input() -> None:
    """Its audio stands in the total alone, beside a prompt of text: it is not reasoning."""
    usage = {"prompt_tokens": 4, "completion_tokens": 60, "total_tokens": 424, "prompt_audio_seconds": 30}
    expected = {"input_tokens": 364, "output_tokens": 60, "input_audio_tokens": 360, "tokens_reported": True}
    assert usage_facts(usage) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3.0), ("8.47", 8.47), (0, None), (-1, None), (True, None), ("soon", None), ("nan", None), (1e12, None)],
)
def test_seconds(value: object, expected: float | None) -> None:
    assert seconds(value) == expected


def test_counts() -> None:
    assert [count(value) for value in (3, 3.0, True, -1, "3", None, 1.5, float("nan"), float("inf"))] == [
        3,
        3,
        *[None] * 7,
    ]


_SOMETHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**12) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(sorted(_OPENAI)), inner, max_size=3),
    max_leaves=6,
)
_DETAILS = st.dictionaries(
    st.sampled_from(["cached_tokens", "reasoning_tokens", "audio_tokens", "image_tokens"]), st.integers(0, 10_000)
)
_PLAUSIBLE = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": st.integers(0, 10_000),
        "completion_tokens": st.integers(0, 10_000),
        "total_tokens": st.integers(0, 40_000),
        "prompt_tokens_details": _DETAILS,
        "completion_tokens_details": _DETAILS,
        "cached_tokens": st.integers(0, 10_000),
    },
)


@given(_PLAUSIBLE | st.dictionaries(st.sampled_from(sorted(_OPENAI)), _SOMETHING))
def test_any_usage_makes_a_valid_event(usage: dict[str, Any]) -> None:
    UsageEvent(id=new_id(), started_at=datetime.now(UTC), **usage_facts(usage)).checked()
