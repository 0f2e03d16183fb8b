"""The same traffic under several methods: totals, how far apart they are, and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mesure.catalogue import current
from mesure.impact.methods.registry import method, methods
from mesure.impact.methods.subject import Traffic, traffic_of
from mesure.quantity import Quantity, add_independent, add_shared

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mesure.impact.methods.method import Method, MethodEstimate
    from mesure.impact.methods.subject import Call
    from mesure.record import UsageEvent

__all__ = ["Comparison", "MethodRow", "Total", "compare_methods", "compare_traffic"]

_REFERENCE = "mesure"


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method over the traffic. Quantities sum the calls it covers (`covered_calls`, `gwp_calls`); None when it
    covers none. `reference_wh`: the reference method over the same calls; `ratio`: this method over it. `codes`: what
    it left out of these calls, and why it covers no more."""

    method: str
    version: str
    energy_wh: Quantity | None
    gwp_gco2eq: Quantity | None
    covered_calls: int
    gwp_calls: int
    reference_wh: float | None
    ratio: float | None
    codes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "version": self.version,
            "energy_wh": self.energy_wh.to_json() if self.energy_wh else None,
            "gwp_gco2eq": self.gwp_gco2eq.to_json() if self.gwp_gco2eq else None,
            "covered_calls": self.covered_calls,
            "gwp_calls": self.gwp_calls,
            "reference_wh": self.reference_wh,
            "ratio": self.ratio,
            "codes": list(self.codes),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """`spread`: the largest over the smallest ratio of mids, each over calls that its method and the reference cover;
    None with fewer than two methods."""

    calls: int
    rows: tuple[MethodRow, ...]
    spread: float | None

    def to_json(self) -> dict[str, Any]:
        return {"calls": self.calls, "spread": self.spread, "rows": [row.to_json() for row in self.rows]}


@dataclass(slots=True)
class Total:
    """Adds estimates up: errors are shared by all calls of one model and place, independent between."""

    calls: int = 0
    gwp_calls: int = 0
    codes: dict[str, None] = field(default_factory=dict)
    energy: dict[tuple[object, ...], Quantity] = field(default_factory=dict)
    gwp: dict[tuple[object, ...], Quantity] = field(default_factory=dict)

    def add(self, call: Call, calls: int, found: MethodEstimate) -> None:
        served = (_model(call), call.provider, call.stated_zone, call.deployment)
        self.codes.update(dict.fromkeys(found.codes))
        if found.energy_wh is not None:
            self.calls += calls
            _into(self.energy, served, found.energy_wh)
        if found.gwp_gco2eq is not None:
            self.gwp_calls += calls
            _into(self.gwp, served, found.gwp_gco2eq)

    @property
    def energy_wh(self) -> Quantity | None:
        return add_independent(list(self.energy.values())) if self.energy else None

    @property
    def gwp_gco2eq(self) -> Quantity | None:
        return add_independent(list(self.gwp.values())) if self.gwp else None


def _model(call: Call) -> str | None:
    """By the catalogue's name, so that snapshots of one model share their error."""
    found = (current().find_model(name, call.provider, call.at) for name in call.models)
    return next((facts.id for facts in found if facts), call.models[0] if call.models else None)


def _into(sums: dict[tuple[object, ...], Quantity], served: tuple[object, ...], quantity: Quantity) -> None:
    held = sums.get(served)
    sums[served] = quantity if held is None else add_shared([held, quantity])


def compare_methods(events: Iterable[UsageEvent], names: Sequence[str] | None = None) -> Comparison:
    """Events under the named methods (all when None), read once and not kept. Raises `UnknownName` for a method."""
    return compare_traffic(traffic_of(events), names)


def compare_traffic(traffic: Traffic, names: Sequence[str] | None = None) -> Comparison:
    """As `compare_methods`, of traffic summed already."""
    chosen = methods() if names is None else tuple(method(name) for name in names)
    rows = tuple(_row(one, traffic) for one in chosen)
    ratios = [row.ratio for row in rows if row.ratio]
    spread = max(ratios) / min(ratios) if len(ratios) > 1 else None
    return Comparison(traffic.calls, rows, spread)


def _row(one: Method, traffic: Traffic) -> MethodRow:
    total, same = Total(), 0.0
    reference = method(_REFERENCE)
    for call, amounts in traffic:
        found = one.estimate(call, amounts)
        total.add(call, amounts.calls, found)
        if found.energy_wh is not None:
            ours = reference.estimate(call, amounts).energy_wh
            same += ours.mid if ours else 0.0
    energy = total.energy_wh
    covered = energy is not None
    return MethodRow(
        method=one.name,
        version=one.version,
        energy_wh=energy,
        gwp_gco2eq=total.gwp_gco2eq,
        covered_calls=total.calls,
        gwp_calls=total.gwp_calls,
        reference_wh=same if covered else None,
        ratio=energy.mid / same if energy is not None and same > 0.0 else None,
        codes=tuple(total.codes),
    )
