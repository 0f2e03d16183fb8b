"""Amounts of the page's measures as they are written: quantities with interval, counts as whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, Node, span, strong

from mesure.apps.web.figures import UNKNOWN, figure, headline
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.i18n import Translator

__all__ = ["amount", "changed", "counted", "spoken", "tick_labels", "told"]

_COUNTS = ("calls", "tokens")
#: Below one per cent, two amounts are called as large as each other; from this factor on, "x 2.3" reads better.
_SAME, _TIMES_FROM = 0.01, 2.0


def amount(quantity: Quantity | None, t: Translator, beside: Quantity | None = None) -> Node:
    """In a cell, in the unit of the largest of its column; a dash when unknown."""
    if quantity is not None and quantity.unit in _COUNTS:
        return t.number(quantity.mid)
    return figure(quantity, t, beside=beside)


def told(quantity: Quantity, t: Translator) -> Element:
    """In a sentence."""
    if quantity.unit in _COUNTS:
        return span(".fig")[strong[counted(quantity, t)]]
    return headline(quantity, t)


def counted(quantity: Quantity, t: Translator) -> str:
    if quantity.unit == "calls":
        return t.n("{count} call", "{count} calls", quantity.mid)
    return t.n("{count} token", "{count} tokens", quantity.mid)


def spoken(quantity: Quantity, t: Translator) -> str:
    """As plain text, with its interval."""
    return counted(quantity, t) if quantity.unit in _COUNTS else str(t.quantity(quantity))


def tick_labels(ticks: Sequence[float], unit: str, t: Translator) -> list[str]:
    """Of an axis, all in the unit of its top."""
    if unit in _COUNTS:
        return [t.number(value, 0 if value == int(value) else 1) for value in ticks]
    top = _exactly(ticks[-1], unit)
    return ["0" if value == 0.0 else t.quantity(_exactly(value, unit), top).figure for value in ticks]


def _exactly(value: float, unit: str) -> Quantity:
    return Quantity(value, value, value, unit, Status.MODELLED)


def changed(ratio: Quantity | None, t: Translator) -> str:
    """A ratio to the period before, for a cell: a share more or less, "=" for none, and "≈" where no difference can be
    told."""
    if ratio is None:
        return UNKNOWN
    if abs(ratio.mid - 1.0) < _SAME:
        return "="
    if ratio.low <= 1.0 <= ratio.high:
        return "≈"
    if ratio.mid >= _TIMES_FROM:
        return f"× {t.number(ratio.mid, 1 if ratio.mid < 10 else 0)}"
    if ratio.mid > 1.0:
        return f"+{t.percent(ratio.mid - 1.0)}"
    less = 1.0 - ratio.mid  # never all of what is still there
    return f"−{t.percent(less) if less < 1.0 - _SAME else t.percent(min(less, 0.999), 1)}"
