"""Hard budgets at the door of one worker: reserve before a call, reconcile after it, from leases held in memory.

No call touches disk or store. A thread of the gate's own reports what was spent and takes what is wanted, each second
and when a call finds too little leased: that call then waits for it, three seconds at most.

How far a hard budget can be exceeded:

    calls in flight x (what they took - what was reserved for them)          0 while the estimates hold
  + workers x outage_share x limit, for each outage, where `fail_open`       0 otherwise

Leases add nothing to it: they are taken out of the limit beforehand, and those of a dead worker stay taken out.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from mesure.errors import StateError
from mesure.policy.leases import Account, Ask
from mesure.policy.periods import period_at
from mesure.record import new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from zoneinfo import ZoneInfo

    from mesure.policy.budgets import Budget
    from mesure.policy.leases import Grant, Leases

__all__ = ["Gate", "GateState", "Refused", "Wanted"]

log = logging.getLogger("mesure.policy")

#: Seconds of recent use that a worker holds in stock, and the share of the limit it holds at rest.
_STOCK_S, _STOCK_SHARE = 3.0, 0.005
#: After the store said there is too little, it is not asked again for the same budget for this long.
_ASK_AGAIN_S = 0.5
#: How often leases are renewed, and how long a call waits for it at most.
_EVERY_S, _PATIENCE_S = 1.0, 3.0
_ROUNDING = 1e-9


class Wanted(NamedTuple):
    """What a call may take of a budget at most, in the budget's unit."""

    budget: Budget
    amount: float


class Refused(NamedTuple):
    """Why a call does not fit: `exceeded`, or `unreachable` where the store is down and the budget closes then."""

    budget: Budget
    reason: str
    asked: float
    left: float
    again_at: datetime  # when the budget's next period begins


class GateState(NamedTuple):
    """For health: the last error of the store, and what was let through without it."""

    error: StateError | None
    unleased: float
    refused: int


@dataclass(slots=True)
class _Held:
    """One account as this worker knows it; totals since the lease began."""

    account: Account
    granted: float = 0.0
    spent: float = 0.0
    reported: float = 0.0  # as the store acknowledged
    reserved: float = 0.0
    need: float = 0.0
    rate: float = 0.0  # per second, smoothed
    free: float = 0.0
    expires_at: float = 0.0
    asked_at: float = -1e9
    unleased: float = 0.0  # let through during this outage
    ends_at: float = 0.0
    seen_spent: float = 0.0


@dataclass(slots=True)
class _Reservation:
    parts: list[tuple[Budget, _Held, float]] = field(default_factory=list)


