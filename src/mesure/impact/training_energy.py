"""Energy of a training, from what is stated to the site's meter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.errors import InvalidValue
from mesure.impact.training_factors import training_factor
from mesure.impact.training_run import factor_node, product, stated
from mesure.impact.tree import Node
from mesure.quantity import Quantity, Status, inverse, multiply_independent

if TYPE_CHECKING:
    from mesure.impact.training_run import Basis, TrainingRun

__all__ = ["TrainingEnergy", "board_power", "energy_of", "pue_of"]

_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class TrainingEnergy:
    """`site` and `machines` (before PUE) in Wh; `gpu_hours` of all repeats, None when the machines are unknown.

    `beside`: figures that the result is compared with, not made of.
    """

    basis: Basis
    site: Node
    machines: Node
    pue: Node
    gpu_hours: Node | None
    beside: tuple[Node, ...]
    warnings: tuple[str, ...]


def energy_of(run: TrainingRun) -> TrainingEnergy:
    pue, warnings = pue_of(run)
    if run.path == "measured":
        return _measured(run, pue, warnings)
    hours, assumed = _gpu_hours(run)
    power, unknown = board_power(run)
    warnings += tuple(dict.fromkeys(assumed + unknown))
    tdp = product("tdp_energy_wh", "GPU-hours x board power", (hours, power), "Wh")
    machines = product("realistic_machine_energy_wh", "TDP energy x machine / board power", (tdp, _node_ratio()), "Wh")
    beside = (
        product("convention_energy_wh", "TDP energy x PUE: the convention of publishers", (tdp, pue), "Wh"),
        product("realistic_energy_wh", "energy of the whole machines x PUE", (machines, pue), "Wh"),
    )
    if run.basis == "convention" or (run.basis is None and run.path == "gpu_hours"):
        it = _convention(tdp, machines)
        site = product("energy_wh", "energy of the machines x PUE", (it, pue), "Wh")
        return TrainingEnergy("convention", site, it, pue, hours, beside, ("tdp_convention", *warnings))
    it = Node("it_energy_wh", "realistic energy of the machines", machines.quantity, (), (machines,))
    site = product("energy_wh", "energy of the machines x PUE", (it, pue), "Wh")
    return TrainingEnergy("realistic", site, it, pue, hours, beside, warnings)


def _convention(tdp: Node, machines: Node) -> Node:
    """Publishers' figure in the middle, what machines really draw as the interval."""
    convention, real = tdp.quantity, machines.quantity
    assert convention is not None
    assert real is not None
    low, high = min(convention.low, real.low), max(convention.high, real.high)
    quantity = Quantity(low, convention.mid, high, "Wh", real.status, real.sources)
    formula = "mid: TDP energy, the convention of publishers; low, high: realistic energy of the machines"
    return Node("it_energy_wh", formula, quantity, (), (tdp, machines))


def _node_ratio() -> Node:
    return factor_node(
        "node_over_tdp", training_factor("node.over_tdp"), "whole machine / board power of its accelerators"
    )


