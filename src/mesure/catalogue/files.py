"""The packaged tables as text: a look-up finds the lines of one entity and parses only these.

Every table is sorted by its first column, so the lines of an entity follow each other. A user's rows (`Overlay`) stand
before the packaged ones.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from mesure.catalogue.table import FACTOR_TABLES, MPL_TABLES, Factor, check_rows, factor_of, read_rows
from mesure.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

__all__ = ["Overlay", "Tables"]

Row = dict[str, str]


@dataclass(frozen=True)
class Overlay:
    """Rows of a user's file by table, and the fingerprint that the version shows."""

    fingerprint: str = ""
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    def of(self, table: str) -> tuple[Row, ...]:
        return self.rows.get(table, ())


class Tables:
    """Checked rows of the packaged files and of the overlay. Raises `CatalogueError` for a row that may not be used."""

    def __init__(self, folder: Traversable, overlay: Overlay | None = None) -> None:
        self.folder, self.overlay = folder, overlay or Overlay()
        self.read: dict[str, str] = {}  # tables read so far
        self.factors_of = lru_cache(maxsize=8192)(self._factors_of)

    def text(self, table: str) -> str:
        """A table as it is written, read once."""
        if table not in self.read:
            self.read[table] = self._load(table)
        return self.read[table]

    def _load(self, table: str) -> str:
        path = self.folder / f"{table}.csv"
        if table in MPL_TABLES and not path.is_file():
            return ""
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise CatalogueError(
                "A table of the catalogue is missing", value=f"{table}.csv", action="Reinstall Mesure."
            ) from error

    def rows(self, table: str) -> list[Row]:
        """All rows: the packaged ones that no user row replaces, then the user's."""
        own = self.overlay.of(table)
        packaged = read_rows(self.text(table), table)
        if table in FACTOR_TABLES and own:
            replaced = {(row["entity"], row["parameter"]) for row in own}
            packaged = [row for row in packaged if (row["entity"], row["parameter"]) not in replaced]
        return [*packaged, *own]

    def starting(self, table: str, start: str, column: str = "") -> Iterator[Row]:
        """Packaged rows whose line begins with `start`; with `column`, those after the first that has another value in
        it are not looked at."""
        text = self.text(table)
        position = text.find(f"\n{start}") + 1
        if not position:
            return
        header = text[: text.index("\n")].split(",")
        wanted: str | None = None
        line = text.count("\n", 0, position) + 1
        while text.startswith(start, position):
            end = text.find("\n", position)
            row = dict(zip(header, next(csv.reader([text[position:end]])), strict=False))
            if column:
                wanted = row[column] if wanted is None else wanted
                if row[column] != wanted:
                    return
            check_rows([row], table, first_line=line)
            yield row
            position, line = end + 1, line + 1

    def _factors_of(self, table: str, entity: str) -> Mapping[str, tuple[Factor, ...]]:
        """Factors of an entity by parameter, oldest first; empty when it is not listed."""
        found: dict[str, list[Factor]] = {}
        for row in self.overlay.of(table):
            if row["entity"] == entity:
                found.setdefault(row["parameter"], []).append(factor_of(row))
        own = frozenset(found)
        for row in self.starting(table, f"{table}.{entity}.", "entity"):
            if row["entity"] == entity and row["parameter"] not in own:
                found.setdefault(row["parameter"], []).append(factor_of(row))
        return {parameter: tuple(sorted(rows, key=lambda f: f.year)) for parameter, rows in found.items()}

    def factor(self, table: str, id: str) -> Factor | None:  # noqa: A002
        """A factor by its id."""
        for row in self.overlay.of(table):
            if row["id"] == id:
                return factor_of(row)
        return next((factor_of(row) for row in self.starting(table, f"{id},")), None)

    @lru_cache(maxsize=32)  # noqa: B019  (one Tables lives as long as the process)
    def entities(self, table: str) -> frozenset[str]:
        """Entities of a table of numbers, without reading their numbers."""
        lines = self.text(table).splitlines()[1:]
        packaged = {row[1] for row in csv.reader(lines)}
        return frozenset(packaged | {row["entity"] for row in self.overlay.of(table)})
