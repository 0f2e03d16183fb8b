"""The user's own file of factors: found through the settings, taken into use, put in place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mesure.errors import CatalogueError, ConfigError

if TYPE_CHECKING:
    from mesure.catalogue import Catalogue
    from mesure.config import Settings

__all__ = ["adopt", "own_file", "put_in_place"]


def own_file(settings: Settings) -> Path | None:
    """The file that `server.catalogue` names, else the one in the data folder, if there is one."""
    from mesure.catalogue.user_file import user_file_in

    return Path(settings.server.catalogue) if settings.server.catalogue else user_file_in(Path(settings.server.data))


def adopt(config: str | None = None, data: str | None = None) -> None:
    """Take the user's file and hourly figures into use for this process, or the packaged edition alone.

    Settings that cannot be read are left to the command that needs them. Raises `CatalogueError` for a refused row.
    """
    from mesure.catalogue import use
    from mesure.catalogue.hours import HOURS_FOLDER
    from mesure.catalogue.store import packaged
    from mesure.config import load_settings

    try:
        settings = load_settings(config, flags={"server.data": data})
    except ConfigError:
        return
    chosen = packaged()
    if file := own_file(settings):
        chosen = chosen.with_user_file(file)
    hours = Path(settings.server.data) / HOURS_FOLDER
    use(chosen.with_hours(hours) if hours.is_dir() else chosen)


def put_in_place(file: Path, folder: Path, *, replace: bool) -> tuple[Path, Catalogue]:
    """Check `file` and copy it into the data folder in one step; where it lies, and the catalogue it gives."""
    from mesure.catalogue import current, use
    from mesure.catalogue.user_file import CATALOGUE_FILES, user_file_in

    use(None)
    catalogue = current().with_user_file(file)
    catalogue.check()
    place = folder / (CATALOGUE_FILES[1] if file.suffix == ".csv" else CATALOGUE_FILES[0])
    there = user_file_in(folder)
    if there and not replace and there.read_bytes() != file.read_bytes():
        raise CatalogueError(
            "This data folder has a file of its own factors already",
            value=str(there),
            action="Add your rows to it, or replace it with --replace.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    partial = place.with_suffix(".partial")
    partial.write_bytes(file.read_bytes())
    os.replace(partial, place)  # noqa: PTH105  (atomic)
    if there and there != place:
        there.unlink()
    return place, catalogue
