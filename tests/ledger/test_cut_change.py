"""How a total compares with that of another period: what both rest on cancels."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.ledger.cells import Served, combined
from mesure.ledger.cut import Total, change
from mesure.quantity import Quantity, Status

_SERVED = [Served("openai", f"model-{n}", True, "FRA", "") for n in range(4)]
_SPREADS = [(0.5, 2.2), (0.8, 1.3), (0.1, 6.0), (1.0, 1.0)]


def _total(mids: list[float]) -> Total:
    parts = {
        served: Quantity(mid * low, mid, mid * high, "Wh", Status.MODELLED, ("a",))
        for served, mid, (low, high) in zip(_SERVED, mids, _SPREADS, strict=True)
        if mid
    }
    return Total(1, 1, 1, 10, 5, combined(parts), combined(parts), parts)


_mids = st.lists(st.floats(0.01, 1e6), min_size=4, max_size=4)


@given(_mids, st.floats(0.1, 10))
def test_the_same_mix_gives_an_exact_ratio(mids: list[float], factor: float) -> None:
    found = change(_total([mid * factor for mid in mids]), _total(mids))
    assert found is not None
    assert found[:3] == pytest.approx((factor, factor, factor))
    assert found.unit == "1"


@given(_mids, _mids)
def test_the_ratio_lies_in_its_interval(now: list[float], before: list[float]) -> None:
    found = change(_total(now), _total(before))
    assert found is not None
    assert found.mid == pytest.approx(sum(now) / sum(before))
    assert 0.0 <= found.low <= found.mid * (1 + 1e-9)
    assert found.high >= found.mid * (1 - 1e-9)
    assert math.isfinite(found.high)


@given(_mids, _mids)
def test_the_other_way_round_is_the_inverse(now: list[float], before: list[float]) -> None:
    one, other = change(_total(now), _total(before)), change(_total(before), _total(now))
    assert one is not None
    assert other is not None
    assert one.mid * other.mid == pytest.approx(1.0)
    assert one.low * other.high == pytest.approx(1.0)
    assert one.high * other.low == pytest.approx(1.0)


def test_moving_to_another_model_is_as_uncertain_as_what_moved() -> None:
    found = change(_total([0, 0, 10, 0]), _total([0, 0, 0, 10]))
    assert found is not None
    assert found[:3] == pytest.approx((0.1, 1.0, 6.0))
    some = change(_total([100, 0, 10, 0]), _total([100, 0, 0, 10]))
    assert some is not None
    assert some.high - some.low < found.high - found.low


def test_a_well_known_model_added_to_a_wide_one_narrows_nothing_to_nothing() -> None:
    """Calls of an exactly known model grew: the unknown rest, unchanged, still weighs on the ratio."""
    found = change(_total([0, 0, 10, 20]), _total([0, 0, 10, 10]))
    assert found is not None
    assert found.mid == pytest.approx(1.5)
    assert found[:3] == pytest.approx((80 / 70, 1.5, 21 / 11))


@pytest.mark.parametrize(("now", "before"), [([0, 0, 0, 0], [1, 1, 1, 1]), ([1, 1, 1, 1], [0, 0, 0, 0])])
def test_nothing_to_compare_with_is_no_ratio(now: list[float], before: list[float]) -> None:
    assert change(_total(now), _total(before)) is None


def test_nothing_left_is_a_ratio_of_nothing() -> None:
    gone = _total([1, 0, 0, 0])
    nothing = gone._replace(amount=Quantity(0, 0, 0, "Wh", Status.MEASURED), parts={})
    found = change(nothing, gone)
    assert found is not None
    assert found[:3] == (0.0, 0.0, 0.0)


def test_coverage_is_a_share_of_tokens() -> None:
    assert _total([1, 1, 1, 1]).coverage == 0.5
    assert _total([1, 1, 1, 1])._replace(tokens=0, known_tokens=0).coverage is None
