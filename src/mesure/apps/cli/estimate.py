"""`mesure estimate`: what one use of a model consumes, with intervals, statuses and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import spoken_options
from mesure.apps.cli.usage import estimated, usage_options
from mesure.apps.cli.voice import printable
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.impact import Impacts
    from mesure.quantity import Quantity

__all__ = ["command", "heading", "show_notes"]

#: An unlisted name may come from a call: whoever sent it chose its characters.
_LONGEST_NAME = 160


@click.command(
    cls=Command,
    name="estimate",
    help=mark(
        "Estimate what one use of MODEL consumes. What you leave out is unknown, not zero: "
        "a usual value stands for it, and the interval widens."
    ),
)
@click.argument("model")
@usage_options
@spoken_options
@click.pass_obj
def command(voice: Voice, /, model: str, **options: Any) -> None:
    impacts = estimated(model, options)
    voice.emit(impacts.to_json())
    if not voice.json:
        _show(voice, model, impacts)


def _show(voice: Voice, model: str, impacts: Impacts) -> None:
    voice.say(heading(voice, model, impacts))
    voice.say()
    rows = list(_rows(voice, impacts))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, figure, status in rows:
        voice.say(f"  {name:<{widths[0]}}  {figure:<{widths[1]}}  {status}".rstrip())
    voice.say()
    show_notes(voice, impacts)


def _rows(voice: Voice, impacts: Impacts) -> list[tuple[str, str, str]]:
    from mesure.apps.cli.words import NAMES

    rows = []
    for quantity, msgid in NAMES.items():
        rows.append((voice.t(msgid), *_figure(voice, getattr(impacts, quantity))))
        made = getattr(impacts.embodied, quantity)
        if made is not None or (getattr(impacts, quantity) is None and getattr(impacts.usage, quantity) is not None):
            for phase, words in ((impacts.usage, mark("use")), (impacts.embodied, mark("manufacture"))):
                figure, _ = _figure(voice, getattr(phase, quantity))
                rows.append((f"  {voice.t(words)}", f"  {figure}", ""))
    return rows


def _figure(voice: Voice, quantity: Quantity | None) -> tuple[str, str]:
    from mesure.apps.words import STATUSES

    if quantity is None:
        return voice.t("unknown"), ""
    return str(voice.translator.quantity(quantity)), voice.t(STATUSES[quantity.status])


def heading(voice: Voice, model: str, impacts: Impacts) -> str:
    """The model by its listed name, or as asked and said to be unlisted."""
    if impacts.known:
        return impacts.model or model
    return f"{printable(model, _LONGEST_NAME)} ({voice.t('not listed')})"


def show_notes(voice: Voice, impacts: Impacts) -> None:
    """What is assumed, the nearest names, and the versions that made the figures."""
    from mesure.apps.cli.words import warning

    for code in impacts.warnings:
        voice.say(f"- {warning(voice, code)}")
    if impacts.nearest and not impacts.known:
        voice.say(f"- {voice.t('Nearest:')} {', '.join(impacts.nearest)}")
    voice.say(
        voice.t(
            "Method {method}, catalogue {catalogue}.",
            method=impacts.method_version,
            catalogue=impacts.catalogue_version,
        )
    )
