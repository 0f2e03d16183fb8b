"""`mesure explain`: the formula tree behind a figure, down to each factor's source, year and licence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.estimate import heading, show_notes
from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.apps.cli.usage import estimated, usage_options
from mesure.errors import InvalidValue, UnknownName
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.impact import Impacts
    from mesure.impact.explain import Explanation

__all__ = ["command"]


@click.command(
    cls=Command,
    name="explain",
    help=mark("Show the formula, values and sources behind an estimate of MODEL, or behind an event of the ledger."),
)
@click.argument("model", required=False)
@click.option("--event", metavar="ID", help=mark("An event of the ledger, in place of MODEL."))
@data_option
@config_option
@usage_options
@spoken_options
@click.pass_obj
def command(
    voice: Voice, /, model: str | None, event: str | None, data: str | None, config: str | None, **options: Any
) -> None:
    from mesure.impact import explain

    if (model is None) == (event is None):
        raise InvalidValue(
            "Name a model, or an event with --event, one of the two", action="See the command's --help", code="usage"
        )
    impacts = _recorded(event, config, data) if event else estimated(model or "", options)
    explanation = explain(impacts)
    voice.emit(explanation.to_json())
    if not voice.json:
        _show(voice, model or explanation.requested, impacts, explanation)


def _recorded(event_id: str, config: str | None, data: str | None) -> Impacts:
    """The impacts of an event of the ledger, under today's method and catalogue."""
    from pathlib import Path

    from mesure.config import load_settings
    from mesure.ledger import Ledger, View
    from mesure.ledger.pricing import Pricer

    settings = load_settings(config, flags={"server.data": data})
    folder = Path(settings.server.data)
    found = None
    if (folder / "ledger").is_dir():
        found = View(Ledger(folder, settings.ledger, settings.deployments), None, settings).event(event_id)
    if found is None:
        raise UnknownName(
            "The ledger holds no such event",
            value=event_id,
            action="Check the id and --data; a new call is in the ledger after some seconds",
        )
    return Pricer(settings.deployments).impacts(found)


def _show(voice: Voice, model: str, impacts: Impacts, explanation: Explanation) -> None:
    from mesure.apps.cli.tree import drawn, sources

    voice.say(heading(voice, model, impacts))
    voice.say()
    for line in drawn(voice, explanation):
        voice.say(line)
    voice.say()
    voice.say(voice.t("Sources"))
    for line in sources(voice, explanation.factors()):
        voice.say(line)
    voice.say()
    show_notes(voice, impacts)
