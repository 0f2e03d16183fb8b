"""Every id that a figure carries leads back to a sourced factor: one that does not is a break, and fails here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mesure.catalogue import current, use
from mesure.impact import Deployment, Impacts, estimate, estimate_training, explain, explain_training
from mesure.impact.methods import methods
from mesure.impact.provenance import factor_named, factors_named
from mesure.quantity import Quantity

IMPACTS = ("energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")
MODELS: dict[str, dict[str, Any]] = {
    "gpt-4o": {"input_tokens": 100, "output_tokens": 40},
    "qwen3-8b": {"input_tokens": 100, "output_tokens": 40},
    "mixtral-8x7b": {"output_tokens": 40},
    "deepseek-r1": {"input_tokens": 100},
    "no-such-model": {"input_tokens": 100, "output_tokens": 40},
    "text-embedding-3-small": {"input_tokens": 100},
    "flux.1-dev": {"images": 1},
    "sdxl": {"images": 1, "steps": 20},
    "wan2.1-14b": {"images": 1, "frames": 33},
    "no-such-image-model": {"images": 1},
    "whisper-large-v3": {"audio_seconds": 30},
}
MACHINES = (
    None,
    Deployment(gpu="H100", n_gpus=2, batch=8),
    Deployment(gpu="A10G", n_gpus=1),
    Deployment(gpu="apple-m2"),
    Deployment(gpu="cpu"),
)
SOURCED = 'year = 2026\nsource = "Acme"\nsource_url = "internal"\nlicence = "internal"\nstatus = "published"\n'


def quantities(impacts: Impacts) -> Iterator[Quantity]:
    for phase in (impacts, impacts.usage, impacts.embodied):
        for name in IMPACTS:
            if (quantity := getattr(phase, name, None)) is not None:
                yield quantity
    yield from impacts.parts.values()


def ids_of(found: Iterator[Quantity] | list[Quantity]) -> set[str]:
    return {source for quantity in found for source in quantity.sources}


@pytest.mark.parametrize("zone", [None, "FRA", "US-VA"])
@pytest.mark.parametrize("model", MODELS)
def test_no_estimate_names_a_factor_that_no_table_holds(model: str, zone: str | None) -> None:
    for machine in MACHINES:
        found = estimate(model, **MODELS[model], zone=zone, deployment=machine)
        ids = ids_of(quantities(found))
        factors, missing = factors_named(ids)
        assert missing == ()
        assert {factor.id for factor in factors} == ids
        assert all(factor.source and factor.unit and factor.year and factor.licence for factor in factors)


@pytest.mark.parametrize("model", MODELS)
def test_the_explanation_holds_every_factor_that_a_figure_names(model: str) -> None:
    for machine in MACHINES:
        found = estimate(model, **MODELS[model], zone="FRA", deployment=machine)
        told = {factor.id for factor in explain(found).factors()}
        assert ids_of(quantities(found)) <= told
        assert {factor.id for factor in found.coefficients.factors} <= told


@pytest.mark.parametrize(
    "run",
    [
        {"gpu_hours": 1000, "gpu": "H100", "zone": "FRA"},
        {"tokens": 1e9, "params_b": 7},
        {"measured_energy_kwh": 12, "gpu": "L4", "pue": 1.2, "zone": "USA"},
    ],
)
def test_no_training_names_a_factor_that_no_table_holds(run: dict[str, Any]) -> None:
    found = estimate_training(**run)
    assert factors_named(ids_of(list(found.parts.values())))[1] == ()
    assert factors_named(factor.id for factor in explain_training(found).factors())[1] == ()


def test_every_method_s_figures_are_factors() -> None:
    named = [factor.id for method in methods() for factor in getattr(method, "factors", ())]
    assert len(named) > 3
    assert factors_named(named)[1] == ()


def test_a_row_taken_away_is_missing_not_dropped(tmp_path: Path) -> None:
    found = estimate("qwen3-8b", input_tokens=1, output_tokens=1, zone="FRA")
    carbon = found.gwp_gco2eq
    assert carbon
    factors, missing = factors_named([*carbon.sources, "grids.FRA.intensity.1999", "grids.FRA.intensity.1999"])
    assert missing == ("grids.FRA.intensity.1999",)
    assert [factor.id for factor in factors] == list(dict.fromkeys(carbon.sources))
    assert factors_named(["nowhere", "fit.text.nothing", "training.nothing"])[1] == (
        "nowhere", "fit.text.nothing", "training.nothing",
    )  # fmt: skip


def test_a_user_s_factor_leads_back_in_his_catalogue_only(tmp_path: Path) -> None:
    own = tmp_path / "catalogue.toml"
    rows = (
        ("grids", "FRA", "intensity", 30, "gCO2e/kWh"),
        ("models", "qwen3-8b", "total_params_b", 8.5, "1e9 parameters"),
        ("accelerators", "h100-sxm", "board_power_w", 650, "W"),
    )
    own.write_text(
        "".join(
            f'[[factor]]\ntable = "{table}"\nentity = "{entity}"\nparameter = "{parameter}"\nvalue = {value}\n'
            f'unit = "{unit}"\n{SOURCED}'
            for table, entity, parameter, value, unit in rows
        ),
        encoding="utf-8",
    )
    mine = current().with_user_file(own)
    use(mine)
    found = estimate(
        "qwen3-8b", input_tokens=1, output_tokens=1, zone="FRA", at=date(2026, 11, 1),
        deployment=Deployment(gpu="H100", n_gpus=1),
    )  # fmt: skip
    told = {factor.id for factor in explain(found).factors()}
    stated = {f"user.{table}.{entity}.{parameter}.2026" for table, entity, parameter, *_ in rows}
    assert stated <= told
    for named in stated:
        factor = factor_named(named)
        assert factor
        assert factor == mine.factor(named)
        assert factor_named(named, mine) == factor
    use(None)
    assert {factor_named(named) for named in stated} == {None}
