"""The pages over a real ledger: a call that was just recorded shows, and opens on its calculation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from held_pages import HeldMeter, settings
from starlette.testclient import TestClient

from mesure.apps.web import create_web
from mesure.ledger import Committer, Ledger, Spool, View
from mesure.record import UsageEvent, new_id

_PATIENCE_S = 20.0


class _House:
    def __init__(self, folder: Path) -> None:
        chosen = settings()
        self.ledger = Ledger(folder, chosen.ledger, chosen.deployments)
        self.spool = Spool(folder / "spool", segment_bytes=1_000_000)
        self.committer = Committer(self.ledger, folder / "spool", chosen.ledger)
        self.view = View(self.ledger, self.committer, chosen)
        web = create_web(
            chosen,
            self.view,
            own=HeldMeter(),
            gateway_metrics=str,
            health=lambda: {"ok": True},  # type: ignore[arg-type]
        )
        self.client = TestClient(web, base_url="http://127.0.0.1:8420")

    def wait_for(self, words: str) -> str:
        deadline = time.monotonic() + _PATIENCE_S
        while words not in (text := self.client.get("/fr/").text) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert words in text
        return text


@pytest.fixture
def house(tmp_path: Path) -> Iterator[_House]:
    built = _House(tmp_path)
    built.committer.start()
    yield built
    built.spool.close()
    built.committer.stop()


def _event() -> UsageEvent:
    return UsageEvent(
        id=new_id(),
        started_at=datetime.now(UTC),
        provider="openai",
        model_requested="gpt-4o",
        model_answered="gpt-4o",
        input_tokens=1204,
        output_tokens=186,
        use_case="Tout nouveau",
    )


def test_a_recorded_call_shows_and_explains_itself(house: _House) -> None:
    assert "encore passé par ici" in house.wait_for("OPENAI_BASE_URL")
    event = _event()
    assert house.spool.record(event)
    page = house.wait_for("Tout nouveau")
    assert f"/fr/calls/{event.id}" in page
    assert "PUE" in house.client.get(f"/fr/calls/{event.id}").text
    data = house.client.get("/api/overview").json()
    assert data["month"]["calls"] == 1
    assert data["last_calls"][0]["id"] == event.id
    assert data["factors"], "figures name the factors they rest on"
    assert all(factor["source"] and factor["licence"] for factor in data["factors"])


def test_events_are_found_before_and_after_their_commit(house: _House) -> None:
    event = _event()
    assert house.spool.record(event)
    deadline = time.monotonic() + _PATIENCE_S
    while house.view.event(event.id) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    before = house.view.event(event.id)
    house.committer.stop()
    after = house.view.event(event.id)
    assert before is not None
    assert after is not None
    assert house.committer.recent == ()
    assert (before.id, after.id) == (event.id, event.id)
    assert after.input_tokens == 1204
    assert house.view.event(new_id()) is None
    assert house.view.event("not an id") is None
    assert View(house.ledger, None, settings()).event(event.id) is not None


def test_who_listens_is_told(house: _House) -> None:
    told: list[bool] = []
    stop = house.view.listen(lambda: told.append(True))
    assert house.spool.record(_event())
    deadline = time.monotonic() + _PATIENCE_S
    while not told and time.monotonic() < deadline:
        time.sleep(0.02)
    assert told
    stop()
    View(house.ledger, None, settings()).listen(lambda: told.append(False))()
    assert all(told)
