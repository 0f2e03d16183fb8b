"""`mesure import`: columns that nobody knows are said, taken when asked for, and saved to be used again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mesure.apps.cli.import_saved import save
from mesure.config import ImportSettings, load_settings
from mesure.errors import ConfigError

from .conftest import Run
from .imports_shown import rows_of

FRENCH = (
    "Date de l'échange;Modèle utilisé;Nb jetons en entrée;Nb jetons de sortie;Pôle;Coût (€)\n"
    "22/11/2026 08:30;gpt-4o;1 200;340;Réclamations;0,12\n"
    "23/11/2026 09:00;mistral-large-latest;80;12;Sinistres;0,01\n"
)


@pytest.fixture
def french(tmp_path: Path) -> Path:
    path = tmp_path / "échanges.csv"
    path.write_bytes(FRENCH.encode("windows-1252"))
    return path


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("probably, and not used unless you say so", "90%")), ("fr", ("probable, et non utilisé", "90\u202f%"))],
)
def test_what_columns_probably_hold_is_said_and_not_used(
    mesure: Run, tmp_path: Path, language: str, words: tuple[str, str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,input_tokens,Business department\n2026-11-22,3,Sales\n")
    ran = mesure("import", path, "--data", "d", "--dry-run", "--lang", language)
    assert ran.code == 0
    assert "? team  <- Business department" in ran.err
    assert "--map 'team=Business department'" in ran.err
    assert words[0] in ran.err
    assert "Sales" in ran.err
    assert mesure("import", path, "--data", "d").err.startswith("a.csv: Left aside: Business department\n")
    assert rows_of(Path("d"), "team") == [(None,)]


def test_what_is_missing_is_looked_for_before_a_refusal(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("quand,jetons en entrée\n2026-11-22,3\n")
    ran = mesure("import", path, "--data", "d")
    assert ran.code == 1
    assert "--map started_at=quand" in ran.err


def test_guesses_are_taken_when_asked_for_and_saved(mesure: Run, french: Path) -> None:
    ran = mesure("import", french, "--data", "d", "--guess", "--save", "pole", "--timezone", "UTC")
    assert (ran.code, ran.out) == (0, "échanges.csv: 2 rows added, 0 already there.\n")
    assert "read as windows-1252" in ran.err
    assert "= team  <- Pôle" in ran.err
    expected = [("Réclamations", 1200, 340, 0.12), ("Sinistres", 80, 12, 0.01)]
    assert rows_of(Path("d"), "team, input_tokens, output_tokens, cost") == expected
    saved = load_settings().imports["pole"]
    assert (saved.dates, saved.decimal, saved.encoding) == ("french", "comma", "windows-1252")
    assert "team=Pôle" in saved.map
    again = mesure("import", french, "--data", "d", "--using", "pole", "--timezone", "UTC", "--json")
    assert (again.code, again.data["files"][0]["added"], again.data["files"][0]["already"]) == (0, 0, 2)


def test_a_flag_goes_before_what_was_saved(mesure: Run, tmp_path: Path) -> None:
    Path("mesure.toml").write_text('[imports.x]\nmap = ["team=Pôle"]\nset = ["provider=azure"]\ndecimal = "comma"\n')
    path = tmp_path / "a.csv"
    path.write_text('timestamp;input_tokens;Pôle;other;cost\n2026-11-22;3;A;B;"0,5"\n')
    found = mesure("import", path, "--data", "d", "--using", "x", "--map", "team=other", "--dry-run", "--json")
    (row,) = found.data["files"][0]["preview"]
    assert (row["team"], row["provider"], row["cost"]) == ("B", "azure", 0.5)


def test_a_reading_that_is_not_saved_gets_the_nearest(mesure: Run, usage: Path) -> None:
    Path("mesure.toml").write_text("[imports.monthly]\n")
    ran = mesure("import", usage, "--using", "montly", "--json")
    assert (ran.code, ran.error["nearest"]) == (2, ["monthly"])
    Path("mesure.toml").write_text('[imports.monthly]\nmap = ["team"]\n')
    assert "FIELD=VALUE" in mesure("import", usage, "--using", "monthly").err


# The file of settings is the user's


def test_what_the_file_holds_is_kept_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "mesure.toml"
    mine = '# mine\nversion = 1\n\n[organisation]\nname = "É"   # kept\n'
    path.write_text(mine)
    reading = ImportSettings(map=['team=a "b" \\ é', "labels.x=y"], dates="french")
    assert save(path, "monthly", reading)
    assert path.read_text().startswith(mine)
    assert load_settings(path).imports == {"monthly": reading}
    assert not save(path, "monthly", reading)
    assert len(list(tmp_path.iterdir())) == 1


def test_another_reading_of_the_name_or_a_spoilt_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mesure.toml"
    assert save(path, "a", ImportSettings(dates="french"))
    before = path.read_text()
    with pytest.raises(ConfigError, match="Another reading"):
        save(path, "a", ImportSettings())
    with pytest.raises(ConfigError, match="cannot be the name"):
        save(path, "a.b", ImportSettings())
    assert path.read_text() == before
    assert tomllib.loads(before) == {"version": 1, "imports": {"a": {"dates": "french"}}}
    path.write_text("[broken")
    with pytest.raises(ConfigError, match="cannot be read"):
        save(path, "b", ImportSettings())
    assert path.read_text() == "[broken"
