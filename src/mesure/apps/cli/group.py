"""`mesure`: finds a command, speaks the reader's language, and turns every error into three parts and an exit code."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from mesure.apps.cli.options import spoken_options
from mesure.apps.cli.voice import FAILED, USAGE, Voice, language_of
from mesure.errors import ConfigError, InvalidValue, MesureError, UnknownName, nearest_names
from mesure.i18n import mark
from mesure.version import METHOD_VERSION, __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "Command", "CommandGroup", "main"]

#: name -> (module, what it does): `mesure --help` loads none of them.
COMMANDS = {
    "up": ("mesure.apps.cli.up", mark("Start the gateway and the pages.")),
    "demo": ("mesure.apps.cli.demo", mark("Meter a contact-centre day on a real local model, live.")),
    "estimate": ("mesure.apps.cli.estimate", mark("Estimate what one use of a model consumes.")),
    "explain": ("mesure.apps.cli.explain", mark("Show the formula, values and sources behind a figure.")),
    "catalogue": (
        "mesure.apps.cli.catalogue",
        mark("Read, check, compare and extend the facts behind figures."),
    ),
    "ledger": ("mesure.apps.cli.ledger", mark("Read past traffic under other methods and catalogues.")),
    "budgets": ("mesure.apps.cli.budgets", mark("See how far budgets are, and set them.")),
    "alerts": ("mesure.apps.cli.alerts", mark("See and snooze alerts, and test who is told.")),
    "keys": ("mesure.apps.cli.keys", mark("Make, rotate and revoke the virtual keys of the gateway.")),
    "privacy": ("mesure.apps.cli.privacy", mark("Say what is held of people, and erase it.")),
    "state": ("mesure.apps.cli.state", mark("Back up and restore what Mesure keeps beside the ledger.")),
    "import": ("mesure.apps.cli.import_files", mark("Bring usage files into the ledger: exports, tables, metrics.")),
    "sensors": ("mesure.apps.cli.sensors", mark("List what reads energy on this machine, and why the rest cannot.")),
    "declare": ("mesure.apps.cli.declare", mark("Bring declared use into the ledger: seats, days, prompts a day.")),
    "contacts": ("mesure.apps.cli.contacts", mark("Bring in contacts, and show what AI took for each of them.")),
    "agent": ("mesure.apps.cli.agent", mark("Measure the deployments of this machine, without gateway or pages.")),
    "doctor": ("mesure.apps.cli.doctor", mark("Check that everything Mesure needs is there.")),
}


def _voice(ctx: click.Context) -> Voice:
    return ctx.find_object(Voice) or Voice(language_of(()))


class _Spoken(click.Command):
    """Help in the reader's language. click's own headings have no translation of their own."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=_voice(ctx).t("Usage:") + " ")

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_voice(ctx).t(" ".join((self.help or "").split())))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = [
            (record[0], _option_help(parameter, _voice(ctx)))
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx))
        ]
        with formatter.section(_voice(ctx).t("Options")):
            formatter.write_dl(records)


def _option_help(option: click.Option, voice: Voice) -> str:
    if "--help" in option.opts:  # click's own
        return voice.t("Show this message.")
    text = voice.t(option.help) if option.help else ""
    if option.show_default and option.default is not None:
        text += f" [{option.default}]"
    return text


class Command(_Spoken):
    """One command. The user's own factors, if there are any, are in use while it runs."""

    def invoke(self, ctx: click.Context) -> Any:
        from mesure.apps.cli.own_catalogue import adopt

        adopt(ctx.params.get("config"), ctx.params.get("data"))
        return super().invoke(ctx)