class Gate:
    """Safe for threads. `connect` gives the leases of the store, and may fail: it is tried again."""

    def __init__(
        self,
        connect: Callable[[], Leases],
        zone: ZoneInfo,
        *,
        holder: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connect = connect
        self._leases: Leases | None = None
        self._zone = zone
        self.holder = holder or new_id()
        self._clock = clock
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._held: dict[Account, _Held] = {}
        self._reservations: dict[str, _Reservation] = {}
        self._error: StateError | None = None
        self._renewed_at = clock()
        self._renewed = threading.Condition(self._lock)
        self._begun = self._ended = 0
        self._silent = False  # the store has not answered in time
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._watched: tuple[Budget, ...] = ()
        self._refused = 0

    @property
    def state(self) -> GateState:
        with self._lock:
            return GateState(self._error, sum(held.unleased for held in self._held.values()), self._refused)

    def watch(self, budgets: Sequence[Budget]) -> None:
        """Hold something of these in advance, so that few calls wait for the store."""
        with self._lock:
            self._watched = tuple(budgets)

    def start(self) -> None:
        """Renew once, then go on in the background."""
        self.renew()
        self._thread = threading.Thread(target=self._run, name="mesure-leases", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, and give back what is left as far as the store can be reached."""
        self._stopped = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(2.0)  # it may be waiting for a store that is gone
        if self._thread is None or not self._thread.is_alive():
            self._close()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(_EVERY_S)
            self._wake.clear()
            try:
                self.renew()
            except Exception:
                log.exception("Leases could not be renewed")

    def admit(self, call: str, wanted: Sequence[Wanted]) -> Refused | None:
        """Reserve; where too little is leased, wait for the thread that asks the store, `_PATIENCE_S` at most.

        None: the call may go on.
        """
        refused = self.reserve(call, wanted)
        if refused is not None and self.worth_asking(wanted):
            self._note_need(wanted, +1.0)
            try:
                refused = self._asked(call, wanted)
            finally:
                self._note_need(wanted, -1.0)
        if refused is None:
            return None
        with self._lock:
            if self._error is not None or self._silent:
                refused = self._in_outage(call, wanted)
            self._refused += refused is not None
        return refused

    def _asked(self, call: str, wanted: Sequence[Wanted]) -> Refused | None:
        """Others may take what was granted meanwhile: asked again while there is something to be had."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            answered = self._wait_for_renewal(deadline)
            refused = self.reserve(call, wanted)
            if refused is None or not answered or not self.worth_asking(wanted):
                return refused

    def _wait_for_renewal(self, deadline: float) -> bool:
        """Until a renewal that began after now has ended; False when it did not in time."""
        if self._thread is None:
            self.renew()
            return time.monotonic() < deadline
        with self._renewed:
            mark = self._begun
            self._wake.set()
            answered = self._renewed.wait_for(lambda: self._ended > mark, deadline - time.monotonic())
            self._silent = self._silent or not answered
            return answered

    def reserve(self, call: str, wanted: Sequence[Wanted]) -> Refused | None:
        """Take what a call may need at most from what is leased, of all its budgets or of none."""
        now = self._clock()
        with self._lock:
            found = [(want.budget, self._of(want.budget, now), want.amount) for want in wanted]
            for budget, held, amount in found:
                if self._left(held, now) + _ROUNDING * budget.limit < amount:
                    return self._refusal(budget, held, amount, "exceeded")
            self._keep(call, found)
        return None

    def take(self, call: str, wanted: Sequence[Wanted]) -> None:
        """Reserve for a call that is never refused (a path that stays open): it counts like any other."""
        now = self._clock()
        with self._lock:
            self._keep(call, [(want.budget, self._of(want.budget, now), want.amount) for want in wanted])

    def reconcile(self, call: str, took: Callable[[Budget], float | None]) -> None:
        """Put what a call took in the place of what was reserved; where nobody knows, the reservation stands."""
        with self._lock:
            reservation = self._reservations.pop(call, None)
            for budget, held, amount in reservation.parts if reservation else ():
                held.reserved -= amount
                actual = took(budget)
                held.spent += amount if actual is None else actual

    def release(self, call: str) -> None:
        """A call that took nothing."""
        self.reconcile(call, lambda _: 0.0)

    def renew(self) -> None:
        """Report and take. What goes wrong is in `state`; never raises `StateError`."""
        with self._renewing:
            with self._lock:
                self._begun += 1
                number = self._begun
            try:
                self._renew()
            finally:
                with self._renewed:
                    self._ended, self._silent = number, False
                    self._renewed.notify_all()

    def _renew(self) -> None:
        asks = self._asks()
        try:
            self._leases = self._leases or self._connect()
            grants = self._leases.renew(self.holder, asks) if asks else []
        except StateError as error:
            self._failed(error)
            return
        self._taken(asks, grants)

    def _close(self) -> None:
        with self._lock:
            spent = [(held.account, held.spent) for held in self._held.values()]
            self._held = {}
        try:
            if self._leases is not None and spent:
                self._leases.close(self.holder, spent)
        except StateError as error:
            log.warning("Leases could not be given back: %s", error)

    # --- one account ---

    def _of(self, budget: Budget, now: float) -> _Held:
        period = period_at(budget.period, datetime.fromtimestamp(now, UTC), self._zone)
        account = Account(budget.name, period.key, budget.limit)
        held = self._held.get(account)
        if held is None:
            held = self._held[account] = _Held(account, ends_at=period.end.timestamp())
        return held

    @staticmethod
    def _left(held: _Held, now: float) -> float:
        """What may be spent without asking: nothing of a lease that ran out."""
        if now >= held.expires_at:
            return 0.0
        return held.granted - held.spent - held.reserved

    def _keep(self, call: str, parts: list[tuple[Budget, _Held, float]]) -> None:
        for _, held, amount in parts:
            held.reserved += amount
        self._reservations[call] = _Reservation(parts)

    def _refusal(self, budget: Budget, held: _Held, amount: float, reason: str) -> Refused:
        left = max(0.0, held.granted - held.spent - held.reserved) + max(0.0, held.free)
        return Refused(budget, reason, amount, left, datetime.fromtimestamp(held.ends_at, UTC))

    def _in_outage(self, call: str, wanted: Sequence[Wanted]) -> Refused | None:
        """The budgets' own choice. Called with the lock."""
        now = self._clock()
        found = [(want.budget, self._of(want.budget, now), want.amount) for want in wanted]
        short = [(b, held, amount) for b, held, amount in found if self._left(held, now) < amount]
        for budget, held, amount in short:
            if not budget.fail_open or held.unleased + amount > budget.outage_share * budget.limit:
                return self._refusal(budget, held, amount, "unreachable")
        for _, held, amount in short:
            held.unleased += amount
        self._keep(call, found)
        return None

    # --- the store ---

    def worth_asking(self, wanted: Sequence[Wanted]) -> bool:
        """Whether the store may have more than what it said last, or has not been asked lately."""
        now = self._clock()
        with self._lock:
            if self._error is not None or self._silent:
                return False
            helds = [(self._of(want.budget, now), want.amount) for want in wanted]
            return all(
                self._left(held, now) >= amount
                or now - held.asked_at > _ASK_AGAIN_S
                or held.free > _ROUNDING * held.account.limit
                for held, amount in helds
            )

    def _note_need(self, wanted: Sequence[Wanted], sign: float) -> None:
        now = self._clock()
        with self._lock:
            for want in wanted:
                self._of(want.budget, now).need += sign * want.amount

    def _asks(self) -> list[Ask]:
        """What is not kept is given up here, before the store is told: no call may take it meanwhile."""
        with self._lock:
            now = self._clock()
            for budget in self._watched:
                self._of(budget, now)
            passed, self._renewed_at = max(1e-3, now - self._renewed_at), now
            return [self._ask(held, now, passed) for held in self._held.values()]

    def _ask(self, held: _Held, now: float, passed: float) -> Ask:
        weight = min(1.0, passed / _STOCK_S)
        held.rate += weight * ((held.spent - held.seen_spent) / passed - held.rate)
        held.seen_spent = held.spent
        need = held.reserved + held.need
        stock = max(_STOCK_S * held.rate, _STOCK_SHARE * held.account.limit) if now < held.ends_at else 0.0
        keep = min(max(0.0, held.granted - held.spent), need + stock) if now < held.expires_at else held.reserved
        held.granted = held.spent + keep
        return Ask(held.account, held.spent, held.reported, keep, need, stock)

    def _taken(self, asks: Sequence[Ask], grants: Sequence[Grant]) -> None:
        with self._lock:
            if self._error is not None:
                log.warning("The state store answers again: hard budgets are leased as before")
            self._error = None
            now = self._clock()
            for ask, grant in zip(asks, grants, strict=True):
                held = self._held[ask.account]
                base = held.reported if grant.fresh else 0.0
                held.spent, held.seen_spent = held.spent - base, held.seen_spent - base
                held.granted, held.free, held.expires_at = grant.granted, grant.free, grant.expires_at
                held.reported, held.asked_at, held.unleased = ask.spent - base, now, 0.0
            self._held = {account: held for account, held in self._held.items() if held.ends_at > now or _owes(held)}

    def _failed(self, error: StateError) -> None:
        with self._lock:
            if self._error is None or self._error.code != error.code:
                log.warning("%s Hard budgets go on with what was leased.", error)
            self._error = error


def _owes(held: _Held) -> bool:
    """Whether something of it is not reported yet."""
    least = _ROUNDING * held.account.limit
    return held.reserved > least or held.spent > held.reported + least
