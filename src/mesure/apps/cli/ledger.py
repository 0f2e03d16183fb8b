"""`mesure ledger`: past traffic under other methods and editions of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.apps.cli.reconcile import command as reconcile
from mesure.errors import UnknownName
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.impact.methods import Traffic
    from mesure.ledger import Basis

__all__ = ["command"]


@click.group(cls=CommandGroup, name="ledger", help=mark("Read past traffic under other methods and catalogues."))
@spoken_options
def command() -> None:
    pass


@command.command(
    "recompute",
    cls=Command,
    help=mark(
        "Recompute past traffic under another method or edition of the catalogue; nothing is written. With --diff, "
        "the change is explained by cause, and the causes sum to it."
    ),
)
@click.option("--method", default="mesure", show_default=True, metavar="NAME", help=mark("Method to compute with."))
@click.option(
    "--catalogue",
    default="current",
    show_default=True,
    metavar="EDITION",
    help=mark("Edition to compute with: current, packaged, a folder of tables, or a file of your own factors."),
)
@click.option("--diff", is_flag=True, help=mark("Explain the change, by cause."))
@click.option(
    "--from-method",
    default="mesure",
    show_default=True,
    metavar="NAME",
    help=mark("Method the change is counted from."),
)
@click.option(
    "--from-catalogue",
    default="current",
    show_default=True,
    metavar="EDITION",
    help=mark("Edition the change is counted from."),
)
@config_option
@data_option
@spoken_options
@click.pass_obj
def recompute(voice: Voice, /, **options: Any) -> None:
    from mesure.apps.cli.recomputed import show_change, show_totals
    from mesure.ledger import explained, recomputed

    after = _basis(options["method"], options["catalogue"])
    before = _basis(options["from_method"], options["from_catalogue"])
    traffic = _traffic(voice, options)
    if not options["diff"]:
        found = recomputed(traffic, after)
        voice.emit(found.to_json())
        return show_totals(voice, found)
    change = explained(traffic, before, after)
    voice.emit(change.to_json())
    return show_change(voice, change)


command.add_command(reconcile)


@command.command(
    "compare",
    cls=Command,
    help=mark("Show past traffic under several methods, how far apart they are, and why."),
)
@click.option("--method", "methods", multiple=True, metavar="NAME", help=mark("Method to show; all when left out."))
@config_option
@data_option
@spoken_options
@click.pass_obj
def compare(voice: Voice, /, methods: tuple[str, ...], **options: Any) -> None:
    from mesure.apps.cli.recomputed import show_comparison
    from mesure.impact.methods import compare_traffic, method

    for name in methods:
        method(name)
    found = compare_traffic(_traffic(voice, options), methods or None)
    voice.emit(found.to_json())
    show_comparison(voice, found)


def _basis(method_name: str, where: str) -> Basis:
    from mesure.apps.cli.catalogue_diff import edition
    from mesure.impact.methods import method
    from mesure.ledger import Basis

    return Basis(method(method_name), edition(where))


def _traffic(voice: Voice, options: dict[str, Any]) -> Traffic:
    """The whole ledger, summed. Raises `UnknownName` where there is none."""
    from mesure.config import load_settings
    from mesure.ledger import Ledger, traffic_in

    settings = load_settings(options["config"], flags={"server.data": options["data"]})
    folder = Path(settings.server.data)
    if not (folder / "ledger" / "_delta_log").is_dir():
        raise UnknownName(
            "There is no ledger in this folder yet",
            value=str(folder),
            action="Check --data; a call or an import makes it",
        )
    ledger = Ledger(folder, settings.ledger, settings.deployments)
    with voice.progress(voice.t("Reading the ledger"), ledger.count()) as progress:
        return traffic_in(ledger, settings.deployments, progress=progress)
