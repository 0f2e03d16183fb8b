"""Whatever calls do, in any order and from any thread, a gate lets no more through than the limit."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.policy.budgets import Budget
from mesure.policy.gate import Gate, Wanted
from mesure.policy.leases import Grant, Leases

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "end", "renew", "rest"]), st.integers(0, 2), st.floats(0.01, 6.0), st.floats(0.0, 1.0)
    ),
    max_size=60,
)


class Books:
    """The leases of one account, in memory, by the same law as the store: granted at once, out of the limit."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.held: dict[str, tuple[float, float]] = {}

    def renew(self, holder, asks):
        grants = []
        for ask in asks:
            before = self.held.get(holder)
            granted, _ = before or (0.0, 0.0)
            left = min(max(0.0, granted - ask.spent), ask.keep)
            self.held[holder] = (ask.spent + left, ask.spent)
            free = max(0.0, self.limit - sum(max(granted, spent) for granted, spent in self.held.values()))
            added = min(free, max(0.0, ask.need + min(ask.wish, 0.1 * free) - left))
            self.held[holder] = (ask.spent + left + added, ask.spent)
            grants.append(Grant(ask.spent + left + added, free - added, NOW + 1e6, before is None))
        return grants

    def close(self, holder, spent):
        self.held[holder] = (spent[0][1], spent[0][1])


@given(STEPS, st.floats(1.0, 40.0))
def test_three_workers_never_spend_more_than_the_limit(steps, limit):
    clock = [NOW]
    books = Books(limit)
    budget = Budget(name="b", limit=limit, unit="kWh", mode="hard", fail_open=False)
    gates = [Gate(lambda: books, PARIS, holder=f"w{n}", clock=lambda: clock[0]) for n in range(3)]
    running: list[tuple[int, str, float]] = []
    spent = 0.0
    for number, (step, worker, amount, share) in enumerate(steps):
        clock[0] += share
        if step == "admit":
            if gates[worker].admit(f"c{number}", [Wanted(budget, amount)]) is None:
                running.append((worker, f"c{number}", amount))
        elif step == "end" and running:
            who, call, reserved = running.pop(int(share * (len(running) - 1)))
            took = reserved * share  # never more than was reserved
            gates[who].reconcile(call, lambda _, took=took: took)
            spent += took
        elif step == "renew":
            gates[worker].renew()
        assert spent + sum(reserved for _, _, reserved in running) <= limit * (1 + 1e-6)


@given(st.floats(1.0, 3.0), st.integers(1, 15))
def test_beyond_what_was_reserved_only_calls_in_flight_count(excess, in_flight):
    """The bound that is stated: each call in flight by what it took more than was reserved."""
    books = Books(20.0)
    budget = Budget(name="b", limit=20.0, unit="kWh", mode="hard", fail_open=False)
    clock = [NOW]
    gate = Gate(lambda: books, PARIS, clock=lambda: clock[0])
    spent = 0.0
    for round_ in range(8):
        clock[0] += 1.0
        passed = [
            f"{round_}-{n}" for n in range(in_flight) if gate.admit(f"{round_}-{n}", [Wanted(budget, 1.0)]) is None
        ]
        for call in passed:
            gate.reconcile(call, lambda _: excess)
            spent += excess
    assert spent <= 20.0 + in_flight * (excess - 1.0) + 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_threads_of_one_worker_share_its_leases(store, seed):
    leases = Leases(store, "here")
    budget = Budget(name="b", limit=25.0, unit="calls", mode="hard")
    gate = Gate(lambda: leases, PARIS)
    gate.watch([budget])
    gate.start()
    draw = random.Random(seed)
    order = [draw.random() for _ in range(120)]

    def call(number):
        name = f"c{number}"
        if gate.admit(name, [Wanted(budget, 1.0)]) is not None:
            return 0
        if order[number] < 0.2:
            gate.release(name)
            return 0
        gate.reconcile(name, lambda _: 1.0)
        return 1

    try:
        with ThreadPoolExecutor(12) as pool:
            took = sum(pool.map(call, range(120)))
    finally:
        gate.stop()
    assert 0 < took <= 25
    with store.reading() as transaction:
        [row] = transaction.rows("SELECT carried FROM budget_spent")
    assert row["carried"] == took
