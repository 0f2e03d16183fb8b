"""What every drawing shares: its frame with words for readers, series told apart by pattern, axes and keys in HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, Node, div, li, span, svg, ul

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HEIGHT", "SERIES", "WIDTH", "frame", "legend", "patterns", "plot", "shape", "time_axis", "value_axis"]

WIDTH, HEIGHT = 600.0, 120.0
#: Series that a chart tells apart; what comes after them belongs together as the last one.
SERIES = 5
#: The widest cell of a time axis, in bars: the style sheet has one rule for each.
_WIDEST = 8

title = Element("title")
desc = Element("desc")
path = Element("path")
pattern = Element("pattern")
rect = Element("rect")

#: Series -> (size of the tile, its strokes). The first is plain, the last is empty with an edge.
_TILES = {2: (5, "M-1 6 6-1M-1 1 1-1M4 6 6 4"), 3: (4, "M2 2h0"), 4: (4, "M0 2H4")}


def frame(
    label: str, *marks: Node, description: str = "", width: float = WIDTH, height: float = HEIGHT, kind: str = ""
) -> Element:
    """A drawing that stretches with its column. `label` names it; `description` says what it shows, for who cannot see
    it."""
    return svg(
        viewBox=f"0 0 {width:g} {height:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_=kind or None,
    )[desc[description] if description else None, marks]


def shape(series: int, d: str, name: str = "") -> Element:
    """A filled shape of a series (1-5); its name shows under the pointer."""
    return path(class_=f"b{series}", d=d)[title[name] if name else None]


def patterns() -> Element:
    """Put once on a page with series: what tells them apart without colour."""
    return svg(class_="patterns", aria_hidden="true", focusable="false")[
        [
            pattern(id=f"p{series}", width=str(size), height=str(size), patternUnits="userSpaceOnUse")[
                rect(class_=f"t{series}", width=str(size), height=str(size)), path(class_=f"k{series}", d=strokes)
            ]
            for series, (size, strokes) in _TILES.items()
        ]
    ]


def legend(names: Sequence[Node]) -> Element:
    """Keys of the series, in their order."""
    return ul(".legend")[
        [
            li[
                svg(class_="key", viewBox="0 0 12 12", aria_hidden="true", focusable="false")[
                    rect(class_=f"b{series}", width="12", height="12")
                ],
                name,
            ]
            for series, name in enumerate(names, start=1)
        ]
    ]


def plot(drawing: Element, values: Sequence[str], times: Element | None = None) -> Element:
    """A drawing with its axes. `values` are the ticks from the bottom up; the table behind says the same to readers."""
    return div(".plot")[drawing, value_axis(values), times]


def value_axis(labels: Sequence[str]) -> Element:
    return div(".y", aria_hidden="true")[[span[label] for label in reversed(labels)]]


def time_axis(labels: Sequence[str]) -> Element:
    """One label per bar where they are few, else one for each group of bars, under its first."""
    count = len(labels)
    step = 1 if count <= _WIDEST + 4 else next((n for n in (4, 5, 7, _WIDEST) if count / n <= 6), _WIDEST)
    cells = [(labels[i], min(step, count - i)) for i in range(0, count, step)]
    if step == 1:
        return div(".x.each", aria_hidden="true")[[span[label] for label, _ in cells]]
    return div(".x", aria_hidden="true")[
        [span(class_=f"g{width}")[label if width * 2 >= step else None] for label, width in cells]
    ]
