"""What several processes counted, together."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.totals import GatewayTotals

_numbers = st.integers(0, 10**9)
_counters = st.dictionaries(st.sampled_from(["bad_host", "500 openai", "truncated my provider"]), st.integers(1, 1000))
_totals = st.builds(
    GatewayTotals,
    **{one.name: _numbers for one in fields(GatewayTotals) if one.type == "int"},
    refused=_counters.map(Counter),
    upstream_errors=_counters.map(Counter),
    unmetered=_counters.map(Counter),
)


@given(_totals)
def test_they_travel_as_json(totals: GatewayTotals) -> None:
    assert GatewayTotals.from_json(json.loads(json.dumps(totals.to_json()))) == totals


@given(_totals, _totals, _totals)
def test_they_add_up_in_any_order(one: GatewayTotals, two: GatewayTotals, three: GatewayTotals) -> None:
    assert (one + two) + three == one + (two + three)
    assert one + two == two + one
    assert one + GatewayTotals() == one
    assert (one + two).departures == one.departures + two.departures
    assert (one + two).refused.total() == one.refused.total() + two.refused.total()


@given(_totals)
def test_what_ended_holds_nothing_and_forgets_nothing(totals: GatewayTotals) -> None:
    ended = totals.ended()
    assert ended.in_flight == 0
    assert ended.to_json() | {"in_flight": totals.in_flight} == totals.to_json()
