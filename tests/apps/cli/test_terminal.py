"""What reaches a terminal: never a control character that somebody else chose, and a bar only where one can be seen."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mesure.apps.cli.voice import Voice, printable
from mesure.ledger import Ledger, import_events
from mesure.record import UsageEvent, new_id

from .conftest import Ran, Run

#: Our own: line ends, and French spaces that do not break.
_SPACES = "\n\u00a0\u202f"
_EVIL = "\x1b[31mred\x1b]0;title\x07\r\x9b2J\u202e"


@given(st.text(max_size=300), st.integers(4, 200))
@example("\x1b[31m" * 100, 60)
@example("é" * 61, 60)
@example("x" * 60, 60)
def test_printable_text_is_one_line_of_known_length(text: str, longest: int) -> None:
    shown = printable(text, longest)
    assert shown.isprintable()
    assert len(shown) <= longest
    if text.isprintable():
        assert shown == text if len(text) <= longest else shown == text[: longest - 3] + "..."


def _clean(ran: Ran) -> str:
    text = ran.out + ran.err
    assert all(character.isprintable() or character in _SPACES for character in text), repr(text)
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\r", "") + '"'


@pytest.fixture
def evil_file(tmp_path: Path) -> Path:
    path = tmp_path / "usage.csv"
    head, name = _quoted(f"col{_EVIL}"), _quoted(f"model{_EVIL}")
    path.write_text(f"timestamp,model,{head},input_tokens\n2026-11-02,{name},x,3\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize(
    "options",
    [("--dry-run",), ("--dry-run", "--set", f"team={_EVIL}"), ("--dry-run", "--cycle", f"team=a{_EVIL},b"), ()],
)
def test_a_file_s_own_words_are_escaped(mesure: Run, evil_file: Path, options: tuple[str, ...], language: str) -> None:
    text = _clean(mesure("import", evil_file, "--data", "d", *options, "--lang", language))
    assert "\\x1b[31mred" in text


def test_a_column_that_was_mapped_is_escaped_too(mesure: Run, evil_file: Path) -> None:
    column = f"col{_EVIL}".replace("\r", "")
    text = _clean(mesure("import", evil_file, "--data", "d", "--dry-run", "--map", f"team={column}"))
    assert "team" in text
    text = _clean(mesure("import", evil_file, "--data", "d", "--map", f"output_tokens={column}"))
    assert "\\x1b[31mred" in text  # the column of a refused cell


@pytest.mark.parametrize("command", ["estimate", "explain"])
def test_an_unlisted_name_is_escaped(mesure: Run, command: str) -> None:
    assert "\\x1b[31mred" in _clean(mesure(command, f"model{_EVIL}", "--input", 1)).splitlines()[0]


def test_a_name_that_a_caller_put_into_the_ledger_is_escaped(mesure: Run, tmp_path: Path) -> None:
    """Whoever may call the gateway chooses the model's name; whoever explains the event reads it in a terminal."""
    event = UsageEvent(
        id=new_id(), started_at=datetime(2026, 11, 2, tzinfo=UTC), model_requested=f"m{_EVIL}", input_tokens=1
    )
    import_events(Ledger(tmp_path / "d"), "test", [event])
    ran = mesure("explain", "--event", event.id, "--data", tmp_path / "d")
    assert ran.code == 0
    assert _clean(ran).startswith("m\\x1b[31mred")


@pytest.mark.parametrize(
    "arguments",
    [
        ("estimate", "gpt-4o", "--zone", _EVIL),
        ("estimate", "gpt-4o", "--at", _EVIL),
        ("catalogue", "show", _EVIL),
        ("catalogue", "diff", "packaged", _EVIL),
        ("ledger", "compare", "--data", _EVIL),
        ("import", f"{_EVIL}.csv"),
        (_EVIL,),
        ("up", f"--{_EVIL}"),
        ("doctor", "--config", _EVIL),
    ],
)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_errors_show_values_escaped(mesure: Run, arguments: tuple[str, ...], language: str) -> None:
    ran = mesure(*arguments, "--lang", language)
    assert ran.code in (1, 2)
    assert "\\x1b[31mred" in _clean(ran)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "json", "drawn"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_progress_is_drawn_for_a_person_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, json: bool, drawn: bool
) -> None:
    screen = _Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    with Voice("en", json=json).progress("Reading", 200) as reached:
        reached(50)
        reached(100)
        half = screen.getvalue()
        reached(200)
    assert ("Reading" in half and "50%" in half) is drawn
    assert ("100%" in screen.getvalue()) is drawn


def test_progress_takes_positions_not_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with Voice("fr").progress("Lecture", 100) as reached:
        for position in (30, 30, 60):
            reached(position)
        assert "60%" in screen.getvalue()
        assert "90%" not in screen.getvalue()
