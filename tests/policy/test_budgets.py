from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.config import BudgetSettings, Settings, load_settings
from mesure.errors import ConfigError
from mesure.impact import impacts_of, resolve
from mesure.policy.budgets import Amount, Budget, Scope, amount_of, budgets_of, from_settings
from mesure.record import UsageEvent, new_id

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


def event(**fields):
    given = {"id": new_id(), "started_at": AT, "provider": "openai", "model_requested": "gpt-4o", "team": "support"}
    return UsageEvent(**(given | {"input_tokens": 1000, "output_tokens": 400} | fields))


def impacts(one):
    return impacts_of(one, resolve(one.model_requested, provider=one.provider, zone="FRA", at=AT.date()))


def test_a_table_of_the_file_becomes_a_budget(tmp_path):
    (tmp_path / "mesure.toml").write_text(
        '[budgets.support]\nlimit = 120\nunit = "kgCO2eq"\nperiod = "quarter"\nteam = "support"\n'
        'key = "mesure-AbCd1234"\nthresholds = [0.9, 0.5]\nmode = "hard"\nfail_open = false\n'
    )
    [(name, budget)] = budgets_of(load_settings(tmp_path / "mesure.toml", environ={})).items()
    assert name == budget.name == "support"
    assert (budget.limit, budget.unit, budget.period, budget.hard) == (120.0, "kgCO2eq", "quarter", True)
    assert budget.scope.given() == {"team": "support", "key": "AbCd1234"}
    assert budget.thresholds == (0.5, 0.9)
    assert not budget.fail_open


def test_budgets_inform_unless_told_otherwise():
    budget = from_settings("all", BudgetSettings(limit=10))
    assert budget.mode == "inform"
    assert not budget.hard
    assert budget.fail_open
    assert budget.scope == Scope()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"limit": 0.0}, "above 0"),
        ({"limit": float("nan")}, "above 0"),
        ({"limit": 1.0, "unit": "kwh"}, "unit"),
        ({"limit": 1.0, "unit": "euros"}, "unit"),
        ({"limit": 1.0, "thresholds": [0.5, 0.0]}, "Thresholds"),
        ({"limit": 1.0, "thresholds": [80.0]}, "Thresholds"),
        ({"limit": 1.0, "outage_share": -0.1}, "outage_share"),
    ],
)
def test_what_cannot_be_a_budget_is_refused_by_name(given, said):
    with pytest.raises(ConfigError, match=said) as refused:
        from_settings("team budget", BudgetSettings(**given))
    assert "team budget" in str(refused.value.value)
    assert refused.value.code == "budget_refused"


def test_the_file_goes_before_the_store():
    stored = {"a": Budget(name="a", limit=5.0), "b": Budget(name="b", limit=7.0)}
    found = budgets_of(Settings(budgets={"a": BudgetSettings(limit=1.0)}), stored)
    assert {name: budget.limit for name, budget in found.items()} == {"a": 1.0, "b": 7.0}


@pytest.mark.parametrize(
    ("scope", "within"),
    [
        (Scope(), True),
        (Scope(team="support"), True),
        (Scope(team="sales"), False),
        (Scope(team="support", use_case="reply"), False),
        (Scope(model="gpt-4o"), True),
        (Scope(model="gpt-4o-mini"), False),
        (Scope(key="AbCd1234"), False),
    ],
)
def test_every_field_of_a_scope_must_hold(scope, within):
    assert scope.holds(event()) is within


def test_a_model_is_known_by_its_names():
    asked = event(model_requested="gpt-4o-latest", model_answered="gpt-4o-2024-08-06")
    for name in ("gpt-4o-latest", "gpt-4o-2024-08-06", "canonical"):
        assert Scope(model=name).holds(asked, "canonical")
    assert not Scope(model="canonical").holds(asked)


def test_an_event_counts_in_the_unit_of_the_budget():
    one = event()
    found = impacts(one)
    energy = amount_of(Budget(name="b", limit=1.0, unit="kWh"), one, found, None)
    assert energy == pytest.approx(found.energy_wh.mid / 1000)
    assert amount_of(Budget(name="b", limit=1.0, unit="kgCO2eq"), one, found, None) == pytest.approx(
        found.gwp_gco2eq.mid / 1000
    )
    assert amount_of(Budget(name="b", limit=1.0, unit="L"), one, found, None) == pytest.approx(
        found.water_ml.mid / 1000
    )
    assert amount_of(Budget(name="b", limit=1.0, unit="EUR"), one, found, 0.25) == 0.25
    assert amount_of(Budget(name="b", limit=1.0, unit="calls"), replace(one, calls_count=7), found, None) == 7.0


def test_what_has_no_figure_is_unknown_and_not_zero():
    one = event()
    nowhere = impacts_of(one, resolve("gpt-4o", provider="openai", zone="XXX", at=AT.date()))
    assert nowhere.gwp_gco2eq is None
    assert amount_of(Budget(name="b", limit=1.0, unit="kgCO2eq"), one, nowhere, None) is None
    assert amount_of(Budget(name="b", limit=1.0, unit="EUR"), one, nowhere, None) is None
    assert amount_of(Budget(name="b", limit=1.0, unit="kWh"), one, nowhere, None) > 0.0


@given(st.lists(st.tuples(st.floats(0, 1e9), st.integers(0, 99), st.integers(0, 99)), max_size=8))
def test_amounts_add_in_each_part(parts):
    total = Amount(0.0, 0, 0)
    for part in parts:
        total = total.plus(Amount(*part))
    assert total.calls == sum(part[1] for part in parts)
    assert total.unknown == sum(part[2] for part in parts)
    assert total.value == pytest.approx(sum(part[0] for part in parts))
