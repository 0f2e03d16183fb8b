"""Writes what the EcoLogits method reads of its own: constants, sizes and speeds of models, halls of providers.

Read from the package pinned in pyproject.toml (MPL-2.0), as facts with their provenance; no code of it enters here.
Run: python catalogue-src/ecologits_method.py
"""

from __future__ import annotations

import csv
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ecologits.impacts import llm
from ecologits.model_repository import models
from ecologits.tracers.utils import PROVIDER_CONFIG_MAP

from mesure.catalogue.table import FACTOR_COLUMNS

OUT = Path(__file__).parents[1] / "src" / "mesure" / "impact" / "methods" / "data" / "ecologits_mpl.csv"
DOCUMENT = "https://ecologits.ai/latest/methodology/llm_inference/"
PACKAGE = "https://github.com/mlco2/ecologits"
LICENCE = "MPL-2.0 (keep this file apart)"
_CONSTANTS = {
    ("board", "energy_per_active"): ("GPU_ENERGY_ALPHA", "Wh/token/1e9 parameters", "times exp(-decay x batch)"),
    ("board", "energy_batch_decay"): ("GPU_ENERGY_BETA", "1/request", "the exponent is minus this figure"),
    ("board", "energy_floor"): ("GPU_ENERGY_GAMMA", "Wh/token", "whatever the size"),
    ("latency", "per_active"): ("LATENCY_ALPHA", "s/token/1e9 parameters", "where no speed is listed"),
    ("latency", "per_batch"): ("LATENCY_BETA", "s/token/request", "where no speed is listed"),
    ("latency", "floor"): ("LATENCY_GAMMA", "s/token", "where no speed is listed"),
    ("board", "memory"): ("GPU_MEMORY", "GB", "H100 80GB"),
    ("board", "manufacture_gwp"): ("GPU_EMBODIED_IMPACT_GWP", "kgCO2e/GPU", "Lees-Perasso et al. 2026"),
    ("server", "boards"): ("SERVER_GPUS", "GPU/server", "AWS p5.48xlarge"),
    ("server", "power_kw"): ("SERVER_POWER", "kW", "without boards; BoaviztAPI on p5.48xlarge"),
    ("server", "manufacture_gwp"): ("SERVER_EMBODIED_IMPACT_GWP", "kgCO2e/server", "without boards; BoaviztAPI"),
    ("server", "lifetime"): ("HARDWARE_LIFESPAN", "s", "three years, always busy"),
    ("serving", "batch"): ("BATCH_SIZE", "requests", "fixed"),
    ("weights", "bits"): ("MODEL_QUANTIZATION_BITS", "bits/parameter", "fixed"),
}  # fmt: skip


def bounds(value: Any) -> tuple[float, float]:
    return (value.min, value.max) if hasattr(value, "min") else (value, value)


def row(entity: str, parameter: str, value: Any, unit: str, url: str, note: str, status: str) -> dict[str, str]:
    low, high = bounds(value)
    written = {"low": f"{low:.12g}", "high": f"{high:.12g}"} if low < high else {"low": "", "high": ""}
    return {
        "id": f"ecologits.{entity}.{parameter}.2026", "entity": entity, "parameter": parameter,
        "value": f"{(low + high) / 2:.12g}", **written, "unit": unit, "year": "2026",
        "source": f"EcoLogits {version('ecologits')}", "source_url": url, "licence": LICENCE, "status": status,
        "note": note,
    }  # fmt: skip


def rows() -> list[dict[str, str]]:
    out = [
        row(entity, parameter, abs(getattr(llm, name)), unit, DOCUMENT, note, "published")
        for (entity, parameter), (name, unit, note) in _CONSTANTS.items()
    ]
    note = "bytes loaded over bytes of weights; Transformer Math 101"
    out.append(row("weights", "overhead", 1.2, "ratio", DOCUMENT, note, "published"))
    for provider, halls in PROVIDER_CONFIG_MAP.items():
        note = f"default zone {halls.datacenter_location}"
        out.append(row(provider, "pue", halls.datacenter_pue, "ratio", PACKAGE, note, "assumed"))
    for model in models.list_models():
        sizes = model.architecture.parameters
        total, active = (sizes.total, sizes.active) if hasattr(sizes, "total") else (sizes, sizes)
        entity = f"{model.provider.value}/{model.name}"
        out.append(row(entity, "total_params_b", total, "1e9 parameters", PACKAGE, "", "estimated"))
        out.append(row(entity, "active_params_b", active, "1e9 parameters", PACKAGE, "", "estimated"))
        speeds = model.deployment
        if speeds and speeds.tps is not None:
            out.append(row(entity, "tokens_per_s", speeds.tps, "token/s", PACKAGE, "OpenRouter", "estimated"))
        if speeds and speeds.ttft is not None:
            out.append(row(entity, "first_token_s", speeds.ttft, "s", PACKAGE, "OpenRouter", "estimated"))
    return out


if __name__ == "__main__":
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, FACTOR_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows())
