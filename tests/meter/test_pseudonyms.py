"""People as pseudonyms: one function for every intake, one key a data folder."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.errors import ConfigError
from mesure.meter.pseudonyms import KEY_FILE, Pseudonyms, load_key, pseudonym
from mesure.meter.wires.fingerprint import Fingerprints

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"k" * 32


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


def test_the_same_person_is_the_same_pseudonym() -> None:
    name = pseudonym(KEY, "marie.martin@example.org")
    assert name == pseudonym(KEY, " marie.martin@example.org ")
    assert name != pseudonym(KEY, "Marie.Martin@example.org")
    assert name != pseudonym(b"j" * 32, "marie.martin@example.org")


@given(st.text(), st.text(), st.binary(min_size=32, max_size=64))
def test_laws(one: str, other: str, key: bytes) -> None:
    hidden = pseudonym(key, one)
    assert re.fullmatch("u-[0-9a-f]{24}", hidden)
    assert pseudonym(key, hidden) == hidden
    assert (pseudonym(key, other) == hidden) is (one.strip() == other.strip() or other.strip() == hidden)


def test_every_intake_gives_the_same(tmp_path: Path) -> None:
    """The gateway and the imports of one data folder, so that one person is one person."""
    gateway = Fingerprints(load_key(tmp_path))
    imports = Pseudonyms(tmp_path)
    assert gateway.pseudonym("marie") == imports("marie") == Pseudonyms(tmp_path)("marie")
    assert Pseudonyms(tmp_path / "other")("marie") != imports("marie")


def test_no_folder_is_made_until_somebody_is_named(tmp_path: Path) -> None:
    people = Pseudonyms(tmp_path / "data")
    assert not (tmp_path / "data").exists()
    people("marie")
    assert (tmp_path / "data" / KEY_FILE).exists()


def test_another_purpose_gives_another_hash() -> None:
    prompt, _ = Fingerprints(KEY).prompt({"prompt": "marie"})
    assert prompt is not None
    assert prompt not in pseudonym(KEY, "marie")


@pytest.mark.parametrize("content", ["", "abcd", "not a key"])
def test_nobody_is_named_under_a_key_that_cannot_be_used(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(ConfigError) as refused:
        Pseudonyms(tmp_path)("marie")
    assert "marie" not in str(refused.value)
    assert str(refused.value.value).endswith(KEY_FILE)


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        Pseudonyms(tmp_path / "file")("marie")
