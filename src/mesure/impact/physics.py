"""Energy of reading and writing tokens at the accelerators, from physics.

Pure functions of numbers: floats or NumPy arrays alike, with only + - x / ** and abs, no look-up and no branch on a
value. What is chosen by name (chip, number format, engine) was resolved to numbers before.

A step of decoding serves B requests and gives each one token. Its time is that of reading weights and cache, of the
products, of exchanges between boards and of the host's own work. Energy = boards x board power x (idle share x time +
busy share x time the boards work): one idle share, one busy share and no cap, which makes it linear in what a request
carries. Units: 1e9 parameters (g), GB, GB/s, TFLOP/s, W, s, J; tokens are counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mesure.impact.constants import Constants

__all__ = [
    "TEXT_TERMS",
    "TextSetting",
    "ceiling",
    "encoder_joules",
    "feature_counts",
    "joined",
    "lower",
    "soft_lower",
    "text_joules",
    "total",
    "upper",
    "weights_gb",
]

#: What energy is linear in. `context` is output x (input + output / 2), `prefill` fresh x (fresh + 2 cached).
TEXT_TERMS = ("request", "fresh", "cached", "output", "context", "prefill")
_CAUSES = ("memory", "products", "links", "host")
#: A float, or an array of them.
Number = Any


def lower(a: Number, b: Number) -> Number:
    """The smaller of two values, by arithmetic alone."""
    return 0.5 * (a + b - abs(a - b))


def upper(a: Number, b: Number) -> Number:
    """The larger of two values, by arithmetic alone."""
    return 0.5 * (a + b + abs(a - b))


def soft_lower(a: Number, b: Number, sharpness: float) -> Number:
    """A smooth minimum."""
    small, large = lower(a, b), upper(a, b)
    return small * (1.0 + (small / large) ** sharpness) ** (-1.0 / sharpness)


def joined(a: Number, b: Number, order: Number) -> Number:
    """Two times that partly overlap: order 1 adds them, a large order keeps the longer."""
    small, large = lower(a, b), upper(a, b)
    return large * (1.0 + (small / (large + 1e-300)) ** order) ** (1.0 / order)


def ceiling(x: Number) -> Number:
    """Smallest whole number not below x."""
    return -((-x) // 1.0)


@dataclass(frozen=True, slots=True)
class TextSetting:
    """A model on machines under a load: everything but the constants. Fields may be arrays."""

    active_g: float
    total_g: float
    layers: float
    hidden: float
    full_layers: float  # layers that attend to everything
    window_layers: float  # layers that attend to a window
    window_tokens: float
    kv_elements: float  # key + value elements per token and layer
    state_gb: float  # recurrent state of one request
    experts: float  # 1 where there are none
    experts_per_token: float
    boards: float
    doublings: float  # log2 of the boards
    batch: float  # requests in flight, as stated
    board_w: float
    bandwidth_gb_s: float
    rate_tflops: float  # dense peak in the format of the weights
    link_gb_s: float
    free_gb: float  # memory the weights leave
    common_bytes: float  # per weight that every token meets
    expert_bytes: float  # per weight of an expert
    kv_bytes: float
    quantised_experts: float  # 0 to 1: block-quantised kernels
    eager: float  # 1 for a plain PyTorch loop
    old: float  # 0 to 1: share of a 2024 engine's overhead
    host_factor: float  # host time against a 2025 serving engine
    images: float  # images prepared per request
    gddr: float  # 1 where the memory is GDDR
    blackwell: float  # 1 on Blackwell


def expert_split(active_g: Number, total_g: Number, experts: Number, per_token: Number) -> tuple[Number, Number]:
    """(parameters every token meets, parameters of one expert over all layers).

    active = common + k x expert and total = common + E x expert; common is at least a tenth of active.
    """
    one = (total_g - active_g) / upper(experts - per_token, 1.0)
    common = upper(active_g - per_token * one, 0.1 * active_g)
    return common, upper(total_g - common, 0.0) / upper(experts, 1.0)


def weights_gb(s: TextSetting) -> Number:
    """Memory the weights take."""
    common, one = expert_split(s.active_g, s.total_g, s.experts, s.experts_per_token)
    return common * s.common_bytes + one * s.experts * s.expert_bytes


def cache_gb(s: TextSetting, tokens: Number) -> Number:
    """Memory of one request's keys and values at `tokens` of context, recurrent state included."""
    held = s.full_layers * tokens + s.window_layers * lower(tokens, s.window_tokens)
    return held * s.kv_elements * s.kv_bytes * 1e-9 + s.state_gb + 1e-9


def held_batch(s: TextSetting, tokens: Number) -> Number:
    """Requests that really run at once: no more than the memory left holds, at least one."""
    return soft_lower(s.batch, upper(s.free_gb / cache_gb(s, tokens), 1.0), 8.0)


def _experts_touched(s: TextSetting, k: Constants, batch: Number) -> Number:
    """Share of a layer's experts that a step reads, at least k/E. Tokens of a batch share experts; block-quantised
    kernels read a floor whatever the batch."""
    per_token = s.experts_per_token / s.experts
    share = upper(1.0 - (1.0 - per_token) ** (k.routing_correlation * batch), per_token)
    floor = s.quantised_experts * k.fp8_expert_floor
    return floor + (1.0 - floor) * share


