"""Images, audio, responses and batches of OpenAI: what their exchanges do not show."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from wire_laws import begun, read_in_pieces

from mesure.meter.wires import openai_batches, openai_media, responses, responses_background


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"model": "gpt-image-1", "n": 3, "size": "1024x1536"}, (3, 1024, 1536)),
        ({"model": "gpt-image-1", "n": "3", "size": "auto"}, (3, None, None)),  # of a form
        ({"model": "gpt-image-1", "n": "many", "size": 3}, (None, None, None)),
        ({"model": "gpt-image-1"}, (None, None, None)),  # the path says one
    ],
)
def test_images_asked_for(asked: dict[str, Any], expected: tuple[Any, ...]) -> None:
    facts = openai_media.request_facts(asked)
    assert tuple(facts.get(name) for name in ("images_count", "image_width", "image_height")) == expected


def test_a_form_that_asks_for_a_stream() -> None:
    assert openai_media.request_facts({"stream": "true"})["stream"] is True
    assert openai_media.request_facts({"stream": "false"})["stream"] is False


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"text": "a", "duration": "8.47"}, 8.47),
        ({"text": "a", "duration": 8}, 8.0),
        ({"text": "a", "usage": {"type": "duration", "seconds": 9}}, 9.0),
        ({"text": "a", "usage": {"type": "duration", "seconds": 0}}, None),
        ({"text": "a", "usage": "9"}, None),
        ({"text": "a"}, None),
    ],
)
def test_seconds_heard(answer: dict[str, Any], seconds: float | None) -> None:
    facts = openai_media.answer_facts(_encoded(answer))
    assert facts is not None
    assert facts.get("audio_seconds") == seconds


def test_images_made_are_those_answered() -> None:
    facts = openai_media.answer_facts(b'{"data":[{},{},{}],"size":"512x512"}')
    assert facts == {"images_count": 3, "image_width": 512, "image_height": 512}


# Responses


def test_a_response_in_the_background_waits() -> None:
    for status in ("queued", "in_progress"):
        body = _encoded({"status": status, "background": True})
        assert responses.answer_facts(body) is None
        assert responses_background.answer_facts(body) is None


def test_a_response_shown_again_is_not_booked_again() -> None:
    shown = {"status": "completed", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}
    assert responses.answer_facts(_encoded(shown))
    assert responses_background.answer_facts(_encoded(shown)) is None
    assert responses_background.answer_facts(_encoded({**shown, "background": True}))
    assert responses_background.answer_facts(b"[]") is None


def test_a_failed_response_tells_its_code() -> None:
    failed = {"status": "failed", "error": {"code": "server_error", "message": "you said hello"}}
    assert responses.answer_facts(_encoded(failed)) == {"finish_reason": "failed", "error_type": "server_error"}


def test_an_error_event_of_responses() -> None:
    reading = begun(responses, "text/event-stream")
    told = {"type": "error", "code": "rate_limit_exceeded", "message": "you said hello", "param": None}
    read_in_pieces(reading, [b"event: error\ndata: " + _encoded(told) + b"\n\n"])
    assert reading.error
    assert reading.facts == {"error_type": "rate_limit_exceeded"}


# Batches

_BATCH = {
    "id": "batch_0123456789abcdef",
    "object": "batch",
    "endpoint": "/v1/embeddings",
    "status": "completed",
    "created_at": 1_790_000_000,
    "request_counts": {"completed": 3},
}


def test_a_batch_whose_times_and_usage_are_not_told() -> None:
    assert openai_batches.answer_facts(_encoded(_BATCH)) == {
        "calls_count": 3,
        "operation": "embeddings",
        "response_id": "batch_0123456789abcdef",
        "started_at": datetime.fromtimestamp(1_790_000_000, UTC),
    }


@pytest.mark.parametrize(
    "more",
    [
        {"status": "in_progress"},
        {"status": "failed"},
        {"object": "list"},
        {"request_counts": {"completed": 0}},
        {"request_counts": None},
    ],
)
def test_batches_that_are_not_booked(more: dict[str, Any]) -> None:
    assert openai_batches.answer_facts(_encoded({**_BATCH, **more})) is None


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_batch_cut_short_is_booked_for_what_it_did(status: str) -> None:
    facts = openai_batches.answer_facts(_encoded({**_BATCH, "status": status, f"{status}_at": 1_790_000_009}))
    assert facts is not None
    assert facts["ended_at"] == datetime.fromtimestamp(1_790_000_009, UTC)


@pytest.mark.parametrize(
    ("endpoint", "operation"),
    [("/v1/responses", "chat"), ("/v1/completions", "completion"), ("/v1/x", "other"), (None, "other")],
)
def test_what_the_calls_of_a_batch_do(endpoint: str | None, operation: str) -> None:
    assert openai_batches.operation_of(endpoint) == operation


@pytest.mark.parametrize("value", [None, "x", -1, 12, 10**12, True])
def test_times_that_cannot_be(value: object) -> None:
    assert openai_batches.utc_time(value) is None
