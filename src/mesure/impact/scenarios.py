"""What the customer cannot see, as weighted scenarios: size of the model, accelerator, how many, how loaded.

Each scenario is a set of terms; the coefficients are their weighted 5, 50 and 95 % quantiles. What is stated replaces
its distribution by one value, and the interval narrows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.errors import InvalidValue
from mesure.impact import constants as fit
from mesure.impact.diffusion import DiffusionModel, diffusion_terms
from mesure.impact.roofline import Load, Machine, TextModel, fits_batch, text_terms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mesure.catalogue import Factor
    from mesure.impact.deployment import Deployment

__all__ = ["LOCAL_PROVIDERS", "Scenario", "Spread", "diffusion_scenarios", "quantile", "spread_of", "text_scenarios"]

#: Providers that run on the caller's own machine, on its processor unless a deployment says otherwise.
LOCAL_PROVIDERS = ("local", "llama.cpp", "llamacpp")
_BATCHES = (8, 16, 32, 64, 128, 256, 512, 1024)
_LOCAL_BATCHES = (1, 2, 4)
#: Weight of a load in the prior, and chance that a provider uses twice the fewest accelerators: tuned on development
#: rows.
_BATCH_EXPONENT = 0.35
_DOUBLE = 0.5
_SERVED_AT_LEAST = 8.0
_Z95 = 1.645


@dataclass(frozen=True, slots=True)
class Scenario:
    weight: float
    terms: dict[str, float]
    machine: Machine
    load: Load


@dataclass(frozen=True, slots=True)
class Spread:
    """5, 50 and 95 % of one term."""

    low: float
    mid: float
    high: float


@lru_cache(maxsize=256)
def machines(gpu: str) -> tuple[tuple[float, Machine, tuple[Factor, ...]], ...]:
    """An accelerator as weighted machines: one, or three where its figures are ranges. Raises `UnknownName`,
    `InvalidValue`."""
    facts = current().accelerator(gpu)
    needed = (
        facts.board_power_w,
        facts.memory_gb,
        facts.memory_bandwidth_gb_s,
        facts.dense_bf16_tflops,
        facts.link_gb_s,
    )
    power, memory, bandwidth, peak, link = needed
    if power is None or memory is None or bandwidth is None or peak is None or link is None:
        raise InvalidValue(
            "The seller publishes no power, memory, bandwidth or rate for this accelerator, so it cannot be modelled",
            value=gpu,
            action="Measure its energy, or name an accelerator that has them.",
        )
    idle = fit.POWER_IDLE.get(facts.id, fit.POWER_IDLE_OTHER)
    peak8 = facts.dense_fp8_tflops or peak
    used = (power, memory, bandwidth, peak, link, idle, *((peak8,) if peak8 is not peak else ()))

    def at(which: str) -> Machine:
        def value(factor: Factor) -> float:
            return float(getattr(factor, which))

        return Machine(
            facts.id,
            value(power),
            value(memory),
            value(bandwidth),
            value(peak) * 1e3,
            value(peak8) * 1e3,
            link.value,
            idle.value,
        )

    if power.low == power.high and bandwidth.low == bandwidth.high:
        return ((1.0, at("value"), used),)
    # Small machines draw less and are slower: the three figures go together
    return ((0.25, at("low"), used), (0.5, at("value"), used), (0.25, at("high"), used))


def _fleet(deployment: Deployment, year: int, local: bool) -> tuple[str, ...]:
    if deployment.gpu:
        return (deployment.gpu,)
    if local:
        return ("cpu-generic",)
    return ("a100-sxm-40gb", "h100-sxm") if year <= 2024 else ("h100-sxm", "b200-sxm")


def _engine(deployment: Deployment, year: int, machine: Machine) -> str:
    name = (deployment.framework or "").casefold()
    if any(loop in name for loop in ("transformers", "fastchat", "deepspeed")):
        return "loop"
    if machine.id.startswith("cpu") or any(local in name for local in ("llama.cpp", "llamacpp", "ollama")):
        return "local"
    return "server-2024" if year <= 2024 else "server"


def _counts(model: TextModel, machine: Machine, stated: int | None, local: bool) -> Iterator[tuple[float, int]]:
    if stated or local:
        yield 1.0, stated or 1
        return
    n = 1
    while fits_batch(model, machine, n) < _SERVED_AT_LEAST and n < 64:
        n *= 2
    yield 1.0 - _DOUBLE, n
    yield _DOUBLE, 2 * n


def _batches(
    model: TextModel, machine: Machine, n: int, stated: float | None, local: bool
) -> list[tuple[float, float]]:
    if stated:
        return [(1.0, stated)]
    if local:
        return [(1.0 / len(_LOCAL_BATCHES), float(batch)) for batch in _LOCAL_BATCHES]
    most = max(fits_batch(model, machine, n), _SERVED_AT_LEAST)
    grid = [float(batch) for batch in _BATCHES if batch <= most] or [_SERVED_AT_LEAST]
    total = sum(batch**_BATCH_EXPONENT for batch in grid)
    return [(batch**_BATCH_EXPONENT / total, batch) for batch in grid]


def text_scenarios(
    models: Sequence[tuple[float, TextModel]], deployment: Deployment, year: int, *, local: bool
) -> list[Scenario]:
    """Every weighted combination of size, accelerator, number and load; weights sum to 1."""
    fleet = _fleet(deployment, year, local)
    out = []
    for size_weight, model in models:
        for gpu in fleet:
            for machine_weight, machine, _ in machines(gpu):
                engine = _engine(deployment, year, machine)
                for count_weight, n in _counts(
                    model, machine, deployment.n_gpus, local or machine.id.startswith("cpu")
                ):
                    own = local or machine.id.startswith("cpu")
                    for load_weight, batch in _batches(model, machine, n, deployment.batch, own):
                        load = Load(n, batch, engine)
                        weight = size_weight * machine_weight * count_weight * load_weight / len(fleet)
                        out.append(Scenario(weight, text_terms(model, machine, load), machine, load))
    return out


def diffusion_scenarios(model: DiffusionModel, deployment: Deployment, year: int) -> list[Scenario]:
    """As `text_scenarios`, for a denoiser: 1 or 2 accelerators, 1 to 8 images at once when not stated."""
    fleet = _fleet(deployment, year, local=False)
    counts = (deployment.n_gpus,) if deployment.n_gpus else (1,) if deployment.gpu else (1, 2)
    batches = (deployment.batch,) if deployment.batch else (1.0, 2.0, 4.0, 8.0)
    out = []
    for gpu in fleet:
        for machine_weight, machine, _ in machines(gpu):
            for n in counts:
                for batch in batches:
                    weight = machine_weight / (len(fleet) * len(counts) * len(batches))
                    load = Load(n, batch)
                    out.append(Scenario(weight, diffusion_terms(model, machine, load), machine, load))
    return out


def used_factors(deployment: Deployment, year: int, *, local: bool) -> tuple[Factor, ...]:
    """Hardware figures the scenarios rest on."""
    return tuple(
        dict.fromkeys(f for gpu in _fleet(deployment, year, local) for _, _, used in machines(gpu) for f in used)
    )


def quantile(weighted: Iterable[tuple[float, float]], share: float) -> float:
    """The value below which `share` of the weight lies; `weighted` holds (value, weight)."""
    ordered = sorted(weighted)
    reached, wanted = 0.0, share * sum(weight for _, weight in ordered)
    for value, weight in ordered:
        reached += weight
        if reached >= wanted - 1e-12:
            return value
    return ordered[-1][0]


def _residual(scenario: Scenario, *, mixture: bool) -> float:
    band = sum(scenario.load.batch > edge for edge in (1.5, 32.5, 128.5))
    return (fit.RESIDUAL_MOE if mixture else fit.RESIDUAL_DENSE)[band]


def half_width_90(scenarios: Sequence[Scenario], *, mixture: bool, diffusion: bool = False) -> float:
    """Log half width of the 90 % interval that remains when everything seen by `scenarios` is settled."""
    if scenarios[0].machine.id.startswith("cpu"):
        return math.log(2.0)
    if diffusion:
        return fit.DIFFUSION_RESIDUAL * fit.RESIDUAL_TO_90
    if len(scenarios) == 1:
        return _residual(scenarios[0], mixture=mixture) * fit.RESIDUAL_TO_90
    return _Z95 * fit.SCENARIO_SPREAD


def spread_of(scenarios: Sequence[Scenario], name: str, own: float) -> Spread:
    """Weighted quantiles of one term, widened by the log half width `own` in quadrature."""
    weighted = [(scenario.terms[name], scenario.weight) for scenario in scenarios]
    low, mid, high = (quantile(weighted, share) for share in (0.05, 0.5, 0.95))
    if mid <= 0.0:
        return Spread(0.0, 0.0, max(high, 0.0))
    below = math.hypot(math.log(mid / low) if low > 0.0 else 0.0, own)
    above = math.hypot(math.log(high / mid), own)
    return Spread(mid * math.exp(-below), mid, mid * math.exp(above))
