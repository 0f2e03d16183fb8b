"""The methods by name."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mesure.errors import UnknownName, nearest_names
from mesure.impact.methods.ecologits import EcoLogits
from mesure.impact.methods.ours import Mesure
from mesure.impact.methods.published import published
from mesure.impact.methods.subject import amounts_of, call_of

if TYPE_CHECKING:
    from mesure.impact.methods.method import Method, MethodEstimate
    from mesure.record import UsageEvent

__all__ = ["estimate_with", "method", "methods"]


@cache
def methods() -> tuple[Method, ...]:
    """Every method, ours first."""
    return (Mesure(), EcoLogits(), *published())


def method(name: str) -> Method:
    """A method by its exact name. Raises `UnknownName` with nearest names."""
    by_name = {one.name: one for one in methods()}
    if name in by_name:
        return by_name[name]
    raise UnknownName(
        "There is no such method",
        value=name,
        action=f"Use one of: {', '.join(by_name)}",
        nearest=nearest_names(name, by_name),
    )


def estimate_with(name: str, event: UsageEvent) -> MethodEstimate:
    """An event under a method. Raises `UnknownName` for the name of a method that does not exist."""
    return method(name).estimate(call_of(event), amounts_of(event))
