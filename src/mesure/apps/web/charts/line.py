"""Lines with their interval bands, and the same in miniature. Unknown is a gap, never 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element

from mesure.apps.web.charts.frame import HEIGHT, SERIES, WIDTH, frame
from mesure.apps.web.charts.scale import Scale, at, nice_top

if TYPE_CHECKING:
    from collections.abc import Sequence

    Point = tuple[float, float, float] | None

__all__ = ["band_line", "lines", "sparkline"]

path = Element("path")


def band_line(points: Sequence[Point], *, top: float, label: str, description: str = "") -> Element:
    """`points` are (low, mid, high) at equal steps, oldest first; `top` is the value of the upper edge.

    The last point is marked. Fewer than two points draw the axis alone.
    """
    up, across = _scales(points, top)
    marks = _axis()
    if len(points) > 1:
        marks += [path(class_="band", d=_band(points, across, up)), path(class_="line", d=_line(points, across, up))]
        if points[-1] is not None:
            marks.append(path(class_="last", d=f"M{at(across(len(points) - 1.0))} {round(up(points[-1][1]))}h0"))
    return frame(label, marks, description=description)


def lines(
    series: Sequence[Sequence[Point]], *, top: float, label: str, description: str, names: Sequence[str] = ()
) -> Element:
    """Up to five lines on one scale, each in its colour and dashes, with its band."""
    marks = _axis()
    for number, points in enumerate(series[:SERIES], start=1):
        up, across = _scales(points, top)
        name = Element("title")[names[number - 1]] if names else None
        marks += [
            path(class_=f"band a{number}", d=_band(points, across, up)),
            path(class_=f"line l{number}", d=_line(points, across, up))[name],
        ]
    return frame(label, marks, description=description)


def sparkline(values: Sequence[float | None], *, label: str) -> Element:
    """A line alone, on its own scale from zero, for a table cell."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return frame(label)
    points = [None if value is None else (value, value, value) for value in values]
    up, across = _scales(points, nice_top(max(known)))
    return frame(label, path(class_="line", d=_line(points, across, up)))


def _scales(points: Sequence[Point], top: float) -> tuple[Scale, Scale]:
    return Scale(top, HEIGHT, 0.0), Scale(float(max(len(points) - 1, 1)), 0.0, WIDTH)


def _axis() -> list[Element]:
    half = at(HEIGHT / 2)
    return [
        path(class_="axis", d=f"M0 {at(HEIGHT)}H{at(WIDTH)}"),
        path(class_="guide", d=f"M0 0H{at(WIDTH)}M0 {half}H{at(WIDTH)}"),
    ]


def _runs(points: Sequence[Point]) -> list[list[tuple[int, tuple[float, float, float]]]]:
    """Points that follow each other without a gap."""
    runs: list[list[tuple[int, tuple[float, float, float]]]] = []
    before: Point = None
    for i, point in enumerate(points):
        if point is not None:
            if before is None:
                runs.append([])
            runs[-1].append((i, point))
        before = point
    return runs


def _line(points: Sequence[Point], across: Scale, up: Scale) -> str:
    """A point alone between gaps is a dot."""
    return "".join(_path(run, 1, across, up) + ("h0" if len(run) == 1 else "") for run in _runs(points))


def _band(points: Sequence[Point], across: Scale, up: Scale) -> str:
    return "".join(
        f"{_path(run, 2, across, up)} {_path(run[::-1], 0, across, up)[1:]}Z" for run in _runs(points) if len(run) > 1
    )


def _path(run: Sequence[tuple[int, tuple[float, float, float]]], bound: int, across: Scale, up: Scale) -> str:
    return "M" + " ".join(f"{at(across(i))} {round(up(point[bound]))}" for i, point in run)
