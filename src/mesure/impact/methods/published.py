"""`constant-...`: one published figure for every text query, whatever was asked, of whom, and where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from mesure.impact.methods.method import MethodEstimate, relevant
from mesure.impact.methods.own_factors import factors_of
from mesure.impact.methods.subject import TEXT
from mesure.impact.place import carbon_of, place_of
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from mesure.catalogue import Factor
    from mesure.impact.methods.subject import Amounts, Call

__all__ = ["ConstantPerQuery", "published"]

_THIS_YEAR = 2026
_IGNORED = (
    "prompt_tokens_ignored", "cache_ignored", "length_ignored", "model_ignored", "stated_hardware_ignored",
    "stated_load_ignored", "measurement_ignored", "no_interval_published", "scope_differs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConstantPerQuery:
    """`energy` Wh a query; `gwp` gCO2e a query where the source gives it, else energy x the grid of the place."""

    name: str
    version: str
    energy: Factor
    gwp: Factor | None

    @property
    def counts(self) -> tuple[str, ...]:
        return ("queries", "market_based" if self.gwp else "grid_of_place")

    @property
    def ignores(self) -> tuple[str, ...]:
        return (*_IGNORED, "place_ignored" if self.gwp else "manufacture_ignored")

    @property
    def factors(self) -> tuple[Factor, ...]:
        return (self.energy, self.gwp) if self.gwp else (self.energy,)

    def estimate(self, call: Call, amounts: Amounts) -> MethodEstimate:
        """A figure for calls that answer in text; none for others."""
        if amounts.operation not in TEXT:
            return MethodEstimate(None, None, ("operation_not_covered",))
        energy = _times(self.energy, amounts.calls, "Wh")
        codes = relevant(self.ignores, call, amounts)
        if self.gwp:
            return MethodEstimate(energy, _times(self.gwp, amounts.calls, "gCO2eq"), codes)
        place = place_of(call.provider, call.zone, call.region)
        found, warnings = carbon_of(place, call.at.year if call.at else _THIS_YEAR)
        warnings = (*place.warnings, *warnings)
        if found is None:
            return MethodEstimate(energy, None, (*codes, *warnings))
        grid = found.quantity
        low, mid, high = (a * b * 1e-3 for a, b in zip(energy[:3], grid[:3], strict=True))
        gwp = Quantity(low, mid, high, "gCO2eq", Status.DEFAULT, (*energy.sources, *grid.sources))
        return MethodEstimate(energy, gwp, (*codes, *warnings))


def _times(factor: Factor, calls: int, unit: str) -> Quantity:
    """Nobody measured these very calls: a figure by default."""
    low, mid, high = (value * calls for value in (factor.low, factor.value, factor.high))
    return Quantity(low, mid, high, unit, Status.DEFAULT, (factor.id,))


@cache
def published() -> tuple[ConstantPerQuery, ...]:
    """One method for each published figure of energy."""
    found = factors_of("published")
    return tuple(
        ConstantPerQuery(f"constant-{entity}", str(facts["energy"].year), facts["energy"], facts.get("gwp"))
        for entity, facts in found.items()
    )
