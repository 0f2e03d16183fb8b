"""The day's messages are well formed, varied, and nobody's."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import pytest

from mesure.apps.demo.driver import headers_for
from mesure.apps.demo.messages import labels, read_examples, read_messages

_MESSAGES = read_messages()


def test_about_150_messages_two_thirds_french() -> None:
    assert 140 <= len(_MESSAGES) <= 160
    french = sum(message.language == "fr" for message in _MESSAGES)
    assert 0.6 <= french / len(_MESSAGES) <= 0.75
    assert {message.language for message in _MESSAGES} == {"fr", "en"}


def test_several_teams_clients_channels_and_use_cases() -> None:
    assert len({message.team for message in _MESSAGES}) >= 6
    assert len({message.end_client for message in _MESSAGES}) == 5
    assert {message.use_case for message in _MESSAGES} == {"intent", "reply", "summary", "translation", "faq-search"}
    assert len({message.channel for message in _MESSAGES}) >= 4
    assert sum(message.stream for message in _MESSAGES) >= 20


def test_ids_are_unique_and_in_order() -> None:
    assert [message.id for message in _MESSAGES] == [f"m{n:03}" for n in range(1, len(_MESSAGES) + 1)]


def test_some_questions_come_back_word_for_word() -> None:
    asked = Counter((message.use_case, message.text) for message in _MESSAGES)
    assert sum(count - 1 for count in asked.values()) >= 10
    assert max(asked.values()) >= 4


def test_a_contact_stays_with_one_client_and_one_language() -> None:
    contacts = defaultdict(set)
    for message in _MESSAGES:
        contacts[message.contact].add((message.end_client, message.language, message.channel))
    assert all(len(found) == 1 for found in contacts.values())
    assert len(contacts) > 90


def test_each_message_carries_its_right_label() -> None:
    for message in _MESSAGES:
        assert message.intent in labels(message.language), message.id
    for language in ("fr", "en"):
        assert {m.intent for m in _MESSAGES if m.language == language} == labels(language)


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("e-mail address", r"[\w.+-]+@[\w-]+\.\w+"),
        ("web address", r"https?://|www\."),
        ("telephone number", r"(?:\+\d{2}|\b0)[ .-]?\d(?:[ .-]?\d{2}){4}|\b\d{3}[ .-]\d{3}[ .-]\d{4}\b"),
        ("bank account", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,}"),
        ("payment card", r"\b(?:\d[ -]?){13,19}\b"),
        ("social security number", r"\b[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3}\b"),
        ("title and name", r"\b(?:M\.|Mme|Mr|Mrs|Ms)\s[A-Z]"),
    ],
)
def test_no_personal_data(what: str, pattern: str) -> None:
    for message in _MESSAGES:
        assert not re.search(pattern, message.text), f"{message.id} looks like it holds a {what}"


def test_worked_examples_are_not_the_questions() -> None:
    """Else the share of right labels would be that of a copy."""
    examples = {example.question.casefold() for found in read_examples().values() for example in found}
    assert not examples & {message.text.casefold() for message in _MESSAGES}
    for language in ("fr", "en"):
        shown = Counter(example.answer for example in read_examples()["intent", language])
        assert set(shown.values()) == {3}
        assert len(shown) == 10


def test_attribution_headers_are_plain_ascii() -> None:
    users = set()
    for message in _MESSAGES:
        headers = headers_for(message)
        users.add(headers["x-mesure-user"])
        for name, value in headers.items():
            assert value.isascii(), (message.id, name)
            assert value
        assert message.text not in headers.values()
    assert len(users) > 30
    assert len({user for user in users if user.startswith("sinistres")}) < 5  # a group too small to be shown alone
