"""Sentences of errors raised in lower rooms, which know no languages: found again by their pattern, then translated."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.errors import MesureError
    from mesure.i18n import Translator

__all__ = ["foreseen", "in_language", "told"]

#: Patterns with values in them. A test finds the sentences that are missing here.
_WITH_VALUES = (
    mark("[{name}] must be a table"),
    mark("Write its settings under [{name}]"),
    mark("Write [{name}.<name>]"),
    mark("{name} must be one of: {names}"),
    mark("{name} must be {kind}"),
    mark("{name} must be a finite number, at least {least}"),
    mark("{name} must be a finite number, zero or more"),
    mark("{name} must be a finite number above 0"),
    mark("This Mesure reads configuration version {version}"),
    mark("The configuration file cannot be read: {reason}"),
    mark("{file} is not valid TOML: {reason}"),
    mark("providers.{name}.base_url must be an http or https address"),
    mark("providers.{name}.deployment names no [deployments] table"),
    mark("providers.{name} has no base_url"),
    mark("The key of providers.{name} holds characters that no header can carry"),
    mark("The environment variable of providers.{name}.api_key_env is not set"),
    mark("Check for a line break or a space around it"),
    mark("Set it to the provider's key, or remove api_key_env to pass the clients' own keys on"),
    mark("Add [deployments.{name}]"),
    mark("The address cannot be listened on: {reason}"),
    mark("Use one of: {names}"),
    mark("The spool folder cannot be used: {reason}"),
    mark("Other writers were first {count} times in a row"),
    mark("The ledger could not be {done}: {reason}"),
    mark("The path of the data folder holds a character that no table can have in its address: {mark}"),
    mark("Line {line} is longer than {size} bytes"),
    mark("The file cannot be read: {reason}"),
    mark("Line {line} is not text in {encoding}"),
    mark("Line {line} holds bytes that no text has"),
    mark("Say --encoding {encoding} if the file is in it, or save it as CSV UTF-8"),
    mark("Its fields are: {names}, labels.<name>"),
    mark("Give a whole number from {least} to {most}"),
    mark("Give a whole number from {least}"),
    mark("Give a number from {least} to {most}"),
    mark("Give a number from {least}"),
    mark("Give a number above {least}"),
    mark("The row has {cells} cells where the header has {columns}"),
    mark("Its columns are: {columns}"),
    mark("This text is longer than {size} characters: it is no name"),
    mark("No column is known to hold {name}"),
    mark("Name it with --map {name}=COLUMN"),
    mark("This number is written with a {mark}, and could be read in two ways"),
    mark("Say --decimal {option}, or write numbers without thousands marks"),
    mark("This time does not exist in {zone}: the clock change skipped it"),
    mark("This is not a time written as {way}"),
    mark("Correct it, or say how times are written with --dates {ways}"),
    mark("{name} has no time zone"),
    mark("{name} is not a time"),
    mark("{name} is not one Mesure knows"),
    mark("{part} is part of {whole} and cannot exceed it"),
    mark("Add {part} into {whole} before recording"),
    mark("Add {part} into {whole}"),
    mark("{name} is a share and cannot exceed 1"),
    mark("Table {name}, line {line}, column {column}: {reason}"),
    mark("not one of {names}"),
    mark("Entry {line} names no table of factors"),
    mark("Entry {line} of [[{name}]] has a column that does not exist"),
    mark("The file of your own factors cannot be read: {reason}"),
    mark("{name} does not answer: {reason}"),
    mark("The answer of {name} is not in the format that is known"),
    mark("These hours cannot be kept: {name} cannot be used"),
    mark("The file of hours {name} cannot be read, line {line}"),
    mark("File {name}, line {line}: this hour cannot be read"),
    mark("The file of hours cannot be read: {reason}"),
    mark("not {names}, in which this quantity is read"),
    mark("It is {reason}"),
    mark("zero everywhere, and a price is free only where the basis is {names}"),
)

#: Sentences that are their own msgids, and words that stand as values in others.
_PLAIN = (
    mark("Amortising a training takes a count above 0, a first and a last day, and the source of both figures"),
    mark("State the published amortisation, or leave this line out"),
    mark("The figures of this training contradict one another"),
    mark("Correct them: an implausible training is not amortised"),
    mark("The seller publishes no dense 16-bit rate of this accelerator"),
    mark("Give gpu_hours, or name another accelerator"),
    mark("The seller publishes no board power of this accelerator"),
    mark("Give power_w, the rated W of one accelerator"),
    mark("Give the parameters one token meets, and all of them"),
    mark("Nothing to compute the energy of a training from"),
    mark("Give measured_energy_kwh, or gpu_hours (or n_gpus and hours), or tokens and params_b"),
    mark("A table of the catalogue is missing"),
    mark("Add your rows to it, or replace it with --replace"),
    mark("Complete the row with its source, or leave it out"),
    mark("empty, and no number ships without it"),
    mark("not a year"),
    mark("not a day"),
    mark("not a number"),
    mark("not a finite number of zero or more"),
    mark("outside its own interval"),
    mark("Hours fetched before are kept. Try again later, or import a CSV file of hours"),
    mark("The period ends before it begins"),
    mark("Exchange them"),
    mark("This is not an address"),
    mark("Write it as https://host/path"),
    mark("This file has no hour"),
    mark("Check its columns and its lines"),
    mark("No open service gives hourly figures of this zone"),
    mark("Import a CSV file of hours instead: mesure catalogue hours import"),
    mark("There is no such service of hourly figures"),
    mark("Use one of these"),
    mark("Try again later, or import a CSV file of hours instead: mesure catalogue hours import"),
    mark("Delete it and fetch or import its hours again"),
    mark("This time has no zone"),
    mark("Give its offset, as 2026-01-15T13:00+01:00 or ...Z"),
    mark("There is no such time zone"),
    mark("Name one as Europe/Paris or UTC"),
    mark("Check the file, and try again"),
    mark("The file of hours has no such column"),
    mark("Name its columns with --time and --value"),
    mark("Write a zone as FRA or US-VA"),
    mark("Name one of these quantities"),
    mark("State it: no number is kept without it"),
    mark("Correct the value, or leave its line out"),
    mark("Write 2026-01-15T13:00Z and a number"),
    mark("Give times their offset, or say whose clocks they are with --timezone"),
    mark("Clocks skip this time in spring: check whose clocks they are"),
    mark("This is not a time"),
    mark("Write a day as 2026-01-15, or an hour with its offset as 2026-01-15T13:00+01:00"),
    mark("zero, which stands for unknown and is left out"),
    mark("below 1, the least it can be"),
    mark("above 1, the most a share can be"),
    mark("the answer is longer than 32 MB"),
    mark("Look it up with its table"),
    mark("Name packaged, current, a folder of tables with their VERSION, or a file of your own factors"),
    mark("No factor has this id"),
    mark("Reinstall Mesure"),
    mark("See docs/catalogue.md for what the file may hold"),
    mark("The catalogue lacks a constant the method needs"),
    mark("This data folder has a file of its own factors already"),
    mark("This is no edition of the catalogue"),
    mark("This is not a table of your own factors"),
    mark("This model is not in the catalogue"),
    mark("This name is known, but nobody publishes or estimates the size of its model"),
    mark("Use one of these names, or describe it with a ModelCard"),
    mark("Use the catalogue that ships with this version of Mesure"),
    mark("A provider's name is part of its path /providers/<name>/"),
    mark("A usage event has no such field"),
    mark("A user must be a pseudonym, and this looks like an address"),
    mark("A value on the command line cannot be used"),
    mark("A model cannot have more active parameters than parameters"),
    mark("Another Mesure already commits this data folder"),
    mark("Check free space, rights and disk of the folder; what is in the spool is kept and written later"),
    mark("Check its permissions"),
    mark("Check the id and --data; a new call is in the ledger after some seconds"),
    mark("Check the path given and its permissions"),
    mark("Check the path given"),
    mark("Check the path"),
    mark("Check that its files are there and readable, and that the disk has room"),
    mark("Check the two figures"),
    mark("Choose a free port"),
    mark("Choose another data folder"),
    mark("Choose another host or port"),
    mark("Correct it, or leave it out when it is unknown"),
    mark("Correct it, or leave it out when unknown"),
    mark("Correct it, or leave it out"),
    mark("Correct it, or map another column"),
    mark("Correct it"),
    mark("Correct its value"),
    mark("Correct the file at that place"),
    mark("Correct the line, or leave it out"),
    mark("Export it again, with rows"),
    mark("Export one call per line, without texts"),
    mark("Export the sheet as CSV UTF-8"),
    mark("Export the table as CSV UTF-8"),
    mark("Fetch or export it again"),
    mark("Fill it in, or leave the row out"),
    mark("Give a UTC offset, as in +00:00"),
    mark("Give a model's name"),
    mark("Give it once"),
    mark("Give the same options, or take those rows out and import the file again with --replace"),
    mark("Import the file again"),
    mark("Give the provider's address, with /v1 if it has one"),
    mark("Install it with: pip install 'mesure[server,local]'"),
    mark("Keep `default = true` on one of them"),
    mark("Make it writable for this user, or choose another data folder"),
    mark("Map a column that holds names; texts of calls are never imported"),
    mark("Measure its energy, or name an accelerator that has them"),
    mark("Mesure listens on loopback only: without accounts, anybody on the network could read and use it"),
    mark("Name a model, or an event with --event, one of the two"),
    mark("Name the time zone of the file with --timezone"),
    mark("Only one provider can serve the bare /v1/ paths"),
    mark("Quote cells that hold the delimiter"),
    mark("Remove it, or see docs/configuration.md for the settings"),
    mark("Rename one in the header line"),
    mark("Rows of this file were imported with other settings"),
    mark("Replace it with a number or a keyed hash before the import"),
    mark("Save it as UTF-8"),
    mark("Save the file again as CSV, or name its --delimiter"),
    mark("See mesure --help"),
    mark("See the command's --help"),
    mark("Something is missing on the command line"),
    mark("Start it with a header line"),
    mark("Stop what uses it, or choose another with --port"),
    mark("The command line cannot be read"),
    mark("The configuration file does not exist"),
    mark("The file has no such column"),
    mark("The file is empty, or its first line is"),
    mark("The file has no row below its header"),
    mark("The file is JSON, but not JSON lines"),
    mark("The file is in UTF-16"),
    mark("The compressed file is damaged or cut"),
    mark("The header line cannot be read"),
    mark("The model has no name"),
    mark("The ledger holds no such event"),
    mark("The port is already in use"),
    mark("The row has no time"),
    mark("The row cannot be read: it is not JSON"),
    mark("The row cannot be read: its quotes are not those of a CSV"),
    mark("The row is not a JSON object"),
    mark("The seller publishes no power, memory, bandwidth or rate for this accelerator, so it cannot be modelled"),
    mark("Check --data; a call or an import makes it"),
    mark("There is no ledger in this folder yet"),
    mark("There is no such command"),
    mark("There is no such method"),
    mark("There is no such option"),
    mark("This accelerator is not in the catalogue"),
    mark("This command needs a package that is not installed"),
    mark("This field is given twice, or without a value"),
    mark("This grid zone has no factor in the catalogue"),
    mark("This is not a date"),
    mark("This import was removed from the ledger while it ran"),
    mark("This is a workbook or an archive, not a table of text"),
    mark("This is not a file that can be read"),
    mark("This is not a number"),
    mark("This is not a time zone"),
    mark("This machine shows no energy counter of its processor (usual on a virtual machine)"),
    mark("This must be a whole number"),
    mark("This must be true or false"),
    mark("This precision is not one Mesure knows"),
    mark("This setting does not exist"),
    mark("This time lies before 1970"),
    mark("Try again; if it goes on, look for a program that writes to this table without pause"),
    mark("Two columns have the same name"),
    mark("Upgrade Mesure, or rewrite the file for this version"),
    mark("Use 127.0.0.1, and put your own authenticating proxy in front to share it"),
    mark("Use a country (France, FR or FRA) or the code of a listed grid zone"),
    mark("Use a name such as Europe/Paris"),
    mark("Use an ISO 3166-1 alpha-3 code, or a listed zone"),
    mark("Use letters, digits, dot, dash and underscore only"),
    mark("Use one of these ids"),
    mark("Use the one that runs, stop it first, or give this one another data folder"),
    mark("Write it as 2026-11-22"),
    mark("Write one JSON object per line, without a list around them"),
    mark("Write it in ISO 8601, with its offset"),
    mark("a whole number"),
    mark("a number"),
    mark("true or false"),
    mark("a text"),
    mark("a list of texts"),
    mark("comma"),
    mark("point"),
    mark("organisation.timezone is not a time zone"),
    mark("server.port must lie between 0 and 65535"),
    mark("compacted"),
    mark("vacuumed"),
    mark("opened"),
    mark("read"),
    mark("written"),
    mark("As root, let this user's group read that file (chgrp, chmod g+r) after each start of the machine"),
    mark("Check that the intel_rapl module suits this processor; energy is modelled from CPU time meanwhile"),
    mark("Give the process id of the model server while it runs"),
    mark("Nothing to do: energy is modelled from CPU time. On your own hardware, load the intel_rapl module"),
    mark("The processor has an energy counter that this user may not read"),
    mark("The processor's energy counter does not answer with a number"),
    mark("There is no such process, or its CPU time cannot be read"),
)

_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")


@lru_cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each pattern as a regular expression, the most literal first."""
    ordered = sorted(_WITH_VALUES, key=lambda text: len(re.sub(r"\{\w+\}", "", text)), reverse=True)
    return tuple((text, re.compile(_PLACEHOLDER.sub(r"(?P<\1>.+)", re.escape(text)), re.DOTALL)) for text in ordered)


