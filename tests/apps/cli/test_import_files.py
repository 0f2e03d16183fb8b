"""`mesure import`: preview, refusals, once whatever happens."""

from __future__ import annotations

import csv
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mesure.ledger import Committer, Ledger, Spool

Run = Callable[..., Any]
Start = Callable[..., subprocess.Popen[str]]

CSV = (
    "timestamp,model,team,input_tokens,output_tokens\n2026-11-02 08:00,gpt-4o,A,100,40\n2026-11-02 08:01,gpt-4o,B,7,\n"
)


def rows_of(data: Path, columns: str = "* EXCLUDE (started_at, ended_at, ingested_at)") -> list[tuple[Any, ...]]:
    """Straight from the table's Parquet files, by another engine than the one that wrote them."""
    return duckdb.sql(f"SELECT {columns} FROM read_parquet({Ledger(data).files()!r})").fetchall()


@pytest.fixture
def usage(tmp_path: Path) -> Path:
    path = tmp_path / "usage.csv"
    path.write_text(CSV)
    return path


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


def test_a_preview_writes_nothing(mesure: Run, usage: Path) -> None:
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


# Files that grew, were saved again, or are read otherwise

ONE_MORE = "2026-11-03 08:00,gpt-4o,C,5,5\n"


def counts(ran: Any) -> tuple[int, int, int]:
    (file,) = ran.data["files"]
    return file["added"], file["already"], file["removed"]


def test_of_a_file_that_grew_only_the_new_rows_enter(mesure: Run, usage: Path, tmp_path: Path) -> None:
    mesure("import", usage, "--data", "d")
    grown = tmp_path / "grown.csv"
    grown.write_bytes((CSV + ONE_MORE).replace("\n", "\r\n").encode())
    assert counts(mesure("import", grown, "--data", "d", "--json")) == (1, 2, 0)
    assert counts(mesure("import", grown, "--data", "d", "--json")) == (0, 3, 0)
    grown.write_text(CSV + ONE_MORE + ONE_MORE)  # the same row twice in one file is two calls
    assert counts(mesure("import", grown, "--data", "d", "--json")) == (1, 3, 0)
    assert counts(mesure("import", usage, "--data", "d", "--json")) == (0, 2, 0)
    assert sorted(rows_of(Path("d"), "team")) == [("A",), ("B",), ("C",), ("C",)]
    assert rows_of(Path("d"), "count(DISTINCT id)") == [(4,)]


def test_two_files_named_at_once_where_one_continues_the_other(mesure: Run, usage: Path, tmp_path: Path) -> None:
    grown = tmp_path / "grown.csv"
    grown.write_text(CSV + ONE_MORE)
    mesure("import", usage, grown, "--data", "d")
    assert sorted(rows_of(Path("d"), "team")) == [("A",), ("B",), ("C",)]


@pytest.mark.parametrize("end", ["\n", "\n\n \n"])
def test_a_file_saved_again_enters_once(mesure: Run, usage: Path, end: str) -> None:
    mesure("import", usage, "--data", "d")
    usage.write_bytes(b"\xef\xbb\xbf" + (CSV + end).replace("\n", "\r\n").encode())
    assert counts(mesure("import", usage, "--data", "d", "--json")) == (0, 2, 0)


OTHERWISE = [("--set", "team=x"), ("--timezone", "UTC"), ("--cycle", "team=x,y"), ("--map", "use_case=team")]


@pytest.mark.parametrize("options", OTHERWISE)
def test_other_settings_are_refused_and_change_nothing(mesure: Run, usage: Path, options: tuple[str, str]) -> None:
    mesure("import", usage, "--data", "d")
    before = rows_of(Path("d"))
    ran = mesure("import", usage, "--data", "d", *options, "--json")
    assert ran.code == 1
    assert ran.error["code"] == "imported_otherwise"
    assert ran.error["value"] == str(usage)
    assert "--replace" in ran.error["action"]
    usage.write_text(CSV + ONE_MORE)
    assert mesure("import", usage, "--data", "d", *options).code == 1
    assert rows_of(Path("d")) == before


