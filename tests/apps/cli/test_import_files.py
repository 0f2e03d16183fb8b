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
    assert "2 lignes ajout" not in ran.out
    assert "0 " in mesure("import", usage, "--data", "d", "--lang", "fr").out


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
