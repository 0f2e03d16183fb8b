from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mesure.errors import StateError
from mesure.policy.budgets import Budget
from mesure.policy.gate import Gate, Wanted
from mesure.policy.leases import LEASE_S, Account, Leases
from mesure.policy.periods import period_at
from waiting import eventually

PARIS = ZoneInfo("Europe/Paris")
BENCH = Path(__file__).parents[2] / "bench" / "budgets.py"
BUDGET = Budget(name="team", limit=10.0, unit="calls", mode="hard")


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


class Flaky:
    """The leases of a store that can be taken away."""

    def __init__(self, leases: Leases) -> None:
        self.leases, self.down, self.asked = leases, False, 0

    def renew(self, holder, asks):
        self.asked += 1
        if self.down:
            raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")
        return self.leases.renew(holder, asks)

    def close(self, holder, spent):
        if self.down:
            raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")
        self.leases.close(holder, spent)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def flaky(store, clock) -> Flaky:
    return Flaky(Leases(store, "here", clock=clock))


@pytest.fixture
def gate(flaky, clock) -> Gate:
    return Gate(lambda: flaky, PARIS, clock=clock)


def account_of(budget, clock):
    period = period_at(budget.period, datetime.fromtimestamp(clock.now, UTC), PARIS)
    return Account(budget.name, period.key, budget.limit)


def admit(gate, name, amount=1.0, budget=BUDGET):
    return gate.admit(name, [Wanted(budget, amount)])


def test_calls_pass_until_the_limit_and_not_one_more(gate, clock):
    passed = []
    for number in range(30):
        clock.now += 1.0
        if admit(gate, f"c{number}") is None:
            passed.append(number)
            gate.reconcile(f"c{number}", lambda _: 1.0)
    assert len(passed) == 10
    assert gate.state.refused == 20


def test_a_refusal_says_of_what_how_much_and_until_when(gate):
    refused = admit(gate, "huge", 11.0)
    assert (refused.budget, refused.reason, refused.asked) == (BUDGET, "exceeded", 11.0)
    assert refused.left == pytest.approx(10.0)
    assert refused.again_at == datetime(2026, 11, 30, 23, tzinfo=UTC)


def test_what_a_call_did_not_take_is_there_for_others(gate, flaky, clock):
    assert admit(gate, "a", 10.0) is None
    assert admit(gate, "b", 1.0) is not None
    gate.reconcile("a", lambda _: 2.5)
    clock.now += 1.0
    assert admit(gate, "c", 7.5) is None
    gate.release("c")
    gate.renew()
    assert flaky.leases.standing(account_of(BUDGET, clock)).spent == 2.5


def test_where_nobody_knows_what_it_took_the_reservation_stands(gate, flaky, clock):
    assert admit(gate, "a", 4.0) is None
    gate.reconcile("a", lambda _: None)
    gate.renew()
    assert flaky.leases.standing(account_of(BUDGET, clock)).spent == 4.0


def test_a_call_is_reconciled_once(gate, flaky, clock):
    admit(gate, "a", 4.0)
    for _ in range(3):
        gate.reconcile("a", lambda _: 3.0)
    gate.release("a")
    gate.reconcile("never seen", lambda _: 99.0)
    gate.renew()
    assert flaky.leases.standing(account_of(BUDGET, clock)).spent == 3.0


def test_all_budgets_of_a_call_or_none(gate, flaky, clock):
    small = Budget(name="small", limit=2.0, unit="calls", mode="hard")
    both = [Wanted(BUDGET, 1.0), Wanted(small, 1.0)]
    results = []
    for number in range(4):
        clock.now += 1.0
        results.append(gate.admit(f"c{number}", both))
        gate.reconcile(f"c{number}", lambda _: 1.0)
    assert [refused is None for refused in results] == [True, True, False, False]
    assert results[2].budget is small
    gate.renew()
    assert flaky.leases.standing(account_of(BUDGET, clock)).spent == 2.0


def test_without_a_hard_budget_nothing_is_asked(gate, flaky):
    assert gate.admit("a", []) is None
    gate.renew()
    assert flaky.asked == 0


def test_an_exhausted_budget_is_not_asked_about_by_every_call(gate, flaky, clock):
    admit(gate, "all", 10.0)
    asked = flaky.asked
    for number in range(100):
        assert admit(gate, f"c{number}") is not None
    assert flaky.asked - asked <= 1


def test_few_calls_of_a_watched_budget_wait_for_the_store(gate, flaky, clock):
    large = Budget(name="large", limit=100_000.0, unit="calls", mode="hard")
    gate.watch([large])
    gate.renew()
    asked = flaky.asked
    for number in range(400):
        assert gate.reserve(f"c{number}", [Wanted(large, 1.0)]) is None
    assert flaky.asked == asked


def test_a_worker_that_rests_gives_back(gate, flaky, clock):
    admit(gate, "a", 9.0)
    gate.release("a")
    for _ in range(3):
        clock.now += 5.0
        gate.renew()
    assert flaky.leases.standing(account_of(BUDGET, clock)).held <= 0.11


def test_what_is_in_flight_is_never_given_back(gate, flaky, clock):
    admit(gate, "long", 6.0)
    for _ in range(5):
        clock.now += 5.0
        gate.renew()
    assert flaky.leases.standing(account_of(BUDGET, clock)).held >= 6.0


