"""`mesure import --watch DIR`: files that arrive or grow are brought in once each, for as long as it runs.

What was brought in is known by its content, from the ledger: a restart, after a kill or not, looks at every file again
and adds nothing twice. Nothing in the folder is moved or written.
"""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.cli.import_jobs import imported, reviewed
from mesure.apps.cli.import_told import report, summary, told
from mesure.errors import ConfigError, ImportRefused, LedgerError, MesureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mesure.apps.cli.import_jobs import Job
    from mesure.apps.cli.import_reading import Reading
    from mesure.apps.cli.voice import Voice
    from mesure.ledger import Ledger

__all__ = ["Watch"]

#: Times longer that a text whose last line has no end must stay unchanged.
_UNENDED = 6.0
#: How names of files that are being written end.
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".download", ".filepart", ".swp", "~")


class _Look(NamedTuple):
    """A file as it was seen. What does not change between two looks is complete."""

    size: int
    changed_ns: int
    inode: int


class Watch:
    """`settle_s`: how long a file must stay as it is before it is read."""

    def __init__(
        self,
        voice: Voice,
        folder: Path,
        reading: Reading,
        ledger: Ledger,
        *,
        settle_s: float,
        skip_bad: bool,
        batch: int,
    ) -> None:
        self._voice, self._folder, self._reading, self._ledger = voice, folder, reading, ledger
        self._settle_s, self._skip_bad, self._batch = settle_s, skip_bad, batch
        self._seen: dict[str, tuple[_Look, float]] = {}  # since when it has been so
        self._done: dict[str, _Look] = {}
        self._contents: dict[str, str] = {}

    def run(self, every_s: float, passes: int | None) -> None:
        """Until it is stopped, or for some passes over the folder. Raises `ConfigError` when the folder goes."""
        done = 0
        while passes is None or done < passes:
            if done:
                time.sleep(every_s)
            self.look()
            done += 1

    def look(self) -> None:
        """One pass: every complete file that is new, or that changed since it was read."""
        now, looks = time.monotonic(), dict(self._looks())
        for name in set(self._seen) - set(looks):
            del self._seen[name]
            self._done.pop(name, None)
        for name, look in sorted(looks.items()):
            known = self._seen.get(name)
            if known is None or known[0] != look:
                self._seen[name] = known = look, now
            if look.size and self._done.get(name) != look and now - known[1] >= self._wait_s(name):
                self._take(name, look)

    def _wait_s(self, name: str) -> float:
        """A last line without an end may still be written: it is given more time."""
        return self._settle_s * (1.0 if _ends(self._folder / name) else _UNENDED)

    def _looks(self) -> Iterator[tuple[str, _Look]]:
        try:
            for path in self._folder.iterdir():
                if path.name.startswith(".") or path.name.casefold().endswith(_UNFINISHED):
                    continue
                try:
                    found = path.stat()
                except OSError:  # it went in between
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield path.name, _Look(found.st_size, found.st_mtime_ns, found.st_ino)
        except OSError as error:
            raise ConfigError(
                f"The folder to watch cannot be read: {error.strerror}",
                value=str(self._folder),
                action="Check the path and its rights.",
            ) from None

    def _take(self, name: str, look: _Look) -> None:
        """The file, or why not. A refused file is not tried again before it changes; a full disk is no fault of it."""
        try:
            self._bring(name)
        except LedgerError as error:
            self._refused(name, error)
            self._seen[name] = look, time.monotonic()  # tried again after a while
            return
        except MesureError as error:
            self._refused(name, error)
        self._done[name] = look

    def _bring(self, name: str) -> None:
        voice = self._voice
        job = reviewed(voice, str(self._folder / name), self._reading, self._ledger)
        self._check_grown(name, job)
        report(voice, [job], preview=False)
        if job.review.refused_count and not self._skip_bad:
            raise ImportRefused(
                "Rows of this file are refused, and none of it was imported",
                value=name,
                action="Correct these rows, or import the others with --skip-bad.",
                code="rows_refused",
            )
        result = imported(voice, job, self._ledger, self._batch)
        self._contents[name] = job.review.sha256
        if result.added or voice.json:
            voice.say(f"{_clock()} {told(voice, name, result)}")
            voice.emit({"at": _clock()} | summary(job, result), indent=None)

    def _check_grown(self, name: str, job: Job) -> None:
        """Raises `ImportRefused` when a file that was brought in is no longer the beginning of itself."""
        before = self._contents.get(name)
        if before is not None and all(part.content != before for part in job.review.parts):
            raise ImportRefused(
                "This file was rewritten: its rows would count twice",
                value=name,
                action="Give the new file another name if its calls are new, or import it with --replace.",
                code="rewritten",
            )

    def _refused(self, name: str, error: MesureError) -> None:
        self._voice.note(f"{_clock()} {name}")
        self._voice.error(error)


def _ends(path: Path) -> bool:
    """Whether its last byte ends a line, or closes a document or an archive."""
    try:
        with path.open("rb") as file:
            if file.read(2) in (b"\x1f\x8b", b"PA"):
                return True
            file.seek(-1, 2)
            return file.read(1) in (b"\n", b"\r", b"]", b"}")
    except OSError:
        return False


def _clock() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
