"""`mesure catalogue`: check, show, diff, add; in both languages."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from mesure.catalogue import current
from own_factors import own_factor

from .conftest import Run

OWN = own_factor(30)


PRIVATE = """
[[factor]]
table = "models"
entity = "acme-support-7b"
parameter = "total_params_b"
value = 7.6
unit = "1e9 parameters"
year = 2026
source = "Acme, training log"
source_url = "internal"
licence = "internal"
status = "published"

[[name]]
name = "ft:acme-support"
model = "llama-3.1-8b"
source = "Acme"
licence = "internal"

[[price]]
provider = "acme"
model = "acme-support-7b"
valid_from = "2026-02-01"
input = 0.2
output = 0.4
unit = "USD/Mtoken"
year = 2026
source = "Acme"
source_url = "internal"
licence = "internal"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(OWN, encoding="utf-8")
    return path


def test_check_reads_every_table(mesure: Run) -> None:
    ran = mesure("catalogue", "check", "--json")
    assert ran.code == 0
    assert ran.data["version"] == current().version
    assert ran.data["rows"] == current().check()
    assert "every number has its source" in mesure("catalogue", "check").out
    assert "chaque nombre a sa source" in mesure("catalogue", "check", "--lang", "fr").out


def test_check_of_a_file(mesure: Run, own: Path) -> None:
    ran = mesure("catalogue", "check", own)
    assert ran.code == 0
    assert "+user." in ran.out
    own.write_text(own_factor(30, licence=None), encoding="utf-8")
    refused = mesure("catalogue", "check", own, "--json")
    assert refused.code == 1
    assert refused.error["code"] == "catalogue"
    assert "column licence" in refused.error["what"]
    french = mesure("catalogue", "check", own, "--lang", "fr")
    assert "colonne licence : vide" in french.err.replace("\u202f", " ").replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("name", "kind", "parameter"),
    [
        ("gpt-4o", "model", "total_params_b"),
        ("Qwen/Qwen3-8B", "model", "layers"),
        ("FRA", "zone", "water"),
        ("aws:us-east-1", "region", "intensity_direct"),
        ("H100", "accelerator", "board_power_w"),
        ("AMD EPYC 7763", "processor", "tdp_w"),
        ("openai", "provider", "pue"),
    ],
)
def test_show_says_source_year_and_licence(mesure: Run, name: str, kind: str, parameter: str) -> None:
    ran = mesure("catalogue", "show", name, "--json")
    assert ran.code == 0
    assert ran.data["kind"] == kind
    [factor, *_] = [f for f in ran.data["factors"] if f["parameter"] == parameter]
    assert all(factor[column] for column in ("id", "unit", "year", "source", "source_url", "licence", "status"))
    text = mesure("catalogue", "show", name).out
    assert factor["source"] in text
    assert factor["licence"] in text
    assert str(factor["year"]) in text


def test_show_a_factor_by_its_id(mesure: Run) -> None:
    id = "grids.FRA.intensity.2025"  # noqa: A001
    ran = mesure("catalogue", "show", id, "--json")
    assert ran.data["factors"][0]["value"] == current().factor(id).value


def test_show_a_constant_of_the_method_by_its_id(mesure: Run) -> None:
    ran = mesure("catalogue", "show", "fit.text.bandwidth_weights", "--json")
    assert ran.data["kind"] == "factor"
    assert ran.data["factors"][0]["source"].startswith("Mesure, fitted")


def test_show_at_a_day(mesure: Run) -> None:
    then = mesure("catalogue", "show", "mistral-large-latest", "--provider", "mistral", "--at", "2025-01-15", "--json")
    assert then.data["name"] == "mistral-large-2411"
    assert mesure("catalogue", "show", "FRA", "--at", "soon").code == 2


def test_show_a_price(mesure: Run) -> None:
    ran = mesure("catalogue", "show", "gpt-4o", "--provider", "openai", "--at", "2026-01-01", "--json")
    assert ran.data["prices"][0]["input_usd_per_mtok"] == 2.5
    assert "USD per million tokens" in mesure("catalogue", "show", "gpt-4o", "--provider", "openai").out


def test_an_unknown_name_gets_the_nearest(mesure: Run) -> None:
    ran = mesure("catalogue", "show", "gpt-4oo", "--json")
    assert ran.code == 1
    assert "gpt-4o" in ran.error["nearest"]
    unsized = mesure("catalogue", "show", "claude-3-opus-20240229", "--json")
    assert unsized.error["code"] == "size_unknown"
    assert "personne ne publie" in mesure("catalogue", "show", "claude-3-opus-20240229", "--lang", "fr").err


def test_diff_of_a_file_of_ones_own(mesure: Run, own: Path) -> None:
    """A figure of one's own replaces those of every year: it is one change, from the last of them."""
    ran = mesure("catalogue", "diff", "packaged", own, "--json")
    assert ran.code == 0
    [change] = ran.data["changed"]
    assert (change["old"]["id"], change["old"]["value"]) == ("grids.FRA.intensity.2025", 41.44)
    assert (change["new"]["id"], change["new"]["value"]) == ("user.grids.FRA.intensity.2026", 30)
    assert all(ran.data[kind] == [] for kind in ran.data.keys() - {"old", "new", "changed"})
    text = mesure("catalogue", "diff", "packaged", own).out
    assert "Changed: 1" in text
    assert "Added: 0" in text
    assert "41.44 → 30" in text
    assert "41,44 → 30" in mesure("catalogue", "diff", "packaged", own, "--lang", "fr").out


