"""Imports: rows of a file into the table, each once, whatever is killed and however often it is run.

An import is known by the content of its file and the settings it was read with. A transaction of the table,
`import:<content>:<settings>`, holds how many rows of the file are done; rows carry `<content>:<line>` as their origin.
A file that grew begins with a content that is known: its first rows keep that identity, and only the others enter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from mesure.errors import LedgerError
from mesure.ledger.table import StaleBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mesure.ledger.table import Ledger
    from mesure.record import UsageEvent

__all__ = ["ImportResult", "KnownImport", "import_events", "known_imports", "remove_imports"]

_APP = "import:"
#: Exports say when a call began in their own way: a day off, as of its end, in a time zone that is not stated.
_MARGIN_S = 26 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportResult:
    """Rows brought by this run, and rows that were in the table before it; `merged`, of those brought, are calls that
    were counted already and now hold what the file tells of them too."""

    added: int
    already: int
    merged: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImport:
    """An import the table has seen: `done` rows of the file, 0 once it was removed."""

    import_id: str
    done: int

    @property
    def content(self) -> str:
        """Digest of the file's content: what the origin of its rows begins with."""
        return self.import_id.partition(":")[0]


def known_imports(ledger: Ledger) -> tuple[KnownImport, ...]:
    """Every import of the table, those that were removed too. Raises `LedgerError` when it cannot be read."""
    found = ledger.transactions(_APP)
    return tuple(KnownImport(import_id=app_id.removeprefix(_APP), done=done) for app_id, done in found.items())


def remove_imports(ledger: Ledger, imports: Iterable[KnownImport]) -> int:
    """Take the rows of these imports out of the table, in one commit; how many went. To be imported again."""
    gone = tuple(imports)
    if not gone:
        return 0
    contents = sorted({found.content for found in gone})
    return ledger.remove([f"{content}:" for content in contents], {_APP + found.import_id: 0 for found in gone})


def import_events(
    ledger: Ledger,
    import_id: str,
    events: Iterable[UsageEvent],
    *,
    start: int = 0,
    batch: int = 10_000,
    progress: Callable[[int], None] | None = None,
) -> ImportResult:
    """Write `events` once under `import_id` (digest of the content, a colon, that of the settings), a commit per
    `batch` rows.

    `start`: rows of the file before the first event, which are another import's. The order of `events` must be the
    same on every run: how many rows of the file are done is all that is kept. `progress` gets the number of rows
    handled so far. Raises `LedgerError` when the table cannot be written; a rerun goes on from there.
    """
    app_id = f"{_APP}{import_id}"
    recorded = ledger.transaction_version(app_id)
    seen, added, merged = start, 0, 0
    remaining = iter(events)
    while rows := list(islice(remaining, batch)):
        first, seen = seen, seen + len(rows)
        while (done := max(recorded, first)) < seen:
            fresh = rows[done - first :]
            try:
                written = ledger.append(fresh, {app_id: seen}, after={app_id: recorded}, margin_s=_MARGIN_S)
            except StaleBatch:  # the same import runs elsewhere and was first
                recorded = _further(ledger.transaction_version(app_id), recorded, import_id)
            else:
                added, merged, recorded = added + len(fresh), merged + written.merged, seen
        if progress is not None:
            progress(seen - start)
    return ImportResult(added=added, already=seen - start - added, merged=merged)


def _further(recorded: int, before: int, import_id: str) -> int:
    if recorded < before:
        raise LedgerError(
            "This import was removed from the ledger while it ran",
            value=import_id,
            action="Import the file again.",
        )
    return recorded
