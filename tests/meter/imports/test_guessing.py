"""Columns that nobody knows: guessed by words and values, with doubts said, and nobody's name among them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mesure.meter.imports import (
    Conventions,
    ImportPlan,
    TableFile,
    guesses,
    habits_of,
    likely,
    propose,
    read_events,
    review,
)
from mesure.meter.imports.guessing import LIKELY

Write = Callable[..., Path]

FRENCH = (
    "Date de l'échange;Modèle utilisé;Nb jetons en entrée;Nb jetons de sortie;Pôle;Coût (€);Agent\n"
    "22/11/2026 08:30;gpt-4o;1 200;340;Réclamations;0,12;Jeanne Martin\n"
    "23/11/2026 09:00;mistral-large-latest;80;12;Sinistres;0,01;Paul Durand\n"
    "24/11/2026 09:05;gpt-4o;90;7;Réclamations;0,01;Zoé Petit\n"
)
ENGLISH = (
    "when started,LLM engine,tokens in,tokens out,Business dept: department,number of requests\n"
    "2026-11-22 08:30,gpt-4o,100,20,Sales,1\n"
    "2026-11-22 08:31,gpt-4o,90,30,Legal,2\n"
)


def guessed(file: TableFile) -> dict[str, Any]:
    habits = habits_of(file)
    conventions = Conventions(decimal=habits.decimal or "point", dates=habits.dates or "iso")
    return {guess.field: guess for guess in guesses(file, conventions, file.proposal)}


def test_a_french_table_is_read_from_its_words_and_values(write: Write) -> None:
    file = TableFile.open(write("a.csv", "\ufeff" + FRENCH))
    assert propose(file.columns) == {}
    found = guessed(file)
    assert {name: guess.column for name, guess in found.items()} == {
        "started_at": "Date de l'échange",
        "model_requested": "Modèle utilisé",
        "input_tokens": "Nb jetons en entrée",
        "output_tokens": "Nb jetons de sortie",
        "team": "Pôle",
        "cost": "Coût (€)",
    }
    assert found["team"].examples == ("Réclamations", "Sinistres")
    habits = habits_of(file)
    assert (habits.dates, habits.decimal, habits.month_first) == ("french", "comma", False)
    plan = ImportPlan.make(
        file,
        pseudonym=str,
        mapping=likely(found.values()),
        conventions=Conventions(dates="french", decimal="comma"),
    )
    first, *_ = read_events(file, plan, review(file, plan))
    assert (first.input_tokens, first.output_tokens, first.team, first.model_requested) == (
        1200,
        340,
        "Réclamations",
        "gpt-4o",
    )


def test_an_english_table_too(write: Write) -> None:
    found = guessed(TableFile.open(write("a.csv", ENGLISH)))
    assert {name: guess.column for name, guess in found.items() if guess.confidence >= LIKELY} == {
        "started_at": "when started",
        "model_requested": "LLM engine",
        "input_tokens": "tokens in",
        "output_tokens": "tokens out",
        "team": "Business dept: department",
        "calls_count": "number of requests",
    }


def test_a_column_of_models_is_known_by_its_values(write: Write) -> None:
    file = TableFile.open(write("a.csv", "moment,machin\n2026-11-22,gpt-4o\n2026-11-22,mistral-large-latest\n"))
    assert guessed(file)["model_requested"].column == "machin"


def test_two_that_would_do_contest_each_other_and_neither_is_taken(write: Write) -> None:
    text = "date envoi,date retour,jetons lus entrée\n2026-11-22,2026-11-23,3\n2026-11-22,2026-11-23,3\n"
    found = guessed(TableFile.open(write("a.csv", text)))
    assert found["started_at"].rivals == ("date retour",)
    assert "started_at" not in likely(found.values())


def test_values_that_do_not_fit_lower_a_guess(write: Write) -> None:
    good = "jetons en entrée total,x\n" + "5,a\n" * 10
    bad = "jetons en entrée total,x\n" + "5,a\nmany,b\n" * 5
    scores = [guessed(TableFile.open(write(f"{i}.csv", text))) for i, text in enumerate((good, bad))]
    assert scores[0]["input_tokens"].confidence >= LIKELY
    assert "input_tokens" not in scores[1] or scores[1]["input_tokens"].confidence < LIKELY


@pytest.mark.parametrize(
    ("cells", "dates", "month_first"),
    [
        (["22/11/2026", "01/02/2026"], "french", False),
        (["01/02/2026", "03/04/2026"], None, False),
        (["11/22/2026"], None, True),
        (["2026-11-22"], None, False),
        (["22.11.2026 à 08h30"], "french", False),
    ],
)
def test_dates_are_french_when_a_day_proves_it(
    write: Write, cells: list[str], dates: str | None, month_first: bool
) -> None:
    habits = habits_of(TableFile.open(write("a.csv", "d;n\n" + "".join(f"{cell};1\n" for cell in cells))))
    assert (habits.dates, habits.month_first) == (dates, month_first)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters=';\r\n"\0'), min_size=1, max_size=12), max_size=6),
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters=';\r\n"\0'), max_size=8), max_size=6),
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_is_guessed_at_without_harm(tmp_path: Path, names: list[str], cells: list[str]) -> None:
    columns = [f"c{i} {name.strip()}" for i, name in enumerate(names)] or ["c"]
    path = tmp_path / "any.csv"
    row = ";".join((cells + [""] * len(columns))[: len(columns)])
    path.write_text(";".join(columns) + "\n" + row + "\n" + row + "\n", encoding="utf-8")
    file = TableFile.open(path, delimiter=";")
    found = guesses(file, Conventions(), file.proposal)
    assert all(0.0 < guess.confidence <= 1.0 and guess.column in file.columns for guess in found)
    assert len({guess.column for guess in found}) == len(found) == len({guess.field for guess in found})
    assert not {guess.field for guess in found} & {"user", "contact_id", "conversation_id"}
