"""Stacked bars: values become heights, nothing leaves the box, unknown is a gap and says so."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from page_reader import read

from mesure.apps.web.charts import SERIES, Bar, bars_top, legend, patterns, plot, stacked_bars, time_axis, value_axis

_NAMES = ("Service client", "Back-office", "Qualité", "Ventes", "Les autres")
_amounts = st.floats(0.0, 1e9, allow_nan=False)


def _drawn(bars: list[Bar], top: float | None = None) -> str:
    return str(
        stacked_bars(
            bars,
            names=_NAMES[: max((len(bar.parts) for bar in bars), default=0)],
            top=bars_top(bars) if top is None else top,
            label="Énergie par jour",
            description="Deux jours",
        )
    )


def _boxes(svg: str, series: int) -> list[tuple[float, float, float, float]]:
    """(left, upper, width, lower) of every box of a series."""
    shapes = re.findall(rf'class="b{series}" d="([^"]*)"', svg)
    found = [re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)V([\d.]+)h-[\d.]+z", shape) for shape in shapes]
    return [tuple(map(float, box)) for boxes in found for box in boxes]  # type: ignore[misc]


def test_a_drawing_to_check_by_eye() -> None:
    """Two bars on a scale to 40: 10 and 20 stacked, whisker from 20 to 40; then 5 alone."""
    svg = _drawn([Bar((10.0, 20.0), (20.0, 30.0, 40.0)), Bar((5.0, 0.0), (5.0, 5.0, 5.0))], top=40.0)
    assert svg == (
        '<svg viewBox="0 0 600 120" preserveAspectRatio="none" role="img" aria-label="Énergie par jour">'
        "<desc>Deux jours</desc>"
        '<path class="guide" d="M0 0H600M0 60H600"></path>'
        '<path class="b1" d="M122 90h56V120h-56zM422 105h56V120h-56z"><title>Service client</title></path>'
        '<path class="b2" d="M122 30h56V90h-56z"><title>Back-office</title></path>'
        '<path class="whisker" d="M150 60V0M146 60H154M146 0H154"></path>'
        '<path class="axis" d="M0 120H600"></path></svg>'
    )


@given(st.lists(st.tuples(_amounts, _amounts, _amounts), min_size=1, max_size=40))
@example([(5e-324, 0.0, 0.0)])
def test_every_value_is_its_height_and_nothing_leaves_the_box(values: list[tuple[float, float, float]]) -> None:
    bars = [Bar(value, (sum(value) * 0.5, sum(value), sum(value) * 2)) for value in values]
    top = bars_top(bars)
    svg = _drawn(bars)
    for number, series in enumerate(zip(*values, strict=True), start=1):
        heights = [lower - upper for _, upper, _, lower in _boxes(svg, number)]
        expected = [value / top * 120 for value in series if value]
        assert heights == pytest.approx(expected, abs=0.11)
    for number in (1, 2, 3):
        for left, upper, width, lower in _boxes(svg, number):
            assert 0.0 <= left <= left + width <= 600.05
            assert 0.0 <= upper <= lower <= 120.0
    whisker = re.search(r'class="whisker" d="([^"]*)"', svg)
    if whisker:
        for position in re.findall(r"V([\d.]+)", whisker[1]):
            assert 0.0 <= float(position) <= 120.0


@given(st.lists(st.lists(_amounts, min_size=SERIES, max_size=SERIES), min_size=1, max_size=60))
def test_series_stand_on_each_other_and_bars_beside_each_other(values: list[list[float]]) -> None:
    bars = [Bar(tuple(value), (sum(value),) * 3) for value in values]
    svg = _drawn(bars)
    assert "whisker" not in svg
    columns: dict[float, list[tuple[float, float]]] = {}
    for number in range(1, SERIES + 1):
        for left, upper, _, lower in _boxes(svg, number):
            columns.setdefault(left, []).append((upper, lower))
    for boxes in columns.values():
        assert boxes[0][1] == 120.0
        for (upper, _), (_, lower) in itertools.pairwise(boxes):
            assert lower == pytest.approx(upper, abs=0.1001)
    lefts = sorted(columns)
    width = min(600 / len(bars) * 0.72, 56.0)
    assert all(after - before >= width - 0.2 for before, after in itertools.pairwise(lefts))


def test_unknown_is_a_mark_of_its_own_and_nothing_is_nothing() -> None:
    svg = _drawn([Bar((None,), None), Bar((0.0,), (0.0, 0.0, 0.0)), Bar((4.0,), (4.0, 4.0, 4.0))], top=4.0)
    assert re.search(r'class="unknown" d="M72 118.5h56"', svg)
    assert _boxes(svg, 1) == [(472.0, 0.0, 56.0, 120.0)]


def test_an_unknown_part_leaves_room_for_the_known_ones() -> None:
    svg = _drawn([Bar((None, 3.0), (3.0, 3.0, 3.0))], top=3.0)
    assert not _boxes(svg, 1)
    assert _boxes(svg, 2) == [(272.0, 0.0, 56.0, 120.0)]


def test_no_bars_draw_the_axis_alone() -> None:
    svg = _drawn([])
    assert "axis" in svg
    assert 'class="b' not in svg


def test_elements_do_not_grow_with_values() -> None:
    few = _drawn([Bar((1.0,) * 5, (1.0, 5.0, 9.0))])
    many = _drawn([Bar((1.0,) * 5, (1.0, 5.0, 9.0))] * 366)
    assert len(read(few).all()) == len(read(many).all()) <= 15


def test_series_differ_by_more_than_colour() -> None:
    tiles = read(str(patterns())).all("pattern")
    assert len({tile["id"] for tile in tiles}) == len(tiles) >= 3
    assert len({tile.one("path")["d"] for tile in tiles}) == len(tiles)
    keys = read(str(legend(_NAMES)))
    assert [item.text for item in keys.all("li")] == list(_NAMES)
    assert [rect["class"] for rect in keys.all("rect")] == ["b1", "b2", "b3", "b4", "b5"]


@pytest.mark.parametrize("count", [1, 7, 12, 24, 28, 30, 31, 52, 60, 92])
def test_a_time_axis_has_few_labels_over_their_bars(count: int) -> None:
    axis = read(str(time_axis([f"d{i}" for i in range(count)]))).one("div")
    cells = axis.all("span")
    labels = [cell.text for cell in cells if cell.text]
    assert labels[0] == "d0"
    assert len(labels) <= 12
    if count > 12:
        widths = [int(cell["class"].removeprefix("g")) for cell in cells]
        assert sum(widths) == count
        assert all(1 <= width <= 8 for width in widths)
        for place, cell in zip(range(0, count, widths[0]), cells, strict=True):
            assert cell.text in ("", f"d{place}")
    else:
        assert labels == [f"d{i}" for i in range(count)]


def test_value_ticks_read_from_the_top_down() -> None:
    whole = read(str(plot(stacked_bars([], names=(), top=1, label="x", description=""), ("0", "1", "2"), None)))
    assert [tick.text for tick in whole.all("span")] == ["2", "1", "0"]
    assert read(str(value_axis(("0", "2")))).one("div")["aria-hidden"] == "true"
