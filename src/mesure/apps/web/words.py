"""Codes of the lower rooms, in words."""

from __future__ import annotations

from mesure.i18n import mark
from mesure.quantity import Status

__all__ = ["ENVIRONMENTS", "MEANINGS", "NOTICES", "OUTCOMES", "STATUSES"]

STATUSES: dict[Status, str] = {
    Status.MEASURED: mark("measured"),
    Status.REPORTED: mark("reported by the provider"),
    Status.MODELLED: mark("modelled"),
    Status.DECLARED: mark("declared"),
    Status.DEFAULT: mark("by default"),
}

MEANINGS: dict[Status, str] = {
    Status.MEASURED: mark("read from a sensor of the machine that answered"),
    Status.REPORTED: mark("given by the provider with its answer"),
    Status.MODELLED: mark("calculated from the tokens, the model and the place, with sourced factors"),
    Status.DECLARED: mark("calculated from what a person stated of their use"),
    Status.DEFAULT: mark("calculated with a wide default, because the model or the place is unknown"),
}

#: What deserves a word in the list of calls; a call that went well does not.
OUTCOMES: dict[str, str] = {
    "error": mark("failed"),
    "cancelled": mark("interrupted"),
    "truncated": mark("cut short"),
}

ENVIRONMENTS: dict[str, str] = {"test": mark("test"), "experiment": mark("experiment")}

#: Notices an application may ask every page to carry, by code.
NOTICES: dict[str, str] = {
    "demo": mark(
        "Demonstration: these calls are real, answered on this machine by a small base model. "
        "Its prose is poor; messages and replies are not shown or kept."
    ),
    "demo-upstream": mark("Demonstration: these calls are real, answered by the provider you gave."),
}
