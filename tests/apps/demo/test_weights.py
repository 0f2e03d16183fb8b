"""The model's file is joined once, whole or not at all."""

from __future__ import annotations

import hashlib
import types
from pathlib import Path

import pytest

from mesure.apps.demo import DemoError
from mesure.apps.demo import weights as room
from mesure.apps.demo.weights import cache_folder, model_file, why_no_local_model


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A package of the same shape with two small parts."""
    parts = [tmp_path / "part0", tmp_path / "part1"]
    parts[0].write_bytes(b"GGUF")
    parts[1].write_bytes(b"weights")
    module = types.ModuleType("small_weights")
    module.MODEL_NAME = "small.gguf"  # type: ignore[attr-defined]
    module.joined = 0  # type: ignore[attr-defined]
    module.expected = hashlib.sha256(b"GGUFweights").hexdigest()  # type: ignore[attr-defined]
    module.chunk_paths = lambda: parts  # type: ignore[attr-defined]

    def assemble(target: Path, overwrite: bool = False) -> Path:
        module.joined += 1  # type: ignore[attr-defined]
        target.write_bytes(b"".join(part.read_bytes() for part in parts))
        if hashlib.sha256(target.read_bytes()).hexdigest() != module.expected:
            raise ValueError("Assembled file sha256 did not match expected value")
        return target

    module.assemble = assemble  # type: ignore[attr-defined]
    monkeypatch.setattr(room, "import_module", lambda name: module)
    monkeypatch.setattr(room, "find_spec", lambda name: object())
    return module


def test_joined_once_then_found(tmp_path: Path, package: types.ModuleType) -> None:
    first = model_file(tmp_path / "cache")
    assert first.read_bytes() == b"GGUFweights"
    assert model_file(tmp_path / "cache") == first
    assert package.joined == 1


def test_a_file_of_another_size_is_joined_again(tmp_path: Path, package: types.ModuleType) -> None:
    target = model_file(tmp_path / "cache")
    target.write_bytes(b"GGUF")
    assert model_file(tmp_path / "cache").read_bytes() == b"GGUFweights"


def test_a_wrong_sum_leaves_nothing_behind(tmp_path: Path, package: types.ModuleType) -> None:
    package.expected = "0" * 64
    with pytest.raises(DemoError, match=r"cannot be put together.*sha256") as caught:
        model_file(tmp_path / "cache")
    assert caught.value.code == "demo_weights"
    assert "XDG_CACHE_HOME" in caught.value.action
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, package: types.ModuleType) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(DemoError, match="cannot be put together"):
        model_file(blocked)


def test_a_missing_package_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    missing = why_no_local_model()
    assert missing is not None
    assert missing.code == "demo_no_model"
    assert "xllamacpp" in str(missing.value)
    for way in ("mesure[local]", "--upstream", "OPENAI_API_KEY", "MISTRAL_API_KEY"):
        assert way in missing.action
    with pytest.raises(DemoError):
        model_file()


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mesure"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "mesure"
