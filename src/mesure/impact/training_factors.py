"""Sourced figures that only training needs, each with its unit, year and origin. `explain_training` shows them."""

from __future__ import annotations

from mesure.catalogue import Factor

__all__ = [
    "ACCELERATOR_USE",
    "METER",
    "MFU",
    "MFU_RANGE",
    "NODE_OVER_TDP",
    "POWER_RANGE",
    "PUE_RANGE",
    "UNKNOWN_EFFICIENCY",
    "UNKNOWN_POWER",
    "WUE",
]

_OWN = "Apache-2.0 (Mesure)"

NODE_OVER_TDP = Factor(
    "training.node.over_tdp", 1.2, 0.85, 1.55, "ratio",
    "Mesure authors, between published figures: GPT-3 on V100 1.10 (330 W a chip, its host included, Patterson et al. "
    "2021); H100 nodes at 76 % of 10.2 kW, 1.38 (Newkirk et al. 2025), 8.4 kW at most, 1.50 (Latif et al. 2024)",
    "https://arxiv.org/abs/2506.14551", 2025, _OWN, "assumed",
    "whole machine over the board power of its accelerators, mean of allocated hours; low end: accelerators fall to "
    "15 % of their power during checkpoints (Morrison et al. 2025); the V100 figure is recalled",
)  # fmt: skip

MFU = Factor(
    "training.mfu", 0.35, 0.15, 0.50, "share of dense 16-bit peak",
    "Mesure authors, from published figures: printed GPT-3 0.21, MT-NLG 0.30, PaLM 0.46, Llama 3.1 405B 0.38-0.43; "
    "6 N D over published GPU-hours: LLaMA 0.44-0.46, Llama 2 7B 0.41, BLOOM 0.32, Llama 4 Scout 0.23, Llama 3 8B 0.16",
    "https://arxiv.org/abs/2407.21783", 2024, _OWN, "assumed",
    "over allocated hours: restarts and recomputed activations are in it",
)  # fmt: skip

ACCELERATOR_USE = Factor(
    "training.accelerator.use", 0.85, 0.5, 0.95, "share of life",
    "Luccioni et al. 2022 (BLOOM): 85 % of the hours of a training cluster are used",
    "https://arxiv.org/abs/2211.02001", 2022, "bare fact of a paper", "recalled", "spread by the Mesure authors",
)  # fmt: skip

METER = Factor(
    "training.meter.error", 1.0, 0.95, 1.05, "ratio",
    "Yang et al. 2023: NVIDIA's own power reading is within 5 %", "https://arxiv.org/abs/2312.02741", 2023,
    "bare fact of a paper", "recalled", "stands for the error of a sensor that does not state one",
)  # fmt: skip

WUE = Factor(
    "training.site.wue", 0.2, 0.01, 1.8, "L/kWh",
    "Mesure authors, from the operators' figures of table sites (0 to 2.75, median 0.18)",
    "https://sustainability.aboutamazon.com/products-services/aws-cloud", 2025, _OWN, "assumed",
    "water evaporated on site per kWh of the machines, place unknown",
)  # fmt: skip

UNKNOWN_POWER = Factor(
    "training.unknown.board_power_w", 700, 300, 1000, "W",
    "Mesure authors, from the accelerators listed here: V100 300, A100 400, H100 700, B200 1000",
    "https://www.nvidia.com/en-us/data-center/h100/", 2026, _OWN, "assumed", "stands for an unknown accelerator",
)  # fmt: skip

UNKNOWN_EFFICIENCY = Factor(
    "training.unknown.flop_per_j", 1.41e12, 0.42e12, 2.25e12, "FLOP/J",
    "Mesure authors, dense 16-bit peak over board power of the accelerators listed here: V100 0.42, A100 0.78, "
    "H100 1.41, B200 2.25 TFLOP/s per W",
    "https://www.nvidia.com/en-us/data-center/h100/", 2026, _OWN, "assumed", "stands for an unknown accelerator",
)  # fmt: skip

#: Bounds of the plausible. MFU: best printed 0.55-0.6, a small fine-tuning some percent.
MFU_RANGE = (0.02, 0.75)
#: Rated or drawn power of an accelerator over its board power: idle to the tolerance of a sensor.
POWER_RANGE = (0.1, 1.05)
#: From no plant at all to an old server room.
PUE_RANGE = (1.0, 2.5)
