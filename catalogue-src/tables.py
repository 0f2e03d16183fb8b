"""Reading the collected facts and writing the source tables."""

from __future__ import annotations

import csv
import re
from pathlib import Path

__all__ = ["LONG", "TABLES", "Row", "rows_of", "write", "year_of"]

Row = dict[str, str]
TABLES = Path(__file__).parent / "tables"
LONG = (
    "entity", "parameter", "value", "low", "high", "unit", "year", "source", "source_url", "licence", "status", "note",
)  # fmt: skip


def rows_of(folder: Path, name: str) -> list[Row]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, rows: list[Row], columns: tuple[str, ...] = LONG) -> None:
    with (TABLES / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{name}: {len(rows)} rows")


def year_of(text: str) -> str:
    """The last year named in a date, a fiscal year or a range; empty when there is none."""
    found = re.findall(r"(?:19|20)\d\d", text)
    return found[-1] if found else ""
