"""How a figure is written on a page: value, unit, interval, and where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, Fragment, fragment, small, span, strong

from mesure.apps.words import STATUSES
from mesure.quantity import Status

if TYPE_CHECKING:
    from mesure.i18n import Translator
    from mesure.quantity import Quantity

__all__ = ["UNKNOWN", "badge", "figure", "headline"]

UNKNOWN = "—"


def figure(quantity: Quantity | None, t: Translator, *, under_head: bool = False) -> Fragment:
    """`0.31 Wh [0.18-0.52]`; a dash when nothing is known. `under_head`: the column's head already says CO₂e."""
    if quantity is None:
        return fragment[UNKNOWN]
    text = t.quantity(quantity)
    if under_head:
        text = text._replace(unit=text.unit.removesuffix(" CO₂e"))
    return fragment[text.figure, [" ", small[text.interval]] if text.interval else None]


def headline(quantity: Quantity, t: Translator) -> Element:
    """The same in the first sentence: the value does not break, the interval follows it."""
    text = t.quantity(quantity)
    return span(".fig")[strong[text.figure], [" ", small[text.interval]] if text.interval else None]


def badge(status: Status, t: Translator) -> Element:
    """In words, so that colour adds nothing to it."""
    return span(class_="badge" if status in (Status.MEASURED, Status.REPORTED) else "badge m")[t.t(STATUSES[status])]
