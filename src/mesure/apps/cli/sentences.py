"""Sentences of errors raised in lower rooms, which know no languages: found again by their pattern, then translated."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesure.i18n import Translator

__all__ = ["in_language", "patterns"]

#: Patterns with values in them; a sentence without is its own msgid. A test finds what is missing here.
_WITH_VALUES = (
    "[{name}] must be a table",
    "Write its settings under [{name}]",
    "Write [{name}.<name>]",
    "{name} must be {kind}",
    "{name} must be a finite number, at least {least}",
    "{name} must be a finite number, zero or more",
    "{name} must be a finite number above 0",
    "This Mesure reads configuration version {version}",
    "The configuration file cannot be read: {reason}",
    "{file} is not valid TOML: {reason}",
    "providers.{name}.base_url must be an http or https address",
    "providers.{name}.deployment names no [deployments] table",
    "providers.{name} has no base_url",
    "The key of providers.{name} holds characters that no header can carry",
    "The environment variable of providers.{name}.api_key_env is not set",
    "Add [deployments.{name}]",
    "The address cannot be listened on: {reason}",
    "Table {table}, line {line}, column {column}: {reason}",
    "Use one of: {names}",
    "The spool folder cannot be used: {reason}",
    "Other writers were first {count} times in a row",
    "The ledger could not be {done}: {reason}",
    "Line {line} is longer than {size} bytes",
    "The compressed file is damaged: {reason}",
    "The file cannot be read: {reason}",
    "The header line cannot be read: {reason}",
    "The row cannot be read: {reason}",
    "The row has {cells} cells where the header has {columns}",
    "Its columns are: {columns}",
    "This text is longer than {size} characters: it is no name",
    "No column is known to hold {name}",
    "Name it with --map {name}=COLUMN",
    "This number is written with a {mark}, and could be read in two ways",
    "Say --decimal {mark}, or write numbers without thousands marks",
    "This time does not exist in {zone}: the clock change skipped it",
    "This is not a time written as {way}",
    "Correct it, or say how times are written with --dates {ways}",
    "{name} has no time zone",
    "{name} is not a time",
    "{name} is not one Mesure knows",
    "{part} is part of {whole} and cannot exceed it",
    "Add {part} into {whole} before recording",
    "A factor has no {name}",
)

_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


@lru_cache
def patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each pattern as a regular expression, the most literal first."""
    ordered = sorted(_WITH_VALUES, key=lambda text: len(re.sub(r"\{\w+\}", "", text)), reverse=True)
    return tuple((text, re.compile(_PLACEHOLDER.sub(r"(?P<\1>.+)", re.escape(text)), re.DOTALL)) for text in ordered)


def in_language(text: str, translator: Translator) -> str:
    """`text` translated, its values kept; as it is when nobody foresaw it."""
    if translator.language == "en":
        return text
    bare = text.rstrip(".")
    for msgid, pattern in patterns():
        if found := pattern.fullmatch(bare):
            return translator.t(msgid, **{name: translator.t(value) for name, value in found.groupdict().items()})
    return translator.t(bare)
