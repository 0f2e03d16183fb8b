"""The words of a call on each wire: what was asked, what was answered, and nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.content import answer_text, prompt_messages

USER = {"role": "user", "content": "Où est mon colis ?"}
SYSTEM = {"role": "system", "content": "Réponds bien."}


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [SYSTEM, USER]},
        {"messages": [{"role": "developer", "content": "Réponds bien."}, USER]},
        {"messages": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Où est mon colis ?"}]}]},
        {"system": "Réponds bien.", "messages": [USER]},
        {"system": [{"type": "text", "text": "Réponds bien."}], "messages": [USER]},
        {"instructions": "Réponds bien.", "input": "Où est mon colis ?"},
        {
            "instructions": "Réponds bien.",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "Où est mon colis ?"}]}],
        },
        {
            "systemInstruction": {"parts": [{"text": "Réponds bien."}]},
            "contents": [{"role": "user", "parts": [{"text": "Où est "}, {"text": "mon colis ?"}]}],
        },
        {
            "system_instruction": {"parts": [{"text": "Réponds bien."}]},
            "contents": [{"parts": [{"text": USER["content"]}]}],
        },
    ],
)
def test_what_was_asked_is_the_same_on_every_wire(request_: dict[str, Any]) -> None:
    assert prompt_messages(request_) == [SYSTEM, USER]


@pytest.mark.parametrize("name", ["prompt", "inputs", "message", "input"])
def test_a_text_alone_is_the_users(name: str) -> None:
    assert prompt_messages({name: "Bonjour", "model": "m"}) == [{"role": "user", "content": "Bonjour"}]


def test_turns_keep_their_roles_and_what_is_no_text_is_left_out() -> None:
    turns = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "content": "en route"},
        {"role": "model", "content": "Demain."},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "data:xyz"}}, {"type": "text", "text": "Et ça ?"}],
        },
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm", "text": "hm"}, {"type": "text", "text": "Oui."}],
        },
    ]
    said = [(each["role"], each["content"]) for each in prompt_messages({"messages": turns})]
    assert said == [
        ("user", USER["content"]),
        ("tool", "en route"),
        ("assistant", "Demain."),
        ("user", "Et ça ?"),
        ("assistant", "Oui."),
    ]


WHOLE = {
    "openai": {"choices": [{"index": 0, "message": {"role": "assistant", "content": "Il arrive."}}]},
    "completion": {"choices": [{"text": "Il arrive."}]},
    "two choices": {"choices": [{"message": {"content": "Il arrive."}}, {"message": {"content": "Non."}}]},
    "responses": {
        "output": [
            {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "Il arrive."}]},
        ]
    },
    "anthropic": {
        "type": "message",
        "content": [{"type": "thinking", "thinking": "hm", "text": "hm"}, {"type": "text", "text": "Il arrive."}],
    },
    "gemini": {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "Il arrive."}]}}]},
    "cohere": {"message": {"role": "assistant", "content": [{"type": "text", "text": "Il arrive."}]}},
    "cohere 1": {"text": "Il arrive.", "generation_id": "x"},
    "ollama": {"message": {"role": "assistant", "content": "Il arrive."}, "done": True},
    "ollama generate": {"response": "Il arrive.", "done": True},
    "tgi": {"generated_text": "Il arrive."},
}


@pytest.mark.parametrize("wire", WHOLE)
def test_a_whole_answer(wire: str) -> None:
    assert answer_text(json.dumps(WHOLE[wire]).encode()) == "Il arrive."
    assert answer_text(json.dumps([WHOLE[wire]]).encode()) == "Il arrive."


def events(*objects: dict[str, Any]) -> bytes:
    return b"".join(b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in objects) + b"data: [DONE]\n\n"


STREAMS = {
    "openai": events(
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": "Il "}}]},
        {"choices": [{"delta": {"content": "arrive."}, "finish_reason": None}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"total_tokens": 3}},
    ),
    "responses": events(
        {"type": "response.created", "response": {"output": []}},
        {"type": "response.reasoning_text.delta", "delta": "hm"},
        {"type": "response.output_text.delta", "delta": "Il "},
        {"type": "response.output_text.delta", "delta": "arrive."},
        {"type": "response.output_text.done", "text": "Il arrive."},
        {"type": "response.completed", "response": {"output": [WHOLE["anthropic"]]}},
    ),
    "anthropic": events(
        {"type": "message_start", "message": {"content": [], "role": "assistant"}},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Il "}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "arrive."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    ),
    "cohere": events(
        {"type": "message-start", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": "Il "}}}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": "arrive."}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
    ),
    "tgi": events(
        {"token": {"text": "Il ", "special": False}, "generated_text": None},
        {"token": {"text": "arrive.", "special": False}, "generated_text": None},
        {"token": {"text": "</s>", "special": True}, "generated_text": "Il arrive."},
    ),
    "ollama": b'{"message":{"content":"Il "},"done":false}\n{"message":{"content":"arrive."}}\n{"done":true}\n',
    "gemini": events(
        {"candidates": [{"content": {"parts": [{"text": "Il "}]}}]},
        {"candidates": [{"content": {"parts": [{"text": "arrive."}]}, "finishReason": "STOP"}]},
    ),
    "gemini array": json.dumps(
        [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in ("Il ", "arrive.")]
    ).encode(),
}


@pytest.mark.parametrize("wire", STREAMS)
def test_a_stream_says_each_word_once(wire: str) -> None:
    assert answer_text(STREAMS[wire]) == "Il arrive."


@pytest.mark.parametrize(
    "body", [b"", b"data: {", b"null", b"[]", b"3", b"\xff", b'{"choices": [{"message": null}]}', b'{"output": 3}']
)
def test_what_holds_no_text_gives_none(body: bytes) -> None:
    assert answer_text(body) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "content", "choices", "delta", "text", "parts", "type", "output", "token", "role", "input"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=JSON)
def test_nothing_that_a_provider_or_a_client_sends_is_too_strange(value: Any) -> None:
    assert isinstance(answer_text(json.dumps(value).encode()), str)
    if isinstance(value, dict):
        assert all(set(message) == {"role", "content"} and message["content"] for message in prompt_messages(value))
