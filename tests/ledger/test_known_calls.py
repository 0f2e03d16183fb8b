"""Before it is in the table, a call counts from its first sighting on, once: whoever tells of it, whatever dies."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event, wait_for
from sighted import SOURCES, facts, rows, sighting

from mesure.config import LedgerSettings, Settings
from mesure.ledger import Committer, Ledger, Spool, View, import_events
from mesure.ledger.known_calls import KnownCalls
from mesure.ledger.segments import find_segments
from mesure.ledger.sightings import merged
from mesure.record import UsageEvent

_LONG = LedgerSettings(commit_seconds=3600.0, commit_events=10_000)
_NOW = datetime.now(UTC).replace(microsecond=0)


def _seen(number: int, source: str, **fields: Any) -> UsageEvent:
    """A sighting of today, as a running service would get it."""
    return sighting(number, source, **{"started_at": _NOW + timedelta(seconds=number)} | fields)


class _House:
    """A spool and a committer without threads: steps are taken one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder)
        self.spool = Spool(folder / "spool")
        self._begin()

    def _begin(self) -> None:
        self.committer = Committer(self.ledger, self.folder / "spool", LedgerSettings(commit_events=1_000))
        self.committer._take_folder()
        self.committer._snapshot = self.ledger.snapshot()
        self.committer._heed(self.committer._snapshot.files)
        self.committer._find_segments(new=False)
        self.live: list[UsageEvent] = []
        self.committer.listen(self.live.extend, backlog=True)
        self.view = View(self.ledger, self.committer, Settings())

    def record(self, event: UsageEvent) -> None:
        assert self.spool.record(event)

    def tail(self) -> None:
        self.committer._tail()

    def commit(self) -> None:
        self.committer._commit()

    def compact(self) -> None:
        self.ledger.compact()
        self.committer._see_foreign()

    def restart(self) -> None:
        """The committer is killed: nothing is written, the system releases its files."""
        for segment in self.committer._segments.values():
            segment.close()
        self.committer._release_folder()
        self._begin()

    def counted(self) -> int:
        snapshot, recent = self.committer.consistent()
        return snapshot.rows + len(recent)

    def calls(self) -> int:
        """As a page has it."""
        found = self.view.totals(_NOW - timedelta(days=2), _NOW + timedelta(days=2), ())
        return sum(row.calls for row in found)

    def end(self) -> None:
        for segment in self.committer._segments.values():
            segment.close()
        self.committer._release_folder()
        self.spool.close()


def test_two_sightings_that_wait_are_one_call_and_the_later_one_refines_it(tmp_path):
    house = _House(tmp_path)
    house.record(_seen(1, "hook", input_tokens=90))
    house.tail()
    [shown] = house.committer.recent
    assert (shown.source, shown.input_tokens) == ("hook", 90)
    before = house.calls()
    house.record(_seen(1, "gateway", input_tokens=100))
    house.tail()
    [refined] = house.committer.recent
    assert (refined.source, refined.input_tokens, refined.use_case) == ("gateway", 100, "reply")
    assert refined.id == shown.id
    assert (before, house.calls()) == (1, 1)
    [total] = house.view.totals(_NOW - timedelta(days=1), _NOW + timedelta(days=1), ())
    assert total.tokens == 100 + (refined.output_tokens or 0), "what pages had priced is priced anew"
    assert sum(row.calls for row in house.committer.counters.rows()) == 1
    assert (house.committer.merged, house.committer.state.merged) == (1, 1)
    assert len(house.live) == 1
    house.commit()
    assert [facts(row) for row in rows(house.ledger)] == [facts(refined)]
    house.end()


def test_a_sighting_of_a_call_in_the_table_adds_nothing_until_it_refines_it(tmp_path):
    house = _House(tmp_path)
    house.record(_seen(1, "gateway"))
    house.tail()
    house.commit()
    house.record(_seen(1, "hook"))
    house.tail()
    assert (house.committer.recent, house.counted(), house.calls()) == ((), 1, 1)
    assert house.committer.state.recent == 1, "acknowledged, and waiting to be written"
    house.commit()
    assert [(row.source, row.use_case) for row in rows(house.ledger)] == [("gateway", "reply")]
    assert sum(row.calls for row in house.committer.counters.rows()) == 1
    house.end()


