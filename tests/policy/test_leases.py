from __future__ import annotations

import random

import pytest

from mesure.policy.leases import LEASE_S, Account, Ask, Leases, Standing

ACCOUNT = Account("team", 1_793_491_200_000, 100.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(store, clock) -> Leases:
    return Leases(store, "here", clock=clock)


def ask(spent=0.0, need=0.0, *, reported=0.0, keep=0.0, wish=0.0, account=ACCOUNT):
    return Ask(account, spent, reported, keep, need, wish)


def test_what_is_granted_is_taken_from_the_limit(leases):
    [first] = leases.renew("a", [ask(need=60.0)])
    assert (first.granted, first.free) == (60.0, 40.0)
    [second] = leases.renew("b", [ask(need=60.0)])
    assert (second.granted, second.free) == (40.0, 0.0)
    assert leases.renew("c", [ask(need=1.0)])[0].granted == 0.0
    assert leases.standing(ACCOUNT) == Standing(0.0, 100.0, 0.0)


def test_what_is_spent_stays_spent_and_the_rest_goes_back(leases):
    leases.renew("a", [ask(need=60.0)])
    [after] = leases.renew("a", [ask(spent=25.0, keep=5.0)])
    assert (after.granted, after.free) == (30.0, 70.0)
    assert leases.standing(ACCOUNT) == Standing(25.0, 5.0, 0.0)
    leases.close("a", [(ACCOUNT, 27.0)])
    assert leases.standing(ACCOUNT) == Standing(27.0, 0.0, 0.0)


def test_stocks_are_small_where_little_is_left(leases):
    [stocked] = leases.renew("a", [ask(wish=80.0)])
    assert stocked.granted == 10.0
    leases.renew("b", [ask(need=85.0)])
    [small] = leases.renew("c", [ask(wish=80.0)])
    assert small.granted == pytest.approx(0.5)
    [needed] = leases.renew("c", [ask(need=4.0, keep=0.5)])
    assert needed.granted == pytest.approx(4.0)


def test_a_report_that_is_sent_twice_counts_once(leases):
    leases.renew("a", [ask(need=50.0)])
    for _ in range(3):
        leases.renew("a", [ask(spent=20.0, keep=30.0)])
    assert leases.standing(ACCOUNT).spent == 20.0


def test_one_that_was_closed_begins_anew_and_counts_nothing_twice(leases):
    leases.renew("a", [ask(need=50.0)])
    leases.renew("a", [ask(spent=20.0, keep=30.0)])
    leases.close("a", [(ACCOUNT, 20.0)])
    [again] = leases.renew("a", [ask(spent=26.0, reported=20.0, keep=24.0, need=2.0)])
    assert again.fresh
    assert again.granted == 8.0  # 6 not reported yet, 2 wanted
    assert leases.standing(ACCOUNT) == Standing(26.0, 2.0, 0.0)


def test_the_lease_of_a_dead_worker_stays_taken_until_the_ledger_speaks(leases, clock):
    leases.renew("dead", [ask(need=30.0)])
    leases.renew("dead", [ask(spent=4.0, keep=26.0)])
    clock.now += LEASE_S + 1
    assert leases.standing(ACCOUNT) == Standing(4.0, 26.0, 26.0)
    leases.settle(ACCOUNT, 9.0)  # too early for clocks that differ: only noted
    assert leases.standing(ACCOUNT).held == 26.0
    clock.now += 60.0
    leases.settle(ACCOUNT, 9.0)  # 5 more than it had reported
    assert leases.standing(ACCOUNT) == Standing(9.0, 0.0, 0.0)


def test_a_living_lease_is_not_settled(leases, clock):
    leases.renew("alive", [ask(need=30.0)])
    clock.now += LEASE_S - 1
    leases.renew("alive", [ask(spent=1.0, keep=29.0)])
    clock.now += LEASE_S - 1
    leases.settle(ACCOUNT, 1.0)
    assert leases.standing(ACCOUNT).held == 29.0


def test_use_that_came_another_way_counts_by_the_ledger(leases):
    leases.settle(ACCOUNT, 70.0)
    assert leases.standing(ACCOUNT).spent == 70.0
    [grant] = leases.renew("a", [ask(need=100.0)])
    assert grant.granted == 30.0


def test_each_machine_answers_for_its_own(store, clock):
    here, there = Leases(store, "here", clock=clock), Leases(store, "there", clock=clock)
    here.renew("a", [ask(need=10.0)])
    there.renew("b", [ask(need=10.0)])
    here.renew("a", [ask(spent=10.0)])
    there.renew("b", [ask(spent=10.0)])
    here.settle(ACCOUNT, 15.0)
    there.settle(ACCOUNT, 8.0)  # its ledger is behind what its worker reported
    assert here.standing(ACCOUNT).spent == 25.0
    clock.now += 2 * LEASE_S
    here.settle(ACCOUNT, 15.0)
    assert there.standing(ACCOUNT).spent == 25.0


def test_accounts_are_apart(leases):
    other = ACCOUNT._replace(budget="other", limit=5.0)
    later = ACCOUNT._replace(period_ms=ACCOUNT.period_ms + 86_400_000)
    grants = leases.renew("a", [ask(need=90.0), ask(need=90.0, account=other), ask(need=90.0, account=later)])
    assert [grant.granted for grant in grants] == [90.0, 5.0, 90.0]
    assert leases.forget(ACCOUNT.period_ms + 1) == 2
    assert leases.standing(later).held == 90.0


@pytest.mark.parametrize("seed", range(6))
def test_whatever_workers_do_no_more_than_the_limit_is_out(leases, clock, seed):
    """Grants, reports, deaths, closings and settlements in any order; the ledger knows what was really spent."""
    draw = random.Random(seed)
    granted, spent, reported, truth = {}, {}, {}, 0.0
    for step in range(60):
        name = f"w{draw.randrange(4)}-{step // 20}"
        clock.now += draw.choice((0.1, 1.0, 30.0))
        left = granted.get(name, 0.0) - spent.get(name, 0.0)
        if name in granted and draw.random() < 0.6:
            part = left * draw.random()
            spent[name] = spent.get(name, 0.0) + part
            truth += part
            left -= part
        if draw.random() < 0.1 and name in granted:
            leases.close(name, [(ACCOUNT, spent.get(name, 0.0))])
            granted.pop(name), spent.pop(name, None), reported.pop(name, None)
            continue
        keep = left * draw.random()
        [grant] = leases.renew(
            name,
            [ask(spent.get(name, 0.0), draw.uniform(0, 20), reported=reported.get(name, 0.0), keep=keep, wish=5.0)],
        )
        granted[name], reported[name] = grant.granted, spent.get(name, 0.0)
        if draw.random() < 0.2:
            leases.settle(ACCOUNT, truth)
        standing = leases.standing(ACCOUNT)
        assert standing.spent + standing.held <= ACCOUNT.limit + 1e-6
        assert truth <= ACCOUNT.limit + 1e-6
        assert grant.free >= 0.0
