"""Figures that methods other than ours bring with them, each with its source, year and licence."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from mesure.catalogue.table import check_rows, factor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.catalogue import Factor

__all__ = ["factors_of"]


@cache
def factors_of(table: str) -> Mapping[str, Mapping[str, Factor]]:
    """Entity -> parameter -> factor of a table of this package. Raises `CatalogueError` for one without provenance."""
    text = (files("mesure.impact.methods") / "data" / f"{table}.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    check_rows(rows, table)
    found: dict[str, dict[str, Factor]] = {}
    for row in rows:
        found.setdefault(row["entity"], {})[row["parameter"]] = factor_of(row)
    return found
