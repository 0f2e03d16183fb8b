"""`mesure ledger reconcile`: each report beside the calls seen, in both languages and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mesure.ledger import Ledger
from mesure.record import UsageEvent, derived_id

from .conftest import Run

DAY = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> None:
    def event(number: int, **fields: object) -> UsageEvent:
        given = {"id": derived_id(number, "x"), "started_at": DAY + timedelta(hours=9, seconds=number)}
        tokens = {"provider": "openai", "model_requested": "gpt-4o", "input_tokens": 100, "output_tokens": 20}
        return UsageEvent(**given | tokens | fields)  # type: ignore[arg-type]

    whole = {"basis": "exported", "source": "import", "started_at": DAY, "ended_at": DAY + timedelta(days=1)}
    response = {"response_id": "chatcmpl-0123456789abcdef"}
    Ledger(tmp_path / "d").append(
        [
            event(1, **response),
            event(2, source="hook", use_case="reply", **response),
            event(3),
            event(4, calls_count=5, input_tokens=500, output_tokens=100, **whole),
            event(5, calls_count=9, basis="declared", source="profile", provider="acme", model_requested=None),
        ],
        {},
    )


@pytest.mark.usefixtures("ledger")
def test_the_command_tells_each_report(mesure: Run) -> None:
    period = ("--since", "2026-11-20", "--until", "2026-11-20", "--data", "d")
    found = mesure("ledger", "reconcile", *period, "--json").data
    assert (found["several"], found["unseen"]["calls"], found["declared"]["calls"]) == (1, 3, 9)
    assert [(row["provider"], row["reported_calls"], row["seen_calls"]) for row in found["rows"]] == [
        ("openai", 5, 2),
        ("acme", 9, 0),
    ]
    english = mesure("ledger", "reconcile", *period, "--lang", "en").out
    assert "openai gpt-4o: 5 reported, 2 seen, 3 not seen, 0 seen beyond" in english
    assert "acme all models, declared: 9 declared, 0 seen, 9 not seen" in english
    assert "1 call seen by several sources, counted once" in english
    french = mesure("ledger", "reconcile", *period, "--lang", "fr").out
    assert "5 rapportés, 2 vus, 3 non vus, 0 vus en plus" in french.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.usefixtures("ledger")
def test_a_period_without_reports_says_so_and_a_folder_without_ledger_too(mesure: Run) -> None:
    quiet = mesure(
        "ledger", "reconcile", "--since", "2026-01-01", "--until", "2026-01-02", "--data", "d", "--lang", "en"
    )
    assert "Nothing is reported or declared in this period" in quiet.out
    none = mesure("ledger", "reconcile", "--data", "nowhere", "--lang", "en")
    assert none.code != 0
    assert "There is no ledger in this folder yet" in none.out + none.err
