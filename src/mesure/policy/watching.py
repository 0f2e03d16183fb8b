"""The watch: looks at budgets and rules now and then, writes alerts down, and sends what waits, beside the calls.

One for each data folder, in the process that holds the ledger. `latest` is what pages show: it costs them nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import MesureError
from mesure.policy.alerts import AlertBook
from mesure.policy.budgets import budgets_of
from mesure.policy.delivery import Delivery
from mesure.policy.kept import KeptBudgets, Pins
from mesure.policy.leases import Account, Leases
from mesure.policy.observing import Observer
from mesure.policy.outbox import Outbox
from mesure.policy.periods import period_at
from mesure.policy.progress import Progress, Spending
from mesure.policy.rules import (
    CODES,
    Alert,
    of_budget,
    of_coverage,
    of_repeats,
    of_silence,
    of_unit_and_volume,
    of_unknown_models,
    of_use,
    of_volume,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mesure.config import Settings
    from mesure.ledger import Committer, Ledger, View
    from mesure.policy.delivery import Renderer
    from mesure.state import Store

__all__ = ["Latest", "Watch", "WatchState"]

log = logging.getLogger("mesure.policy")

_BUDGET_CODES = frozenset({"budget_threshold", "budget_exceeded", "budget_forecast"})
#: Between two steps of the thread: sending what waits, and looking when it is time.
_STEP_S = 5.0
#: Rules that read weeks of the ledger are evaluated this often; budgets as often as configured.
_RULES_EVERY = timedelta(hours=1)
_KEPT_DAYS = 400


class Latest(NamedTuple):
    """Budgets as they were last looked at."""

    at: datetime | None
    budgets: tuple[Progress, ...]


class WatchState(NamedTuple):
    """For health: when budgets and rules were last looked at, and what went wrong since."""

    budgets_at: datetime | None
    rules_at: datetime | None
    error: MesureError | None

    def to_json(self) -> dict[str, Any]:
        times = (self.budgets_at, self.rules_at)
        budgets_at, rules_at = (at.isoformat(timespec="seconds") if at else None for at in times)
        error = self.error.to_json() if self.error else None
        return {"budgets_at": budgets_at, "rules_at": rules_at, "error": error}


class Watch:
    """`open_store` is called until it succeeds. Raises `ConfigError` for settings that cannot stand."""

    def __init__(
        self,
        settings: Settings,
        view: View,
        ledger: Ledger,
        committer: Committer | None,
        open_store: Callable[[], Store],
        render: Renderer,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        budgets_of(settings)  # refused before anything runs
        self._settings = settings
        self._spending = Spending(view, ledger, committer, settings)
        self._observer = Observer(view, ledger, settings)
        self._open_store = open_store
        self._machine = ""
        self._now = now
        self._store: Store | None = None
        self._delivery = Delivery(settings, render)
        self._latest = Latest(None, ())
        self._rules_at: datetime | None = None
        self._error: MesureError | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def latest(self) -> Latest:
        return self._latest

    @property
    def state(self) -> WatchState:
        return WatchState(self._latest.at, self._rules_at, self._error)

    def start(self, machine: str) -> None:
        """Go on in the background; `machine` is what this data folder is known by."""
        self._machine = machine
        self._thread = threading.Thread(target=self._run, name="mesure-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(5.0)  # it may be waiting for a receiver
        if self._store is not None:
            self._store.close()

    def _run(self) -> None:
        look_at = time.monotonic()
        while not self._stopped.wait(min(_STEP_S, self._settings.alerts.every_s)):
            if (now := time.monotonic()) >= look_at:
                look_at = now + self._settings.alerts.every_s
                self._guarded(self.look)
            self._guarded(self.send)

    def _guarded(self, step: Callable[[], object]) -> None:
        """This thread outlives anything; what goes wrong is told once and tried again."""
        try:
            step()
        except MesureError as error:
            if self._error is None or self._error.code != error.code:
                log.warning("Budgets and alerts: %s", error)
            self._error = error
        except Exception:
            log.exception("Budgets and alerts could not be looked at")
        else:
            if step == self.look:
                self._error = None

    # --- looking ---

    def look(self) -> list[Alert]:
        """Look at every budget, and at the rules when their time has come; returns the alerts that are new.

        Raises `MesureError`.
        """
        now, store = self._now(), self._opened()
        found = self.progress(now)
        if found:
            Pins(store).book(found, now)
            self._settle(store, found)
        self._latest = Latest(now, tuple(found))
        alerts = [alert for progress in found for alert in of_budget(progress)]
        evaluated = set(_BUDGET_CODES)
        if self._rules_at is None or now - self._rules_at >= _RULES_EVERY:
            alerts += self.rules(now)
            evaluated = set(CODES)
            self._rules_at = now
            self._forget(store, now)
        off = set(self._settings.alerts.off)
        wanted = [alert for alert in alerts if alert.code not in off]
        return [kept.alert for kept in AlertBook(store).record(wanted, evaluated, self._settings.receivers)]

    def progress(self, now: datetime) -> list[Progress]:
        """How far each budget is, those of the file and those of the store."""
        store = self._opened()
        budgets = budgets_of(self._settings, KeptBudgets(store).all()).values()
        keys = [(budget, period_at(budget.period, now, self._spending.zone).key) for budget in budgets]
        pins = Pins(store).of(keys)
        return [self._spending.progress(budget, now, pins.get((budget.name, key))) for budget, key in keys]

    def rules(self, now: datetime) -> list[Alert]:
        """Alerts of all rules but those of budgets."""
        return list(self._rules(now))

    def _rules(self, now: datetime) -> Iterator[Alert]:
        month = now.astimezone(self._spending.zone).strftime("%Y-%m")
        week = now.astimezone(self._spending.zone).strftime("%G-W%V")
        day = period_at("day", now, self._spending.zone).start
        lately = self._observer.uses(day - timedelta(days=28), day)
        before = self._observer.uses(day - timedelta(days=56), day - timedelta(days=28))
        seven = self._observer.uses(day - timedelta(days=7), day)
        yield from of_use(lately, month)
        yield from of_unit_and_volume(lately, before, month)
        yield from of_unknown_models(seven, month)
        yield from of_coverage(seven, self._observer.uses(day - timedelta(days=35), day - timedelta(days=7)), week)
        yield from of_repeats(self._observer.repeats(day - timedelta(days=28), day), month)
        for series in self._observer.days(now):
            yield from of_volume(series)
        yield from of_silence(self._observer.hours(now))

    def _settle(self, store: Store, found: list[Progress]) -> None:
        """Hard budgets: what this ledger says was spent, so that leases of dead workers end."""
        leases = Leases(store, self._machine)
        for progress in found:
            budget = progress.budget
            if budget.hard:
                leases.settle(Account(budget.name, progress.period.key, budget.limit), progress.spent.value)

    def _forget(self, store: Store, now: datetime) -> None:
        limit = now - timedelta(days=_KEPT_DAYS)
        Leases(store, self._machine).forget(int(limit.timestamp() * 1000))
        Pins(store).forget(int(limit.timestamp() * 1000))
        Outbox(store).forget(limit)

    # --- sending ---

    def send(self) -> int:
        """Send what waits; returns how many messages were tried. Raises `MesureError`."""
        if not self._settings.receivers:
            return 0
        return self._delivery.run(Outbox(self._opened()))

    def _opened(self) -> Store:
        if self._store is None:
            self._store = self._open_store()
        return self._store
