"""A CSV file of hours of the user's own: a column of times, a column of values."""

from __future__ import annotations

import csv
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mesure.errors import CatalogueError, InvalidValue, nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["read_hours", "time_zone"]


def time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidValue(
            "There is no such time zone", value=name, action="Name one as Europe/Paris or UTC."
        ) from None


def read_hours(
    path: Path, time_column: str, value_column: str, zone: ZoneInfo | None = None
) -> Iterator[tuple[datetime, float]]:
    """(beginning, value) of every line, in the order of the file. Times carry their offset, or are those of clocks of
    `zone`: the second time a clock shows an hour in autumn is the later one, and one that it skips in spring is
    refused. Lines without a value are left out. Raises `CatalogueError` with the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            for column in (time_column, value_column):
                if column not in (rows.fieldnames or ()):
                    raise CatalogueError(
                        "The file of hours has no such column",
                        value=column,
                        nearest=nearest_names(column, rows.fieldnames or ()) or tuple(rows.fieldnames or ()),
                        action="Name its columns with --time and --value.",
                    )
            yield from _points(rows, path.name, time_column, value_column, zone)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CatalogueError(
            f"The file of hours cannot be read: {error}", value=str(path), action="Check the file, and try again."
        ) from None


def _points(
    rows: csv.DictReader[str], name: str, time_column: str, value_column: str, zone: ZoneInfo | None
) -> Iterator[tuple[datetime, float]]:
    previous: datetime | None = None
    for row in rows:
        text, stated = (row[time_column] or "").strip(), (row[value_column] or "").strip()
        if not stated:
            continue
        try:
            at, value = datetime.fromisoformat(text), float(stated)
        except ValueError:
            raise _refused(name, rows.line_num, f"{text} {stated}", "Write 2026-01-15T13:00Z and a number.") from None
        if at.tzinfo is None:
            if zone is None:
                action = "Give times their offset, or say whose clocks they are with --timezone."
                raise _refused(name, rows.line_num, text, action)
            at = _on_clock(at, zone, previous, name, rows.line_num)
        previous = at
        yield at, value


def _on_clock(at: datetime, zone: ZoneInfo, previous: datetime | None, name: str, line: int) -> datetime:
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    before, after = (shown.utcoffset() or timedelta() for shown in (first, second))
    if before < after:
        raise _refused(name, line, at.isoformat(), "Clocks skip this time in spring: check whose clocks they are.")
    shown_again = before > after and previous is not None and first.timestamp() <= previous.timestamp()
    return second if shown_again else first


def _refused(name: str, line: int, value: str, action: str) -> CatalogueError:
    return CatalogueError(f"File {name}, line {line}: this hour cannot be read", value=value, action=action)
