"""`mesure ledger reconcile`: what is reported and declared, beside the calls seen."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, day, spoken_options
from mesure.errors import UnknownName
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.ledger import Reconciled, ReportRow

__all__ = ["command"]


@click.command(
    "reconcile",
    cls=Command,
    help=mark("Compare what providers report and people declare with the calls that were seen; nothing is written."),
)
@click.option("--since", metavar="DATE", help=mark("From this day on; the first of this month when left out."))
@click.option("--until", metavar="DATE", help=mark("Up to this day, included; today when left out."))
@config_option
@data_option
@spoken_options
@click.pass_obj
def command(voice: Voice, /, **options: Any) -> None:
    from mesure.apps.reconciled import reconciled_json

    found = _reconciled(options)
    voice.emit(reconciled_json(found))
    _show(voice, found)


def _reconciled(options: dict[str, Any]) -> Reconciled:
    from mesure.config import load_settings
    from mesure.ledger import Ledger, View

    settings = load_settings(options["config"], flags={"server.data": options["data"]})
    folder, zone = Path(settings.server.data), ZoneInfo(settings.organisation.timezone)
    if not (folder / "ledger" / "_delta_log").is_dir():
        raise UnknownName(
            "There is no ledger in this folder yet",
            value=str(folder),
            action="Check --data; a call or an import makes it",
        )
    today = datetime.now(zone).date()
    since = day(options["since"]) if options["since"] else today.replace(day=1)
    until = (day(options["until"]) if options["until"] else today) + timedelta(days=1)
    bounds = (datetime.combine(one, time(), zone).astimezone(UTC) for one in (since, until))
    return View(Ledger(folder, settings.ledger, settings.deployments), None, settings).reconciled(*bounds)


def _show(voice: Voice, found: Reconciled) -> None:
    from mesure.apps.reconciled import reconciled_lines

    for row in found.rows:
        voice.say(_told(voice, row))
    lines = list(reconciled_lines(found, voice.translator))
    for line in lines:
        voice.say(line)
    if not found.rows and not lines:
        voice.say(voice.t("Nothing is reported or declared in this period, and every call has one source."))


def _told(voice: Voice, row: ReportRow) -> str:
    number = voice.translator.number
    counts = {
        "provider": row.provider or "-",
        "model": row.model or voice.t("all models"),
        "reported": number(row.reported_calls),
        "seen": number(row.seen_calls),
        "unseen": number(row.unseen.calls if row.unseen else 0),
    }
    if row.declared:
        return voice.t("{provider} {model}, declared: {reported} declared, {seen} seen, {unseen} not seen", **counts)
    beyond = number(row.beyond_calls)
    return voice.t(
        "{provider} {model}: {reported} reported, {seen} seen, {unseen} not seen, {beyond} seen beyond",
        **counts,
        beyond=beyond,
    )
