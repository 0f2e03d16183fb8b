"""`mesure state`: backup and restore of what the store holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command, CommandGroup
from mesure.apps.cli.options import spoken_options
from mesure.apps.cli.stored import opened_store, settings_given, state_options
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice
    from mesure.state import Backup

__all__ = ["command"]


@click.group(cls=CommandGroup, name="state", help=mark("Back up and restore what Mesure keeps beside the ledger."))
@spoken_options
def command() -> None:
    pass


@command.command(
    "backup",
    cls=Command,
    help=mark("Write the whole state into one file, while the server runs. Keep it safe: it holds secrets."),
)
@click.argument("file", type=click.Path(path_type=Path))
@state_options
@click.pass_obj
def backup(voice: Voice, /, file: Path, **options: Any) -> None:
    from mesure.state import back_up

    with opened_store(settings_given(options)) as store:
        made = back_up(store, file)
    voice.emit(_json(made))
    rows = voice.translator.number(sum(made.rows.values()))
    voice.say(voice.t("{file} holds {rows} rows of the state. Keep it safe: it holds secrets.", file=file, rows=rows))


@command.command(
    "restore",
    cls=Command,
    help=mark("Bring a backup back, into SQLite or PostgreSQL, whichever made it: all of it, or nothing."),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help=mark("Put it in the place of what the store holds."))
@state_options
@click.pass_obj
def restore(voice: Voice, /, file: Path, replace: bool, **options: Any) -> None:
    from mesure.state import restore_state

    restored = restore_state(settings_given(options), file, replace=replace)
    voice.emit(_json(restored.backup) | {"set_aside": str(restored.set_aside) if restored.set_aside else None})
    rows = voice.translator.number(sum(restored.backup.rows.values()))
    made_at = f"{restored.backup.made_at:%Y-%m-%d %H:%M} UTC"
    voice.say(voice.t("{rows} rows are back, as they were on {when}.", rows=rows, when=made_at))
    if restored.backup.rows.get("virtual_key"):
        voice.say(voice.t("Keys revoked since then are valid again: see mesure keys list."))
    if restored.set_aside:
        voice.say(voice.t("The file that could not be used is kept: {file}", file=restored.set_aside))


def _json(backup: Backup) -> dict[str, Any]:
    return {
        "file": str(backup.file),
        "schema": backup.schema,
        "made_at": backup.made_at.isoformat(),
        "rows": backup.rows,
    }
