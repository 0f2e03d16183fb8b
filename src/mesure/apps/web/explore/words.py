"""Names of what the page chooses between, and of values that are codes or unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.words import STATUSES
from mesure.i18n import mark
from mesure.quantity import Status

if TYPE_CHECKING:
    from mesure.i18n import Translator

__all__ = ["DIMENSIONS", "MEASURES", "PERIODS", "RANGES", "SENTENCES", "Sentences", "named"]

RANGES: dict[str, str] = {
    "today": mark("Today"),
    "7d": mark("7 days"),
    "month": mark("This month"),
    "last-month": mark("Last month"),
    "12m": mark("12 months"),
}
PERIODS: dict[str, str] = {"hour": mark("Hour"), "day": mark("Day"), "week": mark("Week"), "month": mark("Month")}
MEASURES: dict[str, str] = {
    "energy": mark("Energy"),
    "co2e": mark("CO₂e"),
    "water": mark("Water"),
    "primary-energy": mark("Primary energy"),
    "minerals": mark("Minerals"),
    "money": mark("Money"),
    "calls": mark("Calls"),
    "tokens": mark("Tokens"),
}


class _Dimension(NamedTuple):
    """Its name; what a group without a value is called; "by team"."""

    name: str
    unstated: str
    by: str


DIMENSIONS: dict[str, _Dimension] = {
    "organisation": _Dimension(
        mark("Organisation"), mark("organisation not stated"), mark("{measure} by organisation")
    ),
    "end_client": _Dimension(mark("End client"), mark("end client not stated"), mark("{measure} by end client")),
    "team": _Dimension(mark("Team"), mark("team not stated"), mark("{measure} by team")),
    "use_case": _Dimension(mark("Use case"), mark("use case not stated"), mark("{measure} by use case")),
    "model": _Dimension(mark("Model"), mark("model not stated"), mark("{measure} by model")),
    "provider": _Dimension(mark("Provider"), mark("provider not stated"), mark("{measure} by provider")),
    "environment": _Dimension(mark("Environment"), mark("environment not stated"), mark("{measure} by environment")),
    "key": _Dimension(mark("Key"), mark("no key"), mark("{measure} by key")),
    "figure": _Dimension(mark("Origin"), mark("origin not stated"), mark("{measure} by origin of the figures")),
}

_ENVIRONMENTS = {"production": mark("production"), "test": mark("test"), "experiment": mark("experiment")}


def named(dimension: str, value: str | None, t: Translator) -> str:
    """A group as it is shown: codes in words, and no name said to be none."""
    if value is None:
        return t.t(DIMENSIONS[dimension].unstated)
    if dimension == "environment" and value in _ENVIRONMENTS:
        return t.t(_ENVIRONMENTS[value])
    if dimension == "figure":
        return t.t(STATUSES[Status(value)]) if value in tuple(Status) else value
    return value


class Sentences(NamedTuple):
    """How the amount of a measure is told: estimated or known, and when it is unknown."""

    estimated: str
    known: str
    unknown: str


SENTENCES: dict[str, Sentences] = {
    "energy": Sentences(
        mark("{when}, the energy of your AI use is estimated at {amount}."),
        mark("{when}, your AI used {amount}."),
        mark("{when}, the energy of your AI use is unknown."),
    ),
    "co2e": Sentences(
        mark("{when}, the emissions of your AI use are estimated at {amount}."),
        mark("{when}, the emissions of your AI use were {amount}."),
        mark("{when}, the emissions of your AI use are unknown: no sourced factor exists for its places."),
    ),
    "water": Sentences(
        mark("{when}, the water consumed by your AI use is estimated at {amount}."),
        mark("{when}, your AI use consumed {amount} of water."),
        mark("{when}, the water consumed by your AI use is unknown: no sourced factor exists for its places."),
    ),
    "primary-energy": Sentences(
        mark("{when}, the primary energy of your AI use is estimated at {amount}."),
        mark("{when}, the primary energy of your AI use was {amount}."),
        mark("{when}, the primary energy of your AI use is unknown: no sourced factor exists for it."),
    ),
    "minerals": Sentences(
        mark("{when}, the minerals drawn on by your AI use are estimated at {amount}."),
        mark("{when}, the minerals drawn on by your AI use were {amount}."),
        mark("{when}, the minerals drawn on by your AI use are unknown: no sourced factor exists for these machines."),
    ),
    "money": Sentences(
        mark("{when}, your AI use comes to {amount} at listed prices."),
        mark("{when}, your AI use cost {amount}."),
        mark("{when}, what your AI use cost is unknown: its models have no listed price."),
    ),
    "calls": Sentences(
        mark("{when}, {amount} in all."),
        mark("{when}, {amount} in all."),
        mark("{when}, no call was made."),
    ),
    "tokens": Sentences(
        mark("{when}, {amount} read and written."),
        mark("{when}, {amount} read and written."),
        mark("{when}, nobody counted the tokens."),
    ),
}
