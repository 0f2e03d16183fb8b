"""Hard budgets in front of a provider: what no longer fits is refused, what fits is relayed, untouched and counted."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from provider_double import GOOD_KEY
from served_gateway import serving

from mesure.apps.gateway import budgets as module
from mesure.config import BudgetSettings
from mesure.errors import StateError
from mesure.policy.leases import Account, Leases
from mesure.policy.periods import period_at
from mesure.state import open_store
from waiting import eventually

if TYPE_CHECKING:
    from served_gateway import Running

    from mesure.config import Settings

_CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Bonjour"}], "max_tokens": 50}


def hard(settings: Settings, *, stays_open: str = "never", **given: Any) -> Settings:
    """One hard budget, and a provider that is on this machine and yet no local model."""
    budget = BudgetSettings(**({"limit": 3.0, "unit": "calls", "mode": "hard"} | given))
    providers = {name: replace(one, stays_open=stays_open) for name, one in settings.providers.items()}
    return replace(settings, budgets={"team": budget}, providers=providers)


def call(running: Running, body: dict[str, Any] = _CHAT, **headers: str) -> tuple[int, dict[str, Any]]:
    address = urlsplit(running.url)
    connection = HTTPConnection("127.0.0.1", address.port, timeout=20)
    try:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            "POST",
            "/v1/chat/completions",
            json.dumps(body),
            {"content-type": "application/json", "authorization": f"Bearer {GOOD_KEY}", **names},
        )
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if raw.startswith(b"{") else {}
    finally:
        connection.close()


def standing(settings: Settings) -> Any:
    store = open_store(settings)
    try:
        zone = ZoneInfo(settings.organisation.timezone)
        budget = settings.budgets["team"]
        account = Account("team", period_at("month", datetime.now(UTC), zone).key, budget.limit)
        return Leases(store, "asking").standing(account)
    finally:
        store.close()


def test_calls_pass_until_the_limit_and_the_refusal_says_what_to_do(settings: Settings) -> None:
    given = hard(settings)
    with serving(given) as running:
        statuses = [call(running)[0] for _ in range(3)]
        status, body = call(running)
        assert statuses == [200, 200, 200]
        assert status == 429
        assert body["error"]["code"] == "budget_exceeded"
        assert "team: 1 calls asked at most, 0 left" in body["error"]["mesure"]["value"]
        assert "local model" in body["error"]["mesure"]["action"]
        assert running.gateway.refused["budget_exceeded"] == 1
        events = running.sink.wait(3)
    assert len(events) == 3  # what was refused never left, and is no use of AI
    assert standing(given)[:2] == (3.0, 0.0)


def test_a_race_for_the_last_calls_lets_no_more_pass(settings: Settings) -> None:
    given = hard(settings, limit=5.0)
    with serving(given) as running, ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: call(running)[0], range(20)))
    assert statuses.count(200) == 5
    assert statuses.count(429) == 15
    assert standing(given).spent == 5.0


def test_energy_is_reserved_for_the_longest_answer_and_put_right_after_it(settings: Settings) -> None:
    given = hard(settings, limit=1.0, unit="kWh")
    with serving(given) as running:
        assert call(running)[0] == 200
        [event] = running.sink.wait(1)
        eventually(lambda: running.gateway.in_flight == 0)
        from mesure.ledger import Pricer

        took = Pricer({}).impacts(event).energy_wh.mid / 1000
    assert standing(given).spent == pytest.approx(took)
    with serving(hard(settings, limit=took / 2, unit="kWh")) as running:
        assert call(running)[0] == 429


def test_only_calls_within_the_scope_are_held_to_it(settings: Settings) -> None:
    with serving(hard(settings, limit=1.0, team="support")) as running:
        assert call(running, x_mesure_team="support")[0] == 200
        assert call(running, x_mesure_team="support")[0] == 429
        assert call(running, x_mesure_team="sales")[0] == 200
        assert call(running)[0] == 200


def test_paths_that_stay_open_are_counted_and_never_refused(settings: Settings) -> None:
    given = hard(settings, stays_open="local", limit=1.0)
    with serving(given) as running:
        assert [call(running)[0] for _ in range(4)] == [200] * 4
    assert standing(given).spent == 4.0


def test_a_stream_is_reconciled_at_its_end(settings: Settings) -> None:
    given = hard(settings, limit=2.0)
    with serving(given) as running:
        assert [call(running, _CHAT | {"stream": True})[0] for _ in range(3)] == [200, 200, 429]
        eventually(lambda: running.gateway.in_flight == 0)
    assert standing(given)[:2] == (2.0, 0.0)


def test_a_budget_that_informs_refuses_nobody(settings: Settings) -> None:
    with serving(hard(settings, mode="inform", limit=1.0)) as running:
        assert [call(running)[0] for _ in range(3)] == [200] * 3
        assert running.gateway.metering.budgets is None


@pytest.mark.parametrize(("fail_open", "statuses"), [(True, [200, 200, 503]), (False, [503, 503, 503])])
def test_without_the_store_the_budgets_own_choice(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fail_open: bool, statuses: list[int]
) -> None:
    def away(_: Settings) -> None:
        raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")

    monkeypatch.setattr(module, "open_store", away)
    with serving(hard(settings, limit=10.0, fail_open=fail_open, outage_share=0.2)) as running:
        assert [call(running)[0] for _ in range(3)] == statuses


def test_a_budget_that_cannot_be_looked_at_refuses_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module.HardBudgets, "_wanted", broken)
    with serving(hard(settings, limit=1.0)) as running:
        assert [call(running)[0] for _ in range(3)] == [200] * 3
        assert running.gateway.metering_failures == 3


def test_a_budget_of_the_store_is_held_to_as_well(settings: Settings) -> None:
    from mesure.policy.budgets import Budget
    from mesure.policy.kept import KeptBudgets

    store = open_store(settings)
    KeptBudgets(store).save(Budget(name="kept", limit=1.0, unit="calls", mode="hard"))
    store.close()
    providers = {name: replace(one, stays_open="never") for name, one in settings.providers.items()}
    with serving(replace(settings, providers=providers)) as running:
        assert [call(running)[0] for _ in range(2)] == [200, 429]
