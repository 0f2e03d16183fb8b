"""`mesure import`: every file is read through before anything is written; then each row enters the ledger once."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mesure.apps.cli.group import Command, spoken_options
from mesure.apps.cli.voice import FAILED, Voice
from mesure.i18n import mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mesure.config import Settings
    from mesure.ledger import ImportResult
    from mesure.meter.imports import BadRow, Conventions, ImportPlan, Review, TableFile

__all__ = ["command"]

#: Rows shown by --dry-run.
_PREVIEWED = 3


class _Job(NamedTuple):
    file: TableFile
    plan: ImportPlan
    review: Review


class _Pairs(click.ParamType[tuple[str, str]]):
    """field=value"""

    name = "field=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        field, mark, rest = str(value).partition("=")
        if not (field and mark and rest):
            self.fail(f"{value!r}", param, ctx)
        return field, rest


@click.command(
    cls=Command,
    name="import",
    help=mark(
        "Bring usage files into the ledger: CSV or JSON lines, plain or gzip. Columns with well-known names are found "
        "by themselves. A row that cannot be read is named with its line and reason, and then nothing is imported "
        "unless --skip-bad. The same content enters once, however often it is imported."
    ),
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--data", metavar="DIR", help=mark("Folder of the ledger."))
@click.option("--config", metavar="FILE", help=mark("Configuration file; mesure.toml here when left out."))
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
    jobs = [_reviewed(voice, path, options, settings) for path in files]
    bad = sum(job.review.refused_count for job in jobs)
    refused = bool(bad) and not options["skip_bad"]
    _report(voice, jobs, preview=options["dry_run"])
    results = (
        [] if options["dry_run"] or refused else [_imported(voice, job, settings, options["batch"]) for job in jobs]
    )
    voice.emit({"dry_run": options["dry_run"], "files": [_summary(*pair) for pair in _paired(jobs, results)]})
    if refused:
        if not options["dry_run"]:
            voice.note(voice.t("Nothing was imported. Correct these rows, or import the others with --skip-bad."))
        ctx.exit(FAILED)


def _reviewed(voice: Voice, path: str, options: dict[str, Any], settings: Settings) -> _Job:
    from mesure.meter.imports import ImportPlan, TableFile, review

    file = TableFile.open(path, delimiter=options["delimiter"])
    plan = ImportPlan.make(
        file,
        mapping=dict(options["mapping"]),
        constants=dict(options["constants"]),
        cycles={name: values.split(",") for name, values in options["cycles"]},
        conventions=_conventions(options, settings),
    )
    with _bar(voice, voice.t("Checking {name}", name=file.path.name), file.size) as progress:
        return _Job(file, plan, review(file, plan, progress=progress))


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


def _imported(voice: Voice, job: _Job, settings: Settings, batch: int) -> ImportResult:
    from pathlib import Path

    from mesure.ledger import Ledger, import_events
    from mesure.meter.imports import read_events

    ledger = Ledger(Path(settings.server.data), settings.ledger, settings.deployments)
    with _bar(voice, voice.t("Importing {name}", name=job.file.path.name), job.file.size) as progress:
        events = read_events(job.file, job.plan, job.review, progress=progress)
        result = import_events(ledger, job.review.sha256, events, batch=batch)
    number = voice.translator.number
    voice.say(
        voice.t(
            "{name}: {added} rows added, {already} already there.",
            name=job.file.path.name,
            added=number(result.added),
            already=number(result.already),
        )
    )
    return result


@contextmanager
def _bar(voice: Voice, label: str, size: int) -> Iterator[Callable[[int], None]]:
    """A progress bar over bytes, on a terminal only."""
    hidden = voice.json or not sys.stderr.isatty()
    with click.progressbar(length=size, label=label, file=sys.stderr, hidden=hidden) as bar:

        def reached(position: int) -> None:
            bar.update(position - bar.pos)

        yield reached


def _report(voice: Voice, jobs: list[_Job], *, preview: bool) -> None:
    for job in jobs:
        if preview:
            _preview(voice, job)
        for row in job.review.refused:
            voice.note(_refusal(voice, job.file.path, row))
        hidden = job.review.refused_count - len(job.review.refused)
        if hidden:
            voice.note(voice.t("... and {count} other rows refused.", count=voice.translator.number(hidden)))


def _refusal(voice: Voice, path: Path, row: BadRow) -> str:
    place = f"{path.name}:{row.line}" + (f" [{row.column}]" if row.column else "")
    value = "" if row.error.value is None else f" ({_short(row.error.value)})"
    what, action = voice.sentence(row.error.what), voice.sentence(row.error.action)
    return f"{place}: {what.rstrip('.')}{value}. {action.rstrip('.')}."


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _preview(voice: Voice, job: _Job) -> None:
    number = voice.translator.number
    found = job.review
    voice.say(f"{job.file.path.name} ({job.file.format})")
    width = max(len(name) for name in (*job.plan.mapping, *job.plan.assigned))
    for name, column in job.plan.mapping.items():
        voice.say(f"  {name:<{width}}  <- {column}")
    for name in job.plan.assigned:
        given = job.plan.constants.get(name) or ", ".join(map(str, job.plan.cycles.get(name, ())))
        voice.say(f"  {name:<{width}}  =  {given}  ({voice.t('assigned')})")
    if unused := job.plan.unused(job.file):
        voice.say("  " + voice.t("Left aside: {columns}", columns=", ".join(unused)))
    voice.say(
        "  " + voice.t("{rows} rows, {refused} refused", rows=number(found.rows), refused=number(found.refused_count))
    )
    if found.first and found.last:
        voice.say(f"  {found.first.isoformat()} .. {found.last.isoformat()}")
    for name, total in found.totals.items():
        voice.say(f"  {voice.t('total')} {name}: {number(total, 0 if total == int(total) else 2)}")
    for event in _first_events(job):
        shown = {k: v for k, v in event.items() if k in {*job.plan.mapping, *job.plan.assigned}}
        voice.say("  | " + ", ".join(f"{name}={value}" for name, value in shown.items()))


def _first_events(job: _Job) -> list[dict[str, Any]]:
    from itertools import islice

    from mesure.meter.imports import read_events

    return [event.to_json() for event in islice(read_events(job.file, job.plan, job.review), _PREVIEWED)]


def _paired(jobs: list[_Job], results: list[ImportResult]) -> list[tuple[_Job, ImportResult | None]]:
    return [(job, results[index] if results else None) for index, job in enumerate(jobs)]


def _summary(job: _Job, result: ImportResult | None) -> dict[str, Any]:
    found = job.review
    return {
        "file": str(job.file.path),
        "sha256": found.sha256,
        "rows": found.rows,
        "refused": found.refused_count,
        "added": result.added if result else 0,
        "already": result.already if result else 0,
        "mapping": dict(job.plan.mapping),
        "assigned": list(job.plan.assigned),
        "unused_columns": list(job.plan.unused(job.file)),
        "totals": dict(found.totals),
        "first": found.first.isoformat() if found.first else None,
        "last": found.last.isoformat() if found.last else None,
        "refused_rows": [{"line": row.line, "column": row.column} | row.error.to_json() for row in found.refused],
        "preview": _first_events(job) if result is None and not found.refused_count else [],
    }
