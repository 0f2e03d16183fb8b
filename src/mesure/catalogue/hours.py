"""Hourly intensities of a zone, fetched or imported by the user: CSV files in the data folder, never in the package.

One file holds one quantity of one zone in one year from one source: at most 8 784 lines. Its provenance stands first:

    # zone: FRA
    # parameter: intensity_direct
    # unit, source, source_url, licence, status, note, fetched: the same way
    hour,value
    2026-01-15T13Z,38.5

Hours are UTC and begin at the time written. A missing hour has no line: it is unknown.
"""

from __future__ import annotations

import math
import os
import re
from array import array
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue.bounds import PARAMETERS, broken_bound, broken_unit
from mesure.catalogue.table import STATUSES, Factor
from mesure.errors import CatalogueError, InvalidValue, nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["HOURS_FOLDER", "AtHour", "Hours", "Origin", "Series", "Written", "hour_of", "keep_hours"]

HOURS_FOLDER = "hours"
_HEADER = "hour,value"
_HOUR_FORMAT = "%Y-%m-%dT%HZ"
_ZONE = re.compile(r"[A-Z0-9][A-Z0-9-]{1,30}")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a series of hours is, and where it comes from. `parameter` says the scope: intensity (life-cycle),
    intensity_direct, intensity_marginal, ...; `fetched` is the day it was."""

    zone: str
    parameter: str
    unit: str
    source: str
    source_url: str
    licence: str
    status: str
    note: str
    fetched: str

    def checked(self) -> Origin:
        """Itself, or `CatalogueError` when a number of it could not be used."""
        if not _ZONE.fullmatch(self.zone):
            raise _refused("zone", self.zone, "Write a zone as FRA or US-VA.")
        if self.parameter not in _QUANTITIES:
            nearest = nearest_names(self.parameter, _QUANTITIES) or tuple(_QUANTITIES)
            raise _refused("parameter", self.parameter, "Name one of these quantities.", nearest)
        if wrong := broken_unit("grids", self.parameter, self.unit):
            raise _refused(wrong[0], self.unit, f"It is {wrong[1]}.")
        for name in ("source", "source_url", "licence", "fetched"):
            if not getattr(self, name).strip():
                raise _refused(name, "", "State it: no number is kept without it.")
        if self.status not in STATUSES:
            raise _refused("status", self.status, f"Use one of: {', '.join(STATUSES)}.")
        return self


_QUANTITIES = tuple(name for name in PARAMETERS["grids"] if name.startswith("intensity"))


def _refused(column: str, value: str, action: str, nearest: tuple[str, ...] = ()) -> CatalogueError:
    return CatalogueError(
        f"These hours cannot be kept: {column} cannot be used", value=value, action=action, nearest=nearest
    )


class AtHour(NamedTuple):
    """A factor at an hour; `hourly` is False where the yearly one stands for an hour nobody has given."""

    factor: Factor
    hourly: bool


class Series(NamedTuple):
    """A stored file: what it is, its year, and how many of its hours have a value."""

    origin: Origin
    year: int
    hours: int
    path: Path


class Written(NamedTuple):
    """Hours written, and hours of the period asked that stay without a value."""

    hours: int
    missing: int


def hour_of(at: datetime) -> datetime:
    """The beginning of the hour, UTC. Raises `InvalidValue` for a time without zone: it names two hours, or none, where
    clocks change."""
    if at.tzinfo is None:
        raise InvalidValue(
            "This time has no zone", value=at.isoformat(), action="Give its offset, as 2026-01-15T13:00+01:00 or ...Z."
        )
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _place(hour: datetime) -> int:
    return int((hour - datetime(hour.year, 1, 1, tzinfo=UTC)) / timedelta(hours=1))


def _hours_in(year: int) -> int:
    return _place(datetime(year, 12, 31, 23, tzinfo=UTC)) + 1


# Reading


class Hours:
    """Look-ups over the files of a folder, each read when first needed. Where several sources give an hour, the one
    fetched last does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read = lru_cache(maxsize=64)(_read)

    @cached_property
    def _files(self) -> dict[tuple[str, str, int], list[Path]]:
        found: dict[tuple[str, str, int], list[tuple[str, Path]]] = {}
        for path in sorted(self.folder.glob("*.csv")):
            origin, year = _origin(path), _year(path)
            found.setdefault((origin.zone, origin.parameter, year), []).append((origin.fetched, path))
        return {key: [path for _, path in sorted(paths, reverse=True)] for key, paths in found.items()}

    def factor(self, zone: str, parameter: str, at: datetime) -> Factor | None:
        """The quantity at an hour; None when no file has it. Raises `CatalogueError` for a file that was damaged."""
        hour = hour_of(at)
        for path in self._files.get((zone.upper(), parameter, hour.year), ()):
            origin, values = self._read(path)
            value = values[_place(hour)]
            if not math.isnan(value):
                return _factor(origin, hour, value)
        return None

    def named(self, id: str) -> Factor | None:  # noqa: A002
        """The factor an id `hours.zone.parameter.2026-01-15T13Z` names."""
        parts = id.split(".")
        if len(parts) != 4 or parts[0] != HOURS_FOLDER:
            return None
        try:
            at = datetime.strptime(parts[3], _HOUR_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            return None
        return self.factor(parts[1], parts[2], at)

    def all(self) -> tuple[Series, ...]:
        """Every stored file, read and checked."""
        out = []
        for (_, _, year), paths in sorted(self._files.items()):
            for path in paths:
                origin, values = self._read(path)
                out.append(Series(origin, year, sum(1 for value in values if not math.isnan(value)), path))
        return tuple(out)


def _factor(origin: Origin, hour: datetime, value: float) -> Factor:
    written = f"{hour:{_HOUR_FORMAT}}"
    note = "; ".join(filter(None, (origin.note, f"hour of {written}", f"fetched {origin.fetched}")))
    return Factor(
        f"{HOURS_FOLDER}.{origin.zone}.{origin.parameter}.{written}",
        value, value, value, origin.unit, origin.source, origin.source_url, hour.year, origin.licence, origin.status,
        note,
    )  # fmt: skip


def _damaged(path: Path, line: int, value: str) -> CatalogueError:
    return CatalogueError(
        f"The file of hours {path.name} cannot be read, line {line}",
        value=value,
        action="Delete it and fetch or import its hours again.",
    )


def _year(path: Path) -> int:
    found = re.fullmatch(r".+\.(\d{4})\.csv", path.name)
    if not found:
        raise _damaged(path, 0, path.name)
    return int(found[1])


def _origin(path: Path) -> Origin:
    stated: dict[str, str] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            if not line.startswith("# "):
                break
            name, _, text = line[2:].rstrip("\n").partition(": ")
            stated[name] = text
    names = [field.name for field in fields(Origin)]
    if missing := [name for name in names if name not in stated]:
        raise _damaged(path, 1, f"no {missing[0]}")
    try:
        return Origin(**{name: stated[name] for name in names}).checked()
    except CatalogueError as error:
        raise _damaged(path, 1, f"{error.value}") from None


def _read(path: Path) -> tuple[Origin, array[float]]:
    origin, year = _origin(path), _year(path)
    values = array("d", [math.nan]) * _hours_in(year)
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            text = line.rstrip("\n")
            if text.startswith("#") or text == _HEADER:
                continue
            hour, value = _hour_and_value(path, number, text)
            if hour.year != year or broken_bound("grids", origin.parameter, value):
                raise _damaged(path, number, text)
            values[_place(hour)] = value
    return origin, values


def _hour_and_value(path: Path, number: int, text: str) -> tuple[datetime, float]:
    written, _, stated = text.partition(",")
    try:
        hour, value = datetime.strptime(written, _HOUR_FORMAT).replace(tzinfo=UTC), float(stated)
    except ValueError:
        raise _damaged(path, number, text) from None
    if not 0.0 <= value < math.inf:
        raise _damaged(path, number, text)
    return hour, value


# Writing


def keep_hours(
    folder: Path, origin: Origin, points: Iterable[tuple[datetime, float]], start: datetime, end: datetime
) -> Written:
    """Write the hourly means of `points` (aware time, value) that lie from `start` to before `end`; hours already kept
    from the same source are replaced, others stay. A file is replaced in one step. Raises `CatalogueError` for a number
    that cannot be one."""
    origin = origin.checked()
    means = _means(points, hour_of(start), end.astimezone(UTC))
    by_year: dict[int, dict[int, float]] = {}
    for hour, value in means.items():
        by_year.setdefault(hour.year, {})[_place(hour)] = value
    folder.mkdir(parents=True, exist_ok=True)
    for year, values in by_year.items():
        _replace(folder / f"{origin.zone}.{origin.parameter}.{_slug(origin.source)}.{year}.csv", origin, year, values)
    asked = math.ceil((end.astimezone(UTC) - hour_of(start)) / timedelta(hours=1))
    return Written(len(means), max(0, asked - len(means)))


def _means(points: Iterable[tuple[datetime, float]], start: datetime, end: datetime) -> dict[datetime, float]:
    sums: dict[datetime, tuple[float, int]] = {}
    for at, value in points:
        hour = hour_of(at)
        if not start <= hour < end or value == 0.0:  # a zero stands for a value that nobody has
            continue
        if not 0.0 < value < math.inf:
            raise _refused("value", f"{at.isoformat()} {value}", "Correct the value, or leave its line out.")
        total, count = sums.get(hour, (0.0, 0))
        sums[hour] = (total + value, count + 1)
    return {hour: total / count for hour, (total, count) in sums.items()}


def _replace(path: Path, origin: Origin, year: int, values: Mapping[int, float]) -> None:
    held = _read(path)[1] if path.is_file() else array("d", [math.nan]) * _hours_in(year)
    for place, value in values.items():
        held[place] = value
    first = datetime(year, 1, 1, tzinfo=UTC)
    stated = (f"# {name}: {' '.join(text.split())}" for name, text in asdict(origin).items())
    hours = (
        f"{first + timedelta(hours=place):{_HOUR_FORMAT}},{value:.6g}"
        for place, value in enumerate(held)
        if not math.isnan(value)
    )
    partial = path.with_suffix(".partial")
    partial.write_text("\n".join([*stated, _HEADER, *hours]) + "\n", encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105  (atomic)


def _slug(source: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", source.casefold()).strip("-")[:24].strip("-") or "own"
