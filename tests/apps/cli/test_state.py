"""`mesure state`: a backup made, lost keys brought back, and what doctor says of it all."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from mesure.state import schema
from shapes import Maybe, mismatches

from .conftest import Run

BACKUP = {"file": str, "schema": int, "made_at": str, "rows": dict}


@pytest.fixture
def filled(mesure: Run) -> Run:
    for team in ("a", "b"):
        assert mesure("keys", "create", "--team", team).code == 0
    return mesure


def keys_of(mesure: Run, *options: object) -> list[Any]:
    found: list[Any] = mesure("keys", "list", "--json", *options).data["keys"]
    return found


def findings(mesure: Run, *options: object) -> list[dict[str, str]]:
    found = mesure("doctor", "--port", "0", "--json", *options).data["findings"]
    return [finding for finding in found if finding["name"] == "state"]


def test_backup_and_restore(filled: Run) -> None:
    before = keys_of(filled)
    ran = filled("state", "backup", "b.jsonl", "--json")
    assert (ran.code, ran.err) == (0, "")
    assert mismatches(ran.data, BACKUP) == []
    assert {table: count for table, count in ran.data["rows"].items() if count} == {"installation": 2, "virtual_key": 2}
    assert stat.S_IMODE(Path("b.jsonl").stat().st_mode) == 0o600
    ran = filled("state", "restore", "b.jsonl", "--data", "elsewhere", "--json")
    assert mismatches(ran.data, BACKUP | {"set_aside": Maybe(str)}) == []
    assert ran.data["set_aside"] is None
    assert keys_of(filled, "--data", "elsewhere") == before


def test_what_was_there_is_replaced_only_when_asked(filled: Run) -> None:
    filled("state", "backup", "b.jsonl")
    filled("keys", "create")
    ran = filled("state", "restore", "b.jsonl", "--json")
    assert (ran.code, ran.error["code"]) == (1, "state_not_empty")
    assert len(keys_of(filled)) == 3
    assert filled("state", "restore", "b.jsonl", "--replace").code == 0
    assert len(keys_of(filled)) == 2


def test_a_damaged_file_is_kept(filled: Run) -> None:
    filled("state", "backup", "b.jsonl")
    Path("mesure-data", "state.sqlite").write_bytes(b"nonsense" * 1000)
    for part in Path("mesure-data").glob("state.sqlite-*"):
        part.unlink()
    assert [finding["level"] for finding in findings(filled)] == ["problem"]
    assert filled("state", "restore", "b.jsonl", "--json").error["code"] == "state_damaged"
    ran = filled("state", "restore", "b.jsonl", "--replace", "--json")
    assert Path(ran.data["set_aside"]).read_bytes().startswith(b"nonsense")
    assert len(keys_of(filled)) == 2


@pytest.mark.parametrize(("language", "word"), [("en", "safe"), ("fr", "sûr")])
def test_in_words(filled: Run, language: str, word: str) -> None:
    assert word in filled("state", "backup", "b.jsonl", "--lang", language).out
    told = filled("state", "restore", "b.jsonl", "--replace", "--lang", language).out
    assert "UTC" in told
    assert "mesure keys list" in told


def test_a_file_that_is_no_backup(filled: Run) -> None:
    Path("other").write_text("text\n")
    for arguments in (("backup", "other"), ("restore", "other"), ("restore", "absent")):
        ran = filled("state", *arguments, "--json")
        assert (ran.code, ran.error["code"]) == (1, "backup_refused")
    assert Path("other").read_text() == "text\n"
    assert filled("state", "backup", "no-folder/b").code == 1


def test_where_there_is_no_state_none_is_made(mesure: Run) -> None:
    ran = mesure("state", "backup", "b.jsonl", "--json")
    assert (ran.code, ran.error["code"]) == (1, "unknown_name")
    assert not Path("b.jsonl").exists()
    assert not Path("mesure-data").exists()


def test_doctor_on_a_fresh_folder(mesure: Run) -> None:
    (finding,) = findings(mesure)
    assert finding["level"] == "ok"
    assert "No state yet" in finding["what"]
    assert not Path("mesure-data").exists()


def test_doctor_counts_keys_and_asks_for_a_backup(filled: Run) -> None:
    filled("keys", "revoke", keys_of(filled)[0]["id"])
    first, second = findings(filled)
    assert first["what"] == "sqlite: 2 virtual keys, 1 of them valid"
    assert (second["level"], "mesure state backup" in second["action"]) == ("warning", True)
    filled("state", "backup", "b.jsonl")
    first, second = findings(filled)
    assert (first["level"], second["level"]) == ("ok", "ok")
    assert "Last backup on 20" in second["what"]
    assert "clés virtuelles" in findings(filled, "--lang", "fr")[0]["what"]


def test_doctor_looks_and_changes_nothing(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    later = schema.Migration(len(schema.shipped()) + 1, "later", ("CREATE TABLE later (a TEXT)",), "x")
    all_of_them = (*schema.shipped(), later)
    monkeypatch.setattr(schema, "shipped", lambda: all_of_them)
    for _ in range(2):
        (finding,) = findings(filled)
        assert (finding["level"], "1 migration" in finding["what"]) == ("ok", True)


def test_doctor_tells_of_a_newer_state(filled: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "shipped", tuple)
    (finding,) = findings(filled)
    assert finding["level"] == "problem"
    assert "newer" in finding["what"]


def test_doctor_tells_of_a_database_that_does_not_answer(mesure: Run) -> None:
    Path("mesure.toml").write_text('[state]\nurl = "postgresql://me:hunter2@127.0.0.1:9/mesure"\n')
    (finding,) = findings(mesure)
    assert finding["level"] == "problem"
    assert "hunter2" not in finding["what"] + finding["action"]
    assert "state.url" in finding["action"]


def test_a_setting_that_is_no_database_is_refused_unseen(mesure: Run) -> None:
    Path("mesure.toml").write_text('[state]\nurl = "mysql://me:hunter2@h/mesure"\n')
    ran = mesure("doctor")
    assert ran.code == 1
    assert "hunter2" not in ran.err + ran.out
    assert "postgresql://" in ran.err


@pytest.mark.parametrize("arguments", [(), ("backup",), ("restore",)])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_help(mesure: Run, arguments: tuple[str, ...], language: str) -> None:
    ran = mesure("state", *arguments, "--help", "--lang", language)
    assert ran.code == 0
    assert " state" in ran.out.splitlines()[0]
