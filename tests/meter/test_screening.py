"""What callers put in names: people become pseudonyms, keys are refused, names stay as they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.pseudonyms import pseudonym
from mesure.meter.screening import (
    _SECRET,
    _SUSPECT,
    LONGEST,
    _names_a_person,
    allowed_labels,
    is_screened,
    screened,
    screened_fields,
)
from mesure.record import SCREENED

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mesure"


def named(text: str) -> str:
    return pseudonym(b"k" * 32, text)


@pytest.mark.parametrize(
    "text",
    [
        "jean.petit@exemple.fr",
        "Jean Petit <jean.petit+ia@service.exemple.fr>",
        "contact: élodie@café.fr",
        "+33 6 12 34 56 78",
        "+33612345678",
        "+1 (514) 555-0199",
        "+44-20-7946-0958",
        "06 12 34 56 78",
        "0612345678",
        "rappeler 01.42.68.53.00 demain",
        "FR76 3000 6000 0112 3456 7890 189",
        "FR7630006000011234567890189",
        "DE89370400440532013000",
        "BE68 5390 0754 7034",
        "1 84 12 76 451 089 46",
        "184127645108946",
        "2 55 08 2A 123 456 89".replace("89", str(97 - 2550819123456 % 97)),
    ],
)
def test_what_names_a_person_is_stored_as_a_pseudonym(text: str) -> None:
    kept = screened(text, named)
    assert kept == named(text)
    assert re.fullmatch(r"u-[0-9a-f]{24}", kept or "")


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdEFGH1234567890",
        "sk-ant-api03-AAAABBBBCCCC1111",
        "team sk-1234567890abcdefgh",
        "mesure-k3Jd8aQz-" + "b" * 32,
        "ghp_" + "a1" * 18,
        "github_pat_" + "a1" * 20,
        "glpat-abcdefghij0123456789",
        "hf_" + "abcdefghij" * 3,
        "xoxb-123456789012-abcdefghij",
        "AIza" + "SyA1b2C3d4E5" * 3,
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x",
        "Bearer abcdef0123456789",
        "-----BEGIN PRIVATE KEY-----",
        "x" * (LONGEST + 1),
    ],
)
def test_what_opens_a_door_or_is_no_name_is_not_stored(text: str) -> None:
    assert screened(text, named) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "livraison",
        "équipe d’accueil",
        "remise de 5 % en mai",
        "C-2026-11-22-000123",
        "20261122000123",
        "1234567890",
        "0123456789012345",
        "900123",
        "c1",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "3f2504e04f8941d39a0c0305e82c3301",
        "gpt-4o-mini-2024-07-18",
        "Client @ Lyon",
        "v1.2.3+build.5",
        "sk-bratislava-zakaznici",
        "task-2024-migration-of-tickets",
        "FR76 3000 6000 0112 3456 7890 188",  # its check digits are wrong
        "184127645108947",
        "u-0123456789abcdef01234567",
        "x" * LONGEST,
    ],
)
def test_names_and_references_stay_as_they_are(text: str) -> None:
    assert screened(text, named) == text


@given(st.text(max_size=300))
def test_nothing_else_comes_out_than_the_text_a_pseudonym_or_nothing(text: str) -> None:
    kept = screened(text, named)
    assert kept in (text, named(text), None)
    if kept is not None:
        assert screened(kept, named) == kept
        assert len(kept) <= LONGEST


_PIECES = st.sampled_from(
    [
        *("jean@exemple.fr", "+33612345678", "+1 (514) 555-0199", "0612345678", "06.12.34.56.78"),
        *("FR7630006000011234567890189", "184127645108946", "1 84 12 76 451 089 46", "xoxb-abcdefghij"),
        *("sk-proj-abcdEFGH1234567890", "hf_" + "abcdefghij" * 2, "eyJhbGciOiJI.eyJzdWIiOiI.x"),
        *("Bearer abcdef012345", "-----BEGIN", "AKIAIOSFODNN7EXAMPLE", "équipe", " ", "-", "_", ".", "x1"),
    ]
)


@given(st.lists(_PIECES | st.text(max_size=4), max_size=5).map("".join))
def test_the_first_look_lets_nothing_through(text: str) -> None:
    if _SECRET.search(text) or _names_a_person(text):
        assert _SUSPECT.search(text)


@given(st.text("0123456789+ .-()@AFR", max_size=LONGEST))
def test_no_text_takes_long(text: str) -> None:
    """Patterns that go back over their own steps would hang here."""
    screened(text * (LONGEST // max(1, len(text))), named)


def test_the_same_person_is_the_same_pseudonym_so_that_calls_still_go_together() -> None:
    assert screened("jean@exemple.fr", named) == screened(" jean@exemple.fr ".strip(), named)
    assert screened("jean@exemple.fr", named) != screened("jeanne@exemple.fr", named)


def test_labels_by_their_keys() -> None:
    assert allowed_labels({"a": "1", "b": "2"}, {"b", "c"}) == ({"b": "2"}, ["a"])
    assert allowed_labels({}, {"b"}) == ({}, [])


def test_fields_of_an_event_as_they_may_be_stored() -> None:
    given = {
        "team": "care",
        "contact_id": "0612345678",
        "use_case": "sk-proj-abcdEFGH1234567890",
        "input_tokens": 3,
        "model_requested": "a@b.example",
        "labels": {"site": "Lyon", "agent": "jean@exemple.fr", "mood": "sad", "key": "hf_" + "a1" * 12},
    }
    assert screened_fields(given, named, {"site", "agent", "key"}) == {
        **given,
        "contact_id": named("0612345678"),
        "use_case": None,
        "labels": {"site": "Lyon", "agent": named("jean@exemple.fr")},
    }
    assert screened_fields({"labels": {"mood": "sad"}, "team": None}, named, ()) == {"labels": None, "team": None}
    assert screened_fields({"team": "a@b.example"}, lambda _: None, ()) == {"team": None}  # no key: nobody


def test_every_name_that_callers_choose_is_screened() -> None:
    assert {"team", "use_case", "contact_id", "conversation_id", "end_client", "application", "task"} <= SCREENED
    assert is_screened("labels.site")
    assert not is_screened("input_tokens")


#: Modules that make events of what comes from outside, and how each screens it; a new one must say.
INTAKES = {
    "apps/events_door.py": "apps/events_door.py",
    "apps/gateway/metering.py": "apps/gateway/attribution.py",
    "meter/imports/reading.py": "meter/imports/reading.py",
    "meter/otlp/intake.py": "meter/otlp/intake.py",
    "apps/sdk/litellm_callback.py": "apps/sdk/destinations.py",  # or the intake of the Mesure they are sent to
    "apps/sdk/metering.py": "apps/sdk/destinations.py",
}
#: These make events of events, of the configuration, or of what a sensor reads.
DERIVED = {
    *("apps/gateway/budgets.py", "apps/measured.py", "apps/sdk/pricing.py"),
    *("meter/imports/profiles.py", "meter/sensors/windows.py"),
    *("ledger/lines.py", "ledger/pricing.py", "ledger/schema.py"),
}


def makes_events(file: Path) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node.func) in ("UsageEvent", "UsageEvent.from_json")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    )


def test_every_intake_screens_and_names_people_by_pseudonyms() -> None:
    found = {str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if makes_events(file)}
    assert found == {*INTAKES, *DERIVED}, "a module makes events: say in INTAKES which one screens what it takes"
    for screen in INTAKES.values():
        text = (SOURCE / screen).read_text(encoding="utf-8")
        assert re.search(r"screened(_fields|_event)?\(", text), screen
        assert "pseudonym" in text, screen
