"""An edition that takes some of its tables from another: to tell which tables a change of figures comes from."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mesure.catalogue.files import Overlay
from mesure.catalogue.store import Catalogue, packaged
from mesure.catalogue.table import FACTOR_TABLES, NAME_TABLES

if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.resources.abc import Traversable

__all__ = ["TABLE_GROUPS", "differing_groups", "mixed"]

#: What a table is about, in the order in which one edition is replaced by the other. Prices change no impact.
TABLE_GROUPS: dict[str, tuple[str, ...]] = {
    "models": ("models", "models_mpl", "model_list", "model_names", "model_aliases", "unsized_names"),
    "hardware": ("accelerators", "accelerator_names", "cpus", "embodied", "embodied_mpl"),
    "stack": ("stack", "sites", "training"),
    "places": ("hosts", "regions", "zones"),
    "grid": ("grids", "grid_impacts", "mixes", "technologies"),
}


@dataclass(frozen=True)
class _Text:
    """A table as a file that is there."""

    text: str

    def is_file(self) -> bool:
        return True

    def read_text(self, encoding: str = "utf-8") -> str:  # noqa: ARG002
        return self.text


@dataclass(frozen=True)
class _Folder:
    """Tables of `old`, but those named of `new`."""

    old: Catalogue
    new: Catalogue
    renewed: frozenset[str]

    def __truediv__(self, name: str) -> Traversable | _Text:
        if name == "VERSION":
            return _Text(self.version)
        table = name.removesuffix(".csv")
        return _complete(table, self.new if table in self.renewed else self.old)

    @cached_property
    def version(self) -> str:
        return f"{self.old.edition}..{self.new.edition}" if self.renewed else self.old.edition


def mixed(old: Catalogue, new: Catalogue, groups: Collection[str]) -> Catalogue:
    """`old` with the tables of `groups` (names of `TABLE_GROUPS`) from `new`, their user rows too.

    A constant or a whole table that an edition did not have yet, and that this version's method needs, is the packaged
    one: its year and source say so.
    """
    renewed = frozenset(table for group in groups for table in TABLE_GROUPS[group])
    rows = {table: (new if table in renewed else old)._tables.overlay.of(table) for table in _TABLES}
    overlays = (old._tables.overlay.fingerprint, new._tables.overlay.fingerprint if renewed else "")
    overlay = Overlay("-".join(filter(None, dict.fromkeys(overlays))), {t: found for t, found in rows.items() if found})
    folder: Any = _Folder(old, new, renewed)
    return Catalogue(folder, overlay)


def differing_groups(old: Catalogue, new: Catalogue) -> tuple[str, ...]:
    """Groups of tables in which the two editions differ by a single character or user row."""
    return tuple(
        group
        for group, tables in TABLE_GROUPS.items()
        if any(_complete(t, old).read_text() != _complete(t, new).read_text() for t in tables)
        or any(old._tables.overlay.of(table) != new._tables.overlay.of(table) for table in tables)
    )


#: Tables of constants: the method needs every one.
_NEEDED = ("stack", "training")
_TABLES = (*FACTOR_TABLES, *NAME_TABLES)


def _complete(table: str, edition: Catalogue) -> _Text:
    """A table of an edition, with what it lacks and this version needs."""
    shipped = packaged()._tables
    path = edition._tables.folder / f"{table}.csv"
    if not path.is_file():
        return _Text(shipped.text(table))
    text = edition._tables.text(table)
    return _Text(_with_missing(text, shipped.text(table)) if table in _NEEDED else text)


def _with_missing(text: str, shipped: str) -> str:
    """Lines of `shipped` whose entity and parameter `text` does not have, put in order among its own."""
    header, *lines = text.splitlines()
    held = {tuple(row[1:3]) for row in csv.reader(lines)}
    missing = [line for line in shipped.splitlines()[1:] if tuple(next(csv.reader([line]))[1:3]) not in held]
    if not missing:
        return text
    return "\n".join([header, *sorted([*lines, *missing])]) + "\n"