def test_diff_tells_names_models_and_prices_of_ones_own(mesure: Run, own: Path) -> None:
    own.write_text(PRIVATE, encoding="utf-8")
    ran = mesure("catalogue", "diff", "packaged", own, "--json")
    assert ran.data["models_added"] == ["acme-support-7b"]
    assert ran.data["names"] == [{"name": "ft:acme-support", "old": "", "new": "llama-3.1-8b"}]
    assert ran.data["prices"] == [
        {"price": "acme acme-support-7b standard 2026-02-01", "old": "", "new": "0.2 / 0.4 / - / -"}
    ]
    french = mesure("catalogue", "diff", "packaged", own, "--lang", "fr").out
    assert "standard 2026-02-01: - → 0,2 / 0,4 / - / -" in french
    assert "Noms changés\u00a0: 1" in french


def test_diff_tells_a_source_that_changed_under_the_same_number(mesure: Run, tmp_path: Path) -> None:
    with as_file(files("mesure.catalogue") / "data") as data:
        shutil.copytree(data, tmp_path / "edition")
    table = tmp_path / "edition" / "sites.csv"
    text = table.read_text(encoding="utf-8")
    assert ",EcoLogits 0.11.3," in text
    table.write_text(text.replace(",EcoLogits 0.11.3,", ",EcoLogits 0.12,", 1), encoding="utf-8")
    (tmp_path / "edition" / "training.csv").unlink()  # an edition of before this table
    ran = mesure("catalogue", "diff", "edition", "packaged", "--json")
    [change] = ran.data["sources"]
    assert (change["old"]["source"], change["new"]["source"]) == ("EcoLogits 0.12", "EcoLogits 0.11.3")
    assert change["old"]["value"] == change["new"]["value"]
    assert ran.data["changed"] == []
    assert {factor["id"].split(".")[0] for factor in ran.data["added"]} == {"training"}
    assert "EcoLogits 0.12 → EcoLogits 0.11.3" in mesure("catalogue", "diff", "edition", "packaged").out


def test_diff_of_two_editions(mesure: Run, tmp_path: Path) -> None:
    with as_file(files("mesure.catalogue") / "data") as data:
        shutil.copytree(data, tmp_path / "edition")
    table = tmp_path / "edition" / "grids.csv"
    text = table.read_text(encoding="utf-8")
    assert "grids.FRA.intensity.2025,FRA,intensity,41.44," in text
    table.write_text(text.replace("FRA,intensity,41.44,", "FRA,intensity,51.8,"), encoding="utf-8")
    (tmp_path / "edition" / "VERSION").write_text("2027-01-01\n", encoding="utf-8")
    ran = mesure("catalogue", "diff", "packaged", "edition", "--json")
    [change] = ran.data["changed"]
    assert (change["old"]["value"], change["new"]["value"]) == (41.44, 51.8)
    assert (ran.data["old"], ran.data["new"]) == (current().version, "2027-01-01")
    assert "(x 1.25)" in mesure("catalogue", "diff", "packaged", "edition").out
    assert mesure("catalogue", "diff", "packaged", "nowhere").code == 1


def test_added_and_then_used(mesure: Run, own: Path, tmp_path: Path) -> None:
    ran = mesure("catalogue", "add", own, "--data", "facts", "--json")
    assert ran.code == 0
    assert Path(ran.data["file"]).read_text(encoding="utf-8") == OWN
    assert not list(tmp_path.glob("facts/*.partial"))
    assert mesure("catalogue", "add", own, "--data", "facts").code == 0  # the same file again
    Path("mesure.toml").write_text('[server]\ndata = "facts"\n', encoding="utf-8")
    shown = mesure("catalogue", "show", "FRA", "--json")
    assert next(f["value"] for f in shown.data["factors"] if f["parameter"] == "intensity") == 30
    assert mesure("catalogue", "check", "--json").data["version"] == ran.data["version"]
    estimated = mesure("estimate", "gpt-4o", "--zone", "FRA", "--json")
    assert estimated.data["catalogue_version"].startswith(current().version.partition("+")[0])


def test_a_file_that_is_there_is_kept_unless_said(mesure: Run, own: Path) -> None:
    assert mesure("catalogue", "add", own, "--data", "facts").code == 0
    other = own.with_name("other.csv")
    other.write_text(
        "table,entity,parameter,value,unit,year,source,source_url,licence,status\n"
        "sites,acme,pue,1.3,ratio,2026,Acme,internal,internal,published\n",
        encoding="utf-8",
    )
    refused = mesure("catalogue", "add", other, "--data", "facts", "--json")
    assert refused.code == 1
    assert "--replace" in refused.error["action"]
    assert mesure("catalogue", "add", other, "--data", "facts", "--replace").code == 0
    assert [path.name for path in Path("facts").iterdir()] == ["catalogue.csv"]


def test_a_named_file_and_a_refused_one(mesure: Run, own: Path) -> None:
    Path("mesure.toml").write_text('[server]\ncatalogue = "mine.toml"\n', encoding="utf-8")
    assert "+user." in mesure("catalogue", "check", "--json").data["version"]
    own.write_text(own_factor(30, year="soon"), encoding="utf-8")
    refused = mesure("estimate", "gpt-4o", "--json")
    assert refused.code == 1
    assert "not a year" in refused.error["what"]


def test_an_unknown_subcommand(mesure: Run) -> None:
    ran = mesure("catalogue", "chek", "--json")
    assert ran.code == 2
    assert ran.error["nearest"] == ["check"]


def test_help_in_french(mesure: Run) -> None:
    assert "Comparer deux éditions" in mesure("catalogue", "--help", "--lang", "fr").out
    assert "Vérifier un fichier" in mesure("catalogue", "add", "--help", "--lang", "fr").out
