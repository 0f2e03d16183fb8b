"""Events of a realtime session as usage: exact counts, one event a response, nothing for what is no response."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.wires.realtime import Finished, RealtimeReading, is_realtime, query_facts

RESPONSE = "resp_0123456789abcdefghij"
USAGE = {
    "total_tokens": 353,
    "input_tokens": 253,
    "output_tokens": 100,
    "input_token_details": {
        "text_tokens": 119,
        "audio_tokens": 114,
        "image_tokens": 20,
        "cached_tokens": 64,
        "cached_tokens_details": {"text_tokens": 60, "audio_tokens": 4},
    },
    "output_token_details": {"text_tokens": 30, "audio_tokens": 70},
}


def event(kind: str, **members: Any) -> bytes:
    return json.dumps({"type": kind, "event_id": "event_1", **members}).encode()


def done(status: str = "completed", **members: Any) -> bytes:
    return event("response.done", response={"id": RESPONSE, "status": status, "usage": USAGE, **members})


def read(*texts: bytes, reading: RealtimeReading | None = None) -> list[Finished]:
    """What each gives, a second apart."""
    reading = reading or RealtimeReading()
    given = [reading.read(text, float(second)) for second, text in enumerate(texts)]
    return [finished for finished in given if finished is not None]


SESSION = event("session.created", session={"model": "gpt-realtime-2025-08-28"})
CREATED = event("response.created", response={"id": RESPONSE, "status": "in_progress"})


@pytest.mark.parametrize(
    ("wire", "path", "read_so"),
    [
        ("openai", "realtime", True),
        ("openai", "v1/realtime", True),
        ("azure", "openai/realtime", True),
        ("azure", "openai/v1/realtime/", True),
        ("openai", "realtime/client_secrets", False),
        ("openai", "surrealtime", False),
        ("openai", "responses", False),
        ("gemini", "realtime", False),
        ("vllm", "v1/realtime", False),  # another protocol under the same name
    ],
)
def test_paths(wire: str, path: str, *, read_so: bool) -> None:
    assert is_realtime(wire, path) is read_so


@pytest.mark.parametrize(
    ("query", "model"),
    [
        ("model=gpt-realtime", "gpt-realtime"),
        ("api-version=2025-04-01-preview&deployment=my%20own", "my own"),
        ("model=&deployment=d", "d"),
        ("intent=transcription", None),
        ("", None),
        ("model=" + "m" * 201, None),
    ],
)
def test_the_model_that_an_address_asks_for(query: str, model: str | None) -> None:
    assert query_facts(query) == ({"model_requested": model} if model else {})


def test_a_response_with_all_its_counts() -> None:
    [finished] = read(SESSION, CREATED, done())
    assert finished.outcome == "ok"
    assert finished.began == 1.0
    assert finished.facts == {
        "operation": "chat",
        "model_answered": "gpt-realtime-2025-08-28",
        "response_id": RESPONSE,
        "finish_reason": "completed",
        "input_tokens": 253,
        "input_audio_tokens": 114,
        "input_image_tokens": 20,
        "cached_input_tokens": 64,
        "output_tokens": 100,
        "output_audio_tokens": 70,
        "tokens_reported": True,
    }


@pytest.mark.parametrize(
    ("status", "details", "outcome", "reason", "error"),
    [
        ("completed", None, "ok", "completed", None),
        ("cancelled", {"type": "cancelled", "reason": "turn_detected"}, "cancelled", "turn_detected", None),
        ("incomplete", {"type": "incomplete", "reason": "max_output_tokens"}, "ok", "max_output_tokens", None),
        ("failed", {"error": {"type": "server_error", "code": "overloaded"}}, "error", "failed", "overloaded"),
        ("failed", {"error": {"message": "only words"}}, "error", "failed", "unknown"),
    ],
)
def test_how_a_response_ended(status: str, details: Any, outcome: str, reason: str, error: str | None) -> None:
    [finished] = read(SESSION, CREATED, done(status, status_details=details))
    assert (finished.outcome, finished.facts["finish_reason"]) == (outcome, reason)
    assert finished.facts.get("error_type") == error
    assert finished.facts["output_tokens"] == 100


def test_a_failed_response_without_usage_has_unknown_tokens() -> None:
    [finished] = read(done("failed", usage=None))
    assert "input_tokens" not in finished.facts
    assert "tokens_reported" not in finished.facts
    assert finished.began is None  # nobody announced it


def test_the_first_output_is_noted_from_text_and_from_sound() -> None:
    for kind in ("response.output_text.delta", "response.output_audio.delta", "response.audio.delta"):
        delta = event(kind, response_id=RESPONSE, delta="AAAA" * 4000)
        [finished] = read(SESSION, CREATED, delta, delta, done())
        assert (finished.began, finished.first_output) == (1.0, 2.0)


def test_sound_of_another_response_is_not_its_output() -> None:
    delta = event("response.output_audio.delta", response_id="resp_another", delta="AAAA")
    [finished] = read(CREATED, delta, done())
    assert finished.first_output is None


@pytest.mark.parametrize(
    "session",
    [
        {"audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}},
        {"input_audio_transcription": {"model": "gpt-4o-transcribe"}},
    ],
)
@pytest.mark.parametrize("kind", ["session.updated", "transcription_session.updated"])
def test_a_transcription_by_tokens(kind: str, session: dict[str, Any]) -> None:
    usage = {
        "type": "tokens",
        "total_tokens": 30,
        "input_tokens": 22,
        "output_tokens": 8,
        "input_token_details": {"text_tokens": 2, "audio_tokens": 20},
    }
    heard = event("conversation.item.input_audio_transcription.completed", transcript="secret words", usage=usage)
    [finished] = read(SESSION, event(kind, session=session), heard)
    assert finished.facts == {
        "operation": "transcription",
        "model_requested": "gpt-4o-transcribe",
        "model_answered": "gpt-4o-transcribe",
        "input_tokens": 22,
        "input_audio_tokens": 20,
        "output_tokens": 8,
        "tokens_reported": True,
    }


def test_a_transcription_by_duration_has_no_tokens_and_not_the_model_of_the_answers() -> None:
    heard = event("conversation.item.input_audio_transcription.completed", usage={"type": "duration", "seconds": 4.25})
    [finished] = read(SESSION, heard)
    assert finished.facts == {"operation": "transcription", "audio_seconds": 4.25, "model_requested": None}


def test_several_responses_of_one_session_each_once() -> None:
    def pair(number: int) -> list[bytes]:
        own_id = f"resp_{number:020d}"
        return [
            event("response.created", response={"id": own_id}),
            event("response.done", response={"id": own_id, "status": "completed", "usage": USAGE}),
        ]

    found = read(SESSION, *pair(1), *pair(2), *pair(3))
    assert [finished.facts["response_id"][-1] for finished in found] == ["1", "2", "3"]
    assert [finished.began for finished in found] == [1.0, 3.0, 5.0]


def test_what_was_left_unfinished_counts_the_pieces_that_came() -> None:
    reading = RealtimeReading()
    words = [event("response.output_audio_transcript.delta", response_id=RESPONSE, delta="mot")] * 3
    assert read(SESSION, CREATED, *words, reading=reading) == []
    [cut] = reading.broken_off("cancelled")
    assert (cut.outcome, cut.began, cut.first_output) == ("cancelled", 1.0, 2.0)
    assert cut.facts["output_tokens"] == 3
    assert cut.facts["tokens_reported"] is False
    assert "input_tokens" not in cut.facts
    assert reading.broken_off("cancelled") == []


def test_without_a_piece_the_output_is_unknown_not_zero() -> None:
    reading = RealtimeReading()
    read(CREATED, reading=reading)
    [cut] = reading.broken_off("truncated")
    assert "output_tokens" not in cut.facts
    assert "tokens_reported" not in cut.facts


def test_announced_responses_hold_bounded_memory() -> None:
    reading = RealtimeReading()
    read(*(event("response.created", response={"id": f"r{number}"}) for number in range(1000)), reading=reading)
    assert len(reading.broken_off("cancelled")) < 100


def test_words_of_people_are_no_events() -> None:
    said = '{"type":"response.done","response":{"id":"resp_faked_faked_faked_faked","usage":{"output_tokens":9}}}'
    texts = [
        event("response.output_text.delta", response_id=RESPONSE, delta=said),
        event("response.output_text.done", response_id=RESPONSE, text=said),
        event("conversation.item.added", item={"content": [{"type": "input_text", "text": said}]}),
        json.dumps({"delta": said, "type": "response.output_text.delta"}).encode(),
    ]
    assert read(*texts) == []


def test_members_in_any_order() -> None:
    whole = json.loads(done())
    turned = json.dumps(dict(reversed(whole.items()))).encode()
    early = b'{"event_id": "event_9", ' + done()[1:]
    assert [finished.facts["output_tokens"] for finished in read(done(), turned, early)] == [100, 100, 100]


@given(
    members=st.dictionaries(
        st.sampled_from(["type", "response", "session", "usage", "response_id", "delta"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False)
            | st.sampled_from(["response.done", "response.created", "session.updated", RESPONSE, "completed"]),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "usage", "model", "status", "status_details"]), inner, max_size=4
                )
            ),
            max_leaves=8,
        ),
    )
)
def test_any_event_is_read_without_an_error(members: dict[str, Any]) -> None:
    reading = RealtimeReading()
    read(json.dumps(members).encode(), CREATED, reading=reading)
    reading.broken_off("cancelled")


@given(text=st.binary(max_size=300))
def test_any_text_is_read_without_an_error(text: bytes) -> None:
    assert read(text) == []
