"""`mesure alerts`: listed with what to do, snoozed, tested against a real receiver, in both languages."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesure.config import ReceiverSettings, ServerSettings, Settings
from mesure.policy.alerts import AlertBook
from mesure.policy.outbox import Outbox
from mesure.policy.rules import Alert
from mesure.state import open_store
from shapes import Maybe, Several, mismatches

from .conftest import Run

_FILE = Path(__file__).resolve().parents[2] / "policy" / "receiving.py"
ALERT = Alert(
    code="repeated_calls",
    severity="info",
    key="repeated_calls:team=support:2026-11",
    scope={"team": "support"},
    facts={"calls": 1000, "repeated": 400, "share": 0.4},
)
LISTED = {
    "code": str,
    "severity": {"info", "warning", "serious"},
    "key": str,
    "scope": dict,
    "facts": dict,
    "action": str,
    "id": str,
    "state": {"open", "snoozed", "resolved"},
    "opened_at": str,
    "seen_at": str,
    "resolved_at": Maybe(str),
    "snoozed_until": Maybe(str),
}
MESSAGE = {
    "id": str,
    "receiver": str,
    "kind": str,
    "state": {"sent", "waiting", "dead"},
    "attempts": int,
    "created_at": str,
    "sent_at": Maybe(str),
    "last_error": Maybe(str),
}


@pytest.fixture
def web() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("receiving", _FILE)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("receiving", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    server = module.WebhookServer()
    yield server
    server.stop()


@pytest.fixture
def alerted(tmp_path: Path) -> str:
    """The id of an open alert in the data folder `d`."""
    store = open_store(Settings(server=ServerSettings(data=str(tmp_path / "d"))))
    [kept] = AlertBook(store).record([ALERT], {"repeated_calls"}, {})
    store.close()
    return kept.id


def listed(mesure: Run, *options: str) -> list[dict[str, Any]]:
    data = mesure("alerts", "list", "--data", "d", "--json", *options).data
    assert mismatches(data, {"alerts": Several(LISTED)}) == []
    alerts: list[dict[str, Any]] = data["alerts"]
    return alerts


def test_without_alerts(mesure: Run) -> None:
    assert mesure("alerts", "list", "--data", "d", "--lang", "en").out.strip() == "There is no alert."
    assert listed(mesure) == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            (
                "The same questions come again and again: support",
                "What to do: answer",
                "Calls that repeat another: 400",
            ),
        ),
        ("fr", ("Les mêmes questions reviennent sans cesse", "À faire", "Appels qui en répètent un autre : 400")),
    ],
)
def test_an_alert_with_its_numbers_and_what_to_do(
    mesure: Run, alerted: str, language: str, said: tuple[str, ...]
) -> None:
    out = mesure("alerts", "list", "--data", "d", "--lang", language).out.replace("\u00a0", " ").replace("\u202f", " ")
    assert alerted[-8:] in out
    for words in said:
        assert words in out
    assert listed(mesure)[0]["action"] == "cache_or_faq"


def test_snoozed(mesure: Run, alerted: str) -> None:
    ran = mesure("alerts", "snooze", alerted[-8:], "--for", "2w", "--data", "d", "--json")
    assert mismatches(ran.data, LISTED) == []
    assert ran.data["state"] == "snoozed"
    assert "snoozed" in mesure("alerts", "list", "--data", "d", "--lang", "en").out
    assert listed(mesure, "--all")[0]["id"] == alerted


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("snooze", "nothing-like-it"), 1, "No alert has this name"),
        (("snooze", "x", "--for", "soon"), 2, "not a length of time"),
        (("test",), 1, "No receiver of alerts"),
    ],
)
def test_what_cannot_be_is_said(mesure: Run, alerted: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = mesure("alerts", *arguments, "--data", "d", "--lang", "en")
    assert ran.code == code
    assert said in ran.err


def configured(web: Any, language: str = "fr") -> None:
    Path("mesure.toml").write_text(f'[receivers.chat]\nkind = "slack"\nurl = "{web.url}"\nlanguage = "{language}"\n')


@pytest.mark.parametrize(
    ("language", "title"), [("fr", "Ceci est un message d’essai"), ("en", "This is a test message")]
)
def test_a_test_message_really_arrives(mesure: Run, web: Any, language: str, title: str) -> None:
    configured(web, language)
    ran = mesure("alerts", "test", "chat", "--data", "d", "--json")
    assert ran.code == 0
    assert mismatches(ran.data, {"messages": Several(MESSAGE, least=1)}) == []
    assert len(web.came) == 1
    assert title in web.bodies()[0]["text"]


def test_a_test_message_that_is_refused_fails_and_can_be_sent_again(mesure: Run, web: Any) -> None:
    configured(web)
    web.answers = [(404, {})]
    ran = mesure("alerts", "test", "--data", "d", "--lang", "en")
    assert ran.code == 1
    assert "given up: the receiver answered 404" in ran.out
    shape = {"retried": int, "messages": Several(MESSAGE | {"tries": Several({"at": str, "outcome": str})}, least=1)}
    data = mesure("alerts", "sent", "--data", "d", "--json").data
    assert mismatches(data, shape) == []
    assert [row["outcome"] for row in data["messages"][0]["tries"]] == ["the receiver answered 404"]
    assert mesure("alerts", "sent", "--retry", "--data", "d", "--json").data["retried"] == 1
    assert "waiting" in mesure("alerts", "sent", "--data", "d", "--lang", "en").out


def test_an_unknown_receiver_is_told_the_nearest(mesure: Run, web: Any) -> None:
    configured(web)
    ran = mesure("alerts", "test", "chatt", "--data", "d", "--lang", "en")
    assert ran.code == 1
    assert "Nearest: chat" in ran.err


def test_messages_that_wait_are_those_of_the_book(mesure: Run, tmp_path: Path, alerted: str) -> None:
    store = open_store(Settings(server=ServerSettings(data=str(tmp_path / "d"))))
    receiver = {"chat": ReceiverSettings(kind="slack", url="http://127.0.0.1:1", least="info")}
    other = Alert(code="coverage_drop", severity="warning", key="c", facts={"share": 0.5, "before": 1.0})
    AlertBook(store).record([ALERT, other], set(), receiver)
    assert [message.state for message in Outbox(store).all()] == ["waiting"]
    store.close()
    assert mesure("alerts", "sent", "--data", "d", "--lang", "fr").out.count("en attente") == 1
