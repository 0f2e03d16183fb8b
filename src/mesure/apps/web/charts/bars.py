"""A bar that ends on a mark at the middle value, with a whisker from its low to its high bound."""

from __future__ import annotations

from htpy import Element, svg

from mesure.apps.web.charts.scale import Scale, at

__all__ = ["whisker_bar"]

_WIDTH, _HEIGHT = 200.0, 14.0

rect = Element("rect")
path = Element("path")


def whisker_bar(low: float, mid: float, high: float, *, top: float, series: int = 1) -> Element:
    """Bars drawn with one `top` compare with each other. `series` (1-5) picks the colour.

    Hidden from screen readers: its numbers stand beside it in the same row. A value above zero is never narrower than
    a visible mark.
    """
    across = Scale(top, 0.0, _WIDTH)
    left, right = at(across(low)), at(across(high))
    width = max(across(mid), 1.0) if mid > 0.0 else 0.0
    middle, upper, lower = at(_HEIGHT / 2), "3", "11"
    whisker = f"M{left} {middle}H{right}M{left} {upper}V{lower}M{right} {upper}V{lower}"
    return svg(
        viewBox=f"0 0 {at(_WIDTH)} {at(_HEIGHT)}", preserveAspectRatio="none", aria_hidden="true", focusable="false"
    )[
        rect(class_=f"s{series}", y="3", width=at(width), height="8"),
        path(class_=f"mid s{series}", d=f"M{at(width)} 1V13") if mid > 0.0 else None,
        path(class_="whisker", d=whisker) if high > low else None,
    ]
