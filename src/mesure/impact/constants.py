"""Constants of the roofline, each a physical quantity with its unit, date and origin.

Fitted (2026-11) by least squares on log energy with physical priors, on public measurements: ML.ENERGY v1-v3
(Apache-2.0,
Chung et al. 2025), TokenPowerBench (MIT), benchlab. Accelerator scope. They are factors like any other: `explain`
shows them.
"""

from __future__ import annotations

from mesure.catalogue import Factor

_SOURCE = "Mesure roofline, fitted in 2026-11 on ML.ENERGY v1-v3, TokenPowerBench and benchlab measurements"
_URL = "https://github.com/ml-energy/leaderboard"


def _fitted(name: str, value: float, unit: str, note: str) -> Factor:
    return Factor(
        f"fit.{name}", value, value, value, unit, _SOURCE, _URL, 2026, "Apache-2.0 (Mesure)", "estimated", note
    )


# Memory
WEIGHT_READ = _fitted("weight_read", 0.970, "share of memory bandwidth", "reached when weights are read in sequence")
EXPERT_READ = _fitted("expert_read", 0.699, "share of memory bandwidth", "reached when experts are read")
CACHE_READ = _fitted("cache_read", 0.697, "share of memory bandwidth", "reached when the KV cache is read")
BLACKWELL_READ = _fitted(
    "blackwell_read", 0.674, "ratio", "bandwidth reached on B200 beside other accelerators, 2025 software"
)
ROUTING = _fitted("routing_correlation", 0.627, "ratio", "requests of a batch choose experts that overlap")
FP8_FLOOR = _fitted(
    "fp8_expert_floor", 0.466, "share", "experts read whatever the batch, block-quantised kernels of 2025"
)
FP8_SLOW = _fitted("fp8_expert_slowdown", 1.655, "ratio", "expert bytes of block-quantised kernels of 2025")
IMBALANCE = _fitted(
    "expert_imbalance",
    0.0758,
    "share per doubling of accelerators",
    "experts spread over accelerators wait for the fullest",
)

# Compute and links
COMPUTE = _fitted("compute", 0.634, "share of dense peak", "reached by matrix products")
LINK_LATENCY_S = _fitted(
    "link_latency", 5.69e-6, "s per exchange and doubling of accelerators", "two exchanges a layer"
)
LINK = _fitted("link", 0.497, "share of link bandwidth", "reached by exchanges between accelerators")

# Serving software, by year: it moves as fast as hardware
STEP_S = _fitted("step_2025", 2.14e-3, "s per step", "vLLM of 2025")
STEP_LAYER_S = _fitted("step_layer_2025", 35.2e-6, "s per step and layer", "vLLM of 2025")
STEP_REQUEST_S = _fitted("step_request_2025", 39.6e-6, "s per step and request", "vLLM of 2025")
STEP_2024_S = _fitted("step_2024", 9.2e-3, "s per step", "added in vLLM of 2024")
STEP_REQUEST_2024_S = _fitted("step_request_2024", 123.5e-6, "s per step and request", "added in vLLM of 2024")
LOOP_LAYER_S = _fitted("loop_layer", 1.267e-3, "s per step and layer", "a Hugging Face generation loop of 2023")
LOCAL_LAYER_S = Factor(
    "fit.local_layer", 30e-6, 5e-6, 100e-6, "s per step and layer",
    "Mesure authors, guess for llama.cpp on a processor",
    _URL, 2026, "Apache-2.0 (Mesure)", "assumed", "not fitted: no public measurement of it among the rows",
)  # fmt: skip

# Power drawn, as a share of board power
POWER_MEMORY = _fitted("power_memory", 0.474, "share of board power", "while memory is read")
POWER_COMPUTE = _fitted("power_compute", 1.544, "share of board power", "while products run, before the cap")
POWER_LINK = _fitted("power_link", 0.222, "share of board power", "while accelerators exchange")
POWER_CAP = _fitted("power_cap", 0.831, "share of board power", "soft cap")
CAP_SHARPNESS = 8.0
POWER_IDLE = {
    "h100-sxm": _fitted("idle_h100", 0.325, "share of board power", "at no work"),
    "b200-sxm": _fitted("idle_b200", 0.394, "share of board power", "at no work"),
    "a100-sxm-40gb": _fitted("idle_a100", 0.177, "share of board power", "at no work"),
    "v100-sxm2-32gb": _fitted("idle_v100", 0.227, "share of board power", "at no work"),
}
POWER_IDLE |= {
    "a100-sxm-80gb": POWER_IDLE["a100-sxm-40gb"],
    "a100-pcie-80gb": POWER_IDLE["a100-sxm-40gb"],
    "a40": POWER_IDLE["v100-sxm2-32gb"],
    "h100-nvl": POWER_IDLE["h100-sxm"],
    "h100-pcie": POWER_IDLE["h100-sxm"],
    "h200-sxm": POWER_IDLE["h100-sxm"],
    "b300-sxm": POWER_IDLE["b200-sxm"],
    "gb200": POWER_IDLE["b200-sxm"],
}
POWER_IDLE_OTHER = _fitted(
    "idle_other", 0.28, "share of board power", "mean of the fitted accelerators, for the others"
)

# Diffusion
LINEAR_COMPUTE = _fitted(
    "diffusion_linear", 0.296, "share of dense peak", "reached by the linear part of a denoiser pass"
)
ATTENTION_COMPUTE = _fitted("diffusion_attention", 0.339, "share of dense peak", "reached by its attention")
DIFFUSION_SPEED = {
    "b200-sxm": _fitted("diffusion_b200", 0.631, "ratio", "beside H100"),
    "a100-sxm-40gb": _fitted("diffusion_a100", 1.404, "ratio", "beside H100"),
}
DIFFUSION_SPEED |= {"a100-sxm-80gb": DIFFUSION_SPEED["a100-sxm-40gb"]}
UNET = _fitted("diffusion_unet", 0.847, "ratio", "convolutional denoisers beside transformers")
PASS_LAYER_S = _fitted("diffusion_layer", 0.632e-3, "s per pass and layer", "launch of kernels")
DECODE_TFLOP = _fitted("diffusion_decode", 2.74, "TFLOP per megapixel and frame", "from latent to pixels")
ENCODE_TFLOP = _fitted("diffusion_encode", 5.16, "TFLOP", "text encoder, once per prompt")
IMAGE_S = _fitted("diffusion_image", 34e-3, "s per image", "fixed work")
DIFFUSION_IDLE = _fitted("diffusion_idle", 0.234, "share of board power", "at no work")
DIFFUSION_BUSY = _fitted("diffusion_busy", 1.288, "share of board power", "added while busy, capped at full power")

#: 68 % quantile of leave-one-family-out log residuals by requests in flight (1, 2-32, 33-128, more), dense and
#: mixtures.
RESIDUAL_DENSE = (0.168, 0.189, 0.156, 0.147)
RESIDUAL_MOE = (0.212, 0.390, 0.273, 0.321)
#: Half width of the 90 % interval per unit of residual: 1.43, widened by 1.4 because the prototype covered 80 %.
RESIDUAL_TO_90 = 2.0
#: Log spread of one API scenario (unknown serving choices beside hardware, load and size); 1.645 of it for 90 %.
SCENARIO_SPREAD = 0.3
DIFFUSION_RESIDUAL = 0.19
