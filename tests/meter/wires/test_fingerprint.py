"""Keyed hashes: stable, unlinkable without the key, never the text."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from mesure.meter.wires.fingerprint import KEY_FILE, Fingerprints, load_key

if TYPE_CHECKING:
    from pathlib import Path

_ONE = Fingerprints(b"k" * 32)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = load_key(folder)
    assert len(key) == 32
    assert load_key(folder) == key
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.iterdir()] == [KEY_FILE]


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    start = threading.Barrier(8)

    def load() -> None:
        start.wait()
        keys.append(load_key(tmp_path))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", ["", "abcd", "not a key"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(ValueError, match=r"key|hexadecimal"):
        load_key(tmp_path)


def test_pseudonyms() -> None:
    name = _ONE.pseudonym("marie.martin@example.org")
    assert name == _ONE.pseudonym(" marie.martin@example.org ")
    assert name != _ONE.pseudonym("Marie.Martin@example.org")
    assert name != Fingerprints(b"j" * 32).pseudonym("marie.martin@example.org")
    assert name.startswith("u-")
    assert "marie" not in name


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
