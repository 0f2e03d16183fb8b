"""The book of alerts: each thing told once in its period, snoozed by whoever reads it, resolved when it is over.

An alert and its messages are written in one transaction: none is lost, none is sent for an alert that is not there.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mesure.errors import UnknownName
from mesure.policy.outbox import enqueue
from mesure.policy.rules import SEVERITIES, Alert
from mesure.record import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from mesure.config import ReceiverSettings
    from mesure.state import Store, Transaction

__all__ = ["AlertBook", "KeptAlert", "wanted_by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAlert:
    """An alert and what became of it."""

    id: str
    alert: Alert
    opened_at: datetime
    seen_at: datetime
    resolved_at: datetime | None
    snoozed_until: datetime | None

    def state(self, now: datetime) -> str:
        """`open`, `snoozed` or `resolved`."""
        if self.resolved_at is not None:
            return "resolved"
        return "snoozed" if self.snoozed_until is not None and self.snoozed_until > now else "open"


def wanted_by(receiver: ReceiverSettings, alert: Alert) -> bool:
    """Whether a receiver is told of an alert: its severity, and its team where the receiver has one."""
    enough = SEVERITIES.index(alert.severity) >= SEVERITIES.index(receiver.least)
    return enough and (not receiver.team or alert.scope.get("team") == receiver.team)


class AlertBook:
    """Raises `StateError`."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def record(
        self, alerts: Iterable[Alert], evaluated: Collection[str], receivers: dict[str, ReceiverSettings]
    ) -> list[KeptAlert]:
        """Write down what holds now; what is of an `evaluated` code and holds no longer is resolved.

        Returns those that are new. Each is put in the outbox for the receivers that want it.
        """
        now = self._now()
        by_key = {alert.key: alert for alert in alerts}
        with self._store.writing() as transaction:
            opened = [
                found
                for alert in by_key.values()
                if (found := self._seen(transaction, alert, now, receivers)) is not None
            ]
            for row in transaction.rows("SELECT id, dedup_key, code FROM alert WHERE resolved_at_ms IS NULL"):
                if row["code"] in evaluated and row["dedup_key"] not in by_key:
                    transaction.run("UPDATE alert SET resolved_at_ms = :now WHERE id = :id", now=now, id=row["id"])
        return opened

    def all(self, *, resolved: bool = False, count: int = 200) -> list[KeptAlert]:
        """Those open or snoozed, and the resolved ones where asked; the newest first."""
        where = "" if resolved else "WHERE resolved_at_ms IS NULL "
        with self._store.reading() as transaction:
            rows = transaction.rows(
                f"SELECT * FROM alert {where}ORDER BY opened_at_ms DESC, id DESC LIMIT :count",  # noqa: S608
                count=count,
            )
        return [_kept(row) for row in rows]

    def find(self, name: str) -> KeptAlert:
        """By its id or the end of it, as lists show it. Raises `UnknownName`."""
        with self._store.reading() as transaction:
            return self._named(transaction, name)

    def snooze(self, name: str, until: datetime) -> KeptAlert:
        """Tell nobody of it until then; where it still holds then, it is told again. Raises `UnknownName`."""
        with self._store.writing() as transaction:
            found = self._named(transaction, name)
            transaction.run(
                "UPDATE alert SET snoozed_until_ms = :until WHERE id = :id",
                until=int(until.timestamp() * 1000),
                id=found.id,
            )
            return self._named(transaction, found.id)

    def _seen(
        self, transaction: Transaction, alert: Alert, now: int, receivers: dict[str, ReceiverSettings]
    ) -> KeptAlert | None:
        row = transaction.one("SELECT * FROM alert WHERE dedup_key = :key", key=alert.key)
        if row is None:
            made = new_id()
            transaction.run(
                "INSERT INTO alert (id, dedup_key, code, severity, body, opened_at_ms, seen_at_ms) "
                "VALUES (:id, :key, :code, :severity, :body, :now, :now)",
                id=made,
                key=alert.key,
                code=alert.code,
                severity=alert.severity,
                body=json.dumps(alert.to_json()),
                now=now,
            )
            _tell(transaction, made, alert, receivers, "new", now)
            return self._named(transaction, made)
        over = row["snoozed_until_ms"] is not None and row["snoozed_until_ms"] <= now
        if over and row["resolved_at_ms"] is None:
            _tell(transaction, row["id"], alert, receivers, f"again-{row['snoozed_until_ms']}", now)
        transaction.run(
            "UPDATE alert SET severity = :severity, body = :body, seen_at_ms = :now, resolved_at_ms = NULL, "
            "snoozed_until_ms = :snoozed WHERE id = :id",
            severity=alert.severity,
            body=json.dumps(alert.to_json()),
            now=now,
            snoozed=None if over else row["snoozed_until_ms"],
            id=row["id"],
        )
        return None

    def _named(self, transaction: Transaction, name: str) -> KeptAlert:
        rows = [row for row in transaction.rows("SELECT * FROM alert") if row["id"] == name]
        if not rows and len(name) >= 4:
            rows = [row for row in transaction.rows("SELECT * FROM alert") if row["id"].endswith(name)]
        if len(rows) != 1:
            raise UnknownName(
                "No alert has this name, or several have", value=name[:40], action="See them with: mesure alerts list"
            )
        return _kept(rows[0])

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _tell(
    transaction: Transaction,
    alert_id: str,
    alert: Alert,
    receivers: dict[str, ReceiverSettings],
    kind: str,
    now: int,
) -> None:
    for name, receiver in receivers.items():
        if wanted_by(receiver, alert):
            enqueue(transaction, alert_id, name, kind, alert.to_json(), now)


def _kept(row: dict[str, Any]) -> KeptAlert:
    return KeptAlert(
        id=row["id"],
        alert=Alert.from_json(json.loads(row["body"])),
        opened_at=_time(row["opened_at_ms"]),
        seen_at=_time(row["seen_at_ms"]),
        resolved_at=None if row["resolved_at_ms"] is None else _time(row["resolved_at_ms"]),
        snoozed_until=None if row["snoozed_until_ms"] is None else _time(row["snoozed_until_ms"]),
    )


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
