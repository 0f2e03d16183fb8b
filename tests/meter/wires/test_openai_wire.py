"""Requests, answers and streams of OpenAI's wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.wires import openai


def _event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


_ID = "chatcmpl-0123456789abcdef0123456789abc"


def _chunk(choices: list[Any], **more: Any) -> bytes:
    return _event({"id": _ID, "model": "gpt-4o-2024-08-06", "choices": choices, **more})


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("chat/completions", "chat"),
        ("/completions/", "completion"),
        ("fim/completions", "completion"),
        ("agents/completions", "chat"),
        ("v1/chat/completions", "chat"),
        ("openai/deployments/d/chat/completions/", "chat"),
        ("embeddings", "embeddings"),
        ("moderations", "classification"),
        ("chat/moderations", "classification"),
        ("v1/rerank", "rerank"),
        ("score", "rerank"),
        ("models", None),
        ("", None),
        ("chat/completions/abc", None),
        ("responses", None),
    ],
)
def test_operations(path: str, operation: str | None) -> None:
    found = openai.known("POST", path)
    assert (found and found.operation) == operation
    assert openai.known("GET", path) is None


def test_azure_names_the_model_in_the_path() -> None:
    found = openai.known("POST", "openai/deployments/gpt-4o-prod/chat/completions")
    assert found is not None
    assert found.facts == {"model_requested": "gpt-4o-prod"}


def test_scores_are_no_text() -> None:
    """A moderation writes nothing: that is known, though its provider tells no tokens."""
    found = openai.known("POST", "moderations")
    assert found is not None
    assert found.facts == {"output_tokens": 0, "tokens_reported": False}


def test_request_facts() -> None:
    request = {
        "model": "gpt-5",
        "max_completion_tokens": 100,
        "max_tokens": 7,
        "reasoning_effort": "low",
        "stream": True,
    }
    assert openai.request_facts(request) == {
        "model_requested": "gpt-5",
        "max_output_tokens": 100,
        "reasoning_effort": "low",
        "stream": True,
    }


@pytest.mark.parametrize(
    ("request_body", "expected"),
    [
        ({"input": ["a", "b", "c"]}, {"input_items": 3}),
        ({"input": "a"}, {"input_items": 1}),
        ({"input": [1, 2, 3]}, {"input_items": 1}),
        ({"input": [[1], [2]]}, {"input_items": 2}),
        ({"documents": ["a", "b"], "query": "c"}, {"input_items": 2}),
        ({"documents": ["a", "b"], "messages": []}, {}),  # to answer from, not to rank
        ({"reasoning": {"effort": "high"}, "model": 7, "max_tokens": "x"}, {"reasoning_effort": "high"}),
        ({"reasoning_effort": "a sentence about Mme Martin"}, {}),
    ],
)
def test_facts_of_other_requests(request_body: dict[str, Any], expected: dict[str, Any]) -> None:
    assert openai.request_facts(request_body) == {**expected, "stream": False}


def test_answer_facts() -> None:
    choice = {"finish_reason": "length", "message": {"content": "secret"}}
    answer = {"id": _ID, "model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    assert openai.answer_facts(json.dumps(answer).encode()) == {
        "response_id": _ID,
        "model_answered": "m-1",
        "finish_reason": "length",
        "input_tokens": 3,
        "output_tokens": 4,
        "tokens_reported": True,
    }


def test_an_identifier_that_repeats_is_no_identity() -> None:
    assert "response_id" not in openai.answer_facts(b'{"id":"chatcmpl-417","model":"m"}')


@pytest.mark.parametrize(
    "answer",
    [
        {"x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}},
        {"choices": [{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}]},
        {"timings": {"prompt_n": 3, "cache_n": 0, "predicted_n": 4}},
    ],
)
def test_usage_in_other_places(answer: dict[str, Any]) -> None:
    facts = openai.answer_facts(json.dumps(answer).encode())
    assert facts is not None
    assert (facts["input_tokens"], facts["output_tokens"]) == (3, 4)


def test_usage_is_asked_without_touching_the_rest() -> None:
    body = b'  {"model":"m", "stream":true,"x":1.10000000000000000001}'
    changed = openai.with_usage_asked(body, json.loads(body))
    assert (
        changed == b'  {"stream_options":{"include_usage":true},"model":"m", "stream":true,"x":1.10000000000000000001}'
    )


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_obfuscation": False}])
def test_usage_is_added_to_the_options_given(options: Any) -> None:
    body = json.dumps({"model": "m", "stream": True, "stream_options": options}).encode()
    changed = openai.with_usage_asked(body, json.loads(body))
    assert changed is not None
    assert json.loads(changed)["stream_options"] == {**(options or {}), "include_usage": True}


@pytest.mark.parametrize(
    "request_body",
    [
        {"stream": False},
        {},
        {"stream": "yes"},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": "wrong"},
    ],
)
def test_requests_left_alone(request_body: dict[str, Any]) -> None:
    assert openai.with_usage_asked(json.dumps(request_body).encode(), request_body) is None


def _read(events: list[bytes], usage_added: bool) -> tuple[list[bytes], openai.StreamReading]:
    reading = openai.StreamReading(usage_added=usage_added)
    return [reading.read(event) for event in events], reading


_DELTAS = [{"index": 0, "delta": {"content": word}, "finish_reason": None} for word in ("a", 'say "usage":null', "b")]


def test_a_stream_asked_for_usage_by_its_client_is_untouched() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3}
    stop = [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    events = [*(_chunk([delta], usage=None) for delta in _DELTAS), _chunk(stop, usage=None), _chunk([], usage=usage)]
    events.append(b"data: [DONE]\n\n")
    out, reading = _read(events, usage_added=False)
    assert out == events
    assert reading.done
    assert reading.finished
    assert reading.usage
    assert reading.facts["output_tokens"] == 3
    assert reading.facts["finish_reason"] == "stop"
    assert reading.deltas == 4


def test_usage_the_client_did_not_ask_for_is_removed() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 3}
    events = [*(_chunk([delta], usage=None) for delta in _DELTAS), _chunk([], usage=usage), b"data: [DONE]\n\n"]
    out, reading = _read(events, usage_added=True)
    assert out == [*(_chunk([delta]) for delta in _DELTAS), b"", b"data: [DONE]\n\n"]
    assert reading.facts["input_tokens"] == 5


def test_usage_beside_choices_stays() -> None:
    """Some providers always send it so: without the gateway the client would have had it too."""
    event = _chunk(_DELTAS[:1], usage={"prompt_tokens": 5, "completion_tokens": 3})
    out, reading = _read([event], usage_added=True)
    assert out == [event]
    assert reading.usage


def test_empty_choices_without_usage_stay() -> None:
    event = _chunk([], prompt_filter_results=[])
    assert _read([event], usage_added=True)[0] == [event]


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_finish_reason_is_seen_after_plain_deltas(separators: tuple[str, str]) -> None:
    values = [{"id": _ID, "model": "m", "choices": [delta]} for delta in _DELTAS]
    values.append({"id": _ID, "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "delta": {}}]})
    events = [b"data: " + json.dumps(value, separators=separators).encode() + b"\n\n" for value in values]
    reading = _read(events, usage_added=False)[1]
    assert reading.facts["finish_reason"] == "tool_calls"
    assert reading.deltas == 4


def test_an_error_inside_a_stream() -> None:
    events = [_chunk(_DELTAS[:1]), _event({"error": {"message": "you said hello", "code": "overloaded"}})]
    reading = _read(events, usage_added=False)[1]
    assert reading.error
    assert reading.facts["error_type"] == "overloaded"


def test_the_ends_of_an_answer_too_large_to_keep() -> None:
    head = b'{"object":"list","model":"emb-3","data":[{"embedding":"AAAA'
    tail = b'AAAA"}],"note":"a \\"usage\\" of {","usage":{"prompt_tokens":9,"more":{"x":"}"},"total_tokens":9}}'
    expected = {"input_tokens": 9, "tokens_reported": True, "model_answered": "emb-3"}
    assert openai.tail_facts(head, tail) == expected
    assert openai.tail_facts(b"", b"") == {}
    assert openai.tail_facts(b"", b'"usage": {"prompt_tokens": 9') == {}


@given(
    st.lists(st.binary(max_size=80) | st.sampled_from([_chunk(_DELTAS[:1]), b"data: [DONE]\n\n", b'data: {"usage":']))
)
def test_any_bytes_are_read_without_harm(chunks: list[bytes]) -> None:
    """Bytes that are no usage come out as they went in."""
    reading = openai.StreamReading(usage_added=True)
    out = [reading.read(event) for chunk in chunks for event in reading.split(chunk)]
    assert b"".join(out) + reading.rest() == b"".join(chunks)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "model", "choices", "usage", "error", "response", "x_groq", "timings"]), inner
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_is_read_without_harm(value: Any) -> None:
    body = json.dumps(value).encode()
    openai.answer_facts(body)
    openai.StreamReading(usage_added=True).read(b"data: " + body + b"\n\n")
    if isinstance(value, dict):
        openai.request_facts(value)
