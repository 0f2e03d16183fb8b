"""Published trainings, each with its scope: GPU-hours given, MWh within 2 % and tCO2e within 5 %."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mesure.impact import TrainingImpacts, estimate_training

#: Two rows state neither hours nor board power: they are compared as readings, or through their tokens.
_WITHOUT_HOURS = {"GPT-3 175B", "Olmo 3 7B/32B (whole development)"}
_IMPLAUSIBLE = "Llama 3.3 70B"


def rows(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / "groundtruth" / "training_figures.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def number(text: str) -> float | None:
    return float(text) if text else None


def estimated(row: dict[str, str], **more: Any) -> TrainingImpacts:
    grid = number(row["grid_kg_per_kwh"])
    return estimate_training(
        **{
            "gpu_hours": number(row["gpu_hours"]),
            "gpu": row["gpu"],
            "power_w": number(row["tdp_w"]),
            "pue": number(row["pue"]),
            "grid_gco2eq_per_kwh": None if grid is None else grid * 1e3,
            "reported_mwh": number(row["reported_mwh"]),
            "reported_tco2e": number(row["reported_tco2e"]),
            **more,
        }
    )


def named(shared_data: Path, model: str) -> dict[str, str]:
    return next(row for row in rows(shared_data) if row["model"] == model)


def test_where_hours_power_pue_and_grid_are_given_the_publishers_figures_come_out(shared_data: Path) -> None:
    given = [row for row in rows(shared_data) if row["gpu_hours"] and row["pue"] and row["grid_kg_per_kwh"]]
    assert len(given) >= 4
    for row in given:
        found = estimated(row)
        assert found.energy_wh.mid * 1e-6 == pytest.approx(float(row["reported_mwh"]), rel=0.02), row["model"]
        assert found.usage.gwp_gco2eq is not None
        assert found.usage.gwp_gco2eq.mid * 1e-6 == pytest.approx(float(row["reported_tco2e"]), rel=0.05), row["model"]
        assert found.plausibility == (), row["model"]
        assert found.basis == "convention"
        assert "tdp_convention" in found.warnings


def test_the_power_of_the_catalogue_is_that_of_the_publishers(shared_data: Path) -> None:
    for row in rows(shared_data):
        if row["model"] in _WITHOUT_HOURS:
            continue
        found = estimated(row, power_w=None)
        assert found.parts["tdp_energy_wh"].mid * 1e-6 == pytest.approx(float(row["tdp_energy_mwh"]), rel=0.002)


def test_where_pue_and_grid_are_not_given_the_published_carbon_is_in_the_interval(shared_data: Path) -> None:
    """Llama 2 to 4: location-based, PUE and grid of the operator's own halls, not published. The country stands in."""
    given = [row for row in rows(shared_data) if row["gpu_hours"] and not row["pue"] and row["model"] != _IMPLAUSIBLE]
    assert len(given) >= 7
    for row in given:
        found = estimated(row, zone="USA")
        carbon = found.usage.gwp_gco2eq
        assert carbon is not None
        assert carbon.low < float(row["reported_tco2e"]) * 1e6 < carbon.high, row["model"]
        assert carbon.mid * 1e-6 == pytest.approx(float(row["reported_tco2e"]), rel=0.30), row["model"]
        assert "pue_unknown" in found.warnings
        assert found.plausibility == (), row["model"]


@pytest.mark.parametrize("zone", [None, "USA", "FRA"])
def test_the_inconsistent_row_is_flagged_not_reproduced(shared_data: Path, zone: str | None) -> None:
    row = named(shared_data, _IMPLAUSIBLE)
    found = estimated(row, zone=zone)
    [flagged] = [one for one in found.plausibility if one.code == "implied_grid_intensity"]
    assert flagged.implied < 3.0 < flagged.low
    assert found.usage.gwp_gco2eq is not None
    assert found.usage.gwp_gco2eq.low * 1e-6 > 10 * float(row["reported_tco2e"]) or zone == "FRA"
    assert found.usage.gwp_gco2eq.mid * 1e-6 > 10 * float(row["reported_tco2e"])


