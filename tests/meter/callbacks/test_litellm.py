"""LiteLLM's payload, as its types of 2026 describe it: what becomes of each part, and what is never read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.callbacks.litellm import call_fields, operation_named, tagged
from mesure.record import UsageEvent, identity_of

_START = 1_763_625_600.25


def payload(**given: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": "chatcmpl-AbCdEfGhIjKlMnOpQrStUv",
        "litellm_call_id": "call-1",
        "call_type": "acompletion",
        "stream": False,
        "response_cost": 0.0042,
        "status": "success",
        "custom_llm_provider": "openai",
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "startTime": _START,
        "endTime": _START + 1.5,
        "completionStartTime": _START + 0.4,
        "model": "openai/gpt-4o",
        "model_group": "house-model",
        "api_base": "https://api.openai.com/v1",
        "metadata": {"user_api_key_alias": "jeanne's key", "usage_object": None, "requester_metadata": {}},
        "cache_hit": None,
        "request_tags": [],
        "end_user": None,
        "messages": [{"role": "user", "content": "a secret"}],
        "response": {"choices": [{"message": {"content": "a secret"}}]},
        "model_parameters": {"max_tokens": 300, "user": "x"},
        "error_information": {},
    }
    return known | given


def event(said: dict[str, Any] | None = None, **given: Any) -> UsageEvent:
    fields = call_fields(payload(**given), said)
    assert fields is not None
    return UsageEvent(id="", **fields).checked()


def test_a_call() -> None:
    call = event()
    assert (call.provider, call.model_requested) == ("openai", "gpt-4o")
    assert (call.operation, call.source) == ("chat", "callback")
    assert (call.input_tokens, call.output_tokens, call.tokens_reported) == (120, 40, True)
    assert (call.cost, call.cost_currency, call.max_output_tokens) == (0.0042, "USD", 300)
    assert (call.started_at, call.duration_ms) == (datetime.fromtimestamp(_START, UTC), 1500.0)
    assert (call.stream, call.first_output_ms, call.labels) == (False, None, {"model_group": "house-model"})
    assert identity_of(call) == "r:openai:chatcmpl-AbCdEfGhIjKlMnOpQrStUv"
    assert "secret" not in repr(call)
    assert "jeanne" not in repr(call)


def test_a_stream_tells_when_output_began() -> None:
    assert event(stream=True).first_output_ms == pytest.approx(400.0)
    assert event(stream=True, completionStartTime=None).first_output_ms is None


def test_the_usage_object_goes_before_bare_counts() -> None:
    usage = {
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "total_tokens": 160,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 30},
    }
    call = event(metadata={"usage_object": usage})
    assert (call.cached_input_tokens, call.reasoning_tokens) == (64, 30)


def test_counts_of_nothing_are_unknown() -> None:
    call = event(prompt_tokens=0, completion_tokens=0)
    assert (call.input_tokens, call.output_tokens, call.tokens_reported) == (None, None, None)


def test_what_the_cache_answered_ran_no_model_and_is_another_call() -> None:
    call = event(cache_hit=True)
    assert (call.route, call.input_tokens, call.output_tokens, call.cost) == ("cache", 0, 0, None)
    assert identity_of(call) == "o:litellm:call-1"
    assert identity_of(call) != identity_of(event())


@pytest.mark.parametrize(
    ("told", "recorded"),
    [
        ({"error_class": "RateLimitError", "error_code": "429"}, ("RateLimitError", 429, 0)),
        ({"error_class": "AuthenticationError"}, ("AuthenticationError", None, 0)),
        ({"error_class": "Timeout", "error_code": "408"}, ("Timeout", 408, None)),
        ({"error_class": "InternalServerError", "error_code": "500"}, ("InternalServerError", 500, None)),
        ({"error_class": "APIConnectionError", "error_code": "None"}, ("APIConnectionError", None, None)),
        (None, (None, None, None)),
    ],
)
def test_failures(told: Any, recorded: tuple[Any, ...]) -> None:
    call = event(status="failure", error_information=told, prompt_tokens=0, completion_tokens=0, response_cost=0.0)
    assert call.status == "error"
    assert (call.error_type, call.http_status, call.input_tokens) == recorded


def test_who_it_was_for_from_the_request_then_its_tags_then_its_key() -> None:
    said = {"use_case": "reply", "mesure_task": "t"}
    metadata = {"user_api_key_team_alias": "of the key", "requester_metadata": said}
    tags = ["use_case:of the tag", "end_client:Öst", "environment:test", "User-Agent: curl", "chat"]
    call = event(metadata=metadata, request_tags=tags, end_user="someone", session_id="s-1")
    assert (call.team, call.use_case, call.end_client, call.task) == ("of the key", "reply", "Öst", "t")
    assert (call.environment, call.user, call.conversation_id) == ("test", "someone", "s-1")
    assert event({"team": "said", "user": "u"}, metadata=metadata).team == "said"
    assert event({"user": "u"}).user == "u"
    assert event({"environment": "somewhere"}).environment == "production"


@pytest.mark.parametrize(
    ("call_type", "operation"),
    [
        ("completion", "chat"),
        ("acompletion", "chat"),
        ("_arealtime", "other"),
        ("aresponses", "chat"),
        ("CallTypes.aembedding", "embeddings"),
        ("atext_completion", "completion"),
        ("aimage_generation", "image"),
        ("atranscription", "transcription"),
        ("aspeech", "speech"),
        ("arerank", "rerank"),
        ("moderation", "classification"),
        ("anthropic_messages", "chat"),
        ("acreate_file", None),
        ("alist_batches", None),
        ("afile_retrieve", None),
        ("vector_store_search", None),
        ("", "other"),
        (None, "other"),
    ],
)
def test_what_was_asked(call_type: Any, operation: str | None) -> None:
    assert operation_named(call_type) == operation
    assert (call_fields(payload(call_type=call_type)) is None) == (operation is None)


def test_tags_of_other_kinds_are_left() -> None:
    assert tagged(["team:", "x:y", ":", "team", 5, None, f"team:{'x' * 300}"]) == {}


def test_a_region_in_the_address() -> None:
    address = "https://bedrock-runtime.eu-west-3.amazonaws.com"
    call = event(custom_llm_provider="bedrock", api_base=address, model="bedrock/anthropic.claude-haiku-4-5")
    assert (call.provider, call.host_region) == ("amazon-bedrock", "eu-west-3")
    assert call.model_requested == "anthropic.claude-haiku-4-5"


_JUNK = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(max_size=2))


@given(name=st.sampled_from(sorted(payload())), value=_JUNK | st.dictionaries(st.text(max_size=3), _JUNK))
def test_any_member_may_be_anything(name: str, value: Any) -> None:
    fields = call_fields(payload(**{name: value}))
    if fields is not None:
        UsageEvent(id="", **fields).checked()
