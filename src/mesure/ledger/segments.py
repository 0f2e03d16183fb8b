"""The spool's reading side: segments of living and dead processes, read in bounded chunks from a byte offset."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mesure.ledger.lines import MAX_LINE_BYTES, DamagedLine, decode
from mesure.ledger.spool import SEGMENT_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

    from mesure.record import UsageEvent

__all__ = ["Read", "Segment", "find_segments"]

_CHUNK_BYTES = 4 * MAX_LINE_BYTES
#: Added to the name of a segment in which something was damaged: it is kept for inspection, never read again.
_DAMAGED_SUFFIX = ".damaged"


class Read(NamedTuple):
    """An event and the offset just after its line."""

    end: int
    event: UsageEvent


@dataclass(slots=True)
class Segment:
    """One spool file, followed from `offset`. `name` is the application id of its transactions in the table."""

    path: Path
    name: str
    offset: int  # read up to here
    live_from: int  # events that start here or after were written since the reader started
    fd: int
    finished: bool = False  # its writer is gone: nothing more will come
    damaged: int = 0  # lines refused by their checksum
    torn: int = 0  # 1 when the last line was cut by its writer's end

    @classmethod
    def open(cls, path: Path, offset: int, *, new: bool) -> Segment:
        """Follow a file from `offset`. `new`: it appeared after the reader started, so all of it is live."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return cls(path, path.name, offset, 0 if new else os.fstat(fd).st_size, fd)

    @property
    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def close(self) -> None:
        os.close(self.fd)

    def check_finished(self) -> bool:
        """Whether the writer is gone; once true, what is on disk is all there will ever be."""
        if not self.finished:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return False
            self.finished = True
        return True

    def read(self, limit: int) -> list[Read]:
        """At most `limit` further events. A line in progress is left for the next time; an error changes nothing."""
        found: list[Read] = []
        offset, damaged, torn = self.offset, 0, 0
        while len(found) < limit:
            chunk = os.pread(self.fd, _CHUNK_BYTES, offset)
            taken, bad = _take_lines(chunk, offset, limit - len(found), found)
            offset, damaged = offset + taken, damaged + bad
            rest = chunk[taken:]
            if b"\n" in rest or len(found) == limit:
                continue
            if len(chunk) < _CHUNK_BYTES:
                if rest and self.finished:  # cut by the writer's end: never acknowledged, but said
                    torn, offset = 1, offset + len(rest)
                break
            if not taken:  # no line is this long: line feeds were lost
                damaged, offset = damaged + 1, offset + len(chunk)
        self.offset, self.damaged, self.torn = offset, self.damaged + damaged, self.torn + torn
        return found

    @property
    def exhausted(self) -> bool:
        return self.finished and self.offset >= self.size

    def discard(self) -> None:
        """Remove the file once every event of it is in the table; a damaged one is kept under another name."""
        with suppress(FileNotFoundError):
            if self.damaged or self.torn:
                self.path.rename(self.path.with_name(self.name + _DAMAGED_SUFFIX))
            else:
                self.path.unlink()
        self.close()


def _take_lines(chunk: bytes, offset: int, limit: int, found: list[Read]) -> tuple[int, int]:
    """Add at most `limit` events of the complete lines in `chunk`; bytes taken, and lines refused."""
    taken = damaged = 0
    wanted = len(found) + limit
    while len(found) < wanted and (end := chunk.find(b"\n", taken) + 1):
        line = chunk[taken:end]
        taken = end
        if line == b"\n":  # left by a writer that closed a line written in part
            continue
        try:
            found.append(Read(offset + taken, decode(line)))
        except DamagedLine:
            damaged += 1
    return taken, damaged


def find_segments(folder: Path) -> list[Path]:
    """Every segment, oldest first: their names sort by time."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(SEGMENT_SUFFIX)]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names)]