def test_bloom_beyond_its_dynamic_scope(shared_data: Path) -> None:
    """24.7 t are GPU-hours x board power, without host, idle and PUE; 50.5 t hold idle machines and manufacture too."""
    found = estimated(named(shared_data, "BLOOM 176B (dynamic only)"), pue=None)
    assert found.gwp_gco2eq is not None
    assert found.gwp_gco2eq.low < 50.5e6 < found.gwp_gco2eq.high
    # Dynamic and idle together: 433 + 257 MWh
    assert found.energy_wh.low < 690e6 < found.energy_wh.high


def test_olmo_a_measured_development(shared_data: Path) -> None:
    """12 300 MWh and 4 251 t, measured; 82 % of it is not the final run, which only `repeats` can say beforehand."""
    row = named(shared_data, "Olmo 3 7B/32B (whole development)")
    mwh, tonnes = float(row["reported_mwh"]), float(row["reported_tco2e"])
    found = estimate_training(
        measured_energy_kwh=mwh * 1e3, gpu="H100", pue=1.0, zone="USA", reported_mwh=mwh, reported_tco2e=tonnes
    )
    assert found.energy_wh.mid == pytest.approx(mwh * 1e6)
    assert found.status.value == "measured"
    assert found.plausibility == ()
    assert found.usage.gwp_gco2eq is not None
    assert found.usage.gwp_gco2eq.low < tonnes * 1e6 < found.usage.gwp_gco2eq.high
    # 15 887 m3 of water, on site and by generation
    assert found.usage.water_ml is not None
    assert found.usage.water_ml.low < 15_887e6 < found.usage.water_ml.high


def test_gpt3_from_its_tokens(shared_data: Path) -> None:
    """300e9 tokens x 175e9 parameters on V100, PUE 1.1: 1 287 MWh lie in the interval (its MFU, 0.20, is low)."""
    row = named(shared_data, "GPT-3 175B")
    found = estimate_training(
        tokens=300e9, params_b=175, gpu="V100", pue=1.1, grid_gco2eq_per_kwh=429,
        reported_mwh=float(row["reported_mwh"]), reported_tco2e=float(row["reported_tco2e"]),
    )  # fmt: skip
    assert found.basis == "realistic"
    assert found.energy_wh.low < float(row["reported_mwh"]) * 1e6 < found.energy_wh.high
    assert found.plausibility == ()


@pytest.mark.parametrize(
    ("gpu", "tokens", "params_b", "active_params_b", "gpu_hours"),
    [
        ("A100", 1.0e12, 6.7, None, 82_432),  # LLaMA 7B
        ("A100", 1.4e12, 32.5, None, 530_432),  # LLaMA 33B
        ("A100", 366e9, 176, None, 1_082_990),  # BLOOM
        ("A100", 2.0e12, 7, None, 184_320),  # Llama 2 7B
        ("H100", 15e12, 8, None, 1.3e6),  # Llama 3 8B
        ("H100", 15.6e12, 405, None, 30.84e6),  # Llama 3.1 405B
        ("H100", 40e12, 109, 17, 5.0e6),  # Llama 4 Scout, a mixture
    ],
)
def test_published_hours_lie_in_the_interval_of_tokens_x_parameters(
    gpu: str, tokens: float, params_b: float, active_params_b: float | None, gpu_hours: float
) -> None:
    """The spread of MFU comes from these very figures: a check of the arithmetic, not a proof of the spread."""
    found = estimate_training(tokens=tokens, params_b=params_b, active_params_b=active_params_b, gpu=gpu)
    hours = found.parts["gpu_hours"]
    assert hours.low <= gpu_hours <= hours.high
    stated = estimate_training(
        tokens=tokens, params_b=params_b, active_params_b=active_params_b, gpu=gpu, gpu_hours=gpu_hours,
        at=date(2025, 1, 1),
    )  # fmt: skip
    assert stated.plausibility == ()
    # Both paths speak of one training: their intervals meet
    assert found.energy_wh.low < stated.energy_wh.high
    assert stated.energy_wh.low < found.energy_wh.high
