"""Tables of facts: one row, one number, with where it comes from. A number without source, unit, year or licence is
refused."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mesure.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["FACTOR_COLUMNS", "STATUSES", "Factor", "check_rows", "factor_of", "identified", "read_rows"]

FACTOR_COLUMNS = (
    "id", "entity", "parameter", "value", "low", "high", "unit", "year",
    "source", "source_url", "licence", "status", "note",
)  # fmt: skip
#: published: read where it is published; estimated: an estimator's figure; recalled: general knowledge, to verify;
#: assumed: our or somebody's assumption.
STATUSES = ("published", "estimated", "recalled", "assumed")
_REQUIRED = ("unit", "source", "source_url", "year", "licence", "status")


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


def _refuse(table: str, line: int, column: str, value: object, why: str) -> CatalogueError:
    return CatalogueError(
        f"Table {table}, line {line}, column {column}: {why}",
        value=value,
        action="Complete the row with its source, or leave it out.",
    )


def check_rows(rows: Sequence[Mapping[str, str]], table: str, *, numeric: bool = True) -> None:
    """Refuse (`CatalogueError`) the first row that lacks provenance, or whose number is not one.

    Tables without numbers (`numeric=False`) need a source and a licence.
    """
    required = _REQUIRED if numeric else ("source", "licence")
    for line, row in enumerate(rows, start=2):
        for column in required:
            if not (row.get(column) or "").strip():
                raise _refuse(table, line, column, row.get(column), "empty, and no number ships without it")
        if not numeric:
            continue
        if not re.fullmatch(r"(19|20)\d\d", row["year"]):
            raise _refuse(table, line, "year", row["year"], "not a year")
        if row["status"] not in STATUSES:
            raise _refuse(table, line, "status", row["status"], f"not one of {', '.join(STATUSES)}")
        _check_numbers(row, table, line)


def _check_numbers(row: Mapping[str, str], table: str, line: int) -> None:
    numbers = {}
    for column in ("value", "low", "high"):
        text = row.get(column) or ""
        if not text and column != "value":
            continue
        try:
            numbers[column] = float(text)
        except ValueError:
            raise _refuse(table, line, column, text, "not a number") from None
        if not 0.0 <= numbers[column] < math.inf:
            raise _refuse(table, line, column, text, "not a finite number of zero or more")
    value = numbers["value"]
    if not numbers.get("low", value) <= value <= numbers.get("high", value):
        raise _refuse(table, line, "value", row["value"], "outside its own interval")


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


def read_rows(text: str, table: str, *, numeric: bool = True) -> list[dict[str, str]]:
    """Rows of a packaged or user CSV, checked. Raises `CatalogueError`."""
    rows = list(csv.DictReader(text.splitlines()))
    check_rows(rows, table, numeric=numeric)
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
