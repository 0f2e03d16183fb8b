"""The register entry, the works-council note and the security sheet: equal in both languages, true of the code."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from mesure.apps.cli.group import COMMANDS
from mesure.apps.events_door import EVENTS_PATH
from mesure.apps.otlp import PATHS
from mesure.config import Settings
from mesure.ledger.cut import DIMENSIONS
from mesure.record import ALLOWED, FILES

DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = ("register.md", "works-council.md", "security.md")
BOTH = [(language, name) for language in ("fr", "en") for name in NAMES]


def text_of(language: str, name: str) -> str:
    return (DOCS / language / name).read_text(encoding="utf-8")


def settings() -> dict[str, Any]:
    """`section.name` -> default; tables named by the user as `section.<name>`."""
    found: dict[str, Any] = {}
    for section, hint in get_type_hints(Settings).items():
        kind, prefix = (hint, section) if is_dataclass(hint) else (None, "")
        if get_origin(hint) is dict:
            kind, prefix = get_args(hint)[1], f"{section}.<>"
        for field in fields(kind) if kind is not None else ():  # type: ignore[arg-type]
            found[f"{prefix}.{field.name}"] = [] if field.default is MISSING else field.default
    return found


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def test_both_languages_have_the_same_documents() -> None:
    assert (
        {path.name for path in (DOCS / "fr").glob("*.md")}
        == {path.name for path in (DOCS / "en").glob("*.md")}
        == set(NAMES)
    )


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_say_as_much(name: str) -> None:
    french, english = text_of("fr", name), text_of("en", name)
    for count in (
        lambda text: [len(line) - len(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")],
        lambda text: [line.count("|") for line in text.splitlines() if line.startswith("|")],
        lambda text: sum(line.startswith("- ") for line in text.splitlines()),
        partial(re.findall, r"\d+"),
        partial(re.findall, r"`(?:mesure [a-z ]+|[a-z_]+\.[a-z_]+|[a-z]+\.key|x-mesure-\w+|MESURE_\w+)"),
    ):
        assert count(french) == count(english)


@pytest.mark.parametrize(("language", "name"), BOTH)
def test_every_setting_named_exists_and_its_default_is_the_one_said(language: str, name: str) -> None:
    text, known = text_of(language, name), settings()
    sections = {key.partition(".")[0] for key in known}
    files = ("state.sqlite", "content.sqlite", "content.key")
    for word in quoted(text):
        plain = re.sub(r"<[^>]*>", "<>", word)
        is_setting = plain.partition(".")[0] in sections and re.fullmatch(r"[a-z_]+(\.<>)?\.[a-z_]+", plain)
        assert not is_setting or plain in known or plain in files, word
    assert [word for word in quoted(text) if word in known]
    said = re.findall(r"`([a-z_]+\.[a-z_]+)` = `?([\w.]+)`?", text)
    for setting, value in said:
        if setting == "gateway.keys":
            assert value == "required"
        else:
            assert (
                f"{known[setting]:g}" == value
                if not isinstance(known[setting], str)
                else known[setting] == value.rstrip(".")
            )
    assert len(said) >= (4 if name == "register.md" else 2 if name == "security.md" else 0)
    if name == "register.md":
        assert f"`days` = {known['content.<>.days']} " in text


@pytest.mark.parametrize(("language", "name"), BOTH)
def test_every_command_named_exists(language: str, name: str) -> None:
    import click

    from mesure.apps.cli.group import main  # noqa: F401  (the commands are loaded through it)

    for words in re.findall(r"`mesure ([a-z]+)(?: ([a-z]+))?", text_of(language, name)):
        assert words[0] in COMMANDS
        if words[1]:
            from importlib import import_module

            group = import_module(COMMANDS[words[0]][0]).command
            assert isinstance(group, click.Group)
            assert words[1] in group.commands


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_register_names_every_column_that_may_say_something_of_somebody(language: str) -> None:
    table = quoted(text_of(language, "register.md"))
    personal = {entry.name for entry in ALLOWED["ledger"] if entry.kind != "none"}
    assert personal <= set(table), personal - set(table)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_security_sheet_names_every_file_and_door(language: str) -> None:
    text = text_of(language, "security.md")
    inner = ("spool/*.spool.damaged", "spool/*.opening", "spool/committer.lock", "catalogue.toml", "catalogue.csv")
    for pattern in FILES:
        assert f"`{pattern}`" in text or pattern in inner, pattern
    for path in (EVENTS_PATH, *(path for path in PATHS if not path.startswith("/otlp"))):
        assert f"`{path}`" in text


def test_no_view_is_by_person() -> None:
    """What the works-council note promises."""
    assert not {"user", "contact_id", "conversation_id"} & set(DIMENSIONS)
