"""`mesure privacy`: what is held is said as it is, in both languages, and what is erased is gone from every file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mesure.apps.cli import main
from mesure.config import ContentSettings
from mesure.content import Content, Kept
from mesure.ledger import ContactTable, Ledger, Spool
from mesure.meter.pseudonyms import Pseudonyms
from mesure.record import ALLOWED, Contact, UsageEvent, new_id

from .conftest import Run

DATA = Path("mesure-data")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STORES = ["spool", "ledger", "contacts", "state", "content"]


def event(number: int, user: str | None, **more: Any) -> UsageEvent:
    given: dict[str, Any] = {
        "contact_id": f"contact-{number:04}",
        "input_tokens": 10,
        "started_at": NOON,
        "team": "care",
    }
    return UsageEvent(id=new_id(), user=Pseudonyms(DATA)(user) if user else None, **(given | more))


@pytest.fixture
def held(mesure: Run) -> Run:
    """Calls in the ledger and in the spool, a contact, kept content, a key."""
    Path("mesure.toml").write_text(
        '[content.suivi]\ndays = 30\n[privacy]\nlabel_keys = ["site"]\n'
        '[providers.one]\nbase_url = "https://one.example/v1"\napi_key = "sk-very-secret-1"\n'
        '[providers.two]\nbase_url = "https://two.example/v1"\n'
    )
    Ledger(DATA).append([event(n, "jean" if n < 3 else "anne", labels={"site": "Lyon"}) for n in range(5)], {})
    spool = Spool(DATA / "spool")
    spool.record(event(7, "jean"))
    spool.close()
    ContactTable(DATA).add("x", [Contact(id="contact-0001", started_at=NOON, origin="sha:1")])
    content = Content(DATA, {"suivi": ContentSettings()})
    for n, user in enumerate(("jean", "anne")):
        whose = {"user": Pseudonyms(DATA)(user), "contact_id": f"contact-{n:04}"}
        said = {"messages": [{"role": "user", "content": "Où ?"}], "answer": "Il arrive."}
        content.write([Kept(event_id=f"e{n}", started_at=NOON, use_case="suivi", model="m", **said, **whose)])
    assert mesure("keys", "create", "--team", "care").code == 0
    return mesure


def ledger_rows(columns: str) -> list[tuple[Any, ...]]:
    import duckdb

    with duckdb.connect() as connection:
        sql = f"SELECT {columns} FROM read_parquet(?, union_by_name=true)"
        return connection.execute(sql, [Ledger(DATA).files()]).fetchall()


def every_byte() -> bytes:
    """Of all files, Parquet read as text."""
    import duckdb

    held = []
    for path in DATA.rglob("*"):
        if path.is_file():
            held.append(path.read_bytes())
            if path.suffix == ".parquet":
                found = duckdb.sql(f"SELECT COLUMNS(*)::VARCHAR FROM read_parquet('{path}')").fetchall()
                held.append(str(found).encode())
    return b"".join(held)


def test_the_report_says_what_is_held(held: Run) -> None:
    found = held("privacy", "report", "--json").data
    stores = {store["store"]: store for store in found["stores"]}
    assert list(stores) == STORES
    assert (stores["ledger"]["rows"], stores["contacts"]["rows"], stores["content"]["rows"]) == (5, 1, 2)
    assert stores["ledger"]["oldest"] == "2026-11-22T12:00:00+00:00"
    columns = stores["ledger"]["columns"]
    assert columns["user"] == {
        "share": 1.0, "purpose": "attribution", "kind": "pseudonym", "until": "privacy.user_days",
    }  # fmt: skip
    assert "conversation_id" not in columns
    assert {entry.name for entry in ALLOWED["ledger"]} >= set(columns)
    assert stores["content"]["use_cases"] == {"suivi": 2}
    [key] = stores["state"]["virtual_keys"]
    assert key["state"] == "active"
    assert found["retention_days"]["content"] == {"suivi": 30}
    assert found["keys"]["providers"] == {"one": "mesure.toml", "two": "clients"}
    assert (found["keys"]["pseudonym_key"], found["keys"]["content_key"]) == (True, True)
    assert stores["spool"]["files"] == 1
    assert stores["content"]["modes"] == ["0600"]
    assert not any("error" in store for store in stores.values())


def test_the_report_says_no_secret(held: Run) -> None:
    said = held("privacy", "report").out + held("privacy", "report", "--json").out
    for file in ("pseudonym.key", "content.key"):
        assert (DATA / file).read_text().strip() not in said
    assert "sk-very-secret-1" not in said
    assert Pseudonyms(DATA)("jean") not in said


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        (
            "en",
            (
                "Ledger of calls",
                "5 rows",
                "user: filled in 100.0 % of rows (pseudonym)",
                "90 days",
                "never",
                "suivi: 2",
            ),
        ),
        (
            "fr",
            (
                "Registre des appels",
                "5 lignes",
                "user: remplie dans 100",
                "(pseudonyme)",
                "90 jours",
                "jamais",
                "suivi: 2",
            ),
        ),
    ],
)
def test_the_report_in_words(held: Run, language: str, texts: tuple[str, ...]) -> None:
    out = held("privacy", "report", "--lang", language).out.replace("100,0", "100.0").replace("\xa0", " ")
    for text in texts:
        assert text.replace("100.0", "100") in out.replace("100.0", "100"), text


def test_a_report_of_nothing_makes_nothing(mesure: Run) -> None:
    found = mesure("privacy", "report", "--json").data
    assert [store["files"] for store in found["stores"]] == [0] * 5
    assert not DATA.exists()


def test_files_that_others_can_read_are_named(held: Run) -> None:
    (DATA / "pseudonym.key").chmod(0o644)
    assert str(DATA / "pseudonym.key") in held("privacy", "report", "--json").data["readable_by_others"]


def test_a_store_that_cannot_be_read_is_said(held: Run) -> None:
    (DATA / "state.sqlite").write_bytes(b"nonsense" * 2000)
    stores = {store["store"]: store for store in held("privacy", "report", "--json").data["stores"]}
    assert stores["state"]["error"]["code"] == "state_damaged"
    assert stores["ledger"]["rows"] == 5


def test_a_person_is_erased_everywhere(held: Run) -> None:
    jean, anne = Pseudonyms(DATA)("jean"), Pseudonyms(DATA)("anne")
    before = ledger_rows("sum(input_tokens)")
    ran = held("privacy", "erase", "--user", "jean", "--yes", "--json")
    assert ran.data == {
        "preview": {"ledger": 4, "contacts": 0, "content": 1},
        "erased": {"ledger": 4, "contacts": 0, "content": 1},
        "complete": True,
    }
    assert jean.encode() not in every_byte()
    assert anne.encode() in every_byte()
    assert ledger_rows('sum(input_tokens), count("user"), count(*)') == [(before[0][0] + 10, 2, 6)]
    again = held("privacy", "erase", "--user", jean, "--yes", "--json").data
    assert again["erased"] == {"ledger": 0, "contacts": 0, "content": 0}


def test_a_contact_is_erased_everywhere(held: Run) -> None:
    ran = held("privacy", "erase", "--contact", "contact-0001", "--yes", "--json").data
    assert ran["erased"] == {"ledger": 1, "contacts": 1, "content": 1}
    assert b"contact-0001" not in every_byte()


def test_calls_themselves_go_when_asked_and_with_a_day_alone(held: Run) -> None:
    assert held("privacy", "erase", "--user", "jean", "--rows", "--yes").code == 0
    assert ledger_rows("count(*)") == [(2,)]
    assert held("privacy", "erase", "--before", "2026-11-22", "--yes", "--json").data["erased"]["ledger"] == 0
    assert held("privacy", "erase", "--before", "2026-11-23", "--yes", "--json").data["erased"]["ledger"] == 2
    assert Ledger(DATA).count() == 0


def test_nothing_goes_without_a_yes(held: Run) -> None:
    shown = held("privacy", "erase", "--user", "jean", "--json").data
    assert shown == {"preview": {"ledger": 4, "contacts": 0, "content": 1}, "erased": None}
    for answer, erased in (("n\n", False), ("y\n", True)):
        ran = CliRunner().invoke(main, ["privacy", "erase", "--user", "jean"], input=answer)
        assert "Ledger of calls: 4" in ran.stdout
        assert (ran.exit_code == 0) is erased
        assert (Pseudonyms(DATA)("jean").encode() in every_byte()) is not erased


@pytest.mark.parametrize("options", [[], ["--rows", "--yes"], ["--before", "yesterday"]])
def test_what_is_not_said_is_asked_for(held: Run, options: list[str]) -> None:
    ran = held("privacy", "erase", *options)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_no_folder_is_made_to_erase_nothing(mesure: Run) -> None:
    assert mesure("privacy", "erase", "--user", "jean", "--yes").code == 1
    assert not DATA.exists()
