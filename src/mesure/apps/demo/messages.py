"""The contact-centre day: customer messages written for this project, and worked examples for the model."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Example", "Message", "labels", "read_examples", "read_messages"]


class Message(NamedTuple):
    """One AI call of the day: who asks (client, team), for what (use case), about which customer text."""

    id: str
    language: str
    channel: str
    contact: str
    end_client: str
    team: str
    use_case: str
    intent: str  # the right label, written by hand
    text: str
    stream: bool

    @property
    def use_case_name(self) -> str:
        """What the organisation of the demo calls this use case: what its people read on the pages."""
        return _USE_CASE_NAMES[self.use_case]


_USE_CASE_NAMES = {
    "intent": "motif d’appel",
    "reply": "réponse client",
    "summary": "résumé d’appel",
    "translation": "traduction",
    "faq-search": "recherche FAQ",
}


class Example(NamedTuple):
    """A question with its answer, shown to the model before the real question."""

    question: str
    answer: str


@lru_cache(maxsize=1)
def read_messages() -> tuple[Message, ...]:
    """All messages, in the order of the day."""
    return tuple(Message(**(row | {"stream": row["stream"] == "yes"})) for row in _rows("messages.csv"))


@lru_cache(maxsize=1)
def read_examples() -> dict[tuple[str, str], tuple[Example, ...]]:
    """Worked examples by (use case, language)."""
    found: dict[tuple[str, str], tuple[Example, ...]] = {}
    for row in _rows("examples.csv"):
        key = row["use_case"], row["language"]
        found[key] = (*found.get(key, ()), Example(row["question"], row["answer"]))
    return found


def labels(language: str) -> frozenset[str]:
    """The reasons for contact that a classification may answer."""
    return frozenset(example.answer for example in read_examples()["intent", language])


def _rows(name: str) -> Iterator[dict[str, Any]]:
    text = (files("mesure.apps.demo") / name).read_text(encoding="utf-8")
    yield from csv.DictReader(text.splitlines())
