"""Requests: worked examples first, so that the prefix repeats, and a stop after one line."""

from __future__ import annotations

import pytest

from mesure.apps.demo.messages import read_messages
from mesure.apps.demo.prompts import Target, request_for

_LOCAL = Target("gemma-3-270m", "gemma-3-270m")
_REMOTE = Target("gpt-4.1-mini", completions=False)


def test_every_message_becomes_one_request() -> None:
    for message in read_messages():
        request = request_for(message, _LOCAL)
        assert request is not None
        assert request.body["model"] == "gemma-3-270m"
        if message.use_case == "faq-search":
            assert request.path == "/embeddings"
            assert request.body["input"] == message.text
            continue
        assert request.path == ("/completions" if message.use_case == "intent" else "/chat/completions")
        assert request.body["stop"] == ["\n"]
        assert request.body["max_tokens"] <= 48
        assert request.body.get("stream", False) == message.stream
        text = request.body.get("prompt") or request.body["messages"][-1]["content"]
        assert message.text in text
        assert text == text.rstrip()  # a trailing space would be a token of its own


@pytest.mark.parametrize("language", ["fr", "en"])
def test_classifications_share_a_long_prefix(language: str) -> None:
    prompts = [
        request.body["prompt"]
        for message in read_messages()
        if message.use_case == "intent"
        and message.language == language
        and (request := request_for(message, _LOCAL)) is not None
    ]
    first, last = min(prompts), max(prompts)  # what these two share, all share
    shared = next(place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b)
    assert shared > 5 * max(len(prompt) - shared for prompt in prompts)


def test_a_remote_chat_model_is_asked_by_chat_only() -> None:
    for message in read_messages():
        request = request_for(message, _REMOTE)
        if message.use_case == "faq-search":
            assert request is None
        else:
            assert request is not None
            assert request.path == "/chat/completions"
            assert [part["role"] for part in request.body["messages"]] == ["system", "user"]
