"""Energy of reading and writing tokens at the accelerators: the roofline, as coefficients of a polynomial in token
counts.

A step of decoding serves B requests and gives each one token. Its time is the sum of reading weights and KV cache, of
the products (prefill rides along: continuous batching), of exchanges between accelerators and of the host's own work.
Power is a
share of board power that depends on what the time is spent on. Decode and prefill are capped apart, so that energy
stays a polynomial in input and output tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mesure.impact import constants as fit

__all__ = ["Load", "Machine", "TextModel", "fits_batch", "generic_geometry", "text_terms"]

_J_PER_WH = 3600.0
#: Context at which what is not polynomial is evaluated: power cap, attention windows, memory left for the cache.
REFERENCE_CONTEXT = 1500.0


@dataclass(frozen=True, slots=True)
class TextModel:
    """Sizes in 1e9 parameters, widths in elements; `kv_elements` is key + value per token and layer."""

    active_b: float
    total_b: float
    layers: float
    hidden: float
    kv_elements: float
    full_layers: float
    window_tokens: float
    experts: float
    experts_per_token: float
    state_gb: float
    bits: float

    @property
    def mixture(self) -> bool:
        return self.experts > self.experts_per_token > 0 and self.total_b > self.active_b

    @property
    def weights_gb(self) -> float:
        return self.total_b * self.bits / 8.0

    def cache_gb(self, context: float) -> float:
        """KV cache of one request, 16-bit."""
        windowed = (self.layers - self.full_layers) * min(context, self.window_tokens)
        return (self.full_layers * context + windowed) * self.kv_elements * 2e-9 + self.state_gb


@dataclass(frozen=True, slots=True)
class Machine:
    """One accelerator: W, GB, GB/s, GFLOP/s."""

    id: str
    power_w: float
    memory_gb: float
    bandwidth_gb_s: float
    peak_gflop_s: float
    peak8_gflop_s: float
    link_gb_s: float
    idle_share: float


@dataclass(frozen=True, slots=True)
class Load:
    """`n` accelerators for one copy, `batch` requests in flight, serving software: server, server-2024, loop or
    local."""

    n: int
    batch: float
    engine: str = "server"


def generic_geometry(active_b: float, total_b: float, mixture: bool) -> tuple[float, float]:
    """Layers and width of a model of which only the size is known."""
    layers = 30.0 * total_b**0.15 if mixture else 24.0 * active_b**0.25
    return layers, math.sqrt(active_b * 1e9 / (12.0 * layers))


def _weight_gb_per_step(model: TextModel, load: Load) -> float:
    """Bytes of weights one step reads, each divided by the share of bandwidth it reaches."""
    bytes_per_weight = model.bits / 8.0
    if not model.mixture:
        return model.active_b * bytes_per_weight / fit.WEIGHT_READ.value
    experts, chosen = model.experts, model.experts_per_token
    per_expert = (model.total_b - model.active_b) / (experts - chosen)
    outside = max(model.active_b - chosen * per_expert, 0.1 * model.active_b)
    touched: float = max(1.0 - (1.0 - chosen / experts) ** (fit.ROUTING.value * load.batch), chosen / experts)
    expert_bytes = bytes_per_weight
    if 7.0 < model.bits < 10.0:
        touched = fit.FP8_FLOOR.value + (1.0 - fit.FP8_FLOOR.value) * touched
        expert_bytes *= fit.FP8_SLOW.value
    outside_bytes = 2.0 if model.bits < 7.0 else bytes_per_weight
    imbalance = 1.0 + fit.IMBALANCE.value * math.log2(load.n)
    return (
        outside * outside_bytes / fit.WEIGHT_READ.value
        + experts * per_expert * touched * expert_bytes * imbalance / fit.EXPERT_READ.value
    )


def _host_s_per_token(model: TextModel, load: Load) -> float:
    """The host's own time per output token of one request."""
    if load.engine == "loop":
        return fit.LOOP_LAYER_S.value * model.layers / load.batch
    if load.engine == "local":
        return fit.LOCAL_LAYER_S.value * model.layers / load.batch
    step = fit.STEP_S.value + fit.STEP_LAYER_S.value * model.layers
    request = fit.STEP_REQUEST_S.value
    if load.engine == "server-2024":
        step += fit.STEP_2024_S.value
        request += fit.STEP_REQUEST_2024_S.value
    return step / load.batch + request


