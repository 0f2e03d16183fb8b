"""`mesure import`: each row enters once, whatever happens: a file that grew, other settings, a kill, another writer."""

from __future__ import annotations

import csv
import gzip
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from mesure.apps.cli import import_files
from mesure.config import LedgerSettings
from mesure.ledger import Committer, Ledger, Spool
from mesure.record import UsageEvent, new_id

from .conftest import Run
from .imports_shown import CSV, rows_of

Start = Callable[..., subprocess.Popen[str]]

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


@pytest.mark.parametrize("options", [("--set", "team=x"), ("--timezone", "UTC")])
def test_rows_that_another_program_brought_since_the_review_are_seen(
    mesure: Run, usage: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str]
) -> None:
    """Between the review and the first row written, the same file comes in by another way."""
    report = import_files.report

    def meanwhile(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(import_files, "report", report)
        assert mesure("import", usage, "--data", "d").code == 0
        report(*arguments, **more)

    monkeypatch.setattr(import_files, "report", meanwhile)
    ran = mesure("import", usage, "--data", "d", *options, "--json")
    assert (ran.code, ran.error["code"]) == (1, "imported_otherwise")
    assert rows_of(Path("d"), "count(*)") == [(2,)]
    monkeypatch.setattr(import_files, "report", meanwhile)
    assert counts(mesure("import", usage, "--data", "d", "--json")) == (0, 2, 0)


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


def test_the_trace_as_parquet_gives_the_same_sums(mesure: Run, trace: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.parquet"
    duckdb.execute(f"COPY (SELECT * FROM read_csv('{trace}')) TO '{path}' (FORMAT parquet)")
    found = mesure("import", path, "--data", "d", *ASSIGNED, "--json").data["files"][0]
    assert (found["rows"], found["refused"], found["added"]) == (19_366, 0, 19_366)
    assert rows_of(Path("d"), SUMS) == [independent_sums(trace)]
    assert mesure("import", path, "--data", "d", *ASSIGNED, "--json").data["files"][0]["added"] == 0


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
