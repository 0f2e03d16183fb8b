"""What a number may be: never a zero that stands for unknown, never in another unit."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.catalogue import current
from mesure.catalogue.bounds import PARAMETERS, broken_bound, broken_unit
from mesure.catalogue.places import GRID_PARAMETERS
from mesure.catalogue.table import FACTOR_TABLES, NAME_TABLES, PRICES, check_rows
from mesure.errors import CatalogueError

DATA = Path(__file__).resolve().parents[2] / "src" / "mesure" / "catalogue" / "data"
SOURCED = {"year": "2025", "source": "S", "source_url": "u", "licence": "L", "status": "published"}


def factor(entity: str, parameter: str, value: str, unit: str, **more: str) -> dict[str, str]:
    return {"entity": entity, "parameter": parameter, "value": value, "unit": unit, **SOURCED, **more}


def test_a_life_cycle_intensity_of_zero_is_refused_for_every_zone() -> None:
    for zone in current().zones():
        with pytest.raises(CatalogueError, match="column value: zero, which stands for unknown"):
            check_rows([factor(zone, "intensity", "0.0", "gCO2e/kWh")], "grids")


def test_the_year_that_a_list_has_no_statistics_for_is_left_out() -> None:
    """One list gives the Central African Republic 0 g/kWh in 2022; its last statistics are of 2012."""
    found = current().grid("CAF")
    assert found
    assert (found.year, found.value) == (2012, 111.11)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("grids", factor("FRA", "intensity_direct", "0", "gCO2e/kWh")),
        ("grids", factor("FRA", "intensity_residual", "0", "gCO2e/kWh")),
        ("grids", factor("FRA", "intensity", "40", "gCO2e/kWh", low="0", high="80")),
        ("grid_impacts", factor("FRA", "water", "0", "L/kWh")),
        ("embodied", factor("gpu", "manufacture", "0", "kgCO2e/GPU")),
        ("accelerators", factor("h100", "board_power_w", "0", "W")),
        ("cpus", factor("EPYC", "tdp_w", "0", "W")),
        ("models", factor("m", "total_params_b", "0", "1e9 parameters")),
        ("stack", factor("server-manufacture", "gwp", "0", "kgCO2e/server")),
        ("equivalences", factor("led", "energy", "0", "Wh/hour")),
        ("hosts", factor("openai", "USA", "0", "share (guess)")),
        ("mixes", factor("FRA", "wind", "0", "share")),
    ],
)
def test_a_zero_that_stands_for_unknown_is_refused(table: str, row: dict[str, str]) -> None:
    with pytest.raises(CatalogueError, match="zero, which stands for unknown"):
        check_rows([row], table)


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("grids", factor("FRA", "intensity_market", "0", "gCO2e/kWh")),
        ("grids", factor("FRA", "intensity_marginal", "0", "gCO2e/kWh")),
        ("sites", factor("dry-cooled", "wue", "0", "L/kWh")),
        ("technologies", factor("wind", "water", "0.0004", "L/kWh", low="0", high="0.004")),
        ("models", factor("m", "two_streams", "0", "flag")),
    ],
)
def test_a_zero_that_is_a_fact_is_kept(table: str, row: dict[str, str]) -> None:
    check_rows([row], table)


@pytest.mark.parametrize(("value", "low"), [("0.9", ""), ("1.1", "0.95"), ("0", "")])
def test_a_hall_never_draws_less_than_its_machines(value: str, low: str) -> None:
    row = factor("acme", "pue", value, "ratio", low=low, high="1.4" if low else "")
    with pytest.raises(CatalogueError, match=r"column (value|low)"):
        check_rows([row], "sites")


def test_a_share_is_at_most_one() -> None:
    with pytest.raises(CatalogueError, match="above 1"):
        check_rows([factor("FRA", "nuclear", "65", "share")], "mixes")


@pytest.mark.parametrize(
    ("table", "row", "why"),
    [
        ("grids", factor("FRA", "intensity", "0.04", "kgCO2e/kWh"), "column unit: not gCO2e/kWh or gCO2/kWh"),
        ("grids", factor("FRA", "intensty", "40", "gCO2e/kWh"), "column parameter: not one of intensity"),
        ("grids", factor("FRA", "water", "3670", "mL/kWh"), "column unit: not L/kWh"),
        ("accelerators", factor("acme-npu", "memory_gb", "80000", "MB"), "column unit: not GB"),
        ("models", factor("acme", "total_params_b", "7600000000", "parameters"), "column unit: not 1e9 parameters"),
        ("sites", factor("acme", "PUE", "1.3", "ratio"), "column parameter"),
    ],
)
def test_another_unit_or_quantity_is_refused(table: str, row: dict[str, str], why: str) -> None:
    with pytest.raises(CatalogueError, match=why):
        check_rows([row], table)


def test_every_quantity_of_a_zone_may_be_stated() -> None:
    assert PARAMETERS["grids"].keys() == GRID_PARAMETERS.keys()
    assert PARAMETERS.keys() <= set(FACTOR_TABLES)


PRICE = {
    "provider": "acme", "model": "m", "tier": "standard", "valid_from": "2026-01-01", "input": "0", "output": "0.0",
    "unit": "USD/Mtoken", "year": "2026", "basis": "models.dev commit", "source": "S", "source_url": "u",
    "licence": "L",
}  # fmt: skip


@pytest.mark.parametrize("basis", ["models.dev commit", "list read", ""])
def test_a_price_of_nothing_is_refused_unless_the_seller_says_free(basis: str) -> None:
    with pytest.raises(CatalogueError, match="free only where the basis is documented"):
        check_rows([PRICE | {"basis": basis}], PRICES)


@pytest.mark.parametrize("basis", ["documented", "first observed"])
def test_a_documented_free_price_is_kept(basis: str) -> None:
    check_rows([PRICE | {"basis": basis}], PRICES)
    check_rows([PRICE | {"input": "0.1"}], PRICES)  # embeddings cost nothing to write


def test_no_packaged_number_is_a_zero_that_stands_for_unknown() -> None:
    """Read with csv alone: what the check is for, whatever the check does."""
    zeros = set()
    for path in DATA.glob("*.csv"):
        if path.stem in NAME_TABLES or path.stem == PRICES:
            continue
        with path.open(encoding="utf-8", newline="") as file:
            zeros |= {(path.stem, row["parameter"]) for row in csv.DictReader(file) if float(row["value"]) == 0.0}
    assert zeros <= {("models", p) for p in ("attention_factor", "layer_factor", "pass_tflop", "two_streams")}
    with (DATA / "prices.csv").open(encoding="utf-8", newline="") as file:
        free = [row for row in csv.DictReader(file) if not any(float(row[c] or 0) for c in ("input", "output"))]
    assert {row["basis"] for row in free} <= {"documented", "first observed"}
    assert len(free) < 10


@given(st.floats(0.0, 10.0), st.sampled_from(sorted(PARAMETERS["grids"])))
def test_a_bound_refuses_only_zero_for_a_grid(number: float, parameter: str) -> None:
    refused = broken_bound("grids", parameter, number) is not None
    assert refused == (number == 0.0 and parameter not in ("intensity_market", "intensity_marginal"))


def test_a_table_without_list_takes_any_quantity() -> None:
    assert broken_unit("stack", "anything", "ratio") is None
    assert broken_unit("embodied", "manufacture", "kgCO2e/rack") is None
