"""The package as a whole: what importing it costs, and what the core install holds."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_import_pulls_no_framework() -> None:
    loaded = modules_after("import mesure")
    heavy = {"click", "narwhals", "babel", "numpy", "duckdb", "deltalake", "aiohttp", "starlette", "uvicorn", "htpy"}
    heavy |= {"opentelemetry", "orjson", "grpc", "google.protobuf"}
    assert not loaded & heavy


def test_an_estimate_pulls_no_framework_either() -> None:
    loaded = modules_after("import mesure; mesure.estimate('gpt-4o', input_tokens=10, output_tokens=10)")
    assert not loaded & {"click", "narwhals", "numpy", "duckdb", "deltalake", "aiohttp", "starlette"}


def test_core_install_has_at_most_five_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = [requirement.split(">")[0] for requirement in project["dependencies"]]
    assert len(core) + 1 <= 5
    # On Linux and macOS these three bring nothing of their own.
    assert set(core) == {"babel", "click", "narwhals"}


def test_public_names_are_there_and_no_others() -> None:
    import mesure

    for name in mesure.__all__:
        assert getattr(mesure, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        mesure.nothing  # noqa: B018
