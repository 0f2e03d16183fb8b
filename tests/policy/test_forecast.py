from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.policy.forecast import foresee

_FILE = Path(__file__).parents[2] / "bench" / "forecast.py"
AMOUNTS = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


@pytest.fixture(scope="module")
def bench():
    """The back-test itself, so that what it says is what is tested."""
    spec = importlib.util.spec_from_file_location("bench_forecast", _FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def days(count, first=0):
    return [day % 7 for day in range(first, first + count)]


def of(values, horizon, **given):
    return foresee(values, days(len(values)), days(horizon, len(values)), **given)


def test_without_any_use_there_is_nothing_to_foresee_from():
    assert of([], 10) is None
    assert of([0.0] * 30, 10) is None


@given(AMOUNTS, st.integers(1, 60))
def test_quantiles_are_in_order_and_sums_only_grow(values, horizon):
    found = of(values, horizon)
    if found is None:
        assert not any(values)
        return
    assert len(found.cumulated) == horizon
    last = (0.0, 0.0, 0.0)
    for outlook in found.cumulated:
        assert 0.0 <= outlook.low <= outlook.mid <= outlook.high < 1e12
        assert all(now >= before for now, before in zip(outlook, last, strict=True))
        last = outlook


@given(AMOUNTS, st.sampled_from([2.0**-10, 0.5, 2.0, 2.0**20]), st.integers(1, 30))
def test_a_forecast_in_another_unit_is_the_same_forecast(values, factor, horizon):
    values = [round(value, 3) for value in values]
    plain, scaled = of(values, horizon), of([value * factor for value in values], horizon)
    if plain is None or scaled is None:
        assert plain is scaled is None
        return
    for a, b in zip(plain.total, scaled.total, strict=True):
        assert b == pytest.approx(a * factor, rel=1e-4, abs=1e-6 * factor)


@given(st.floats(0.001, 1e6), st.integers(1, 90), st.integers(1, 40))
def test_what_never_varied_is_foreseen_as_it_was(level, history, horizon):
    found = of([level] * history, horizon)
    assert found.total.low <= level * horizon <= found.total.high
    assert found.total.mid == pytest.approx(level * horizon, rel=0.35 if history < 7 else 0.1)
    assert not found.seasonal
    assert not found.trend


def test_the_interval_narrows_with_history():
    draw = random.Random(3)
    values = [100 * draw.uniform(0.8, 1.2) for _ in range(120)]
    widths = [(found := of(values[:n], 10).total).high / max(found.low, 1e-9) for n in (2, 5, 14, 60, 120)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 3
    assert widths[-1] < 1.6


def test_no_use_before_the_first_is_no_history():
    begun_late = of([0.0] * 50 + [10.0] * 5, 10)
    assert begun_late.history == 5
    assert begun_late.total == foresee([10.0] * 5, days(5, 50), days(10, 55)).total


def test_weekends_are_known_after_a_few_weeks():
    week = [100.0, 104, 97, 103, 96, 5, 4]
    found = of(week * 6, 7)
    assert found.seasonal
    shares = [found.cumulated[0].mid] + [
        later.mid - earlier.mid for earlier, later in zip(found.cumulated, found.cumulated[1:], strict=False)
    ]
    assert all(share > 80 for share in shares[:5])
    assert all(share < 20 for share in shares[5:])


def test_chance_is_not_taken_for_a_pattern():
    draw, believed = random.Random(5), []
    for _ in range(40):
        values = [draw.lognormvariate(0, 0.3) for _ in range(42)]
        first = [found.mid for found in of(values, 7).cumulated]
        steps = [b - a for a, b in zip([0.0, *first], first, strict=False)]
        believed.append(max(steps) / min(steps))
    assert sorted(believed)[len(believed) // 2] < 1.35


def test_growth_is_followed_and_damped():
    growing = [10 * 1.02**day for day in range(90)]
    found = of(growing, 30)
    assert found.trend
    flat, full = growing[-1] * 30, sum(10 * 1.02**day for day in range(90, 120))
    assert flat < found.total.mid < full
    assert found.total.high > full * 0.9


def test_use_now_and_then_may_not_come_at_all():
    draw = random.Random(8)
    values = [30.0 if draw.random() < 0.12 else 0.0 for _ in range(150)]
    few, many = of(values, 3).total, of(values, 60).total
    assert few.low == few.mid == 0.0
    assert few.high >= 30.0
    assert many.low > 0.0


def test_what_is_over_of_today_is_not_foreseen_again():
    values = [50.0] * 30
    whole, half, over = (of(values, 5, elapsed=share).total.mid for share in (0.0, 0.5, 1.0))
    assert half == pytest.approx(whole * 4.5 / 5, rel=0.02)
    assert over == pytest.approx(whole * 4 / 5, rel=0.02)


def test_when_the_room_is_used_up():
    found = of([10.0, 12, 9, 11, 10, 8, 12] * 8, 20)
    early, middle, late = found.reached(100.0)
    assert early <= middle <= late
    assert abs(middle - 9) <= 1
    assert found.reached(10_000.0) == (None, None, None)
    assert found.reached(0.0) == (0, 0, 0)
    total = found.total
    assert found.reached((total.mid + total.high) / 2)[1:] == (None, None)


def test_an_outlier_widens_and_does_not_carry_the_level_away():
    calm = [100.0 + day % 3 for day in range(60)]
    struck = [*calm[:-1], 5000.0]
    before, after = of(calm, 14).total, of(struck, 14).total
    assert after.high - after.low > before.high - before.low
    assert after.mid < 5000 * 14 / 4


@pytest.mark.parametrize("name", ["steady", "flat", "growing", "ending", "bursty", "intermittent", "wandering", "new"])
def test_the_interval_holds_what_came_on_made_series(bench, name):
    found = bench.families(range(20_000, 20_012))[name]  # seeds that nothing was chosen on
    assert found["cases"] >= 100
    assert 0.75 <= found["covered"] <= 0.99


def test_the_interval_holds_what_came_on_the_real_trace(bench, shared_data):
    """The trace had no part in choosing the method."""
    found = bench.on_trace(shared_data)
    assert found["cases"] > 500
    assert 0.80 <= found["covered"] <= 0.95
    assert found["width"] < 1.0


def test_teams_of_the_trace_are_assigned_and_add_up(bench, shared_data):
    series = dict(bench.trace_series(shared_data))
    assert sum(series["calls, all, 60 s"]) > 18_000
    assert 0 < sum(series["calls, team-0, 60 s"]) < sum(series["calls, team-3, 60 s"])


def test_the_work_grows_with_the_history_alone(monkeypatch):
    """Counted, not timed: reads of the history per bucket stay the same from one year to three."""

    class Counted(list):
        reads = 0

        def __getitem__(self, index):
            if isinstance(index, int):
                Counted.reads += 1
            return super().__getitem__(index)

    import mesure.policy.forecast as module

    whole = module._run

    def counted(values, factors, candidate, horizon):
        return whole(Counted(values), factors, candidate, horizon)

    monkeypatch.setattr(module, "_run", counted)
    reads = []
    for count in (300, 900):
        Counted.reads = 0
        of([1.0 + day % 5 for day in range(count)], 30)
        reads.append(Counted.reads / count)
    assert reads[0] == pytest.approx(reads[1], rel=0.05)
