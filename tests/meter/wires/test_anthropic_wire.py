"""Anthropic's buckets, streams that tell their counts twice, and batches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_laws import begun, event_of, read_in_pieces

from mesure.meter.wires import anthropic, anthropic_batches

_ID = "msg_0123456789abcdef0123"


def _facts(usage: Any, **more: Any) -> dict[str, Any]:
    body = json.dumps({"id": _ID, "model": "claude-x", "usage": usage, **more}).encode()
    facts = anthropic.answer_facts(body)
    assert facts is not None
    return {name: value for name, value in facts.items() if name not in ("response_id", "model_answered")}


_BUCKET = st.none() | st.integers(0, 10**6)


@given(fresh=st.integers(0, 10**6), read=_BUCKET, made=_BUCKET, output=st.integers(0, 10**6), thought=_BUCKET)
def test_three_buckets_are_one_input(
    fresh: int, read: int | None, made: int | None, output: int, thought: int | None
) -> None:
    usage = {
        "input_tokens": fresh,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": made,
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": thought},
    }
    event = event_of(_facts(usage))
    assert event.input_tokens == fresh + (read or 0) + (made or 0)
    assert (event.cached_input_tokens, event.cache_write_tokens) == (read, made)
    assert event.output_tokens == output
    assert event.reasoning_tokens == (thought if thought is None or thought <= output else None)
    assert event.tokens_reported


@pytest.mark.parametrize("usage", [None, [], "x", {}, {"cache_read_input_tokens": 5}, {"input_tokens": -1}])
def test_counts_that_are_not_whole_are_unknown(usage: Any) -> None:
    facts = _facts(usage)
    assert "input_tokens" not in facts
    assert "output_tokens" not in facts
    assert "cached_input_tokens" not in facts


def test_a_compaction_is_added_for_the_totals_leave_it_out() -> None:
    step = {"input_tokens": 100, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 30}
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 0,
        "output_tokens": 5,
        "iterations": [{"type": "message", "input_tokens": 10, "output_tokens": 5}, {"type": "compaction", **step}, 7],
    }
    facts = _facts(usage)
    assert (facts["input_tokens"], facts["cached_input_tokens"], facts["output_tokens"]) == (130, 20, 35)


def test_request_facts() -> None:
    asked = {"model": "claude-x", "max_tokens": 9, "output_config": {"effort": "low"}, "thinking": {"type": "adaptive"}}
    assert anthropic.request_facts(asked) == {
        "model_requested": "claude-x",
        "max_output_tokens": 9,
        "reasoning_effort": "low",
        "stream": False,
    }
    assert anthropic.request_facts({"thinking": {"type": "enabled"}})["reasoning_effort"] == "enabled"


def test_the_ends_of_an_answer_too_large_to_keep() -> None:
    head = b'{"id":"msg_1","model":"claude-x","content":[{"text":"aaaa'
    tail = b'aaaa"}],"usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":5}}'
    facts = anthropic.tail_facts(head, tail)
    assert (facts["input_tokens"], facts["cached_input_tokens"], facts["output_tokens"]) == (7, 4, 5)
    assert facts["model_answered"] == "claude-x"
    assert anthropic.tail_facts(b"", b"") == {}


def _event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n".encode()


_START = _event(
    "message_start", message={"id": _ID, "model": "claude-x", "usage": {"input_tokens": 4, "output_tokens": 1}}
)


def test_output_is_known_at_the_end_only() -> None:
    reading = begun(anthropic, "text/event-stream")
    read_in_pieces(reading, [_START, _event("content_block_delta", index=0, delta={"text": "a"})])
    assert reading.facts["input_tokens"] == 4
    assert "output_tokens" not in reading.facts
    assert (reading.deltas, reading.done, reading.finished) == (1, False, False)
    read_in_pieces(reading, [_event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 8})])
    assert (reading.facts["input_tokens"], reading.facts["output_tokens"]) == (4, 8)
    assert (reading.finished, reading.done) == (True, False)
    read_in_pieces(reading, [_event("message_stop")])
    assert reading.done


def test_counts_told_again_replace_those_of_the_start_and_nulls_do_not() -> None:
    reading = begun(anthropic, "text/event-stream")
    end = {"output_tokens": 8, "input_tokens": 9, "cache_read_input_tokens": None}
    read_in_pieces(reading, [_START, _event("message_delta", delta={}, usage=end)])
    assert (reading.facts["input_tokens"], reading.facts["output_tokens"]) == (9, 8)


# Batches


def _line(usage: Any, model: str = "claude-x", kind: str = "succeeded") -> bytes:
    return json.dumps({"result": {"type": kind, "message": {"model": model, "usage": usage}}}).encode() + b"\n"


_TOLD = {"input_tokens": 10, "output_tokens": 2, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}


def _batch(*lines: bytes) -> dict[str, Any] | None:
    return anthropic_batches.answer_facts(b"".join(lines))


def test_results_of_a_batch_are_added_up() -> None:
    facts = _batch(_line(_TOLD), _line(_TOLD), _line(_TOLD, kind="expired"), b"not json\n")
    assert facts is not None
    event = event_of(facts)
    assert (event.calls_count, event.input_tokens, event.output_tokens) == (2, 20, 4)
    assert event.model_answered == "claude-x"


def test_a_sum_with_a_part_unknown_is_unknown() -> None:
    facts = _batch(_line(_TOLD), _line(None), _line(_TOLD, model="claude-y"))
    assert facts is not None
    event = event_of(facts)
    assert (event.calls_count, event.input_tokens, event.model_answered) == (3, None, None)
    assert event.tokens_reported is None


def test_a_batch_without_results_is_not_booked() -> None:
    assert _batch() is None
    assert _batch(_line(_TOLD, kind="errored")) is None


def test_a_large_batch_is_read_in_constant_memory() -> None:
    reading = begun(anthropic_batches, "application/x-jsonl")
    for _ in range(2000):
        read_in_pieces(reading, [_line(_TOLD)])
    assert reading.facts["calls_count"] == 2000
    assert reading.facts["input_tokens"] == 20_000
    assert len(repr(reading.facts)) < 400