def pue_of(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    """Site over machines: stated, or the default of an unknown hall."""
    if run.pue is not None:
        return stated("pue", run.pue, "ratio"), ()
    unknown = current().constant("unknown", "pue")
    return factor_node("pue", unknown, "site / machines, hall unknown", Status.DEFAULT), ("pue_unknown",)


def board_power(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    """Rated power of one accelerator: stated, of the catalogue, or unknown."""
    if run.power_w is not None:
        return stated("board_power_w", run.power_w, "W"), ()
    if run.accelerator is not None:
        rated = run.accelerator.board_power_w
        if rated is None:
            raise InvalidValue(
                "The seller publishes no board power of this accelerator",
                value=run.accelerator.id,
                action="Give power_w, the rated W of one accelerator.",
            )
        return factor_node("board_power_w", rated, "rated power of one accelerator"), ()
    node = factor_node("board_power_w", training_factor("unknown.board_power_w"), "accelerator unknown", Status.DEFAULT)
    if run.path == "tokens" and node.quantity is not None:  # the spread is that of FLOP per joule: never counted twice
        middle = node.quantity.mid
        node = Node(node.name, node.formula, node.quantity._replace(low=middle, high=middle), node.factors)
    return node, ("gpu_unknown",)


# From tokens to hours


def _gpu_hours(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    """Accelerator-hours of all repeats."""
    repeats = stated("repeats", run.repeats, "runs", "stated: searches, failures and ablations count")
    one, warnings = _hours_of_one_run(run)
    return product("gpu_hours", "hours of one run x repeats", (one, repeats), "GPU h"), warnings


def _hours_of_one_run(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    if run.stated_gpu_hours is not None:
        how = "stated" if run.gpu_hours is not None else "accelerators x hours"
        return stated("gpu_hours_per_run", run.stated_gpu_hours, "GPU h", how), ()
    assert run.flop is not None
    flop = stated("training_flop", run.flop, "FLOP", _FLOP)
    rate, warnings = _achieved_rate(run)
    assert rate.quantity is not None
    assert flop.quantity is not None
    per_rate = inverse(rate.quantity, "s/FLOP")
    hours = multiply_independent((flop.quantity, per_rate), "GPU h").scaled(1.0 / _SECONDS_PER_HOUR)
    return Node("gpu_hours_per_run", "FLOP / (peak x MFU)", hours, (), (flop, rate)), warnings


_FLOP = "(4 + 2 x share of parameters that learn) x active parameters x tokens; 6 N D when all learn"


def _achieved_rate(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    peak, warnings = _peak(run)
    if run.mfu is not None:
        mfu = stated("mfu", run.mfu, "share of dense 16-bit peak")
    else:
        mfu = factor_node("mfu", training_factor("mfu.share"), "share of peak that trains the model", Status.DEFAULT)
        warnings += ("mfu_unknown",)
    return product("achieved_flop_per_s", "peak x MFU", (peak, mfu), "FLOP/s"), warnings


def _peak(run: TrainingRun) -> tuple[Node, tuple[str, ...]]:
    if run.accelerator is None:
        power, warnings = board_power(run)
        efficiency = factor_node(
            "flop_per_j", training_factor("unknown.flop_per_j"), "accelerator unknown", Status.DEFAULT
        )
        peak = product("peak_flop_per_s", "board power x FLOP per joule at peak", (power, efficiency), "FLOP/s")
        return peak, warnings or ("gpu_unknown",)
    rated = run.accelerator.dense_bf16_tflops
    if rated is None:
        raise InvalidValue(
            "The seller publishes no dense 16-bit rate of this accelerator",
            value=run.accelerator.id,
            action="Give gpu_hours, or name another accelerator.",
        )
    rate = factor_node("dense_bf16_tflops", rated, "dense 16-bit peak of one accelerator")
    return product("peak_flop_per_s", "dense 16-bit peak", (rate,), "FLOP/s", 1e12), ()


# From a reading


def _measured(run: TrainingRun, pue: Node, warnings: tuple[str, ...]) -> TrainingEnergy:
    assert run.measured_energy_kwh is not None
    read = stated("measured_energy_wh", run.measured_energy_kwh * 1e3, "Wh", _READ[run.measured_scope], Status.MEASURED)
    children = [
        read,
        factor_node("meter_error", training_factor("meter.error"), "error of the meter"),
        stated("repeats", run.repeats, "runs"),
    ]
    if run.measured_scope == "accelerator":
        host = current().constant("host", "share")
        children.append(factor_node("host_share", host, "whole machine / its accelerators"))
    it = _vouched(product("it_energy_wh", " x ".join(child.name for child in children), tuple(children), "Wh"))
    site = _vouched(product("energy_wh", "energy of the machines x PUE", (it, pue), "Wh"))
    hours = _hours_behind(run, it)
    return TrainingEnergy("measured", site, it, pue, hours, (), warnings if hours else (*warnings, "machines_unknown"))


_READ = {"machine": "read at the machines", "accelerator": "read at the accelerators"}


def _vouched(node: Node) -> Node:
    """A measured energy stays measured on its way to the meter; the factors on the way are named."""
    assert node.quantity is not None
    return Node(node.name, node.formula, node.quantity._replace(status=Status.MEASURED), node.factors, node.children)


def _hours_behind(run: TrainingRun, it: Node) -> Node | None:
    """Accelerator-hours behind a measured energy: stated, or those that draw it at usual power."""
    if run.stated_gpu_hours is not None:
        return _gpu_hours(run)[0]
    if run.power_w is None and (run.accelerator is None or run.accelerator.board_power_w is None):
        return None
    power, ratio = board_power(run)[0], _node_ratio()
    assert power.quantity is not None
    assert ratio.quantity is not None
    assert it.quantity is not None
    per_hour = inverse(multiply_independent((power.quantity, ratio.quantity), "Wh/GPU h"), "GPU h/Wh")
    quantity = multiply_independent((it.quantity, per_hour), "GPU h")
    return Node("gpu_hours", "measured energy / (board power x machine / board power)", quantity, (), (power, ratio))
