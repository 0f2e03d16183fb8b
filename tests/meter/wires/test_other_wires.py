"""Mistral, Cohere, Ollama, TGI and llama.cpp: what their exchanges do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from wire_laws import begun, event_of, read_in_pieces

from mesure.meter.wires import cohere, llamacpp, mistral, ollama, textgen


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


# Mistral


@pytest.mark.parametrize("status", ["QUEUED", "RUNNING", "CANCELLATION_REQUESTED", None])
def test_a_job_at_work_is_not_booked(status: str | None) -> None:
    assert mistral.answer_facts(_encoded({"object": "batch", "status": status, "succeeded_requests": 3})) is None


def test_a_job_without_success_is_not_booked() -> None:
    assert mistral.answer_facts(_encoded({"object": "batch", "status": "FAILED", "succeeded_requests": 0})) is None


def test_connectors_that_brought_nothing_change_nothing() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "connector_tokens": 0}
    facts = mistral.answer_facts(_encoded({"outputs": [3, {"model": "m"}], "usage": usage}))
    assert facts == {"model_answered": "m", "input_tokens": 5, "output_tokens": 2, "tokens_reported": True}


def test_a_conversation_that_fails() -> None:
    reading = begun(mistral, "text/event-stream")
    told = {"type": "conversation.response.error", "code": 3000, "message": "you said hello"}
    read_in_pieces(reading, [b"data: " + _encoded(told) + b"\n\n"])
    assert reading.error
    assert reading.facts == {"error_type": "3000"}


# Cohere


def test_tokens_processed_come_before_those_billed() -> None:
    for usage, expected in (
        ({"tokens": {"input_tokens": 9.0, "output_tokens": 2}, "billed_units": {"input_tokens": 3}}, (9, 2)),
        ({"billed_units": {"input_tokens": 3, "output_tokens": 1}}, (3, 1)),
        ({"tokens": {"output_tokens": 2}, "billed_units": {"input_tokens": 3}}, (3, 2)),
        ({"billed_units": {"search_units": 1}}, (None, None)),
    ):
        event = event_of(cohere.answer_facts(_encoded({"usage": usage})))
        assert (event.input_tokens, event.output_tokens) == expected


def test_images_embedded_are_part_of_the_input() -> None:
    def facts(input_tokens: int) -> dict[str, Any] | None:
        units = {"input_tokens": input_tokens, "image_tokens": 40}
        return cohere.answer_facts(_encoded({"meta": {"billed_units": units}}))

    assert facts(50) == {"input_tokens": 50, "input_image_tokens": 40, "tokens_reported": True}
    assert facts(30) == {"input_tokens": 30, "tokens_reported": True}


@pytest.mark.parametrize(
    ("asked", "items"),
    [
        ({"texts": ["a", "b"]}, 2),
        ({"inputs": [{"content": []}]}, 1),
        ({"images": ["data:"]}, 1),
        ({"query": "q", "documents": ["a", "b", "c"]}, 3),
        ({"messages": [], "documents": ["to answer from"]}, None),
    ],
)
def test_things_given_to_cohere(asked: dict[str, Any], items: int | None) -> None:
    assert cohere.request_facts(asked).get("input_items") == items


def test_the_first_version_streams_lines() -> None:
    reading = begun(cohere, "application/stream+json")
    meta = {"tokens": {"input_tokens": 7, "output_tokens": 3}}
    last = {
        "event_type": "stream-end",
        "finish_reason": "COMPLETE",
        "response": {"generation_id": "0123456789abcdef0123", "text": "Oui", "meta": meta},
    }
    lines = [{"event_type": "stream-start"}, {"event_type": "text-generation", "text": "Oui"}, last]
    read_in_pieces(reading, [_encoded(line) + b"\n" for line in lines])
    assert reading.facts == {
        "response_id": "0123456789abcdef0123",
        "finish_reason": "COMPLETE",
        "input_tokens": 7,
        "output_tokens": 3,
        "tokens_reported": True,
    }
    assert (reading.deltas, reading.done) == (1, True)


def test_a_stream_of_cohere_that_fails() -> None:
    reading = begun(cohere, "text/event-stream")
    told = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "you said hello"}}
    read_in_pieces(reading, [b"data: " + _encoded(told) + b"\n\n"])
    assert reading.error
    assert reading.facts == {"finish_reason": "ERROR", "error_type": "unknown"}


def test_counts_at_the_end_of_many_vectors() -> None:
    tail = b'0.5,0.5]]},"meta":{"api_version":{"version":"2"},"billed_units":{"input_tokens":812}}}'
    assert cohere.tail_facts(b"", tail) == {"input_tokens": 812, "tokens_reported": True}


# Ollama


def test_streams_are_ollama_s_rule() -> None:
    assert ollama.request_facts({"model": "m"}) == {"model_requested": "m"}  # the path says that it is streamed
    assert ollama.request_facts({"model": "m", "stream": False})["stream"] is False
    assert ollama.request_facts({"think": "high", "options": {"num_predict": -1}}) == {"reasoning_effort": "high"}
    assert ollama.request_facts({"options": [1], "input": ["a", "b"]}) == {"input_items": 2}


def test_counts_of_ollama() -> None:
    assert ollama.answer_facts(b'{"prompt_eval_count":9,"eval_count":4}') == {
        "input_tokens": 9,
        "output_tokens": 4,
        "tokens_reported": True,
    }
    assert ollama.answer_facts(b'{"model":"m"}') == {"model_answered": "m"}
    assert ollama.answer_facts(b'{"error":"you wrote hello"}') == {"error_type": "unknown"}


def test_counts_at_the_end_of_ollama_s_vectors() -> None:
    head, tail = b'{"model":"nomic","embeddings":[[0.1', b'0.1]],"load_duration":1,"prompt_eval_count": 40}'
    assert ollama.tail_facts(head, tail) == {"input_tokens": 40, "tokens_reported": True, "model_answered": "nomic"}
    assert ollama.tail_facts(b"", b"") == {}


# Text generation


@pytest.mark.parametrize("body", [b"", b"[]", b"[1]", b"{bad", b"[[0.1]]", b'[{"label":"POSITIVE","score":0.9}]', b"3"])
def test_other_tasks_are_not_taken_for_text(body: bytes) -> None:
    assert textgen.answer_facts(body) == {}


def test_headers_tell_tokens_when_they_are_counts() -> None:
    headers = [(b"x-prompt-tokens", b"12"), (b"x-generated-tokens", b"many"), (b"x-compute-type", b"gpu")]
    assert textgen.header_facts(headers) == {"input_tokens": 12, "tokens_reported": True}
    assert textgen.header_facts([(b"x-prompt-tokens", b"9" * 40)]) == {}
    assert textgen.header_facts([]) == {}


def test_requests_of_text_generation() -> None:
    asked = {"inputs": ["a", "b"], "parameters": {"max_new_tokens": 30}, "stream": True}
    assert textgen.request_facts(asked) == {"max_output_tokens": 30, "stream": True, "input_items": 2}
    assert textgen.request_facts({"inputs": "a", "parameters": None}) == {}


# llama.cpp


def test_without_cache_n_what_was_not_computed_was_cached() -> None:
    facts = llamacpp.answer_facts(
        _encoded({"tokens_evaluated": 30, "tokens_predicted": 4, "timings": {"prompt_n": 12}})
    )
    assert facts == {"input_tokens": 30, "cached_input_tokens": 18, "output_tokens": 4, "tokens_reported": True}


def test_without_timings_what_was_cached_is_unknown() -> None:
    facts = llamacpp.answer_facts(_encoded({"tokens_evaluated": 30, "tokens_predicted": 4, "tokens_cached": 33}))
    assert facts == {"input_tokens": 30, "output_tokens": 4, "tokens_reported": True}


def test_an_error_in_a_stream_of_llama_cpp() -> None:
    reading = begun(llamacpp, "text/event-stream")
    told = {"error": {"code": 500, "type": "server_error", "message": "you wrote hello"}}
    read_in_pieces(reading, [b"data: " + _encoded(told) + b"\n\n"])
    assert reading.facts == {"error_type": "500"}
    assert reading.error


def test_requests_and_large_answers_of_llama_cpp() -> None:
    assert llamacpp.request_facts({"content": ["a", "b"]}) == {"stream": False, "input_items": 2}
    assert llamacpp.request_facts({"n_predict": -1, "max_tokens": 7})["max_output_tokens"] == 7
    tail = b'","timings":{"cache_n":3,"prompt_n":4,"predicted_n":5}}'
    assert llamacpp.tail_facts(b"", tail)["input_tokens"] == 7
