"""docs/configuration.md is what the code says."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args, get_type_hints

from mesure.config import Settings, load_settings
from mesure.config.reference import render

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "Run `make docs`."


def test_the_module_writes_the_document() -> None:
    written = subprocess.run([sys.executable, "-m", "mesure.config.reference"], capture_output=True, check=True)
    assert written.stdout.decode() == render()


def test_every_setting_is_documented_with_a_meaning() -> None:
    text = render()
    for hint in get_type_hints(Settings).values():
        kind = hint if is_dataclass(hint) else next((arg for arg in get_args(hint) if is_dataclass(arg)), None)
        for setting in fields(kind) if kind else ():  # type: ignore[arg-type]
            assert f"| `{setting.name}` |" in text
            assert len(setting.metadata["doc"]) > 10


def test_the_example_is_a_file_mesure_reads(tmp_path: Path) -> None:
    example = render().split("```toml\n")[1].split("```")[0]
    assert tomllib.loads(example)
    (tmp_path / "mesure.toml").write_text(example)
    assert load_settings(tmp_path / "mesure.toml", environ={}).providers["mistral"].default
