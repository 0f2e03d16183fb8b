"""What a method is: a name, a version, what it leaves out, and figures for calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mesure.catalogue import Factor
    from mesure.impact.methods.subject import Amounts, Call
    from mesure.quantity import Quantity

__all__ = ["Method", "MethodEstimate", "relevant"]


@dataclass(frozen=True, slots=True)
class MethodEstimate:
    """Figures of a method for some calls; None where it gives none, and `codes` say why, or what it left out of these
    calls. Quantities of methods that publish no interval have low = mid = high."""

    energy_wh: Quantity | None
    gwp_gco2eq: Quantity | None
    codes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "energy_wh": self.energy_wh.to_json() if self.energy_wh else None,
            "gwp_gco2eq": self.gwp_gco2eq.to_json() if self.gwp_gco2eq else None,
            "codes": list(self.codes),
        }


class Method(Protocol):
    """Figures are linear in amounts: those of a sum of calls are the sum of theirs."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def counts(self) -> tuple[str, ...]:
        """Codes of what the energy depends on and what its scope holds."""
        ...

    @property
    def ignores(self) -> tuple[str, ...]:
        """Codes of what it leaves out, whatever the calls."""
        ...

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Figures of its own, with source, year and licence; those of the catalogue and of models left aside."""
        ...

    def estimate(self, call: Call, amounts: Amounts) -> MethodEstimate:
        """Raises nothing for what it does not know: figures are None then."""
        ...


def relevant(ignores: tuple[str, ...], call: Call, amounts: Amounts) -> tuple[str, ...]:
    """Those of the omissions that concern these calls."""
    absent = {
        "prompt_tokens_ignored": not amounts.input_tokens,
        "cache_ignored": not amounts.cached_tokens,
        "measurement_ignored": amounts.measured is None,
        "stated_hardware_ignored": call.deployment.gpu is None,
        "stated_load_ignored": call.deployment.batch is None,
    }
    return tuple(code for code in ignores if not absent.get(code, False))
