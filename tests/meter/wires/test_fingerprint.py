"""Keyed hashes of prompts: stable, unlinkable without the key, never the text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mesure.meter.wires.fingerprint import Fingerprints

if TYPE_CHECKING:
    pass

_ONE = Fingerprints(b"k" * 32)


def _chat(*messages: tuple[str, Any]) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": role, "content": content} for role, content in messages]}


def test_the_same_prompt_is_recognised_however_it_is_written() -> None:
    plain = _ONE.prompt(_chat(("system", "Be brief."), ("user", "Bonjour")))
    parts = _ONE.prompt(_chat(("system", " Be brief.\n"), ("user", [{"type": "text", "text": "Bonjour"}])))
    reordered = {
        "messages": [{"content": "Be brief.", "role": "system"}, {"content": "Bonjour", "name": None, "role": "user"}]
    }
    assert plain == parts == _ONE.prompt(reordered)
    assert plain != Fingerprints(b"j" * 32).prompt(_chat(("system", "Be brief."), ("user", "Bonjour")))


def test_the_prefix_is_that_of_the_system_message() -> None:
    first = _ONE.prompt(_chat(("system", "Be brief."), ("user", "Bonjour")))
    second = _ONE.prompt(_chat(("system", "Be brief."), ("user", "Bonsoir")))
    assert first[0] != second[0]
    assert first[1] == second[1]
    assert _ONE.prompt(_chat(("user", "x"), ("developer", "d")))[1] == _ONE.prompt(_chat(("developer", "d")))[1]


@pytest.mark.parametrize(
    ("turns", "system"),
    [("messages", "system"), ("contents", "systemInstruction"), ("contents", "system_instruction")],
)
def test_instructions_that_stand_apart_are_the_prefix(turns: str, system: str) -> None:
    first = _ONE.prompt({turns: [{"role": "user", "parts": [{"text": "Bonjour"}]}], system: "Be brief."})
    second = _ONE.prompt({turns: [{"role": "user", "parts": [{"text": "Bonsoir"}]}], system: "Be brief. "})
    other = _ONE.prompt({turns: [{"role": "user", "parts": [{"text": "Bonjour"}]}], system: "Be long."})
    assert first[1] == second[1] != other[1]
    assert len({first[0], second[0], other[0]}) == 3


@pytest.mark.parametrize("name", ["input", "prompt", "inputs", "message", "texts", "content", "requests"])
def test_texts_of_every_wire_have_a_fingerprint(name: str) -> None:
    assert _ONE.prompt({name: ["Bonjour"]})[0] == _ONE.prompt({"input": ["Bonjour"]})[0]


def test_prompts_of_other_operations() -> None:
    whole, prefix = _ONE.prompt({"input": ["a", "b"]})
    assert whole
    assert prefix is None
    assert _ONE.prompt({"prompt": "a"})[0] == _ONE.prompt({"input": " a "})[0]
    assert _ONE.prompt({"input": [1, 2]})[0]
    assert _ONE.prompt({"input": "a", "instructions": "i"})[1]
    assert _ONE.prompt({}) == (None, None)
    assert _ONE.prompt({"messages": "wrong"}) == (None, None)
