"""`mesure import --watch`: each content once, whatever arrives, grows, is refused, or is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mesure.ledger import Ledger
from waiting import eventually

from .conftest import Ran, Run
from .imports_shown import CSV, rows_of

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


@pytest.fixture
def watch(mesure: Run, folder: Path) -> Callable[..., Ran]:
    """One look at the folder, or several, without waiting."""

    def run(*options: object, passes: int = 1) -> Ran:
        asked = ("--watch", folder, "--data", "d", "--settle", 0, "--every", 0.01, "--passes", passes)
        return mesure("import", *asked, *options)

    return run


def many(count: int) -> str:
    return CSV.splitlines()[0] + "\n" + "".join(f"2026-11-02 08:00,gpt-4o,A,{n},1\n" for n in range(count))


def test_what_is_there_enters_once_and_nothing_moves(watch: Callable[..., Ran], folder: Path) -> None:
    (folder / "a.csv").write_text(CSV)
    (folder / "b.csv").write_text(many(5))
    first = watch(passes=3)
    assert first.code == 0
    assert first.out.count("rows added") == 2
    assert watch(passes=2).out == ""
    assert rows_of(Path("d"), "count(*)") == [(7,)]
    assert sorted(path.name for path in folder.iterdir()) == ["a.csv", "b.csv"]
    assert (folder / "a.csv").read_text() == CSV


def test_a_file_that_grew_brings_its_new_rows_only(watch: Callable[..., Ran], folder: Path) -> None:
    for count in (3, 3, 8, 20):
        (folder / "a.csv").write_text(many(count))
        watch()
    assert rows_of(Path("d"), "count(*), count(DISTINCT id), sum(input_tokens)") == [(20, 20, sum(range(20)))]


def test_a_copy_under_another_name_is_the_same_content(watch: Callable[..., Ran], folder: Path) -> None:
    (folder / "a.csv").write_text(CSV)
    watch()
    (folder / "copy.csv").write_text(CSV)
    assert watch().out == ""
    assert rows_of(Path("d"), "count(*)") == [(2,)]


@pytest.mark.parametrize("name", [".a.csv", "a.csv.part", "a.csv.tmp", "a.csv~", "a.CSV.CRDOWNLOAD"])
def test_what_is_being_written_is_left_alone(watch: Callable[..., Ran], folder: Path, name: str) -> None:
    (folder / name).write_text(CSV)
    (folder / "sub").mkdir()
    (folder / "empty.csv").write_text("")
    ran = watch(passes=2)
    assert (ran.out, ran.err.count("\n")) == ("", 1)
    assert not (Path("d") / "ledger").exists()


def test_a_refused_file_is_told_once_and_the_others_go_on(watch: Callable[..., Ran], folder: Path) -> None:
    (folder / "a-bad.csv").write_text(CSV + "yesterday,m,C,1,1\n")
    (folder / "b-nothing.csv").write_text("x,y\n1,2\n")
    (folder / "c.csv").write_text(CSV)
    ran = watch(passes=4)
    assert ran.code == 0
    assert ran.err.count("a-bad.csv:4 [timestamp]") == 1
    assert ran.err.count("No column is known to hold started_at") == 1
    assert "c.csv: 2 rows added" in ran.out
    (folder / "a-bad.csv").write_text(CSV + "2026-11-02 08:05,m,C,1,1\n")
    assert "a-bad.csv: 1 row added" in watch().out


def test_with_skip_bad_the_other_rows_enter(watch: Callable[..., Ran], folder: Path) -> None:
    (folder / "a.csv").write_text(CSV + "yesterday,m,C,1,1\n")
    assert "2 rows added" in watch("--skip-bad").out


def test_a_file_that_was_rewritten_is_refused_while_it_runs(process: Start, folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text(many(3))
    running = process("import", "--watch", folder, "--data", tmp_path / "d", "--settle", 0, "--lang", "en")
    try:
        _wait(tmp_path / "d", 3)
        (folder / "a.csv").write_text(many(3).replace("08:00", "09:00"))
        (folder / "z.csv").write_text(many(7))
        _wait(tmp_path / "d", 7)
    finally:
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert "was rewritten" in err
    assert _rows(tmp_path / "d") == 7


def test_a_long_stay_is_asked_of_a_file_before_it_is_read(watch: Callable[..., Ran], folder: Path) -> None:
    (folder / "a.csv").write_text(CSV)
    assert watch("--settle", 3600, passes=3).out == ""


def test_json_is_a_line_per_file(watch: Callable[..., Ran], folder: Path) -> None:
    (folder / "a.csv").write_text(CSV)
    (folder / "b.csv").write_text(many(4))
    lines = [json.loads(line) for line in watch("--json").out.splitlines()]
    assert [(Path(line["file"]).name, line["added"]) for line in lines] == [("a.csv", 2), ("b.csv", 4)]


@pytest.mark.parametrize(("language", "words"), [("en", "cannot be read"), ("fr", "ne peut pas être lu")])
def test_a_folder_that_is_not_there_ends_it(mesure: Run, language: str, words: str) -> None:
    ran = mesure("import", "--watch", "nowhere", "--passes", 1, "--lang", language)
    assert ran.code == 1
    assert words in ran.err


def test_files_or_a_folder_and_not_both(mesure: Run, usage: Path, folder: Path) -> None:
    assert mesure("import").code == 2
    assert mesure("import", usage, "--watch", folder).code == 2


@pytest.mark.parametrize("option", [("--dry-run",), ("--replace",), ("--save", "x")])
def test_what_is_for_one_file_is_refused_of_a_folder(
    watch: Callable[..., Ran], folder: Path, option: tuple[str, ...]
) -> None:
    (folder / "a.csv").write_text(CSV)
    ran = watch(*option, "--lang", "fr")
    assert ran.code == 2
    assert "dossier surveillé" in ran.err
    assert not Path("d").exists()


def _rows(data: Path) -> int:
    if not (data / "ledger" / "_delta_log").is_dir():
        return 0
    return Ledger(data).count()


def _wait(data: Path, least: int) -> None:
    eventually(lambda: _rows(data) >= least, 60.0)


def test_killed_while_it_imports_and_started_again_each_row_is_there_once(
    process: Start, folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "d"
    (folder / "a.csv").write_text(many(3000))
    (folder / "b.csv").write_text(many(500).replace("08:00", "09:00"))
    arguments = ("import", "--watch", folder, "--data", data, "--settle", "0", "--every", "0.05", "--batch", "100")
    for least in (300, 1200, 2500):
        running = process(*arguments)
        _wait(data, least)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        if least == 1200:
            (folder / "a.csv").write_text(many(4000))
    assert 0 < _rows(data) < 4500
    running = process(*arguments)
    try:
        _wait(data, 4500)
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    expected = [(4500, 4500, sum(range(4000)) + sum(range(500)))]
    assert rows_of(data, "count(*), count(DISTINCT id), sum(input_tokens)") == expected
