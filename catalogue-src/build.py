"""Compile the source tables of this folder into the package: `python catalogue-src/build.py [--check]`.

Every number must name its source, address, unit, year and licence, or the build fails and says where. `--check` writes
nothing and fails when the packaged tables, or docs/catalogue.md, are not what the source tables compile to.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

HERE = Path(__file__).parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from document import DOCUMENT, document  # noqa: E402
from grid_impacts import grid_impacts  # noqa: E402
from mesure.catalogue.table import FACTOR_COLUMNS, FACTOR_TABLES, PRICES, check_rows, identified  # noqa: E402
from mesure.errors import CatalogueError  # noqa: E402

PACKAGED = HERE.parent / "src" / "mesure" / "catalogue" / "data"

#: Packaged table of numbers <- source tables, later ones replacing the same entity, parameter and year.
FACTORS = {
    "grids": ("grids", "world"),
    "mixes": ("mixes",),
    "technologies": ("technologies",),
    "accelerators": ("accelerators", "accelerators_read", "accelerators_hand"),
    "cpus": ("cpus",),
    "models": (
        "models_named",
        "models_open_all",
        "models_open",
        "models_media",
        "diffusion",
        "models_hand",
        "models_read",
        "models_closed",
    ),
    "models_mpl": ("models_open_mpl", "models_closed_mpl"),
    "embodied": ("embodied", "embodied_hand"),
    "embodied_mpl": ("embodied_mpl",),
    "sites": ("sites",),
    "stack": ("stack", "prompts"),
    "training": ("training",),
    "hosts": ("hosts",),
    "equivalences": ("equivalences",),
}
#: Tables without numbers: names, each with its source. The first columns, by which rows are found, hold no comma.
NAMES = {
    "zones": (("zones", "zones_hand"), 1),
    "regions": (("regions",), 2),
    "model_list": (("model_list", "model_list_hand"), 1),
    "accelerator_names": (("accelerator_names",), 1),
    "model_names": (("model_names", "model_names_hand"), 2),
    "model_aliases": (("model_aliases", "model_aliases_hand"), 3),
    "unsized_names": (("unsized_names",), 2),
}
PRICE_PARTS = ("prices_history", "prices_listed")
#: What a table's licences may not be: data that binds those who receive it.
_SHARE_ALIKE = ("CC BY-SA", "CC-BY-SA", "ODbL", "AGPL database", "Base IMPACTS")
_SUMMARY = "rows are not copied, only a summary"  # a produced work, not the database

Row = dict[str, str]


def read(name: str, folder: Path) -> list[Row]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_csv(rows: list[Row], columns: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _findable(rows: list[Row], columns: tuple[str, ...], table: str) -> None:
    """Rows are found by the start of their line: refuse what csv would quote there, a line break anywhere, a
    licence that
    binds."""
    for row in rows:
        if any(set(row[column]) & set(',"\n') for column in columns) or any("\n" in text for text in row.values()):
            raise CatalogueError(f"Table {table}: a comma or a line break in a key", value=row, action="Rewrite it.")
        if any(mark in row["licence"] for mark in _SHARE_ALIKE) and _SUMMARY not in row["licence"]:
            raise CatalogueError(f"Table {table}: share-alike data", value=row["licence"], action="Leave it out.")


def compiled(folder: Path = HERE / "tables") -> dict[str, str]:
    """Packaged file name -> its text. Raises `CatalogueError` on the first row that may not ship."""
    tables: dict[str, list[Row]] = {}
    for name, parts in FACTORS.items():
        rows = []
        for part in parts:
            found = read(part, folder)
            _checked(found, name, part)
            rows += found
        tables[name] = identified(_settled(rows, name), name)
    tables["grid_impacts"] = identified(
        grid_impacts(tables["mixes"], tables["technologies"], read("zones", folder)), "grid_impacts"
    )
    for table, rows in tables.items():
        check_rows(rows, table)
        _findable(rows, ("id",), table)
    out = {f"{name}.csv": as_csv(tables[name], FACTOR_COLUMNS) for name in FACTOR_TABLES}
    for name, (parts, keys) in NAMES.items():
        rows = [row for part in parts for row in read(part, folder)]
        _checked(rows, name, name)
        out[f"{name}.csv"] = _sorted_csv(rows, name, keys)
    rows = [row for part in PRICE_PARTS for row in read(part, folder)]
    check_rows(rows, PRICES)
    out[f"{PRICES}.csv"] = _sorted_csv(rows, PRICES, 4)
    return out


def _checked(rows: list[Row], table: str, part: str) -> None:
    """As the packaged table is checked, naming the source table; what is from memory may stand here only."""
    check_rows([row | {"status": "assumed"} if _from_memory(row) else row for row in rows], table, place=part)


def _from_memory(row: Row) -> bool:
    return row.get("status") == "recalled"


def _settled(rows: list[Row], table: str) -> list[Row]:
    """Without the figures from memory: each was read since, or has an estimate whose author and date are stated."""
    settled = {(row["entity"], row["parameter"]) for row in rows if not _from_memory(row)}
    for row in rows:
        if _from_memory(row) and (row["entity"], row["parameter"]) not in settled:
            raise CatalogueError(
                f"Table {table}: a figure from memory that nobody has read",
                value=f"{row['entity']}.{row['parameter']}",
                action="Read it and add it with its source, or add an estimate with author, date and interval.",
            )
    return [row for row in rows if not _from_memory(row)]


def _sorted_csv(rows: list[Row], table: str, keys: int) -> str:
    columns = tuple(rows[0])
    _findable(rows, columns[:keys], table)
    once = {tuple(row[column] for column in columns[:keys]): row for row in rows}
    return as_csv([once[key] for key in sorted(once)], columns)


def main() -> int:
    texts = compiled()
    written = {PACKAGED / name: text for name, text in texts.items()} | {DOCUMENT: document(texts)}
    if "--check" in sys.argv:
        stale = [path.name for path, text in written.items() if not path.is_file() or path.read_text("utf-8") != text]
        print(
            f"stale: {', '.join(stale)}: run catalogue-src/build.py"
            if stale
            else "the packaged catalogue is up to date"
        )
        return 1 if stale else 0
    for path, text in written.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {text.count(chr(10)) - 1} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
