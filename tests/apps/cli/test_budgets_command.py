"""`mesure budgets`: set, listed, shown with a gauge and a forecast, in both languages; 3 when a hard one is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mesure.ledger import Ledger
from mesure.record import UsageEvent, new_id
from shapes import Maybe, Several, mismatches

from .conftest import Run

PROGRESS = {
    "name": str,
    "unit": str,
    "limit": float,
    "mode": {"inform", "hard"},
    "scope": dict,
    "period": {"name": str, "start": str, "end": str},
    "thresholds": Several(float),
    "spent": float,
    "share": float,
    "calls": int,
    "unknown_calls": int,
    "exceeded": bool,
    "outlook": {"within", "may_be", "will_be", "over"},
    "pinned": {"method": str, "catalogue": str},
    "restated": Maybe(float),
    "foreseen": Maybe({"low": float, "mid": float, "high": float}),
    "overrun": {"early": Maybe(str), "middle": Maybe(str), "late": Maybe(str)},
    "history": int,
    "at": str,
}
LISTED = {
    "name": str,
    "limit": float,
    "unit": str,
    "period": str,
    "mode": {"inform", "hard"},
    "scope": dict,
    "thresholds": Several(float),
    "origin": {"file", "store"},
}


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Forty days of use, six calls a day, in the data folder `d`."""
    now = datetime.now(UTC)
    events = [
        UsageEvent(
            id=new_id(),
            started_at=now - timedelta(days=day, minutes=1 + number),
            provider="openai",
            model_requested="gpt-4o",
            team="support",
            host_zone="FRA",
            input_tokens=1000,
            output_tokens=400,
        )
        for day in range(40)
        for number in range(6)
    ]
    Ledger(tmp_path / "d").append(events, {"test": 1})
    return tmp_path / "d"


def shown(mesure: Run, *options: object) -> dict[str, Any]:
    data = mesure("budgets", "show", "--data", "d", "--json", *options).data
    assert mismatches(data, {"budgets": Several(PROGRESS)}) == []
    return {budget["name"]: budget for budget in data["budgets"]}


def test_without_a_budget_it_says_how_to_make_one(mesure: Run) -> None:
    ran = mesure("budgets", "show", "--data", "d", "--lang", "en")
    assert ran.code == 0
    assert "mesure budgets set" in ran.out
    assert mesure("budgets", "show", "--data", "d", "--json").data == {"budgets": []}


@pytest.mark.usefixtures("used")
def test_a_budget_is_set_shown_and_deleted(mesure: Run) -> None:
    ran = mesure("budgets", "set", "équipe", "--limit", 5000, "--unit", "calls", "--team", "support", "--data", "d")
    assert ran.code == 0
    budget = shown(mesure)["équipe"]
    assert budget["scope"] == {"team": "support"}
    assert 6 <= budget["spent"] <= 6 * 31
    assert budget["outlook"] == "within"
    assert list(shown(mesure, "équipe")) == ["équipe"]
    listed = mesure("budgets", "list", "--data", "d", "--json").data
    assert mismatches(listed, {"budgets": Several(LISTED, least=1)}) == []
    assert listed["budgets"][0]["origin"] == "store"
    assert mesure("budgets", "delete", "équipe", "--data", "d").code == 0
    assert shown(mesure) == {}


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("language", "said"),
    [("en", ("Foreseen by", "within the limit", "of")), ("fr", ("Prévu au", "dans la limite", "sur"))],
)
def test_a_gauge_and_a_forecast_in_both_languages(mesure: Run, language: str, said: tuple[str, ...]) -> None:
    Path("mesure.toml").write_text('[budgets.all]\nlimit = 900000\nunit = "calls"\nperiod = "year"\n')
    ran = mesure("budgets", "show", "--data", "d", "--lang", language)
    assert ran.code == 0
    assert "░" * 30 in ran.out
    for words in said:
        assert words in ran.out
    assert mesure("budgets", "list", "--data", "d", "--lang", language).out.count("mesure.toml") == 1


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(("mode", "code"), [("hard", 3), ("inform", 0)])
def test_the_exit_code_is_3_when_a_hard_budget_is_exceeded(mesure: Run, mode: str, code: int) -> None:
    Path("mesure.toml").write_text(f'[budgets.small]\nlimit = 2\nunit = "calls"\nmode = "{mode}"\n')
    ran = mesure("budgets", "show", "--data", "d", "--lang", "en")
    assert ran.code == code
    assert "over the limit" in ran.out
    assert "█" * 30 in ran.out


@pytest.mark.usefixtures("used")
def test_the_file_goes_before_the_store(mesure: Run) -> None:
    Path("mesure.toml").write_text('[budgets.all]\nlimit = 7000\nunit = "calls"\n')
    ran = mesure("budgets", "set", "all", "--limit", 5, "--unit", "calls", "--data", "d", "--lang", "en")
    assert "goes before it" in ran.err
    assert shown(mesure)["all"]["limit"] == 7000.0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "nobody"), 1, "No budget has this name"),
        (("set", "x", "--limit", 0), 1, "above 0"),
        (("set", "x", "--limit", 5, "--unit", "euros"), 1, "cannot be in this unit"),
        (("set", "x"), 2, "missing"),
        (("delete", "x"), 1, "No budget of the state store"),
    ],
)
def test_what_cannot_be_is_said(mesure: Run, arguments: tuple[object, ...], code: int, said: str) -> None:
    mesure("budgets", "set", "other", "--limit", 5, "--data", "d")
    ran = mesure("budgets", *arguments, "--data", "d", "--lang", "en")
    assert ran.code == code
    assert said in ran.err
