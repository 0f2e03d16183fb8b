"""The build: source tables to packaged ones, and what it refuses."""

from __future__ import annotations

import csv
import importlib.util
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from mesure.catalogue import Catalogue
from mesure.catalogue.table import FACTOR_TABLES, MPL_TABLES, NAME_TABLES, PRICES
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
    written = build.DOCUMENT.read_text(encoding="utf-8")
    assert written == build.document(texts), "run catalogue-src/build.py (docs/catalogue.md is stale)"


def test_check_says_what_is_stale(build: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    assert build.main() == 0
    stale = tmp_path / "data"
    shutil.copytree(PACKAGED, stale)
    (stale / "hosts.csv").write_text("id\n", encoding="utf-8")
    monkeypatch.setattr(build, "PACKAGED", stale)
    assert build.main() == 1
    assert "stale: hosts.csv" in capsys.readouterr().out


def _linked(tables: Path, folder: Path, changed: str) -> Path:
    """The same tables, of which only `changed` is a copy."""
    folder.mkdir()
    for path in tables.iterdir():
        if path.stem == changed:
            shutil.copy(path, folder)
        else:
            (folder / path.name).symlink_to(path)
    return folder


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
        columns = ("source", "unit", "year", "licence") if "unit" in header else ("source", "licence")
        out += [(path.stem, column) for column in columns]
    return out


@pytest.mark.parametrize(("table", "column"), _source_tables() if SOURCES.is_dir() else [])
def test_removing_provenance_from_any_source_table_fails_the_build(
    build: Any, tmp_path: Path, table: str, column: str
) -> None:
    tables = _linked(SOURCES / "tables", tmp_path / "tables", table)
    _without(tables / f"{table}.csv", column)
    with pytest.raises(CatalogueError, match=f"column {column}"):
        build.compiled(tables)


_PACKAGED = [
    (table, column) for table in (*FACTOR_TABLES, PRICES) for column in ("source", "unit", "year", "licence")
] + [(table, column) for table in NAME_TABLES for column in ("source", "licence")]


@pytest.mark.parametrize(("table", "column"), _PACKAGED)
def test_removing_provenance_from_any_packaged_table_fails_loading(tmp_path: Path, table: str, column: str) -> None:
    folder = _linked(PACKAGED, tmp_path / "data", table)
    _without(folder / f"{table}.csv", column)
    with pytest.raises(CatalogueError, match=f"Table {table}, line .*column {column}"):
        Catalogue(folder).rows(table)


def test_the_check_reads_every_table_that_ships() -> None:
    assert {f"{table}.csv" for table in Catalogue(PACKAGED).check()} == {path.name for path in PACKAGED.glob("*.csv")}


def test_a_missing_table_says_so_but_the_mpl_file_may_be_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(PACKAGED, folder)
    for table in MPL_TABLES:
        (folder / f"{table}.csv").unlink()
    kept = Catalogue(folder)
    assert kept.find_model("gpt-4o") is not None
    assert kept.check()["models_mpl"] == 0
    assert not any(factor.licence.startswith("MPL") for factor in kept.factors())
    assert kept.embodied("kgSbeq") == ()
    (folder / "grids.csv").unlink()
    with pytest.raises(CatalogueError, match="missing"):
        Catalogue(folder).grid("FRA")


def test_mpl_rows_live_in_their_own_file_only() -> None:
    for path in PACKAGED.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            licences = [row["licence"] for row in csv.DictReader(file)]
        copied = [licence for licence in licences if licence.startswith("MPL")]
        assert (copied == licences) if path.stem in MPL_TABLES else not copied, path.name


def test_no_row_has_an_unknown_year_or_a_share_alike_licence() -> None:
    for path in PACKAGED.glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        for forbidden in ("CC BY-SA", "CC-BY-SA", "ODbL 1.0", "AGPL database"):
            assert forbidden not in text, (path.name, forbidden)


def _rewrite(path: Path, change: Any) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    change(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize(
    ("table", "column", "value", "why"),
    [
        ("model_names", "name", "two, names", "a comma or a line break in a key"),
        ("stack", "note", "two\nlines", "a comma or a line break in a key"),
        ("hosts", "licence", "CC BY-SA 4.0", "share-alike"),
        ("regions", "licence", "ODbL 1.0", "share-alike"),
    ],
)
def test_what_could_not_be_found_or_may_not_ship_fails_the_build(
    build: Any, tmp_path: Path, table: str, column: str, value: str, why: str
) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(SOURCES / "tables", tables)
    _rewrite(tables / f"{table}.csv", lambda rows: rows[0].update({column: value}))
    with pytest.raises(CatalogueError, match=why):
        build.compiled(tables)


def test_a_figure_from_memory_fails_the_build_until_it_is_read(build: Any, tmp_path: Path) -> None:
    tables = tmp_path / "tables"
    shutil.copytree(SOURCES / "tables", tables)
    _rewrite(tables / "stack.csv", lambda rows: rows[0].update(status="recalled"))
    with pytest.raises(CatalogueError, match="Table stack: a figure from memory that nobody has read") as refused:
        build.compiled(tables)
    assert "add an estimate with author, date" in refused.value.action


def test_every_figure_carried_from_memory_was_read_or_is_an_estimate_of_ours(build: Any) -> None:
    """The collected facts hold them; the packaged tables hold what was read in their place."""
    carried = {
        (row["entity"], row["parameter"])
        for part in ("accelerators", "models_open", "models_open_all", "models_media")
        for row in build.read(part, SOURCES / "tables")
        if row["status"] == "recalled"
    }
    assert len(carried) > 250
    packaged = {
        (row["entity"], row["parameter"]): row
        for table in ("accelerators", "models")
        for row in csv.DictReader((PACKAGED / f"{table}.csv").read_text("utf-8").splitlines())
    }
    for key in carried:
        row = packaged[key]
        assert row["status"] in ("published", "estimated", "assumed"), key
        if row["status"] == "assumed":
            assert "Mesure authors, expert estimate of 22 November 2026" in row["source"], key


def test_no_packaged_row_speaks_from_memory() -> None:
    said = re.compile(r"general knowledge|recalled|not opened|: verify", re.IGNORECASE)
    for path in PACKAGED.glob("*.csv"):
        assert not said.search(path.read_text("utf-8")), path.name


def test_an_expert_s_estimate_has_an_author_a_date_and_an_interval() -> None:
    """All but what is counted (memory, links): a figure that carries a result is wide."""
    for path in PACKAGED.glob("*.csv"):
        for row in csv.DictReader(path.read_text("utf-8").splitlines()):
            if "expert estimate" not in row["source"] or "parameter" not in row:
                continue
            assert row["licence"] == "Apache-2.0 (Mesure)", row["id"]
            assert row["status"] == "assumed", row["id"]
            assert "22 November 2026" in row["source"], row["id"]
            if row["parameter"] not in ("memory_gb", "link_gb_s", "passes") and path.stem != "hosts":
                assert all((row["low"], row["high"])), row["id"]


def test_every_alias_and_name_leads_to_a_listed_model() -> None:
    def rows(table: str) -> list[dict[str, str]]:
        with (PACKAGED / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    listed = {row["model"] for row in rows("model_list")}
    assert {row["model"] for row in rows("model_names")} <= listed
    assert {row["model"] for row in rows("model_aliases")} - {""} <= listed
    zones = {row["zone"] for row in rows("zones")}
    assert {row["zone"] for row in rows("regions")} <= zones
    assert {row["parameter"] for row in rows("hosts")} <= zones


def test_the_data_of_the_wheel_stay_small() -> None:
    assert sum(path.stat().st_size for path in PACKAGED.iterdir()) <= 3_200_000


# Water, minerals and primary energy


def _grid_rows(build: Any, **changed: str) -> dict[tuple[str, str], dict[str, str]]:
    mix = [
        {
            "entity": "AAA",
            "parameter": name,
            "value": share,
            "year": "2023",
            "source": "S",
            "source_url": "u",
            "licence": "L",
        }
        for name, share in {"hydro": "0.25", "coal": "0.75"}.items()
    ]
    factors = [
        {"entity": name, "parameter": q, "low": low, "value": mid, "high": high}
        for q in ("water", "adpe", "pe")
        for name, low, mid, high in (("hydro", "1", "4", "8"), ("coal", "2", "2", "4"))
    ]
    zones = [{"zone": "AAA", "country": "AAA"}, {"zone": "AA-X", "country": "AAA"}]
    return {(r["entity"], r["parameter"]): r for r in build.grid_impacts(mix, factors, zones)}


def test_a_zone_takes_its_mix_times_the_technologies(build: Any) -> None:
    own = _grid_rows(build)["AAA", "water"]
    assert [float(own[field]) for field in ("low", "value", "high")] == [1.75, 2.5, 5.0]
    assert (own["status"], own["unit"], own["year"]) == ("estimated", "L/kWh", "2023")


def test_a_zone_without_mix_takes_that_of_its_country_and_says_so(build: Any) -> None:
    borrowed = _grid_rows(build)["AA-X", "pe"]
    assert borrowed["status"] == "assumed"
    assert "AAA stands for this zone" in borrowed["note"]
    assert float(borrowed["low"]) <= 1.75
    assert float(borrowed["high"]) >= 5.0
