"""What a total amounts to in everyday terms, from physics alone, and whether that is little.

The yardstick is an 8 W LED bulb lit without a break for as long as the total took: power against power, so that a month
that has just begun is judged like one that ends. Small amounts are also told as litres of water brought to the boil.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from htpy import Element, Node, fragment, span

from mesure.quantity import Quantity, Status, exact

if TYPE_CHECKING:
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue
    from mesure.i18n import Translator
    from mesure.ledger.view import Window

__all__ = ["LED_HOUR", "LITRE_BOILED", "Proportion", "proportion", "sentence"]

LED_HOUR = "equivalences.led-hour.energy.2026"
LITRE_BOILED = "equivalences.kettle-litre.energy.2026"

#: A total below this many bulbs per person, lit all the time, is called little.
_LITTLE_BULBS_A_PERSON = 0.1


class Proportion(NamedTuple):
    """`bulbs` lit since the start; `litres` boiled; `bulb_time` of one bulb; what one bulb took (`bulb_wh`)."""

    bulbs: Quantity
    litres: Quantity
    bulb_time: Quantity
    bulb_wh: Quantity
    little: bool  # also at the high bound


def proportion(window: Window, catalogue: Catalogue, headcount: int = 0) -> Proportion | None:
    """The window's energy against the catalogue's everyday factors; None when it holds no energy or no time."""
    hours = (window.until - window.since).total_seconds() / 3600.0
    if window.energy_wh is None or window.energy_wh.mid <= 0.0 or hours <= 0.0:
        return None
    bulb_w, litre_wh = catalogue.factor(LED_HOUR).value, catalogue.factor(LITRE_BOILED).value
    bulb_hours = window.energy_wh.scaled(1.0 / bulb_w, "h")
    bulbs = bulb_hours.scaled(1.0 / hours, "1")
    little = bulbs.high < (_LITTLE_BULBS_A_PERSON * headcount if headcount else 1.0)
    return Proportion(
        bulbs,
        window.energy_wh.scaled(1.0 / litre_wh, "L"),
        _readable(bulb_hours),
        exact(bulb_w * round(hours), "Wh", Status.MODELLED, (LED_HOUR,)),
        little,
    )


def sentence(
    window: Window, catalogue: Catalogue, reader: Reader, *, headcount: int | None = None, over: bool = False
) -> Node:
    """The proportion in words, or nothing. `headcount`: of whom the window speaks, when not of everybody; `over`: the
    window has ended."""
    if headcount is None:
        headcount = reader.settings.organisation.headcount
    found = proportion(window, catalogue, headcount)
    if found is None:
        return None
    t, since = reader.t, reader.t.day(reader.local(window.since))
    if found.bulbs.mid >= 1.0:
        many = _held(found.bulbs, t)
        lit = (
            t.rich("As much as {bulbs} LED bulbs of 8 W lit all that time", bulbs=many)
            if over
            else t.rich(
                "As much as {bulbs} LED bulbs of 8 W lit without a break since {since}", bulbs=many, since=since
            )
        )
        people = t.number(headcount)
        return fragment[lit, t.t(", which is little for {people} people.", people=people) if found.little else "."]
    if found.litres.mid >= 1.0:
        text = t.rich("As much as bringing {litres} of water to the boil", litres=_held(found.litres, t))
    else:
        text = t.rich("As much as one LED bulb of 8 W lit for {time}", time=_held(found.bulb_time, t))
    if not found.little:
        return fragment[text, "."]
    bulb = t.quantity(found.bulb_wh).figure
    scale = (
        t.t(": this is little. Left on all that time, one LED bulb of 8 W would have used {energy}.", energy=bulb)
        if over
        else t.t(
            ": this is little. Left on since {since}, one LED bulb of 8 W would have used {energy}.",
            since=since,
            energy=bulb,
        )
    )
    return fragment[text, scale]


def _held(quantity: Quantity, t: Translator) -> Element:
    """Value and interval that no line end separates."""
    return span(".fig")[str(t.quantity(quantity))]


def _readable(hours: Quantity) -> Quantity:
    if hours.mid >= 1.0:
        return hours
    return hours.scaled(60.0, "min") if hours.mid >= 1.0 / 60.0 else hours.scaled(3600.0, "s")
