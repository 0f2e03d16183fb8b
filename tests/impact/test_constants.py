"""Constants of the fit: nothing without its source; what the fit gives keeps to its prior."""

from __future__ import annotations

import math
from dataclasses import fields

import pytest

from mesure.catalogue.table import check_rows
from mesure.errors import CatalogueError
from mesure.impact.constants import Constants, belief, constant_factors, constants, packaged, residual, rows_seen

TABLES = ("constants",)


def test_every_constant_is_a_factor_with_its_unit_and_source() -> None:
    found = {
        factor.id.rsplit(".", 1)[-1]: factor for group in ("text", "diffusion") for factor in constant_factors(group)
    }
    assert {field.name for field in fields(Constants)} == set(found)
    for name, factor in found.items():
        assert getattr(constants(), name) == factor.value > 0.0
        assert factor.unit
        assert factor.source


def test_fitted_constants_carry_prior_and_spread() -> None:
    fitted = [row for row in packaged("constants") if row["prior_spread"]]
    assert len(fitted) > 30
    for row in fitted:
        shift = abs(math.log(float(row["value"]) / float(row["prior"]))) / float(row["prior_spread"])
        assert shift < 3.0, row["id"]
        assert 0.0 < float(row["spread"]) < 1.0
        assert float(row["low"]) < float(row["value"]) < float(row["high"])
        assert "fitted 20" in row["source"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("column", ["source", "unit", "year", "licence"])
def test_a_table_without_provenance_fails(table: str, column: str) -> None:
    rows = [dict(row) for row in packaged(table)]
    check_rows(rows, table)
    rows[len(rows) // 2][column] = ""
    with pytest.raises(CatalogueError):
        check_rows(rows, table)


@pytest.mark.parametrize("table", TABLES)
def test_ids_are_unique(table: str) -> None:
    ids = [row["id"] for row in packaged(table)]
    assert len(ids) == len(set(ids))


def test_errors_by_regime_and_beliefs() -> None:
    assert 0.1 < residual("dense-33").value < residual("moe-129").value < 0.5
    assert belief("input_text").low < belief("input_text").value < belief("input_text").high
    assert rows_seen("h100-sxm")
    assert not rows_seen("mi300x")
