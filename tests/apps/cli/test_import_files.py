"""`mesure import`: preview, refusals, what a file holds or lacks."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from mesure.i18n import catalog

from .conftest import Run
from .imports_shown import CSV, rows_of


def test_a_file_enters_once(mesure: Run, usage: Path) -> None:
    first = mesure("import", usage, "--data", "d", "--json")
    assert first.code == 0
    assert (first.data["files"][0]["added"], first.data["files"][0]["already"]) == (2, 0)
    second = mesure("import", usage, "--data", "d", "--json")
    assert (second.data["files"][0]["added"], second.data["files"][0]["already"]) == (0, 2)
    assert sorted(rows_of(Path("d"), "team, input_tokens, output_tokens")) == [("A", 100, 40), ("B", 7, None)]


def test_the_same_content_compressed_or_renamed_is_the_same(mesure: Run, usage: Path, tmp_path: Path) -> None:
    packed = tmp_path / "other.csv.gz"
    packed.write_bytes(gzip.compress(usage.read_bytes()))
    mesure("import", usage, "--data", "d")
    assert mesure("import", packed, usage, "--data", "d", "--json").data["files"][0]["added"] == 0
    assert len(rows_of(Path("d"))) == 2


def test_text_says_what_was_added(mesure: Run, usage: Path) -> None:
    ran = mesure("import", usage, "--data", "d")
    assert ran.out == "usage.csv: 2 rows added, 0 already there.\n"
    assert "0 ligne ajoutée, 2 déjà présentes." in mesure("import", usage, "--data", "d", "--lang", "fr").out


def test_naive_times_are_of_the_organisation_s_zone_unless_said(mesure: Run, usage: Path) -> None:
    def first(*options: str) -> str:
        found: str = mesure("import", usage, "--data", "d", "--dry-run", "--json", *options).data["files"][0]["first"]
        return found

    assert first() == "2026-11-02T07:00:00+00:00"
    assert first("--timezone", "UTC") == "2026-11-02T08:00:00+00:00"
    Path("mesure.toml").write_text('[organisation]\ntimezone = "America/Montreal"\n')
    assert first() == "2026-11-02T13:00:00+00:00"


def test_an_unknown_zone_is_a_usage_error(mesure: Run, usage: Path) -> None:
    assert mesure("import", usage, "--timezone", "Paris").code == 2


def test_a_label_needs_its_key_in_the_configuration(mesure: Run, usage: Path) -> None:
    ran = mesure("import", usage, "--data", "d", "--map", "labels.site=team")
    assert ran.code == 1
    assert "label_keys" in ran.err
    assert not Path("d").exists()
    Path("mesure.toml").write_text('[privacy]\nlabel_keys = ["site"]\n')
    assert mesure("import", usage, "--data", "d", "--map", "labels.site=team").code == 0


def test_a_preview_writes_nothing(mesure: Run, usage: Path) -> None:
    Path("mesure.toml").write_text('[privacy]\nlabel_keys = ["t"]\n')
    ran = mesure("import", usage, "--data", "d", "--dry-run", "--set", "use_case=support", "--map", "labels.t=team")
    assert ran.code == 0
    for text in ("started_at", "<- timestamp", "use_case", "support", "2 rows, 0 refused", "total input_tokens: 107"):
        assert text in ran.out
    assert not Path("d").exists()
    data = mesure("import", usage, "--data", "d", "--preview", "--json").data
    assert data["dry_run"]
    assert data["files"][0]["mapping"]["input_tokens"] == "input_tokens"
    assert data["files"][0]["preview"][0]["team"] == "A"
    assert not Path("d").exists()


def test_unused_columns_are_said_and_not_stored(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,prompt,input_tokens\n2026-11-02,my secret,3\n")
    assert "Left aside: prompt" in mesure("import", path, "--dry-run").out
    mesure("import", path, "--data", "d")
    assert "secret" not in str(rows_of(Path("d")))


# Refused rows


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    path = tmp_path / "spoilt.csv"
    path.write_text(CSV + "yesterday,m,C,1,1\n2026-11-02 08:02,m,D,x,1\n2026-11-02 08:03,m,E,5,1\n")
    return path


def test_bad_rows_are_named_and_nothing_is_imported(mesure: Run, spoilt: Path, usage: Path) -> None:
    ran = mesure("import", usage, spoilt, "--data", "d")
    assert ran.code == 1
    assert "spoilt.csv:4 [timestamp]: This is not a time" in ran.err
    assert "spoilt.csv:5 [input_tokens]: This is not a number (x)" in ran.err
    assert "Nothing was imported" in ran.err
    assert not Path("d").exists()


def test_bad_rows_as_json(mesure: Run, spoilt: Path) -> None:
    ran = mesure("import", spoilt, "--data", "d", "--json")
    assert ran.code == 1
    (file,) = ran.data["files"]
    assert (file["rows"], file["refused"], file["added"]) == (5, 2, 0)
    assert [row["line"] for row in file["refused_rows"]] == [4, 5]
    assert all(row["action"] for row in file["refused_rows"])


def test_the_others_enter_with_skip_bad(mesure: Run, spoilt: Path) -> None:
    ran = mesure("import", spoilt, "--data", "d", "--skip-bad", "--json")
    assert ran.code == 0
    assert ran.data["files"][0]["added"] == 3
    assert sorted(team for (team,) in rows_of(Path("d"), "team")) == ["A", "B", "E"]


def test_only_the_first_refusals_are_shown(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,input_tokens\n" + "x,1\n" * 50)
    ran = mesure("import", path, "--data", "d")
    assert ran.err.count("a.csv:") == 20
    assert "30 other rows refused" in ran.err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("absent.csv",), "not a file"),
        (("usage.csv", "--map", "teem=team"), "no such field"),
        (("usage.csv", "--map", "team=teem"), "no such column"),
        (("usage.csv", "--set", "environment=prod"), "environment"),
        (("usage.csv", "--delimiter", ";"), "started_at"),
    ],
)
def test_files_and_plans_that_cannot_be(mesure: Run, usage: Path, arguments: tuple[str, ...], what: str) -> None:
    ran = mesure("import", *arguments, "--data", "d", "--json")
    assert ran.code == 1
    assert what in ran.error["what"]
    assert not Path("d").exists()


# What a file holds, or lacks


@pytest.mark.parametrize("option", ["zone=Mars", "host_zone=Frnace"])
def test_a_zone_without_a_factor_is_refused(mesure: Run, usage: Path, option: str) -> None:
    ran = mesure("import", usage, "--data", "d", "--set", option, "--json")
    assert ran.code == 1
    assert ran.error["nearest"]
    assert not Path("d").exists()


def test_a_zone_is_stored_by_its_code(mesure: Run, usage: Path) -> None:
    mesure("import", usage, "--data", "d", "--set", "zone=France")
    assert set(rows_of(Path("d"), "host_zone")) == {("FRA",)}


def test_columns_left_aside_are_said_after_an_import_too(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,prompt,input_tokens\n2026-11-02,my secret,3\n")
    assert "a.csv: Left aside: prompt" in mesure("import", path, "--data", "d").err


def test_rows_that_say_little_are_counted_aloud(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,model,input_tokens\n1999-01-01,,3\n2026-11-02,m,\n2200-01-01,m,1\n2200-01-01,m,1\n")
    ran = mesure("import", path, "--data", "d")
    for said in ("1 row without a model", "1 row without tokens", "1 row before 2015", "2 rows in the future"):
        assert said in ran.err
    french = mesure("import", path, "--data", "d", "--lang", "fr").err
    assert "1 ligne sans modèle" in french
    assert "2 lignes dans le futur" in french


def test_a_file_without_a_row_is_an_error(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(CSV.splitlines()[0] + "\n")
    ran = mesure("import", path, "--data", "d")
    assert ran.code == 1
    assert "no row below its header" in ran.err


def test_excel_s_french_csv(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        "date;modèle;Motif d'appel;Jetons en entrée;Jetons en sortie;Énergie (Wh)\n"
        "02/11/2026 08:00;gpt-4o;Réclamation;1 000;20;1,5\n".encode("cp1252")
    )
    ran = mesure("import", path, "--data", "d", "--lang", "fr")
    assert ran.code == 1
    assert ran.err.count("\n") == 3  # one message, in three parts
    assert "--encoding windows-1252" in ran.err
    read = ("--encoding", "windows-1252", "--dates", "french", "--decimal", "comma")
    assert mesure("import", path, "--data", "d", *read).code == 0
    assert rows_of(Path("d"), "use_case, input_tokens, output_tokens, energy_j") == [("Réclamation", 1000, 20, 5400.0)]


def test_a_workbook_is_refused_without_its_bytes(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(b"PK\x03\x04\x14\x00\x1b[31m" + bytes(range(256)) * 20)
    ran = mesure("import", path, "--data", "d")
    assert "workbook" in ran.err
    assert "\x1b" not in ran.err
    assert len(ran.err) < 400


def test_the_usage_export_of_a_provider_is_read_as_it_is(mesure: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "start_time,end_time,start_time_iso,model,input_tokens,output_tokens\n"
        "1763769600,1763856000,2025-11-22T00:00:00+00:00,gpt-4o,5,5\n"
    )
    ran = mesure("import", path, "--data", "d", "--json")
    assert ran.code == 0
    assert ran.data["files"][0]["first"] == "2025-11-22T00:00:00+00:00"


# What is told of it


def test_a_preview_of_bad_rows_speaks_of_no_import(mesure: Run, spoilt: Path) -> None:
    ran = mesure("import", spoilt, "--data", "d", "--dry-run")
    assert ran.code == 1
    assert "5 rows, 2 refused" in ran.out
    assert "spoilt.csv:4 [timestamp]" in ran.err
    assert "Nothing was imported" not in ran.err


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_preview_tells_columns_values_span_and_sums(mesure: Run, usage: Path, language: str) -> None:
    asked = ("import", usage, "--data", "d", "--dry-run", "--lang", language)
    lines = mesure(*asked, "--cycle", "use_case=a,b", "--set", "provider=openai", "--timezone", "UTC").out.splitlines()
    t = catalog(language)
    assert lines[0] == "usage.csv (csv)"
    columns = dict(line.split("<-") for line in lines if "<-" in line)
    assert {name.strip(): column.strip() for name, column in columns.items()} == {
        "started_at": "timestamp",
        "model_requested": "model",
        "team": "team",
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
    }
    assert len({line.index("<-") for line in lines if "<-" in line}) == 1
    assigned = [line.strip() for line in lines if "  =  " in line]
    assert [re.split(r" {2,}", line) for line in assigned] == [
        ["provider", "=", "openai", f"({t.t('assigned')})"],
        ["use_case", "=", "a, b", f"({t.t('assigned')})"],
    ]
    assert "  2026-11-02T08:00:00+00:00 .. 2026-11-02T08:01:00+00:00" in lines
    assert f"  {t.t('total')} input_tokens: {t.number(107)}" in lines
    shown = [line for line in lines if line.startswith("  | ")]
    assert len(shown) == 2
    assert "team=A" in shown[0]
    assert "use_case=b" in shown[1]
    assert "output_tokens" not in shown[1]  # nobody counted them: nothing is shown in their place
