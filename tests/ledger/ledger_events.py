"""Events for the tests of this room, and what is looked up in its tables."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.ledger import Ledger

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

MODELS = (
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4-5"),
    ("mistral", "mistral-large-latest"),
    ("own", "nobody-1"),
)


def make_event(number: int = 0, **fields: Any) -> UsageEvent:
    """An event that differs with `number`; `at_s` shifts its start from noon."""
    provider, model = MODELS[number % len(MODELS)]
    given: dict[str, Any] = {
        "id": new_id(),
        "started_at": NOON + timedelta(seconds=fields.pop("at_s", 0.0)),
        "provider": provider,
        "model_requested": model,
        "input_tokens": 100 + number % 900,
        "output_tokens": 20 + number % 300,
        "team": f"team-{number % 3}",
        "turn": number,
        "duration_ms": 800.0,
    }
    return UsageEvent(**(given | fields))


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Poll until it holds; fail after a long deadline, never a fixed sleep."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail("The condition did not hold in time.")
        time.sleep(0.01)


def turns(ledger: Ledger) -> list[int]:
    """The `turn` of every event in the table, sorted: each number should be there once."""
    import duckdb

    files = ledger.files()
    if not files:
        return []
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT turn FROM read_parquet(?, union_by_name=true) ORDER BY 1", [files]
        ).fetchall()
    return [turn for (turn,) in found]
