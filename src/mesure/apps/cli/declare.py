"""`mesure declare`: use that nothing counts, by seats, active days and prompts a day. It stays declared."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.config import ProfileSettings, Settings
    from mesure.ledger import Ledger
    from mesure.meter.imports import Declared

__all__ = ["command"]


@click.command(
    cls=Command,
    name="declare",
    help=mark(
        "Bring declared use into the ledger: seats x active days x prompts (or minutes) a day, by month. Without NAME, "
        "the [profiles] of mesure.toml. It is marked declared and never counts as observed; said again otherwise, it "
        "replaces what it said before."
    ),
)
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--product", metavar="NAME", help=mark("Product, of which the catalogue estimates the length of prompts.")
)
@click.option("--model", metavar="NAME", help=mark("Model behind it, when it is known."))
@click.option("--provider", metavar="NAME", help=mark("Who provides it."))
@click.option("--seats", type=click.IntRange(min=1), metavar="N", help=mark("People who have it."))
@click.option("--active-days", type=float, metavar="N", help=mark("Days of the period on which a seat is used."))
@click.option("--prompts-per-day", type=float, metavar="N", help=mark("Prompts of a seat on such a day."))
@click.option("--minutes-per-day", type=float, metavar="N", help=mark("Minutes of talk of a seat on such a day."))
@click.option("--since", metavar="DATE", help=mark("First day, as 2026-11-01."))
@click.option("--until", metavar="DATE", help=mark("Last day."))
@click.option("--team", metavar="NAME", help=mark("Team written on the calls."))
@click.option("--end-client", metavar="NAME", help=mark("End client written on the calls."))
@click.option("--use-case", metavar="NAME", help=mark("Use case written on the calls."))
@click.option("--application", metavar="NAME", help=mark("Application written on the calls."))
@click.option("--remove", is_flag=True, help=mark("Take out what NAME declared."))
@click.option(
    "--dry-run", "--preview", "dry_run", is_flag=True, help=mark("Say what would be imported, write nothing.")
)
@data_option
@config_option
@spoken_options
@click.pass_obj
def command(voice: Voice, /, name: str | None, **options: Any) -> None:
    from zoneinfo import ZoneInfo

    from mesure.apps.cli.import_jobs import ledger_of
    from mesure.config import load_settings
    from mesure.meter.imports import declared

    settings = load_settings(options["config"], flags={"server.data": options["data"]})
    ledger = ledger_of(settings)
    if options["remove"]:
        _remove(voice, ledger, _named(name))
        return
    profiles = {name: _profile(settings, name, options)} if name else settings.profiles
    zone = ZoneInfo(settings.organisation.timezone)
    found = {each: declared(each, profile, zone) for each, profile in profiles.items()}
    if not found:
        voice.say(voice.t("No profile is declared: name one, or write [profiles.NAME] in mesure.toml."))
    written = {each: None if options["dry_run"] else _written(ledger, one) for each, one in found.items()}
    for each, one in found.items():
        _tell(voice, each, one, written[each])
    voice.emit({"dry_run": options["dry_run"], "profiles": {n: _json(one, written[n]) for n, one in found.items()}})


def _profile(settings: Settings, name: str, options: dict[str, Any]) -> ProfileSettings:
    """What the command line says, over what the file says of this name."""
    from dataclasses import replace

    from mesure.config import ProfileSettings

    said = {f.name: options[f.name] for f in fields(ProfileSettings) if options.get(f.name) is not None}
    return replace(settings.profiles.get(name, ProfileSettings()), **said)


def _named(name: str | None) -> str:
    from mesure.errors import InvalidValue

    if name is None:
        raise InvalidValue("Which profile is not said", action="Name it: mesure declare NAME --remove.", code="usage")
    return name


def _written(ledger: Ledger, one: Declared) -> tuple[int, int]:
    """(months added, months of what it said before that went)."""
    from mesure.ledger import import_events, known_imports, remove_imports

    before = [k for k in known_imports(ledger) if k.content == one.content and k.done and k.import_id != one.import_id]
    gone = remove_imports(ledger, before)
    return import_events(ledger, one.import_id, one.events).added, gone


def _remove(voice: Voice, ledger: Ledger, name: str) -> None:
    from hashlib import sha256

    from mesure.ledger import known_imports, remove_imports

    content = sha256(f"profile:{name}".encode()).hexdigest()
    there = (ledger.path / "_delta_log").is_dir()
    known = [found for found in known_imports(ledger) if found.content == content and found.done] if there else []
    gone = remove_imports(ledger, known) if known else 0
    voice.say(voice.translator.n("{count} month taken out.", "{count} months taken out.", gone))
    voice.emit({"removed": gone})


def _tell(voice: Voice, name: str, one: Declared, written: tuple[int, int] | None) -> None:
    n, number = voice.translator.n, voice.translator.number
    said = n("{count} prompt declared", "{count} prompts declared", one.prompts)
    if one.minutes:
        said += ", " + voice.t("{minutes} minutes of talk", minutes=number(one.minutes))
    said += ", " + n("{count} month", "{count} months", len(one.events))
    if written is not None and not written[0]:
        said += " (" + voice.t("already there") + ")"
    elif written is not None and written[1]:
        said += " (" + voice.t("in the place of what it said before") + ")"
    voice.say(f"{name}: {said}.")


def _json(one: Declared, written: tuple[int, int] | None) -> dict[str, Any]:
    return {
        "prompts": one.prompts,
        "minutes": one.minutes,
        "months": [event.to_json() for event in one.events],
        "added": written[0] if written else 0,
        "removed": written[1] if written else 0,
    }
