"""Leases of hard budgets in the state store: a worker may spend what it was granted without asking again.

    free = limit - sum over machines of max(spent as reported, spent as its ledger says) - sum of (granted - spent)

What is granted is taken from the limit at once, in one transaction, so that no two workers hold the same part. Reports
are totals since the lease began: one that is sent twice counts once. A lease that ran out (its worker died) stays
counted in full until the ledger of its machine has said what was really spent: `settle`.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import StateError
from mesure.record import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mesure.state import Store, Transaction

__all__ = ["LEASE_S", "Account", "Ask", "Grant", "Leases", "Standing", "machine_id"]

#: How long a worker may go on with what it holds while the store does not answer.
LEASE_S = 600.0
#: Beyond that, what clocks of two machines may differ by.
_GRACE_MS = 60_000
#: Of what nobody holds, a worker takes at most this share in stock.
_MOST_OF_FREE = 0.1


def machine_id(folder: Path) -> str:
    """What a data folder, with its ledger, is known by in the state store: made once. Raises `StateError`."""
    file = folder / "machine.id"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), file.open("x", encoding="ascii") as made:
            made.write(new_id())
        return file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise StateError(
            f"The data folder cannot be used: {error.strerror}",
            value=str(folder),
            action="Make it writable for this user, or choose another data folder",
            code="state_readonly",
        ) from None


class Account(NamedTuple):
    """A period of a budget: limits and amounts are in the budget's unit."""

    budget: str
    period_ms: int
    limit: float


class Ask(NamedTuple):
    """What a worker reports and wants: `spent` since its lease began, of which `reported` was acknowledged; of what is
    left it keeps `keep`, already given up the rest, wants `need` for its calls and wishes to hold `wish` beside."""

    account: Account
    spent: float
    reported: float
    keep: float
    need: float
    wish: float


class Grant(NamedTuple):
    """Granted since the lease began; `free` is what nobody holds; `fresh` where the lease was begun anew, so that what
    was reported before is not in it."""

    granted: float
    free: float
    expires_at: float
    fresh: bool


class Standing(NamedTuple):
    """Of one account: spent by all, held by workers, and held by workers that are silent."""

    spent: float
    held: float
    silent: float