def test_a_call_of_before_the_start_is_found_in_the_table(tmp_path):
    house = _House(tmp_path)
    for number in range(5):
        house.record(_seen(number, "gateway", started_at=_NOW - timedelta(minutes=number)))
    house.tail()
    house.commit()
    house.restart()
    house.record(_seen(3, "hook", started_at=_NOW - timedelta(minutes=3, seconds=2)))
    house.record(_seen(9, "hook", started_at=_NOW - timedelta(minutes=3)))
    house.tail()
    assert [event.turn for event in house.committer.recent] == [9]
    assert house.counted() == house.calls() == 6
    house.end()


def test_a_call_that_an_import_brings_while_it_waits_counts_once(tmp_path):
    house = _House(tmp_path)
    house.record(_seen(1, "gateway"))
    house.tail()
    other = Ledger(tmp_path)
    import_events(other, "digest:settings", [_seen(n, "import") for n in (1, 2)])
    assert house.counted() == 1, "pages still show the version from before"
    house.committer._see_foreign()
    assert house.counted() == house.calls() == 2
    house.record(_seen(2, "hook"))
    house.tail()
    assert house.counted() == 2
    house.commit()
    assert [(row.turn, row.source) for row in rows(house.ledger)] == [(1, "gateway"), (2, "hook")]
    assert house.counted() == house.calls() == 2
    house.end()


def test_a_version_of_others_that_came_with_a_commit_is_heeded(tmp_path):
    """Between the reading of the table and the commit, an import came first."""
    house = _House(tmp_path)
    house.record(_seen(1, "gateway"))
    house.tail()
    append = house.ledger.append

    def late(*args, **kwargs):
        import_events(Ledger(tmp_path), "digest:settings", [_seen(n, "import") for n in (1, 2)])
        house.ledger.append = append
        return append(*args, **kwargs)

    house.ledger.append = late  # type: ignore[method-assign]
    house.commit()
    house.record(_seen(2, "hook"))
    house.tail()
    assert house.counted() == house.calls() == 2
    house.end()


def test_a_look_up_that_fails_loses_nothing(tmp_path, monkeypatch, caplog):
    house = _House(tmp_path)
    house.record(_seen(1, "gateway", started_at=_NOW - timedelta(minutes=9)))
    house.tail()
    house.commit()
    house.restart()
    [uri] = house.ledger.files()
    hidden = Path(uri).rename(tmp_path / "hidden")
    house.record(_seen(1, "hook", started_at=_NOW - timedelta(minutes=9)))
    house.tail()
    assert house.counted() == 2
    assert "could not be looked up" in caplog.text
    hidden.rename(uri)
    house.commit()
    assert house.counted() == house.calls() == 1, "the commit settles it"
    house.end()


def test_fields_of_a_wrong_type_are_a_call_like_others(tmp_path):
    house = _House(tmp_path)
    house.record(_seen(1, "hook"))
    house.record(_seen(1, "gateway", labels="not a table", input_tokens="many"))
    house.record(_seen(1, "callback", trace_id=["x"], response_id={"a": 1}))
    house.tail()
    assert house.counted() >= 2
    house.commit()
    assert house.counted() == house.calls() == house.ledger.count()
    house.end()


def test_what_is_remembered_is_bounded_and_what_is_forgotten_is_looked_up():
    known = KnownCalls(most=100)
    for number in range(1_000):
        call, new = known.take(_seen(number, "gateway"))
        assert new
        known.committed(call)
    assert len(known._by_key) == 200
    assert len(known._waiting) == 0
    assert known.take(_seen(950, "hook"))[1] is False
    [again] = [_seen(5, "hook")]
    assert again.started_at.timestamp() < known._all_since
    known.stored_rows([_seen(5, "gateway")])
    known.stored_rows([_seen(5, "gateway")])
    assert known.take(again)[1] is False
    assert len(known._stored) == 100


def test_what_is_in_the_future_does_not_have_everything_looked_up():
    known = KnownCalls()
    known.forget_before(int((_NOW + timedelta(days=400)).timestamp()))
    assert known._all_since <= (datetime.now(UTC) + timedelta(hours=2)).timestamp()


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(0, 7), st.sampled_from(sorted(set(SOURCES) - {"import"}))),
        st.tuples(st.sampled_from(["tail", "tail", "commit", "compact", "restart", "look"])),
        st.tuples(st.just("import"), st.sets(st.integers(0, 7), min_size=1, max_size=3)),
    ),
    max_size=22,
)


