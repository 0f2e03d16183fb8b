"""The build: source tables to packaged ones, and what it refuses."""

from __future__ import annotations

import csv
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from mesure.catalogue import Catalogue
from mesure.catalogue.store import FACTOR_TABLES, NAME_TABLES
from mesure.errors import CatalogueError

SOURCES = Path(__file__).resolve().parents[2] / "catalogue-src"
PACKAGED = SOURCES.parent / "src" / "mesure" / "catalogue" / "data"

pytestmark = pytest.mark.skipif(not SOURCES.is_dir(), reason="the source tables are not in this checkout")


@pytest.fixture(scope="module")
def build() -> Any:
    spec = importlib.util.spec_from_file_location("catalogue_build", SOURCES / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_packaged_tables_are_what_the_sources_compile_to(build: Any) -> None:
    texts = build.compiled()
    assert {path.name for path in PACKAGED.glob("*.csv")} == set(texts)
    for name, text in texts.items():
        assert (PACKAGED / name).read_text(encoding="utf-8") == text, f"run catalogue-src/build.py ({name} is stale)"


def _without(path: Path, column: str) -> None:
    """Empty a column in the last row of a table."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[-1][column] = ""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _source_tables() -> list[tuple[str, str]]:
    out = []
    for path in sorted((SOURCES / "tables").glob("*.csv")):
        header = path.read_text(encoding="utf-8").partition("\n")[0].split(",")
        columns = ("source", "unit", "year", "licence") if "value" in header else ("source", "licence")
        out += [(path.stem, column) for column in columns]
    return out


@pytest.mark.parametrize(("table", "column"), _source_tables() if SOURCES.is_dir() else [])
def test_removing_provenance_from_any_source_table_fails_the_build(
    build: Any, tmp_path: Path, table: str, column: str
) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(SOURCES / "tables", tables)
    _without(tables / f"{table}.csv", column)
    with pytest.raises(CatalogueError, match=f"column {column}"):
        build.compiled(tables)


_PACKAGED = [(table, column) for table in FACTOR_TABLES for column in ("source", "unit", "year", "licence")] + [
    (table, column) for table in NAME_TABLES for column in ("source", "licence")
]


@pytest.mark.parametrize(("table", "column"), _PACKAGED)
def test_removing_provenance_from_any_packaged_table_fails_loading(tmp_path: Path, table: str, column: str) -> None:
    folder = tmp_path / "data"
    shutil.copytree(PACKAGED, folder)
    _without(folder / f"{table}.csv", column)
    catalogue = Catalogue(folder)
    with pytest.raises(CatalogueError, match=f"Table {table}.*column {column}"):
        _read_all(catalogue)


def _read_all(catalogue: Catalogue) -> None:
    catalogue.factors()
    catalogue.zones()
    catalogue.models()
    catalogue.find_model("gpt-4o")
    catalogue.accelerator("H100")


def test_a_missing_table_says_so_but_the_mpl_file_may_be_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(PACKAGED, folder)
    (folder / "models_mpl.csv").unlink()
    kept = Catalogue(folder)
    assert kept.find_model("gpt-4o") is not None
    assert not any("MPL" in factor.licence and "models" in factor.id for factor in kept.factors())
    (folder / "grids.csv").unlink()
    with pytest.raises(CatalogueError, match="missing"):
        Catalogue(folder).grid("FRA")


def test_mpl_rows_live_in_their_own_file_only() -> None:
    for path in PACKAGED.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            licences = [row["licence"] for row in csv.DictReader(file)]
        copied = [licence for licence in licences if licence.startswith("MPL")]
        assert (copied == licences) if path.stem == "models_mpl" else not copied, path.name


def test_no_row_has_an_unknown_year_or_a_share_alike_licence() -> None:
    for path in PACKAGED.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        for forbidden in ("CC BY-SA", "CC-BY-SA", "ODbL 1.0", "AGPL database"):
            assert forbidden not in text, (path.name, forbidden)
