"""Messages that wait to be sent, in the state store: claimed by one sender at a time, tried again later, given up.

A sender that dies between sending and noting it leaves its claim, which ends after `_CLAIM_S`: the message is sent
again, with the same identity (`Message-ID`, `Idempotency-Key`), by which the other side can tell. So each message
arrives at least once, and once where nobody dies in that moment.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mesure.record import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.state import Store, Transaction

__all__ = ["Message", "Outbox", "enqueue"]

_CLAIM_S = 120.0
#: Seconds before each further try; after the last, the message is dead.
_WAITS_S = (30.0, 120.0, 600.0, 3_600.0, 6 * 3_600.0, 24 * 3_600.0)
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One alert for one receiver. `identity` is the same each time it is sent."""

    id: str
    alert_id: str
    receiver: str
    kind: str  # "new", "again-...", "test"
    body: dict[str, Any]  # the alert
    created_at: datetime
    attempts: int
    next_at: datetime
    sent_at: datetime | None
    dead_at: datetime | None
    last_error: str | None

    @property
    def identity(self) -> str:
        return self.id

    @property
    def state(self) -> str:
        """`sent`, `dead`, or `waiting`."""
        if self.sent_at is not None:
            return "sent"
        return "dead" if self.dead_at is not None else "waiting"


def enqueue(
    transaction: Transaction, alert_id: str, receiver: str, kind: str, body: dict[str, Any], now_ms: int
) -> None:
    """Put a message in the outbox, in the transaction that writes its alert. The same one is put there once."""
    transaction.run(
        "INSERT INTO outbox (id, alert_id, receiver, kind, body, created_at_ms, next_at_ms, attempts) "
        "VALUES (:id, :alert_id, :receiver, :kind, :body, :now, :now, 0) "
        "ON CONFLICT (alert_id, receiver, kind) DO NOTHING",
        id=new_id(),
        alert_id=alert_id,
        receiver=receiver,
        kind=kind,
        body=json.dumps(body),
        now=now_ms,
    )


class Outbox:
    """Raises `StateError`. Safe for several senders at once."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def claim(self) -> Message | None:
        """The next message that is due, for this sender alone; None when there is none.

        Snoozed and resolved alerts are not told any more: what was not sent of them is dropped.
        """
        now = self._now()
        with self._store.writing() as transaction:
            _drop_untold(transaction, now)
            row = transaction.one(
                "SELECT * FROM outbox WHERE sent_at_ms IS NULL AND dead_at_ms IS NULL AND next_at_ms <= :now "
                "AND (claimed_until_ms IS NULL OR claimed_until_ms <= :now) ORDER BY next_at_ms, id LIMIT 1",
                now=now,
            )
            if row is None:
                return None
            transaction.run(
                "UPDATE outbox SET claimed_until_ms = :until, attempts = attempts + 1 WHERE id = :id",
                until=now + int(_CLAIM_S * 1000),
                id=row["id"],
            )
            return _message(row | {"attempts": row["attempts"] + 1})

    def sent(self, message: Message) -> None:
        with self._store.writing() as transaction:
            self._log(transaction, message.id, "sent")
            transaction.run(
                "UPDATE outbox SET sent_at_ms = :now, claimed_until_ms = NULL, last_error = NULL WHERE id = :id",
                now=self._now(),
                id=message.id,
            )

    def failed(self, message: Message, reason: str, *, lasting: bool = False, wait_s: float | None = None) -> None:
        """Try again later (not before `wait_s`), or never where the failure is `lasting` or was the last one."""
        now = self._now()
        over = lasting or message.attempts > len(_WAITS_S)
        wait = 0.0 if over else max(_WAITS_S[message.attempts - 1], wait_s or 0.0)
        with self._store.writing() as transaction:
            self._log(transaction, message.id, reason[:_LONGEST_ERROR])
            transaction.run(
                "UPDATE outbox SET claimed_until_ms = NULL, next_at_ms = :next, dead_at_ms = :dead, "
                "last_error = :error WHERE id = :id",
                next=now + int(wait * 1000),
                dead=now if over else None,
                error=reason[:_LONGEST_ERROR],
                id=message.id,
            )

    def retry(self) -> int:
        """Send what was given up once more; returns how many there are."""
        with self._store.writing() as transaction:
            return transaction.run(
                "UPDATE outbox SET dead_at_ms = NULL, attempts = 0, next_at_ms = :now WHERE dead_at_ms IS NOT NULL",
                now=self._now(),
            )

    def all(self, count: int = 200) -> list[Message]:
        """The newest first."""
        with self._store.reading() as transaction:
            rows = transaction.rows(
                "SELECT * FROM outbox ORDER BY created_at_ms DESC, id DESC LIMIT :count", count=count
            )
        return [_message(row) for row in rows]

    def attempts(self, message: Message) -> list[tuple[datetime, str]]:
        """Each try: when, and `sent` or why not."""
        with self._store.reading() as transaction:
            rows = transaction.rows(
                "SELECT at_ms, outcome FROM outbox_attempt WHERE message_id = :id ORDER BY at_ms, id", id=message.id
            )
        return [(_time(row["at_ms"]), row["outcome"]) for row in rows]

    def test(self, receivers: list[str], body: dict[str, Any]) -> list[str]:
        """Put a test message for each receiver; returns their ids."""
        made = new_id()
        with self._store.writing() as transaction:
            for receiver in receivers:
                enqueue(transaction, made, receiver, "test", body, self._now())
            rows = transaction.rows("SELECT id FROM outbox WHERE alert_id = :id ORDER BY id", id=made)
        return [row["id"] for row in rows]

    def forget(self, before: datetime) -> int:
        """Delete what was sent or given up before then, and its tries."""
        limit = int(before.timestamp() * 1000)
        with self._store.writing() as transaction:
            transaction.run("DELETE FROM outbox_attempt WHERE at_ms < :limit", limit=limit)
            return transaction.run(
                "DELETE FROM outbox WHERE created_at_ms < :limit "
                "AND (sent_at_ms IS NOT NULL OR dead_at_ms IS NOT NULL)",
                limit=limit,
            )

    def _log(self, transaction: Transaction, message_id: str, outcome: str) -> None:
        transaction.run(
            "INSERT INTO outbox_attempt (id, message_id, at_ms, outcome) VALUES (:id, :message_id, :now, :outcome)",
            id=new_id(),
            message_id=message_id,
            now=self._now(),
            outcome=outcome,
        )

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _drop_untold(transaction: Transaction, now: int) -> None:
    transaction.run(
        "DELETE FROM outbox WHERE sent_at_ms IS NULL AND dead_at_ms IS NULL "
        "AND (claimed_until_ms IS NULL OR claimed_until_ms <= :now) AND alert_id IN "
        "(SELECT id FROM alert WHERE resolved_at_ms IS NOT NULL OR snoozed_until_ms > :now)",
        now=now,
    )


def _message(row: dict[str, Any]) -> Message:
    return Message(
        id=row["id"],
        alert_id=row["alert_id"],
        receiver=row["receiver"],
        kind=row["kind"],
        body=json.loads(row["body"]),
        created_at=_time(row["created_at_ms"]),
        attempts=row["attempts"],
        next_at=_time(row["next_at_ms"]),
        sent_at=None if row["sent_at_ms"] is None else _time(row["sent_at_ms"]),
        dead_at=None if row["dead_at_ms"] is None else _time(row["dead_at_ms"]),
        last_error=row["last_error"],
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
