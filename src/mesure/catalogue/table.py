"""Tables of facts: one row, one number, with where it comes from. A number without source, unit, year or licence is
refused."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from mesure.catalogue.bounds import broken_bound, broken_unit
from mesure.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "FACTOR_COLUMNS",
    "FACTOR_TABLES",
    "MPL_TABLES",
    "NAME_TABLES",
    "PRICES",
    "STATUSES",
    "Factor",
    "check_rows",
    "factor_of",
    "identified",
    "read_rows",
]

#: One number a row, with its provenance.
FACTOR_TABLES = (
    "grids", "grid_impacts", "mixes", "technologies", "accelerators", "cpus", "models", "models_mpl",
    "embodied", "embodied_mpl", "sites", "stack", "training", "hosts", "equivalences",
)  # fmt: skip
#: Names and what they designate.
NAME_TABLES = (
    "zones", "regions", "model_list", "model_names", "model_aliases", "unsized_names", "accelerator_names",
)  # fmt: skip
#: Several numbers a row: the prices of one model from one day on.
PRICES = "prices"
#: Under the Mozilla Public License, each in a file that may be deleted.
MPL_TABLES = ("models_mpl", "embodied_mpl")

FACTOR_COLUMNS = (
    "id", "entity", "parameter", "value", "low", "high", "unit", "year",
    "source", "source_url", "licence", "status", "note",
)  # fmt: skip
#: published: read where it is published; estimated: an estimator's figure, or computed; assumed: our or somebody's
#: assumption, an expert's estimate included.
STATUSES = ("published", "estimated", "assumed")
_REQUIRED = ("unit", "source", "source_url", "year", "licence", "status")
_PRICE_REQUIRED = ("provider", "model", "tier", "valid_from", "unit", "year", "source", "source_url", "licence")
_PRICE_NUMBERS = ("input", "output", "cache_read", "cache_write")
#: Of a day's price: read on the seller's own page. A free model is one that such a page says is free.
_SELLER_SAYS = ("documented", "first observed")


@dataclass(frozen=True, slots=True)
class Factor:
    """A number with its provenance. `low` and `high` equal `value` where the source gives no interval."""

    id: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    source_url: str
    year: int
    licence: str
    status: str
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _refuse(place: str, line: int, column: str, value: object, why: str) -> CatalogueError:
    return CatalogueError(
        f"Table {place}, line {line}, column {column}: {why}",
        value=value,
        action="Complete the row with its source, or leave it out.",
    )


def check_rows(rows: Iterable[Mapping[str, str]], table: str, *, first_line: int = 2, place: str = "") -> None:
    """Refuse (`CatalogueError`) the first row that lacks provenance, or whose number cannot be one (`bounds`).

    Tables of names need a source and a licence; prices their provenance, a first day, and numbers. `place`: what an
    error calls the table, when it is not its name.
    """
    place = place or table
    required = ("source", "licence") if table in NAME_TABLES else _PRICE_REQUIRED if table == PRICES else _REQUIRED
    for line, row in enumerate(rows, start=first_line):
        for column in required:
            if not (row.get(column) or "").strip():
                raise _refuse(place, line, column, row.get(column), "empty, and no number ships without it")
        if table in NAME_TABLES:
            continue
        if not re.fullmatch(r"(19|20)\d\d", row["year"]):
            raise _refuse(place, line, "year", row["year"], "not a year")
        if table == PRICES:
            _check_price(row, place, line)
            continue
        if row["status"] not in STATUSES:
            raise _refuse(place, line, "status", row["status"], f"not one of {', '.join(STATUSES)}")
        if wrong := broken_unit(table, row["parameter"], row["unit"]):
            raise _refuse(place, line, wrong[0], row[wrong[0]], wrong[1])
        _check_numbers(row, table, place, line)


def _check_price(row: Mapping[str, str], place: str, line: int) -> None:
    try:
        date.fromisoformat(row["valid_from"])
    except ValueError:
        raise _refuse(place, line, "valid_from", row["valid_from"], "not a day") from None
    stated = [_number(text, place, line, column) for column in _PRICE_NUMBERS if (text := row.get(column) or "")]
    if stated and not any(stated) and row.get("basis") not in _SELLER_SAYS:
        why = f"zero everywhere, and a price is free only where the basis is {' or '.join(_SELLER_SAYS)}"
        raise _refuse(place, line, "input", row.get("input"), why)


def _number(text: str, place: str, line: int, column: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise _refuse(place, line, column, text, "not a number") from None
    if not 0.0 <= number < math.inf:
        raise _refuse(place, line, column, text, "not a finite number of zero or more")
    return number


def _check_numbers(row: Mapping[str, str], table: str, place: str, line: int) -> None:
    numbers = {
        column: _number(text, place, line, column)
        for column in ("value", "low", "high")
        if (text := row.get(column) or "") or column == "value"
    }
    for column, number in numbers.items():
        if why := broken_bound(table, row["parameter"], number):
            raise _refuse(place, line, column, row[column], why)
    value = numbers["value"]
    if not numbers.get("low", value) <= value <= numbers.get("high", value):
        raise _refuse(place, line, "value", row["value"], "outside its own interval")


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.casefold())[:18].strip("-")


def identified(rows: Iterable[Mapping[str, str]], table: str) -> list[dict[str, str]]:
    """Rows sorted, each with a stable id `table.entity.parameter.year[.source]`; exact repeats are dropped."""
    kept: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        # A correction replaces the figure of the same source line; estimators stand side by side
        key = (row["entity"], row["parameter"], row["year"], row["unit"], row["source"] if _is_opinion(row) else "")
        kept[key] = {column: row.get(column) or "" for column in FACTOR_COLUMNS}
    out = sorted(
        kept.values(), key=lambda row: (row["entity"], row["parameter"], row["year"], row["source"], row["unit"])
    )
    taken: set[str] = set()
    for row in out:
        base = f"{table}.{row['entity']}.{row['parameter']}.{row['year']}"
        choices = [base, f"{base}.{_slug(row['source'])}", *(f"{base}.{_slug(row['source'])}.{n}" for n in range(2, 9))]
        row["id"] = next(choice for choice in choices if choice not in taken)
        taken.add(row["id"])
    return out


def _is_opinion(row: Mapping[str, str]) -> bool:
    return (
        row["status"] == "estimated" or "(" in row["unit"] or row["parameter"] in ("total_params_b", "active_params_b")
    )


def read_rows(text: str, table: str) -> list[dict[str, str]]:
    """Rows of a packaged CSV, checked. Raises `CatalogueError`."""
    rows = list(csv.DictReader(text.splitlines()))
    check_rows(rows, table)
    return rows


def factor_of(row: Mapping[str, str]) -> Factor:
    """The factor a checked row states."""
    value = float(row["value"])
    return Factor(
        row["id"],
        value,
        float(row["low"] or value),
        float(row["high"] or value),
        row["unit"],
        row["source"],
        row["source_url"],
        int(row["year"]),
        row["licence"],
        row["status"],
        row["note"],
    )
