"""Every text to translate that the code names, found in its syntax trees."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "mesure"

#: Methods and functions whose first argument is a text to translate; `n` takes a second, the plural.
_CALLS = frozenset({"t", "n", "rich", "mark"})


def used_msgids(folder: Path = SOURCE) -> dict[str, str]:
    """msgid -> file and line where it is used first."""
    found: dict[str, str] = {}
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _name(node.func) in _CALLS:
                for text in _texts(node.args[0]):
                    found.setdefault(text, f"{file.relative_to(folder)}:{node.lineno}")
    return found


def plural_pairs(folder: Path = SOURCE) -> set[tuple[str, str]]:
    """Both forms of every `n(...)`."""
    pairs = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func) == "n" and len(node.args) > 2:
                pairs.update(zip(_texts(node.args[0]), _texts(node.args[1]), strict=True))
    return pairs


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _texts(argument: ast.expr) -> list[str]:
    """Constant texts: the argument itself, or both branches of a conditional."""
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return [argument.value]
    if isinstance(argument, ast.IfExp):
        return _texts(argument.body) + _texts(argument.orelse)
    return []
