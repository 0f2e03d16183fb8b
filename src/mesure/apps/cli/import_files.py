"""`mesure import`: every file is read through before anything is written; then each row enters the ledger once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mesure.apps.cli.group import Command
from mesure.apps.cli.options import config_option, data_option, spoken_options
from mesure.apps.cli.voice import FAILED, Voice, printable
from mesure.errors import ImportRefused
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from mesure.config import Settings
    from mesure.ledger import KnownImport, Ledger
    from mesure.meter.imports import BadRow, Conventions, ImportPlan, Review, TableFile

__all__ = ["command"]

#: Rows shown by --dry-run.
_PREVIEWED = 3


class _Job(NamedTuple):
    file: TableFile
    plan: ImportPlan
    review: Review
    replaced: tuple[KnownImport, ...]


class _Result(NamedTuple):
    added: int
    already: int
    removed: int


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
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
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
    "--decimal", type=click.Choice(["point", "comma"]), default="point", help=mark("How numbers are written.")
)
@click.option(
    "--dates",
    type=click.Choice(["iso", "french", "unix", "unix-ms"]),
    default="iso",
    help=mark("How times are written: 2026-11-22 08:30, 22/11/2026 08:30, seconds or milliseconds since 1970."),
)
@click.option(
    "--delimiter", metavar="CHARACTER", help=mark("What separates cells; found from the header when left out.")
)
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "windows-1252"]),
    default="utf-8",
    help=mark("How letters are written: windows-1252 for a CSV saved by Excel in French."),
)
@click.option("--replace", is_flag=True, help=mark("Take out what this file brought before, and import it again."))
@click.option("--skip-bad", is_flag=True, help=mark("Import the other rows when some are refused."))
@click.option("--batch", type=click.IntRange(min=1), default=10_000, hidden=True, help=mark("Rows per commit."))
@click.option(
    "--dry-run", "--preview", "dry_run", is_flag=True, help=mark("Say what would be imported, write nothing.")
)
@spoken_options
@click.pass_context
def command(ctx: click.Context, /, files: tuple[str, ...], **options: Any) -> None:
    from mesure.config import load_settings

    voice: Voice = ctx.obj
    settings = load_settings(options["config"], flags={"server.data": options["data"]})
    ledger = _ledger(settings)
    jobs: list[_Job] = []
    for path in files:
        jobs.append(_reviewed(voice, path, options, settings, ledger, jobs))
    bad = sum(job.review.refused_count for job in jobs)
    refused = bool(bad) and not options["skip_bad"]
    _report(voice, jobs, preview=options["dry_run"])
    results = [] if options["dry_run"] or refused else [_imported(voice, job, ledger, options["batch"]) for job in jobs]
    voice.emit({"dry_run": options["dry_run"], "files": [_summary(*pair) for pair in _paired(jobs, results)]})
    if refused:
        if not options["dry_run"]:
            voice.note(voice.t("Nothing was imported. Correct these rows, or import the others with --skip-bad."))
        ctx.exit(FAILED)


def _ledger(settings: Settings) -> Ledger:
    from pathlib import Path

    from mesure.ledger import Ledger

    return Ledger(Path(settings.server.data), settings.ledger, settings.deployments)


def _reviewed(
    voice: Voice, path: str, options: dict[str, Any], settings: Settings, ledger: Ledger, before: list[_Job]
) -> _Job:
    """`before`: files of this run, which will be in the ledger when this one comes."""
    from pathlib import Path

    from mesure.ledger import known_imports
    from mesure.meter.imports import ImportPlan, TableFile, review
    from mesure.meter.pseudonyms import Pseudonyms

    file = TableFile.open(path, delimiter=options["delimiter"], encoding=options["encoding"], export=options["export"])
    plan = ImportPlan.make(
        file,
        pseudonym=Pseudonyms(Path(settings.server.data)),
        mapping=dict(options["mapping"]),
        constants=dict(options["constants"]),
        cycles={name: values.split(",") for name, values in options["cycles"]},
        conventions=_conventions(options, settings),
    )
    known = known_imports(ledger)
    contents = {found.content for found in known} | {job.review.sha256 for job in before}
    with voice.progress(voice.t("Checking {name}", name=file.path.name), file.size) as progress:
        found = review(file, plan, known=contents, progress=progress)
    if not found.rows:
        raise ImportRefused("The file has no row below its header", value=path, action="Export it again, with rows.")
    return _Job(file, plan, found, _replaced(path, found, plan.settings(file), known, replace=options["replace"]))


def _replaced(
    path: str, found: Review, settings: str, known: Iterable[KnownImport], *, replace: bool
) -> tuple[KnownImport, ...]:
    """The earlier imports to take out. Raises `ImportRefused` when the rows are there as other settings read them."""
    contents = {part.content for part in found.parts}
    there = tuple(earlier for earlier in known if earlier.content in contents and earlier.done)
    if replace:
        return there
    if any(not earlier.import_id.endswith(f":{settings}") for earlier in there):
        raise ImportRefused(
            "Rows of this file were imported with other settings",
            value=path,
            action="Give the same options, or take those rows out and import the file again with --replace.",
            code="imported_otherwise",
        )
    return ()


def _conventions(options: dict[str, Any], settings: Settings) -> Conventions:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from mesure.errors import InvalidValue
    from mesure.meter.imports import Conventions

    name = options["timezone"] or settings.organisation.timezone
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(
            "This is not a time zone", value=name, action="Use a name such as Europe/Paris.", code="usage"
        ) from None
    return Conventions(timezone=zone, decimal=options["decimal"], dates=options["dates"])


def _imported(voice: Voice, job: _Job, ledger: Ledger, batch: int) -> _Result:
    from itertools import islice

    from mesure.ledger import import_events, known_imports, remove_imports
    from mesure.meter.imports import read_events

    removed = remove_imports(ledger, job.replaced) if job.replaced else 0
    added = already = start = 0
    settings = job.plan.settings(job.file)
    # Once more: another file of this run, or another program, may have brought rows since the review
    _replaced(str(job.file.path), job.review, settings, known_imports(ledger), replace=False)
    with voice.progress(voice.t("Importing {name}", name=job.file.path.name), job.file.size) as progress:
        events = read_events(job.file, job.plan, job.review, progress=progress)
        for part in job.review.parts:
            rows = islice(events, part.accepted - start)
            done = import_events(ledger, f"{part.content}:{settings}", rows, start=start, batch=batch)
            added, already, start = added + done.added, already + done.already, part.accepted
    result = _Result(added, already, removed)
    voice.say(_told(voice, job.file.path.name, result))
    return result


def _told(voice: Voice, name: str, result: _Result) -> str:
    n = voice.translator.n
    said = [
        n("{count} row added", "{count} rows added", result.added),
        n("{count} already there", "{count} already there", result.already),
    ]
    if result.removed:
        said.insert(0, n("{count} row taken out", "{count} rows taken out", result.removed))
    return voice.t("{name}: {said}.", name=name, said=", ".join(said))


def _report(voice: Voice, jobs: list[_Job], *, preview: bool) -> None:
    for job in jobs:
        if preview:
            _preview(voice, job)
        elif unused := job.plan.unused(job.file):
            left = voice.t("Left aside: {columns}", columns=", ".join(map(_short, unused)))
            voice.note(f"{job.file.path.name}: {left}")
        for line in _doubts(voice, job.review):
            voice.note(f"{job.file.path.name}: {line}")
        for row in job.review.refused:
            voice.note(_refusal(voice, job.file.path, row))
        hidden = job.review.refused_count - len(job.review.refused)
        if hidden:
            voice.note(voice.t("... and {count} other rows refused.", count=voice.translator.number(hidden)))


def _doubts(voice: Voice, found: Review) -> Iterator[str]:
    """What accepted rows lack or may have wrong."""
    n = voice.translator.n
    said = {
        "no_model": lambda count: n("{count} row without a model", "{count} rows without a model", count),
        "no_amount": lambda count: n(
            "{count} row without tokens or any other amount", "{count} rows without tokens or any other amount", count
        ),
        "long_ago": lambda count: n("{count} row before 2015", "{count} rows before 2015", count),
        "in_future": lambda count: n("{count} row in the future", "{count} rows in the future", count),
    }
    for doubt, count in sorted(found.doubts.items()):
        yield said[doubt](count)


def _refusal(voice: Voice, path: Path, row: BadRow) -> str:
    place = f"{path.name}:{row.line}" + (f" [{_short(row.column)}]" if row.column else "")
    value = "" if row.error.value is None else f" ({_short(row.error.value)})"
    what, action = voice.sentence(row.error.what), voice.sentence(row.error.action)
    return f"{place}: {what.rstrip('.')}{value}. {action.rstrip('.')}."


def _short(value: object) -> str:
    return printable(value, 60)


def _preview(voice: Voice, job: _Job) -> None:
    number = voice.translator.number
    found = job.review
    export = job.file.export
    voice.say(f"{job.file.path.name} ({job.file.format if export is None else voice.sentence(export.title)})")
    width = max(len(name) for name in (*job.plan.mapping, *job.plan.assigned))
    for name, column in job.plan.mapping.items():
        origin = job.file.shown(name, column)
        said = voice.sentence(origin) if origin.startswith("(") else origin  # words, and no name of a column
        voice.say(f"  {name:<{width}}  <- {_short(said)}")
    for name in job.plan.assigned:
        given = job.plan.constants.get(name) or ", ".join(map(str, job.plan.cycles.get(name, ())))
        voice.say(f"  {name:<{width}}  =  {_short(given)}  ({voice.t('assigned')})")
    if unused := job.plan.unused(job.file):
        voice.say("  " + voice.t("Left aside: {columns}", columns=", ".join(map(_short, unused))))
    n = voice.translator.n
    rows = n("{count} row", "{count} rows", found.rows)
    voice.say(f"  {rows}, {n('{count} refused', '{count} refused', found.refused_count)}")
    if found.first and found.last:
        voice.say(f"  {found.first.isoformat()} .. {found.last.isoformat()}")
    for name, total in found.totals.items():
        voice.say(f"  {voice.t('total')} {name}: {number(total, 0 if total == int(total) else 2)}")
    for event in _first_events(job):
        shown = {k: v for k, v in event.items() if k in {*job.plan.mapping, *job.plan.assigned}}
        voice.say("  | " + ", ".join(f"{name}={_short(value)}" for name, value in shown.items()))


def _first_events(job: _Job) -> list[dict[str, Any]]:
    from itertools import islice

    from mesure.meter.imports import read_events

    return [event.to_json() for event in islice(read_events(job.file, job.plan, job.review), _PREVIEWED)]


def _paired(jobs: list[_Job], results: list[_Result]) -> list[tuple[_Job, _Result | None]]:
    return [(job, results[index] if results else None) for index, job in enumerate(jobs)]


def _summary(job: _Job, result: _Result | None) -> dict[str, Any]:
    found = job.review
    return {
        "file": str(job.file.path),
        "export": job.file.export.name if job.file.export else None,
        "sha256": found.sha256,
        "rows": found.rows,
        "refused": found.refused_count,
        "added": result.added if result else 0,
        "already": result.already if result else 0,
        "removed": result.removed if result else 0,
        "mapping": {name: job.file.shown(name, column) for name, column in job.plan.mapping.items()},
        "assigned": list(job.plan.assigned),
        "unused_columns": list(job.plan.unused(job.file)),
        "totals": dict(found.totals),
        "doubts": dict(found.doubts),
        "first": found.first.isoformat() if found.first else None,
        "last": found.last.isoformat() if found.last else None,
        "refused_rows": [{"line": row.line, "column": row.column} | row.error.to_json() for row in found.refused],
        "preview": _first_events(job) if result is None and not found.refused_count else [],
    }
