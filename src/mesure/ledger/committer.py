"""The committer: moves what the spool holds into the table, exactly once, and knows what is not there yet.

One thread follows the segments (every 0.1 s) into `recent`; another commits them (every 20 s or 10 000 events), and
compacts. Position in a segment and rows go to the table in one commit: a kill at any point leaves both or neither.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.errors import LedgerError
from mesure.ledger.counters import Counters
from mesure.ledger.folder import take_folder
from mesure.ledger.known_calls import Call, KnownCalls
from mesure.ledger.segments import Segment, find_segments
from mesure.ledger.sightings import is_report
from mesure.ledger.table import StaleBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mesure.config import LedgerSettings
    from mesure.ledger.table import Ledger, Snapshot, StoredFile
    from mesure.record import UsageEvent

    Listener = Callable[[list[UsageEvent]], None]

__all__ = ["Committer", "CommitterState"]

_POLL_S = 0.1
_FOREIGN_POLL_S = 1.0
_RETRY_S = 5.0
_VACUUM_EVERY_S = 6 * 3600.0
_READ_AT_ONCE = 2_000
#: Looking into the table for old calls takes at most a fifth of the time.
_REST = 4.0

log = logging.getLogger("mesure")


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitterState:
    """How the committer is doing; what health checks tell."""

    running: bool
    committed: int  # events written to the table since the start
    recent: int  # events seen, not yet in the table
    lag_s: float  # age of the oldest of them, since it was seen
    spool_bytes: int
    segments: int
    damaged_lines: int  # refused by their checksum, since the start
    torn_lines: int  # cut by the death of their writer: never acknowledged
    merged: int  # sightings, since the start, of calls that another sighting had brought
    ledger_version: int
    last_error: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class _Pending:
    segment: str
    end: int
    event: UsageEvent
    seen_at: float
    call: Call | None = None
    first: bool = True  # of its call: the others add nothing to a count

    @property
    def shown(self) -> UsageEvent | None:
        """The call as known so far, where it is to be counted beside the table."""
        return self.call.event if self.first and self.call is not None and self.call.into is None else None


class Committer:
    """Start it once per data folder; a second one is refused."""

    def __init__(
        self,
        ledger: Ledger,
        spool_folder: str | Path,
        settings: LedgerSettings | None = None,
        *,
        upkeep: Sequence[Callable[[], object]] = (),
        upkeep_after_s: float = 60.0,
    ) -> None:
        """`upkeep` is done every six hours beside the table's own, the first time `upkeep_after_s` after the start."""
        self.ledger = ledger
        self.folder = Path(spool_folder)
        self.settings = settings or ledger.settings
        self.counters = Counters(ledger.deployments)
        self._lock = threading.RLock()
        self._wake = threading.Condition(self._lock)
        self._listeners: list[tuple[Listener, bool]] = []
        self._pending: list[_Pending] = []
        self._segments: dict[str, Segment] = {}
        self._snapshot: Snapshot | None = None
        self._threads: list[threading.Thread] = []
        self._lock_fd = -1
        self._stopping = False
        self._calls = KnownCalls()
        self._foreign = 0  # versions of others, seen so far
        self._committed = self._damaged = self._torn = self._merged = 0
        self._errors: dict[str, str] = {}
        self._retry_at = 0.0
        self._upkeep_jobs = tuple(upkeep)
        self._upkeep_after_s = upkeep_after_s
        self._vacuum_at = 0.0

    # --- life ---

    def start(self) -> None:
        """Take the folder and begin. Raises `LedgerError` if another committer has it, or the table is unreadable."""
        self._take_folder()
        try:
            self._snapshot = self.ledger.snapshot()
            self._heed(self._snapshot.files)
            self._find_segments(new=False)
        except BaseException:
            self._release_folder()
            raise
        self._stopping = False
        self._vacuum_at = time.monotonic() + self._upkeep_after_s
        for target, name in ((self._tail_loop, "tail"), (self._commit_loop, "commit")):
            thread = threading.Thread(target=target, name=f"mesure-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Commit all that the spool holds, then let the folder go. What cannot be written stays in the spool."""
        with self._lock:
            self._stopping = True
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._lock_fd >= 0:
            self._guarded("ledger", self._drain)
            for segment in self._segments.values():
                segment.close()
            self._segments.clear()
            self._release_folder()

    def _take_folder(self) -> None:
        self._lock_fd = take_folder(self.folder)

    def _release_folder(self) -> None:
        os.close(self._lock_fd)
        self._lock_fd = -1

    # --- what others see ---

    @property
    def recent(self) -> tuple[UsageEvent, ...]:
        """Calls seen but not yet in the table, oldest first, each once and as known so far."""
        return self.consistent()[1]

    def consistent(self) -> tuple[Snapshot, tuple[UsageEvent, ...]]:
        """A version of the table and the calls that are not in it: together, each call once."""
        with self._lock:
            snapshot = self._snapshot or self.ledger.snapshot()
            return snapshot, tuple(shown for pending in self._pending if (shown := pending.shown) is not None)

    def listen(self, callback: Listener, *, backlog: bool = False) -> Callable[[], None]:
        """Call back, from the committer's thread, with calls as they are first seen; the result ends it.

        Events that were waiting in the spool before the start are left out unless `backlog`.
        """
        entry = (callback, backlog)
        with self._lock:
            self._listeners.append(entry)

        def unsubscribe() -> None:
            with self._lock, suppress(ValueError):
                self._listeners.remove(entry)

        return unsubscribe

    @property
    def merged(self) -> int:
        """Sightings, since the start, of calls that another sighting had brought: acknowledged, not counted again."""
        return self._merged

    @property
    def state(self) -> CommitterState:
        with self._lock:
            oldest = self._pending[0].seen_at if self._pending else None
            return CommitterState(
                running=bool(self._threads),
                committed=self._committed,
                recent=len(self._pending),
                lag_s=0.0 if oldest is None else max(0.0, time.monotonic() - oldest),
                spool_bytes=sum(_size(path) for path in find_segments(self.folder)),
                segments=len(self._segments),
                damaged_lines=self._damaged + sum(segment.damaged for segment in self._segments.values()),
                merged=self._merged,
                torn_lines=self._torn + sum(segment.torn for segment in self._segments.values()),
                ledger_version=self._snapshot.version if self._snapshot else -1,
                last_error=" ".join(self._errors.values()) or None,
            )

    # --- following the spool ---

    def _tail_loop(self) -> None:
        while not self._stopping:
            more = self._guarded("spool", self._tail)
            with self._wake:
                if not self._stopping and (not more or self._room() <= 0):
                    self._wake.wait(max(_POLL_S, _REST * self._calls.looking_s))

    def _guarded(self, what: str, step: Callable[[], bool]) -> bool:
        """Run one step; what goes wrong is kept for `state`, logged when it changes, and tried again."""
        try:
            done = step()
        except Exception as error:  # noqa: BLE001  (this thread must outlive anything)
            reason = str(error) if isinstance(error, LedgerError) else f"{what}: {error!r}"
            if self._errors.get(what) != reason:
                log.warning("Committer: %s", reason)
            self._errors[what] = reason
            return False
        self._errors.pop(what, None)
        return done

    def _tail(self) -> bool:
        """Read further in each segment; True when there may be more to read. Memory stays bounded."""
        self._find_segments(new=True)
        more = False
        failure: OSError | None = None
        for segment in list(self._segments.values()):
            limit = min(self._room(), _READ_AT_ONCE)
            if limit <= 0:
                more = True
                break
            try:
                more = self._follow(segment, limit) or more
            except OSError as error:  # one file that cannot be read must not hold up the others
                failure = error
        self._discard_done()
        if failure is not None:
            raise failure
        return more

    def _follow(self, segment: Segment, limit: int) -> bool:
        """Show at most `limit` further events of one segment; True when it may hold more."""
        segment.check_finished()
        bad = segment.damaged + segment.torn
        found = segment.read(limit)
        if segment.damaged + segment.torn > bad:
            log.warning("Spool: %s holds damaged or cut lines; they are counted and left out.", segment.name)
        self._see(segment, [_Pending(segment.name, end, event, time.monotonic()) for end, event in found])
        return len(found) == limit

    def _room(self) -> int:
        """How many more events may wait for a commit."""
        return 2 * self.settings.commit_events - len(self._pending)

    def _find_segments(self, *, new: bool) -> None:
        for path in find_segments(self.folder):
            if path.name not in self._segments:
                with suppress(FileNotFoundError):
                    offset = self.ledger.transaction_version(path.name)
                    segment = Segment.open(path, offset, new=new)
                    with self._lock:
                        self._segments[path.name] = segment

    def _see(self, segment: Segment, found: list[_Pending]) -> None:
        if not found:
            return
        self._count_once(found)
        everything = [pending.event for pending in found if pending.first]
        live = [pending.event for pending in found if pending.first and pending.end > segment.live_from]
        self._tell(
            self.counters.add, [event for event in live if not is_report(event)]
        )  # before pages can show them: no call on a page is missing from the metrics
        with self._wake:
            self._pending.extend(found)
            self._merged += len(found) - len(everything)
            listeners = list(self._listeners)
            if len(self._pending) >= self.settings.commit_events:
                self._wake.notify_all()
        for callback, backlog in listeners:
            if events := everything if backlog else live:
                self._tell(callback, events)

    def _count_once(self, found: list[_Pending]) -> None:
        """Say of each whether it is the first sighting of its call. Raises nothing: what was read must be kept."""
        foreign = -1
        while foreign != self._foreign:  # somebody wrote meanwhile: what was looked up may have changed
            foreign, files = self._foreign, self._snapshot.files if self._snapshot else ()
            rows = self._calls.look_up(files, [pending.event for pending in found])
        with self._lock:
            self._calls.stored_rows(rows)
            for pending in found:
                try:
                    pending.call, pending.first = self._calls.take(pending.event)
                except (TypeError, ValueError, OverflowError, AttributeError):  # fields of a wrong type
                    pending.call, pending.first = self._calls.alone(pending.event), True

    @staticmethod
    def _tell(callback: Listener, events: list[UsageEvent]) -> None:
        try:
            callback(events)
        except Exception:  # a page that fails must not stop the commits
            log.exception("Committer: a listener failed.")

    # --- writing the table ---

    def _commit_loop(self) -> None:
        foreign_at = 0.0
        while not self._stopping:
            with self._wake:
                if not self._due() and not self._stopping:
                    self._wake.wait(_FOREIGN_POLL_S)
                due = self._due()
            if due and not self._guarded("ledger", self._commit):
                self._retry_at = time.monotonic() + _RETRY_S
            if time.monotonic() >= foreign_at:
                foreign_at = time.monotonic() + _FOREIGN_POLL_S
                self._guarded("table", self._see_foreign)
                self._guarded("upkeep", self._upkeep)

    def _due(self) -> bool:
        now = time.monotonic()
        if not self._pending or self._stopping or now < self._retry_at:
            return False
        full = len(self._pending) >= self.settings.commit_events
        return full or now - self._pending[0].seen_at >= self.settings.commit_seconds

    def _commit(self) -> bool:
        """Write what is pending, in one commit with the offsets that it reaches. Raises `LedgerError`."""
        done = self._settle(*self.ledger.progress(self._waiting()))
        with self._lock:
            batch = list(self._pending)
        if not batch:
            return True
        reached = {pending.segment: pending.end for pending in batch}
        after = {name: done.get(name, 0) for name in reached}
        try:
            written = self.ledger.append([pending.event for pending in batch], reached, after=after)
        except StaleBatch:  # an attempt that seemed to fail had been written
            return False
        self._settle(written.snapshot, reached, own=1)
        return True

    def _waiting(self) -> set[str]:
        """Segments with events that are not in the table."""
        with self._lock:
            return {pending.segment for pending in self._pending}

    def _settle(self, snapshot: Snapshot, done: dict[str, int], *, own: int = 0) -> dict[str, int]:
        """Show a version, and no longer as recent what it holds: both at once, so that nothing counts twice. `own`: how
        many versions it is ahead by our own doing."""
        with self._wake:
            if self._snapshot is None or snapshot.version != self._snapshot.version + own:
                self._heed_others(snapshot)
            before = len(self._pending)
            for pending in self._pending:
                if pending.end <= done.get(pending.segment, 0) and pending.call is not None:
                    self._calls.committed(pending.call)
            self._pending = [p for p in self._pending if p.end > done.get(p.segment, 0)]
            self._committed += before - len(self._pending)
            self._snapshot = snapshot
            self._wake.notify_all()
        return done

    def _see_foreign(self) -> bool:
        """Versions written by an import, or by a compaction."""
        self._settle(*self.ledger.progress(self._waiting()))
        return True

    def _heed_others(self, snapshot: Snapshot) -> None:
        """Calls that wait here may be in what somebody else wrote; what comes is to be looked up there too."""
        seen = set(self._snapshot.files) if self._snapshot else set()
        if foreign := [file for file in snapshot.files if file not in seen]:
            self._heed(foreign)

    def _heed(self, files: Iterable[StoredFile]) -> None:
        self._foreign += 1
        held = list(files)
        self._calls.stored_rows(self._calls.rows_of_waiting(held))
        self._calls.forget_before(max((file.last or 0 for file in held), default=-1) + 1)

    def _discard_done(self) -> None:
        """Delete segments of dead writers once every event of them is in the table.

        Only where segments are read: elsewhere, one that is read to its end but not yet shown would seem done.
        """
        read = [segment for segment in self._segments.values() if segment.exhausted]
        waiting = self._waiting() if read else set()
        for segment in read:
            if segment.name not in waiting:
                with self._lock:
                    del self._segments[segment.name]
                    self._damaged += segment.damaged
                    self._torn += segment.torn
                segment.discard()

    def _upkeep(self) -> bool:
        if self.ledger.needs_compaction():
            self.ledger.compact()
            self._see_foreign()
        if time.monotonic() >= self._vacuum_at:
            self._vacuum_at = time.monotonic() + _VACUUM_EVERY_S
            for number, job in enumerate(self._upkeep_jobs):
                self._guarded(f"upkeep {number + 1}", partial(_done, job))
            self.ledger.vacuum()
        return True

    def _drain(self) -> bool:
        """Everything readable now goes to the table; used at the end, when no thread runs."""
        more = True
        while more:
            more = self._tail()
            while not self._commit():
                pass
        self._discard_done()
        return True


def _done(job: Callable[[], object]) -> bool:
    job()
    return True


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
