"""Charts: positions, edges, and what they do with nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.apps.web.charts import Scale, band_line, dial, needle_angle, nice_top, sparkline, whisker_bar


@given(st.floats(1e-6, 1e9))
def test_a_nice_top_holds_the_highest_value_and_wastes_little(highest: float) -> None:
    top = nice_top(highest)
    assert highest <= top * (1 + 1e-6)
    assert top <= highest * 2.001


@pytest.mark.parametrize(
    ("highest", "top"), [(318, 400), (0.9, 1), (1, 1), (5.6, 6), (99, 100), (0, 1), (float("inf"), 1)]
)
def test_nice_tops(highest: float, top: float) -> None:
    assert nice_top(highest) == pytest.approx(top)


def test_a_scale_keeps_what_lies_outside_at_its_edge() -> None:
    up = Scale(100.0, 120.0, 0.0)
    assert [up(0), up(50), up(100), up(900), up(-4)] == [120.0, 60.0, 0.0, 0.0, 120.0]
    assert Scale(0.0, 0.0, 10.0)(5.0) == 0.0


def test_the_line_runs_inside_its_band() -> None:
    svg = str(band_line([(5, 10, 20), (10, 20, 40), (0, 0, 0)], top=40, label="Power"))
    assert 'role="img" aria-label="Power"' in svg
    assert 'class="line" d="M0 90 300 60 600 120"' in svg
    assert 'class="band" d="M0 60 300 0 600 120 600 120 300 90 0 105Z"' in svg
    assert 'class="last" d="M600 120h0"' in svg


@pytest.mark.parametrize("points", [[], [(1.0, 2.0, 3.0)]])
def test_too_few_points_draw_the_axis_alone(points: list[tuple[float, float, float]]) -> None:
    svg = str(band_line(points, top=10, label="Power"))
    assert "axis" in svg
    assert 'class="line"' not in svg


def test_sixty_points_stay_small() -> None:
    svg = str(band_line([(i / 2, i * 1.013, i * 2.0) for i in range(60)], top=120, label="Power"))
    assert len(svg) < 2_500


def test_sparkline_has_its_own_scale() -> None:
    assert 'd="M0 120 300 60 600 0"' in str(sparkline([0, 1, 2], label="Week"))
    assert "path" not in str(sparkline([3], label="Week"))


def test_bars_share_their_scale_and_carry_whiskers() -> None:
    svg = str(whisker_bar(25, 50, 100, top=100, series=2))
    assert 'class="s2" y="3" width="100"' in svg
    assert 'd="M50 7H200M50 3V11M200 3V11"' in svg
    assert "whisker" not in str(whisker_bar(5, 5, 5, top=100))


def test_a_bar_above_nothing_is_visible() -> None:
    assert 'width="1"' in str(whisker_bar(1e-6, 1e-6, 1e-6, top=100))
    assert 'width="0"' in str(whisker_bar(0, 0, 0, top=100))


@given(st.floats(0, 1e6), st.floats(1e-3, 1e6))
def test_the_needle_stays_on_its_dial(value: float, top: float) -> None:
    assert -84.0 <= needle_angle(value, top) <= 84.0


def test_the_dial_shows_needle_and_interval() -> None:
    svg = str(dial(100, 200, 300, top=400, needle_id="needle"))
    assert re.search(r'<g id="needle" class="needle" transform="rotate\(0\)">', svg)
    assert 'class="span"' in svg
    assert 'class="span"' not in str(dial(5, 5, 5, top=10))
    assert 'aria-hidden="true"' in svg
