"""What the caller states of a training, checked, and the nodes that its figures are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from mesure.catalogue import current
from mesure.errors import InvalidValue, UnknownName, nearest_names
from mesure.impact.tree import Node
from mesure.quantity import Quantity, Status, exact, multiply_independent

if TYPE_CHECKING:
    from datetime import date

    from mesure.catalogue import Accelerator, Factor

__all__ = ["Basis", "Path", "TrainingRun", "factor_node", "product", "stated"]

#: Where the middle of the energy comes from: board power x hours, the whole machine as it is measured, or a reading.
Basis = Literal["convention", "realistic", "measured"]
#: What the energy is computed from.
Path = Literal["measured", "gpu_hours", "tokens"]

_AT_LEAST = {"pue": 1.0, "repeats": 1.0}
_POSITIVE = ("n_gpus", "power_w", "params_b", "active_params_b", "mfu")
_AT_MOST = {"mfu": 1.0, "trainable_share": 1.0}
_NUMBERS = (
    "gpu_hours", "n_gpus", "hours", "power_w", "tokens", "params_b", "active_params_b", "mfu", "trainable_share",
    "measured_energy_kwh", "pue", "grid_gco2eq_per_kwh", "repeats", "reported_mwh", "reported_tco2e",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """Arguments of `estimate_training`, which documents them. Raises `InvalidValue` and `UnknownName`."""

    gpu_hours: float | None = None
    gpu: str | None = None
    n_gpus: float | None = None
    hours: float | None = None
    power_w: float | None = None
    tokens: float | None = None
    params_b: float | None = None
    active_params_b: float | None = None
    mfu: float | None = None
    trainable_share: float = 1.0
    measured_energy_kwh: float | None = None
    measured_scope: str = "machine"
    pue: float | None = None
    zone: str | None = None
    grid_gco2eq_per_kwh: float | None = None
    at: date | None = None
    repeats: float = 1
    basis: str | None = None
    reported_mwh: float | None = None
    reported_tco2e: float | None = None

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            _check_number(name, getattr(self, name))
        _check_choice("measured_scope", self.measured_scope, ("machine", "accelerator"))
        _check_choice("basis", self.basis, ("convention", "realistic"))
        self._check_together()
        if self.zone is not None and self.zone.upper() not in current().zones():
            raise UnknownName(
                "This grid zone has no factor in the catalogue",
                value=self.zone,
                action="Use an ISO 3166-1 alpha-3 code, or a listed zone.",
                nearest=nearest_names(self.zone, current().zones()),
            )

    def _check_together(self) -> None:
        if self.active_params_b is not None and self.params_b is not None and self.active_params_b > self.params_b:
            raise InvalidValue(
                "A model cannot have more active parameters than parameters",
                value=f"{self.active_params_b} > {self.params_b}",
                action="Give the parameters one token meets, and all of them.",
            )
        if self.measured_energy_kwh is None and self.stated_gpu_hours is None and self.flop is None:
            raise InvalidValue(
                "Nothing to compute the energy of a training from",
                action="Give measured_energy_kwh, or gpu_hours (or n_gpus and hours), or tokens and params_b.",
            )

    @property
    def path(self) -> Path:
        """A reading first, then hours of accelerators, then arithmetic."""
        if self.measured_energy_kwh is not None:
            return "measured"
        return "gpu_hours" if self.stated_gpu_hours is not None else "tokens"

    @property
    def stated_gpu_hours(self) -> float | None:
        """Accelerator-hours of one run."""
        if self.gpu_hours is not None or self.n_gpus is None or self.hours is None:
            return self.gpu_hours
        return self.n_gpus * self.hours

    @property
    def flop(self) -> float | None:
        """6 N D: 2 forward, 2 backward to the activations, 2 backward to the weights that learn."""
        met = self.active_params_b or self.params_b
        if self.tokens is None or met is None:
            return None
        return (4.0 + 2.0 * self.trainable_share) * met * 1e9 * self.tokens

    @property
    def accelerator(self) -> Accelerator | None:
        """The named accelerator; raises `UnknownName`."""
        return current().accelerator(self.gpu) if self.gpu is not None else None


def _check_number(name: str, value: float | None) -> None:
    if value is None:
        return
    least, most = _AT_LEAST.get(name, 0.0), _AT_MOST.get(name, math.inf)
    if name in _POSITIVE and not 0.0 < value < math.inf:
        raise InvalidValue(f"{name} must be a finite number above 0", value=value, action=_LEAVE_OUT)
    if not least <= value < math.inf:
        raise InvalidValue(f"{name} must be a finite number, at least {least:g}", value=value, action=_LEAVE_OUT)
    if value > most:
        raise InvalidValue(f"{name} is a share and cannot exceed 1", value=value, action=_LEAVE_OUT)


_LEAVE_OUT = "Correct it, or leave it out when unknown."


def _check_choice(name: str, value: str | None, choices: tuple[str, ...]) -> None:
    if value is not None and value not in choices:
        names = ", ".join(choices)
        raise InvalidValue(f"{name} is not one Mesure knows", value=value, action=f"Use one of: {names}")


# Nodes: the tree that explains a result is the computation itself


def stated(name: str, value: float, unit: str, formula: str = "stated", status: Status = Status.DECLARED) -> Node:
    return Node(name, formula, exact(value, unit, status))


def factor_node(name: str, factor: Factor, formula: str, status: Status = Status.MODELLED) -> Node:
    quantity = Quantity(factor.low, factor.value, factor.high, factor.unit, status, (factor.id,))
    return Node(name, formula, quantity, (factor,))


def product(name: str, formula: str, children: tuple[Node, ...], unit: str, scale: float = 1.0) -> Node:
    """Independent factors multiplied, then a conversion; unknown where one of them is."""
    quantities = [child.quantity for child in children if child.quantity is not None]
    if len(quantities) < len(children):
        return Node(name, formula, None, (), children)
    return Node(name, formula, multiply_independent(quantities, unit).scaled(scale), (), children)