def _weight_seconds(s: TextSetting, k: Constants, batch: Number, bandwidth: Number) -> Number:
    """Reading, once a step, of the weights a batch touches."""
    common, one = expert_split(s.active_g, s.total_g, s.experts, s.experts_per_token)
    slow = k.fp8_expert_slow**s.quantised_experts * (1.0 + k.expert_imbalance * s.doublings)
    experts = s.experts * one * s.expert_bytes * _experts_touched(s, k, batch) * slow
    return (common * s.common_bytes / k.bandwidth_weights + experts / k.bandwidth_experts) / bandwidth


def _seconds(s: TextSetting, k: Constants, context: Number, held: Number) -> dict[str, dict[str, Number]]:
    """Seconds of all boards together per unit of each feature, apart by cause.

    `context`: mean context, at which windows are evaluated; `held`: longest context, which fills the memory.
    """
    batch = held_batch(s, held)
    bandwidth = s.boards * s.bandwidth_gb_s * k.bandwidth_blackwell**s.blackwell
    rate = s.boards * s.rate_tflops * 1e3 * k.rate_achieved * k.eager_prefill**s.eager  # GFLOP/s
    token_kv = s.kv_elements * s.kv_bytes * 1e-9 / (k.bandwidth_kv * bandwidth)
    window_kv = s.window_layers * token_kv * lower(context, s.window_tokens)
    state = 2.0 * s.state_gb / (k.bandwidth_kv * bandwidth)
    attention = 4.0 * s.full_layers * s.hidden * 1e-9 / rate
    product = 2.0 * s.active_g / rate
    barrier = 2.0 * s.layers * k.link_latency_s * s.doublings
    sent = 8.0 * s.layers * s.hidden * 1e-9 * (s.boards - 1.0) / s.boards / (k.link_achieved * s.link_gb_s)
    serve = (1.0 - s.eager) * s.host_factor
    step = serve * (k.host_step_s + s.old * k.host_old_step_s + k.host_layer_s * s.layers)
    step = step + s.eager * k.eager_layer_s * s.layers
    return {
        "memory": {
            "output": _weight_seconds(s, k, batch, bandwidth) / batch + window_kv + state,
            "context": s.full_layers * token_kv,
            "cached": s.full_layers * token_kv,
        },
        "products": {"output": product, "fresh": product, "context": attention, "prefill": 0.5 * attention},
        "links": {"output": barrier / batch + sent, "fresh": sent},
        "host": {
            "output": step / batch + serve * (k.host_seq_s + s.old * k.host_old_seq_s),
            "request": s.images * k.vision_request_s + s.eager * k.eager_request_s,
        },
    }


def text_joules(
    s: TextSetting, k: Constants, context: Number, held: Number
) -> tuple[dict[str, Number], dict[str, Number]]:
    """(joules, seconds of all boards) per unit of each of `TEXT_TERMS`: the linear form of a deployment.

    Where the boards' step and the host's work on it overlap (a plain PyTorch loop), their joint length is taken at
    `context` and charged per output token.
    """
    parts = _seconds(s, k, context, held)
    reading = k.power_busy * k.power_gddr**s.gddr
    busy = {"memory": reading, "products": k.power_busy, "links": k.power_busy, "host": 0.0}
    step: Number = 0.0
    for cause in ("memory", "products", "links"):
        step = step + parts[cause].get("output", 0.0) + context * parts[cause].get("context", 0.0)
    host = parts["host"]["output"]
    wait = joined(step, host, 1.0 + s.eager * (k.eager_overlap - 1.0)) - step
    watts = s.boards * s.board_w
    joules: dict[str, Number] = {}
    seconds: dict[str, Number] = {}
    for feature in TEXT_TERMS:
        spent: Number = sum(parts[c].get(feature, 0.0) for c in _CAUSES)
        power: Number = sum((k.idle_share + busy[c]) * parts[c].get(feature, 0.0) for c in _CAUSES)
        if feature == "output":
            spent, power = spent - host + wait, power + k.idle_share * (wait - host)
        joules[feature], seconds[feature] = watts * power, spent
    return joules, seconds


def feature_counts(fresh: Number, cached: Number, output: Number) -> dict[str, Number]:
    """Counts of `TEXT_TERMS` for one request."""
    return {
        "request": 1.0,
        "fresh": fresh,
        "cached": cached,
        "output": output,
        "context": output * (fresh + cached + 0.5 * output),
        "prefill": fresh * (fresh + 2.0 * cached),
    }


def total(per_feature: dict[str, Number], counts: dict[str, Number]) -> Number:
    """Sum of a linear form over counts."""
    return sum(per_feature[feature] * counts[feature] for feature in TEXT_TERMS)


def encoder_joules(s: TextSetting, k: Constants) -> tuple[dict[str, Number], dict[str, Number]]:
    """(joules, seconds) per unit of `TEXT_TERMS` of a model that reads and does not write: one pass a request."""
    parts = _seconds(s, k, 0.0, 1.0)
    watts = s.boards * s.board_w
    once = parts["memory"]["output"]
    host = parts["host"]["output"] + parts["host"]["request"]
    token, square = parts["products"]["fresh"], 2.0 * parts["products"]["prefill"]
    busy = k.idle_share + k.power_busy
    joules = dict.fromkeys(TEXT_TERMS, 0.0 * once)
    seconds = dict(joules)
    joules["request"] = watts * ((k.idle_share + k.power_busy * k.power_gddr**s.gddr) * once + k.idle_share * host)
    joules["fresh"], joules["prefill"] = watts * busy * token, watts * busy * square
    seconds["request"], seconds["fresh"], seconds["prefill"] = once + host, token, square
    return joules, seconds
