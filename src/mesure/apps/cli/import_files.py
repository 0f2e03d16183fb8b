"""`mesure import`: every file is read through before anything is written; then each row enters the ledger once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.import_jobs import Job, imported, ledger_of, reviewed
from mesure.apps.cli.import_told import report, summary, told
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.apps.cli.voice import FAILED, Voice
from mesure.errors import InvalidValue
from mesure.i18n import mark

if TYPE_CHECKING:
    from mesure.apps.cli.import_reading import Reading
    from mesure.ledger import Ledger

__all__ = ["command"]


class _Pairs(click.ParamType[tuple[str, str]]):
    """field=value"""

    name = "field=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        field, mark, rest = str(value).partition("=")
        if not (field and mark and rest):
            self.fail(f"{value!r}", param, ctx)
        return field, rest


@click.command(
    cls=Command,
    name="import",
    help=mark(
        "Bring usage files into the ledger: CSV, JSON, Parquet or metrics, plain or gzip. Exports of known providers "
        "and tools are recognised; in other tables, columns with well-known names are found by themselves. A row that "
        "cannot be read is named with its line and reason, and then nothing is imported unless --skip-bad. The same "
        "content enters once, however often it is imported; of a file that grew, only the new rows."
    ),
)
@click.argument("files", nargs=-1, metavar="FILE...")
@data_option
@config_option
@click.option(
    "--as",
    "export",
    metavar="NAME",
    help=mark("Whose export it is, when its columns do not tell: a name of docs/imports.md, or table for none."),
)
@click.option(
    "--map", "mapping", type=_Pairs(), multiple=True, metavar="FIELD=COLUMN", help=mark("Column that holds a field.")
)
@click.option(
    "--set", "constants", type=_Pairs(), multiple=True, metavar="FIELD=VALUE", help=mark("Value for every row.")
)
@click.option(
    "--cycle", "cycles", type=_Pairs(), multiple=True, metavar="FIELD=A,B,C", help=mark("Values for the rows in turn.")
)
@click.option(
    "--timezone", metavar="ZONE", help=mark("Time zone of times without an offset; the organisation's if left out.")
)
@click.option(
    "--decimal", type=click.Choice(["point", "comma"]), help=mark("How numbers are written; point when left out.")
)
@click.option(
    "--dates",
    type=click.Choice(["iso", "french", "unix", "unix-ms"]),
    help=mark("How times are written: 2026-11-22 08:30, 22/11/2026 08:30, seconds or milliseconds since 1970."),
)
@click.option(
    "--delimiter", metavar="CHARACTER", help=mark("What separates cells; found from the header when left out.")
)
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "windows-1252"]),
    help=mark("How letters are written: windows-1252 for a CSV saved by Excel in French."),
)
@click.option(
    "--guess", is_flag=True, help=mark("Take columns that are likely and that nothing contests, and say which.")
)
@click.option("--save", metavar="NAME", help=mark("Write how the file is read into mesure.toml, under [imports.NAME]."))
@click.option("--using", metavar="NAME", help=mark("Read as was saved under [imports.NAME]."))
@click.option(
    "--watch",
    metavar="DIR",
    help=mark("Keep importing what arrives or grows in a folder, each content once; nothing in it is moved."),
)
@click.option(
    "--settle",
    type=click.FloatRange(min=0),
    default=5.0,
    metavar="S",
    show_default=True,
    help=mark("Seconds a watched file must stay unchanged before it is read."),
)
@click.option("--every", type=click.FloatRange(min=0.01), default=2.0, hidden=True, help=mark("Seconds between looks."))
@click.option("--passes", type=click.IntRange(min=1), hidden=True, help=mark("Looks at the folder before the end."))
@click.option("--replace", is_flag=True, help=mark("Take out what this file brought before, and import it again."))
@click.option("--skip-bad", is_flag=True, help=mark("Import the other rows when some are refused."))
@click.option("--batch", type=click.IntRange(min=1), default=10_000, hidden=True, help=mark("Rows per commit."))
@click.option(
    "--dry-run", "--preview", "dry_run", is_flag=True, help=mark("Say what would be imported, write nothing.")
)
@spoken_options
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...], **options: Any) -> None:
    from mesure.apps.cli.import_reading import Reading
    from mesure.config import load_settings

    voice: Voice = ctx.obj
    if bool(files) == bool(options["watch"]):
        raise InvalidValue(
            "Name files to import, or a folder to watch, one of the two",
            action="See mesure import --help.",
            code="usage",
        )
    if options["watch"] and (options["dry_run"] or options["replace"] or options["save"]):
        raise InvalidValue(
            "A watched folder is imported as it comes: it takes no --dry-run, --replace or --save",
            action="Use them on a file of it, without --watch.",
            code="usage",
        )
    settings = load_settings(options["config"], flags={"server.data": options["data"]})
    reading, ledger = Reading.of(voice, settings, options), ledger_of(settings)
    if options["watch"]:
        _watch(voice, reading, ledger, options)
    elif _refused(voice, files, reading, ledger, options):
        ctx.exit(FAILED)


def _refused(voice: Voice, files: tuple[str, ...], reading: Reading, ledger: Ledger, options: dict[str, Any]) -> bool:
    """Whether rows were refused, so that nothing was imported."""
    jobs: list[Job] = []
    for path in files:
        jobs.append(reviewed(voice, path, reading, ledger, before=jobs, replace=options["replace"]))
    refused = any(job.review.refused_count for job in jobs) and not options["skip_bad"]
    report(voice, jobs, preview=options["dry_run"])
    if options["save"]:
        _save(voice, options, reading, jobs[0])
    results = [] if options["dry_run"] or refused else [imported(voice, job, ledger, options["batch"]) for job in jobs]
    for job, result in zip(jobs, results, strict=False):
        voice.say(told(voice, job.file.path.name, result))
    paired = [(job, results[index] if results else None) for index, job in enumerate(jobs)]
    voice.emit({"dry_run": options["dry_run"], "files": [summary(*pair) for pair in paired]})
    if refused and not options["dry_run"]:
        voice.note(voice.t("Nothing was imported. Correct these rows, or import the others with --skip-bad."))
    return refused


def _save(voice: Voice, options: dict[str, Any], reading: Reading, job: Job) -> None:
    from mesure.apps.cli.import_saved import save

    path, name = Path(options["config"] or "mesure.toml"), options["save"]
    if save(path, name, reading.saved(job.file, job.plan)):
        voice.note(voice.t("Saved: read such a file again with --using {name}.", name=name))


def _watch(voice: Voice, reading: Reading, ledger: Ledger, options: dict[str, Any]) -> None:
    from mesure.apps.cli.import_watch import Watch

    folder = Path(options["watch"])
    watch = Watch(
        voice,
        folder,
        reading,
        ledger,
        settle_s=options["settle"],
        skip_bad=options["skip_bad"],
        batch=options["batch"],
    )
    voice.note(voice.t("Watching {folder}. Ctrl-C stops it.", folder=folder))
    watch.run(options["every"], options["passes"])