def test_replace_imports_the_file_again_under_its_new_settings(mesure: Run, usage: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(CSV.replace(",A,", ",other,"))
    mesure("import", usage, other, "--data", "d")
    assert counts(mesure("import", usage, "--data", "d", "--set", "team=x", "--replace", "--json")) == (2, 0, 2)
    assert sorted(rows_of(Path("d"), "team")) == [("B",), ("other",), ("x",), ("x",)]
    assert counts(mesure("import", usage, "--data", "d", "--set", "team=x", "--json")) == (0, 2, 0)
    assert mesure("import", usage, "--data", "d").code == 1
    usage.write_text(CSV + ONE_MORE)
    assert counts(mesure("import", usage, "--data", "d", "--replace", "--json")) == (3, 0, 2)
    assert sorted(rows_of(Path("d"), "team")) == [("A",), ("B",), ("B",), ("C",), ("other",)]


def test_a_preview_of_a_replacement_removes_nothing(mesure: Run, usage: Path) -> None:
    mesure("import", usage, "--data", "d")
    assert mesure("import", usage, "--data", "d", "--set", "team=x", "--replace", "--dry-run").code == 0
    assert sorted(rows_of(Path("d"), "team")) == [("A",), ("B",)]


def test_a_replacement_killed_at_any_point_ends_with_each_row_once(process: Start, tmp_path: Path) -> None:
    path, data = tmp_path / "many.csv", tmp_path / "d"
    lines = (f"2026-11-02 08:00,gpt-4o,A,{number},1\n" for number in range(4000))
    path.write_text(CSV.splitlines()[0] + "\n" + "".join(lines))
    arguments = ("import", path, "--data", data, "--batch", "100", "--json")
    process(*arguments).communicate()
    replacing = (*arguments, "--set", "team=new", "--replace")
    for more in (1, 4):
        wanted = _commits(data) + more
        running = process(*replacing)
        _until(lambda wanted=wanted: _commits(data) >= wanted, running)  # type: ignore[misc]
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
        running.communicate()
    process(*arguments, "--set", "team=new").communicate()  # goes on where the replacement was stopped
    expected = [(4000, 4000, sum(range(4000)), 1)]
    assert rows_of(data, "count(*), count(DISTINCT id), sum(input_tokens), count(DISTINCT team)") == expected
    assert rows_of(data, "DISTINCT team") == [("new",)]


def test_a_grown_file_killed_in_the_middle_ends_with_each_row_once(process: Start, tmp_path: Path) -> None:
    path, data = tmp_path / "many.csv", tmp_path / "d"
    lines = [f"2026-11-02 08:00,gpt-4o,A,{number},1\n" for number in range(4000)]
    header = CSV.splitlines()[0] + "\n"
    arguments = ("import", path, "--data", data, "--batch", "100", "--json")
    for count in (2000, 4000):
        path.write_text(header + "".join(lines[:count]))
        wanted = _commits(data) + 5
        running = process(*arguments)
        _until(lambda wanted=wanted: _commits(data) >= wanted, running)  # type: ignore[misc]
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
        running.communicate()
    process(*arguments).communicate()
    expected = [(4000, 4000, sum(range(4000)))]
    assert rows_of(data, "count(*), count(DISTINCT id), sum(input_tokens)") == expected


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


# The real trace


@pytest.fixture(scope="session")
def trace(shared_data: Path) -> Path:
    return shared_data / "traces" / "azure_llm_2023_conv.csv.gz"


def independent_sums(trace: Path) -> tuple[int, int, int]:
    with gzip.open(trace, "rt", newline="") as text:
        rows = list(csv.DictReader(text))
    return len(rows), sum(int(r["ContextTokens"]) for r in rows), sum(int(r["GeneratedTokens"]) for r in rows)


ASSIGNED = ("--cycle", "team=a,b,c", "--cycle", "model=gpt-4o,mistral-large-latest", "--set", "provider=azure")
SUMS = "count(*), sum(input_tokens), sum(output_tokens)"


def test_the_trace_enters_whole_and_once(mesure: Run, trace: Path) -> None:
    expected = independent_sums(trace)
    assert expected[0] == 19_366
    first = mesure("import", trace, "--data", "d", *ASSIGNED, "--json").data["files"][0]
    assert (first["rows"], first["refused"], first["added"]) == (19_366, 0, 19_366)
    assert rows_of(Path("d"), SUMS) == [expected]
    assert mesure("import", trace, "--data", "d", *ASSIGNED, "--json").data["files"][0]["added"] == 0
    assert rows_of(Path("d"), SUMS) == [expected]
    assert rows_of(Path("d"), "count(DISTINCT id), count(DISTINCT origin), count(DISTINCT team)") == [
        (19_366, 19_366, 3)
    ]
    # Teams and models are assigned, and every row says so.
    labels = {str(label) for (label,) in rows_of(Path("d"), "DISTINCT labels")}
    assert len(labels) == 1
    assert "assigned" in labels.pop()


def _commits(data: Path) -> int:
    log = data / "ledger" / "_delta_log"
    return len(list(log.glob("*.json"))) if log.is_dir() else 0


def _until(condition: Callable[[], bool], running: subprocess.Popen[str], deadline_s: float = 60.0) -> None:
    until = time.monotonic() + deadline_s
    while not condition() and running.poll() is None and time.monotonic() < until:
        time.sleep(0.01)


def test_killed_in_the_middle_and_run_again(process: Start, tmp_path: Path, trace: Path) -> None:
    data = tmp_path / "d"
    arguments = ("import", trace, "--data", data, *ASSIGNED, "--batch", "1500", "--json")
    kills = 0
    for commits in (2, 5, 9):
        running = process(*arguments)
        _until(lambda wanted=commits: _commits(data) >= wanted, running)  # type: ignore[misc]
        if running.poll() is None:
            os.kill(running.pid, signal.SIGKILL)
            kills += 1
        running.communicate()
    assert kills == 3
    partial = rows_of(data, "count(*)")[0][0]
    assert 0 < partial < 19_366
    out, _ = process(*arguments).communicate()
    assert f'"already": {partial}' in out
    assert rows_of(data, SUMS) == [independent_sums(trace)]
    assert rows_of(data, "count(DISTINCT id)") == [(19_366,)]


def test_while_a_server_commits_to_the_same_folder(mesure: Run, trace: Path, tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from mesure.config import LedgerSettings
    from mesure.record import UsageEvent, new_id

    data = tmp_path / "d"
    settings = LedgerSettings(commit_seconds=0.05, commit_events=5)
    spool = Spool(data / "spool", segment_bytes=1_000_000)
    committer = Committer(Ledger(data, settings), data / "spool", settings)
    committer.start()
    running = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mesure",
            "import",
            str(trace),
            "--data",
            str(data),
            *ASSIGNED,
            "--batch",
            "4000",
            "--json",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    recorded = 0
    while running.poll() is None:
        assert spool.record(UsageEvent(id=new_id(), started_at=datetime.now(UTC), team="live"))
        recorded += 1
        time.sleep(0.02)
    out, err = running.communicate()
    spool.close()
    committer.stop()
    assert running.returncode == 0, err
    assert '"added": 19366' in out
    assert recorded > 10
    assert rows_of(data, "count(*) FILTER (team = 'live'), count(*) FILTER (team <> 'live')") == [(recorded, 19_366)]
