"""What budgets keep in the state store: those made there, and the versions each period began with."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mesure.errors import InvalidValue, UnknownName, nearest_names
from mesure.policy.budgets import Amount, Budget, Scope
from mesure.policy.progress import Pin, Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mesure.policy.progress import Progress
    from mesure.state import Store

__all__ = ["KeptBudgets", "Pins"]


class KeptBudgets:
    """Budgets that are not in mesure.toml. Raises `StateError`."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock

    def all(self) -> dict[str, Budget]:
        with self._store.reading() as transaction:
            rows = transaction.rows("SELECT name, definition FROM budget ORDER BY name")
        return {row["name"]: _budget(json.loads(row["definition"])) for row in rows}

    def save(self, budget: Budget) -> None:
        """Make a budget, or put it in the place of one with its name. Raises `ConfigError`, `InvalidValue`."""
        if not budget.checked().name.isprintable():
            raise InvalidValue("A budget's name is a line of text", value=budget.name, action="Use letters and digits")
        with self._store.writing() as transaction:
            transaction.run(
                "INSERT INTO budget (name, definition, created_at_ms) VALUES (:name, :definition, :now) "
                "ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
                name=budget.name,
                definition=json.dumps(asdict(budget)),
                now=int(self._clock() * 1000),
            )

    def delete(self, name: str) -> None:
        """Raises `UnknownName`."""
        with self._store.writing() as transaction:
            if transaction.run("DELETE FROM budget WHERE name = :name", name=name) == 0:
                known = [row["name"] for row in transaction.rows("SELECT name FROM budget")]
                raise UnknownName(
                    "No budget of the state store has this name",
                    value=name,
                    nearest=nearest_names(name, known),
                    action="See the names with: mesure budgets list; those of mesure.toml are changed there",
                )


class Pins:
    """The versions that periods began with. Raises `StateError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, progress_of: Iterable[tuple[Budget, int]]) -> dict[tuple[str, int], Pin]:
        """By budget and period."""
        wanted = {(budget.name, period_ms) for budget, period_ms in progress_of}
        with self._store.reading() as transaction:
            rows = transaction.rows("SELECT * FROM budget_pin")
        return {
            (row["budget"], row["period_ms"]): Pin(
                Versions(row["method"], row["catalogue"]),
                Amount(row["booked"], row["booked_calls"], row["booked_unknown"]),
                datetime.fromtimestamp(row["booked_until_ms"] / 1000, UTC),
            )
            for row in rows
            if (row["budget"], row["period_ms"]) in wanted
        }

    def book(self, found: Iterable[Progress], now: datetime) -> None:
        """What periods came to under the versions they began with: kept while those run, left alone afterwards."""
        with self._store.writing() as transaction:
            for progress in found:
                if progress.restated is not None:
                    continue
                transaction.run(
                    "INSERT INTO budget_pin (budget, period_ms, method, catalogue, booked, booked_calls, "
                    "booked_unknown, booked_until_ms) VALUES (:budget, :period_ms, :method, :catalogue, :booked, "
                    ":calls, :unknown, :until) ON CONFLICT (budget, period_ms) DO UPDATE SET booked = excluded.booked, "
                    "booked_calls = excluded.booked_calls, booked_unknown = excluded.booked_unknown, "
                    "booked_until_ms = excluded.booked_until_ms "
                    "WHERE budget_pin.method = excluded.method AND budget_pin.catalogue = excluded.catalogue",
                    budget=progress.budget.name,
                    period_ms=progress.period.key,
                    method=progress.pinned.method,
                    catalogue=progress.pinned.catalogue,
                    booked=progress.spent.value,
                    calls=progress.spent.calls,
                    unknown=progress.spent.unknown,
                    until=int(now.timestamp() * 1000),
                )

    def forget(self, before_ms: int) -> None:
        with self._store.writing() as transaction:
            transaction.run("DELETE FROM budget_pin WHERE period_ms < :before", before=before_ms)


def _budget(data: dict[str, Any]) -> Budget:
    given = {name: value for name, value in data.items() if name in Budget.__slots__}
    given["scope"] = Scope(**given["scope"])
    given["thresholds"] = tuple(given["thresholds"])
    return Budget(**given)
