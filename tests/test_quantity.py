"""The laws of intervals, over generated quantities."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.errors import InvalidValue
from mesure.quantity import (
    Quantity,
    Status,
    add_independent,
    add_shared,
    exact,
    multiply_independent,
    ratio,
    shown,
    weakest,
)

UNITS = ("Wh", "W", "gCO2eq", "gSbeq", "mL", "MJ", "1", "requests")
amounts = st.floats(0.0, 1e12, allow_subnormal=False)
positive = st.floats(1e-9, 1e12)
statuses = st.sampled_from(list(Status))


@st.composite
def quantities(draw: st.DrawFn, unit: str | None = "Wh", values: st.SearchStrategy[float] = amounts) -> Quantity:
    low, mid, high = sorted(draw(st.tuples(values, values, values)))
    sources = draw(st.lists(st.sampled_from("abcd"), max_size=3, unique=True))
    return Quantity.checked(low, mid, high, unit or draw(st.sampled_from(UNITS)), draw(statuses), tuple(sources))


lists = st.lists(quantities(), min_size=1, max_size=8)
positive_lists = st.lists(quantities(values=positive), min_size=1, max_size=6)


def _same(first: Quantity, second: Quantity) -> bool:
    """Alike but for rounding, which a difference of large numbers leaves in proportion to them."""
    slack = 1e-12 * max(first.high, second.high) + 1e-12
    return all(math.isclose(a, b, rel_tol=1e-9, abs_tol=slack) for a, b in zip(first[:3], second[:3], strict=True))


def _ordered(quantity: Quantity) -> bool:
    return 0.0 <= quantity.low <= quantity.mid <= quantity.high


def _wh(low: float, mid: float, high: float) -> Quantity:
    return Quantity.checked(low, mid, high, "Wh", Status.MODELLED, ("f",))


# Building


@pytest.mark.parametrize(
    ("low", "mid", "high"),
    [(2, 1, 3), (1, 3, 2), (-1, 0, 1), (0, math.nan, 1), (math.nan, 1, 2), (0, 1, math.inf), (0, 1, math.nan)],
)
def test_a_crossed_negative_or_unbounded_interval_is_refused(low: float, mid: float, high: float) -> None:
    with pytest.raises(InvalidValue, match="0 <= low <= mid <= high"):
        Quantity.checked(low, mid, high, "Wh", Status.MODELLED)


@given(amounts)
def test_an_exact_number_has_no_spread(value: float) -> None:
    assert exact(value, "1", Status.REPORTED)[:3] == (value, value, value)


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_an_exact_number_must_be_a_number(value: float) -> None:
    with pytest.raises(InvalidValue):
        exact(value, "1", Status.REPORTED)


@given(quantities(unit=None))
def test_json_round_trip(quantity: Quantity) -> None:
    data = json.loads(json.dumps(quantity.to_json()))
    data["status"], data["sources"] = Status(data["status"]), tuple(data["sources"])
    assert Quantity(**data) == quantity


# Status


def test_statuses_are_ranked_strongest_first() -> None:
    order = [Status.MEASURED, Status.REPORTED, Status.MODELLED, Status.DECLARED, Status.DEFAULT]
    assert list(Status) == order
    assert all(weakest(pair) is pair[1] for pair in pairwise(order))


def test_nothing_at_all_is_a_default() -> None:
    assert weakest([]) is Status.DEFAULT


@given(lists)
def test_a_sum_is_as_weak_as_its_weakest_part_and_keeps_every_source(parts: list[Quantity]) -> None:
    for total in (add_shared(parts), add_independent(parts), multiply_independent(parts, "Wh")):
        assert total.status is weakest(part.status for part in parts)
        assert set(total.sources) == {source for part in parts for source in part.sources}
        assert len(total.sources) == len(set(total.sources))


# Sums


@given(st.lists(st.tuples(*[st.integers(0, 10**9)] * 3).map(sorted), min_size=1, max_size=20))
def test_shared_sums_are_exact(triples: list[list[int]]) -> None:
    total = add_shared([_wh(*triple) for triple in triples])
    assert total[:3] == tuple(sum(triple[i] for triple in triples) for i in range(3))


def test_shared_sums_do_not_drift_over_many_calls() -> None:
    total = add_shared([_wh(0.1, 0.1, 0.1)] * 100_000)
    assert total.mid == pytest.approx(10_000, rel=1e-15)


@given(lists)
def test_sums_keep_order_and_mid(parts: list[Quantity]) -> None:
    shared, independent = add_shared(parts), add_independent(parts)
    assert _ordered(shared)
    assert _ordered(independent)
    assert shared.mid == independent.mid


@given(lists, st.randoms())
def test_sums_and_products_do_not_depend_on_order(parts: list[Quantity], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _same(add_shared(parts), add_shared(shuffled))
    assert _same(add_independent(parts), add_independent(shuffled))


@given(positive_lists, st.randoms())
def test_products_do_not_depend_on_order(parts: list[Quantity], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert _same(multiply_independent(parts, "Wh"), multiply_independent(shuffled, "Wh"))


@given(lists)
def test_quadrature_is_never_wider_than_shared(parts: list[Quantity]) -> None:
    shared, independent = add_shared(parts), add_independent(parts)
    slack = 1e-9 * max(shared.high, 1e-12)
    assert independent.low >= shared.low - slack
    assert independent.high <= shared.high + slack


@given(quantities(), st.integers(2, 50))
def test_the_shared_part_does_not_shrink_with_the_number_of_calls(one: Quantity, count: int) -> None:
    total = add_shared([one] * count)
    assert _same(total, one.scaled(count))


def test_independent_deviations_add_in_quadrature() -> None:
    total = add_independent([_wh(7, 10, 14), _wh(16, 20, 23)])
    assert (total.low, total.mid, total.high) == (25.0, 30.0, 35.0)


@given(quantities())
def test_a_sum_of_one_is_itself(one: Quantity) -> None:
    assert add_shared([one])[:3] == one[:3]
    alone = add_independent([one])
    assert all(abs(a - b) <= 1e-12 * one.high for a, b in zip(alone[:3], one[:3], strict=True))


@pytest.mark.parametrize("add", [add_shared, add_independent])
def test_different_units_and_nothing_cannot_be_added(add: object) -> None:
    assert callable(add)
    with pytest.raises(InvalidValue, match="different units"):
        add([_wh(1, 2, 3), exact(1, "gCO2eq", Status.MODELLED)])
    with pytest.raises(InvalidValue, match="nothing to add"):
        add([])


# Products and ratios


@given(positive_lists)
def test_a_product_keeps_order_and_multiplies_mids(parts: list[Quantity]) -> None:
    product = multiply_independent(parts, "gCO2eq")
    assert _ordered(product)
    assert product.mid == math.prod(part.mid for part in parts)
    assert product.unit == "gCO2eq"


@given(lists)
def test_a_product_with_zeros_keeps_order(parts: list[Quantity]) -> None:
    assert _ordered(multiply_independent(parts, "1"))


@given(quantities(values=positive), positive)
def test_multiplying_by_an_exact_number_is_scaling(quantity: Quantity, factor: float) -> None:
    product = multiply_independent((quantity, exact(factor, "1", Status.REPORTED)), "Wh")
    assert _same(product, quantity.scaled(factor))


@given(quantities(), st.floats(0, 1e6))
def test_scaling_keeps_order(quantity: Quantity, factor: float) -> None:
    assert _ordered(quantity.scaled(factor))
    assert quantity.scaled(factor, "J").unit == "J"


@pytest.mark.parametrize("factor", [-1.0, math.nan])
def test_scaling_by_less_than_zero_is_refused(factor: float) -> None:
    with pytest.raises(InvalidValue, match="zero or more"):
        _wh(1, 2, 3).scaled(factor)


@given(quantities(values=positive))
def test_the_ratio_of_itself_is_exactly_one_when_all_is_shared(quantity: Quantity) -> None:
    assert ratio(quantity, quantity, shared=1.0)[:3] == (1.0, 1.0, 1.0)


def test_all_shared_is_exact_also_with_a_bound_at_zero() -> None:
    assert ratio(_wh(0, 1, 5), _wh(0, 2, 10), shared=1.0)[:3] == (0.5, 0.5, 0.5)


@given(quantities(values=positive))
def test_half_the_tokens_on_the_same_deployment_is_half(quantity: Quantity) -> None:
    assert ratio(quantity.scaled(0.5), quantity, shared=1.0)[:3] == (0.5, 0.5, 0.5)


@given(quantities(values=positive), quantities(values=positive), st.floats(0, 1), st.floats(0, 1))
def test_what_is_shared_only_narrows(one: Quantity, other: Quantity, first: float, second: float) -> None:
    less, more = (ratio(one, other, shared) for shared in sorted((first, second)))
    assert _ordered(less)
    assert _ordered(more)
    assert less.low <= more.low * (1 + 1e-9)
    assert more.high <= less.high * (1 + 1e-9)


@given(quantities(values=positive), quantities(values=positive), st.floats(0, 1))
def test_the_inverse_ratio_mirrors(one: Quantity, other: Quantity, shared: float) -> None:
    there, back = ratio(one, other, shared), ratio(other, one, shared)
    assert math.isclose(there.mid * back.mid, 1.0, rel_tol=1e-9)
    assert math.isclose(there.low * back.high, 1.0, rel_tol=1e-9)


@given(quantities(), quantities(), st.floats(0, 1))
def test_a_ratio_is_never_nan(one: Quantity, other: Quantity, shared: float) -> None:
    if other.mid > 0:
        assert _ordered(ratio(one, other, shared))


any_float = st.floats(0.0, allow_infinity=False)


@given(quantities(values=any_float), quantities(values=any_float), st.floats(0, 1))
def test_nor_at_the_ends_of_what_a_float_can_hold(one: Quantity, other: Quantity, shared: float) -> None:
    if other.mid > 0:
        assert _ordered(ratio(one, other, shared))


@given(st.lists(quantities(values=any_float), min_size=1, max_size=6))
def test_a_product_is_never_nan(parts: list[Quantity]) -> None:
    assert _ordered(multiply_independent(parts, "1"))


def test_bounds_stay_true_where_the_mid_or_a_spread_leaves_a_float_s_range() -> None:
    ten = math.log(10)
    beyond = ratio(_wh(1e-290, 1e12, 1e12), _wh(1e-307, 1e-300, 1e8))
    assert beyond.mid == beyond.high == math.inf
    low = math.exp(312 * ten - math.hypot(302 * ten, 308 * ten))
    assert beyond.low == pytest.approx(low, rel=1e-9, abs=0.0)
    # The spread alone is beyond the range: the lower bound is where it was
    assert ratio(_wh(1, 1, 1), _wh(1e-307, 1e-307, 1e12)).low == pytest.approx(1e-12, rel=1e-9, abs=0.0)
    product = multiply_independent([_wh(1e-10, 1e300, 1e300), _wh(1e-10, 1e12, 1e12)], "1")
    assert product.mid == math.inf
    low = math.exp(312 * ten - math.hypot(310 * ten, 22 * ten))
    assert product.low == pytest.approx(low, rel=1e-9, abs=0.0)
    assert multiply_independent([_wh(1, 1e300, 1e300), _wh(1, 1e300, 1e300), _wh(0, 0, 0)], "1")[:3] == (0, 0, 0)


@pytest.mark.parametrize("shared", [-0.1, 1.1, math.nan])
def test_a_shared_part_outside_its_domain_is_refused(shared: float) -> None:
    with pytest.raises(InvalidValue):
        ratio(_wh(1, 1, 1), _wh(1, 1, 1), shared)


def test_nothing_compares_with_what_consumes_nothing() -> None:
    with pytest.raises(InvalidValue, match="positive denominator"):
        ratio(_wh(1, 2, 3), _wh(0, 0, 0))


# Printing


@given(quantities(unit=None))
def test_rounding_keeps_order_and_the_value_within_half_the_last_digit(quantity: Quantity) -> None:
    printed = shown(quantity)
    assert printed.low <= printed.mid <= printed.high
    scale = _scale(quantity, printed.unit)
    for raw, rounded in zip(quantity[:3], printed[:3], strict=True):
        assert abs(raw / scale - rounded) <= 0.5000001 * 10.0**-printed.decimals + 1e-9 * abs(rounded)


def _scale(quantity: Quantity, unit: str) -> float:
    from mesure.quantity import _PREFIXED

    return next((scale for scale, name in _PREFIXED.get(quantity.unit, ()) if name == unit), 1.0)


@given(quantities(unit=None, values=positive))
def test_what_is_above_zero_never_prints_as_zero(quantity: Quantity) -> None:
    assert shown(quantity).mid > 0.0


@given(quantities(values=positive))
def test_the_prefix_leaves_one_to_three_digits_before_the_point(quantity: Quantity) -> None:
    printed = shown(quantity)
    lowest = 0.01 if printed.unit == "Wh" else 1.0
    assert lowest <= printed.mid <= 1000.0 or printed.unit in ("µWh", "GWh")


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        (_wh(0.18, 0.31, 0.52), (0.18, 0.31, 0.52, "Wh", 2)),
        (_wh(0.018, 0.031, 0.052), (0.018, 0.031, 0.052, "Wh", 3)),
        (_wh(0.0018, 0.0031, 0.0052), (1.8, 3.1, 5.2, "mWh", 1)),
        (_wh(0.000_18, 0.000_31, 0.000_52), (180.0, 310.0, 520.0, "µWh", 0)),
        (_wh(1234, 2345, 3456), (1.2, 2.3, 3.5, "kWh", 1)),
        (_wh(0, 0, 0), (0.0, 0.0, 0.0, "Wh", 0)),
        (exact(1.23456, "1", Status.REPORTED), (1.23, 1.23, 1.23, "1", 2)),
        (exact(40, "requests", Status.REPORTED), (40.0, 40.0, 40.0, "requests", 1)),
    ],
)
def test_printed_examples(quantity: Quantity, expected: tuple[float, float, float, str, int]) -> None:
    assert tuple(shown(quantity)) == expected


def test_an_unbounded_ratio_still_prints() -> None:
    printed = shown(ratio(_wh(1, 2, 3), _wh(0, 2, 3)))
    assert printed.high == math.inf
    assert printed.mid == 1.0


@pytest.mark.parametrize(("unit", "plain"), [("gCO2eq", "g"), ("Wh", "Wh"), ("gSbeq", "g Sb eq"), ("tokens", "tokens")])
def test_nothing_is_shown_in_the_plain_unit(unit: str, plain: str) -> None:
    assert shown(exact(0.0, unit, Status.MODELLED)).unit == plain


@pytest.mark.parametrize(("mid", "text"), [(1.6e-4, 160.0), (2.6e-4, 260.0), (7e-5, 70.0)])
def test_a_wide_interval_leaves_two_digits_where_the_first_is_small(mid: float, text: float) -> None:
    assert shown(Quantity(mid / 20, mid, mid * 14, "gCO2eq", Status.DEFAULT)).mid == pytest.approx(text)


def test_a_column_takes_the_unit_of_its_largest() -> None:
    largest, small = exact(1.1e-3, "Wh", Status.MODELLED), exact(6e-4, "Wh", Status.MODELLED)
    assert shown(small).unit == "µWh"
    assert (shown(small, beside=largest).unit, shown(small, beside=largest).mid) == ("mWh", 0.6)
