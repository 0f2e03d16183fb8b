from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy_events import NOW, make_event, spending_of

from mesure.catalogue import current
from mesure.policy.budgets import Budget, Scope
from mesure.policy.money import Tokens, cost_in, cost_of, list_price_usd

ON = date(2026, 11, 22)


def test_a_list_price_multiplies_each_kind_of_token():
    price = current().price("openai", "gpt-4o", ON)
    found = list_price_usd("openai", "gpt-4o", ON, Tokens(1000, 400, 0, 200))
    expected = 600 * price.input_usd_per_mtok + 400 * price.cached_input_usd_per_mtok + 200 * price.output_usd_per_mtok
    assert found == pytest.approx(expected / 1e6)


@given(*(st.integers(0, 10**7) for _ in range(3)))
def test_cached_tokens_never_cost_more(read, cached, written):
    cached = min(read, cached)
    some = list_price_usd("openai", "gpt-4o", ON, Tokens(read, cached, 0, written))
    none = list_price_usd("openai", "gpt-4o", ON, Tokens(read, 0, 0, written))
    assert 0.0 <= some <= none * (1 + 1e-12)


@pytest.mark.parametrize(("provider", "model"), [("own", "nobody-1"), (None, "gpt-4o"), ("openai", None)])
def test_without_a_listed_price_the_cost_is_unknown(provider, model):
    assert list_price_usd(provider, model, ON, Tokens(10, 0, 0, 10)) is None


def test_before_the_first_listed_day_the_cost_is_unknown():
    assert list_price_usd("openai", "gpt-4o", date(2020, 1, 1), Tokens(10, 0, 0, 10)) is None


def test_what_was_reported_goes_before_the_list():
    assert cost_of(make_event(cost=1.5, cost_currency="EUR"), "EUR", None) == 1.5
    assert cost_of(make_event(cost=1.5, cost_currency="EUR"), "USD", None) is None
    assert cost_of(make_event(cost=2.0, cost_currency="USD"), "EUR", 0.9) == pytest.approx(1.8)
    listed = cost_of(make_event(), "USD", None)
    assert listed > 0.0
    assert cost_of(make_event(), "EUR", None) is None
    assert cost_of(make_event(), "EUR", 0.5) == pytest.approx(listed / 2)


def test_without_token_counts_a_list_price_multiplies_nothing():
    assert cost_of(make_event(input_tokens=None, output_tokens=None), "USD", None) is None


def test_only_dollars_have_a_rate():
    assert cost_in("EUR", 0.9, 3.0, "GBP") is None
    assert cost_in("GBP", None, 3.0, "GBP") == 3.0


def test_the_table_and_single_events_cost_the_same(tmp_path):
    kinds = (
        {},
        {"cost": 0.02, "cost_currency": "USD"},
        {"cost": 0.02, "cost_currency": "EUR"},
        {"provider": "own", "model_requested": "nobody-1"},
        {"input_tokens": None, "output_tokens": None},
        {"cached_input_tokens": 500},
        {"model_answered": "gpt-4o-2024-11-20"},
        {"model_answered": "nothing-listed"},
        {"provider": "mistral", "model_requested": "mistral-large-latest"},
        {"team": "sales"},
    )
    events = [
        make_event(started_at=NOW - timedelta(days=number % 20, hours=1), **({"team": "support"} | kinds[number % 10]))
        for number in range(200)
    ]
    spending = spending_of(tmp_path, events)
    for currency, rate in (("USD", None), ("EUR", 0.9), ("EUR", None)):
        budget = Budget(name="b", limit=1.0, unit=currency, usd_rate=rate, scope=Scope(team="support"))
        costs = [cost_of(event, currency, rate) for event in events if event.team == "support"]
        found = spending.progress(budget, NOW, None).spent
        assert found.value == pytest.approx(sum(cost for cost in costs if cost is not None))
        assert (found.calls, found.unknown) == (180, costs.count(None))
