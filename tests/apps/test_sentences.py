"""Errors of lower rooms are told in French too: every sentence they can say is foreseen."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesure import errors
from mesure.apps.sentences import foreseen, in_language
from mesure.i18n import catalog

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mesure"
#: Rooms whose errors reach the command line. Those about a program's own calls or packaged files do not.
ROOMS = ("apps/cli", "apps/server.py", "catalogue", "config", "ledger", "meter/imports", "record", "impact")
FOR_PROGRAMMERS = {
    "An event needs an id and started_at",
    "Give both",
    "labels must be a table of texts",
    "Write numbers as text",
    "Totals cannot be split by this",
    "Use model, day, month, hour, or a column of the record",
}
_KINDS = {name for name in dir(errors) if isinstance(getattr(errors, name), type)}


def _text(node: ast.expr) -> str | None:
    """A sentence with 7 in place of its values; None when it is made elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    return None


def sentences() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        place = SOURCE / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _KINDS:
                    said = [*node.args[:1], *(k.value for k in node.keywords if k.arg in ("what", "action"))]
                    yield from ((str(file.relative_to(SOURCE)), text) for text in map(_text, said) if text)


def test_every_sentence_is_foreseen() -> None:
    found = [(file, text) for file, text in sentences() if text.rstrip(".") not in FOR_PROGRAMMERS]
    assert len(found) > 80
    assert [(file, text) for file, text in found if not foreseen(text)] == []


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("The port is already in use", "Le port est déjà utilisé"),
        ("Correct its value.", "Corrigez sa valeur"),
        ("server.port must be a whole number", "il faut un nombre entier"),
        ("This number is written with a comma, and could be read in two ways", "virgule"),
        ("Say --decimal comma, or write numbers without thousands marks.", "--decimal comma"),
        ("This must be a whole number", "Il faut un nombre entier"),
        ("This must be true or false", "Il faut vrai ou faux"),
        ("The row has 3 cells where the header has 4", "3 cellules là où l’en-tête en a 4"),
        ("Something nobody foresaw", "Something nobody foresaw"),
    ],
)
def test_in_french(english: str, french: str) -> None:
    assert french in in_language(english, catalog("fr"))
    assert in_language(english, catalog("en")) == english


def test_values_that_are_names_are_not_translated() -> None:
    assert "« test »" not in in_language("providers.test has no base_url", catalog("fr"))
    assert "providers.test" in in_language("providers.test has no base_url", catalog("fr"))