@settings(max_examples=40, deadline=None)
@given(steps=_STEPS)
def test_at_every_moment_each_call_counts_once(tmp_path_factory, steps):
    """Whatever is seen, read, committed, imported by another process, compacted or killed, in any order."""
    house = _House(tmp_path_factory.mktemp("house"))
    told: dict[int, list[UsageEvent]] = {}
    unread: list[int] = []
    seen: set[int] = set()
    for step, *given_values in steps:
        if step == "record":
            number, source = given_values
            keys = "rt"  # each names the call in full; what bridges two is the commit's to find
            event = _seen(number, source, keys=keys)
            if source == "gateway" and any(one.source == "gateway" for one in told.get(number, ())):
                continue  # it passes a call once
            told.setdefault(number, []).append(event)
            house.record(event)
            unread.append(number)
        elif step == "import":
            numbers = sorted(n for n in given_values[0] if not any(o.source == "import" for o in told.get(n, ())))
            lines = [_seen(number, "import", keys="rt") for number in numbers]
            import_events(Ledger(house.folder), f"digest-{len(told)}-{numbers}:s", lines)
            for line in lines:
                told.setdefault(line.turn or 0, []).append(line)
            seen.update(numbers)
            house.committer._see_foreign()
        elif step == "look":
            house.committer._see_foreign()
        else:
            getattr(house, step)()
            if step == "restart":  # what was read and not committed is read again
                unread, seen = sorted(told), {row.turn or 0 for row in rows(house.ledger)}
            if step == "tail":
                seen.update(unread)
                unread.clear()
        assert house.counted() == len(seen), (step, given_values)
    house.tail()
    assert house.counted() == house.calls() == len(told)
    house.commit()
    assert house.ledger.count() == len(told)
    for row in rows(house.ledger):
        sightings = told[row.turn or 0]
        assert facts(row) == facts(merged(sightings[0], sightings))
    house.end()


def test_sightings_of_killed_processes_count_once(tmp_path, quick):
    """kill -9 of writers and committers at work; each call is told of twice, the second time after the restart too."""
    from test_committer import _kill, _start

    told: list[int] = []
    for step in range(3):
        committer = _start("committer", tmp_path)
        assert committer.stdout is not None
        assert committer.stdout.readline() == b"started\n"
        writer = _start("sightings", tmp_path, 10_000 * step, 20_000)
        assert writer.stdout is not None
        told += [int(writer.stdout.readline()) for _ in range(60 + 90 * step)]
        told += _kill(committer if step % 2 else writer)
        told += _kill(writer if step % 2 else committer)
    again = Spool(tmp_path / "spool")
    for number in told[::3]:
        again.record(sighting(number, "hook"))
    again.close()
    last = Committer(ledger := Ledger(tmp_path, quick), tmp_path / "spool", quick)
    last.start()
    wait_for(lambda: not find_segments(tmp_path / "spool"))
    last.stop()
    calls = [row.turn for row in rows(ledger)]
    assert len(calls) == len(set(calls)), "a call is in the table twice"
    assert set(told) <= set(calls), "an acknowledged call is lost"
    assert len(set(calls) - set(told)) <= 3
    assert all(row.sightings for row in rows(ledger) if row.turn in told)


def test_pages_and_metrics_agree_while_several_sources_tell_at_once(tmp_path, quick):
    ledger = Ledger(tmp_path, quick)
    committer = Committer(ledger, tmp_path / "spool", quick)
    committer.start()
    spools = [Spool(tmp_path / "spool") for _ in range(3)]
    order = [(n, source) for n in range(300) for source in ("gateway", "hook", "callback")]
    random.Random(3).shuffle(order)
    for place, (number, source) in enumerate(order):
        assert spools[place % 3].record(_seen(number, source, keys="rt"))
    wait_for(lambda: committer.state.committed == 900)
    snapshot, recent = committer.consistent()
    assert (snapshot.rows, recent) == (300, ())
    assert sum(row.calls for row in committer.counters.rows()) == 300
    assert committer.merged == 600
    for spool in spools:
        spool.close()
    committer.stop()
    assert {row.source for row in rows(ledger)} == {"gateway"}


def test_a_call_without_a_key_is_its_own(tmp_path):
    house = _House(tmp_path)
    bare = make_event(1, started_at=_NOW)
    for _ in range(3):
        house.record(replace(bare, id=os.urandom(8).hex()))
    house.tail()
    assert house.counted() == 3
    house.end()
