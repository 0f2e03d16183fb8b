"""Imports: rows of a file into the table, each once, whatever is killed and however often it is run."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mesure.ledger.table import StaleBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mesure.ledger.table import Ledger
    from mesure.record import UsageEvent

__all__ = ["ImportResult", "import_events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """Rows written by this run, and rows that were in the table before it."""

    added: int
    already: int


def import_events(
    ledger: Ledger,
    import_id: str,
    events: Iterable[UsageEvent],
    *,
    batch: int = 10_000,
    progress: Callable[[int], None] | None = None,
) -> ImportResult:
    """Write `events` once under `import_id` (a hash of the file and its mapping), a commit per `batch` rows.

    The order of `events` must be the same on every run: how many are done is all that is kept. `progress` gets the
    number of rows handled so far. Raises `LedgerError` when the table cannot be written; a rerun goes on from there.
    """
    app_id = f"import:{import_id}"
    done = ledger.transaction_version(app_id)
    seen = added = 0
    remaining = iter(events)
    while rows := list(islice(remaining, batch)):
        start, seen = seen, seen + len(rows)
        while done < seen:
            fresh = rows[max(0, done - start) :]
            try:
                ledger.append(fresh, {app_id: seen}, after={app_id: done})
            except StaleBatch:  # the same import runs elsewhere and was first
                done = ledger.transaction_version(app_id)
            else:
                added, done = added + len(fresh), seen
        if progress is not None:
            progress(seen)
    return ImportResult(added=added, already=seen - added)
