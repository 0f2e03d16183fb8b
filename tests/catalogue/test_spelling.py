"""Exact rules of names: what is taken off, and what never is."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.catalogue.spelling import date_suffix, spellings


@pytest.mark.parametrize(
    ("name", "stem", "day"),
    [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", date(2025, 9, 29)),
        ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5", date(2025, 9, 29)),
        ("gpt-4o-2024-05-13", "gpt-4o", date(2024, 5, 13)),
        ("mistral-large-2512", "mistral-large", date(2025, 12, 1)),
        ("command-r-08-2024", "command-r", date(2024, 8, 1)),
        ("gpt-3.5-turbo-0125", "gpt-3.5-turbo", None),
        ("gemini-2.5-pro-preview-03-25", "gemini-2.5-pro-preview", None),
        ("gpt-4o", "", None),
        ("gpt-4-1399", "", None),
        ("gpt-4o-2024-13-45", "", None),
    ],
)
def test_five_forms_of_date(name: str, stem: str, day: date | None) -> None:
    assert date_suffix(name) == (stem, day)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        (
            "arn:aws:bedrock:eu-west-1:12:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            "claude-haiku-4-5",
        ),
        ("projects/p/locations/l/publishers/anthropic/models/claude-opus-4-5@20251101", "claude-opus-4-5"),
        ("azure/eu/gpt-4o-2024-08-06", "gpt-4o"),
        ("openrouter/anthropic/claude-opus-4-6:free", "claude-opus-4-6"),
        ("accounts/fireworks/models/qwen3-8b", "qwen3-8b"),
        ("us.anthropic.claude-opus-4-6-v1", "claude-opus-4-6"),
        ("qwen3-30b-a3b-instruct-2507", "qwen3-30b-a3b-instruct"),
        ("GPT-4o ", "gpt-4o"),
    ],
)
def test_platforms_write_around_the_name(name: str, last: str) -> None:
    assert list(spellings(name))[-1] == last


@pytest.mark.parametrize("name", ["mistral-large-2512", "mistral-small-2603"])
def test_a_year_and_month_may_be_another_model_and_stays(name: str) -> None:
    assert list(spellings(name)) == [name]


@pytest.mark.parametrize(
    "name", ["nemotron-nano-9b-v2", "mistral-7b-instruct-v0.3", "acme/gpt-4o", "ft:gpt-4o", "gpt-4o-x"]
)
def test_what_is_part_of_a_name_stays(name: str) -> None:
    assert list(spellings(name)) == [name]


@given(st.text(max_size=60))
def test_any_text_has_spellings_that_it_contains(name: str) -> None:
    found = list(spellings(name))
    assert found[0] == name.strip().casefold()
    assert all(spelling in found[0] for spelling in found)
    assert len(found) <= 60
