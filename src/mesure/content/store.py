"""The store of prompts and answers: one SQLite file, records sealed one by one, written beside the calls.

Deleted records are overwritten with zeros (`secure_delete`), and the journal is emptied after each transaction: no file
keeps what was erased.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mesure.content.cipher import Cipher
from mesure.content.texts import answer_text, prompt_messages
from mesure.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mesure.config import ContentSettings

__all__ = ["FILE", "Call", "Content", "Kept", "Sought"]

FILE = "content.sqlite"
_MOST_WAITING = 1_000
_AT_ONCE = 100
_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
  id TEXT NOT NULL PRIMARY KEY,
  started_at_ms INTEGER NOT NULL,
  use_case TEXT NOT NULL,
  user_hash TEXT,
  contact_hash TEXT,
  sealed BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS content_by_time ON content (use_case, started_at_ms);
CREATE INDEX IF NOT EXISTS content_by_user ON content (user_hash);
CREATE INDEX IF NOT EXISTS content_by_contact ON content (contact_hash);
"""

log = logging.getLogger("mesure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One prompt and its answer. `event_id` is the call's in the ledger; `user` is a pseudonym."""

    event_id: str
    started_at: datetime
    use_case: str
    model: str | None
    messages: list[dict[str, str]]
    answer: str
    contact_id: str | None = None
    user: str | None = None


class Call(NamedTuple):
    """A call as it passed: its facts, the request's object, and the answer's bytes, decoded."""

    fields: Mapping[str, Any]
    request: Mapping[str, Any]
    answer: bytes


class Sought(NamedTuple):
    """Which records: each that is given narrows it; all of them where none is. `user` is a pseudonym."""

    use_case: str | None = None
    user: str | None = None
    contact: str | None = None
    since: datetime | None = None
    before: datetime | None = None


_ALL = Sought()


class Content:
    """The content of a data folder. Safe for threads and for several processes."""

    def __init__(
        self, folder: Path, kept: Mapping[str, ContentSettings], *, environ: Mapping[str, str] | None = None
    ) -> None:
        """`kept`: use cases and how their content is kept. Raises `ConfigError` when it cannot be encrypted."""
        self.file = folder / FILE
        self.kept = dict(kept)
        self.written = self.left_out = self.failed = 0
        self._cipher = Cipher(folder, environ)
        self._waiting: queue.Queue[Call | None] = queue.Queue(_MOST_WAITING)
        self._writer: threading.Thread | None = None
        self._lock = threading.Lock()

    # --- beside the calls ---

    def keeps(self, use_case: str | None) -> int:
        """Bytes of an answer worth keeping for this use case; 0 where nothing of it is kept."""
        given = self.kept.get(use_case) if use_case else None
        return given.largest_kb * 1000 if given else 0

    def keep(self, call: Call) -> bool:
        """Hand over a call, to be written by a thread of its own. Never waits: False when too many wait already."""
        with self._lock:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_loop, name="mesure-content", daemon=True)
                self._writer.start()
        try:
            self._waiting.put_nowait(call)
        except queue.Full:
            self.failed += 1
            return False
        return True

    def close(self) -> None:
        """Write what waits."""
        with self._lock:
            writer, self._writer = self._writer, None
        if writer is not None:
            self._waiting.put(None)
            writer.join()

    def _write_loop(self) -> None:
        while True:
            calls = [self._waiting.get()]
            while len(calls) < _AT_ONCE and not self._waiting.empty():
                calls.append(self._waiting.get())
            try:
                self.write([kept for call in calls if call is not None and (kept := self._read(call)) is not None])
            except Exception as error:  # noqa: BLE001  (this thread outlives anything; a message may hold content)
                self.failed += sum(call is not None for call in calls)
                log.warning("Content of %d calls could not be kept: %s", len(calls), type(error).__name__)
            if None in calls:
                return

    def _read(self, call: Call) -> Kept | None:
        """What is kept of a call; None where it holds no text, or too much of it."""
        fields = call.fields
        messages, answer = prompt_messages(dict(call.request)), answer_text(call.answer)
        size = sum(len(message["content"]) for message in messages) + len(answer)
        if not messages or not answer or size > self.keeps(fields["use_case"]):
            self.left_out += 1
            return None
        return Kept(
            event_id=fields["id"],
            started_at=fields["started_at"],
            use_case=fields["use_case"],
            model=fields.get("model_answered") or fields.get("model_requested"),
            messages=messages,
            answer=answer,
            contact_id=fields.get("contact_id"),
            user=fields.get("user"),
        )

    # --- the store ---

    def write(self, records: list[Kept]) -> None:
        """Raises `StateError` when they cannot be stored."""
        rows = [self._row(record) for record in records]
        with self._opened() as connection:
            connection.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?, ?, ?, ?)", rows)
        self.written += len(rows)

    def records(self, sought: Sought = _ALL) -> Iterator[Kept]:
        """What is kept, oldest first, in constant memory. Raises `StateError`, `ConfigError`."""
        if not self.file.exists():
            return
        where, values = self._condition(sought)
        with self._opened() as connection:
            for event_id, sealed in connection.execute(
                f"SELECT id, sealed FROM content WHERE {where} ORDER BY started_at_ms, id",  # noqa: S608  (our words)
                values,
            ):
                data = orjson.loads(self._cipher.open(sealed, event_id))
                yield Kept(**data | {"event_id": event_id, "started_at": datetime.fromisoformat(data["started_at"])})

    def count(self, sought: Sought = _ALL) -> int:
        """How many records. Raises `StateError`."""
        if not self.file.exists():
            return 0
        where, values = self._condition(sought)
        with self._opened() as connection:
            found = connection.execute(f"SELECT count(*) FROM content WHERE {where}", values).fetchone()  # noqa: S608
        return int(found[0])

    def oldest(self) -> datetime | None:
        """When the oldest record began. Raises `StateError`."""
        if not self.file.exists():
            return None
        with self._opened() as connection:
            (at_ms,) = connection.execute("SELECT min(started_at_ms) FROM content").fetchone()
        return None if at_ms is None else datetime.fromtimestamp(at_ms / 1000, UTC)

    def erase(self, sought: Sought) -> int:
        """Delete records; how many. No byte of them is left in any file. Raises `StateError`."""
        if not self.file.exists():
            return 0
        where, values = self._condition(sought)
        with self._opened() as connection:
            return connection.execute(f"DELETE FROM content WHERE {where}", values).rowcount  # noqa: S608

    def retain(self, now: datetime | None = None) -> int:
        """Erase what is older than its use case's days, and all of a use case that is no longer kept; how many."""
        if not self.file.exists():
            return 0
        now = now or datetime.now(UTC)
        with self._opened() as connection:
            stored = [name for (name,) in connection.execute("SELECT DISTINCT use_case FROM content")]
        limits = {name: now - timedelta(days=self.kept[name].days) if name in self.kept else None for name in stored}
        return sum(self.erase(Sought(use_case=name, before=limit)) for name, limit in limits.items())

    def _row(self, record: Kept) -> tuple[Any, ...]:
        data = {name: getattr(record, name) for name in Kept.__slots__ if name != "event_id"}
        return (
            record.event_id,
            _ms(record.started_at),
            record.use_case,
            self._cipher.hashed(f"user:{record.user}") if record.user else None,
            self._cipher.hashed(f"contact:{record.contact_id}") if record.contact_id else None,
            self._cipher.seal(orjson.dumps(data), record.event_id),
        )

    def _condition(self, sought: Sought) -> tuple[str, list[Any]]:
        given = {
            "use_case = ?": sought.use_case,
            "user_hash = ?": self._cipher.hashed(f"user:{sought.user}") if sought.user is not None else None,
            "contact_hash = ?": (
                self._cipher.hashed(f"contact:{sought.contact}") if sought.contact is not None else None
            ),
            "started_at_ms >= ?": _ms(sought.since) if sought.since else None,
            "started_at_ms < ?": _ms(sought.before) if sought.before else None,
        }
        named = {condition: value for condition, value in given.items() if value is not None}
        return " AND ".join(named) or "1", list(named.values())

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction in a connection of its own: erasure and retention come from other threads and processes."""
        try:
            if not self.file.exists():
                self.file.parent.mkdir(parents=True, exist_ok=True)
                os.close(os.open(self.file, os.O_CREAT | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(self.file, timeout=30.0)) as connection:
                connection.execute("PRAGMA secure_delete = ON")
                connection.execute("PRAGMA journal_mode = TRUNCATE")
                connection.executescript(_SCHEMA)
                with connection:
                    yield connection
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else type(error).__name__
            raise StateError(
                f"The content store cannot be used: {reason}",
                value=str(self.file),
                action="Check free space, rights and disk of the data folder",
                code="content_unusable",
            ) from None


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