def foreseen(text: str) -> bool:
    """Whether a sentence can be told in every language."""
    bare = text.rstrip(".")
    return bare in _PLAIN or any(pattern.fullmatch(bare) for _, pattern in _patterns())


def told(error: MesureError, translator: Translator) -> str:
    """An error's three parts as sentences of this language."""
    t = translator.t
    parts = [in_language(error.what, translator).rstrip(".") + "."]
    if error.value is not None:
        parts.append(f"{t('Value:')} {error.value}.")
    if error.nearest:
        parts.append(f"{t('Nearest:')} {', '.join(error.nearest)}.")
    return " ".join([*parts, in_language(error.action, translator).rstrip(".") + "."])


def in_language(text: str, translator: Translator) -> str:
    """`text` translated, its values kept; as it is when nobody foresaw it."""
    if translator.language == "en":
        return text
    bare = text.rstrip(".")
    if bare in _PLAIN:  # exact words first: "{name} must be {kind}" would take "This must be a whole number"
        return translator.t(bare)
    for msgid, pattern in _patterns():
        if found := pattern.fullmatch(bare):
            return translator.t(msgid, **{n: _value(n, value, translator) for n, value in found.groupdict().items()})
    return translator.t(bare)


#: Values that are words; the others are names and numbers, which stay as they are.
_WORDS = frozenset({"kind", "mark", "done", "reason"})


def _value(name: str, value: str, translator: Translator) -> str:
    return in_language(value, translator) if name in _WORDS else value
