"""Bars over time, each stacked of its series, with a whisker for the interval of its total."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from htpy import Element

from mesure.apps.web.charts.frame import HEIGHT, SERIES, WIDTH, frame, shape
from mesure.apps.web.charts.scale import Scale, at, nice_top

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Bar", "bars_top", "is_cut", "stacked_bars"]

#: Share of its place that a bar fills, and how wide it becomes at most.
_FILLED, _WIDEST = 0.72, 56.0
#: Whiskers may take so many times the height of the highest bar.
_WHISKERS = 2.0

path = Element("path")


class Bar(NamedTuple):
    """`parts` by series, None where one is unknown; `total` is (low, mid, high), None when nothing of it is known."""

    parts: tuple[float | None, ...]
    total: tuple[float, float, float] | None


def bars_top(bars: Sequence[Bar]) -> float:
    """The value of the upper edge: it holds every bar, and every whisker that leaves bars something to be seen by."""
    highest = max((bar.total[1] for bar in bars if bar.total), default=0.0)
    whiskers = max((bar.total[2] for bar in bars if bar.total), default=0.0)
    return nice_top(min(whiskers, highest * _WHISKERS) if highest > 0.0 else whiskers)


def is_cut(bars: Sequence[Bar], top: float) -> bool:
    """Whether a whisker goes on beyond the edge: it is drawn without its end."""
    return any(bar.total is not None and bar.total[2] > top for bar in bars)


def stacked_bars(bars: Sequence[Bar], *, names: Sequence[str], top: float, label: str, description: str) -> Element:
    """One shape per series. A bar without total is a dashed mark on the axis, so that unknown does not read as 0."""
    up = Scale(top, HEIGHT, 0.0)
    places = _places(len(bars))
    drawn: list[list[str]] = [[] for _ in range(min(len(names), SERIES))]
    whiskers, unknown = [], []
    for bar, (left, width) in zip(bars, places, strict=True):
        if bar.total is None:
            unknown.append(f"M{at(left)} {at(HEIGHT - 1.5)}h{at(width)}")
            continue
        base = 0.0
        for series, part in zip(drawn, bar.parts, strict=True):
            if part:
                series.append(_box(left, width, up(base + part), up(base)))
                base += part
        whiskers.append(_whisker(left + width / 2, width, up(bar.total[0]), up(bar.total[2]), cut=bar.total[2] > top))
    half = at(HEIGHT / 2)
    return frame(
        label,
        path(class_="guide", d=f"M0 0H{at(WIDTH)}M0 {half}H{at(WIDTH)}"),
        [shape(i, "".join(boxes), names[i - 1]) for i, boxes in enumerate(drawn, start=1) if boxes],
        path(class_="whisker", d="".join(whiskers)) if any(whiskers) else None,
        path(class_="unknown", d="".join(unknown)) if unknown else None,
        path(class_="axis", d=f"M0 {at(HEIGHT)}H{at(WIDTH)}"),
        description=description,
    )


def _places(count: int) -> list[tuple[float, float]]:
    """(left edge, width) of each bar, in the middle of its share of the axis."""
    step = WIDTH / max(count, 1)
    width = min(step * _FILLED, _WIDEST)
    return [(i * step + (step - width) / 2, width) for i in range(count)]


def _box(left: float, width: float, upper: float, lower: float) -> str:
    return f"M{at(left)} {at(upper)}h{at(width)}V{at(lower)}h-{at(width)}z"


def _whisker(middle: float, width: float, low: float, high: float, *, cut: bool) -> str:
    """`low` is further down, so its position is the larger one."""
    if low - high < 0.1:
        return ""
    cap = min(width * 0.25, 4.0)
    left, right = at(middle - cap), at(middle + cap)
    end = "" if cut else f"M{left} {at(high)}H{right}"
    return f"M{at(middle)} {at(low)}V{at(high)}M{left} {at(low)}H{right}{end}"
