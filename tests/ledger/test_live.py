"""The needle: power from when calls ended, against a list of calls kept by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.ledger.cells import Cell, Ended, Served, Sums
from mesure.ledger.live import Live
from mesure.ledger.schema import second_of
from mesure.quantity import Quantity, Status, add_independent, add_shared

_END = 1_795_348_831  # 31 s into a minute
_CELLS = [
    Cell(Served("p", name, True, "FRA", ""), status, Status.MODELLED, (name,))
    for name, status in (("a", Status.MODELLED), ("b", Status.MEASURED))
]


def _ended(calls):
    ended = Ended()
    for second, which, wh in calls:
        ended.add(second, _CELLS[which], Sums(1, 1, 10, wh * 0.5, wh, wh * 3.0))
    return ended


def _power(calls):
    """Calls of one deployment add, those of several in quadrature; Wh in a minute -> W."""
    groups = {}
    for _, which, wh in calls:
        groups.setdefault(which, []).append(Quantity(wh * 0.5, wh, wh * 3.0, "Wh", _CELLS[which].status))
    if not groups:
        return (0.0, 0.0, 0.0)
    total = add_independent([add_shared(found) for found in groups.values()])
    return tuple(value * 60 for value in total[:3])


#: Bounds are where it goes wrong: half of the seconds lie on one.
_SECONDS = st.sampled_from([_END - 61, _END - 60, _END - 32, _END - 31, _END - 1, _END, _END - 3_600]) | st.integers(
    _END - 4_000, _END + 5
)
_CALLS = st.lists(st.tuples(_SECONDS, st.integers(0, 1), st.floats(0.001, 50)), max_size=40)


@settings(max_examples=80, deadline=None)
@given(_CALLS, st.integers(0, 40))
def test_power_is_that_of_the_last_sixty_seconds(calls, cut):
    live = Live(_END, [_ended(calls[:cut]), _ended(calls[cut:])])
    last = [call for call in calls if _END - 60 <= call[0] < _END]
    assert live.power_w()[:3] == pytest.approx(_power(last))
    assert live.power_w().unit == "W"
    assert live.calls_per_minute() == len(last)
    if last:
        assert live.power_w().status is max((_CELLS[c[1]].status for c in last), key=list(Status).index)


@settings(max_examples=80, deadline=None)
@given(_CALLS)
def test_the_hour_is_sixty_minutes_of_the_clock(calls):
    points = Live(_END, [_ended(calls)]).series()
    current = _END - _END % 60
    assert [second_of(point.at) for point in points] == [current - 60 * back for back in range(59, -1, -1)]
    for point in points[:-1]:
        start = second_of(point.at)
        inside = [call for call in calls if start <= call[0] < start + 60]
        assert (point.low_w, point.mid_w, point.high_w) == pytest.approx(_power(inside))
    last = [call for call in calls if _END - 60 <= call[0] < _END]
    assert (points[-1].low_w, points[-1].mid_w, points[-1].high_w) == pytest.approx(_power(last))


@pytest.mark.parametrize("end", [_END, _END - 31, _END - 30, _END + 28, _END + 29])
def test_a_minute_that_just_began_is_the_last_one(end):
    points = Live(end, [_ended([])]).series()
    newest = second_of(points[-1].at)
    assert newest % 60 == 0
    assert newest < end <= newest + 60


def test_nothing_ended_is_nothing_and_known():
    live = Live(_END, [])
    assert live.power_w()[:3] == (0.0, 0.0, 0.0)
    assert live.calls_per_minute() == 0.0
    assert {point.mid_w for point in live.series()} == {0.0}
