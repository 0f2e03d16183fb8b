"""A budget: what is spent of it, where its thresholds are, and where the forecast ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, svg

from mesure.apps.web.charts.scale import Scale, at

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["budget_gauge"]

_WIDTH, _HEIGHT = 200.0, 14.0
#: Ends of the scale, in budgets; what lies beyond the last stands at the edge, and in figures beside it.
_TOPS = (1.0, 1.25, 1.5, 2.0)

rect = Element("rect")
path = Element("path")


def budget_gauge(
    spent: float | None,
    *,
    thresholds: Sequence[float] = (),
    forecast: tuple[float, float, float] | None = None,
    series: int = 1,
) -> Element:
    """Shares of the budget, 1 being the whole: spent so far (None when unknown: no bar), thresholds, and the forecast
    (low, mid, high) at the end of the period. Hidden from screen readers: the same figures stand beside it."""
    ends = (spent or 0.0, forecast[2] if forecast else 0.0, *thresholds)
    across = Scale(next((top for top in _TOPS if max(ends) <= top), _TOPS[-1]), 0.0, _WIDTH)
    limit = at(across(1.0))
    marks: list[Element | None] = [rect(class_="track", y="4", width=limit, height="6", rx="3")]
    if spent is not None:
        marks.append(rect(class_=f"s{series}", y="4", width=at(across(spent)), height="6", rx="3"))
    ticks = "".join(f"M{at(across(threshold))} 2V12" for threshold in thresholds)
    marks += [
        path(class_="threshold", d=ticks) if ticks else None,
        path(class_="limit", d=f"M{limit} 0V14") if across.top > 1.0 else None,
        path(class_="whisker", d=_whisker(forecast, across)) if forecast else None,
    ]
    return svg(
        class_="budget", viewBox="0 0 200 14", preserveAspectRatio="none", aria_hidden="true", focusable="false"
    )[marks]


def _whisker(forecast: tuple[float, float, float], across: Scale) -> str:
    low, mid, high = (at(across(share)) for share in forecast)
    return f"M{low} 7H{high}M{low} 4V10M{high} 4V10M{mid} 2V12"
