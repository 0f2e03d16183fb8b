"""Against public measurements. The constants were fitted on these rows: a bound on sanity, not a proof of accuracy."""

from __future__ import annotations

import csv
import math
from datetime import date
from pathlib import Path
from statistics import median, quantiles

import pytest

from mesure.impact import Deployment, ModelCard, estimate
from mesure.quantity import Quantity

#: Mean prompts of tasks whose rows give no input length (docs/method.md).
_PROMPTS = {"lm-arena-chat": 174.0, "gpqa": 266.0, "image-chat": 900.0, "alpaca-text": 38.0}


def _number(text: str) -> float | None:
    return float(text) if text else None


def rows_of(shared_data: Path, *, modality: str, architecture: str) -> list[dict[str, str]]:
    with (shared_data / "groundtruth" / "inference_measured.csv").open(encoding="utf-8", newline="") as file:
        return [
            row
            for row in csv.DictReader(file)
            if row["scope"] == "gpu"
            and row["modality"] == modality
            and row["architecture"] == architecture
            and row["source"].startswith("ml.energy-v3")
        ]


def modelled(row: dict[str, str], *, stated: bool) -> tuple[Quantity, float]:
    """(estimate at the accelerators, measured Wh)."""
    video = row["modality"] == "video-gen"
    diffusion = row["architecture"] == "diffusion"
    card = ModelCard(
        total_params_b=_number(row["active_params_b"] if diffusion else row["total_params_b"]),
        active_params_b=_number(row["active_params_b"]),
        modality="video" if video else "image" if diffusion else "text",
    )
    deployment = Deployment(
        gpu=row["gpu"],
        n_gpus=int(float(row["n_gpus"])),
        precision=row["precision"],
        batch=_number(row["batch_or_concurrency"]),
        framework=row["framework"],
    )
    size = {name: int(float(row[name])) for name in ("width", "height", "steps", "frames") if row[name]}
    found = estimate(
        row["model"],
        card=card,
        deployment=deployment if stated else None,
        at=date(int(row["measured_on"][:4]), 6, 1),
        **({"images": 1, **size} if diffusion else {}),  # type: ignore[arg-type]
        input_tokens=None if diffusion else _number(row["input_tokens"]) or _PROMPTS.get(row["task"]),
        output_tokens=_number(row["output_tokens"]),
    )
    return found.parts["accelerator_energy_wh"], float(row["energy_wh"])


def errors(rows: list[dict[str, str]], *, stated: bool) -> tuple[float, float, float]:
    """Median and 90th percentile of the factor error, and the share of rows inside the interval."""
    pairs = [modelled(row, stated=stated) for row in rows]
    factors = [math.exp(abs(math.log(found.mid / measured))) for found, measured in pairs]
    inside = sum(found.low <= measured <= found.high for found, measured in pairs) / len(pairs)
    return median(factors), quantiles(factors, n=10)[-1], inside


@pytest.mark.parametrize(
    ("modality", "architecture", "at_most", "p90_at_most"),
    [
        ("text", "Dense", 1.15, 1.6),
        ("text", "MoE", 1.2, 1.6),
        ("image-gen", "diffusion", 1.2, 1.6),
        ("video-gen", "diffusion", 1.15, 1.4),
    ],
)
def test_settings_known(
    shared_data: Path, modality: str, architecture: str, at_most: float, p90_at_most: float
) -> None:
    rows = rows_of(shared_data, modality=modality, architecture=architecture)
    assert len(rows) > 50
    middle, p90, inside = errors(rows, stated=True)
    assert middle < at_most
    assert p90 < p90_at_most
    assert inside > 0.85


def test_settings_unknown(shared_data: Path) -> None:
    """What a customer of an API sees: neither hardware nor load."""
    rows = [
        row
        for architecture in ("Dense", "MoE")
        for row in rows_of(shared_data, modality="text", architecture=architecture)
        if float(row["batch_or_concurrency"]) >= 29.0  # loads an API serves at
    ]
    assert len(rows) > 200
    middle, p90, inside = errors(rows, stated=False)
    assert middle < 1.6
    assert p90 < 3.3
    assert inside > 0.85
