"""The catalogue: packaged tables and the user's own file, read when first needed, and looked up at a date."""

from __future__ import annotations

from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mesure.catalogue.files import Overlay, Tables
from mesure.catalogue.hardware import Accelerator, Hardware
from mesure.catalogue.models import ModelFacts, Models
from mesure.catalogue.places import Grid, Host, Places, Region
from mesure.catalogue.prices import Price, Prices
from mesure.catalogue.table import FACTOR_TABLES, NAME_TABLES, PRICES, Factor, factor_of
from mesure.errors import CatalogueError, UnknownName, nearest_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from mesure.catalogue.hours import AtHour, Hours

__all__ = ["Catalogue", "current", "packaged", "use", "when_changed"]


class Catalogue:
    """All facts of one edition. Look-ups are cached and return None (or raise, where said) for what is not listed."""

    def __init__(self, folder: Traversable, overlay: Overlay | None = None, hours: Hours | None = None) -> None:
        self._tables = tables = Tables(folder, overlay)
        self.edition = (folder / "VERSION").read_text(encoding="utf-8").strip()
        own = tables.overlay.fingerprint
        self.version = f"{self.edition}+user.{own}" if own else self.edition
        self._models, self._places = Models(tables), Places(tables)
        self._hardware, self._prices = Hardware(tables), Prices(tables)
        self.hours = hours

    def with_user_file(self, path: Path) -> Catalogue:
        """This edition, overridden and extended by a user's file. Raises `CatalogueError` for a row that may not be."""
        from mesure.catalogue.user_file import read_user_file

        return Catalogue(self._tables.folder, read_user_file(path, self._tables), self.hours)

    def with_hours(self, folder: Path) -> Catalogue:
        """This edition, with the hourly figures that the user's data folder keeps (`hours`)."""
        from mesure.catalogue.hours import Hours

        return Catalogue(self._tables.folder, self._tables.overlay, Hours(folder))

    # Models

    def find_model(self, name: str, provider: str | None = None, at: date | None = None) -> ModelFacts | None:
        """The model a name designates, by exact rules only; None when none with a size is listed.

        `at` counts for aliases that move (`mistral-large-latest`): what they designated on that day.
        """
        return self._models.find(name, provider, at)

    def model(self, name: str, provider: str | None = None, at: date | None = None) -> ModelFacts:
        """As `find_model`; raises `UnknownName` with nearest names (code `size_unknown` for a listed name
        without size)."""
        return self._models.get(name, provider, at)

    def models(self) -> tuple[str, ...]:
        """Names of all listed models that have a size."""
        return self._models.ids

    def model_names(self, model: str) -> tuple[tuple[str, str], ...]:
        """(provider, name) of every listed name of a model, provider empty where it means the same everywhere."""
        return self._models.names_of(model)

    def unsized(self, name: str) -> tuple[str, ...]:
        """Providers that list this name although no size of its model is known; such a name never counts as known."""
        return self._models.unsized(name)

    def nearest_models(self, name: str) -> tuple[str, ...]:
        """Names to propose, never used by a look-up."""
        return self._models.nearest(name)

    # Places

    def zones(self) -> dict[str, str]:
        """Zone -> its name, for all zones that have a factor."""
        return {zone: row["name"] for zone, row in self._places.zones.items()}

    def grid(self, zone: str, at: date | None = None) -> Factor | None:
        """Yearly location-based intensity: life-cycle, of the latest year not after `at` (the oldest if all are after).

        Where a zone has direct (stack) factors only, that one: its `unit`, `note` and id (`intensity_direct`) say so.
        """
        return self._places.factor(zone, "intensity", at) or self._places.factor(zone, "intensity_direct", at)

    def grid_factor(self, zone: str, parameter: str, at: date | None = None) -> Factor | None:
        """One quantity of a zone per kWh at a date (`places.GRID_PARAMETERS`): intensity, intensity_direct, water (L),
        adpe (gSbeq), pe (MJ), and the user's intensity_market, intensity_residual, intensity_marginal; None if
        unknown."""
        return self._places.factor(zone, parameter, at)

    def at_hour(self, zone: str, at: datetime, parameter: str = "intensity") -> AtHour | None:
        """One quantity of a zone at an hour: the hourly figure that the user fetched or imported, else the yearly one,
        flagged (`hourly` False); None if neither is known. `at` has a zone. Quantities never stand for each other: the
        hours of another scope are not used."""
        from mesure.catalogue.hours import AtHour, hour_of

        hour = hour_of(at)
        found = self.hours.factor(zone, parameter, hour) if self.hours else None
        if found is not None:
            return AtHour(found, hourly=True)
        yearly = self._places.factor(zone, parameter, hour.date())
        return AtHour(yearly, hourly=False) if yearly else None

    def zone(self, zone: str, at: date | None = None) -> Grid | None:
        """All quantities of a zone, with its generation mix; None when it is not listed."""
        return self._places.grid(zone, at)

    def region(self, provider: str, region: str) -> Region | None:
        """A cloud region with its provenance; None when it is not listed."""
        return self._places.region(provider, region)

    def region_zone(self, provider: str, region: str) -> str | None:
        """The grid zone of a cloud region; None when it is not listed, or is a global or cross-region endpoint."""
        found = self._places.region(provider, region)
        return found.zone if found else None

    def host(self, provider: str) -> Host | None:
        """The default places of an API; None when not listed."""
        return self._places.host(provider)

    def site(self, provider: str, parameter: str, at: date | None = None, region: str | None = None) -> Factor | None:
        """PUE (`pue`) or WUE (`wue`) of the halls that serve a provider, of its region where published, else
        fleet-wide;
        None when not listed."""
        return self._places.site(provider, parameter, at, region)

    # Hardware, prices and constants

    def accelerator(self, name: str) -> Accelerator:
        """An accelerator by id or common name; raises `UnknownName` with nearest names."""
        return self._hardware.accelerator(name)

    def accelerators(self) -> tuple[str, ...]:
        """Ids of all listed accelerators."""
        return self._hardware.accelerators

    def cpu(self, name: str) -> Factor | None:
        """TDP (W) of a processor by its whole name; None when not listed."""
        return self._hardware.cpu(name)

    def embodied(self, unit: str = "kgCO2e") -> tuple[Factor, ...]:
        """Every published figure of manufacture in kgCO2e, kgSbeq or MJ, side by side."""
        return self._hardware.embodied(unit)

    def price(self, provider: str, model: str, at: date | None = None, tier: str = "standard") -> Price | None:
        """USD per million tokens on a day; None when not listed, or before the first listed day."""
        return self._prices.price(provider, model, at, tier)

    def constant(self, entity: str, parameter: str, table: str = "stack") -> Factor:
        """A figure of the stack between the accelerator and the meter, or a stated assumption; with table `training`,
        one that only training needs."""
        try:
            return self._tables.factors_of(table, entity)[parameter][-1]
        except KeyError:
            raise CatalogueError(
                "The catalogue lacks a constant the method needs",
                value=f"{table}.{entity}.{parameter}",
                action="Use the catalogue that ships with this version of Mesure.",
            ) from None

    def prompt(self, product: str) -> tuple[Factor, Factor] | None:
        """Tokens read and written per prompt to a product that people use from a seat; None where none is listed."""
        return self._lengths(f"prompt-{product}")

    def minute(self, product: str) -> tuple[Factor, Factor] | None:
        """Tokens read and written per minute of talk with a product; None where none is listed."""
        return self._lengths(f"minute-{product}")

    def products(self) -> tuple[str, ...]:
        """Products of which lengths of prompts or of minutes are listed."""
        starts = ("prompt-", "minute-")
        found = {name.partition("-")[2] for name in self._entities("stack") if name.startswith(starts)}
        return tuple(sorted(found))

    def _lengths(self, entity: str) -> tuple[Factor, Factor] | None:
        found = self._tables.factors_of("stack", entity)
        return (found["input"][-1], found["output"][-1]) if {"input", "output"} <= found.keys() else None

    def technologies(self) -> dict[str, dict[str, Factor]]:
        """Technology of generation -> parameter (water, adpe, pe) -> factor per kWh."""
        found = {entity: self._tables.factors_of("technologies", entity) for entity in self._entities("technologies")}
        return {entity: {p: series[-1] for p, series in by.items()} for entity, by in found.items()}

    def equivalences(self) -> tuple[Factor, ...]:
        """Everyday equivalents, physics first: what one unit of each takes."""
        return tuple(factor_of(row) for row in self._tables.rows("equivalences"))

    def _entities(self, table: str) -> list[str]:
        return sorted(self._tables.entities(table))

    # All factors

    def find_factor(self, id: str) -> Factor | None:  # noqa: A002
        """A factor by its id; None when none has it."""
        table = id.removeprefix("user.").partition(".")[0]
        if table == "hours":
            return self.hours.named(id) if self.hours else None
        return self._tables.factor(table, id) if table in FACTOR_TABLES else None

    def factor(self, id: str) -> Factor:  # noqa: A002
        """As `find_factor`; raises `UnknownName` with nearest ids."""
        found = self.find_factor(id)
        if found is None:
            raise UnknownName(
                "No factor has this id",
                value=id,
                action="Look it up with its table.",
                nearest=self._nearest_ids(id),
            )
        return found

    def _nearest_ids(self, id: str) -> tuple[str, ...]:  # noqa: A002
        if id.removeprefix("user.").partition(".")[0] not in FACTOR_TABLES:
            return ()
        start = ".".join(id.split(".")[:2])
        return nearest_names(id, [known for known in self._by_id if known.startswith(start)])

    @cached_property
    def _by_id(self) -> dict[str, Factor]:
        return {factor.id: factor for factor in self._all()}

    def _all(self) -> Iterator[Factor]:
        for table in FACTOR_TABLES:
            for row in self._tables.rows(table):
                yield factor_of(row)

    def factors(self) -> tuple[Factor, ...]:
        """Every factor of this edition, in the order of its tables."""
        return tuple(self._by_id.values())

    def rows(self, table: str) -> list[dict[str, str]]:
        """All rows of a table as they are written, checked."""
        return self._tables.rows(table)

    def holds(self, table: str) -> bool:
        """Whether this edition has the table: an earlier one may not."""
        return (self._tables.folder / f"{table}.csv").is_file() or bool(self._tables.overlay.of(table))

    def check(self) -> dict[str, int]:
        """Read and check every row of every table: table -> rows. Raises `CatalogueError` on the first refused one."""
        return {table: len(self._tables.rows(table)) for table in (*FACTOR_TABLES, *NAME_TABLES, PRICES)}


@cache
def packaged() -> Catalogue:
    """The edition that ships with this version, without any file of the user."""
    folder: Any = files("mesure.catalogue") / "data"
    return Catalogue(folder)


_in_use: list[Catalogue] = []
_resting: list[Callable[[], None]] = []


def current() -> Catalogue:
    """The catalogue in use: that which ships with this version, unless `use` named another."""
    return _in_use[-1] if _in_use else packaged()


def use(catalogue: Catalogue | None) -> None:
    """Make `catalogue` the one `current()` gives (the packaged one for None), for the whole process: at start, before
    a server answers. What was resolved under another one is resolved again."""
    chosen = catalogue or packaged()
    if chosen is current():
        return
    _in_use[:] = [] if chosen is packaged() else [chosen]
    for forget in _resting:
        forget()


def when_changed(forget: Callable[[], None]) -> None:
    """Have `forget` called each time another catalogue is taken into use: for what rests on the one left."""
    _resting.append(forget)
