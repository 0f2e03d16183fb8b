"""The ledger: a Delta Lake table of facts that any engine reads, written exactly once."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mesure.config import LedgerSettings
from mesure.errors import LedgerError
from mesure.ledger.database import allow_memory
from mesure.ledger.log import logged_applications
from mesure.ledger.lookup import Lookup
from mesure.ledger.once import counted_once, without
from mesure.ledger.schema import empty_table, second_of, to_table
from mesure.ledger.writing import add, alter, rewrite, said, take_out, writer_properties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deltalake import DeltaTable

    from mesure.config import DeploymentSettings
    from mesure.ledger.once import Change
    from mesure.record import UsageEvent

__all__ = ["MARGIN_S", "Ledger", "Snapshot", "StaleBatch", "StoredFile", "Written"]

#: Compaction packs files up to this size and leaves larger ones alone, so that no row is rewritten many times.
_TARGET_BYTES = 16 << 20
_ATTEMPTS = 20
_CHECKPOINT_EVERY = 50
#: How far apart two sources may say that one call began.
MARGIN_S = 3_600
#: The engine reads the first as a host's address, and the last as the start of an escaped character.
_NOT_IN_ADDRESSES = "[]%"


class StaleBatch(LedgerError):  # noqa: N818
    """Part of the batch is in the table already, written by another attempt: read `transaction_version` and retry."""

    default_code = "stale_batch"


class StoredFile(NamedTuple):
    """One Parquet file of a version of the table."""

    uri: str
    month: str
    rows: int
    size_bytes: int

    first: int | None = None  # whole seconds since 1970: no row began before, none after `last`; None if not known
    last: int | None = None

    def may_hold(self, since: int, until: int) -> bool:
        """Whether a row that began in `[since, until)` may stand in it."""
        return (self.last is None or self.last >= since) and (self.first is None or self.first < until)


class Snapshot(NamedTuple):
    """What one version of the table holds. Files never change, so results computed from one can be kept."""

    version: int
    files: tuple[StoredFile, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


class Written(NamedTuple):
    """The version that a batch made, and how many of its sightings told of a call already counted."""

    snapshot: Snapshot
    merged: int


class Ledger:
    """The table at `folder`/ledger, made on first use. Safe for threads, and for several processes."""

    def __init__(
        self,
        folder: str | Path,
        settings: LedgerSettings | None = None,
        deployments: Mapping[str, DeploymentSettings] | None = None,
    ) -> None:
        self.path = Path(folder) / "ledger"
        self.settings = settings or LedgerSettings()
        if settings is not None:
            allow_memory(settings.memory_mb)
        self.deployments = dict(deployments or {})
        self._lock = threading.RLock()
        self._opened: DeltaTable | None = None
        self._snapshot: Snapshot | None = None
        self._lookup = Lookup()

    @property
    def version(self) -> int:
        """Version of the table, as last written by anybody."""
        return self.snapshot().version

    def count(self) -> int:
        """Events in the table."""
        return self.snapshot().rows

    def files(self) -> list[str]:
        """Addresses of the Parquet files of the latest version, for any engine."""
        return [file.uri for file in self.snapshot().files]

    def transaction_version(self, app_id: str) -> int:
        """How far `app_id` (a spool segment: bytes; an import: rows) is in the table; 0 if it never wrote."""
        return self.progress([app_id])[1][app_id]

    def progress(self, app_ids: Iterable[str]) -> tuple[Snapshot, dict[str, int]]:
        """The latest version, and how far each application is in that very version."""
        with self._lock:
            self._refresh()
            return self._seen(), {app_id: self._done(app_id) for app_id in app_ids}

    def snapshot(self) -> Snapshot:
        """The latest version and its files. Raises `LedgerError` when the table cannot be read."""
        with self._lock:
            self._refresh()
            return self._seen()

    def append(
        self,
        events: Sequence[UsageEvent],
        transactions: Mapping[str, int],
        *,
        after: Mapping[str, int] | None = None,
        margin_s: int = MARGIN_S,
    ) -> Written:
        """Write the events in one commit, with what each application has then done; the version that holds them.

        A call is one row, however many sources tell of it and in whatever order: what is known of it is looked up
        among the rows that began at most `margin_s` from it, in the very snapshot committed to. `after`: what each
        application had done before this batch, compared with that snapshot too, so that a replay is refused
        (`StaleBatch`) whoever wrote first. Raises `LedgerError` if writing fails.
        """
        now = datetime.now(UTC)
        with self._lock:
            for _ in range(_ATTEMPTS):
                self._refresh()
                self._check(after or {})
                known = self._lookup.rows(self._seen().files, events, margin_s)
                change = counted_once(events, known, now)
                if self._write(change, now, transactions):
                    return Written(self._seen(), change.merged)
        raise self._contended()

    def known(self, snapshot: Snapshot, events: Sequence[UsageEvent], margin_s: int = MARGIN_S) -> list[UsageEvent]:
        """Rows of a version that may be calls of which the events tell too. Raises `LedgerError`."""
        with self._lock:
            return self._lookup.rows(snapshot.files, events, margin_s)

    def transactions(self, prefix: str) -> dict[str, int]:
        """Applications whose id begins with `prefix`, and how far each is: empty where there is no table yet."""
        with self._lock:
            if self._opened is None and not (self.path / "_delta_log").is_dir():
                return {}
            self._refresh()
            with said("read", self.path):
                found = {app_id for app_id in logged_applications(self.path) if app_id.startswith(prefix)}
            return {app_id: self._done(app_id) for app_id in sorted(found)}

    def remove(self, origins: Sequence[str], transactions: Mapping[str, int]) -> int:
        """Take out what is told by rows whose `origin` begins with one of `origins`, in one commit, with what each
        application has then done; how many went. A call that others saw too stays, as they told it. Raises
        `LedgerError` if writing fails."""
        with self._lock:
            for _ in range(_ATTEMPTS):
                self._refresh()
                if (gone := self._remove(origins, transactions)) is not None:
                    return gone
        raise self._contended()

    def change(self, where: str, *, blank: Sequence[str] = ()) -> int:
        """Delete the rows that an SQL condition names, or only forget their columns `blank`, in one commit; how many.

        The condition stays in the table's log for as long as that is kept: it must not name what is erased. Raises
        `LedgerError` if writing fails.
        """
        with self._lock:
            for _ in range(_ATTEMPTS):
                self._refresh()
                before = self._table().version()
                if (changed := alter(self._table(), self.path, where, blank)) is not None:
                    if self._table().version() > before:
                        self._hold(before + 1)
                    return changed
        raise self._contended()

    def compact(self) -> int:
        """Merge small files, month by month; the number of files that went. Rows and their order of writing stay."""
        table = self._fresh()
        removed = 0
        for month in self._crowded(1):
            with said("compacted", self.path):
                done = table.optimize.compact(
                    partition_filters=[("month", "=", month)],
                    target_size=_TARGET_BYTES,
                    writer_properties=writer_properties(),
                )
            removed += int(done["numFilesRemoved"]) - int(done["numFilesAdded"])
            self._hold(table.version())
        return removed

    def needs_compaction(self) -> bool:
        return bool(self._crowded(self.settings.compact_files))

    def vacuum(self, hours: int | None = None) -> int:
        """Delete files that no version of the last `hours` names (those of the settings if None); how many went.

        Only files that a commit took out: never those that a writer is about to commit.
        """
        hours = self.settings.log_retention_hours if hours is None else hours
        with said("vacuumed", self.path):
            table = self._fresh()
            gone = table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False)
            table.cleanup_metadata()
        return len(gone)

    # --- inside the lock ---

    def _table(self) -> DeltaTable:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> DeltaTable:
        from deltalake import DeltaTable

        if unusable := next((mark for mark in _NOT_IN_ADDRESSES if mark in str(self.path.absolute())), None):
            raise LedgerError(
                f"The path of the data folder holds a character that no table can have in its address: {unusable}",
                value=str(self.path),
                action="Choose another data folder.",
                code="folder_unusable",
            )
        with said("opened", self.path):
            if not DeltaTable.is_deltatable(str(self.path)):
                self._create()
            return DeltaTable(str(self.path))

    def _create(self) -> None:
        """A new table. Two processes may try at once: the one that comes second finds it made."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError

        self.path.mkdir(parents=True, exist_ok=True)
        try:
            DeltaTable.create(
                str(self.path),
                schema=empty_table().schema,
                mode="error",
                partition_by=["month"],
                name="mesure usage events",
                configuration={
                    "delta.logRetentionDuration": f"interval {self.settings.log_retention_hours} hours",
                    "delta.checkpointInterval": str(_CHECKPOINT_EVERY),
                    "delta.dataSkippingStatsColumns": "started_at,ingested_at",
                },
            )
        except DeltaError:
            if not DeltaTable.is_deltatable(str(self.path)):
                raise

    def _fresh(self) -> DeltaTable:
        """A handle of its own for long work, so that readers and appends do not wait for it."""
        from deltalake import DeltaTable

        with self._lock:
            self._table()
        with said("opened", self.path):
            return DeltaTable(str(self.path))

    def _refresh(self) -> None:
        with said("read", self.path):
            self._table().update_incremental()

    def _done(self, app_id: str) -> int:
        return self._table().transaction_version(app_id) or 0

    def _check(self, after: Mapping[str, int]) -> None:
        for app_id, expected in after.items():
            if (done := self._done(app_id)) != expected:
                raise StaleBatch(
                    "The table already holds part of this batch",
                    value=f"{app_id}: {done}, expected {expected}",
                    action="Read how far it is and write the rest.",
                )

    def _contended(self) -> LedgerError:
        return LedgerError(
            f"Other writers were first {_ATTEMPTS} times in a row",
            value=str(self.path),
            action="Try again; if it goes on, look for a program that writes to this table without pause.",
            code="ledger_contended",
        )

    def _write(self, change: Change, now: datetime, transactions: Mapping[str, int]) -> bool:
        """One attempt on the snapshot just read; False when somebody else committed in between."""
        table = self._table()
        before = table.version()
        if change.replaced:
            done = rewrite(table, self.path, change, now, transactions) is not None
        else:
            done = add(table, self.path, to_table(change.new, now), transactions)
        if done:
            self._hold(before + 1)
        return done

    def _remove(self, origins: Sequence[str], transactions: Mapping[str, int]) -> int | None:
        """One attempt on the snapshot just read; None when somebody else committed in between."""
        table, now = self._table(), datetime.now(UTC)
        before = table.version()
        change = without(self._lookup.told_by(self._seen().files, origins), origins)
        if change.replaced:
            gone = rewrite(table, self.path, change, now, transactions, unless=origins)
        else:
            gone = take_out(table, self.path, origins, transactions)
        if gone is None:
            return None
        # Where no row matched nothing was committed: the transactions still must be
        if table.version() == before and not add(table, self.path, empty_table(), transactions):
            return None
        self._hold(before + 1)
        return gone + len(change.changed)

    def _seen(self) -> Snapshot:
        table = self._table()
        if self._snapshot is None or self._snapshot.version != table.version():
            self._snapshot = Snapshot(table.version(), _stored_files(table, self.path))
        return self._snapshot

    def _crowded(self, above: int) -> list[str]:
        """Months with more than `above` files small enough to be merged by pairs."""
        small: dict[str, int] = {}
        for file in self.snapshot().files:
            if file.size_bytes < _TARGET_BYTES // 2:
                small[file.month] = small.get(file.month, 0) + 1
        return [month for month, count in sorted(small.items()) if count > above]

    def _hold(self, version: int) -> None:
        """Ask the disk to hold a commit and its files: spool segments are deleted on the strength of it."""
        log = self.path / "_delta_log"
        commit = log / f"{version:020d}.json"
        with suppress(OSError):
            added = [orjson.loads(line).get("add") for line in commit.read_bytes().splitlines()]
            files = [self.path / action["path"] for action in added if action]
            for path in (*files, *{file.parent for file in files}, commit, log):
                _sync(path)


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _stored_files(table: DeltaTable, path: Path) -> tuple[StoredFile, ...]:
    import arro3.core as arro3

    actions: Any = arro3.Table.from_arrow(table.get_add_actions(flatten=True))
    names = ("path", "partition.month", "num_records", "size_bytes")
    read = [actions.column(name).to_pylist() for name in names]
    times = [_seconds(actions, name) for name in ("min.started_at", "max.started_at")]
    return tuple(
        StoredFile(str(path / name), month, rows, size, first, last)
        for name, month, rows, size, first, last in zip(*read, *times, strict=True)
    )


def _seconds(actions: Any, name: str) -> list[int | None]:
    """A column of times, which a table without rows does not have."""
    if name not in actions.schema.names:
        return [None] * actions.num_rows
    return [None if at is None else second_of(at) for at in actions.column(name).to_pylist()]
