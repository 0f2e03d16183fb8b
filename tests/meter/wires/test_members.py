"""Values are taken only when they are what they should be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from wire_laws import ANYTHING

from mesure.meter.wires.members import code, error_facts, error_of, first_count, how_many, identifier, member, name


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": {"message": "you wrote: hello", "type": "server_error", "code": "rate_limit"}}, "rate_limit"),
        ({"error": {"message": "hello", "type": "server_error", "code": None}}, "server_error"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "hello"}}, "overloaded_error"),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "hello"}}, "RESOURCE_EXHAUSTED"),
        ({"error": {"code": "content_filter", "status": 400}}, "content_filter"),
        ({"error": {"code": 503}}, "503"),
        ({"object": "error", "type": "invalid_request_error", "code": "3051", "message": "hello"}, "3051"),
        ({"error": "you wrote hello", "error_type": "validation"}, "validation"),
        ({"error": "you wrote hello"}, "unknown"),
        ({"error": {"code": "you wrote hello", "type": None}}, "unknown"),
        ({"detail": [{"msg": "you wrote hello"}]}, "unknown"),
        ({"message": "you wrote hello", "id": "x"}, "unknown"),
        ([1], "unknown"),
    ],
)
def test_errors_give_a_code_and_no_message(body: Any, expected: str) -> None:
    assert error_facts(json.dumps(body).encode()) == {"error_type": expected}


def test_what_is_no_json_is_an_unknown_error() -> None:
    assert error_facts(b"<html>hello") == error_facts(None) == error_facts(b"") == {"error_type": "unknown"}


@given(ANYTHING)
def test_an_error_never_carries_a_sentence(error: Any) -> None:
    told = error_of(error)["error_type"]
    assert " " not in told
    assert len(told) <= 64


def test_names_codes_and_identifiers() -> None:
    assert [name(value) for value in ("m", "", "x" * 201, 3, None)] == ["m", None, None, None, None]
    assert [code(value) for value in ("stop", 429, "two words", True, "é", 1.5)] == ["stop", "429", *[None] * 4]
    assert [identifier(value) for value in ("chatcmpl-417", "x" * 20, "x" * 201, 7)] == [None, "x" * 20, None, None]


def test_members_of_members() -> None:
    assert member({"a": {"b": 3}}, "a", "b") == 3
    assert [member(holder, "a", "b") for holder in ({"a": 1}, {"a": None}, [], None, {})] == [None] * 5


def test_counts_of_things() -> None:
    assert first_count({"a": -1, "b": 2.0, "c": 3}, "a", "b", "c") == 2
    assert first_count({}, "a") is None
    assert [how_many(value) for value in ("a", ["a", "b"], [1, 2], [[1], [2]], [], {}, None)] == [
        1, 2, 1, 2, None, None, None,
    ]  # fmt: skip
