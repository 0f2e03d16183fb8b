"""`mesure catalogue hours`: hourly figures of a zone, fetched from open services or imported, and kept here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.errors import InvalidValue
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice

__all__ = ["command"]


@click.group(
    cls=CommandGroup,
    name="hours",
    help=mark("Hourly figures of a zone: fetched from open services or imported, kept in the data folder."),
)
@spoken_options
def command() -> None:
    pass


def instant(text: str) -> datetime:
    """A day (its first hour, UTC), or an hour with its offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is not None and at.tzinfo is None and len(text) == 10:
        at = at.replace(tzinfo=UTC)
    if at is None or at.tzinfo is None:
        action = "Write a day as 2026-01-15, or an hour with its offset as 2026-01-15T13:00+01:00."
        raise InvalidValue("This is not a time", value=text, action=action, code="usage")
    return at.astimezone(UTC)


def _period(start: str, end: str) -> tuple[datetime, datetime]:
    """From the first hour to the end of the last one; a day is whole."""
    first, last = instant(start), instant(end)
    last += timedelta(days=1) if len(end) == 10 else timedelta()
    if first >= last:
        raise InvalidValue(
            "The period ends before it begins", value=f"{start} {end}", action="Exchange them.", code="usage"
        )
    return first, last


def _folder(config: str | None, data: str | None) -> Path:
    from mesure.catalogue.hours import HOURS_FOLDER
    from mesure.config import load_settings

    return Path(load_settings(config, flags={"server.data": data}).server.data) / HOURS_FOLDER


_ZONE = click.option("--zone", required=True, metavar="ZONE", help=mark("Grid zone, as FRA or US-VA."))


@command.command(
    "fetch",
    cls=Command,
    help=mark(
        "Fetch hourly figures of a zone from an open service that asks for no key. Licence, unit and scope (direct or "
        "life-cycle) are written in the file. Hours already kept from the same service are replaced."
    ),
)
@_ZONE
@click.option("--from", "start", required=True, metavar="DAY", help=mark("First day or hour, as 2026-01-15."))
@click.option("--to", "end", required=True, metavar="DAY", help=mark("Last day, whole, or the hour it ends before."))
@click.option(
    "--service", metavar="NAME", help=mark("energy-charts, rte or carbon-intensity; the zone's when left out.")
)
@click.option("--base", metavar="URL", help=mark("Address of a mirror of the service."))
@click.option(
    "--timeout",
    type=click.FloatRange(0, 600, min_open=True),
    default=30.0,
    show_default=True,
    metavar="S",
    help=mark("Seconds to wait for an answer."),
)
@config_option
@data_option
@spoken_options
@click.pass_obj
def fetch(
    voice: Voice,
    /,
    zone: str,
    start: str,
    end: str,
    service: str | None,
    base: str | None,
    timeout: float,
    config: str | None,
    data: str | None,
) -> None:
    from mesure.apps.cli.fetch_hours import fetch_hours
    from mesure.catalogue.hour_services import service_for

    first, last = _period(start, end)
    chosen, zone = service_for(zone, service), zone.upper()
    if base is not None and not base.startswith(("https://", "http://")):
        raise InvalidValue("This is not an address", value=base, action="Write it as https://host/path.", code="usage")
    day = datetime.now(UTC).date().isoformat()
    windows = fetch_hours(chosen, zone, first, last, _folder(config, data), day=day, base=base, timeout_s=timeout)
    hours = missing = 0
    for until, written in windows:
        hours, missing = hours + written.hours, missing + written.missing
        voice.note(f"{zone} {until:%Y-%m-%d} {hours}")
    _told(voice, zone, chosen.parameter, hours, missing, chosen.source, chosen.licence)


