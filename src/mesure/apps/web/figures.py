"""How a figure is written on a page: value, unit, interval, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, Fragment, fragment, small, span, strong

from mesure.apps.words import STATUSES
from mesure.quantity import Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.i18n import Translator
    from mesure.quantity import Quantity

__all__ = ["UNKNOWN", "badge", "badges", "figure", "headline", "largest"]

UNKNOWN = "—"


def figure(
    quantity: Quantity | None, t: Translator, *, under_head: bool = False, beside: Quantity | None = None
) -> Fragment:
    """`0.31 Wh [0.18-0.52]`; a dash when nothing is known. `under_head`: the column's head already says CO₂e.

    `beside` is the largest of the column, whose unit all its figures take.
    """
    if quantity is None:
        return fragment[UNKNOWN]
    text = t.quantity(quantity, beside)
    if under_head:
        text = text._replace(unit=text.unit.removesuffix(" CO₂e"))
    return fragment[text.figure, [" ", small[text.interval]] if text.interval else None]


def largest(quantities: Iterable[Quantity | None]) -> Quantity | None:
    """What gives a column its unit."""
    return max((quantity for quantity in quantities if quantity is not None), key=lambda q: q.mid, default=None)


def headline(quantity: Quantity, t: Translator) -> Element:
    """The same in the first sentence: the value does not break, the interval follows it."""
    text = t.quantity(quantity)
    return span(".fig")[strong[text.figure], [" ", small[text.interval]] if text.interval else None]


def badge(status: Status, t: Translator, of: str = "") -> Element:
    """In words, so that colour adds nothing to it. `of` names the figure it speaks of, where there are several."""
    text = t.t(STATUSES[status])
    sure = status in (Status.MEASURED, Status.REPORTED)
    return span(class_="badge" if sure else "badge m")[
        t.t("{figure}: {status}", figure=of, status=text) if of else text
    ]


def badges(energy: Quantity, carbon: Quantity | None, t: Translator) -> Fragment:
    """One for both figures where it holds for both, else one each. A call that failed has nothing to tell apart."""
    if carbon is None or carbon.status == energy.status or energy.mid <= 0.0:
        return fragment[badge(energy.status, t)]
    return fragment[badge(energy.status, t), " ", badge(carbon.status, t, "CO₂e")]
