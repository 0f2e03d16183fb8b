"""Past traffic under another method or edition of the catalogue, and the change explained, signed and by cause."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesure.catalogue.mixed import differing_groups, mixed
from mesure.catalogue.store import packaged
from mesure.impact.methods import under
from mesure.impact.methods.compare import Total

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.catalogue import Catalogue
    from mesure.impact.methods import Method, MethodEstimate, Traffic
    from mesure.quantity import Quantity

__all__ = ["CAUSES", "Basis", "Cause", "Change", "Recomputed", "explained", "recomputed"]

#: In the order in which the one is replaced by the other.
CAUSES = (
    "usage_facts", "catalogue_models", "catalogue_hardware", "catalogue_stack", "catalogue_places", "catalogue_grid",
    "method_coverage", "method_measurement", "method_formulas",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Basis:
    """What figures are computed with."""

    method: Method
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Totals on a basis; quantities are None when the method gives none for any call."""

    method: str
    method_version: str
    catalogue_version: str
    events: int
    calls: int
    covered_calls: int
    gwp_calls: int
    energy_wh: Quantity | None
    gwp_gco2eq: Quantity | None
    codes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__slots__}
        return plain | {
            "energy_wh": self.energy_wh.to_json() if self.energy_wh else None,
            "gwp_gco2eq": self.gwp_gco2eq.to_json() if self.gwp_gco2eq else None,
            "codes": list(self.codes),
        }


@dataclass(frozen=True, slots=True)
class Cause:
    """What one cause (of `CAUSES`) adds to or takes from the mid total."""

    code: str
    energy_wh: float
    gwp_gco2eq: float

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "energy_wh": self.energy_wh, "gwp_gco2eq": self.gwp_gco2eq}


@dataclass(frozen=True, slots=True)
class Change:
    """From one basis to another: `causes` sum to the change of each mid total."""

    before: Recomputed
    after: Recomputed
    causes: tuple[Cause, ...]

    @property
    def energy_wh(self) -> float:
        return math.fsum(cause.energy_wh for cause in self.causes)

    @property
    def gwp_gco2eq(self) -> float:
        return math.fsum(cause.gwp_gco2eq for cause in self.causes)

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "change": {"energy_wh": self.energy_wh, "gwp_gco2eq": self.gwp_gco2eq},
            "order": list(CAUSES),
            "causes": [cause.to_json() for cause in self.causes],
        }


def recomputed(traffic: Traffic, basis: Basis) -> Recomputed:
    """Totals of the traffic on a basis. Constants that an earlier catalogue did not have yet are the packaged ones."""
    basis = _completed(basis)
    return _totals(traffic, basis, _estimates(traffic, basis))


def explained(
    traffic: Traffic, before: Basis, after: Basis, *, progress: Callable[[int], None] | None = None
) -> Change:
    """The change from `before` to `after` by cause: tables of the catalogue first, group by group under the earlier
    method, then the method under the later catalogue. A cause that changes nothing is 0.

    The order is a choice: what two causes do together counts for the later one. `progress` gets the steps done.
    """
    before, after = _completed(before), _completed(after)
    causes = dict.fromkeys(CAUSES, (0.0, 0.0))
    found = first = _estimates(traffic, before)
    renewed: list[str] = []
    for group in differing_groups(before.catalogue, after.catalogue):
        renewed.append(group)
        step = Basis(before.method, mixed(before.catalogue, after.catalogue, renewed))
        later = _estimates(traffic, step)
        causes[f"catalogue_{group}"] = _difference(found, later)
        found = later
        if progress is not None:
            progress(len(renewed))
    last = found
    if after.method.name != before.method.name:
        last = _estimates(traffic, after)
        causes |= _by_cause(traffic, found, last)
    return Change(
        _totals(traffic, before, first),
        _totals(traffic, after, last),
        tuple(Cause(code, *change) for code, change in causes.items()),
    )


def _completed(basis: Basis) -> Basis:
    if basis.catalogue is packaged():
        return basis
    return Basis(basis.method, mixed(basis.catalogue, basis.catalogue, ()))


def _estimates(traffic: Traffic, basis: Basis) -> list[MethodEstimate]:
    with under(basis.catalogue):
        return [basis.method.estimate(call, amounts) for call, amounts in traffic]


def _totals(traffic: Traffic, basis: Basis, estimates: list[MethodEstimate]) -> Recomputed:
    total = Total()
    for (call, amounts), found in zip(traffic, estimates, strict=True):
        total.add(call, amounts.calls, found)
    return Recomputed(
        method=basis.method.name,
        method_version=basis.method.version,
        catalogue_version=basis.catalogue.version,
        events=traffic.events,
        calls=traffic.calls,
        covered_calls=total.calls,
        gwp_calls=total.gwp_calls,
        energy_wh=total.energy_wh,
        gwp_gco2eq=total.gwp_gco2eq,
        codes=tuple(total.codes),
    )


def _mid(quantity: Quantity | None) -> float:
    """What a total takes of it: nothing where there is no figure."""
    return quantity.mid if quantity is not None else 0.0


def _difference(before: list[MethodEstimate], after: list[MethodEstimate]) -> tuple[float, float]:
    pairs = list(zip(before, after, strict=True))
    return (
        math.fsum(x for a, b in pairs for x in (_mid(b.energy_wh), -_mid(a.energy_wh))),
        math.fsum(x for a, b in pairs for x in (_mid(b.gwp_gco2eq), -_mid(a.gwp_gco2eq))),
    )


def _by_cause(
    traffic: Traffic, before: list[MethodEstimate], after: list[MethodEstimate]
) -> dict[str, tuple[float, float]]:
    """Calls that only one of the methods gives a figure for, calls whose measured energy one leaves aside, the rest."""
    pairs: dict[str, tuple[list[MethodEstimate], list[MethodEstimate]]] = {
        code: ([], []) for code in ("method_coverage", "method_measurement", "method_formulas")
    }
    for (_, amounts), a, b in zip(traffic, before, after, strict=True):
        if (a.energy_wh is None) != (b.energy_wh is None):
            code = "method_coverage"
        else:
            code = "method_formulas" if amounts.measured is None else "method_measurement"
        pairs[code][0].append(a)
        pairs[code][1].append(b)
    return {code: _difference(*found) for code, found in pairs.items()}
