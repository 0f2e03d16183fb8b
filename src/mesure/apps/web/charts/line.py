"""A line with its interval band, and the same in miniature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, svg

from mesure.apps.web.charts.scale import Scale, at, nice_top

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["band_line", "sparkline"]

_WIDTH, _HEIGHT = 600.0, 120.0

path = Element("path")


def band_line(points: Sequence[tuple[float, float, float]], *, top: float, label: str) -> Element:
    """`points` are (low, mid, high) at equal steps, oldest first; `top` is the value of the upper edge.

    The last point is marked. Fewer than two points draw the axis alone.
    """
    up = Scale(top, _HEIGHT, 0.0)
    across = Scale(float(max(len(points) - 1, 1)), 0.0, _WIDTH)
    half = at(_HEIGHT / 2)
    marks: list[Element] = [
        path(class_="axis", d=f"M0 {at(_HEIGHT)}H{at(_WIDTH)}"),
        path(class_="guide", d=f"M0 0H{at(_WIDTH)}M0 {half}H{at(_WIDTH)}"),
    ]
    if len(points) > 1:
        low = [f"{at(across(i))} {round(up(point[0]))}" for i, point in enumerate(points)]
        mid = [f"{at(across(i))} {round(up(point[1]))}" for i, point in enumerate(points)]
        high = [f"{at(across(i))} {round(up(point[2]))}" for i, point in enumerate(points)]
        marks += [
            path(class_="band", d=f"M{' '.join(high)} {' '.join(reversed(low))}Z"),
            path(class_="line", d=f"M{' '.join(mid)}"),
            path(class_="last", d=f"M{mid[-1]}h0"),
        ]
    return _frame(label)[marks]


def sparkline(values: Sequence[float], *, label: str) -> Element:
    """A line alone, on its own scale from zero, for a table cell."""
    if len(values) < 2:
        return _frame(label)
    up = Scale(nice_top(max(values)), _HEIGHT, 0.0)
    across = Scale(float(len(values) - 1), 0.0, _WIDTH)
    places = " ".join(f"{at(across(i))} {round(up(value))}" for i, value in enumerate(values))
    return _frame(label)[path(class_="line", d=f"M{places}")]


def _frame(label: str) -> Element:
    return svg(viewBox=f"0 0 {at(_WIDTH)} {at(_HEIGHT)}", preserveAspectRatio="none", role="img", aria_label=label)
