"""Watts of a busy thread: sourced rows, and whole names only."""

from __future__ import annotations

from pathlib import Path

import pytest

from mesure.errors import CatalogueError
from mesure.meter.sensors import busy_thread_power, factor, machine_cpu_name
from mesure.meter.sensors.factors import ANY_CPU, RAPL_NEIGHBOURS, read_factors, whole_name

_HEADER = "id,name,value,low,high,unit,source,source_url,year,licence,status,note\n"


def _packaged() -> Path:
    import mesure.meter.sensors as room

    return Path(room.__file__).parent / "data" / "cpu_power.csv"


def test_every_row_has_a_source_a_unit_a_year_and_a_licence() -> None:
    rows = read_factors(_packaged())
    assert len(rows) > 30
    for row in rows.values():
        assert row.source
        assert row.licence
        assert row.unit in ("W", "1")
        assert 2018 <= row.year <= 2026
        assert row.source_url.startswith("https://") or row.source.startswith("expert guess")


def test_the_general_range_contains_every_narrower_middle() -> None:
    """A named server processor is a narrower case of the general range, not another world."""
    rows = read_factors(_packaged())
    general = rows[ANY_CPU]
    for row in rows.values():
        if row.name:
            assert general.low <= row.value <= general.high, row.name
            assert row.high / row.low < general.high / general.low, row.name


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("AMD EPYC 7763 64-Core Processor", "amd epyc 7763"),
        ("Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz", "intel xeon platinum 8380"),
        ("INTEL(R) XEON(R) PLATINUM 8592+", "intel xeon platinum 8592+"),
    ],
)
def test_a_whole_name_is_found_without_its_decoration(shown: str, expected: str) -> None:
    assert whole_name(shown) == expected
    found = busy_thread_power(shown)
    assert whole_name(found.name) == expected
    assert found.high < factor(ANY_CPU).high


@pytest.mark.parametrize(
    "shown",
    ["AMD EPYC", "AMD EPYC Processor", "AMD EPYC-Rome Processor", "AMD EPYC 776", "Intel Xeon Processor", "", None],
)
def test_what_a_hypervisor_shows_gets_the_general_range(shown: str | None) -> None:
    assert busy_thread_power(shown) is factor(ANY_CPU)


def test_the_machine_name_is_read_from_the_kernel(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9654 96-Core Processor\nmodel name\t: other\n")
    assert machine_cpu_name(file) == "AMD EPYC 9654 96-Core Processor"
    assert busy_thread_power(machine_cpu_name(file)).name == "AMD EPYC 9654"
    file.write_text("processor\t: 0\n")
    assert machine_cpu_name(file) is None
    assert machine_cpu_name(tmp_path / "absent") is None


@pytest.mark.parametrize("missing", ["unit", "source", "year", "licence"])
def test_a_row_without_its_provenance_is_refused(tmp_path: Path, missing: str) -> None:
    cells = {"unit": "W", "source": "s", "year": "2025", "licence": "MIT"} | {missing: ""}
    file = tmp_path / "rows.csv"
    file.write_text(
        _HEADER + f"x,,2,1,3,{cells['unit']},{cells['source']},,{cells['year']},{cells['licence']},default,\n"
    )
    with pytest.raises(CatalogueError, match=rf"no {missing}.*rows\.csv:2"):
        read_factors(file)


@pytest.mark.parametrize("numbers", ["2,3,4", "2,1,1.5", "x,1,3", "2,0,3"])
def test_a_row_with_a_crossed_interval_or_no_number_is_refused(tmp_path: Path, numbers: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(_HEADER + f"x,,{numbers},W,s,,2025,MIT,default,\n")
    with pytest.raises(CatalogueError):
        read_factors(file)


def test_the_neighbour_ratio_is_a_signed_guess() -> None:
    guess = factor(RAPL_NEIGHBOURS)
    assert guess.source.startswith("expert guess of")
    assert guess.high >= guess.value == 1.0
