"""`mesure declare`: booked once as declared, replaced when said again otherwise, taken out when asked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesure.config import load_settings
from mesure.ledger import Ledger, View

from .conftest import Run
from .imports_shown import rows_of

ASKED = (
    *("--product", "microsoft-365-copilot", "--seats", 40, "--active-days", 20, "--prompts-per-day", 5),
    *("--since", "2026-10-01", "--until", "2026-11-30", "--team", "Sales", "--data", "d"),
)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "4,000 prompts declared, 2 months."), ("fr", "4\u202f000 requêtes déclarées, 2 mois.")],
)
def test_a_profile_is_booked_once_and_stays_declared(mesure: Run, language: str, words: str) -> None:
    ran = mesure("declare", "office", *ASKED, "--lang", language)
    assert (ran.code, ran.out) == (0, f"office: {words}\n")
    assert "(" in mesure("declare", "office", *ASKED, "--lang", language).out
    assert sorted(rows_of(Path("d"), "basis, source, team, calls_count")) == [
        ("declared", "profile", "Sales", 1967),
        ("declared", "profile", "Sales", 2033),
    ]


def test_said_again_otherwise_it_replaces_what_it_said(mesure: Run) -> None:
    mesure("declare", "office", *ASKED)
    ran = mesure("declare", "office", *ASKED, "--seats", 80, "--json")
    assert (ran.data["profiles"]["office"]["added"], ran.data["profiles"]["office"]["removed"]) == (2, 2)
    assert rows_of(Path("d"), "sum(calls_count), count(*)") == [(8000, 2)]
    assert mesure("declare", "office", "--remove", "--data", "d", "--json").data == {"removed": 2}
    assert Ledger(Path("d")).count() == 0
    assert mesure("declare", "office", *ASKED, "--json").data["profiles"]["office"]["added"] == 2


def test_profiles_of_the_file_are_booked_together(mesure: Run) -> None:
    Path("mesure.toml").write_text(
        '[profiles.bot]\nproduct = "voicebot"\nseats = 2\nactive_days = 30\nminutes_per_day = 10.0\n'
        'since = "2026-11-01"\nuntil = "2026-11-30"\n\n'
        '[profiles.chat]\nproduct = "assistant"\nseats = 3\nactive_days = 10\nprompts_per_day = 2.0\n'
        'since = "2026-11-01"\nuntil = "2026-11-30"\n'
    )
    ran = mesure("declare", "--data", "d")
    assert ran.code == 0
    assert "bot: 0 prompts declared, 600 minutes of talk, 1 month." in ran.out
    assert sorted(rows_of(Path("d"), "model_requested, calls_count, audio_seconds")) == [
        ("assistant", 60, None),
        ("voicebot", 0, 36_000.0),
    ]


def test_a_preview_writes_nothing(mesure: Run) -> None:
    data = mesure("declare", "office", *ASKED, "--dry-run", "--json").data
    assert data["profiles"]["office"]["prompts"] == 4000
    assert len(data["profiles"]["office"]["months"]) == 2
    assert not (Path("d") / "ledger").exists()


def test_nothing_declared_and_nothing_named(mesure: Run) -> None:
    assert "No profile is declared" in mesure("declare").out
    assert mesure("declare", "--remove").code == 2
    assert mesure("declare", "x", *ASKED, "--product", "nothing").code == 1


def test_what_is_declared_is_a_line_of_its_own_in_totals(mesure: Run, usage: Path) -> None:
    mesure("declare", "office", *ASKED)
    mesure("import", usage, "--data", "d")
    view = View(Ledger(Path("d")), None, load_settings())
    since, until = datetime(2026, 9, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    found = {group.key[0]: group for group in view.totals(since, until, ("basis",))}
    assert {basis: group.calls for basis, group in found.items()} == {"declared": 4000, "exported": 2}
    assert found["declared"].tokens == 0  # nobody counted them
    assert found["declared"].energy_wh.mid > found["exported"].energy_wh.mid
    assert "stack.prompt-microsoft-365-copilot.output.2026" in found["declared"].energy_wh.sources
