"""`mesure privacy`: what is held of people, and its erasure."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import day, spoken_options
from mesure.apps.cli.stored import settings_given, state_options
from mesure.errors import InvalidValue, UnknownName
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings
    from mesure.content import Content, Sought
    from mesure.ledger import Wanted

__all__ = ["command"]

_STORES = {
    "spool": mark("Calls on their way to the ledger"),
    "ledger": mark("Ledger of calls"),
    "contacts": mark("Imported contacts"),
    "state": mark("State: virtual keys, budgets, alerts"),
    "content": mark("Prompts and answers kept on purpose"),
}
_KINDS = {"pseudonym": mark("pseudonym"), "label": mark("name given by you")}


@click.group(cls=CommandGroup, name="privacy", help=mark("Say what is held of people, and erase it."))
@spoken_options
def command() -> None:
    pass


@command.command(
    "report",
    cls=Command,
    help=mark("Say what is held now: stores, rows, columns that are filled, for how long, who can read them."),
)
@state_options
@click.pass_obj
def report(voice: Voice, /, **options: Any) -> None:
    from mesure.apps.holdings import holdings

    settings = settings_given(options)
    found = holdings(settings)
    voice.emit(found)
    voice.say(voice.t("Data folder: {folder}", folder=found["folder"]))
    for store in found["stores"]:
        _say_store(voice, store)
    _say_days(voice, found["retention_days"])
    _say_keys(voice, found)
    voice.say(
        voice.t("Logs go to the standard error of the process, without prompts, answers, keys or names of people.")
    )
    others = found["readable_by_others"]
    voice.say(
        voice.t("Files that other users of this machine can read: {count}", count=voice.translator.number(len(others)))
    )


@command.command(
    "erase",
    cls=Command,
    help=mark(
        "Forget a person, a contact, or all that is older than a day, in the ledger and in kept content. "
        "Calls stay as counts of nobody, unless --rows."
    ),
)
@click.option("--user", metavar="NAME", help=mark("Person, as calls named them, or their pseudonym."))
@click.option("--contact", metavar="ID", help=mark("Contact."))
@click.option("--before", metavar="DAY", help=mark("What began before this day, as 2026-11-22; alone: calls go whole."))
@click.option("--rows", is_flag=True, help=mark("Delete the calls themselves: totals change."))
@click.option("--yes", is_flag=True, help=mark("Do not ask."))
@state_options
@click.pass_obj
def erase(
    voice: Voice, /, user: str | None, contact: str | None, before: str | None, rows: bool, yes: bool, **options: Any
) -> None:
    if not (user or contact or before):
        raise InvalidValue(
            "Nothing says what is to be erased", action="Give --user, --contact or --before.", code="usage"
        )
    settings = settings_given(options)
    folder = Path(settings.server.data)
    if not folder.is_dir():
        raise UnknownName("There is no data folder here", value=str(folder), action="Check --data and --config")
    until = _midnight(before, settings) if before else None
    who = _pseudonym(folder, user) if user else None
    erasure = _Erasure(settings, who, contact, until, rows=rows or not (user or contact))
    caught = erasure.catch_up()
    found = erasure.preview()
    for store, count in found.items():
        voice.say(f"{voice.t(_STORES[store])}: {voice.translator.number(count)}")
    if not caught:
        voice.note(voice.t("The server has not written all it received: run this again in a minute."))
    if any(found.values()) and not yes:
        if voice.json:
            voice.emit({"preview": found, "erased": None})
            return
        click.confirm(voice.t("Erase this for good?"), abort=True, err=True)
    done = erasure.run()
    voice.emit({"preview": found, "erased": done, "complete": caught})
    voice.say(voice.t("Erased. Copies and backups of the data folder are yours to erase."))


class _Erasure:
    """One erasure, in all stores."""

    def __init__(
        self, settings: Settings, user: str | None, contact: str | None, before: datetime | None, *, rows: bool
    ) -> None:
        from mesure.apps.gateway.keeping import content_of
        from mesure.content import Sought
        from mesure.ledger import ContactTable, Ledger, Wanted

        self._folder = Path(settings.server.data)
        self._wait_s = settings.ledger.commit_seconds + 10
        self._ledger = Ledger(self._folder, settings.ledger, settings.deployments)
        self._contacts = ContactTable(self._folder)
        self._content: Content | None = content_of(settings)
        self._wanted: Wanted = Wanted(user=user, contact=contact, before=before)
        self._sought: Sought = Sought(user=user, contact=contact, before=before)
        self._contact = contact if user is None and before is None else None
        self._rows = rows

    def catch_up(self) -> bool:
        """Bring in what was received before, so that it is erased too. False when that takes too long."""
        from mesure.ledger import caught_up

        return caught_up(self._ledger, self._folder / "spool", self._wait_s)

    def preview(self) -> dict[str, int]:
        from mesure.ledger import matching

        return {
            "ledger": matching(self._ledger, self._wanted),
            "contacts": self._contacts.holds(self._contact) if self._contact else 0,
            "content": self._content.count(self._sought) if self._content else 0,
        }

    def run(self) -> dict[str, int]:
        from mesure.ledger import erase, forget_damaged

        done = {
            "ledger": erase(self._ledger, self._wanted, rows=self._rows),
            "contacts": self._contacts.erase(self._contact) if self._contact else 0,
            "content": self._content.erase(self._sought) if self._content else 0,
        }
        forget_damaged(self._folder / "spool", self._wanted)
        return done


def _pseudonym(folder: Path, user: str) -> str:
    from mesure.meter.pseudonyms import Pseudonyms

    return Pseudonyms(folder)(user)


def _midnight(text: str, settings: Settings) -> datetime:
    return datetime.combine(day(text), time(), ZoneInfo(settings.organisation.timezone))


def _say_store(voice: Voice, store: dict[str, Any]) -> None:
    number = voice.translator.number
    voice.say()
    voice.say(voice.t(_STORES[store["store"]]))
    size = number(round(store["bytes"] / 1e6, 1))
    voice.say("  " + voice.t("{files} files, {size} MB, rights {modes}", files=number(store["files"]), size=size,
                             modes=", ".join(store["modes"]) or "-"))  # fmt: skip
    if error := store.get("error"):
        voice.say("  " + voice.sentence(error["what"]))
    if store.get("rows"):
        oldest = (store.get("oldest") or "")[:10]
        voice.say("  " + voice.t("{rows} rows, the oldest of {day}", rows=number(store["rows"]), day=oldest))
    for name, column in store.get("columns", {}).items():
        if column["kind"] in _KINDS:
            share = voice.t("filled in {share} % of rows", share=number(round(100 * column["share"], 1)))
            voice.say(f"  {name}: {share} ({voice.t(_KINDS[column['kind']])})")
    for key in store.get("virtual_keys", ()):
        voice.say(f"  {key['prefix']}-... {voice.t(key['state'])}")
    for name, count in store.get("use_cases", {}).items():
        voice.say(f"  {name}: {number(count)}")


def _say_days(voice: Voice, days: dict[str, Any]) -> None:
    said = {
        "users": mark("Pseudonyms of users leave calls after"),
        "contacts": mark("Contacts and conversations leave calls after"),
        "calls": mark("Calls are deleted after"),
        "imported_contacts": mark("Imported contacts are deleted after"),
    }
    voice.say()
    for name, text in said.items():
        voice.say(f"{voice.t(text)}: {_length(voice, days[name])}")
    for name, kept in days["content"].items():
        voice.say(f"{voice.t('Content of {name} is erased after', name=name)}: {_length(voice, kept)}")


def _length(voice: Voice, days: int) -> str:
    return voice.t("{days} days", days=voice.translator.number(days)) if days else voice.t("never")


def _say_keys(voice: Voice, found: dict[str, Any]) -> None:
    keys = found["keys"]
    there, absent = voice.t("there"), voice.t("none")
    voice.say()
    voice.say(f"pseudonym.key: {there if keys['pseudonym_key'] else absent}")
    place = keys["content_key"]
    voice.say(f"content.key: {place if isinstance(place, str) else there if place else absent}")
    for name, where in keys["providers"].items():
        voice.say(voice.t("Key of provider {name}: {where}", name=name, where=where))