def test_the_next_period_begins_with_the_whole_limit(gate, clock):
    daily = Budget(name="daily", limit=3.0, unit="calls", period="day", mode="hard")
    for _ in range(2):
        passed = 0
        for number in range(6):
            clock.now += 1.0
            if admit(gate, f"c{number}", budget=daily) is None:
                passed += 1
                gate.reconcile(f"c{number}", lambda _: 1.0)
        assert passed == 3
        clock.now += 86_400


# --- the store is away ---


def through(gate, count, budget=BUDGET):
    passed = 0
    for number in range(count):
        if admit(gate, f"x{number}", budget=budget) is None:
            passed += 1
            gate.reconcile(f"x{number}", lambda _: 1.0)
    return passed


@pytest.mark.parametrize(("fail_open", "more"), [(True, 3), (False, 0)])
def test_in_an_outage_what_was_leased_is_spent_then_the_budgets_choice(gate, flaky, clock, fail_open, more):
    budget = Budget(name="b", limit=30.0, unit="calls", mode="hard", fail_open=fail_open, outage_share=0.1)
    assert admit(gate, "first", 5.0, budget) is None  # 5 leased, and a little stock
    gate.release("first")
    flaky.down = True
    gate.renew()
    passed = through(gate, 50, budget)
    kept = passed - more
    assert 0 <= kept <= 5
    refused = admit(gate, "last", budget=budget)
    assert refused.reason == "unreachable"
    assert gate.state.error.code == "state_unreachable"
    assert gate.state.unleased == more


def test_when_the_store_is_back_everything_is_reported(gate, flaky, clock):
    budget = Budget(name="b", limit=20.0, unit="calls", mode="hard", outage_share=0.25)
    flaky.down = True
    assert through(gate, 50, budget) == 5
    flaky.down = False
    gate.renew()
    assert gate.state.error is None
    assert gate.state.unleased == 0.0
    assert flaky.leases.standing(account_of(budget, clock)).spent == 5.0
    clock.now += 1.0
    assert through(gate, 50, budget) == 15


def test_a_lease_that_ran_out_is_not_spent(gate, flaky, clock):
    closed = Budget(name="b", limit=20.0, unit="calls", mode="hard", fail_open=False)
    assert admit(gate, "a", 10.0, closed) is None
    gate.reconcile("a", lambda _: 1.0)
    flaky.down = True
    clock.now += LEASE_S + 1.0
    gate.renew()
    assert through(gate, 5, closed) == 0


def test_a_store_that_was_never_there(clock):
    def connect():
        raise StateError("The state store cannot be used", action="Start it", code="state_unreachable")

    gate = Gate(connect, PARIS, clock=clock)
    assert through(gate, 5) == 1  # a tenth of ten
    closed = Budget(name="closed", limit=10.0, unit="calls", mode="hard", fail_open=False)
    assert admit(gate, "a", budget=closed).reason == "unreachable"


# --- the thread ---


def test_the_thread_renews_and_gives_back_at_the_end(store):
    leases = Leases(store, "here")
    gate = Gate(lambda: leases, PARIS)
    gate.watch([BUDGET])
    gate.start()
    account = account_of(BUDGET, type("now", (), {"now": datetime.now(UTC).timestamp()}))
    assert leases.standing(account).held > 0.0
    assert admit(gate, "a", 2.0) is None
    gate.reconcile("a", lambda _: 2.0)
    eventually(lambda: leases.standing(account).spent == 2.0)
    gate.stop()
    assert leases.standing(account)[:2] == (2.0, 0.0)


def test_a_call_does_not_wait_long_for_a_store_that_hangs(store, monkeypatch):
    import mesure.policy.gate as module

    monkeypatch.setattr(module, "_PATIENCE_S", 0.05)
    hang = threading.Event()
    renew = Leases(store, "here").renew

    class Hanging:
        def renew(self, holder, asks):
            hang.wait(20)
            return renew(holder, asks)

        def close(self, holder, spent):
            pass

    gate = Gate(Hanging, PARIS)
    hang.set()
    gate.start()
    hang.clear()
    closed = Budget(name="closed", limit=10.0, unit="calls", mode="hard", fail_open=False)
    try:
        assert admit(gate, "a", budget=closed).reason == "unreachable"
        assert admit(gate, "b", 1.0) is None  # open: out of the tenth
    finally:
        hang.set()
    eventually(lambda: admit(gate, "c", budget=closed) is None)
    gate.stop()


# --- races between processes ---


def run_race(*arguments):
    done = subprocess.run(
        [sys.executable, str(BENCH), "--workers", "3", "--calls", "30", "--room", "40", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_processes_that_race_stay_within_the_limit():
    found = run_race("--only", "sqlite", "--scenarios", "race")["sqlite"]["race"]
    assert 30 <= found["let_through"] <= 40
    assert found["booked"] == found["let_through"]


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_race_is_within_its_bound(database, request):
    if database == "postgresql":
        request.getfixturevalue("postgres")
    found = run_race("--only", database)
    assert found["held"], found
    assert set(found[database]) == {"race", "killed", "closed", "open", "wrong"}
    assert found[database]["killed"]["over"] == 0.0
    assert found[database]["closed"]["over"] == 0.0
