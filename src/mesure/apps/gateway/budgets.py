"""Hard budgets at the gateway: the most a call may take is reserved before it leaves, and put right once it is booked.

Paths that stay open (local models, or providers that say so) are counted and never refused. Metering's rule holds here
too: what goes wrong in this file is counted, and the call goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from mesure.apps.gateway import refusals
from mesure.apps.hosts import is_loopback
from mesure.errors import StateError
from mesure.policy.budgets import Budget, amount_of, budgets_of
from mesure.policy.gate import Gate, Wanted
from mesure.policy.kept import KeptBudgets
from mesure.policy.leases import Leases, machine_id
from mesure.policy.money import cost_of
from mesure.record import UsageEvent
from mesure.state import open_store, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.apps.gateway.providers import Provider
    from mesure.config import Settings
    from mesure.ledger import Pricer
    from mesure.policy.gate import GateState, Refused
    from mesure.state import Store

__all__ = ["HardBudgets"]

#: JSON holds two bytes a token or more; images in it are no tokens. Answers without a stated limit are seldom longer.
_BYTES_PER_TOKEN, _MOST_INPUT, _USUAL_OUTPUT = 2, 200_000, 4_096


class HardBudgets:
    """Of one worker: `start` and `stop` beside the gateway. Without a hard budget, nothing is done."""

    def __init__(self, settings: Settings, pricer: Pricer, failed: Callable[[str, Exception], None]) -> None:
        self._settings = settings
        self._pricer = pricer
        self._failed = failed
        self._budgets = _hard(budgets_of(settings))
        self._gate: Gate | None = None
        self._store: Store | None = None
        self._open = {name: _stays_open(given) for name, given in settings.providers.items()}

    def start(self) -> None:
        """Read the budgets of the store and lease from them. A store that does not answer is no reason not to start."""
        if self._settings.state.url or sqlite_file(self._settings).exists():
            try:
                self._budgets = _hard(budgets_of(self._settings, KeptBudgets(self._opened()).all()))
            except StateError as error:
                self._failed("budgets", error)
        if self._budgets:
            self._gate = Gate(self._leases, ZoneInfo(self._settings.organisation.timezone))
            self._gate.watch(self._budgets)
            self._gate.start()

    def stop(self) -> None:
        if self._gate is not None:
            self._gate.stop()
        if self._store is not None:
            self._store.close()

    @property
    def state(self) -> GateState | None:
        return self._gate.state if self._gate is not None else None

    async def admit(self, call: str, fields: dict[str, Any], body_bytes: int, provider: Provider) -> None:
        """Reserve for a call. Raises `Refusal` where it does not fit a hard budget."""
        gate = self._gate
        if gate is None:
            return
        try:
            wanted = self._wanted(fields, body_bytes)
            if not wanted:
                return
            if self._open.get(provider.name, False):
                gate.take(call, wanted)
                return
            refused = gate.reserve(call, wanted)
            if refused is not None:
                refused = await _asked(gate, call, wanted)
        except Exception as error:  # noqa: BLE001  (a budget that cannot be looked at refuses nobody)
            self._failed("budgets", error)
            return
        if refused is not None:
            raise refusals.budget_refused(refused)

    def ended(self, call: str, fields: dict[str, Any] | None) -> None:
        """What the call took, in the place of what was reserved; nothing where it was not booked (None)."""
        gate = self._gate
        if gate is None:
            return
        if fields is None:
            gate.release(call)
            return
        event = UsageEvent(**fields)
        impacts = self._pricer.impacts(event)
        gate.reconcile(call, lambda budget: amount_of(budget, event, impacts, _cost(budget, event)))

    def passed(self, fields: dict[str, Any]) -> None:
        """Count a call for which nothing was reserved: it ran already, and counts like any other."""
        if self._gate is not None:
            self._gate.take(fields["id"], self._wanted(fields, 0))
            self.ended(fields["id"], fields)

    def _wanted(self, fields: dict[str, Any], body_bytes: int) -> list[Wanted]:
        event = UsageEvent(**fields)
        model = self._pricer.impacts(event).model
        within = [budget for budget in self._budgets if budget.scope.holds(event, model)]
        if not within:
            return []
        most = replace(
            event,
            input_tokens=min(body_bytes // _BYTES_PER_TOKEN, _MOST_INPUT),
            output_tokens=0 if event.operation == "embeddings" else event.max_output_tokens or _USUAL_OUTPUT,
        )
        impacts = self._pricer.impacts(most)
        return [Wanted(budget, amount_of(budget, most, impacts, _cost(budget, most)) or 0.0) for budget in within]

    def _leases(self) -> Leases:
        return Leases(self._opened(), machine_id(Path(self._settings.server.data)))

    def _opened(self) -> Store:
        if self._store is None:
            self._store = open_store(self._settings)
        return self._store


async def _asked(gate: Gate, call: str, wanted: list[Wanted]) -> Refused | None:
    """Beside the other calls. What is reserved for a client that left meanwhile is given back."""
    asked = asyncio.get_running_loop().run_in_executor(None, gate.admit, call, wanted)
    try:
        return await asyncio.shield(asked)
    except asyncio.CancelledError:
        asked.add_done_callback(lambda _: gate.release(call))
        raise


def _hard(budgets: dict[str, Budget]) -> tuple[Budget, ...]:
    return tuple(budget for budget in budgets.values() if budget.hard)


def _cost(budget: Budget, event: UsageEvent) -> float | None:
    return cost_of(event, budget.unit, budget.usd_rate) if budget.money else None


def _stays_open(given: Any) -> bool:
    if given.stays_open == "local":
        return is_loopback(urlsplit(given.base_url).hostname or "")
    return bool(given.stays_open == "always")
