"""Running `mesure` in this process and in its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from mesure.apps.cli import main

from .imports_shown import CSV


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The JSON written."""
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error written as JSON."""
        found: dict[str, Any] = json.loads(self.err)["error"]
        return found


Run = Callable[..., Ran]


@pytest.fixture
def mesure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """mesure("estimate", "gpt-4o", ...) in an empty folder, in English unless said."""
    monkeypatch.chdir(tmp_path)
    for name in ("LC_ALL", "LC_MESSAGES", "MESURE_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")

    def run(*arguments: object) -> Ran:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def usage(tmp_path: Path) -> Path:
    """A small file of two calls."""
    path = tmp_path / "usage.csv"
    path.write_text(CSV)
    return path


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """The same as a process of its own, not waited for."""

    def start(*arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "mesure", *map(str, arguments)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start
