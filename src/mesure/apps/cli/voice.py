"""How a command speaks: which language, text or JSON, and how an error is told."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.sentences import in_language

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mesure.errors import MesureError
    from mesure.i18n import Translator

__all__ = ["BUDGET_EXCEEDED", "FAILED", "USAGE", "Voice", "language_of", "printable"]

FAILED = 1
USAGE = 2
BUDGET_EXCEEDED = 3
_LONGEST_VALUE = 160


def printable(value: object, longest: int) -> str:
    """As a terminal may show it: control characters escaped, and cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value)[: longest + 1])
    return text if len(text) <= longest else text[: longest - 3] + "..."


def language_of(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    """`--lang`, else MESURE_LANG, else LANG, else the configured language."""
    environ = os.environ if environ is None else environ
    for index, argument in enumerate(arguments):
        if argument == "--lang" and index + 1 < len(arguments):
            asked = arguments[index + 1]
        elif argument.startswith("--lang="):
            asked = argument.removeprefix("--lang=")
        else:
            continue
        if asked in ("fr", "en"):
            return asked
    for variable in ("MESURE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if (short := environ.get(variable, "")[:2].lower()) in ("fr", "en"):
            return short
    return _configured()


def _configured() -> str:
    from mesure.config import load_settings
    from mesure.errors import ConfigError

    try:
        return load_settings().organisation.language
    except ConfigError:
        return "fr"


@dataclass
class Voice:
    """Speaks for one run of a command. Data goes to stdout; progress, notes and errors to stderr."""

    language: str
    json: bool = False

    @cached_property
    def translator(self) -> Translator:
        from mesure.i18n import catalog

        return catalog(self.language)

    def t(self, msgid: str, **values: object) -> str:
        return self.translator.t(msgid, **values)

    def say(self, text: str = "") -> None:
        """A line of text for a person; nothing in JSON mode."""
        if not self.json:
            click.echo(text)

    def note(self, text: str) -> None:
        """A line beside the result."""
        if not self.json:
            click.echo(text, err=True)

    @contextmanager
    def progress(self, label: str, length: int) -> Iterator[Callable[[int], None]]:
        """A progress bar, on a terminal only; what it gives is told the position reached, of `length`."""
        hidden = self.json or not sys.stderr.isatty()
        with click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden) as bar:
            yield lambda position: bar.update(position - bar.pos)

    def emit(self, data: Any, *, indent: int | None = 2) -> None:
        """The result for a program, in JSON mode only; one line a step with `indent=None`."""
        if self.json:
            click.echo(json.dumps(data, ensure_ascii=False, indent=indent, default=str))

    def sentence(self, text: str) -> str:
        """A sentence of a lower room, which speaks English, in this language."""
        return in_language(text, self.translator)

    def error(self, error: MesureError) -> None:
        """Three parts: what happened, with which value, what to do."""
        if self.json:
            click.echo(json.dumps({"error": error.to_json()}, ensure_ascii=False, indent=2), err=True)
            return
        click.echo(f"{self.t('Error:')} {self.sentence(error.what).rstrip('.')}.", err=True)
        if error.value is not None:
            click.echo(f"  {self.t('Value:')} {printable(error.value, _LONGEST_VALUE)}", err=True)
        if error.nearest:
            click.echo(f"  {self.t('Nearest:')} {', '.join(error.nearest)}", err=True)
        click.echo(f"  {self.t('What to do:')} {self.sentence(error.action).rstrip('.')}.", err=True)
