"""What a budget is: a limit on a quantity, for a part of the organisation's use, over a period."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mesure.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.config import BudgetSettings, Settings
    from mesure.impact import Impacts
    from mesure.policy.periods import PeriodName
    from mesure.record import UsageEvent

__all__ = ["QUANTITIES", "Amount", "Budget", "Scope", "amount_of", "budgets_of", "from_settings"]

Mode = Literal["inform", "hard"]
#: Unit -> (what it is called in results of the ledger, how many of those make one unit).
QUANTITIES: dict[str, tuple[str, float]] = {
    "kWh": ("energy_wh", 1000.0),
    "kgCO2eq": ("gwp_gco2eq", 1000.0),
    "L": ("water_ml", 1000.0),
    "calls": ("calls", 1.0),
}
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which calls count: all fields that are not None must hold. `key` is the visible part of a virtual key."""

    organisation: str | None = None
    end_client: str | None = None
    team: str | None = None
    use_case: str | None = None
    key: str | None = None
    model: str | None = None

    def given(self) -> dict[str, str]:
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    def holds(self, event: UsageEvent, model: str | None = None) -> bool:
        """Whether a call is within; `model` is the catalogue's name of what answered, where there is one."""
        return all(
            value in (model, event.model_answered, event.model_requested)
            if name == "model"
            else getattr(event, "key_id" if name == "key" else name) == value
            for name, value in self.given().items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """`limit` is in `unit`: kWh, kgCO2eq, L, calls, or a currency."""

    name: str
    limit: float
    unit: str = "kWh"
    period: PeriodName = "month"
    scope: Scope = Scope()
    thresholds: tuple[float, ...] = (0.5, 0.8, 1.0)
    mode: Mode = "inform"
    fail_open: bool = True
    outage_share: float = 0.1
    usd_rate: float | None = None

    @property
    def hard(self) -> bool:
        return self.mode == "hard"

    @property
    def money(self) -> bool:
        return self.unit not in QUANTITIES

    def checked(self) -> Budget:
        """Itself; raises `ConfigError` naming what cannot stand."""
        for wrong, what, value, action in (
            (not 0 < len(self.name) <= _LONGEST, "A budget's name has 1 to 80 characters", self.name, "Shorten it"),
            (not self.limit > 0.0, "A budget's limit must be above 0", self.limit, "Give it a limit, in its unit"),
            (
                self.money and not _CURRENCY.fullmatch(self.unit),
                "A budget cannot be in this unit",
                self.unit,
                "Use kWh, kgCO2eq, L, calls, or a currency such as EUR",
            ),
            (
                not all(0.0 < share <= 10.0 for share in self.thresholds),
                "Thresholds are shares of the limit, above 0",
                ", ".join(f"{share:g}" for share in self.thresholds),
                "Write 80 % as 0.8",
            ),
            (self.outage_share < 0.0, "outage_share is a share of the limit", self.outage_share, "Write 10 % as 0.1"),
        ):
            if wrong:
                raise ConfigError(what, value=f"{self.name}: {value}", action=action, code="budget_refused")
        return self


class Amount(NamedTuple):
    """What counts towards a budget, in its unit; `unknown` calls have no figure for it, which is not zero."""

    value: float
    calls: int
    unknown: int

    def plus(self, other: Amount) -> Amount:
        return Amount(self.value + other.value, self.calls + other.calls, self.unknown + other.unknown)


NOTHING = Amount(0.0, 0, 0)


def from_settings(name: str, given: BudgetSettings) -> Budget:
    """A budget of mesure.toml. Raises `ConfigError`."""
    scope: dict[str, Any] = {field.name: getattr(given, field.name) or None for field in fields(Scope)}
    if scope["key"]:
        scope["key"] = scope["key"].removeprefix("mesure-").partition("-")[0]
    return Budget(
        name=name,
        limit=given.limit,
        unit=given.unit,
        period=given.period,  # type: ignore[arg-type]
        scope=Scope(**scope),
        thresholds=tuple(sorted(given.thresholds)),
        mode=given.mode,  # type: ignore[arg-type]
        fail_open=given.fail_open,
        outage_share=given.outage_share,
        usd_rate=given.usd_rate or None,
    ).checked()


def budgets_of(settings: Settings, stored: Mapping[str, Budget] | None = None) -> dict[str, Budget]:
    """Budgets by name: those of mesure.toml, then those of the state store. Raises `ConfigError`."""
    found = {name: from_settings(name, given) for name, given in settings.budgets.items()}
    return {**(stored or {}), **found}


def amount_of(budget: Budget, event: UsageEvent, impacts: Impacts, cost: float | None) -> float | None:
    """What one event adds, in the budget's unit (mid value); None where nobody knows. `cost` is in its currency."""
    if budget.money:
        return cost
    name, per_unit = QUANTITIES[budget.unit]
    if name == "calls":
        return float(event.calls_count)
    quantity = getattr(impacts, name)
    return None if quantity is None else float(quantity.mid) / per_unit
