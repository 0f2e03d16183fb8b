"""`mesure ledger`: past traffic under other methods and catalogues, in both languages."""

from __future__ import annotations

import json
import re
import shutil
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from mesure.apps.cli.method_words import CAUSE_NAMES, METHOD_CODES
from mesure.apps.cli.recomputed import signed
from mesure.apps.cli.voice import Voice
from mesure.apps.words import WARNINGS
from mesure.impact.methods import methods
from mesure.ledger.recompute import CAUSES
from own_factors import own_factor

from .conftest import Run

CSV = "timestamp,model,provider,host_zone,input_tokens,output_tokens\n" + "".join(
    f"2026-11-02T08:{n % 60:02}:00Z,{model},{provider},FRA,{100 + n},{40 + n}\n"
    for n, (model, provider) in enumerate([("gpt-4o", "openai"), ("llama-3.1-8b", "own"), ("nobody-1", "own")] * 40)
)
OWN = own_factor(400, year=2020)


@pytest.fixture
def filled(mesure: Run, tmp_path: Path) -> Run:
    (tmp_path / "usage.csv").write_text(CSV)
    assert mesure("import", "usage.csv", "--data", "d").code == 0
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    return mesure


def test_totals_are_those_of_the_method_asked(filled: Run) -> None:
    ours = filled("ledger", "recompute", "--data", "d", "--json").data
    assert (ours["method"], ours["calls"], ours["covered_calls"]) == ("mesure", 120, 120)
    constant = filled("ledger", "recompute", "--data", "d", "--method", "constant-epoch-2025", "--json").data
    assert constant["energy_wh"]["mid"] == pytest.approx(0.3 * 120)
    theirs = filled("ledger", "recompute", "--data", "d", "--method", "ecologits-0.11", "--json").data
    assert theirs["covered_calls"] == 80
    assert "model_not_listed" in theirs["codes"]


def test_the_change_is_told_by_cause_and_the_causes_sum_to_it(filled: Run) -> None:
    asked = ("ledger", "recompute", "--data", "d", "--diff", "--method", "ecologits-0.11", "--catalogue", "own.toml")
    data = filled(*asked, "--json").data
    causes = {cause["code"]: cause for cause in data["causes"]}
    assert list(causes) == list(CAUSES)
    for name in ("energy_wh", "gwp_gco2eq"):
        total = sum(cause[name] for cause in data["causes"])
        assert total == pytest.approx(data["change"][name])
        assert total == pytest.approx(data["after"][name]["mid"] - data["before"][name]["mid"])
    assert causes["catalogue_grid"]["gwp_gco2eq"] > 0.0
    assert causes["method_coverage"]["energy_wh"] < 0.0
    text = filled(*asked).out
    for word in ("Catalogue: electricity grids", "Method: formulas", "Total change", "+", "−"):
        assert word in text
    french = filled(*asked, "--lang", "fr").out
    for word in ("réseaux électriques", "Méthode", "formules", "Écart total"):
        assert word in french


def test_an_earlier_catalogue_may_be_the_start(filled: Run, tmp_path: Path) -> None:
    with as_file(files("mesure.catalogue") / "data") as packaged_folder:
        shutil.copytree(packaged_folder, tmp_path / "earlier")
    (tmp_path / "earlier" / "VERSION").write_text("2025-01-01\n")
    grids = tmp_path / "earlier" / "grids.csv"
    grids.write_text(re.sub(r"(?m)^(grids\.FRA\.intensity\.\d+,FRA,intensity),[\d.]+,", r"\1,900,", grids.read_text()))
    data = filled("ledger", "recompute", "--data", "d", "--diff", "--from-catalogue", "earlier", "--json").data
    assert data["before"]["catalogue_version"] == "2025-01-01"
    assert data["after"]["catalogue_version"] != "2025-01-01"
    moved = [cause["code"] for cause in data["causes"] if cause["gwp_gco2eq"]]
    assert moved == ["catalogue_grid"]
    assert data["change"]["gwp_gco2eq"] < 0.0
    assert data["change"]["energy_wh"] == 0.0


def test_nothing_is_written(filled: Run) -> None:
    log = Path("d/ledger/_delta_log")
    before = sorted(path.name for path in log.iterdir())
    filled("ledger", "recompute", "--data", "d", "--method", "ecologits-0.11", "--diff")
    filled("ledger", "compare", "--data", "d")
    assert sorted(path.name for path in log.iterdir()) == before


def test_methods_side_by_side_with_the_spread_and_the_reasons(filled: Run) -> None:
    data = filled("ledger", "compare", "--data", "d", "--json").data
    assert [row["method"] for row in data["rows"]] == [one.name for one in methods()]
    assert data["spread"] > 1.0
    text = filled("ledger", "compare", "--data", "d").out
    assert "Methods differ by a factor of" in text
    assert "Input tokens count for nothing." in text
    assert "Les jetons d’entrée ne comptent pas." in filled("ledger", "compare", "--data", "d", "--lang", "fr").out
    two = filled("ledger", "compare", "--data", "d", "--json", "--method", "mesure", "--method", "ecologits-0.11").data
    assert len(two["rows"]) == 2


@pytest.mark.parametrize(
    ("arguments", "what", "words"),
    [
        (("--method", "ecologit"), "There is no such method", "Cette méthode n’existe pas"),
        (("--catalogue", "absent"), "no edition of the catalogue", "édition du catalogue"),
        (("--data", "empty"), "There is no ledger in this folder yet", "pas encore de registre"),
    ],
)
def test_what_cannot_be_is_refused_in_three_parts(
    filled: Run, arguments: tuple[str, ...], what: str, words: str
) -> None:
    asked = ("ledger", "recompute", "--data", "d", *arguments)
    ran = filled(*asked, "--json")
    assert ran.code == 1
    assert what in ran.error["what"]
    assert ran.error["action"]
    assert words in filled(*asked, "--lang", "fr").err
    assert not Path("empty").exists()


def test_every_code_of_causes_and_methods_has_its_words(filled: Run) -> None:
    assert set(CAUSE_NAMES) == set(CAUSES)
    data = json.loads(filled("ledger", "compare", "--data", "d", "--json").out)
    said = {code for row in data["rows"] for code in row["codes"]} | {c for one in methods() for c in one.ignores}
    assert not said - set(METHOD_CODES) - set(WARNINGS)


def test_a_change_has_its_sign_and_none_has_none() -> None:
    voice = Voice("en")
    assert signed(voice, 0.0, "Wh") == "0"
    assert signed(voice, 1500.0, "Wh").startswith("+1.5")
    assert signed(voice, -0.2, "Wh").startswith("−0.2")
