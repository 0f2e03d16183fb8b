"""A dot with its whisker on a scale that rows share: for comparisons, where a bar from zero would say too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, svg

from mesure.apps.web.charts.scale import LogScale, Scale, at, scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["dot_row", "dot_scale"]

_WIDTH, _HEIGHT = 200.0, 14.0
#: Room for half a dot at both ends.
_EDGE = 4.0

path = Element("path")


def dot_scale(rows: Sequence[tuple[float, float, float]]) -> Scale | LogScale:
    """The scale of a column of (low, mid, high): from zero, or by decades where they span more than two."""
    return scale_of((value for row in rows for value in row), _EDGE, _WIDTH - _EDGE)


def dot_row(
    interval: tuple[float, float, float] | None,
    scale: Scale | LogScale,
    *,
    series: int = 1,
    alike: tuple[float, float] | None = None,
) -> Element:
    """One row: `interval` is (low, mid, high), None for unknown: no dot. `alike`: values that cannot be told apart from
    the one compared with, shaded. Hidden from screen readers: its numbers stand beside it in the same row.
    """
    middle = at(_HEIGHT / 2)
    marks: list[Element] = [path(class_="guide", d=f"M{at(_EDGE)} {middle}H{at(_WIDTH - _EDGE)}")]
    if alike is not None:
        left, right = (at(scale(bound)) for bound in alike)
        marks.append(path(class_="alike", d=f"M{left} 0H{right}V{at(_HEIGHT)}H{left}Z"))
    if interval is not None:
        low, mid, high = (at(scale(bound)) for bound in interval)
        if interval[2] > interval[0]:
            marks.append(path(class_="whisker", d=f"M{low} {middle}H{high}M{low} 3V11M{high} 3V11"))
        marks.append(path(class_=f"dot mid s{series}", d=f"M{mid} {middle}h0"))
    return svg(
        viewBox=f"0 0 {at(_WIDTH)} {at(_HEIGHT)}", preserveAspectRatio="none", aria_hidden="true", focusable="false"
    )[marks]
