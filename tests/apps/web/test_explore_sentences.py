"""The first lines over ledgers made for them: how much, than before, by whom, and what is not known."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from explored_ledger import NOW, client, filled, page

from mesure.record import UsageEvent, new_id

_MONTH_BEFORE = timedelta(days=31)


def _call(days: float = 1.0, **changes: Any) -> UsageEvent:
    facts: dict[str, Any] = {
        "id": new_id(),
        "started_at": NOW - timedelta(days=days),
        "provider": "openai",
        "model_requested": "gpt-4o",
        "input_tokens": 1000,
        "output_tokens": 200,
        "team": "A",
    }
    return UsageEvent(**facts | changes)


def _measured(**changes: Any) -> UsageEvent:
    reading = {"energy_j": 20.0, "energy_low_j": 18.0, "energy_high_j": 22.0, "energy_status": "measured"}
    return _call(provider="local", model_requested="gemma-3-270m", energy_scope="server", **reading | changes)


def _text(folder: Path, calls: list[UsageEvent], query: str = "", language: str = "en") -> str:
    return page(client(filled(folder, calls)), query, language).one("main").text.replace(" .", ".")


@pytest.mark.parametrize(
    ("now", "before", "english", "french"),
    [
        (
            3,
            2,
            "50% more than at the same point of October, for 50% more calls.",
            "50 % de plus qu’au même point d’oct",
        ),
        (
            2,
            4,
            "50% less than at the same point of October, for 50% fewer calls.",
            "50 % de moins qu’au même point d’o",
        ),
        (5, 2, "2.5 times as much as at the same point of October, for", "2,5 fois plus qu’au même point d’octobre"),
        (2, 2, "As much as at the same point of October, for as many calls.", "Autant qu’au même point d’octobre"),
        (
            2,
            0,
            "No call was recorded at the same point of October: nothing",
            "Aucun appel n’a été enregistré au même p",
        ),
    ],
)
def test_the_change_is_told(tmp_path: Path, now: int, before: int, english: str, french: str) -> None:
    """The same model in both: what is unknown of it cancels, and the ratio is exact."""
    calls = [_call(n) for n in range(1, now + 1)] + [_call(31 + n) for n in range(1, before + 1)]
    opened = client(filled(tmp_path, calls))
    for language, said in (("en", english), ("fr", french)):
        assert said in page(opened, "", language).one("main").text


def test_where_no_difference_can_be_told_it_says_so(tmp_path: Path) -> None:
    """As much energy at the middle, and another model: nobody knows."""
    calls = [_call(n) for n in range(1, 3)]
    calls += [_call(31 + n, model_requested="claude-sonnet-4-5", provider="anthropic") for n in range(1, 3)]
    text = _text(tmp_path, calls)
    assert "Neither more nor less than at the same point of October, as far as can be told, for as many calls." in text


def test_only_what_was_measured_was_used(tmp_path: Path) -> None:
    text = _text(tmp_path, [_measured(days=n) for n in (1, 2)])
    assert re.search(r"This month, your AI used [\d.]+ Wh", text)
    assert "measured" in text


def test_what_nobody_lists_has_no_price(tmp_path: Path) -> None:
    calls = [_call(provider="interne", model_requested="maison") for _ in range(2)]
    text = _text(tmp_path, calls, "?measure=money")
    assert "what your AI use cost is unknown: its models have no listed price." in text
    assert "2 calls have no figure and are not in this total." in text


def test_a_price_that_came_with_the_calls_is_what_they_cost(tmp_path: Path) -> None:
    text = _text(tmp_path, [_call(cost=1.5, cost_currency="EUR")], "?measure=money")
    assert "This month, your AI use cost 1.5 EUR." in text


def test_one_call_in_the_singular(tmp_path: Path) -> None:
    assert "This month, 1 call in all." in _text(tmp_path / "a", [_call()], "?measure=calls")
    text = _text(tmp_path / "b", [_call(), _call(provider="interne", model_requested="x", team="B")], "?measure=money")
    assert "1 call has no figure and is not in this total." in text


@pytest.mark.parametrize(
    ("teams", "said"), [(["A", "A", "B"], "Largest part: A, 67%."), (["A"] * 3, None), (list("ABCDE"), None)]
)
def test_who_weighs_most_is_named_where_somebody_does(tmp_path: Path, teams: list[str], said: str | None) -> None:
    text = _text(tmp_path, [_call(team=team) for team in teams]).replace(" ,", ",")
    assert ("Largest part" in text) == (said is not None)
    assert said is None or said in text


@pytest.mark.parametrize(
    ("query", "english", "french"),
    [
        ("?range=today", "Today, ", "Aujourd’hui, "),
        ("?range=7d", "Over the last 7 days, ", "Ces 7 derniers jours, "),
        ("", "This month, ", "Ce mois-ci, "),
        ("?range=last-month", "In October 2026, ", "En octobre 2026, "),
        ("?range=12m", "Over the last 12 months, ", "Ces 12 derniers mois, "),
        ("?from=2026-11-21&to=2026-11-21", "On 21 November 2026, ", "Le 21 novembre 2026, "),
        ("?from=2026-11-01&to=2026-11-21", "From 1 November 2026 to 21", "Du 1er novembre 2026 au 21 nov"),
        (
            "?range=7d&team=A&provider=openai",
            "Over the last 7 days, for A, openai, ",
            "Ces 7 derniers jours, pour A, o",
        ),
    ],
)
def test_the_period_begins_the_page(tmp_path: Path, query: str, english: str, french: str) -> None:
    opened = client(filled(tmp_path, [_call(0.01), _call(1), _call(30)]))
    for language, said in (("en", english), ("fr", french)):
        found = page(opened, query, language)
        assert found.one("h1").text.startswith(said)
        if not query.startswith("?from"):
            assert said.split(",")[0] in found.one("head").one("title").text


def test_a_period_that_is_over_is_not_left_on_since(tmp_path: Path) -> None:
    opened = client(filled(tmp_path, [_call(30)]))
    text = page(opened, "?range=last-month", "en").one("main").text
    assert "Left on all that time" in text
    assert "since" not in text
