"""The spool's writing side: what makes an event acknowledged.

One segment file per process, one line per event, written without a buffer: once `record` has returned True the line is
in the operating system's hands and outlives the process. A thread asks the disk to hold it every second, which bounds
what a power cut can take. The file stays locked while its writer lives; a reader that gets the lock knows it is done.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesure.errors import LedgerError
from mesure.ledger.lines import encode_fields
from mesure.record import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.record import UsageEvent

__all__ = ["SEGMENT_SUFFIX", "Spool"]

SEGMENT_SUFFIX = ".spool"
#: A segment has this name until it is locked, so that no reader takes it for the file of a dead process.
_UNLOCKED_SUFFIX = ".opening"
_SYNC_EVERY_S = 1.0
_REOPEN_AFTER_S = 1.0
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

log = logging.getLogger("mesure")


class Spool:
    """Implements `record.FieldSink`. Safe for threads; a forked child opens a segment of its own."""

    def __init__(self, folder: str | Path, *, segment_bytes: int = 64_000_000, segment_s: float = 3600.0) -> None:
        """Open a segment in `folder` (made if absent). Raises `LedgerError` when the folder cannot be used.

        A segment is closed at `segment_bytes` or `segment_s`: what it holds leaves the disk once it is in the table.
        """
        self.folder = Path(folder)
        self.segment_bytes = segment_bytes
        self.segment_s = segment_s
        self.written = 0
        self.failed = 0
        self.last_error: str | None = None
        self._begin()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open_segment()
        except OSError as error:
            if error.errno not in _FULL:
                raise LedgerError(
                    f"The spool folder cannot be used: {error.strerror}",
                    value=str(self.folder),
                    action="Make it writable for this user, or choose another data folder.",
                    code="spool_unusable",
                ) from error
            self._note(error)

    def _begin(self) -> None:
        """The state of one process: nothing open, nobody syncing."""
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._fd = -1
        self._path = self.folder
        self._size = 0
        self._opened_at = 0.0
        self._torn = False
        self._dirty = False
        self._retired: list[int] = []
        self._reopen_at = 0.0
        self._closed = threading.Event()
        self._syncer: threading.Thread | None = None

    def record(self, event: UsageEvent) -> bool:
        """Write the event; True once it is acknowledged. Never raises: what cannot be is counted in `failed`."""
        return self.record_fields(event.to_json())

    def record_fields(self, fields: Mapping[str, Any]) -> bool:
        """The same of an event given by its fields."""
        if self._pid != os.getpid():
            self._leave_parent()
        try:
            line = encode_fields(fields)
        except (ValueError, TypeError) as error:
            with self._lock:
                return self._refuse(error)
        with self._lock:
            try:
                self._ready()
                self._write(line)
            except OSError as error:
                return self._refuse(error)
            self.written += 1
        return True

    def close(self) -> None:
        """Hold everything on disk and release the segment; an empty one is removed. Later events count as failed."""
        self._closed.set()
        if self._syncer is not None and self._pid == os.getpid():
            self._syncer.join()
        with suppress(OSError):
            self._sync()
        with self._lock:
            if self._fd >= 0:
                if self._size == 0:
                    self._path.unlink(missing_ok=True)
                os.close(self._fd)
                self._fd = -1

    def _refuse(self, error: Exception) -> bool:
        self.failed += 1
        self._note(error)
        return False

    def _note(self, error: Exception) -> None:
        """Keep the reason; log it only when it changes, a full disk says the same on every call."""
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else "the event cannot be written as JSON"
        if reason != self.last_error:
            self.last_error = reason
            log.warning("Spool: an event could not be written (%s); further ones are counted.", reason)

    def _leave_parent(self) -> None:
        """First event after a fork: the segment and its lock stay with the parent."""
        inherited = [*self._retired, self._fd]
        self._begin()
        for fd in inherited:
            if fd >= 0:
                os.close(fd)

    def _ready(self) -> None:
        """A segment is open, is ours, and has room."""
        if self._closed.is_set():
            raise OSError(errno.EBADF, "the spool is closed")
        if self._fd < 0:
            if time.monotonic() < self._reopen_at:
                raise OSError(errno.EAGAIN, self.last_error or "the segment cannot be opened")
            self._reopen_at = time.monotonic() + _REOPEN_AFTER_S
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open_segment()
        elif self._size >= self.segment_bytes:
            self._turn()

    def _turn(self) -> None:
        """Go on in another segment; the full one is synced and closed off the caller's path."""
        full = self._fd
        self._open_segment()
        self._retired.append(full)

    def _open_segment(self) -> None:
        name = new_id()
        opening = self.folder / (name + _UNLOCKED_SUFFIX)
        fd = os.open(opening, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._path = opening.rename(self.folder / (name + SEGMENT_SUFFIX))
        except OSError:
            os.close(fd)
            opening.unlink(missing_ok=True)
            raise
        self._fd, self._size, self._torn, self._dirty = fd, 0, False, True
        self._opened_at = time.monotonic()
        if self._syncer is None:
            self._syncer = threading.Thread(target=self._sync_loop, name="mesure-spool-sync", daemon=True)
            self._syncer.start()

    def _write(self, line: bytes) -> None:
        data = b"\n" + line if self._torn else line
        try:
            count = os.write(self._fd, data)
        except OSError as error:
            if error.errno not in _FULL:
                self._abandon()
            raise
        if count == len(data):
            self._size += count
            self._torn = False
            self._dirty = True
            return
        self._take_back(count)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _take_back(self, count: int) -> None:
        """Remove a line written in part; if even that fails, the next line starts after a line feed of its own."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size += count
            self._torn = True

    def _abandon(self) -> None:
        """The descriptor no longer works: let it go and try another segment on a later call."""
        with suppress(OSError):
            os.close(self._fd)
        self._fd = -1
        self._reopen_at = 0.0

    def _sync_loop(self) -> None:
        while not self._closed.wait(_SYNC_EVERY_S):
            try:
                self._turn_when_old()
                self._sync()
            except OSError as error:
                self._note(error)

    def _turn_when_old(self) -> None:
        with self._lock:
            if self._fd >= 0 and self._size and time.monotonic() - self._opened_at >= self.segment_s:
                self._turn()

    def _sync(self) -> None:
        """Ask the disk to hold what was written. Runs beside `record`: a descriptor is only closed here."""
        with self._lock:
            retired, self._retired = self._retired, []
            fd = self._fd
        for full in retired:
            with suppress(OSError):
                os.fdatasync(full)
            os.close(full)
        if not self._dirty or fd < 0:
            return
        self._dirty = False
        try:
            if os.fstat(fd).st_nlink == 0:
                self._leave_removed(fd)
                raise FileNotFoundError(errno.ENOENT, "the segment was removed while in use")
            os.fdatasync(fd)
            _sync_folder(self.folder)
        except OSError:
            self._dirty = True
            raise

    def _leave_removed(self, fd: int) -> None:
        with self._lock:
            if self._fd == fd:
                self._abandon()


def _sync_folder(folder: Path) -> None:
    """A new file is found again after a power cut only if its folder was synced too."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
