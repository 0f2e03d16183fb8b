"""A wheel is built, installed outside the checkout, and used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "MESURE_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=ROOT)
    return next(out.glob("*.whl"))


def test_wheel_holds_the_data_and_nothing_of_the_checkout(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "mesure/i18n/fr.po" in names
    assert "mesure/py.typed" in names
    assert any(name.startswith("mesure/catalogue/data/") for name in names)
    assert "mesure/state/migrations/0001_virtual_keys.sql" in names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "catalogue-src/"))]


def test_wheel_installed_elsewhere_estimates(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "env"
    venv.create(home, with_pip=False)
    site = next((home / "lib").glob("python*/site-packages"))
    # The core's three dependencies come from this environment: the test needs no network.
    import babel
    import click
    import narwhals

    for module in (babel, click, narwhals):
        folder = Path(str(module.__file__)).parent
        (site / folder.name).symlink_to(folder)
    zipfile.ZipFile(wheel).extractall(site)
    python = home / "bin" / "python"
    out = run(
        python, "-m", "mesure", "estimate", "gpt-4o", "--input", "1000", "--output", "400", "--json", cwd=tmp_path
    )
    figure = json.loads(out)
    assert 0 < figure["energy_wh"]["low"] < figure["energy_wh"]["mid"] < figure["energy_wh"]["high"]
    token = json.loads(run(python, "-m", "mesure", "keys", "create", "--json", cwd=tmp_path))["token"]
    assert token.startswith("mesure-")
    where = run(python, "-c", "import mesure; print(mesure.__file__)", cwd=tmp_path)
    assert str(home) in where
