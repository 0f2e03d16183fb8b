"""One file of `mesure import`: read through under a plan, then brought in, each row once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import ImportRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.apps.cli.import_reading import Reading
    from mesure.apps.cli.voice import Voice
    from mesure.config import Settings
    from mesure.ledger import KnownImport, Ledger
    from mesure.meter.imports import ImportPlan, Review, TableFile

__all__ = ["Job", "Result", "imported", "ledger_of", "reviewed"]


class Job(NamedTuple):
    file: TableFile
    plan: ImportPlan
    review: Review
    replaced: tuple[KnownImport, ...]


class Result(NamedTuple):
    added: int
    already: int
    removed: int


def ledger_of(settings: Settings) -> Ledger:
    from pathlib import Path

    from mesure.ledger import Ledger

    return Ledger(Path(settings.server.data), settings.ledger, settings.deployments)


def reviewed(
    voice: Voice, path: str, reading: Reading, ledger: Ledger, *, before: Iterable[Job] = (), replace: bool = False
) -> Job:
    """`before`: files of this run, which will be in the ledger when this one comes. Raises `ImportRefused`."""
    from mesure.ledger import known_imports
    from mesure.meter.imports import review

    file, plan = reading.planned(path)
    known = known_imports(ledger)
    contents = {found.content for found in known} | {job.review.sha256 for job in before}
    with voice.progress(voice.t("Checking {name}", name=file.path.name), file.size) as progress:
        found = review(file, plan, known=contents, progress=progress)
    if not found.rows:
        raise ImportRefused("The file has no row below its header", value=path, action="Export it again, with rows.")
    return Job(file, plan, found, _replaced(path, found, plan.settings(file), known, replace=replace))


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


def imported(voice: Voice, job: Job, ledger: Ledger, batch: int) -> Result:
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
    return Result(added, already, removed)
