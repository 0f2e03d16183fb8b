"""Every alert in both languages, with its numbers, its action and its link."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mesure.apps.notices import ACTION_WORDS, SEVERITY_WORDS, STATE_WORDS, TITLES, Words, amount_text, scope_text
from mesure.config import AlertSettings, Settings
from mesure.i18n import catalog
from mesure.policy.outbox import Message
from mesure.policy.rules import ACTIONS, CODES, SEVERITIES, Alert

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
BUDGET = {
    "limit": 10.0, "unit": "kWh", "spent": 8.2, "share": 0.82, "period": "month", "start": "2026-10-31T23:00:00+00:00",
    "end": "2026-11-30T23:00:00+00:00", "hard": False, "unknown_calls": 3, "threshold": 0.8,
}  # fmt: skip
FORECAST = BUDGET | {
    "low": 9.0, "mid": 11.0, "high": 14.0, "early": "2026-11-24", "middle": "2026-11-27", "late": None,
}  # fmt: skip
SUPPORT = {"team": "support", "use_case": "réponses & plus"}
ALERTS = {
    "budget_threshold": ({"budget": "équipe"} | SUPPORT, BUDGET),
    "budget_exceeded": ({"budget": "équipe"}, BUDGET),
    "budget_forecast": ({"budget": "équipe"}, FORECAST),
    "volume_anomaly": (SUPPORT, {"day": "2026-11-21", "calls": 2400.0, "low": 400.0, "mid": 500.0, "high": 600.0}),
    "rebound": (SUPPORT, {"unit": 0.78, "volume": 2.0, "total": 1.56, "energy_wh": 1400.0}),
    "oversized_model": (
        SUPPORT | {"model": "gpt-4o"},
        {"calls": 900, "energy_wh": 90.0, "mean_input": 300.0, "mean_output": 12.0, "active_b": 44.0, "task": None},
    ),
    "repeated_calls": (SUPPORT, {"calls": 1000, "repeated": 400, "share": 0.4}),
    "experiments_heavy": ({}, {"calls": 900, "energy_wh": 90.0, "share": 0.3}),
    "experiments_in_production": (SUPPORT, {"calls": 900, "energy_wh": 90.0}),
    "failing_calls": (SUPPORT, {"calls": 900, "failed": 400, "share": 0.44}),
    "unknown_model": ({"provider": "own", "model": "house-1"}, {"calls": 900, "energy_wh": 90.0}),
    "coverage_drop": ({}, {"share": 0.5, "before": 0.99}),
    "meter_silent": ({}, {"hours": 5, "usual_calls": 40.0, "since": "2026-11-22T09:00:00+00:00"}),
}
WORDS = Words(Settings(alerts=AlertSettings(link="https://mesure.example.org/")))


def alert_of(code):
    scope, facts = ALERTS[code]
    return Alert(code=code, severity="warning", key=code, scope=scope, facts=facts)


def test_every_code_has_its_words():
    assert set(ALERTS) == set(CODES)
    assert set(TITLES) == {*CODES, "test"}
    assert set(ACTION_WORDS) == {*ACTIONS.values(), "nothing"}
    assert set(SEVERITY_WORDS) == set(SEVERITIES)
    assert set(STATE_WORDS) == {"open", "snoozed", "resolved"}


@pytest.mark.parametrize("code", CODES)
def test_an_alert_is_told_in_both_languages(code):
    french, english = (WORDS.notice(alert_of(code), language) for language in ("fr", "en"))
    assert french.title != english.title
    assert french.text != english.text
    assert french.action != english.action
    assert (french.language, english.language) == ("fr", "en")
    assert french.action.startswith("À faire")
    assert english.action.startswith("What to do")
    assert len(french.figures) == len(english.figures) >= 1
    for notice in (french, english):
        whole = " ".join([notice.title, notice.text, notice.action, *(f"{n} {v}" for n, v in notice.figures)])
        assert "{" not in whole
        assert "None" not in whole
        assert notice.link.startswith("https://mesure.example.org/")


def test_the_numbers_of_a_budget():
    figures = dict(WORDS.notice(alert_of("budget_forecast"), "en").figures)
    assert figures["Spent"] == "8.2\u202fkWh"
    assert figures["Limit"] == "10\u202fkWh / month"
    assert figures["Foreseen"] == "11\u202fkWh [9\u202fkWh – 14\u202fkWh]"
    assert figures["Limit reached on"] == "27 November [24 November – not in this period]"
    assert figures["Calls without a figure, not counted"] == "3"
    french = WORDS.notice(alert_of("budget_threshold"), "fr")
    assert french.title == "Budget équipe\u00a0: 82\u202f% de la limite est utilisé"
    assert dict(french.figures)["Dépensé"] == "8,2\u202fkWh"


def test_links_lead_to_what_the_alert_is_about():
    assert WORDS.notice(alert_of("rebound"), "fr").link == (
        "https://mesure.example.org/?team=support&use_case=r%C3%A9ponses+%26+plus"
    )
    assert WORDS.notice(alert_of("coverage_drop"), "fr").link == "https://mesure.example.org/"
    assert Words(Settings()).notice(alert_of("rebound"), "fr").link == ""
    assert Words(Settings(), "http://127.0.0.1:8420").notice(alert_of("coverage_drop"), "fr").link == (
        "http://127.0.0.1:8420/"
    )


def message_of(kind, body):
    return Message(
        id="m", alert_id="a", receiver="r", kind=kind, body=body, created_at=AT, attempts=1, next_at=AT, sent_at=None,
        dead_at=None, last_error=None,
    )  # fmt: skip


def test_messages_are_rendered_from_what_was_written_down():
    alert = alert_of("failing_calls")
    assert WORDS(message_of("new", alert.to_json()), "en") == WORDS.notice(alert, "en")
    test = WORDS(message_of("test", {}), "fr")
    assert test.title == "Ceci est un message d’essai"
    assert test.severity == "info"


@pytest.mark.parametrize(
    ("value", "unit", "french"),
    [
        (0.0123, "kWh", "12,3\u202fWh"),
        (1234.0, "kgCO2eq", "1,23\u202ft CO₂e"),
        (2.5, "L", "2,5\u202fL"),
        (1.0, "calls", "1 appel"),
        (12345.0, "calls", "12\u202f345 appels"),
        (1234.5, "EUR", "1\u202f234,50 EUR"),
    ],
)
def test_amounts_in_their_units(value, unit, french):
    assert amount_text(value, unit, catalog("fr")).replace("\u00a0", " ") == french


def test_scopes_are_named_from_the_widest_on():
    assert scope_text({"model": "m", "team": "t", "organisation": "o", "budget": "b"}) == "o · t · m"
    assert scope_text({}) == ""
