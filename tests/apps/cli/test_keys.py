"""`mesure keys`: from a key made to a key refused, in both languages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shapes import Maybe, Several, mismatches

from .conftest import Run

KEY = {
    "id": str,
    "prefix": str,
    "state": {"active", "replaced", "expired", "revoked"},
    "team": Maybe(str),
    "use_case": Maybe(str),
    "end_client": Maybe(str),
    "label": Maybe(str),
    "created_at": str,
    "expires_at": Maybe(str),
    "revoked_at": Maybe(str),
    "replaced_by": Maybe(str),
}
TOKEN = re.compile(r"mesure-[0-9A-Za-z]{8}-[0-9A-Za-z]{32}")


def created(mesure: Run, *options: object) -> Any:
    ran = mesure("keys", "create", *options, "--json")
    assert (ran.code, ran.err) == (0, "")
    return ran.data


def listed(mesure: Run) -> dict[str, Any]:
    ran = mesure("keys", "list", "--json")
    assert mismatches(ran.data, {"keys": Several(KEY)}) == []
    return {key["id"]: key for key in ran.data["keys"]}


def days_left(key: dict[str, Any]) -> float:
    return (datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)) / timedelta(days=1)


def test_create(mesure: Run) -> None:
    made = created(mesure, "--team", "livraison", "--use-case", "suivi", "--client", "Öst", "--label", "n° 1")
    assert mismatches(made, KEY | {"token": str}) == []
    assert TOKEN.fullmatch(made["token"])
    assert made["token"].startswith(made["prefix"] + "-")
    scope = (made["team"], made["use_case"], made["end_client"], made["label"])
    assert scope == ("livraison", "suivi", "Öst", "n° 1")
    assert days_left(made) == pytest.approx(90, abs=0.01)
    del made["token"]
    assert listed(mesure) == {made["id"]: made}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_token_alone_is_on_standard_output(mesure: Run, language: str) -> None:
    """So that `KEY=$(mesure keys create ...)` is a key."""
    ran = mesure("keys", "create", "--team", "a", "--lang", language)
    assert TOKEN.fullmatch(ran.out.strip())
    assert ("Keep it now" if language == "en" else "Gardez-la maintenant") in ran.err


@pytest.mark.parametrize(("expires", "days"), [("12h", 0.5), ("90d", 90), ("8w", 56), ("1d", 1)])
def test_how_long_it_is_valid(mesure: Run, expires: str, days: float) -> None:
    assert days_left(created(mesure, "--expires", expires)) == pytest.approx(days, abs=0.01)


def test_a_last_day_ends_at_its_midnight_here(mesure: Run) -> None:
    for day, end in (("2099-01-31", "2099-01-31T23:00:00+00:00"), ("2099-07-14", "2099-07-14T22:00:00+00:00")):
        assert created(mesure, "--expires", day)["expires_at"] == end
    Path("mesure.toml").write_text('[organisation]\ntimezone = "UTC"\n')
    assert created(mesure, "--expires", "2099-01-31")["expires_at"] == "2099-02-01T00:00:00+00:00"


def test_never_is_said_in_words(mesure: Run) -> None:
    assert created(mesure, "--expires", "never")["expires_at"] is None
    assert "no end" in mesure("keys", "list").out
    assert "sans fin" in mesure("keys", "list", "--lang", "fr").out


@pytest.mark.parametrize("expires", ["", "90", "d", "-1d", "3m", "tomorrow", "2026-13-01", "9999-12-31"])
def test_another_way_to_write_it_is_refused(mesure: Run, expires: str) -> None:
    ran = mesure("keys", "create", "--expires", expires, "--json")
    assert (ran.code, ran.error["code"]) == (2, "usage")
    assert "90d" in ran.error["action"]
    assert ran.out == ""


@pytest.mark.parametrize("expires", ["0d", "2020-01-01"])
def test_a_key_that_has_ended_already_is_not_made(mesure: Run, expires: str) -> None:
    ran = mesure("keys", "create", "--expires", expires, "--json")
    assert (ran.code, ran.error["code"]) == (1, "invalid_value")
    assert listed(mesure) == {}


def test_names_that_cannot_be_used(mesure: Run) -> None:
    for name in ("", "x" * 201, "a\nb"):
        ran = mesure("keys", "create", "--team", name, "--json")
        assert (ran.code, ran.error["code"]) == (1, "invalid_value")


def test_rotate(mesure: Run) -> None:
    old = created(mesure, "--team", "a", "--use-case", "b", "--label", "c", "--expires", "60d")
    ran = mesure("keys", "rotate", old["prefix"], "--grace", "2d", "--json")
    new = ran.data
    assert mismatches(new, KEY | {"token": str, "replaces": str, "old_expires_at": str}) == []
    assert (new["team"], new["use_case"], new["label"]) == ("a", "b", "c")
    assert new["token"] != old["token"]
    keys = listed(mesure)
    assert keys[old["id"]]["state"] == "replaced"
    assert keys[old["id"]]["replaced_by"] == new["id"]
    assert keys[old["id"]]["expires_at"] == new["old_expires_at"]
    assert days_left(keys[old["id"]]) == pytest.approx(2, abs=0.01)
    assert days_left(keys[new["id"]]) == pytest.approx(90, abs=0.01)


def test_rotated_without_grace_or_with_the_usual_one(mesure: Run) -> None:
    first, second = created(mesure), created(mesure)
    assert mesure("keys", "rotate", first["id"], "--grace", "0d").code == 0
    told = mesure("keys", "rotate", second["id"])
    assert second["prefix"] in told.err
    keys = listed(mesure)
    assert keys[first["id"]]["state"] == "expired"
    assert days_left(keys[second["id"]]) == pytest.approx(7, abs=0.01)


def test_revoke(mesure: Run) -> None:
    made = created(mesure)
    ran = mesure("keys", "revoke", made["token"], "--json")  # pasted whole: only its visible part is used
    assert mismatches(ran.data, KEY) == []
    assert ran.data["state"] == "revoked"
    assert "is revoked" in mesure("keys", "revoke", made["id"]).out
    assert "est révoquée" in mesure("keys", "revoke", made["id"], "--lang", "fr").out
    assert listed(mesure)[made["id"]]["revoked_at"] == ran.data["revoked_at"]
    refused = mesure("keys", "rotate", made["id"], "--lang", "fr")
    assert refused.code == 1
    assert "révoquée" in refused.err


def test_a_name_that_is_not_known(mesure: Run) -> None:
    made = created(mesure)
    ran = mesure("keys", "revoke", made["id"][:-1] + "!", "--json")
    assert (ran.code, ran.error["code"], ran.error["nearest"]) == (1, "unknown_name", [made["id"]])
    token = "mesure-AAAAAAAA-" + "b" * 32
    for command in ("revoke", "rotate"):
        assert "bbb" not in mesure("keys", command, token).err


def test_no_token_is_shown_twice(mesure: Run) -> None:
    made = created(mesure, "--label", "visible")
    secret = made["token"].split("-")[2]
    for arguments in (("list",), ("list", "--json"), ("revoke", made["id"]), ("revoke", made["id"], "--json")):
        ran = mesure("keys", *arguments)
        assert secret not in ran.out + ran.err
    for file in Path("mesure-data").rglob("*"):
        assert secret.encode() not in file.read_bytes()


@pytest.mark.parametrize(("language", "words"), [("en", ("Use case", "revoked")), ("fr", ("Cas d’usage", "révoquée"))])
def test_the_list_is_a_table(mesure: Run, language: str, words: tuple[str, ...]) -> None:
    made = created(mesure, "--team", "équipe", "--use-case", "suivi")
    mesure("keys", "revoke", created(mesure)["id"])
    lines = mesure("keys", "list", "--lang", language).out.splitlines()
    assert len(lines) == 3
    text = "\n".join(lines)
    assert all(word in text for word in words)
    row = next(line for line in lines if made["prefix"] in line)
    assert row.index("équipe") == lines[0].index("Team" if language == "en" else "Équipe")


def test_long_and_deceiving_names_are_cut_and_escaped_in_the_list(mesure: Run) -> None:
    created(mesure, "--team", "x" * 200, "--label", "\u202eevil")
    out = mesure("keys", "list").out
    assert max(map(len, out.splitlines())) < 160
    assert "\u202e" not in out
    assert "\\u202eevil" in out


def test_where_there_is_no_state_nothing_is_made(mesure: Run) -> None:
    for arguments in (("list",), ("revoke", "x"), ("rotate", "x")):
        ran = mesure("keys", *arguments, "--data", "absent", "--json")
        assert (ran.code, ran.error["code"], ran.error["value"]) == (1, "unknown_name", "absent")
    assert not Path("absent").exists()


def test_no_key_yet(mesure: Run) -> None:
    mesure("keys", "create")
    Path("mesure-data", "state.sqlite").unlink()
    for part in Path("mesure-data").glob("state.sqlite-*"):
        part.unlink()
    from mesure.config import Settings
    from mesure.state import open_store

    open_store(Settings()).close()
    assert "no virtual key yet" in mesure("keys", "list").out
    assert "aucune clé virtuelle" in mesure("keys", "list", "--lang", "fr").out


def test_a_gateway_that_looks_at_no_key_is_said(mesure: Run) -> None:
    assert "does not look" not in mesure("keys", "create").err
    Path("mesure.toml").write_text('[gateway]\nkeys = "off"\n')
    assert "does not look" in mesure("keys", "create").err


def test_a_state_of_another_version_or_damaged_is_told(mesure: Run) -> None:
    mesure("keys", "create")
    Path("mesure-data", "state.sqlite").write_bytes(b"nonsense" * 1000)
    for part in Path("mesure-data").glob("state.sqlite-*"):
        part.unlink()
    english, french = (mesure("keys", "list", "--lang", language) for language in ("en", "fr"))
    assert (english.code, french.code) == (1, 1)
    assert "damaged" in english.err
    assert "mesure state restore" in english.err
    assert "abîmé" in french.err


@pytest.mark.parametrize("arguments", [(), ("create",), ("rotate",), ("revoke",), ("list",)])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_help(mesure: Run, arguments: tuple[str, ...], language: str) -> None:
    ran = mesure("keys", *arguments, "--help", "--lang", language)
    assert ran.code == 0
    assert " keys" in ran.out.splitlines()[0]
    for name in ("create", "list", "rotate", "revoke"):
        assert arguments or name in ran.out