def _capped(share: float) -> float:
    sharpness = fit.CAP_SHARPNESS
    return float((share**-sharpness + fit.POWER_CAP.value**-sharpness) ** (-1.0 / sharpness))


def text_terms(model: TextModel, machine: Machine, load: Load) -> dict[str, float]:
    """Wh at the accelerators per unit of each text term of `formulas`, and `power_share`, the mean share of board
    power."""
    reached = machine.bandwidth_gb_s * load.n * (fit.BLACKWELL_READ.value if machine.id.startswith("b200") else 1.0)
    peak = machine.peak8_gflop_s if model.bits < 10.0 else machine.peak_gflop_s
    rate = load.n * peak * fit.COMPUTE.value
    idle = machine.idle_share
    memory_w, compute_w, link_w = (
        idle + fit.POWER_MEMORY.value,
        idle + fit.POWER_COMPUTE.value,
        idle + fit.POWER_LINK.value,
    )

    # Seconds per output token of one request (a step shared by the batch), and per token of context it looks back on
    windowed = (model.layers - model.full_layers) * min(REFERENCE_CONTEXT, model.window_tokens)
    fixed_cache = (windowed * model.kv_elements * 2e-9 + model.state_gb) / fit.CACHE_READ.value / reached
    read = _weight_gb_per_step(model, load) / reached / load.batch + fixed_cache
    look_back = model.full_layers * model.kv_elements * 2e-9 / fit.CACHE_READ.value / reached
    product = 2.0 * model.active_b / rate
    attend = 4.0 * model.full_layers * model.hidden * 1e-9 / rate
    wait, exchange = 0.0, 0.0
    if load.n > 1:
        wait = 2.0 * model.layers * fit.LINK_LATENCY_S.value * math.log2(load.n) / load.batch
        payload_gb = 2.0 * model.layers * model.hidden * 2.0 * 2.0 * (load.n - 1) / load.n * 1e-9
        exchange = payload_gb / (fit.LINK.value * machine.link_gb_s)
    host = _host_s_per_token(model, load)

    decode_s = read + product + wait + exchange + host + REFERENCE_CONTEXT * (look_back + attend)
    decode_share = (
        idle
        + (
            fit.POWER_MEMORY.value * (read + REFERENCE_CONTEXT * look_back)
            + fit.POWER_COMPUTE.value * (product + REFERENCE_CONTEXT * attend)
            + fit.POWER_LINK.value * (wait + exchange)
        )
        / decode_s
    )
    prefill_s = product + exchange + REFERENCE_CONTEXT * attend
    prefill_share = (compute_w * (prefill_s - exchange) + link_w * exchange) / prefill_s
    board_wh = load.n * machine.power_w / _J_PER_WH
    decode, prefill = (board_wh * _capped(share) / share for share in (decode_share, prefill_share))
    reload = model.layers * model.kv_elements * 2e-9 / fit.CACHE_READ.value / reached
    return {
        "fresh": prefill * (compute_w * product + link_w * exchange),
        "cached": decode * memory_w * reload,
        "output": decode * (memory_w * read + compute_w * product + link_w * (wait + exchange) + idle * host),
        "fresh_input": prefill * compute_w * attend,
        "input_output": decode * (memory_w * look_back + compute_w * 1.5 * attend),
        "output_output": decode * (memory_w * look_back + compute_w * attend) * 0.5,
        "power_share": _capped(decode_share),
    }


def fits_batch(model: TextModel, machine: Machine, n: int, context: float = REFERENCE_CONTEXT) -> float:
    """Requests whose KV cache fits beside the weights on `n` accelerators; below 1 when the model does not fit."""
    free = n * (0.9 * machine.memory_gb - 2.0) - model.weights_gb
    return free / max(model.cache_gb(context), 1e-6)
