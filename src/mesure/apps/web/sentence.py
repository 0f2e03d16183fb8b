"""The first lines of `Now`: how much this month, and how that compares with the month before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from htpy import Fragment, fragment

from mesure.apps.web.figures import headline
from mesure.i18n import mark
from mesure.i18n.translator import ESTIMATED

if TYPE_CHECKING:
    from mesure.apps.web.reader import Reader
    from mesure.i18n import Translator
    from mesure.ledger.view import Overview

__all__ = ["CALLS", "change", "failed", "failures", "lede", "trend"]

#: From this factor on, "2.3 times" reads better than "130 % more".
_TIMES_FROM = 2.0
#: Below one per cent, two totals are called as large as each other.
_SAME = 0.01


def lede(overview: Overview, reader: Reader) -> Fragment:
    """What is modelled is estimated; only what was measured was used."""
    t, month = reader.t, overview.month
    if month.energy_wh is None:
        return fragment[t.t("No AI call since {day}.", day=t.day(reader.local(month.since)))]
    if failed(overview):
        return fragment[t.t("No AI call has succeeded since {day}.", day=t.day(reader.local(month.since)))]
    energy = headline(month.energy_wh, t)
    if month.gwp_gco2eq is None:
        return fragment[t.rich("This month, your AI use is estimated at {energy}; its CO₂e is unknown.", energy=energy)]
    carbon = headline(month.gwp_gco2eq, t)
    if month.energy_wh.status in ESTIMATED:
        return fragment[
            t.rich("This month, your AI use is estimated at {energy} and {carbon}.", energy=energy, carbon=carbon)
        ]
    return fragment[
        t.rich("This month, your AI used {energy}, for emissions estimated at {carbon}.", energy=energy, carbon=carbon)
    ]


def failed(overview: Overview) -> bool:
    """Calls came in this month, and none of them ran."""
    energy = overview.month.energy_wh
    last = overview.last_calls
    return energy is not None and energy.mid <= 0.0 and bool(last) and all(call.status == "error" for call in last)


def failures(overview: Overview, reader: Reader) -> str:
    """How many calls failed, said where the figures would be."""
    t, calls = reader.t, overview.month.calls
    return t.n(
        "{count} call, which failed: nothing to measure.", "{count} calls, which failed: nothing to measure.", calls
    )


def trend(overview: Overview, reader: Reader) -> str:
    """Energy and calls against the same point of the month before."""
    t, month, previous = reader.t, overview.month, overview.previous
    of_month = t.of_month(reader.local(previous.since))
    if month.energy_wh is None:
        return ""
    if not previous.calls or previous.energy_wh is None or previous.energy_wh.mid <= 0.0:
        return t.t("No call recorded up to the same date {of_month}: nothing to compare with yet.", of_month=of_month)
    return t.t(
        "{energy} than at the same point {of_month}, for {calls}."
        if _differs(month.energy_wh.mid / previous.energy_wh.mid)
        else "{energy} as at the same point {of_month}, for {calls}.",
        energy=change(month.energy_wh.mid / previous.energy_wh.mid, t),
        of_month=of_month,
        calls=change(month.calls / previous.calls, t, CALLS),
    )


def _differs(ratio: float) -> bool:
    return abs(ratio - 1.0) >= _SAME and ratio < _TIMES_FROM


class _Words(NamedTuple):
    """How one ratio is told, by its size."""

    times: str
    more: str
    less: str
    same: str


_ENERGY = _Words(
    mark("{times} times as much energy"),
    mark("{share} more energy"),
    mark("{share} less energy"),
    mark("As much energy"),
)
CALLS = _Words(
    mark("{times} times as many calls"), mark("{share} more calls"), mark("{share} fewer calls"), mark("as many calls")
)


def change(ratio: float, t: Translator, words: _Words = _ENERGY) -> str:
    """A ratio in words; of energies, as the beginning of a sentence."""
    if ratio >= _TIMES_FROM:
        return t.t(words.times, times=t.number(ratio, 1 if ratio < 10 else 0))
    if ratio - 1.0 >= _SAME:
        return t.t(words.more, share=t.percent(ratio - 1.0))
    if 1.0 - ratio >= _SAME:
        return t.t(words.less, share=_fall(ratio, t))
    return t.t(words.same)


def _fall(ratio: float, t: Translator) -> str:
    """Never "100 % less" of something that is still there."""
    return t.percent(1.0 - ratio) if ratio >= _SAME else t.percent(min(1.0 - ratio, 0.999), 1)
