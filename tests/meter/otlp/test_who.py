"""Who a call was made for: the order of places, people, and words for environments."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mesure.errors import ConfigError
from mesure.meter.otlp.who import Attribution, environment_named


@pytest.mark.parametrize(
    ("word", "environment"),
    [
        ("prod", "production"),
        ("Production ", "production"),
        ("LIVE", "production"),
        ("staging", "test"),
        ("pre-production", "test"),
        ("ci", "test"),
        ("dev", "experiment"),
        ("local", "experiment"),
        ("eu-west-3", None),
        ("", None),
        (None, None),
    ],
)
def test_usual_words_for_an_environment(word: str | None, environment: str | None) -> None:
    assert environment_named(word) == environment


def attributed(attributes: dict[str, Any], resource: dict[str, Any], **fixed: Any) -> dict[str, Any]:
    names = {"team": ["mesure.team", "org.unit"], "user": ["mesure.user"]}
    return Attribution(names, lambda user: f"u-{user[::-1]}", fixed).fields(attributes, resource)


def test_the_first_name_rules_and_the_span_before_its_resource() -> None:
    assert attributed({"org.unit": "b"}, {"mesure.team": "a"})["team"] == "b"
    assert attributed({"org.unit": "b", "mesure.team": "c"}, {})["team"] == "c"
    assert attributed({"mesure.team": ["first", "second"]}, {})["team"] == "first"
    assert "team" not in attributed({"mesure.team": "  "}, {"org.unit": 7})


def test_a_person_leaves_as_a_pseudonym() -> None:
    assert attributed({"mesure.user": "abc"}, {})["user"] == "u-cba"


def test_what_nothing_else_says_is_fixed() -> None:
    found = attributed({}, {"service.name": "assistant"}, organisation="Exemple SA", environment="test")
    assert found == {"organisation": "Exemple SA", "environment": "test", "application": "assistant"}
    assert attributed({}, {"deployment.environment": "prod"}, environment="test")["environment"] == "production"
    assert attributed({}, {"deployment.environment": "eu"}, environment="test")["environment"] == "test"
    assert "application" not in attributed({}, {"service.name": "unknown_service:node"})


def test_without_a_key_of_pseudonyms_a_call_has_no_user_and_the_reason_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def no_key(user: str) -> str:
        raise ConfigError("The key of pseudonyms cannot be used", action="Check the file")

    who = Attribution({"user": ["mesure.user"]}, no_key, {})
    with caplog.at_level(logging.WARNING, "mesure.otlp"):
        for _ in range(3):
            assert who.fields({"mesure.user": "someone"}, {})["user"] is None
    assert caplog.text.count("without their user") == 1
    assert "someone" not in caplog.text


def test_every_name_that_is_asked_for_is_read() -> None:
    who = Attribution({"team": ["a", "b"], "user": ["c"]}, str, {})
    assert {"a", "b", "c", "service.name", "deployment.environment.name"} <= who.attributes
