"""`mesure doctor`: one line per thing Mesure needs, with the action where something is wrong."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, port_option, spoken_options
from mesure.apps.cli.voice import FAILED, Voice
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.checks import Finding

__all__ = ["command"]

_LEVELS = {"ok": mark("ok"), "warning": mark("warning"), "problem": mark("problem")}


@click.command(
    cls=Command,
    name="doctor",
    help=mark("Check that everything Mesure needs is there. Exit code 1 when there is a problem."),
)
@config_option
@data_option
@port_option
@spoken_options
@click.pass_context
def command(ctx: click.Context, /, config: str | None, data: str | None, port: int | None) -> None:
    from mesure.apps.cli.checks import Finding, findings
    from mesure.config import load_settings

    voice: Voice = ctx.obj
    settings = load_settings(config, flags={"server.data": data, "server.port": port})
    language = Finding("language", "ok", "{language}", values={"language": voice.language})
    found = []
    for finding in chain((language,), findings(settings)):
        found.append(finding)
        _say(voice, finding)
    problems = sum(finding.level == "problem" for finding in found)
    voice.emit({"ok": problems == 0, "findings": [_json(voice, finding) for finding in found]})
    voice.say()
    voice.say(_conclusion(voice, problems, sum(finding.level == "warning" for finding in found)))
    if problems:
        ctx.exit(FAILED)


def _conclusion(voice: Voice, problems: int, warnings: int) -> str:
    if problems:
        return voice.t("Problems: {count}.", count=problems)
    if warnings:
        return voice.translator.n("Mesure can run; {count} warning.", "Mesure can run; {count} warnings.", warnings)
    return voice.t("All is there.")


def _say(voice: Voice, finding: Finding) -> None:
    level = voice.t(_LEVELS[finding.level])
    voice.say(f"{level:<10} {finding.name:<10} {_text(voice, finding.what, finding)}")
    if finding.action:
        voice.say(f"{'':<21} -> {_text(voice, finding.action, finding)}")


def _text(voice: Voice, msgid: str, finding: Finding) -> str:
    return voice.t(msgid, **{name: _value(voice, value) for name, value in finding.values.items()})


def _value(voice: Voice, value: object) -> object:
    if isinstance(value, float):
        return voice.translator.number(value, 1)
    return voice.sentence(value) if isinstance(value, str) else value


def _json(voice: Voice, finding: Finding) -> dict[str, object]:
    return {
        "name": finding.name,
        "level": finding.level,
        "what": _text(voice, finding.what, finding),
        "action": _text(voice, finding.action, finding) if finding.action else "",
    }