def _told(voice: Voice, zone: str, parameter: str, hours: int, missing: int, source: str, licence: str) -> None:
    number = voice.translator.number
    voice.emit({"zone": zone, "parameter": parameter, "hours": hours, "missing": missing, "source": source,
                "licence": licence})  # fmt: skip
    voice.say(
        voice.t(
            "{zone}, {parameter}: {hours} hours kept, {missing} without a value. {source}, {licence}.",
            zone=zone, parameter=parameter, hours=number(hours, 0), missing=number(missing, 0), source=source,
            licence=licence,
        )
    )  # fmt: skip
    if missing:
        voice.say(voice.t("The yearly figure stands for hours without a value, and is flagged."))


@command.command(
    "import",
    cls=Command,
    help=mark("Import a CSV file of hours: a column of times with their offset, a column of values."),
)
@click.argument("file")
@_ZONE
@click.option("--parameter", default="intensity", show_default=True, metavar="NAME",
              help=mark("What the values are: intensity (life-cycle), intensity_direct, intensity_market, "
                        "intensity_residual or intensity_marginal."))  # fmt: skip
@click.option("--unit", default="gCO2e/kWh", show_default=True, metavar="UNIT", help=mark("Unit of the values."))
@click.option("--source", required=True, metavar="TEXT", help=mark("Who publishes the values."))
@click.option("--source-url", required=True, metavar="TEXT", help=mark("Where they are: an address or a reference."))
@click.option("--licence", required=True, metavar="TEXT", help=mark("Licence of the values."))
@click.option("--status", default="published", show_default=True, metavar="NAME",
              help=mark("published, estimated or assumed."))  # fmt: skip
@click.option("--note", default="", metavar="TEXT", help=mark("What a reader should know of the values."))
@click.option("--time", "time_column", default="time", show_default=True, metavar="COLUMN",
              help=mark("Column of the times at which hours begin."))  # fmt: skip
@click.option("--value", "value_column", default="value", show_default=True, metavar="COLUMN",
              help=mark("Column of the values."))  # fmt: skip
@click.option("--timezone", metavar="NAME", help=mark("Whose clocks times without offset are of, as Europe/Paris."))
@config_option
@data_option
@spoken_options
@click.pass_obj
def import_(
    voice: Voice,
    /,
    file: str,
    zone: str,
    parameter: str,
    unit: str,
    source: str,
    source_url: str,
    licence: str,
    status: str,
    note: str,
    time_column: str,
    value_column: str,
    timezone: str | None,
    config: str | None,
    data: str | None,
) -> None:
    from mesure.catalogue.hours import Origin, keep_hours
    from mesure.catalogue.hours_csv import read_hours, time_zone

    day = datetime.now(UTC).date().isoformat()
    origin = Origin(zone.upper(), parameter, unit, source, source_url, licence, status, note, day).checked()
    points = list(read_hours(Path(file), time_column, value_column, time_zone(timezone) if timezone else None))
    if not points:
        raise InvalidValue("This file has no hour", value=file, action="Check its columns and its lines.")
    times = [at for at, _ in points]
    end = max(times) + timedelta(hours=1)
    written = keep_hours(_folder(config, data), origin, points, min(times), end)
    _told(voice, origin.zone, parameter, written.hours, written.missing, source, licence)


@command.command("list", cls=Command, help=mark("Show the hourly figures that are kept, and check each."))
@config_option
@data_option
@spoken_options
@click.pass_obj
def list_(voice: Voice, /, config: str | None, data: str | None) -> None:
    from dataclasses import asdict

    from mesure.catalogue.hours import Hours

    kept = Hours(_folder(config, data)).all()
    voice.emit([{**asdict(one.origin), "year": one.year, "hours": one.hours, "file": str(one.path)} for one in kept])
    if not kept:
        voice.say(voice.t("No hourly figure is kept here: mesure catalogue hours fetch brings some."))
    for one in kept:
        origin = one.origin
        voice.say(f"{origin.zone} {one.year}  {origin.parameter}  {voice.translator.number(one.hours, 0)} h")
        voice.say(f"    {origin.source} · {origin.unit} · {origin.licence} · {origin.fetched}")
        if origin.note:
            voice.say(f"    {origin.note}")
