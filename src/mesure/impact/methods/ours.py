"""`mesure`: the method of this package, as one among others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.impact.coefficients import Coefficients, resolve
from mesure.impact.formulas import EVENT_COLUMNS
from mesure.impact.impacts import Impacts
from mesure.impact.methods.method import MethodEstimate
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from mesure.catalogue import Factor
    from mesure.impact.methods.subject import Amounts, Call

__all__ = ["Mesure"]

_NO_FEATURES = dict.fromkeys(EVENT_COLUMNS[1:], 0.0)


@dataclass(frozen=True, slots=True)
class Mesure:
    name: str = "mesure"
    version: str = METHOD_VERSION
    counts: tuple[str, ...] = (
        "prompt_tokens", "cached_tokens", "output_tokens", "model_size", "hardware", "load", "measurement", "host",
        "idle_reserve", "pue", "grid_of_place", "manufacture", "interval",
    )  # fmt: skip
    ignores: tuple[str, ...] = ("training_ignored", "network_ignored")

    @property
    def factors(self) -> tuple[Factor, ...]:
        return ()

    def estimate(self, call: Call, amounts: Amounts) -> MethodEstimate:
        """As `impacts_of` of each of these calls, added up."""
        columns = _NO_FEATURES | amounts.features | {"basis": amounts.basis}
        found = Impacts(columns, coefficients_of(call, amounts.operation), amounts.measured)
        return MethodEstimate(found.energy_wh, found.gwp_gco2eq, (*found.warnings, *self.ignores))


def coefficients_of(call: Call, operation: str | None = None) -> Coefficients:
    """Of the first name the catalogue knows, else the flagged default of the first."""
    found = [_resolved(call, model, operation) for model in call.models[:1] or ("",)]
    for model in call.models[1:]:
        if found[-1].known:
            break
        found.append(_resolved(call, model, operation))
    return found[-1] if found[-1].known else found[0]


def _resolved(call: Call, model: str, operation: str | None) -> Coefficients:
    return resolve(
        model,
        provider=call.provider,
        zone=call.zone,
        region=call.region,
        at=call.at,
        deployment=call.deployment,
        operation=operation,
    )
