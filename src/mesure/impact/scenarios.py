"""What the customer cannot see, as weighted scenarios: size of the model, accelerator, how many, how loaded, with which
software. What is stated replaces its distribution by one value, and the interval narrows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.impact import physics
from mesure.impact.constants import belief, constants, residual
from mesure.impact.diffusion import MediaSetting, diffusion_terms
from mesure.impact.hardware import Machine, machine_spread, machines
from mesure.impact.physics import TextSetting, encoder_joules, text_joules
from mesure.impact.software import Engine, engines, one_at_a_time, weight_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mesure.catalogue import Factor
    from mesure.impact.deployment import Deployment
    from mesure.impact.subject import MediaModel, TextModel

__all__ = [
    "LOCAL_PROVIDERS",
    "Lengths",
    "Scenario",
    "media_scenarios",
    "media_setting",
    "text_scenarios",
    "text_setting",
    "used_factors",
]

#: Providers that run on the caller's own machine, on its processor unless a deployment says otherwise.
LOCAL_PROVIDERS = ("local", "llama.cpp", "llamacpp")
_LOADS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
_SEVERAL_SIZES_LOADS = (16, 32, 64, 128, 256, 512, 1024)
_IMAGES_AT_ONCE = (1.0, 2.0, 4.0, 8.0)
_IMAGE_BOARDS = ((1, 0.4), (2, 0.3), (4, 0.2), (8, 0.1))
_SERVED_AT_LEAST = 8.0
_MOST_BOARDS = 128
_J_PER_WH = 3600.0


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of the request at which what is not linear is evaluated."""

    read: float
    written: float

    @property
    def context(self) -> float:
        return self.read + 0.5 * self.written

    @property
    def held(self) -> float:
        """Of context, on average, while its cache is held in memory."""
        return self.read + 0.6 * self.written


@dataclass(frozen=True, slots=True)
class Scenario:
    """`energy_wh` and `seconds` (of all boards) per unit of each feature; `spread`: log error that remains."""

    weight: float
    machine: Machine
    boards: int
    batch: float
    energy_wh: dict[str, float]
    seconds: dict[str, float]
    spread: float


def _fleet(deployment: Deployment, year: int | None, *, local: bool) -> tuple[str, ...]:
    if deployment.gpu:
        return (deployment.gpu,)
    if local:
        return ("cpu-generic",)
    return ("a100-sxm-40gb", "h100-sxm") if year and year <= 2024 else ("h100-sxm", "b200-sxm")


def used_factors(deployment: Deployment, year: int | None, *, local: bool) -> tuple[Factor, ...]:
    """Hardware figures the scenarios rest on."""
    return tuple(dict.fromkeys(f for gpu in _fleet(deployment, year, local=local) for f in machines(gpu)[1]))


# Text


def text_setting(model: TextModel, machine: Machine, boards: int, batch: float, engine: Engine) -> TextSetting:
    """A model on machines under a load, in numbers."""
    g, (_, eager, old, local) = model.geometry, engine
    common, expert, quantised = weight_bytes(model.bits, mixture=model.mixture)
    rate = machine.rate8_tflops if model.bits in (8.0, 8.5) else machine.rate16_tflops
    setting = TextSetting(
        active_g=model.active_b,
        total_g=model.total_b,
        layers=g.layers,
        hidden=g.hidden,
        full_layers=g.full_layers,
        window_layers=g.layers - g.full_layers if g.window_tokens else 0.0,
        window_tokens=g.window_tokens or 1.0,
        kv_elements=g.kv_elements,
        state_gb=g.state_gb,
        experts=g.experts,
        experts_per_token=g.experts_per_token,
        boards=float(boards),
        doublings=math.log2(boards),
        batch=batch,
        board_w=machine.power_w,
        bandwidth_gb_s=machine.bandwidth_gb_s,
        rate_tflops=rate / (8.0 if model.bits > 16.0 else 1.0),
        link_gb_s=machine.link_gb_s,
        free_gb=0.0,
        common_bytes=common,
        expert_bytes=expert,
        kv_bytes=4.0 if model.bits > 16.0 else 2.0,
        quantised_experts=quantised,
        eager=eager,
        old=old,
        host_factor=constants().host_local if local else 1.0,
        images=model.images,
        gddr=float(machine.gddr),
        blackwell=float(machine.blackwell),
    )
    memory = machine.memory_gb * boards
    free = max(0.95 * memory - physics.weights_gb(setting) - 2.0 * boards, 0.02 * memory)
    object.__setattr__(setting, "free_gb", free)
    return setting


_PROBE: Engine = (1.0, 0.0, 0.0, 0.0)


def _boards(needed_gb: float, machine: Machine, deployment: Deployment) -> tuple[tuple[int, float], ...]:
    """(boards, weight): the fewest (a power of two) whose memory holds what is needed, or twice that."""
    if deployment.n_gpus:
        return ((deployment.n_gpus, 1.0),)
    n = 1
    while n < _MOST_BOARDS and (0.9 * machine.memory_gb - 2.0) * n < needed_gb:
        n *= 2
    if machine.own:
        return ((n, 1.0),)
    double = belief("board_doubling").value
    return (n, 1.0 - double), (2 * n, double)


