"""Options that several commands take, so that they read the same everywhere."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import click

from mesure.errors import InvalidValue
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["config_option", "data_option", "day", "host_option", "port_option", "spoken_options"]

config_option = click.option(
    "--config", metavar="FILE", help=mark("Configuration file; mesure.toml here when left out.")
)
data_option = click.option("--data", metavar="DIR", help=mark("Folder of the ledger."))
host_option = click.option("--host", metavar="ADDRESS", help=mark("Address to listen on."))
port_option = click.option(
    "--port", type=click.IntRange(0, 65535), metavar="N", help=mark("Port of the gateway and the pages.")
)


def spoken_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--json and --lang, which every command takes; both are read before the command runs."""
    for decorate in (
        click.option(
            "--lang", type=click.Choice(["fr", "en"]), expose_value=False, help=mark("Language of the messages.")
        ),
        click.option("--json", is_flag=True, expose_value=False, help=mark("Write the result as JSON.")),
    ):
        function = decorate(function)
    return function


def day(text: str) -> date:
    """A day as it is written on the command line. Raises `InvalidValue`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        action = "Write it as 2026-11-22."
        raise InvalidValue("This is not a date", value=text, action=action, code="usage") from None
