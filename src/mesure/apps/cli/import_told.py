"""What `mesure import` says of a file: a preview, doubts, refusals, what was added; in words, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.apps.cli.voice import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from mesure.apps.cli.import_jobs import Job, Result
    from mesure.apps.cli.voice import Voice
    from mesure.meter.imports import BadRow, Guess, Habits, Review

__all__ = ["refusal", "report", "say_guesses", "summary", "told"]

#: Rows shown by --dry-run.
_PREVIEWED = 3


def told(voice: Voice, name: str, result: Result) -> str:
    n = voice.translator.n
    said = [
        n("{count} row added", "{count} rows added", result.added),
        n("{count} already there", "{count} already there", result.already),
    ]
    if result.removed:
        said.insert(0, n("{count} row taken out", "{count} rows taken out", result.removed))
    return voice.t("{name}: {said}.", name=name, said=", ".join(said))


def report(voice: Voice, jobs: Sequence[Job], *, preview: bool) -> None:
    for job in jobs:
        if preview:
            _preview(voice, job)
        elif unused := job.plan.unused(job.file):
            left = voice.t("Left aside: {columns}", columns=", ".join(map(_short, unused)))
            voice.note(f"{job.file.path.name}: {left}")
        for line in _doubts(voice, job.review):
            voice.note(f"{job.file.path.name}: {line}")
        for row in job.review.refused:
            voice.note(refusal(voice, job.file.path, row))
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


def refusal(voice: Voice, path: Path, row: BadRow) -> str:
    place = f"{path.name}:{row.line}" + (f" [{_short(row.column)}]" if row.column else "")
    value = "" if row.error.value is None else f" ({_short(row.error.value)})"
    what, action = voice.sentence(row.error.what), voice.sentence(row.error.action)
    return f"{place}: {what.rstrip('.')}{value}. {action.rstrip('.')}."


def _short(value: object) -> str:
    return printable(value, 60)


def _preview(voice: Voice, job: Job) -> None:
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


def _first_events(job: Job) -> list[dict[str, Any]]:
    from itertools import islice

    from mesure.meter.imports import read_events

    return [event.to_json() for event in islice(read_events(job.file, job.plan, job.review), _PREVIEWED)]


def summary(job: Job, result: Result | None) -> dict[str, Any]:
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


def say_guesses(voice: Voice, name: str, found: Iterable[Guess], habits: Habits, used: Iterable[str]) -> None:
    """Columns nobody knows, and what they probably hold; those `used` were taken at somebody's word."""
    taken, asked = set(used), []
    for guess in found:
        share = voice.translator.percent(guess.confidence)
        examples = ", ".join(map(_short, guess.examples))
        mark = "=" if guess.field in taken else "?"
        line = f"  {mark} {guess.field}  <- {_short(guess.column)}  ({share}: {examples})"
        if guess.rivals:
            line += "  " + voice.t("contested by {names}", names=", ".join(map(_short, guess.rivals)))
        voice.note(f"{name}:{line}")
        if guess.field not in taken:
            asked.append(f"--map {_quoted(f'{guess.field}={guess.column}')}")
    if habits.month_first:
        voice.note(voice.t("{name}: its dates say the month before the day; export them as 2026-11-22.", name=name))
    if asked:
        options = " ".join(asked)
        voice.note(voice.t("{name}: probably, and not used unless you say so: {options}", name=name, options=options))


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