def _loads(
    room: float, machine: Machine, deployment: Deployment, grid: tuple[int, ...]
) -> tuple[tuple[float, float], ...]:
    """(requests in flight, weight): stated, or a distribution up to what memory holds."""
    if deployment.batch:
        return ((float(deployment.batch), 1.0),)
    if machine.own or one_at_a_time(deployment.framework):
        return ((1.0, 1.0),)
    power = belief("load_power").value
    held = [batch for batch in grid if batch <= max(room, grid[0])]
    total = sum(batch**power for batch in held)
    return tuple((float(batch), batch**power / total) for batch in held)


def _served(
    model: TextModel, deployment: Deployment, year: int | None, lengths: Lengths, *, local: bool, many: bool
) -> Iterator[tuple[float, Machine, int, float, Engine]]:
    """Every (weight, machine, boards, load, software) one model may run under."""
    grid = _SEVERAL_SIZES_LOADS if many else _LOADS
    fleet = _fleet(deployment, year, local=local)
    for gpu in fleet:
        for share, machine in machines(gpu)[0]:
            probe = text_setting(model, machine, 1, 1.0, _PROBE)
            request, weights = physics.cache_gb(probe, lengths.held), physics.weights_gb(probe)
            for n, of_boards in _boards(weights + _SERVED_AT_LEAST * request, machine, deployment):
                room = ((0.9 * machine.memory_gb - 2.0) * n - weights) / request
                for batch, of_load in _loads(room, machine, deployment, grid):
                    software = engines(
                        deployment.framework, own=machine.own, chip_year=machine.year, batch=batch, year=year
                    )
                    for engine in software:
                        yield share / len(fleet) * of_boards * of_load * engine[0], machine, n, batch, engine


def text_scenarios(
    models: Sequence[tuple[float, TextModel]],
    deployment: Deployment,
    year: int | None,
    lengths: Lengths,
    *,
    local: bool,
    encoder: bool = False,
) -> list[Scenario]:
    """Every weighted combination of what is not stated; weights sum to 1. `year`: of the software, None unknown."""
    out, k = [], constants()
    for of_size, model in models:
        served = _served(model, deployment, year, lengths, local=local, many=len(models) > 1)
        for weight, machine, n, batch, engine in served:
            setting = text_setting(model, machine, n, batch, engine)
            joules, seconds = (
                encoder_joules(setting, k) if encoder else text_joules(setting, k, lengths.context, lengths.held)
            )
            spread = math.hypot(_residual(batch, mixture=model.mixture), machine_spread(machine.id))
            if encoder:
                spread = math.hypot(spread, residual("encoder").value)
            energy = {feature: value / _J_PER_WH for feature, value in joules.items()}
            out.append(Scenario(of_size * weight, machine, n, batch, energy, seconds, spread))
    return out


def _residual(batch: float, *, mixture: bool) -> float:
    band = "1" if batch <= 1.0 else "2" if batch <= 32.0 else "33" if batch <= 128.0 else "129"
    return residual(f"{'moe' if mixture else 'dense'}-{band}").value


# Images and videos


def media_setting(model: MediaModel, machine: Machine, boards: int, batch: float) -> MediaSetting:
    """A denoiser on machines, in numbers."""
    return MediaSetting(
        layers=model.layers,
        hidden=model.hidden,
        linear_g=model.layer_factor * model.layers * model.hidden**2 * 1e-9,
        patch_px=model.patch_px,
        temporal_factor=model.temporal_factor,
        passes=model.passes,
        attention_factor=model.attention_factor,
        pass_tflop=model.pass_tflop,
        encoder_g=model.text_encoder_params_b,
        two_streams=model.two_streams,
        boards=float(boards),
        batch=batch,
        board_w=machine.power_w,
        rate_tflops=machine.rate16_tflops,
        link_gb_s=machine.link_gb_s,
        blackwell=float(machine.blackwell),
        ampere=float(machine.ampere),
    )


def media_scenarios(
    models: Sequence[tuple[float, MediaModel]],
    deployment: Deployment,
    year: int | None,
    settings: tuple[float, float, float, float],
    volume: float,
) -> list[Scenario]:
    """As `text_scenarios`, for a denoiser. `settings`: width, height, frames, steps; `volume`: as the formulas count
    it."""
    fleet = _fleet(deployment, year, local=False)
    boards = ((deployment.n_gpus, 1.0),) if deployment.n_gpus else ((1, 1.0),) if deployment.gpu else _IMAGE_BOARDS
    batches = (float(deployment.batch),) if deployment.batch else _IMAGES_AT_ONCE
    video = settings[2] > 1.0
    out = []
    for of_size, model in models:
        own = residual("video" if video else "image").value
        if video and model.sized_only:
            own = math.hypot(own, residual("video-geometry").value)
        for gpu in fleet:
            for share, machine in machines(gpu)[0]:
                for n, of_boards in boards:
                    for batch in batches:
                        setting = media_setting(model, machine, n, batch)
                        joules = diffusion_terms(setting, constants(), *settings, volume)
                        energy = {term: value / _J_PER_WH for term, value in joules.items()}
                        weight = of_size * share * of_boards / (len(fleet) * len(batches))
                        spread = math.hypot(own, machine_spread(machine.id))
                        out.append(Scenario(weight, machine, n, batch, energy, {}, spread))
    return out
