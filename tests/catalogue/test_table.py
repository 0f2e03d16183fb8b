"""No number without source, unit, year and licence: what the schema refuses."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue.table import FACTOR_COLUMNS, check_rows, factor_of, identified, read_rows
from mesure.errors import CatalogueError

ROW = {
    "id": "grids.FRA.intensity.2025",
    "entity": "FRA",
    "parameter": "intensity",
    "value": "41.44",
    "low": "",
    "high": "",
    "unit": "gCO2e/kWh",
    "year": "2025",
    "source": "Ember (2026)",
    "source_url": "https://example.org",
    "licence": "CC BY 4.0",
    "status": "published",
    "note": "",
}


def text_of(*rows: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, FACTOR_COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def test_a_complete_row_is_a_factor() -> None:
    [row] = read_rows(text_of(ROW), "grids")
    factor = factor_of(row)
    assert (factor.value, factor.low, factor.high, factor.year) == (41.44, 41.44, 41.44, 2025)
    assert factor.to_json()["licence"] == "CC BY 4.0"


@pytest.mark.parametrize("column", ["unit", "source", "source_url", "year", "licence", "status"])
@pytest.mark.parametrize("emptied", ["", "   "])
def test_a_row_without_provenance_is_refused_by_table_line_and_column(column: str, emptied: str) -> None:
    with pytest.raises(CatalogueError) as refused:
        read_rows(text_of(ROW, ROW | {column: emptied}), "grids")
    assert f"Table grids, line 3, column {column}" in str(refused.value)
    assert refused.value.action


@pytest.mark.parametrize("column", ["unit", "source", "source_url", "year", "licence", "status", "value"])
def test_a_table_without_the_column_is_refused(column: str) -> None:
    rows = [{name: value for name, value in ROW.items() if name != column}]
    with pytest.raises(CatalogueError, match=f"column {column}"):
        check_rows(rows, "grids")


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("year", "unknown", "not a year"),
        ("year", "1789", "not a year"),
        ("status", "certain", "not one of"),
        ("value", "about 40", "not a number"),
        ("value", "", "not a number"),
        ("value", "-1", "zero or more"),
        ("value", "nan", "zero or more"),
        ("value", "inf", "zero or more"),
        ("low", "50", "outside its own interval"),
        ("high", "10", "outside its own interval"),
    ],
)
def test_what_is_not_a_sourced_number_is_refused(column: str, value: str, why: str) -> None:
    with pytest.raises(CatalogueError, match=why):
        read_rows(text_of(ROW | {column: value}), "grids")


def test_names_need_a_source_and_a_licence_but_no_unit() -> None:
    read_rows("name,model,source,licence\na,b,card,bare fact\n", "model_names")
    with pytest.raises(CatalogueError, match="licence"):
        read_rows("name,model,source,licence\na,b,card,\n", "model_names")


def test_ids_are_unique_and_name_what_they_are() -> None:
    estimate = ROW | {"entity": "gpt", "parameter": "active_params_b", "status": "estimated"}
    rows = identified([ROW, ROW | {"year": "2024"}, estimate, estimate | {"source": "Somebody else"}], "t")
    ids = [row["id"] for row in rows]
    assert len(set(ids)) == len(ids) == 4
    assert "t.FRA.intensity.2024" in ids


def test_a_later_row_corrects_an_earlier_one() -> None:
    [row] = identified([ROW, ROW | {"value": "42", "source": "a second reading"}], "grids")
    assert row["value"] == "42"


@settings(deadline=None)
@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_factor_holds_its_interval_or_is_refused(low: float, value: float, high: float) -> None:
    row = ROW | {"low": repr(low), "value": repr(value), "high": repr(high)}
    if 0.0 < low <= value <= high:
        factor = factor_of(read_rows(text_of(row), "t")[0])
        assert factor.low <= factor.value <= factor.high
    else:
        with pytest.raises(CatalogueError):
            read_rows(text_of(row), "t")
