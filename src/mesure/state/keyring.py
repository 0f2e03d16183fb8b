"""The keys as the gateway sees them: a dict in memory, refreshed beside the calls, never read from the store by one.

When the store cannot be reached the last keys stay valid, until each one's own date. They are kept in the data folder
too (as hashes), so that a gateway restarted meanwhile still knows them.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import StateError
from mesure.state.keys import REVISION, SECRET, token_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mesure.state.store import Store, Transaction

__all__ = ["HeldKey", "KeyRing", "RingState"]

log = logging.getLogger("mesure.state")

_FILE = "keys.snapshot.json"
_FORMAT = 1
#: Nothing that time alone repairs: the server does not start on them.
_LASTING = ("state_newer", "state_edited")


@dataclass(frozen=True, slots=True)
class HeldKey:
    """What a call needs to know of a key."""

    id: str
    team: str | None
    use_case: str | None
    end_client: str | None
    expires_at_ms: int | None
    revoked: bool


class _Held(NamedTuple):
    """The keys of one moment, by hash."""

    secret: bytes
    revision: str
    keys: dict[str, HeldKey]


class RingState(NamedTuple):
    """For /healthz: `read_at` is when the store last answered, None when it has not since the start."""

    keys: int
    known: bool
    read_at: datetime | None
    error: StateError | None

    def to_json(self) -> dict[str, Any]:
        read_at = self.read_at.isoformat(timespec="seconds") if self.read_at else None
        return {
            "keys": self.keys,
            "known": self.known,
            "read_at": read_at,
            "error": self.error.to_json() if self.error else None,
        }


class KeyRing:
    """Keys in memory. `find` may be called from any thread and touches neither disk nor store.

    `open_store` is called until it succeeds; `every_s` bounds how long a new or a revoked key goes unseen while the
    store answers.
    """

    def __init__(self, folder: Path, open_store: Callable[[], Store], *, every_s: float = 2.0) -> None:
        self._file = folder / _FILE
        self._open_store = open_store
        self._every_s = every_s
        self._store: Store | None = None
        self._held: _Held | None = None
        self._read_at: datetime | None = None
        self._error: StateError | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def known(self) -> bool:
        """Whether the keys are known, from the store or from the last snapshot; False: nothing can be told of any."""
        return self._held is not None

    @property
    def state(self) -> RingState:
        held = self._held
        return RingState(len(held.keys) if held else 0, held is not None, self._read_at, self._error)

    def find(self, token: bytes) -> HeldKey | None:
        """The key of this token, also when it expired or was revoked; None when there is none."""
        held = self._held
        return None if held is None else held.keys.get(token_hash(token, held.secret))

    def start(self) -> None:
        """Read the snapshot, then the store, then go on in the background.

        A store that does not answer is no reason not to start. Raises `StateError` for one that this version cannot
        read (`state_newer`, `state_edited`), `ConfigError` for settings that lead nowhere.
        """
        self._held = self._from_file()
        self.refresh()
        if self._error is not None and self._error.code in _LASTING:
            raise self._error
        self._thread = threading.Thread(target=self._run, name="mesure-keys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(1.0)  # it may be waiting for a store that is gone
        if self._store is not None:
            self._store.close()

    def refresh(self) -> None:
        """Look at the store once. What goes wrong is in `state`, and in the log when it changes."""
        try:
            if self._store is None:
                self._store = self._open_store()
            with self._store.reading() as transaction:
                held = self._read(transaction)
        except StateError as error:
            self._failed(error)
            return
        self._answered()
        if held is not None:
            self._held = held
            self._keep(held)

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            try:
                self.refresh()
            except Exception:
                log.exception("The keys could not be refreshed")

    def _read(self, transaction: Transaction) -> _Held | None:
        """The keys of the store; None when they are those held."""
        # A file that vanished is made again by the database, empty
        there = transaction.has_table("installation")
        rows = transaction.rows("SELECT name, value FROM installation") if there else []
        noted = {row["name"]: row["value"] for row in rows}
        secret, revision = bytes.fromhex(noted.get(SECRET, "")), noted.get(REVISION, "")
        known = self._held
        if known is not None and known.keys and known.secret != secret:
            raise StateError(
                "This is not the state store that the keys in use came from",
                value=f"{len(known.keys)} keys in use",
                action=f"Restore a backup into it; if it is the right one, delete {self._file} and start again",
                code="state_other",
            )
        if known is not None and known.revision == revision:
            return None
        return _Held(
            secret,
            revision,
            {
                row["hash"]: HeldKey(
                    row["id"],
                    row["team"],
                    row["use_case"],
                    row["end_client"],
                    row["expires_at_ms"],
                    row["revoked_at_ms"] is not None,
                )
                for row in transaction.rows("SELECT * FROM virtual_key")
            },
        )

    def _failed(self, error: StateError) -> None:
        if self._error is None or self._error.code != error.code:
            log.warning("%s The keys known before stay valid.", error)
        self._error = error

    def _answered(self) -> None:
        if self._error is not None:
            log.warning("The state store answers again")
        self._error = None
        self._read_at = datetime.now(UTC)

    def _keep(self, held: _Held) -> None:
        """Write the snapshot aside, then over the last one: a reader never sees half of it."""
        data = {
            "format": _FORMAT,
            "secret": held.secret.hex(),
            "revision": held.revision,
            "keys": {key_hash: asdict(key) for key_hash, key in held.keys.items()},
        }
        aside = self._file.with_name(f".{_FILE}.{os.getpid()}.{threading.get_ident()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(aside, "w", encoding="utf-8", opener=_private) as file:
                json.dump(data, file)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self._file)
        except OSError as error:
            with suppress(OSError):
                aside.unlink()
            log.warning("The snapshot of the keys could not be written: %s", error.strerror)

    def _from_file(self) -> _Held | None:
        """The last snapshot; None where there is none that can be read."""
        try:
            data = json.loads(self._file.read_text(encoding="utf-8"))
            if data["format"] != _FORMAT:
                return None
            keys = {key_hash: HeldKey(**key) for key_hash, key in data["keys"].items()}
            return _Held(bytes.fromhex(data["secret"]), str(data["revision"]), keys)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.warning("The snapshot of the keys cannot be read (%s): the store is asked", type(error).__name__)
            return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
