"""Training and fine-tuning: from a reading, GPU-hours, or tokens x parameters to impacts, with what is implausible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mesure.catalogue import current
from mesure.errors import InvalidValue
from mesure.impact.beyond_energy import WATER_OF_USE
from mesure.impact.training_energy import energy_of
from mesure.impact.training_plausibility import Implausible, implausible_in
from mesure.impact.training_run import TrainingRun
from mesure.impact.training_site import UNITS, embodied_of, usage_of
from mesure.impact.tree import Explanation, Node
from mesure.quantity import Quantity, Status, add_shared
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from datetime import date

    from mesure.impact.training_run import Basis, Path

__all__ = [
    "AmortisedTraining",
    "Implausible",
    "TrainingImpacts",
    "TrainingPhase",
    "amortised_training",
    "estimate_training",
    "explain_training",
]


@dataclass(frozen=True, slots=True)
class TrainingPhase:
    """One phase, `usage` or `embodied`. None where no sourced factor exists. `energy_wh` is None for manufacture,
    whose energy is counted as primary energy."""

    energy_wh: Quantity | None
    gwp_gco2eq: Quantity | None
    water_ml: Quantity | None
    adpe_gsbeq: Quantity | None
    pe_mj: Quantity | None

    def to_json(self) -> dict[str, Any]:
        return {name: _encoded(getattr(self, name)) for name in ("energy_wh", *UNITS)}


@dataclass(frozen=True, slots=True)
class TrainingImpacts:
    """What a training consumed, all repeats: low / mid / high with unit, status and sources; None is unknown.

    `path`: what the energy is computed from. `basis`: where its middle comes from - `convention` (GPU-hours x board
    power x PUE, as publishers do; the interval is that of whole machines), `realistic`, or `measured`. A total is None
    where a phase is unknown (water: where use is); the other phase still holds its own. Carbon is location-based.
    """

    energy_wh: Quantity
    usage: TrainingPhase
    embodied: TrainingPhase
    path: Path
    basis: Basis
    warnings: tuple[str, ...]
    plausibility: tuple[Implausible, ...]
    roots: tuple[Node, ...]
    catalogue_version: str
    method_version: str = METHOD_VERSION

    @property
    def gwp_gco2eq(self) -> Quantity | None:
        """Usage (location-based) and manufacture."""
        return self._total("gwp_gco2eq")

    @property
    def water_ml(self) -> Quantity | None:
        """Of use alone: nobody publishes that of manufacture."""
        return self.usage.water_ml

    @property
    def adpe_gsbeq(self) -> Quantity | None:
        return self._total("adpe_gsbeq")

    @property
    def pe_mj(self) -> Quantity | None:
        return self._total("pe_mj")

    def _total(self, name: str) -> Quantity | None:
        return _sum(getattr(self.usage, name), getattr(self.embodied, name))

    @property
    def status(self) -> Status:
        """How the energy was obtained."""
        return self.energy_wh.status

    @property
    def parts(self) -> dict[str, Quantity]:
        """Every named intermediate of the trees that is known."""
        nodes = (node for root in self.roots for node in root.walk())
        return {node.name: node.quantity for node in nodes if node.quantity is not None}

    def to_json(self) -> dict[str, Any]:
        """Ready for a JSON encoder; null is unknown."""
        return {
            "path": self.path,
            "basis": self.basis,
            "status": self.status.value,
            "energy_wh": self.energy_wh.to_json(),
            **{name: _encoded(getattr(self, name)) for name in UNITS},
            "usage": self.usage.to_json(),
            "embodied": self.embodied.to_json(),
            "parts": {name: quantity.to_json() for name, quantity in self.parts.items()},
            "warnings": list(self.warnings),
            "plausibility": [found.to_json() for found in self.plausibility],
            "method_version": self.method_version,
            "catalogue_version": self.catalogue_version,
        }


def _encoded(quantity: Quantity | None) -> dict[str, Any] | None:
    return None if quantity is None else quantity.to_json()


def _sum(usage: Quantity | None, embodied: Quantity | None) -> Quantity | None:
    return add_shared((usage, embodied)) if usage is not None and embodied is not None else None


def estimate_training(
    *,
    gpu_hours: float | None = None,
    gpu: str | None = None,
    n_gpus: float | None = None,
    hours: float | None = None,
    power_w: float | None = None,
    tokens: float | None = None,
    params_b: float | None = None,
    active_params_b: float | None = None,
    mfu: float | None = None,
    trainable_share: float = 1.0,
    measured_energy_kwh: float | None = None,
    measured_scope: Literal["machine", "accelerator"] = "machine",
    pue: float | None = None,
    zone: str | None = None,
    grid_gco2eq_per_kwh: float | None = None,
    at: date | None = None,
    repeats: float = 1,
    basis: Literal["convention", "realistic"] | None = None,
    reported_mwh: float | None = None,
    reported_tco2e: float | None = None,
) -> TrainingImpacts:
    """Impacts of a training or fine-tuning, from the strongest of what is stated of one run:

    1. `measured_energy_kwh`, read at the `measured_scope`, before PUE;
    2. `gpu_hours` (or `n_gpus` x `hours`) x `power_w`, rated W of one accelerator (None: that of `gpu`);
    3. `tokens` x `params_b` (1e9; `active_params_b` for mixtures) at `mfu`, share of the dense 16-bit peak of `gpu`;
       `trainable_share` of the parameters learn: near 0 for LoRA, whose backward pass is half.
    None is unknown: a sourced distribution stands for it, flagged in `warnings`; no `zone` is the world average.
    `repeats` multiplies everything (searches, failures). `basis`: the middle of 2 (default `convention`, as publishers
    do) and 3 (default `realistic`). `reported_mwh`, `reported_tco2e` are only compared, with the whole. Raises
    `InvalidValue` and `UnknownName` (zone, accelerator); what is implausible is flagged, never refused.
    """
    return _estimate(TrainingRun(**locals()))


def _estimate(run: TrainingRun) -> TrainingImpacts:
    energy = energy_of(run)
    usage, codes = usage_of(run, energy)
    embodied = embodied_of(energy)
    site = energy.site.quantity
    assert site is not None
    used, made = (TrainingPhase(energy_wh, **{name: phase[name].quantity for name in UNITS})
                  for energy_wh, phase in ((site, usage), (None, embodied)))  # fmt: skip
    hours = (energy.gpu_hours,) if energy.basis == "measured" and energy.gpu_hours else ()
    return TrainingImpacts(
        energy_wh=site,
        usage=used,
        embodied=made,
        path=run.path,
        basis=energy.basis,
        warnings=(*energy.warnings, *codes, *(_of_manufacture(made) if energy.gpu_hours else ())),
        plausibility=implausible_in(run, energy, used.gwp_gco2eq),
        roots=(energy.site, *energy.beside, *hours, *(_root(name, usage[name], embodied[name]) for name in UNITS)),
        catalogue_version=current().version,
    )


def _of_manufacture(made: TrainingPhase) -> tuple[str, ...]:
    unknown = (f"embodied_{name.partition('_')[0]}_no_factor" for name in UNITS if getattr(made, name) is None)
    return ("embodied_interval_not_validated", *unknown)


def _root(name: str, usage: Node, embodied: Node) -> Node:
    if name == "water_ml":
        return Node(name, WATER_OF_USE, usage.quantity, (), (usage,))
    return Node(name, "usage + embodied", _sum(usage.quantity, embodied.quantity), (), (usage, embodied))


def explain_training(training: TrainingImpacts) -> Explanation:
    """The trees the figures were computed by; every factor with source, year, licence and address."""
    return Explanation(
        None,
        "training",
        True,
        (),
        f"training, {training.path}, {training.basis}",
        training.warnings,
        training.method_version,
        training.catalogue_version,
        training.roots,
    )


# A provider's training, per call: a line of its own


@dataclass(frozen=True, slots=True)
class AmortisedTraining:
    """The share of a published training that falls on one `unit`, served `count` times over `period`.

    Usage and embodied together where both are known. Never part of the impacts of a call: a line beside them.
    """

    energy_wh: Quantity
    gwp_gco2eq: Quantity | None
    water_ml: Quantity | None
    adpe_gsbeq: Quantity | None
    pe_mj: Quantity | None
    count: float
    unit: str
    period: tuple[date, date]
    source: str
    training: TrainingImpacts

    def to_json(self) -> dict[str, Any]:
        """Ready for a JSON encoder; `in_totals` is always false."""
        return {
            "in_totals": False,
            **{name: _encoded(getattr(self, name)) for name in ("energy_wh", *UNITS)},
            "count": self.count,
            "unit": self.unit,
            "period": [day.isoformat() for day in self.period],
            "source": self.source,
            "training": self.training.to_json(),
        }


def amortised_training(
    training: TrainingImpacts,
    calls_or_tokens: float,
    period: tuple[date, date],
    *,
    source: str,
    unit: str = "call",
) -> AmortisedTraining:
    """A training spread over what it serves: `calls_or_tokens` of `unit` between the two days of `period`.

    `source` says where the figures of the training and of the service are published: without one there is no such
    line. Raises `InvalidValue`; also for a training whose inputs are implausible.
    """
    first, last = period
    if not 0.0 < calls_or_tokens < float("inf") or last < first or not source.strip():
        raise InvalidValue(
            "Amortising a training takes a count above 0, a first and a last day, and the source of both figures",
            value=f"{calls_or_tokens} {unit}, {first} to {last}, source {source!r}",
            action="State the published amortisation, or leave this line out.",
        )
    if training.plausibility:
        raise InvalidValue(
            "The figures of this training contradict one another",
            value=", ".join(found.code for found in training.plausibility),
            action="Correct them: an implausible training is not amortised.",
        )
    wholes = {name: getattr(training, name) for name in ("energy_wh", *UNITS)}
    shares = {name: whole and whole.scaled(1.0 / calls_or_tokens) for name, whole in wholes.items()}
    return AmortisedTraining(
        **shares, count=calls_or_tokens, unit=unit, period=period, source=source.strip(), training=training
    )
