"""Options that describe a use, and a file of one's own factors: each reaches the figure that it is about."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import mesure as package
from mesure.apps.cli import own_catalogue
from mesure.apps.cli.own_catalogue import adopt, own_file, put_in_place
from mesure.catalogue import current
from mesure.catalogue.store import packaged
from mesure.config import ServerSettings, Settings
from mesure.errors import CatalogueError
from mesure.impact import Deployment, ModelCard
from own_factors import own_factor

from .conftest import Run

_LLAMA = "llama-3.3-70b-instruct"


def _plain(impacts: Any) -> Any:
    return json.loads(json.dumps(impacts.to_json()))


@pytest.mark.parametrize(
    ("model", "flags", "given"),
    [
        ("gpt-4o", ("--input", 10), {"input_tokens": 10}),
        ("gpt-4o", ("--output", 20), {"output_tokens": 20}),
        ("gpt-4o", ("--input", 100, "--cached", 90), {"input_tokens": 100, "cached_tokens": 90}),
        ("gpt-4o", ("--output", 100, "--reasoning", 90), {"output_tokens": 100, "reasoning_tokens": 90}),
        ("gpt-4o", ("--zone", "SWE"), {"zone": "SWE"}),
        ("gpt-4o", ("--at", "2025-01-31"), {"at": date(2025, 1, 31)}),
        ("flux.1-dev", ("--images", 3), {"images": 3}),
        ("flux.1-dev", ("--images", 1, "--width", 512, "--height", 768), {"images": 1, "width": 512, "height": 768}),
        ("flux.1-dev", ("--images", 1, "--steps", 12), {"images": 1, "steps": 12}),
        ("whisper-1", ("--audio-seconds", 60.5), {"audio_seconds": 60.5}),
    ],
)
def test_each_option_is_the_argument_it_names(
    mesure: Run, model: str, flags: tuple[object, ...], given: dict[str, Any]
) -> None:
    expected = _plain(package.estimate(model, **given))
    assert mesure("estimate", model, *flags, "--json").data == expected
    assert expected != _plain(package.estimate(model))


@pytest.mark.parametrize(
    ("flags", "stated"),
    [
        (("--gpu", "h100-sxm"), {"gpu": "h100-sxm"}),
        (("--gpu", "h100-sxm", "--n-gpus", 8), {"gpu": "h100-sxm", "n_gpus": 8}),
        (("--gpu", "h100-sxm", "--precision", "fp8"), {"gpu": "h100-sxm", "precision": "fp8"}),
        (("--gpu", "h100-sxm", "--batch", 12.5), {"gpu": "h100-sxm", "batch": 12.5}),
        (("--framework", "transformers"), {"framework": "transformers"}),
    ],
)
def test_what_is_stated_of_the_machines_is_the_deployment(
    mesure: Run, flags: tuple[object, ...], stated: dict[str, Any]
) -> None:
    tokens = {"input_tokens": 100, "output_tokens": 100}
    expected = _plain(package.estimate(_LLAMA, deployment=Deployment(**stated), **tokens))  # type: ignore[arg-type]
    assert mesure("estimate", _LLAMA, *flags, "--input", 100, "--output", 100, "--json").data == expected


@pytest.mark.parametrize(
    ("flags", "modality"),
    [(("--images", 1), "image"), (("--frames", 24, "--images", 1), "video"), (("--input", 5), None)],
)
def test_an_unlisted_model_is_of_the_kind_of_what_it_makes(
    mesure: Run, flags: tuple[object, ...], modality: str | None
) -> None:
    names = {"--images": "images", "--frames": "frames", "--input": "input_tokens"}
    given: dict[str, Any] = {names[str(flag)]: value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    card = ModelCard(modality=modality) if modality else None
    expected = _plain(package.estimate("made-here", card=card, **given))
    assert mesure("estimate", "made-here", *flags, "--json").data == expected


def test_a_listed_model_keeps_what_the_catalogue_says_of_it(mesure: Run) -> None:
    expected = _plain(package.estimate("gpt-4o", images=1))
    assert mesure("estimate", "gpt-4o", "--images", 1, "--json").data == expected


# A file of one's own factors


def _catalogue_file(folder: Path, text: str, name: str = "catalogue.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _intensity() -> float:
    found = current().grid("FRA")
    assert found is not None
    return found.value


def test_the_file_of_the_data_folder_named_on_the_command_line_counts(mesure: Run, tmp_path: Path) -> None:
    _catalogue_file(tmp_path / "elsewhere", own_factor(77))
    adopt(data=str(tmp_path / "elsewhere"))
    assert _intensity() == 77
    adopt()
    assert _intensity() == packaged().grid("FRA").value  # type: ignore[union-attr]


def test_the_file_that_the_configuration_names_comes_first(tmp_path: Path) -> None:
    named, found = (_catalogue_file(tmp_path / where, own_factor(value)) for where, value in (("a", 11), ("b", 22)))
    both = Settings(server=ServerSettings(catalogue=str(named), data=str(found.parent)))
    assert own_file(both) == named
    assert own_file(Settings(server=ServerSettings(data=str(found.parent)))) == found
    assert own_file(Settings(server=ServerSettings(data=str(tmp_path / "none")))) is None


def test_settings_that_cannot_be_read_are_left_to_the_command(mesure: Run, tmp_path: Path) -> None:
    Path("mesure.toml").write_text("[server\n", encoding="utf-8")
    adopt()
    assert mesure("estimate", "gpt-4o", "--json").code == 0
    assert mesure("doctor", "--json").error["code"] == "config"


def test_a_file_replaces_the_one_there_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads meanwhile finds the old one or the new one, whole."""
    folder, new = tmp_path / "d", _catalogue_file(tmp_path, own_factor(22), "new.toml")
    there = _catalogue_file(folder, own_factor(11))
    moved: list[tuple[str, str]] = []

    def replace(source: Path, target: Path) -> None:
        assert there.read_text(encoding="utf-8") == own_factor(11)
        assert source.read_text(encoding="utf-8") == own_factor(22)
        assert source.parent == target.parent  # on one disk, or it would not be one step
        moved.append((source.name, target.name))
        source.rename(target)

    monkeypatch.setattr(own_catalogue.os, "replace", replace)
    place, catalogue = put_in_place(new, folder, replace=True)
    assert moved == [("catalogue.partial", "catalogue.toml")]
    assert place == there
    assert "+user." in catalogue.version
    assert [path.name for path in folder.iterdir()] == ["catalogue.toml"]


def test_a_refused_file_leaves_the_one_there(tmp_path: Path) -> None:
    there = _catalogue_file(tmp_path / "d", own_factor(11))
    for text in (own_factor(22, licence=None), own_factor(22, year="soon"), "[[factor]\n"):
        with pytest.raises(CatalogueError):
            put_in_place(_catalogue_file(tmp_path, text, "new.toml"), tmp_path / "d", replace=True)
        assert there.read_text(encoding="utf-8") == own_factor(11)
    with pytest.raises(CatalogueError) as refused:
        put_in_place(_catalogue_file(tmp_path, own_factor(22), "new.toml"), tmp_path / "d", replace=False)
    assert refused.value.what == "This data folder has a file of its own factors already"
    assert refused.value.value == str(there)
