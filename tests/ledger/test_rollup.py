"""What is kept between two looks: the same answers as reading everything anew, and little read."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import NOON, make_event

from mesure.ledger import Ledger
from mesure.ledger.cells import merged
from mesure.ledger.pricing import Pricer
from mesure.ledger.rollup import Recent, Rollup
from mesure.ledger.schema import second_of

_END = second_of(NOON) + 1
_PRICER = Pricer({})


def _events(count, seed=1, spread_s=7_200):
    draw = random.Random(seed)
    return [make_event(n, at_s=-draw.random() * spread_s, duration_ms=draw.random() * 9_000) for n in range(count)]


def _counted(table):
    return {cell.served: (sums.events, sums.tokens, round(sums.energy_mid, 9)) for cell, sums in table.items()}


def _independent(events, low, high):
    total: dict = {}
    for event in events:
        if low <= second_of(event.started_at) < high:
            cell, sums = _PRICER.price(event)
            events_, tokens, energy = total.get(cell.served, (0, 0, 0.0))
            total[cell.served] = (events_ + sums.events, tokens + sums.tokens, energy + sums.energy_mid)
    return {served: (e, t, round(energy, 9)) for served, (e, t, energy) in total.items()}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), max_size=12), st.integers(0, 7_200))
def test_following_any_moves_is_starting_anew(moves, length):
    """Events come in, are committed from the front, or all at once, or the committer starts again."""
    pool = iter(_events(200, seed=4))
    held: list = []
    recent = Recent(_PRICER)
    for kind, count in moves:
        if kind == 0:
            held = held + [next(pool) for _ in range(count)]
        elif kind == 1:
            held = held[count:]
        elif kind == 2:
            held = []
        else:
            held = list(held)  # the same events, in another sequence
        recent.follow(tuple(held))
        low = _END - length
        assert _counted(recent.cells.window(low, _END)) == _independent(held, low, _END)
        newest = sorted(held, key=lambda event: (event.started_at, event.id), reverse=True)[:5]
        assert recent.latest(_END, 5) == newest
        assert len(recent._priced) <= len({event.id for event in held})


def test_what_is_followed_is_priced_once(monkeypatch):
    pricer = Pricer({})
    priced = []
    price = pricer.price
    monkeypatch.setattr(pricer, "price", lambda event: priced.append(event.id) or price(event))
    recent, events = Recent(pricer), _events(30)
    for end in (5, 10, 30):
        recent.follow(tuple(events[:end]))
    recent.follow(tuple(events[12:]))  # some were committed
    assert sorted(priced) == sorted(event.id for event in events)


def test_events_ahead_of_the_clock_wait(tmp_path):
    ledger = Ledger(tmp_path)
    past, ahead = _events(30), [make_event(n, at_s=300.0 + n) for n in range(30)]
    ledger.append([*past, *ahead], {})
    snapshot, rollup = ledger.snapshot(), Rollup(_PRICER)
    rollup.load(snapshot, _END - 86_400, _END, edges=(_END,))
    found = rollup.latest(snapshot, _END, 20)
    expected = sorted(past, key=lambda event: (event.started_at, event.id), reverse=True)[:20]
    assert [event.id for event in found] == [event.id for event in expected]
    later = _END + 310
    rollup.load(snapshot, _END - 86_400, later, edges=(later,))
    assert [event.turn for event in rollup.latest(snapshot, later, 3)] == [10, 9, 8]


@pytest.mark.parametrize("few", [0, 1 << 30])
def test_a_new_version_costs_its_new_files_only(tmp_path, monkeypatch, few):
    monkeypatch.setattr("mesure.ledger.rollup._FEW", few)
    ledger, rollup = Ledger(tmp_path), Rollup(_PRICER)
    read: list[str] = []
    engine = rollup._engine
    rows, grouped = engine._rows, engine._grouped
    monkeypatch.setattr(engine, "_rows", lambda part, order: read.extend(part.uris) or rows(part, order))
    monkeypatch.setattr(engine, "_grouped", lambda part, **how: read.extend(part.uris) or grouped(part, **how))
    events: list = []
    for number in range(4):
        batch = _events(25, seed=number)
        events += batch
        ledger.append(batch, {})
        snapshot = ledger.snapshot()
        before = {file.uri for file in snapshot.files}
        rollup.load(snapshot, _END - 86_400, _END, edges=(_END,))
        assert set(read) <= before
        assert len(set(read)) == 1
        read.clear()
        found = merged(cells.window(_END - 5_000, _END - 100) for cells in _with_edges(rollup, snapshot))
        assert _counted(found) == _independent(events, _END - 5_000, _END - 100)
        read.clear()


def _with_edges(rollup, snapshot):
    rollup.load(snapshot, _END - 86_400, _END, edges=(_END - 5_000, _END - 100))
    return list(rollup.all())


def test_files_that_a_compaction_replaced_are_forgotten(tmp_path):
    ledger, rollup = Ledger(tmp_path), Rollup(_PRICER)
    for number in range(3):
        ledger.append(_events(10, seed=number), {})
    rollup.load(ledger.snapshot(), _END - 86_400, _END, edges=(_END,))
    assert len(list(rollup.all())) == 3
    ledger.compact()
    snapshot = ledger.snapshot()
    rollup.load(snapshot, _END - 86_400, _END, edges=(_END,))
    assert len(list(rollup.all())) == len(snapshot.files) == 1
    assert sum(s.events for c in rollup.all() for s in c.window(_END - 86_400, _END).values()) == 30


@pytest.mark.parametrize("back_s", [0, 1, 899, 900, 901, 5_000])
def test_a_clock_put_back_gives_what_it_gave(tmp_path, back_s):
    ledger, rollup = Ledger(tmp_path), Rollup(_PRICER)
    events = _events(60)
    ledger.append(events, {})
    snapshot = ledger.snapshot()
    for end in (_END, _END - back_s, _END):
        rollup.load(snapshot, _END - 86_400, end, edges=(end,))
        found = merged(cells.window(_END - 86_400, end) for cells in rollup.all())
        assert _counted(found) == _independent(events, _END - 86_400, end)
        ended = sum(s.calls for c in rollup.all() for t in c.ended.seconds.values() for s in t.values())
        since = end - 3_700
        assert ended >= sum(
            1
            for event in events
            if since <= second_of(event.started_at + timedelta(milliseconds=event.duration_ms or 0)) < end
        )
