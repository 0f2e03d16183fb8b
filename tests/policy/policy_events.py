"""Events, a ledger and a view for the tests of this room."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from mesure.config import OrganisationSettings, Settings
from mesure.ledger import Ledger, View
from mesure.policy.progress import Spending
from mesure.record import UsageEvent, new_id

#: A Sunday evening, the 22nd of a month of 30 days.
NOW = datetime(2026, 11, 22, 20, 0, 30, tzinfo=UTC)
SETTINGS = Settings(organisation=OrganisationSettings(timezone="Europe/Paris"))


def make_event(**fields: Any) -> UsageEvent:
    given: dict[str, Any] = {
        "id": new_id(),
        "started_at": NOW,
        "provider": "openai",
        "model_requested": "gpt-4o",
        "host_zone": "FRA",
        "input_tokens": 1000,
        "output_tokens": 400,
        "duration_ms": 900.0,
    }
    return UsageEvent(**(given | fields))


def steady_events(
    days: int, per_day: int = 6, *, until: datetime = NOW, seed: int = 1, **fields: Any
) -> list[UsageEvent]:
    """The same number of calls each day, at hours of the day, the last of them before `until`."""
    draw = random.Random(seed)
    return [
        make_event(started_at=until - timedelta(days=day, seconds=draw.uniform(60, 12 * 3600)), **fields)
        for day in range(days)
        for _ in range(per_day)
    ]


def spending_of(folder: Any, events: list[UsageEvent], settings: Settings = SETTINGS) -> Spending:
    ledger = Ledger(folder)
    if events:
        ledger.append(events, {"test": 1})
    return Spending(View(ledger, None, settings), ledger, None, settings)
