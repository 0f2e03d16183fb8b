"""docs/cli.md is what the commands say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from mesure.apps.cli.group import COMMANDS
from mesure.apps.cli.reference import render

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "cli.md"


def test_the_document_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render(), "Run `make docs`."


def test_it_is_the_same_whatever_the_language_and_the_terminal() -> None:
    environ = os.environ | {"LANG": "fr_FR.UTF-8", "MESURE_LANG": "fr", "COLUMNS": "40"}
    written = subprocess.run(
        [sys.executable, "-m", "mesure.apps.cli.reference"], capture_output=True, check=True, env=environ
    )
    assert written.stdout.decode() == render()


def test_every_command_has_its_section() -> None:
    text = render()
    assert all(f"## mesure {name}\n" in text for name in COMMANDS)
