"""`mesure contacts`: brought in once, shown per contact in both languages, forgotten when asked."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesure.ledger import Ledger
from mesure.record import UsageEvent, derived_id

from .conftest import Run

FRENCH = (
    "Id contact;Date de contact;Canal;Client final;Durée (min);Résolu;Nom\n"
    "A-1;22/11/2026 08:30;Téléphone;Énergie+;4,5;Oui;Jeanne Martin\n"
    "A-2;22/11/2026 08:31;Téléphone;Énergie+;1;;Paul Durand\n"
    "A-3;22/11/2026 08:32;Chat;Banque;1;Non;Zoé Petit\n"
)
PERIOD = ("--since", "2026-11-20", "--until", "2026-11-23", "--data", "d")


@pytest.fixture
def contacts(tmp_path: Path) -> Path:
    path = tmp_path / "contacts.csv"
    path.write_text(FRENCH, encoding="utf-8")
    return path


@pytest.fixture
def calls(tmp_path: Path) -> None:
    at = datetime(2026, 11, 22, 8, tzinfo=UTC)
    Ledger(tmp_path / "d").append(
        [
            UsageEvent(
                id=derived_id(n, "x"),
                started_at=at,
                contact_id=name,
                provider="openai",
                model_requested="gpt-4o",
                input_tokens=900,
                output_tokens=100,
            )
            for n, name in enumerate(("A-1", "A-1", "A-2", "gone"))
        ],
        {},
    )


def test_contacts_enter_once_and_nobody_is_named(mesure: Run, contacts: Path) -> None:
    first = mesure("contacts", "import", contacts, "--data", "d")
    assert (first.code, first.out) == (0, "contacts.csv: 3 contacts added, 0 already there.\n")
    assert first.err == "contacts.csv: Left aside: Nom\n"
    again = mesure("contacts", "import", contacts, "--data", "d", "--json")
    assert (again.data["files"][0]["added"], again.data["files"][0]["already"]) == (0, 3)
    assert b"Martin" not in b"".join(path.read_bytes() for path in Path("d").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ("2 contacts say it", "Left aside: Nom")), ("fr", ("2 contacts le disent", "Laissées de côté"))],
)
def test_a_preview_says_what_is_known(mesure: Run, contacts: Path, language: str, words: tuple[str, str]) -> None:
    ran = mesure("contacts", "import", contacts, "--data", "d", "--dry-run", "--lang", language)
    assert ran.code == 0
    assert "duration_s  <- Durée (min)" in ran.out
    assert words[0] in ran.out
    assert not Path("d").exists()


def test_bad_rows_are_named_and_nothing_enters(mesure: Run, contacts: Path) -> None:
    contacts.write_text(FRENCH + "A-4;22/11/2026;Chat;B;x;Oui;N\n", encoding="utf-8")
    ran = mesure("contacts", "import", contacts, "--data", "d")
    assert ran.code == 1
    assert "contacts.csv:5 [Durée (min)]" in ran.err
    assert not Path("d").exists()
    assert mesure("contacts", "import", contacts, "--data", "d", "--skip-bad", "--json").data["files"][0]["added"] == 3


@pytest.mark.usefixtures("calls")
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Energy per contact", "1 call carries the id", "Outcomes are known of 67% of contacts")),
        ("fr", ("Énergie par contact", "1 appel porte l’identifiant", "67\u202f% des contacts")),
    ],
)
def test_what_ai_took_is_shown_per_contact(
    mesure: Run, contacts: Path, language: str, words: tuple[str, str, str]
) -> None:
    mesure("contacts", "import", contacts, "--data", "d")
    ran = mesure("contacts", "show", *PERIOD, "--lang", language)
    assert ran.code == 0
    for word in (*words, "voice", "chat", "100"):
        assert word in ran.out


@pytest.mark.usefixtures("calls")
def test_the_same_as_json(mesure: Run, contacts: Path) -> None:
    mesure("contacts", "import", contacts, "--data", "d")
    data = mesure("contacts", "show", *PERIOD, "--by", "end_client", "--json").data
    energie, banque = data["groups"]
    assert (energie["key"], energie["contacts"], energie["linked"], energie["calls"]) == ("Énergie+", 2, 2, 3)
    assert energie["energy_per_contact_wh"]["mid"] == pytest.approx(energie["energy_wh"]["mid"] / 2)
    assert energie["energy_per_contact_wh"]["sources"]
    assert banque["energy_per_contact_wh"] is None
    assert data["unknown_calls"] == 1
    assert energie["outcomes_share"] == 0.5


def test_without_contacts_it_says_how_to_bring_them(mesure: Run) -> None:
    assert "mesure contacts import" in mesure("contacts", "show", "--data", "d").out
    assert not Path("d").exists()


def test_old_contacts_are_forgotten(mesure: Run, contacts: Path) -> None:
    mesure("contacts", "import", contacts, "--data", "d")
    assert mesure("contacts", "forget", "--before", "2026-11-22", "--data", "d", "--json").data == {"forgotten": 0}
    assert mesure("contacts", "forget", "--before", "2026-11-23", "--data", "d").out == "3 contacts forgotten.\n"
    Path("mesure.toml").write_text("[contacts]\nkeep_days = 1\n")
    contacts.write_text(FRENCH.replace("22/11/2026", "22/11/2020"), encoding="utf-8")
    assert "3 contacts forgotten." in mesure("contacts", "import", contacts, "--data", "d").out


def test_a_mapping_that_is_none_is_a_usage_error(mesure: Run, contacts: Path) -> None:
    assert mesure("contacts", "import", contacts, "--map", "id").code == 2
    assert mesure("contacts", "import", contacts, "--timezone", "Mars").code == 2


def test_real_reasons_are_counted_and_what_people_wrote_is_not_kept(
    mesure: Run, shared_data: Path, tmp_path: Path
) -> None:
    """Requests of customers of a bank with their intents: the intent is the reason of the contact, the text is left."""
    with (shared_data / "contact_centre" / "banking77_test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    path = tmp_path / "bank.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("id", "date", "canal", "motif", "verbatim"))
        writer.writerows((n, "2026-11-22 09:00", "Chat", row["intent"], row["text"]) for n, row in enumerate(rows))
    ran = mesure("contacts", "import", path, "--data", "d", "--json")
    assert (ran.data["files"][0]["added"], ran.data["files"][0]["unused_columns"]) == (3_080, ["verbatim"])
    data = mesure("contacts", "show", *PERIOD, "--by", "use_case", "--json").data
    assert {group["key"]: group["contacts"] for group in data["groups"]} == Counter(row["intent"] for row in rows)
    kept = b"".join(path.read_bytes() for path in Path("d").rglob("*.parquet"))
    assert rows[0]["text"].encode() not in kept
