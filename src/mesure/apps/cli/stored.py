"""What the commands of the state share: where it is, opened for the time of a command."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.options import config_option, spoken_options
from mesure.errors import UnknownName
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesure.config import Settings
    from mesure.state import Store

__all__ = ["opened_store", "settings_given", "state_options"]


def state_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--config and --data, then what every command takes."""
    data = click.option("--data", metavar="DIR", help=mark("Data folder: it holds the state, unless a database does."))
    return config_option(data(spoken_options(function)))


def settings_given(options: dict[str, Any]) -> Settings:
    from mesure.config import load_settings

    return load_settings(options["config"], flags={"server.data": options["data"]})


@contextmanager
def opened_store(settings: Settings, *, make: bool = False) -> Iterator[Store]:
    """The configured store. Raises `UnknownName` where there is none, unless it may be made."""
    from mesure.state import open_store, sqlite_file

    file = sqlite_file(settings)
    if not (make or settings.state.url or file.exists()):
        raise UnknownName(
            "There is no state in this folder yet",
            value=str(file.parent),
            action="Check --data; mesure keys create and the server make it",
        )
    store = open_store(settings)
    try:
        yield store
    finally:
        store.close()
