"""Files of contacts: columns in both languages, outcomes and durations as systems write them, reasons for the rest."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.errors import ImportRefused, InvalidValue
from mesure.meter.imports import (
    BadRow,
    ContactPlan,
    Conventions,
    TableFile,
    propose_contacts,
    read_contacts,
    review_contacts,
)
from mesure.record import Contact

Write = Callable[..., Path]

FRENCH = (
    "Id contact;Date de contact;Canal;Client final;Motif d'appel;Durée (min);Transféré;Résolu;Réitération;Nom\n"
    "A-1;22/11/2026 08:30;Téléphone;Énergie+;Facture;4,5;non;Oui;non;Jeanne Martin\n"
    "A-2;22/11/2026 08:31;Courriel;Énergie+;Panne;;OUI;Non résolu;;Paul Durand\n"
)
ENGLISH = (
    "interaction_id,start_time,media_type,account,reason,handle time,transferred,resolved,repeat contact\n"
    "x1,2026-11-22T08:30:00+01:00,Phone,Acme,billing,00:04:30,false,true,0\n"
    "x2,2026-11-22T08:31:00+01:00,WhatsApp,Acme,billing,5:00,N/A,,1\n"
)


def contacts_of(path: Path, conventions: Conventions | None = None, **mapping: str) -> list[Contact | BadRow]:
    file = TableFile.open(path)
    plan = ContactPlan.make(file, mapping, conventions or Conventions(), pseudonym=str)
    return list(read_contacts(file, plan, "c"))


def test_a_french_file(write: Write) -> None:
    first, second = contacts_of(write("a.csv", FRENCH), Conventions(dates="french", decimal="comma"))
    assert isinstance(first, Contact)
    assert isinstance(second, Contact)
    assert first == Contact(
        id="A-1",
        started_at=datetime(2026, 11, 22, 8, 30, tzinfo=UTC),
        channel="voice",
        end_client="Énergie+",
        use_case="Facture",
        duration_s=270.0,
        transferred=False,
        resolved=True,
        recontact=False,
        origin="c:2",
    )
    assert (second.channel, second.duration_s, second.transferred, second.resolved, second.recontact) == (
        "email",
        None,
        True,
        False,
        None,
    )
    assert "Martin" not in str(first)


def test_an_english_file(write: Write) -> None:
    first, second = contacts_of(write("a.csv", ENGLISH))
    assert isinstance(first, Contact)
    assert isinstance(second, Contact)
    assert (first.channel, first.duration_s, first.resolved, first.recontact) == ("voice", 270.0, True, False)
    assert (second.channel, second.duration_s, second.transferred, second.resolved, second.recontact) == (
        "chat",
        300.0,
        None,
        None,
        True,
    )


@pytest.mark.parametrize(
    ("column", "cell", "seconds"),
    [
        ("duration_s", "90", 90.0),
        ("Durée", "90", 90.0),
        ("Durée (min)", "1.5", 90.0),
        ("duration ms", "90000", 90.0),
        ("Durée (minutes)", "2", 120.0),
        ("durée", "01:00:01", 3601.0),
        ("durée", "12:05", 725.0),
    ],
)
def test_durations_are_seconds(write: Write, column: str, cell: str, seconds: float) -> None:
    (found,) = contacts_of(write("a.csv", f"id;date;{column}\n1;2026-11-22;{cell}\n"))
    assert isinstance(found, Contact)
    assert found.duration_s == pytest.approx(seconds)


@pytest.mark.parametrize(("cell", "expected"), [("Oui", True), ("0", False), ("RESOLVED", True), ("unresolved", False)])
def test_outcomes_in_words(write: Write, cell: str, expected: bool) -> None:
    (found,) = contacts_of(write("a.csv", f"id,date,resolved\n1,2026-11-22,{cell}\n"))
    assert isinstance(found, Contact)
    assert found.resolved is expected


@pytest.mark.parametrize(
    ("row", "column", "what"),
    [
        (",2026-11-22,1,yes", None, "no id"),
        ("1,,1,yes", None, "no started_at"),
        ("1,2026-11-22,-5,yes", None, "between 0 and 30 days"),
        ("1,2026-11-22,x,yes", "duration", "not a number"),
        ("1,2026-11-22,1,perhaps", "resolved", "true or false"),
        ("1,yesterday,1,yes", "date", "not a time"),
        ("1,2026-11-22,1,yes,more", None, "5 cells"),
    ],
)
def test_a_row_that_cannot_be_taken_is_named(write: Write, row: str, column: str | None, what: str) -> None:
    path = write("a.csv", f"id,date,duration,resolved\n2,2026-11-22,1,no\n{row}\n")
    good, bad = contacts_of(path)
    assert isinstance(good, Contact)
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.column) == (3, column)
    assert what in bad.error.what
    assert bad.error.action


def test_a_review_counts_what_is_known(write: Write) -> None:
    file = TableFile.open(write("a.csv", ENGLISH + "x3,never,Phone,A,b,1,no,no,no\n"))
    found = review_contacts(file, ContactPlan.make(file, {}, Conventions(), pseudonym=str))
    assert (found.rows, found.accepted, found.refused_count, found.known["resolved"]) == (3, 2, 1, 1)
    assert found.content == file.fingerprint()
    assert (found.first, found.last) == (
        datetime(2026, 11, 22, 7, 30, tzinfo=UTC),
        datetime(2026, 11, 22, 7, 31, tzinfo=UTC),
    )


def test_what_is_asked_goes_before_what_is_found(write: Write) -> None:
    (found,) = contacts_of(write("a.csv", "id,ref,date,motif\n1,R-1,2026-11-22,x\n"), id="ref")
    assert isinstance(found, Contact)
    assert found.id == "R-1"


def test_what_does_not_exist_is_refused_with_the_nearest(write: Write) -> None:
    file = TableFile.open(write("a.csv", "id,date,canal\n1,2026-11-22,x\n"))
    for mapping, near in (({"chanel": "canal"}, "channel"), ({"channel": "canall"}, "canal")):
        with pytest.raises(ImportRefused) as refused:
            ContactPlan.make(file, mapping, Conventions(), pseudonym=str)
        assert refused.value.nearest[0] == near
    with pytest.raises(ImportRefused, match="hold id"):
        ContactPlan.make(TableFile.open(write("b.csv", "date,x\n2026-11-22,1\n")), {}, Conventions(), pseudonym=str)


def test_a_contact_lies_in_its_domain() -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    with pytest.raises(InvalidValue, match="needs an id"):
        Contact(id=" ", started_at=at).checked()
    with pytest.raises(InvalidValue, match="time zone"):
        Contact(id="1", started_at=at.replace(tzinfo=None)).checked()
    assert Contact(id="1", started_at=at).to_json() == {"id": "1", "started_at": at, "schema_version": 1}


names = st.text(st.characters(codec="utf-8", exclude_characters=';\r\n"\0'), min_size=1, max_size=10)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(names, min_size=5, max_size=5), max_size=4))
def test_any_cells_are_contacts_or_reasons(tmp_path: Path, cells: list[list[str]]) -> None:
    path = tmp_path / "any.csv"
    rows = "".join(";".join(row) + "\n" for row in cells)
    path.write_text("id;date;canal;durée;résolu\n" + rows, encoding="utf-8")
    for row in contacts_of(path):
        assert row.checked() if isinstance(row, Contact) else (row.error.what and row.error.action)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(b"id,date\n" + content)
    with suppress(ImportRefused):
        contacts_of(path)


@given(st.lists(names, max_size=6))
def test_any_names_are_looked_at_without_harm(columns: list[str]) -> None:
    assert set(propose_contacts(columns).values()) <= set(columns)


def test_a_contact_is_named_as_its_calls_are(write: Write) -> None:
    """A telephone number taken for an id becomes the pseudonym that calls of that contact carry; a key is refused."""
    rows = "id,date,motif\n0612345678,2026-11-22,jean@exemple.fr\nsk-proj-1234567890abcdefgh,2026-11-22,x\n"
    file = TableFile.open(write("c.csv", rows))
    plan = ContactPlan.make(file, {}, Conventions(), pseudonym=lambda text: f"<{text}>")
    contact, refused = read_contacts(file, plan, "c")
    assert isinstance(contact, Contact)
    assert (contact.id, contact.use_case) == ("<0612345678>", "<jean@exemple.fr>")
    assert isinstance(refused, BadRow)
    assert "sk-proj" not in str(refused.error)
