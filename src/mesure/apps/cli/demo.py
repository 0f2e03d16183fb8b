"""`mesure demo`: a contact-centre day against a real model, metered live."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import data_option, host_option, port_option, spoken_options
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice

__all__ = ["command"]


@click.command(
    cls=Command,
    name="demo",
    help=mark(
        "Play a contact-centre day through the gateway against a real local model, or another provider, until Ctrl-C. "
        "A second run keeps the ledger."
    ),
)
@click.option("--upstream", metavar="URL", help=mark("Use this provider in place of the local model."))
@click.option("--model", metavar="NAME", help=mark("Model to ask, with --upstream."))
@host_option
@port_option
@data_option
@click.option(
    "--pace", "pace_s", type=click.FloatRange(min=0), metavar="S", help=mark("Seconds from one call to the next.")
)
@click.option(
    "--days", type=click.IntRange(min=0), metavar="N", help=mark("How often the day is played; 0 is without end.")
)
@click.option("--zone", metavar="ZONE", help=mark("Grid zone of this machine: FRA, USA..."))
@click.option("--stop-after", is_flag=True, help=mark("Stop the server too when the day is over."))
@spoken_options
@click.pass_obj
def command(voice: Voice, /, data: str | None, **options: Any) -> None:
    from pathlib import Path

    from mesure.apps.demo import DemoOptions, Step
    from mesure.apps.demo.run import run_demo
    from mesure.meter.imports import zone_named

    given = {name: value for name, value in options.items() if value is not None}
    if "zone" in given:
        given["zone"] = zone_named(given["zone"])
    if data is not None:
        given["data"] = Path(data)

    def say(step: Step) -> None:
        voice.say(step.told(voice.translator))
        voice.emit({"step": step.code, **step.values}, indent=None)

    run_demo(DemoOptions(language=voice.language, **given), say=say)
