"""Your own facts: a file that overrides and extends the packaged tables, under the same rules.

TOML:   [[factor]] table, entity, parameter, value, low, high, unit, year, source, source_url, licence, status, note
        [[model]]  model, maker, modality, open, source, licence
        [[name]]   name, model, provider, source, licence
        [[price]]  provider, model, tier, valid_from, input, output, cache_read, cache_write, unit, year, source, ...
CSV:    the columns of [[factor]].

A row replaces all packaged rows of the same table, entity and parameter.
"""

from __future__ import annotations

import csv
import hashlib
import tomllib
from typing import TYPE_CHECKING, Any

from mesure.catalogue.files import Overlay, Row
from mesure.catalogue.table import FACTOR_COLUMNS, FACTOR_TABLES, MPL_TABLES, PRICES, check_rows
from mesure.errors import CatalogueError, nearest_names

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.catalogue.files import Tables

__all__ = ["CATALOGUE_FILES", "read_user_file", "user_file_in"]

#: Looked for in the data folder, in this order.
CATALOGUE_FILES = ("catalogue.toml", "catalogue.csv")
_KINDS = {"factor": "", "model": "model_list", "name": "model_names", "price": PRICES}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "factor": ("table", *FACTOR_COLUMNS[1:]),
    "model": ("model", "maker", "modality", "open", "source", "licence"),
    "name": ("name", "model", "provider", "year", "source", "licence"),
    "price": (
        "provider", "model", "tier", "valid_from", "input", "output", "cache_read", "cache_write", "unit", "year",
        "basis", "source", "source_url", "licence",
    ),
}  # fmt: skip
_TABLES = tuple(table for table in FACTOR_TABLES if table not in MPL_TABLES)


def user_file_in(folder: Path) -> Path | None:
    """The file of your own facts in a data folder, if there is one."""
    return next((path for name in CATALOGUE_FILES if (path := folder / name).is_file()), None)


def read_user_file(path: Path, packaged: Tables) -> Overlay:
    """The rows of a user's file over `packaged`, checked like its own. Raises `CatalogueError` naming the place to
    correct."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
        entries = _toml(text) if path.suffix == ".toml" else _csv(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, csv.Error) as error:
        raise CatalogueError(
            f"The file of your own factors cannot be read: {error}",
            value=str(path),
            action="Correct the file at that place.",
        ) from None
    rows: dict[str, list[Row]] = {}
    for place, (kind, entry) in enumerate(entries, start=1):
        table, row = _row(kind, entry, place)
        check_rows([row], table, first_line=place, place=f"{path.name} [[{kind}]]")
        rows.setdefault(table, []).append(row)
    _list_new_models(rows, packaged)
    fingerprint = hashlib.sha256(content).hexdigest()[:8]
    return Overlay(fingerprint, {table: tuple(found) for table, found in rows.items()})


def _toml(text: str) -> list[tuple[str, dict[str, Any]]]:
    data = tomllib.loads(text)
    for kind, entries in data.items():
        if kind not in _KINDS or not isinstance(entries, list):
            raise _refused(kind, "This is not a table of your own factors", nearest_names(kind, _KINDS))
    return [(kind, entry) for kind in _KINDS for entry in data.get(kind, ())]


def _csv(text: str) -> list[tuple[str, dict[str, Any]]]:
    return [("factor", dict(row)) for row in csv.DictReader(text.splitlines())]


def _row(kind: str, entry: dict[str, Any], place: int) -> tuple[str, Row]:
    columns = _COLUMNS[kind]
    for column in entry:
        if column not in columns:
            what = f"Entry {place} of [[{kind}]] has a column that does not exist"
            raise _refused(str(column), what, nearest_names(str(column), columns))
    row = {column: "" if entry.get(column) is None else str(entry[column]) for column in columns}
    if kind != "factor":
        if kind == "price":
            row["tier"] = row["tier"] or "standard"
        elif kind == "name":
            row["name"], row["year"] = row["name"].casefold(), row["year"] or "2026"
        return _KINDS[kind], row
    table = row.pop("table")
    if table not in _TABLES:
        raise _refused(table, f"Entry {place} names no table of factors", nearest_names(table, _TABLES) or _TABLES)
    row["entity"] = row["entity"].upper() if table == "grids" else row["entity"]
    row["id"] = f"user.{table}.{row['entity']}.{row['parameter']}.{row['year']}"
    return table, row


def _list_new_models(rows: dict[str, list[Row]], packaged: Tables) -> None:
    """A model that only has figures is listed as a text model of the user's own; one already packaged keeps
    its entry."""
    listed = {row["model"] for row in rows.get("model_list", ())}
    for row in rows.get("models", ()):
        if row["entity"] not in listed and next(packaged.starting("model_list", f"{row['entity']},"), None) is None:
            listed.add(row["entity"])
            own = {"model": row["entity"], "maker": "yours", "modality": "text", "open": "no"}
            rows.setdefault("model_list", []).append(own | {"source": row["source"], "licence": row["licence"]})


def _refused(value: str, what: str, nearest: tuple[str, ...]) -> CatalogueError:
    return CatalogueError(
        what, value=value, action="See docs/catalogue.md for what the file may hold.", nearest=nearest
    )