class CommandGroup(_Spoken, click.Group):
    """Commands in the order in which they were written, with what each does."""

    def about(self) -> dict[str, str]:
        return {name: command.help or "" for name, command in self.commands.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.about())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.about() and not args[0].startswith("-"):
            raise UnknownName(
                "There is no such command",
                value=args[0],
                nearest=nearest_names(args[0], self.about()),
                action="See mesure --help.",
                code="usage",
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        voice = _voice(ctx)
        with formatter.section(voice.t("Commands")):
            formatter.write_dl([(name, voice.t(about)) for name, about in self.about().items()])


class _Mesure(CommandGroup):
    """All commands; each is imported when it is named."""

    def about(self) -> dict[str, str]:
        return {name: about for name, (_, about) in COMMANDS.items()}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return found

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> NoReturn:
        arguments = list(sys.argv[1:] if args is None else args)
        voice = Voice(language_of(arguments), json="--json" in arguments)
        extra.pop("standalone_mode", None)
        try:
            code = super().main(arguments, prog_name or "mesure", standalone_mode=False, obj=voice, **extra)
        except (MesureError, click.ClickException) as error:
            told = error if isinstance(error, MesureError) else _usage(error)
            voice.error(told)
            code = USAGE if told.code == "usage" else FAILED
        except ModuleNotFoundError as error:
            voice.error(_not_installed(error))
            code = FAILED
        except click.Abort:
            voice.note(voice.t("Stopped."))
            code = FAILED
        except BrokenPipeError:  # the reader of a pipe closed it: nothing more to say
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = FAILED
        sys.exit(code if isinstance(code, int) else 0)


def _not_installed(error: ModuleNotFoundError) -> MesureError:
    if (error.name or "mesure").partition(".")[0] == "mesure":
        raise error
    return ConfigError(
        "This command needs a package that is not installed",
        value=error.name,
        action="Install it with: pip install 'mesure[server,local]'",
        code="not_installed",
    )


def _usage(error: click.ClickException) -> MesureError:
    """click's refusal in three parts."""
    see = "See the command's --help."
    if isinstance(error, click.NoSuchOption):
        nearest = tuple(error.possibilities or ())
        return InvalidValue(
            "There is no such option", value=error.option_name, nearest=nearest, action=see, code="usage"
        )
    if isinstance(error, click.MissingParameter):
        name = error.param.get_error_hint(error.ctx) if error.param and error.ctx else error.param_hint
        what, value = "Something is missing on the command line", str(name).replace("'", "")
        return InvalidValue(what, value=value, action=see, code="usage")
    if isinstance(error, click.BadParameter) and error.param is not None:
        return _bad_value(error, error.param)
    if isinstance(error, click.UsageError):
        return ConfigError("The command line cannot be read", value=error.format_message(), action=see, code="usage")
    return MesureError(error.format_message(), action=see)


def _bad_value(error: click.BadParameter, parameter: click.Parameter) -> MesureError:
    """click names the value in an English sentence: what is asked is said from the type instead."""
    name, kind = parameter.opts[0], parameter.type
    action = "See the command's --help."
    if isinstance(kind, click.IntRange | click.FloatRange):
        what = "whole number" if isinstance(kind, click.IntRange) else "number"
        least = "" if kind.min is None else f" above {kind.min}" if kind.min_open else f" from {kind.min}"
        most = "" if kind.max is None else f" to {kind.max}"
        action = f"Give a {what}{least}{most}."
    elif isinstance(kind, click.Choice):
        action = f"Use one of: {', '.join(map(str, kind.choices))}."
    given = re.match(r"'(.*?)' is not|(\S+) is not in the range", error.message)
    value = next((text for text in given.groups() if text is not None), "") if given else error.message
    return InvalidValue(
        "A value on the command line cannot be used", value=f"{name} {value}", action=action, code="usage"
    )


@click.group(
    cls=_Mesure,
    invoke_without_command=True,
    help=mark("What your organisation's use of AI consumes, call by call, with intervals and sources."),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(
    __version__, message=f"mesure {__version__}, method {METHOD_VERSION}", help=mark("Show the version.")
)
@spoken_options
@click.pass_context
def main(ctx: click.Context) -> None:
    """Entry point of the `mesure` command: its help when no command is named."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
