"""`mesure contacts`: contacts brought in from a contact centre's system, and what AI took for each."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import config_option, data_option, day, spoken_options
from mesure.apps.cli.voice import FAILED, printable
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings
    from mesure.ledger import ContactGroup, ContactTotals
    from mesure.meter.imports import BadRow, ContactPlan, ContactReview, Conventions, TableFile
    from mesure.quantity import Quantity

__all__ = ["command"]

_WIDEST = 32


@click.group(cls=CommandGroup, name="contacts", help=mark("Bring in contacts, and show what AI took for each of them."))
@spoken_options
def command() -> None:
    pass


@command.command(
    "import",
    cls=Command,
    help=mark(
        "Bring contacts in: id, time, channel, end client, reason, duration, transferred, resolved, came back. Columns "
        "are found by their names, in French and English. The same content enters once; a contact told of again is "
        "what was said last."
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@data_option
@config_option
@click.option("--map", "mapping", multiple=True, metavar="FIELD=COLUMN", help=mark("Column that holds a field."))
@click.option(
    "--timezone", metavar="ZONE", help=mark("Time zone of times without an offset; the organisation's if left out.")
)
@click.option(
    "--decimal",
    type=click.Choice(["point", "comma"]),
    help=mark("How numbers are written; as the values prove when left out."),
)
@click.option(
    "--dates",
    type=click.Choice(["iso", "french", "unix", "unix-ms"]),
    help=mark("How times are written; as the values prove when left out, iso otherwise."),
)
@click.option(
    "--delimiter", metavar="CHARACTER", help=mark("What separates cells; found from the header when left out.")
)
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "windows-1252"]),
    default="utf-8",
    help=mark("How letters are written: windows-1252 for a CSV saved by Excel in French."),
)
@click.option("--skip-bad", is_flag=True, help=mark("Import the other rows when some are refused."))
@click.option(
    "--dry-run", "--preview", "dry_run", is_flag=True, help=mark("Say what would be imported, write nothing.")
)
@spoken_options
@click.pass_context
def import_(ctx: click.Context, /, files: tuple[str, ...], **options: Any) -> None:
    from mesure.meter.imports import ContactPlan, TableFile, review_contacts
    from mesure.meter.pseudonyms import Pseudonyms

    voice: Voice = ctx.obj
    settings = _settings(options)
    jobs: list[tuple[TableFile, ContactPlan, ContactReview]] = []
    for path in files:
        file = TableFile.open(path, delimiter=options["delimiter"], encoding=options["encoding"], export="table")
        conventions = _conventions(file, options, settings)
        named = Pseudonyms(Path(settings.server.data))
        plan = ContactPlan.make(file, _pairs(options["mapping"]), conventions, pseudonym=named)
        with voice.progress(voice.t("Checking {name}", name=file.path.name), file.size) as progress:
            jobs.append((file, plan, review_contacts(file, plan, progress=progress)))
    refused = any(found.refused_count for _, _, found in jobs) and not options["skip_bad"]
    for job in jobs:
        _report(voice, *job, preview=options["dry_run"])
    written = not (options["dry_run"] or refused)
    added = [_added(voice, settings, file, plan, found) if written else None for file, plan, found in jobs]
    if written and settings.contacts.keep_days:
        _forget(voice, settings, datetime.now(UTC) - timedelta(days=settings.contacts.keep_days))
    voice.emit(
        {"dry_run": options["dry_run"], "files": [_summary(*job, one) for job, one in zip(jobs, added, strict=True)]}
    )
    if refused:
        if not options["dry_run"]:
            voice.note(voice.t("Nothing was imported. Correct these rows, or import the others with --skip-bad."))
        ctx.exit(FAILED)


@command.command(
    "show",
    cls=Command,
    help=mark("Show calls, tokens and footprint per contact, and per resolved contact where outcomes are known."),
)
@click.option(
    "--by",
    type=click.Choice(["channel", "end_client", "use_case"]),
    default="channel",
    show_default=True,
    help=mark("What contacts are split by."),
)
@click.option("--since", metavar="DATE", help=mark("First day, as 2026-11-22; 30 days ago when left out."))
@click.option("--until", metavar="DATE", help=mark("Last day; today when left out."))
@data_option
@config_option
@spoken_options
@click.pass_obj
def show(voice: Voice, /, **options: Any) -> None:
    from mesure.ledger import ContactTable, Ledger, Pricer, contact_totals

    settings = _settings(options)
    folder, zone = Path(settings.server.data), ZoneInfo(settings.organisation.timezone)
    today = datetime.now(zone).date()
    last = day(options["until"]) if options["until"] else today
    first = day(options["since"]) if options["since"] else last - timedelta(days=30)
    since = datetime.combine(first, time(), zone).astimezone(UTC)
    until = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
    ledger = Ledger(folder, settings.ledger, settings.deployments)
    found = contact_totals(ledger, ContactTable(folder), Pricer(settings.deployments), since, until, options["by"])
    voice.emit({"since": since.isoformat(), "until": until.isoformat(), "by": options["by"]} | found.to_json())
    _tell(voice, found)


@command.command("forget", cls=Command, help=mark("Delete contacts that began before a day, for good."))
@click.option("--before", required=True, metavar="DATE", help=mark("First day that is kept."))
@data_option
@config_option
@spoken_options
@click.pass_obj
def forget(voice: Voice, /, **options: Any) -> None:
    settings = _settings(options)
    before = datetime.combine(day(options["before"]), time(), ZoneInfo(settings.organisation.timezone))
    gone = _forget(voice, settings, before)
    voice.emit({"forgotten": gone})


def _settings(options: dict[str, Any]) -> Settings:
    from mesure.config import load_settings

    return load_settings(options["config"], flags={"server.data": options["data"]})


def _pairs(written: tuple[str, ...]) -> dict[str, str]:
    from mesure.errors import InvalidValue

    found = {}
    for text in written:
        name, given, column = text.partition("=")
        if not (name and given and column):
            raise InvalidValue(
                "A value on the command line cannot be used",
                value=f"--map {text}",
                action="See the command's --help.",
                code="usage",
            )
        found[name] = column
    return found


def _conventions(file: TableFile, options: dict[str, Any], settings: Settings) -> Conventions:
    """As said, else as its values prove."""
    from mesure.apps.cli.import_reading import zone_named
    from mesure.meter.imports import Conventions, habits_of

    habits = habits_of(file)
    return Conventions(
        timezone=zone_named(options["timezone"] or settings.organisation.timezone),
        decimal=options["decimal"] or habits.decimal or "point",
        dates=options["dates"] or habits.dates or "iso",
    )


def _report(voice: Voice, file: TableFile, plan: ContactPlan, found: ContactReview, *, preview: bool) -> None:
    from mesure.apps.cli.import_told import refusal

    n, name = voice.translator.n, file.path.name
    if preview:
        voice.say(f"{name} ({file.format})")
        width = max(map(len, plan.mapping))
        for field, column in plan.mapping.items():
            known = n("{count} contact says it", "{count} contacts say it", found.known.get(field, 0))
            voice.say(f"  {field:<{width}}  <- {printable(column, 60)}  ({known})")
        rows = n("{count} row", "{count} rows", found.rows)
        voice.say(f"  {rows}, {n('{count} refused', '{count} refused', found.refused_count)}")
        if found.first and found.last:
            voice.say(f"  {found.first.isoformat()} .. {found.last.isoformat()}")
    if unused := plan.unused(file):
        left = voice.t("Left aside: {columns}", columns=", ".join(printable(column, 60) for column in unused))
        (voice.say if preview else voice.note)(f"{name}: {left}")
    for row in found.refused:
        voice.note(refusal(voice, file.path, row))
    if hidden := found.refused_count - len(found.refused):
        voice.note(voice.t("... and {count} other rows refused.", count=voice.translator.number(hidden)))


def _added(
    voice: Voice, settings: Settings, file: TableFile, plan: ContactPlan, found: ContactReview
) -> tuple[int, int]:
    from hashlib import sha256

    from mesure.ledger import ContactTable
    from mesure.meter.imports import read_contacts
    from mesure.meter.imports.reading import BadRow

    said = f"{sorted(plan.mapping.items())} {plan.conventions}"
    import_id = f"{found.content}:{sha256(said.encode()).hexdigest()[:16]}"
    with voice.progress(voice.t("Importing {name}", name=file.path.name), file.size) as progress:
        rows = read_contacts(file, plan, found.content, progress=progress)
        done = ContactTable(settings.server.data).add(import_id, (row for row in rows if not isinstance(row, BadRow)))
    n = voice.translator.n
    added = n("{count} contact added", "{count} contacts added", done.added)
    already = n("{count} already there", "{count} already there", done.already)
    voice.say(voice.t("{name}: {said}.", name=file.path.name, said=f"{added}, {already}"))
    return done.added, done.already


def _forget(voice: Voice, settings: Settings, before: datetime) -> int:
    from mesure.ledger import ContactTable

    gone = ContactTable(settings.server.data).forget(before)
    if gone:
        voice.say(voice.translator.n("{count} contact forgotten.", "{count} contacts forgotten.", gone))
    return gone


def _summary(file: TableFile, plan: ContactPlan, found: ContactReview, added: tuple[int, int] | None) -> dict[str, Any]:
    return {
        "file": str(file.path),
        "rows": found.rows,
        "refused": found.refused_count,
        "added": added[0] if added else 0,
        "already": added[1] if added else 0,
        "mapping": dict(plan.mapping),
        "known": dict(found.known),
        "unused_columns": list(plan.unused(file)),
        "refused_rows": [_bad(row) for row in found.refused],
    }


def _bad(row: BadRow) -> dict[str, Any]:
    return {"line": row.line, "column": row.column} | row.error.to_json()


def _tell(voice: Voice, found: ContactTotals) -> None:
    t, n = voice.t, voice.translator.n
    if not found.whole.contacts:
        voice.say(t("No contact began in this period: mesure contacts import brings them in."))
        return
    titles = [t(mark("Contacts")), t(mark("With calls")), t(mark("Calls")), t(mark("Tokens"))]
    titles += [
        t(mark("Energy per contact")),
        t(mark("CO2e per contact")),
        t(mark("Resolved")),
        t(mark("CO2e per resolved")),
    ]
    rows = [["", *titles], *(_row(voice, group) for group in found.groups)]
    if len(found.groups) > 1:
        rows.append(_row(voice, found.whole, t(mark("All"))))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        voice.say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if found.unknown_calls:
        voice.say(
            n(
                "{count} call carries the id of a contact nobody imported.",
                "{count} calls carry the id of a contact nobody imported.",
                found.unknown_calls,
            )
        )
    if found.whole.outcomes < found.whole.contacts:
        share = voice.translator.percent(found.whole.outcomes_share or 0.0)
        voice.say(t("Outcomes are known of {share} of contacts; per resolved contact, only these count.", share=share))


def _row(voice: Voice, group: ContactGroup, name: str | None = None) -> list[str]:
    number = voice.translator.number
    share = group.resolved / group.outcomes if group.outcomes else None
    return [
        name or (printable(group.key, _WIDEST) if group.key else voice.t(mark("unknown"))),
        *(number(count) for count in (group.contacts, group.linked, group.calls, group.tokens)),
        _quantity(voice, group.energy_per_contact_wh),
        _quantity(voice, group.gwp_per_contact_gco2eq),
        "-" if share is None else voice.translator.percent(share),
        _quantity(voice, group.gwp_per_resolved_gco2eq),
    ]


def _quantity(voice: Voice, quantity: Quantity | None) -> str:
    return "-" if quantity is None else str(voice.translator.quantity(quantity))
