"""Compile the source tables of this folder into the package: `python catalogue-src/build.py [--check]`.

Every number must name its source, address, unit, year and licence, or the build fails and says where. `--check` writes
nothing and fails when the packaged tables are not what the source tables compile to.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

from mesure.catalogue.table import FACTOR_COLUMNS, check_rows, identified

HERE = Path(__file__).parent
PACKAGED = HERE.parent / "src" / "mesure" / "catalogue" / "data"

#: Packaged table of numbers <- source tables, later ones replacing the same entity, parameter and year.
FACTORS = {
    "grids": ("grids", "world"),
    "accelerators": ("accelerators", "accelerator_links"),
    "models": ("models_open", "models_media", "diffusion", "models_hand", "models_closed"),
    "models_mpl": ("models_closed_mpl",),
    "embodied": ("embodied",),
    "sites": ("sites",),
    "stack": ("stack",),
    "hosts": ("hosts",),
    "equivalences": ("equivalences",),
}
#: Tables without numbers: names, each with its source.
NAMES = {
    "zones": ("zones",),
    "model_list": ("model_list", "model_list_hand"),
    "accelerator_names": ("accelerator_names",),
    "model_names": ("model_names", "model_names_hand"),
}


def read(name: str, folder: Path) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_csv(rows: list[dict[str, str]], columns: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def compiled(folder: Path = HERE / "tables") -> dict[str, str]:
    """Packaged file name -> its text. Raises `CatalogueError` on the first row that may not ship."""
    out = {}
    for name, parts in FACTORS.items():
        rows = []
        for part in parts:
            found = read(part, folder)
            check_rows(found, part)
            rows += found
        out[f"{name}.csv"] = as_csv(identified(rows, name), FACTOR_COLUMNS)
    for name, parts in NAMES.items():
        rows = [row for part in parts for row in read(part, folder)]
        columns = tuple(rows[0])
        check_rows(rows, name, numeric=False)
        out[f"{name}.csv"] = as_csv(sorted(rows, key=lambda row: list(row.values())), columns)
    return out


def main() -> int:
    texts = compiled()
    if "--check" in sys.argv:
        stale = [name for name, text in texts.items() if (PACKAGED / name).read_text(encoding="utf-8") != text]
        print(
            f"stale: {', '.join(stale)}: run catalogue-src/build.py"
            if stale
            else "the packaged catalogue is up to date"
        )
        return 1 if stale else 0
    PACKAGED.mkdir(exist_ok=True)
    for name, text in texts.items():
        (PACKAGED / name).write_text(text, encoding="utf-8")
        print(f"{name}: {text.count(chr(10)) - 1} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main())
