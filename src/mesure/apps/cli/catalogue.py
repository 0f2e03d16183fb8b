"""`mesure catalogue`: read and check the facts behind every figure, compare two editions, add your own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.hours import command as hours
from mesure.apps.cli.hours import instant
from mesure.apps.cli.options import config_option, data_option, day, spoken_options
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice

__all__ = ["command"]


@click.group(cls=CommandGroup, name="catalogue", help=mark("Read, check, compare and extend the facts behind figures."))
@spoken_options
def command() -> None:
    pass


command.add_command(hours)


@command.command("check", cls=Command, help=mark("Read and check every row, or those of a file of your own."))
@click.argument("file", required=False)
@spoken_options
@click.pass_obj
def check(voice: Voice, /, file: str | None) -> None:
    from mesure.catalogue import current

    catalogue = current().with_user_file(Path(file)) if file else current()
    rows = catalogue.check()
    if catalogue.hours:
        rows["hours"] = sum(series.hours for series in catalogue.hours.all())
    voice.emit({"version": catalogue.version, "rows": rows, "ok": True})
    for table, count in rows.items():
        voice.say(f"  {table:<18} {voice.translator.number(count, 0):>7}")
    voice.say(
        voice.t(
            "Catalogue {version}: every number has its source, unit, year and licence.",
            version=catalogue.version,
        )
    )


@command.command(
    "show",
    cls=Command,
    help=mark("Show what is known of a model, zone, region, accelerator, processor, provider or factor."),
)
@click.argument("name")
@click.option("--provider", metavar="NAME", help=mark("Provider that gives the name, or holds the region."))
@click.option(
    "--at",
    metavar="DAY",
    help=mark("Day of the facts, as 2026-11-22, or hour of a zone, as 2026-11-22T13:00Z; the latest when left out."),
)
@spoken_options
@click.pass_obj
def show(voice: Voice, /, name: str, provider: str | None, at: str | None) -> None:
    from mesure.apps.cli.catalogue_entry import entry_of, show_entry

    hour = instant(at) if at and "T" in at else None
    entry = entry_of(name, provider, hour.date() if hour else day(at) if at else None, hour)
    voice.emit(entry.to_json())
    if not voice.json:
        show_entry(voice, entry)


@command.command(
    "diff", cls=Command, help=mark("Compare two editions, or a file of your own with the edition it changes.")
)
@click.argument("old")
@click.argument("new")
@click.option("--limit", default=40, show_default=True, metavar="N", help=mark("Most lines of each kind shown."))
@spoken_options
@click.pass_obj
def diff(voice: Voice, /, old: str, new: str, limit: int) -> None:
    from mesure.apps.cli.catalogue_diff import compared, edition, show_differences

    before, after = edition(old), edition(new)
    differences = compared(before, after)
    voice.emit({"old": before.version, "new": after.version, **differences.to_json()})
    if not voice.json:
        show_differences(voice, before.version, after.version, differences, limit)


@command.command("add", cls=Command, help=mark("Check a file of your own factors and put it in the data folder."))
@click.argument("file")
@config_option
@data_option
@click.option("--replace", is_flag=True, help=mark("Replace the file that is there."))
@spoken_options
@click.pass_obj
def add(voice: Voice, /, file: str, config: str | None, data: str | None, replace: bool) -> None:
    from mesure.apps.cli.own_catalogue import put_in_place
    from mesure.config import load_settings

    settings = load_settings(config, flags={"server.data": data})
    placed, catalogue = put_in_place(Path(file), Path(settings.server.data), replace=replace)
    voice.emit({"file": str(placed), "version": catalogue.version})
    voice.say(
        voice.t(
            "{file} is in place: catalogue {version}. A server that runs takes it when it starts again.",
            file=placed,
            version=catalogue.version,
        )
    )