class Leases:
    """Of one machine (a data folder). Raises `StateError`. Safe for threads and processes."""

    def __init__(self, store: Store, machine: str, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._machine = machine
        self._clock = clock

    def renew(self, holder: str, asks: Sequence[Ask]) -> list[Grant]:
        """Report and take, all in one transaction."""
        with self._store.writing() as transaction:
            return [self._renew(transaction, holder, ask) for ask in asks]

    def close(self, holder: str, spent: Sequence[tuple[Account, float]]) -> None:
        """Report for the last time and give back what is left."""
        with self._store.writing() as transaction:
            for account, total in spent:
                row = _lease(transaction, holder, account)
                if row is not None:
                    self._carry(transaction, account, total)
                    _drop(transaction, holder, account)

    def settle(self, account: Account, ledger_spent: float) -> None:
        """What this machine's ledger says was spent in the period: leases that ran out are closed on its word.

        The ledger must have been read after they ran out, which `_GRACE_MS` sees to.
        """
        over = self._now() - _GRACE_MS
        with self._store.writing() as transaction:
            for row in transaction.rows(
                "SELECT holder, spent FROM budget_lease WHERE budget = :budget AND period_ms = :period_ms "
                "AND machine = :machine AND expires_at_ms < :over",
                budget=account.budget,
                period_ms=account.period_ms,
                machine=self._machine,
                over=over,
            ):
                self._carry(transaction, account, row["spent"])
                _drop(transaction, row["holder"], account)
            self._note(transaction, account, ledger=ledger_spent)

    def standing(self, account: Account) -> Standing:
        """How an account stands."""
        with self._store.reading() as transaction:
            held, silent = _held(transaction, account, self._now())
            return Standing(_spent(transaction, account), held, silent)

    def forget(self, before_ms: int) -> int:
        """Delete what is kept of periods that began before; returns how many leases there were."""
        with self._store.writing() as transaction:
            transaction.run("DELETE FROM budget_spent WHERE period_ms < :before", before=before_ms)
            return transaction.run("DELETE FROM budget_lease WHERE period_ms < :before", before=before_ms)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _renew(self, transaction: Transaction, holder: str, ask: Ask) -> Grant:
        account, row = ask.account, _lease(transaction, holder, ask.account)
        spent = ask.spent - ask.reported if row is None else ask.spent
        left = 0.0 if row is None else min(max(0.0, row["granted"] - spent), ask.keep)
        expires_at_ms = self._now() + int(LEASE_S * 1000)
        self._write(transaction, holder, account, spent + left, spent, expires_at_ms)
        free = max(0.0, account.limit - _spent(transaction, account) - _held(transaction, account, 0)[0])
        wanted = ask.need + min(ask.wish, _MOST_OF_FREE * free)  # the last parts go to calls, not to stocks
        added = min(free, max(0.0, wanted - left))
        if added > 0.0:
            self._write(transaction, holder, account, spent + left + added, spent, expires_at_ms)
        return Grant(spent + left + added, free - added, expires_at_ms / 1000.0, row is None)

    def _write(
        self, transaction: Transaction, holder: str, account: Account, granted: float, spent: float, expires_at_ms: int
    ) -> None:
        transaction.run(
            "INSERT INTO budget_lease (holder, budget, period_ms, machine, granted, spent, expires_at_ms) "
            "VALUES (:holder, :budget, :period_ms, :machine, :granted, :spent, :expires_at_ms) "
            "ON CONFLICT (holder, budget, period_ms) DO UPDATE SET "
            "granted = excluded.granted, spent = excluded.spent, expires_at_ms = excluded.expires_at_ms",
            holder=holder,
            budget=account.budget,
            period_ms=account.period_ms,
            machine=self._machine,
            granted=granted,
            spent=spent,
            expires_at_ms=expires_at_ms,
        )

    def _carry(self, transaction: Transaction, account: Account, spent: float) -> None:
        self._note(transaction, account, carried=spent)

    def _note(
        self, transaction: Transaction, account: Account, *, carried: float = 0.0, ledger: float | None = None
    ) -> None:
        transaction.run(
            "INSERT INTO budget_spent (budget, period_ms, machine, carried, ledger) "
            "VALUES (:budget, :period_ms, :machine, :carried, :ledger) "
            "ON CONFLICT (budget, period_ms, machine) DO UPDATE SET carried = budget_spent.carried + :carried"
            + ("" if ledger is None else ", ledger = :ledger"),
            budget=account.budget,
            period_ms=account.period_ms,
            machine=self._machine,
            carried=carried,
            ledger=ledger or 0.0,
        )


def _lease(transaction: Transaction, holder: str, account: Account) -> dict[str, float] | None:
    return transaction.one(
        "SELECT granted, spent FROM budget_lease WHERE holder = :holder AND budget = :budget "
        "AND period_ms = :period_ms",
        holder=holder,
        budget=account.budget,
        period_ms=account.period_ms,
    )


def _drop(transaction: Transaction, holder: str, account: Account) -> None:
    transaction.run(
        "DELETE FROM budget_lease WHERE holder = :holder AND budget = :budget AND period_ms = :period_ms",
        holder=holder,
        budget=account.budget,
        period_ms=account.period_ms,
    )


def _spent(transaction: Transaction, account: Account) -> float:
    """By machine, the larger of what its workers reported and what its ledger says."""
    reported: dict[str, float] = {}
    ledgers: dict[str, float] = {}
    given = {"budget": account.budget, "period_ms": account.period_ms}
    for row in transaction.rows(
        "SELECT machine, spent FROM budget_lease WHERE budget = :budget AND period_ms = :period_ms", **given
    ):
        reported[row["machine"]] = reported.get(row["machine"], 0.0) + row["spent"]
    for row in transaction.rows(
        "SELECT machine, carried, ledger FROM budget_spent WHERE budget = :budget AND period_ms = :period_ms", **given
    ):
        reported[row["machine"]] = reported.get(row["machine"], 0.0) + row["carried"]
        ledgers[row["machine"]] = row["ledger"]
    return sum(max(spent, ledgers.get(machine, 0.0)) for machine, spent in reported.items())


def _held(transaction: Transaction, account: Account, now_ms: int) -> tuple[float, float]:
    """(By workers, by those of them whose lease ran out.)"""
    held = silent = 0.0
    for row in transaction.rows(
        "SELECT granted, spent, expires_at_ms FROM budget_lease WHERE budget = :budget AND period_ms = :period_ms",
        budget=account.budget,
        period_ms=account.period_ms,
    ):
        left = max(0.0, row["granted"] - row["spent"])
        held += left
        silent += left if row["expires_at_ms"] < now_ms else 0.0
    return held, silent
