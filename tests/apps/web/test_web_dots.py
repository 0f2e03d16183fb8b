"""Dots, gauges, lines with gaps, and the scales they share."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import read

from mesure.apps.web.charts import (
    LogScale,
    Scale,
    band_line,
    budget_gauge,
    decades,
    dot_row,
    dot_scale,
    lines,
    scale_of,
    sparkline,
)

_positive = st.floats(1e-12, 1e12)


# Scales


@given(st.lists(_positive, min_size=1, max_size=20))
def test_decades_hold_every_value_in_order(values: list[float]) -> None:
    scale = decades(values, 4.0, 196.0)
    places = [scale(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(4.0 - 1e-6 <= place <= 196.0 + 1e-6 for place in places)
    assert scale(scale.bottom) == 4.0
    assert scale(scale.top) == pytest.approx(196.0)


def test_each_decade_takes_the_same_room() -> None:
    scale = decades([0.3, 250.0], 0.0, 100.0)
    assert (scale.bottom, scale.top) == (0.1, 1000.0)
    assert [scale(10.0**power) for power in (-1, 0, 1, 2, 3)] == pytest.approx([0, 25, 50, 75, 100])
    assert scale.ticks == pytest.approx((0.1, 1.0, 10.0, 100.0, 1000.0))
    assert [scale(outside) for outside in (0.0, -3.0, 1e9)] == [0.0, 0.0, 100.0]


@given(_positive, st.floats(1, 1e20))
def test_ticks_of_decades_are_few_and_inside(low: float, span: float) -> None:
    scale = decades([low, low * span], 0.0, 1.0)
    assert 2 <= len(scale.ticks) <= 5
    assert all(scale.bottom * 0.999 <= tick <= scale.top * 1.001 for tick in scale.ticks)
    assert all(math.isclose(math.log10(tick), round(math.log10(tick)), abs_tol=1e-9) for tick in scale.ticks)


@pytest.mark.parametrize(
    ("values", "kind"), [([1, 99], Scale), ([1, 100], LogScale), ([0, 0.5, 60], LogScale), ([], Scale), ([0], Scale)]
)
def test_a_scale_by_decades_only_where_small_values_would_vanish(values: list[float], kind: type) -> None:
    assert isinstance(scale_of(values, 0.0, 1.0), kind)


def test_ticks_of_a_plain_scale() -> None:
    assert Scale(40.0, 0.0, 1.0).ticks == (0.0, 20.0, 40.0)


# Dots


def test_a_row_to_check_by_eye() -> None:
    assert str(dot_row((25, 50, 75), Scale(100.0, 0.0, 200.0), series=2, alike=(40, 60))) == (
        '<svg viewBox="0 0 200 14" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<path class="guide" d="M4 7H196"></path>'
        '<path class="alike" d="M80 0H120V14H80Z"></path>'
        '<path class="whisker" d="M50 7H150M50 3V11M150 3V11"></path>'
        '<path class="dot mid s2" d="M100 7h0"></path></svg>'
    )


@given(st.lists(st.tuples(_positive, st.floats(1, 50), st.floats(1, 50)), min_size=1, max_size=8))
def test_dots_lie_between_their_ends_inside_the_row(rows: list[tuple[float, float, float]]) -> None:
    intervals = [(mid / down, mid, mid * up) for mid, down, up in rows]
    scale = dot_scale(intervals)
    for interval in intervals:
        svg = str(dot_row(interval, scale))
        dot = float(re.search(r'class="dot mid s1" d="M([\d.]+) ', svg)[1])  # type: ignore[index]
        low, high = (scale(interval[0]), scale(interval[2]))
        assert 4.0 - 0.1 <= low - 0.1 <= dot <= high + 0.1 <= 196.0 + 0.2


def test_unknown_has_no_dot_and_exact_no_whisker() -> None:
    scale = Scale(10.0, 4.0, 196.0)
    assert "dot" not in str(dot_row(None, scale))
    assert "whisker" not in str(dot_row((3, 3, 3), scale))
    assert "dot" in str(dot_row((0, 0, 0), scale))  # known to be nothing


# Gauges


def _width(svg: str, name: str) -> float:
    return float(re.search(rf'class="{name}" y="4" width="([\d.]+)"', svg)[1])  # type: ignore[index]


def test_a_budget_to_check_by_eye() -> None:
    assert str(budget_gauge(0.71, thresholds=(0.8,), forecast=(0.93, 0.96, 1.0), series=2)) == (
        '<svg class="budget" viewBox="0 0 200 14" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" y="4" width="200" height="6" rx="3"></rect>'
        '<rect class="s2" y="4" width="142" height="6" rx="3"></rect>'
        '<path class="threshold" d="M160 2V12"></path>'
        '<path class="whisker" d="M186 7H200M186 4V10M200 4V10M192 2V12"></path></svg>'
    )


@given(st.floats(0, 5), st.floats(0, 5), st.floats(0, 3))
def test_a_budget_s_marks_stay_inside_and_keep_their_order(spent: float, more: float, spread: float) -> None:
    mid = spent + more
    svg = str(budget_gauge(spent, thresholds=(0.5, 0.8), forecast=(mid, mid, mid + spread)))
    track, bar = _width(svg, "track"), _width(svg, "s1")
    assert 0.0 <= bar <= 200.0
    assert 0.0 < track <= 200.0
    assert (bar <= track + 0.1) == (spent <= 1.0005) or abs(spent - 1.0) < 0.01
    ends = re.search(r'class="whisker" d="M([\d.]+) 7H([\d.]+)', svg)
    assert ends
    assert bar - 0.1 <= float(ends[1]) <= float(ends[2]) <= 200.0
    assert ("limit" in svg) == (track < 200.0)


@pytest.mark.parametrize(
    ("furthest", "limit"), [(0.4, 200), (1.0, 200), (1.08, 160), (1.3, 133.3), (1.9, 100), (7.0, 100)]
)
def test_the_budget_keeps_most_of_its_scale(furthest: float, limit: float) -> None:
    assert _width(str(budget_gauge(0.3, forecast=(0.3, 0.35, furthest))), "track") == limit


def test_an_unknown_budget_has_a_track_and_no_bar() -> None:
    svg = str(budget_gauge(None))
    assert "track" in svg
    assert "s1" not in svg
    assert "whisker" not in svg


# Lines


def test_a_gap_parts_line_and_band() -> None:
    points = [(5.0, 10.0, 20.0), (10.0, 20.0, 40.0), None, (0.0, 0.0, 0.0), None, (5.0, 10.0, 20.0), (5.0, 10.0, 20.0)]
    svg = str(band_line(points, top=40, label="Power", description="An hour"))
    assert 'class="line" d="M0 90 100 60M300 120h0M500 90 600 90"' in svg
    assert 'class="band" d="M0 60 100 0 100 90 0 105ZM500 60 600 60 600 105 500 105Z"' in svg
    assert "<desc>An hour</desc>" in svg


def test_a_line_that_ends_unknown_has_no_mark_at_its_end() -> None:
    assert 'class="last"' not in str(band_line([(1, 2, 3), (1, 2, 3), None], top=4, label="x"))
    assert 'class="last"' in str(band_line([None, (1, 2, 3), (1, 2, 3)], top=4, label="x"))


@given(st.lists(st.one_of(st.none(), st.tuples(st.floats(0, 1), st.floats(1, 2), st.floats(2, 4))), max_size=30))
def test_as_many_places_as_known_points(points: list[tuple[float, float, float] | None]) -> None:
    svg = str(band_line(points, top=4, label="x"))
    line = re.search(r'class="line" d="([^"]*)"', svg)
    known = [point for point in points if point is not None]
    if len(points) > 1:
        assert line
        places = re.findall(r"([\d.]+) (\d+)", line[1])
        assert len(places) == len(known)
        assert [120 - int(y) for _, y in places] == pytest.approx([mid / 4 * 120 for _, mid, _ in known], abs=0.51)
        assert all(0 <= float(x) <= 600 for x, _ in places)


def test_several_lines_differ_by_dashes_and_name() -> None:
    svg = str(
        lines([[(1, 2, 3)] * 3] * 7, top=4, label="Models", description="Seven", names=[f"m{i}" for i in range(7)])
    )
    drawing = read(svg)
    assert [path["class"] for path in drawing.all("path") if "line" in path["class"]] == [
        f"line l{i}" for i in range(1, 6)
    ]
    assert [title.text for title in drawing.all("title")] == ["m0", "m1", "m2", "m3", "m4"]
    assert "title" not in str(lines([[(1, 2, 3)] * 2], top=4, label="x", description=""))


def test_a_sparkline_with_a_gap() -> None:
    assert 'd="M0 120M200 60 400 0"' not in str(sparkline([0, None, 1, 2], label="Week"))
    assert 'd="M0 120h0M400 60 600 0"' in str(sparkline([0, None, 1, 2], label="Week"))
    assert "path" not in str(sparkline([3, None], label="Week"))
