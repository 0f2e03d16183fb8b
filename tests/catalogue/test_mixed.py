"""Editions that take some tables from another."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from mesure.catalogue import Catalogue
from mesure.catalogue.mixed import TABLE_GROUPS, differing_groups, mixed
from mesure.catalogue.store import packaged
from mesure.catalogue.table import FACTOR_TABLES, NAME_TABLES

OWN = """
[[factor]]
table = "{table}"
entity = "{entity}"
parameter = "{parameter}"
value = {value}
unit = "{unit}"
year = 2026
source = "Acme"
source_url = "internal"
licence = "internal"
status = "published"
"""


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A copy of the packaged tables, for a test to change."""
    folder = tmp_path / "earlier"
    with as_file(files("mesure.catalogue") / "data") as packaged_folder:
        shutil.copytree(packaged_folder, folder)
    (folder / "VERSION").write_text("2025-01-01\n", encoding="utf-8")
    return folder


def edit(folder: Path, table: str, old: str, new: str) -> None:
    path = folder / f"{table}.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_every_table_that_impacts_read_is_in_one_group() -> None:
    grouped = [table for tables in TABLE_GROUPS.values() for table in tables]
    assert len(set(grouped)) == len(grouped)
    assert set(FACTOR_TABLES) | set(NAME_TABLES) == {*grouped, "equivalences"}


def test_the_same_edition_differs_in_nothing(earlier: Path) -> None:
    assert differing_groups(packaged(), packaged()) == ()
    assert differing_groups(packaged(), Catalogue(earlier)) == ()


def test_only_the_changed_group_differs_and_only_it_is_taken(earlier: Path) -> None:
    grid = packaged().grid("FRA")
    assert grid is not None
    [line] = [x for x in (earlier / "grids.csv").read_text().splitlines() if x.startswith(f"{grid.id},")]
    edit(earlier, "grids", line, line.replace(f",{grid.value:g},", ",77.5,", 1))
    old = Catalogue(earlier)
    assert differing_groups(old, packaged()) == ("grid",)
    for groups, value in (((), 77.5), (("models", "stack"), 77.5), (("grid",), grid.value)):
        found = mixed(old, packaged(), groups).grid("FRA")
        assert found is not None
        assert found.value == value


def test_user_rows_go_with_their_table(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(
        OWN.format(table="grids", entity="FRA", parameter="intensity", value=30, unit="gCO2e/kWh")
        + OWN.format(table="models", entity="llama-3.1-8b", parameter="total_params_b", value=9, unit="1e9 parameters"),
        encoding="utf-8",
    )
    own = packaged().with_user_file(path)
    assert differing_groups(packaged(), own) == ("models", "grid")
    half = mixed(packaged(), own, ["models"])
    assert half.model("llama-3.1-8b").one("total_params_b").value == 9  # type: ignore[union-attr]
    assert half.grid("FRA") == packaged().grid("FRA")
    assert own.version.split("+")[1] in half.version


def test_constants_and_tables_an_edition_did_not_have_yet_are_the_packaged_ones(earlier: Path) -> None:
    lines = (earlier / "stack.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("stack.idle.reserve")]
    assert len(kept) < len(lines)
    (earlier / "stack.csv").write_text("".join(kept), encoding="utf-8")
    (earlier / "grid_impacts.csv").unlink()
    old = Catalogue(earlier)
    complete = mixed(old, old, ())
    assert complete.edition == "2025-01-01"
    assert complete.constant("idle", "reserve") == packaged().constant("idle", "reserve")
    assert complete.constant("host", "share") == packaged().constant("host", "share")
    assert complete.rows("grid_impacts") == packaged().rows("grid_impacts")
    assert complete.check()["stack"] == len(lines) - 1
