"""What leaves the ledger: links to people after their days, rows after theirs, and what somebody asks to have erased.

Facts without a link to anybody are kept: counts, and what is computed from them, stay as they were. Conditions written
to the table's log name days and event ids, never a person.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import orjson

from mesure.errors import LedgerError
from mesure.ledger.committer import Committer
from mesure.ledger.segments import find_segments
from mesure.record import LINKED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mesure.config import PrivacySettings
    from mesure.ledger.table import Ledger

__all__ = ["ERASED", "Retained", "Wanted", "caught_up", "erase", "forget_damaged", "matching", "retain"]

#: Columns forgotten when a person or a contact is erased: every link, and what an organisation may have added to it.
ERASED = (*(name for names in LINKED.values() for name in names), "key_id", "labels")
#: Event ids named in one condition.
_AT_ONCE = 2_000
_POLL_S = 0.2


class Retained(NamedTuple):
    """What one run of retention did: rows that lost their user, their contact, and rows deleted."""

    users: int
    contacts: int
    rows: int


class Wanted(NamedTuple):
    """What is to be erased: each that is given narrows it. `user` is a pseudonym."""

    user: str | None = None
    contact: str | None = None
    before: datetime | None = None


def retain(ledger: Ledger, privacy: PrivacySettings, now: datetime | None = None) -> Retained:
    """Apply the retention of the settings, to whole UTC days. Raises `LedgerError` if the table cannot be written."""
    today = (now or datetime.now(UTC)).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = ledger.change(_before(today, privacy.ledger_days)) if privacy.ledger_days else 0
    users = _blank(ledger, "privacy.user_days", today, privacy.user_days)
    contacts = _blank(ledger, "privacy.contact_days", today, privacy.contact_days)
    return Retained(users, contacts, rows)


def matching(ledger: Ledger, wanted: Wanted) -> int:
    """How many rows of the table it names."""
    return sum(1 for _ in _ids(ledger, wanted))


def erase(ledger: Ledger, wanted: Wanted, *, rows: bool = False) -> int:
    """Forget in each row whom and which contact it was for (`ERASED`), or delete it where `rows`; how many.

    Nothing is left of it in any file of the table once this returns. Raises `LedgerError`.
    """
    ids = list(_ids(ledger, wanted))
    done = sum(
        ledger.change(f"id IN ({', '.join(_quoted(text) for text in part)})", blank=() if rows else ERASED)
        for part in _parts(ids)
    )
    if done:
        ledger.vacuum(0)
    return done


def forget_damaged(folder: Path, wanted: Wanted) -> int:
    """Delete spool segments set aside as damaged that hold a trace of it; how many. Their events are in the table."""
    traces = [text.encode() for text in (wanted.user, wanted.contact) if text]
    gone = 0
    for path in folder.glob("*.damaged"):
        held = path.read_bytes()
        old = wanted.before is not None and path.stat().st_mtime < wanted.before.timestamp()
        if old or any(trace in held for trace in traces):
            path.unlink()
            gone += 1
    return gone


def caught_up(ledger: Ledger, folder: Path, wait_s: float) -> bool:
    """Bring what the spool holds now into the table: by a committer of our own, or by waiting for the one that runs."""
    committer = Committer(ledger, folder)
    try:
        committer.start()
    except LedgerError as error:
        if error.code != "committer_running":
            raise
    else:
        committer.stop()
        return True
    sizes = {path.name: size for path in find_segments(folder) if (size := path.stat().st_size)}
    until = time.monotonic() + wait_s
    while True:
        _, done = ledger.progress(sizes)
        if all(done[name] >= size or not (folder / name).exists() for name, size in sizes.items()):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)


def _blank(ledger: Ledger, setting: str, today: datetime, days: int) -> int:
    if not days:
        return 0
    filled = " OR ".join(f'"{name}" IS NOT NULL' for name in LINKED[setting])
    return ledger.change(f"{_before(today, days)} AND ({filled})", blank=LINKED[setting])


def _before(today: datetime, days: int) -> str:
    return f"started_at < {_instant(today - timedelta(days=days))}"


def _instant(at: datetime) -> str:
    return f"arrow_cast('{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z', 'Timestamp(Microsecond, Some(\"UTC\"))')"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE))


def _ids(ledger: Ledger, wanted: Wanted) -> Iterator[str]:
    """Ids of the rows named, in constant memory."""
    import duckdb

    conditions: list[str] = []
    values: list[object] = []
    for column, value in (("user", wanted.user), ("contact_id", wanted.contact)):
        if value is not None:  # in the row, or in what one of several sources told of it
            conditions.append(f'("{column}" = ? OR contains(sightings, ?))')
            values += [value, orjson.dumps({column: value}).decode()[1:-1]]
    if wanted.before is not None:
        conditions.append("started_at < ?")
        values.append(wanted.before)
    if not conditions or not (files := ledger.files()):
        return
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT id FROM read_parquet(?, union_by_name=true) WHERE {' AND '.join(conditions)}",  # noqa: S608
            [files, *values],
        )
        while part := found.fetchmany(_AT_ONCE):
            yield from (text for (text,) in part)
