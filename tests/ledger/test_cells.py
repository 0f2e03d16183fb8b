"""Sums over time, and the laws of their intervals."""

from __future__ import annotations

import math
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.ledger.cells import Cell, Cells, Served, Sums, energy_of, gwp_of, merged, quarter_of
from mesure.quantity import Status


@cache
def _key(model: str, status: Status = Status.MODELLED, sources: tuple[str, ...] = ()) -> Cell:
    return Cell(Served("p", model, True, "FRA", ""), status, Status.MODELLED, sources)


def _sums(low: float, mid: float, high: float) -> Sums:
    return Sums(1, 1, 10, low, mid, high, low / 2, mid / 2, high / 2, 1)


def test_errors_of_one_deployment_add_and_those_of_several_do_not():
    """The law of the totals, written out: 2 calls each on 2 deployments."""
    table = {}
    for model in ("a", "b"):
        for status in (Status.MODELLED, Status.MEASURED):
            table[_key(model, status)] = _sums(1.0, 2.0, 4.0)
    total = energy_of(table)
    assert total is not None
    assert total.mid == 8.0
    # within: low 2, mid 4, high 8 each; between: deviations 2 and 4 in quadrature
    assert total.low == pytest.approx(8.0 - math.hypot(2.0, 2.0))
    assert total.high == pytest.approx(8.0 + math.hypot(4.0, 4.0))
    assert total.status is Status.MODELLED
    one = energy_of({key: sums for key, sums in table.items() if key.served.model == "a"})
    assert one is not None
    assert one[:3] == (2.0, 4.0, 8.0)


def test_a_total_is_as_weak_as_its_weakest_part_and_names_its_sources():
    strong, weak = _key("a", Status.MEASURED, ("x", "y")), _key("b", Status.DEFAULT, ("y", "z"))
    total = energy_of({strong: _sums(1, 1, 1), weak: _sums(1, 2, 3)})
    assert total is not None
    assert total.status is Status.DEFAULT
    assert total.sources == ("x", "y", "z")


def test_nothing_has_no_total_and_unknown_is_not_added():
    assert energy_of({}) is None
    unknown = Sums(1, 1, 10, 1.0, 2.0, 3.0)
    assert gwp_of({_key("a"): unknown}) is None
    both = gwp_of({_key("a"): unknown, _key("b"): _sums(1.0, 2.0, 4.0)})
    assert both is not None
    assert both[:3] == (0.5, 1.0, 2.0)


_START = 1_790_000_100  # a quarter of an hour
_events = st.lists(st.tuples(st.integers(0, 4000), st.sampled_from("abc"), st.integers(1, 50)), max_size=40)


@given(events=_events, low=st.integers(-1000, 5000), length=st.integers(0, 5000))
def test_any_window_is_the_sum_of_its_events(events, low, length):
    since, until = _START + low, _START + low + length
    edges = (quarter_of(since), quarter_of(until))
    cells = Cells(0, 0, fine={edge: {} for edge in edges})
    for at, model, mid in events:
        cells.add(_START + at, None, _key(model), _sums(0.0, float(mid), float(mid)))
    expected: dict[str, float] = {}
    for at, model, mid in events:
        if since <= _START + at < until:
            expected[model] = expected.get(model, 0.0) + mid
    for _ in range(2):  # computed, then kept
        found = cells.window(since, until)
        assert {key.served.model: sums.energy_mid for key, sums in found.items()} == expected


def test_adding_to_a_total_leaves_its_parts_alone():
    first, second = {_key("a"): _sums(1, 2, 3)}, {_key("a"): _sums(1, 2, 3)}
    total = merged([first, second])
    assert total[_key("a")].energy_mid == 4
    assert first[_key("a")].energy_mid == second[_key("a")].energy_mid == 2


def test_ends_before_the_live_part_are_left_out():
    cells = Cells(0, live_from=_START)
    for ended in (_START - 1, _START, _START + 61, None):
        cells.add(_START - 10, ended, _key("a"), _sums(1, 2, 3))
    assert set(cells.ended.seconds) == {_START, _START + 61}
    assert sum(sums.events for table in cells.ended.minutes.values() for sums in table.values()) == 2
