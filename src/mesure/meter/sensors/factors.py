"""Sourced figures behind the sensors: watts of a busy processor thread. Loaded once, refused without a source."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from mesure.errors import CatalogueError

__all__ = [
    "ANY_CPU",
    "RAPL_NEIGHBOURS",
    "SensorFactor",
    "busy_thread_power",
    "factor",
    "machine_cpu_name",
    "read_factors",
    "whole_name",
]

ANY_CPU = "cpu.busy_vcpu_w"
RAPL_NEIGHBOURS = "cpu.rapl_neighbour_ratio"

_OBLIGATORY = ("id", "unit", "source", "year", "licence", "status")
#: What makers and kernels add around a processor's name; taking it away leaves the whole name.
_DECORATION = re.compile(r"\((?:R|TM)\)|\s@\s[\d.]+GHz|\b(?:CPU|Processor|\d+-Core)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SensorFactor:
    """A value with its interval, in `unit`, and where it comes from. `name` is the processor it is about, if one."""

    id: str
    name: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    source_url: str
    year: int
    licence: str
    status: str
    note: str


def read_factors(path: Path) -> dict[str, SensorFactor]:
    """Rows of a CSV file by id; `CatalogueError` names the line that lacks a source, unit, year or licence."""
    found: dict[str, SensorFactor] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            factor = _checked(row, f"{path.name}:{line}")
            found[factor.id] = factor
    return found


def _checked(row: dict[str, str], where: str) -> SensorFactor:
    if missing := next((column for column in _OBLIGATORY if not row.get(column)), None):
        raise CatalogueError(f"A factor has no {missing}", value=where, action="Give it, or remove the row.")
    try:
        value, low, high, year = float(row["value"]), float(row["low"]), float(row["high"]), int(row["year"])
    except ValueError:
        raise CatalogueError("A factor is not a number", value=where, action="Correct the row.") from None
    if not 0.0 < low <= value <= high:
        raise CatalogueError("A factor's interval is crossed", value=where, action="Write low <= value <= high.")
    return SensorFactor(
        id=row["id"],
        name=row["name"],
        value=value,
        low=low,
        high=high,
        unit=row["unit"],
        source=row["source"],
        source_url=row["source_url"],
        year=year,
        licence=row["licence"],
        status=row["status"],
        note=row["note"],
    )


@lru_cache(maxsize=1)
def _factors() -> dict[str, SensorFactor]:
    return read_factors(Path(str(files("mesure.meter.sensors") / "data" / "cpu_power.csv")))


@lru_cache(maxsize=1)
def _by_cpu_name() -> dict[str, SensorFactor]:
    return {whole_name(factor.name): factor for factor in _factors().values() if factor.name}


def factor(factor_id: str) -> SensorFactor:
    """One factor by its id (`KeyError` if there is none)."""
    return _factors()[factor_id]


def whole_name(name: str) -> str:
    """A processor's name without makers' decoration: `AMD EPYC 7763 64-Core Processor` -> `amd epyc 7763`."""
    return " ".join(_DECORATION.sub(" ", name).split()).casefold()


def busy_thread_power(cpu_name: str | None) -> SensorFactor:
    """Watts of one busy hardware thread, at the server's wall plug.

    A whole processor name that is listed narrows the interval. Anything else, such as the bare `AMD EPYC` that
    hypervisors show, gets the range of all servers: matching by prefix gave 120 W and 500 W for one chip in two tools.
    """
    named = _by_cpu_name().get(whole_name(cpu_name)) if cpu_name else None
    return named or factor(ANY_CPU)


def machine_cpu_name(path: Path = Path("/proc/cpuinfo")) -> str | None:
    """The processor's name as the kernel tells it, or `None`."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = next((line for line in file if line.startswith("model name")), "")
    except OSError:
        return None
    return found.partition(":")[2].strip() or None
