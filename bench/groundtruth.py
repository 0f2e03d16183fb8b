"""Public measurements of energy per request, as arguments of `mesure.estimate`. Facts of the benchmarks are here alone.

Rows come from `groundtruth/inference_measured.csv` of the data folder (`MESURE_DATA`, else `../shared/data`).
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from mesure.impact import Deployment, ModelCard

__all__ = ["Row", "data_folder", "rows"]

_HERE = Path(__file__).resolve().parent
#: Mean prompts as the benchmarks document them (ML.ENERGY v1 to v3, TokenPowerBench).
_PROMPTS = {"lm-arena-chat": 174.0, "gpqa": 266.0, "image-chat": 900.0, "alpaca-text": 38.0}
_PROMPTS_2024 = {"chat": 241.0, "code": 215.0}
_PROMPT_2023 = 98.0
_IMAGE_TOKENS = (("llava-1.5", 576.0), ("llava-next", 2200.0), ("", 1900.0))
_YEARS = {"ml.energy-v1": 2023, "ml.energy-v2": 2024}
#: Energy over latency is 490 to 830 W on one 700 W board: not one GPU at 16 bits. Never fitted, scored apart.
INCONSISTENT = "benchlab-thanks"


def data_folder() -> Path:
    return Path(os.environ.get("MESURE_DATA") or _HERE.parent.parent / "shared" / "data")


@cache
def _geometry() -> tuple[tuple[re.Pattern[str], dict[str, float]], ...]:
    """Architecture facts of the measured models by pattern of name: for fits alone, which must know what was run."""
    with (_HERE / "geometry.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    return tuple(
        (re.compile(row.pop("pattern")), {name: float(value) for name, value in row.items() if value}) for row in found
    )


@dataclass(frozen=True)
class Row:
    """One measured configuration, accelerator scope. Sizes in 1e9 parameters, energy in Wh per request."""

    raw: dict[str, str]

    def number(self, column: str) -> float | None:
        return float(self.raw[column]) if self.raw[column] else None

    @property
    def model(self) -> str:
        return self.raw["model"]

    @property
    def source(self) -> str:
        return self.raw["source"]

    @property
    def energy_wh(self) -> float:
        return float(self.raw["energy_wh"])

    @property
    def batch(self) -> float:
        return float(self.raw["batch_or_concurrency"])

    @property
    def media(self) -> bool:
        return "gen" in self.raw["modality"]

    @property
    def year(self) -> int:
        return _YEARS.get(self.source, 2025)

    @property
    def mixture(self) -> bool:
        return self.raw["architecture"] == "MoE"

    @property
    def output_tokens(self) -> float:
        return float(self.raw["output_tokens"])

    @property
    def prompt(self) -> float:
        """Input tokens as the benchmark's documents give them."""
        if stated := self.number("input_tokens"):
            return stated
        task = self.raw["task"]
        if task == "vlm-chat":
            return 62.0 + next(tokens for name, tokens in _IMAGE_TOKENS if name in self.model.lower())
        if self.source == "ml.energy-v2":
            return _PROMPTS_2024[task]
        return _PROMPTS.get(task, _PROMPT_2023)

    def key(self, name: str) -> str:
        """The group of a row: what a fit that must not know it leaves out."""
        if name == "base":
            return f"{self.raw['family']}|{self.raw['architecture']}|{float(self.raw['total_params_b'] or 0):.0f}"
        if name == "task":
            return f"{self.source}:{self.raw['task']}"
        return self.raw[name]

    def card(self, *, geometry: bool = False) -> ModelCard:
        """What a scorer knows of the model; with `geometry`, what a fit must know."""
        facts: dict[str, Any] = {}
        if geometry and not self.media:
            name = self.model.lower()
            facts = next((facts for pattern, facts in _geometry() if pattern.search(name)), {})
        return ModelCard(
            total_params_b=self.number("total_params_b"),
            active_params_b=self.number("active_params_b"),
            architecture=self.raw["architecture"],
            modality=self.raw["modality"],
            **facts,
        )

    def deployment(self) -> Deployment:
        return Deployment(
            gpu=self.raw["gpu"],
            n_gpus=int(float(self.raw["n_gpus"])),
            precision=self.raw["precision"] or None,
            batch=self.batch,
            framework=self.raw["framework"] or None,
        )

    def sizes(self) -> dict[str, int]:
        """Width, height, steps and frames, where stated."""
        return {name: int(float(self.raw[name])) for name in ("width", "height", "steps", "frames") if self.raw[name]}

    def arguments(self, *, api: bool = False, prompt: bool = False, year: bool = False) -> dict[str, Any]:
        """Keywords of `mesure.estimate` beside `card`. `api`: nothing of the machines is stated."""
        stated = self.deployment()
        out: dict[str, Any] = {"deployment": Deployment(precision=stated.precision) if api else stated}
        if year:
            out["at"] = date(self.year, 12, 1)
        if self.media:
            return out | {"images": 1} | self.sizes()
        read = self.prompt if prompt else self.number("input_tokens")
        return out | {"input_tokens": read, "output_tokens": self.output_tokens}


def rows(kind: str) -> list[Row]:
    """`text` (answers with a known length) or `media` (images and videos)."""
    path = data_folder() / "groundtruth" / "inference_measured.csv"
    with path.open(encoding="utf-8", newline="") as file:
        every = [Row(raw) for raw in csv.DictReader(file) if raw["scope"] == "gpu" and raw["n_gpus"]]
    if kind == "media":
        return [row for row in every if row.media]
    return [row for row in every if row.raw["output_tokens"] and row.raw["modality"] in ("text", "image+text")]
