"""Refresh the source tables from pinned packages and from a folder of collected public facts.

    python catalogue-src/refresh.py FOLDER [--only models,places,prices]

Packages read when installed, and said when missing (their tables then stay as they are):
    codecarbon==3.3.2 (generation mixes, processors), genai-prices==0.2.3 (current prices)
Then run `catalogue-src/build.py`, and `tests/catalogue/snapshot.py` after a review of the change.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import carry_models
import carry_over
import carry_places
import carry_prices
import named_sizes
from tables import TABLES, Row, rows_of, write

PINNED = {"codecarbon": "3.3.2", "genai-prices": "0.2.3"}
_LIST = ("model", "maker", "modality", "open", "inputs", "outputs", "source", "licence")
_UNSIZED = ("name", "provider", "source", "licence")
_NAMES = ("name", "provider", "model", "year", "source", "licence")


def package(name: str) -> Path | None:
    """Folder of a pinned package; None, said aloud, when it is missing or of another version."""
    found = importlib.util.find_spec(name.replace("-", "_"))
    if found is None or found.origin is None:
        print(f"{name} is not installed: its tables stay as they are. Install {name}=={PINNED[name]}")
        return None
    try:
        held = version(name)
    except PackageNotFoundError:
        held = "unknown"
    if held != PINNED[name]:
        print(f"{name} is {held}, not {PINNED[name]}: its tables stay as they are")
        return None
    return Path(found.origin).parent


def models(folder: Path) -> None:
    write("models_open", carry_over.open_models(folder))
    write("models_open_all", carry_models.every_open_model(folder, mpl=False))
    write("models_open_mpl", carry_models.every_open_model(folder, mpl=True))
    write("models_closed", carry_over.closed_models(folder, mpl=False))
    write("models_closed_mpl", carry_over.closed_models(folder, mpl=True))
    write("models_media", carry_over.media_models(folder))
    listed = {row["model"]: row for row in carry_models.listed_open_models(folder)}
    listed |= {row["model"]: row for row in carry_over.model_list(folder)}
    unknown = names(folder, frozenset(listed), scoped=False)
    write("models_named", named_sizes.facts(unknown))
    listed = {row["model"]: row for row in named_sizes.listed(unknown)} | listed
    write("model_list", [listed[model] for model in sorted(listed)], _LIST)
    names(folder, frozenset(listed), scoped=True)


def names(folder: Path, listed: frozenset[str], *, scoped: bool) -> list[Row]:
    """Write the tables of names; without `scoped`, only give the listed names that lead to no model yet."""
    stated = [*carry_over.names(folder), *carry_models.open_names(folder)]
    hand = rows_of(TABLES, "model_names_hand")
    by_hand = {row["model"] for row in rows_of(TABLES, "model_list_hand")}
    sized = {row["entity"] for table in TABLES.glob("models_*.csv") for row in rows_of(TABLES, table.stem)}
    if not scoped:
        sized -= {row["entity"] for row in rows_of(TABLES, "models_named")}
    known = carry_models.Names((listed | by_hand) & sized, [*stated, *hand])
    of_providers = carry_models.names(folder, known)
    if not scoped:
        return carry_models.without_model(folder, known, of_providers)
    write("model_names", _once([*stated, *of_providers]), _NAMES)
    write(
        "model_aliases", carry_models.aliases(folder, known, listed & sized), (*_NAMES[:2], "valid_from", *_NAMES[2:])
    )
    write("unsized_names", carry_models.unsized(folder, known, of_providers), _UNSIZED)
    return []


def _once(rows: list[Row]) -> list[Row]:
    return list({(row["name"], row["provider"]): row for row in rows}.values())


def places(folder: Path) -> None:
    write("grids", carry_over.grids(folder))
    write("zones", carry_over.zones(folder), ("zone", "name", "type", "country", "source", "licence"))
    write("sites", carry_over.sites(folder))
    regions = carry_places.regions(folder)
    write("regions", regions, tuple(regions[0]))
    write("accelerators", carry_over.accelerators(folder))
    write("embodied", carry_over.embodied(folder))
    if codecarbon := package("codecarbon"):
        write("mixes", carry_places.mixes(codecarbon))
        write("cpus", carry_places.cpus(folder, codecarbon))


def prices(folder: Path) -> None:
    rows = carry_prices.history(folder)
    write("prices_history", rows, carry_prices.COLUMNS)
    if package("genai-prices"):
        write("prices_listed", carry_prices.listed_now(rows, PINNED["genai-prices"]), carry_prices.COLUMNS)


PARTS = {"models": models, "places": places, "prices": prices}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="folder of collected facts")
    parser.add_argument("--only", default=",".join(PARTS), help="parts to refresh, comma-separated")
    chosen = parser.parse_args()
    for part in chosen.only.split(","):
        PARTS[part](chosen.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
