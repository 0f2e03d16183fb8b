"""Errors of lower rooms are told in French too: every sentence they can say is foreseen."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mesure import errors
from mesure.apps.sentences import _PLAIN, _WITH_VALUES, foreseen, in_language, told
from mesure.i18n import catalog

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mesure"
#: Rooms whose errors reach the command line. Those about a program's own calls or packaged files do not.
ROOMS = (
    "apps/cli",
    "apps/agent.py",
    "apps/otlp/grpc_door.py",
    "apps/server.py",
    "apps/web/explore",
    "catalogue",
    "config",
    "content",
    "ledger",
    "meter/imports",
    "meter/pseudonyms.py",
    "meter/sensors",
    "record",
    "impact",
    "policy",
    "state",
)
FOR_PROGRAMMERS = {
    "An event needs an id and started_at",
    "Give both",
    "labels must be a table of texts",
    "Write numbers as text",
    "Totals cannot be split by this",
    "Use model, day, month, hour, or a column of the record",
    "Spark could not read the ledger: 7",
    "Check that every executor finds the data folder at the same path, with its files readable",
}
_KINDS = {name for name in dir(errors) if isinstance(getattr(errors, name), type)} | {"SensorUnavailable"}


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
        ("Only an active key can be rotated, and this one is revoked", "celle-ci est révoquée"),
        ("The state store cannot be used: connection refused", "La base d’état ne peut pas être utilisée"),
        ("Something nobody foresaw", "Something nobody foresaw"),
    ],
)
def test_in_french(english: str, french: str) -> None:
    assert french in in_language(english, catalog("fr"))
    assert in_language(english, catalog("en")) == english


def test_values_that_are_names_are_not_translated() -> None:
    assert "« test »" not in in_language("providers.test has no base_url", catalog("fr"))
    assert "providers.test" in in_language("providers.test has no base_url", catalog("fr"))


_WORDS = {"kind": "a number", "mark": "comma", "done": "read", "reason": "gone"}


@pytest.mark.parametrize("pattern", _WITH_VALUES)
def test_a_sentence_is_found_again_by_its_own_pattern(pattern: str) -> None:
    """A more general one must not take it: "{name} must be {kind}" fits many."""
    t = catalog("fr")
    names = re.findall(r"{(\w+)}", pattern)
    values = {name: _WORDS.get(name, f"x{i}") for i, name in enumerate(names)}
    shown = {name: t.t(value) if name in _WORDS else value for name, value in values.items()}
    english = pattern.format(**values)
    for end in ("", "."):
        assert in_language(english + end, t) == t.t(pattern, **shown)
        assert in_language(english + end, catalog("en")) == english + end
    assert foreseen(english)
    assert in_language(english, t) != english


@pytest.mark.parametrize("text", _PLAIN)
def test_a_plain_sentence_has_its_french(text: str) -> None:
    t = catalog("fr")
    assert in_language(text + ".", t) == t.t(text)
    assert foreseen(text)
    assert foreseen(text + ".")


@pytest.mark.parametrize("value", ["a b", "line\nline", "{x}", "«»", "100 %", "é"])
def test_values_pass_through_whole(value: str) -> None:
    assert value in in_language(f"providers.{value} has no base_url", catalog("fr"))


def test_what_nobody_foresaw_is_not_foreseen() -> None:
    assert not foreseen("Something nobody foresaw")
    assert not foreseen("")


@pytest.mark.parametrize("language", ["fr", "en"])
def test_an_error_told_in_one_line_has_its_parts_in_order(language: str) -> None:
    error = errors.UnknownName("There is no such method", value="m", nearest=("a", "b"), action="Use one of: a, b")
    t = catalog(language).t
    parts = [in_language("There is no such method", catalog(language)), f"{t('Value:')} m", f"{t('Nearest:')} a, b"]
    assert told(error, catalog(language)).startswith(". ".join(parts) + ". ")
    bare = errors.MesureError("The row has no time.", action="Correct it.")
    assert told(bare, catalog("en")) == "The row has no time. Correct it."
