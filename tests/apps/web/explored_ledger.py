"""A real ledger to explore: an organisation's autumn, made once, the same each time."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from held_pages import HeldSource, client_of, settings
from page_reader import Node, read
from starlette.testclient import TestClient
from web_scenes import office

from mesure.ledger import Ledger, View
from mesure.record import UsageEvent, new_id

__all__ = ["NOW", "client", "events", "filled", "page", "source"]

#: A Sunday afternoon in Paris; the clock changed on 25 October.
NOW = datetime(2026, 11, 22, 13, 2, 12, tzinfo=UTC)

_TEAMS = ("Service client", "Service client", "Service client", "Back-office", "Qualité", None)
_CASES = {"Service client": ("Réponse client", "Motif d’appel", "Horaires"), "Back-office": ("Courriel",)}
_MODELS = (("openai", "gpt-4o"), ("mistral", "mistral-small-latest"), ("local", "gemma-3-270m"), ("interne", "maison"))
_MEASURED = {"energy_j": 22.0, "energy_low_j": 18.0, "energy_high_j": 27.0, "energy_status": "measured"}


def events(count: int = 420) -> list[UsageEvent]:
    """More this month than in the one before, most by the first team."""
    draw, made = random.Random(20), []
    for number in range(count):
        days = draw.random() * 21 if number % 5 else 21 + draw.random() * 40
        team = draw.choice(_TEAMS)
        provider, model = draw.choice(_MODELS)
        facts: dict[str, Any] = {
            "id": new_id(),
            "started_at": NOW - timedelta(days=days, seconds=1),
            "organisation": "Relation Plus",
            "end_client": draw.choice(("Opérateur A", "Énergie B")),
            "team": team,
            "use_case": draw.choice(_CASES.get(team or "", (None,))),
            "environment": "test" if number % 11 == 0 else "production",
            "provider": provider,
            "model_requested": model,
            "input_tokens": draw.randrange(50, 4000),
            "output_tokens": draw.randrange(10, 900),
        }
        made.append(UsageEvent(**facts | (_MEASURED if provider == "local" else {})))
    return made


def filled(folder: Path, made: list[UsageEvent] | None = None) -> View:
    ledger = Ledger(folder)
    ledger.append(events() if made is None else made, {})
    return View(ledger, None, settings())


def source(view: View) -> HeldSource:
    held = HeldSource(office())
    held.view = view
    return held


def client(view: View, **organisation: Any) -> TestClient:
    return client_of(source(view), now=NOW, **organisation)


def page(opened: TestClient, query: str = "", language: str = "fr") -> Node:
    answer = opened.get(f"/{language}/explore{query}", follow_redirects=False)
    assert answer.status_code == 200, (answer.status_code, answer.headers.get("location"), answer.text[-3000:])
    return read(answer.text)
