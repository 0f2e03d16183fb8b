"""What is reported for a period stands beside the calls seen in it: never added, the rest shown as what it is."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.config import LedgerSettings, Settings
from mesure.impact.methods import method
from mesure.ledger import Basis, Committer, Ledger, Pricer, Spool, View, recomputed, traffic_in
from mesure.ledger.cut import Cut
from mesure.ledger.engine import Engine, Slice
from mesure.ledger.reconcile import Amount, Reconciler
from mesure.ledger.sightings import is_report
from mesure.record import UsageEvent, new_id

DAY = datetime(2026, 11, 20, tzinfo=UTC)
_SINCE, _UNTIL = DAY - timedelta(days=30), DAY + timedelta(days=10)
_MODEL = {"provider": "openai", "model_requested": "gpt-4o", "model_answered": None}


def report(calls: int, read: int | None, written: int | None, **fields: Any) -> UsageEvent:
    """A day of a model, as a provider's export has it."""
    given = {
        "basis": "exported",
        "source": "import",
        "started_at": DAY,
        "ended_at": DAY + timedelta(days=1),
        "calls_count": calls,
        "input_tokens": read,
        "output_tokens": written,
        "team": None,
        "duration_ms": None,
        "origin": "export:2",
        **_MODEL,
    } | fields
    return make_event(0, **given)


def calls(count: int, **fields: Any) -> list[UsageEvent]:
    """Calls of that day and model, of 100 tokens in and 20 out each."""
    given = {"input_tokens": 100, "output_tokens": 20, **_MODEL} | fields
    start = given.pop("started_at", DAY + timedelta(hours=9))
    return [make_event(n, started_at=start + timedelta(seconds=n), **given) for n in range(count)]


def _view(ledger: Ledger, *events: UsageEvent) -> View:
    ledger.append(list(events), {})
    return View(ledger, None, Settings())


def _total(view: View) -> Any:
    [row] = view.totals(_SINCE, _UNTIL, ())
    return row


# --- small cases ---


def test_what_was_not_seen_is_one_line_of_its_own(ledger):
    view = _view(ledger, *calls(6, team="a"), report(10, 1_000, 200))
    by_basis = {row.key: (row.calls, row.tokens) for row in view.totals(_SINCE, _UNTIL, ("basis",))}
    assert by_basis == {("observed",): (6, 720), ("exported",): (4, 480)}
    assert {row.key: row.calls for row in view.totals(_SINCE, _UNTIL, ("team",))} == {("a",): 6, (None,): 4}
    found = view.reconciled(_SINCE, _UNTIL)
    assert found.unseen is not None
    assert (found.unseen.calls, found.unseen.tokens, found.beyond_calls, found.declared) == (4, 480, 0, None)
    [row] = found.rows
    assert (row.provider, row.model, row.reported_calls, row.seen_calls, row.seen_tokens) == (
        "openai", "gpt-4o", 10, 6, 720,
    )  # fmt: skip
    alone = Pricer({}).impacts(report(4, 400, 80))
    assert found.unseen.energy_wh[:3] == pytest.approx(alone.energy_wh[:3])
    assert _total(view).energy_wh.mid == pytest.approx(
        alone.energy_wh.mid + sum(Pricer({}).impacts(event).energy_wh.mid for event in calls(6))
    )


def test_more_seen_than_reported_takes_nothing_away(ledger):
    view = _view(ledger, *calls(9), report(5, 500, 100))
    found = view.reconciled(_SINCE, _UNTIL)
    assert (_total(view).calls, found.unseen, found.beyond_calls) == (9, None, 4)


def test_all_that_is_reported_was_seen(ledger):
    view = _view(ledger, *calls(5), report(5, 500, 100))
    found = view.reconciled(_SINCE, _UNTIL)
    assert (_total(view).calls, found.unseen, found.beyond_calls) == (5, None, 0)
    assert found.rows[0].unseen is None


def test_tokens_that_calls_did_not_tell_are_in_what_is_reported(ledger):
    """A stream whose usage nobody saw: the call counts once, its tokens come with the export."""
    view = _view(ledger, *calls(5, output_tokens=None), report(5, 500, 100))
    found = view.reconciled(_SINCE, _UNTIL).unseen
    assert found is not None
    assert (found.calls, found.tokens, _total(view).calls) == (0, 100, 5)


def test_a_report_without_calls_seen_is_held_as_it_is(ledger):
    """Nothing but an export: its images, cost and everything else stay."""
    whole = report(10, 1_000, 200, cost=3.0, cost_currency="EUR", reasoning_tokens=50)
    view = _view(ledger, whole)
    [report_of] = Reconciler(Pricer({})).reports(ledger.snapshot(), ())
    assert [replace(event, ingested_at=None) for event in report_of.residue] == [whole]
    assert (_total(view).calls, _total(view).tokens) == (10, 1_200)
    assert view.event(whole.id) is not None


def test_counts_that_a_report_does_not_give_stay_unknown(ledger):
    ledger.append([*calls(2), report(10, None, 200)], {})
    [found] = Reconciler(Pricer({})).reports(ledger.snapshot(), ())
    [rest] = found.residue
    assert (rest.calls_count, rest.input_tokens, rest.output_tokens, rest.cached_input_tokens) == (8, None, 160, None)
    assert rest.checked() is rest


def test_cached_tokens_of_the_rest_are_part_of_its_input(ledger):
    ledger.append([*calls(9, cached_input_tokens=0), report(10, 1_000, 200, cached_input_tokens=900)], {})
    [rest] = Reconciler(Pricer({})).reports(ledger.snapshot(), ())[0].residue
    assert (rest.input_tokens, rest.cached_input_tokens) == (100, 100)
    assert rest.checked() is rest


# --- what is compared with what ---


@pytest.mark.parametrize(
    "other",
    [
        {"provider": "azure"},
        {"model_requested": "gpt-4o-mini"},
        {"started_at": DAY - timedelta(seconds=9)},
        {"started_at": DAY + timedelta(days=1)},
    ],
)
def test_calls_of_another_provider_model_or_day_are_not_in_the_report(ledger, other):
    view = _view(ledger, *calls(3, **other), report(3, 300, 60))
    assert _total(view).calls == 6


def test_a_model_is_the_same_under_each_of_its_names(ledger):
    view = _view(ledger, *calls(3, model_requested="gpt-4o-2024-11-20"), report(3, 300, 60))
    assert _total(view).calls == 3


def test_a_report_without_a_model_is_of_all_of_them(ledger):
    one, other = calls(2), calls(3, model_requested="gpt-4o-mini")
    view = _view(ledger, *one, *other, report(9, 900, 180, model_requested=None))
    found = view.reconciled(_SINCE, _UNTIL)
    assert found.unseen is not None
    assert (found.unseen.calls, found.rows[0].model) == (4, None)


def test_a_report_of_an_application_is_compared_with_its_calls_alone(ledger):
    mine, others = calls(2, application="portal"), calls(5, application="bot")
    view = _view(ledger, *mine, *others, report(6, 600, 120, application="portal"))
    assert _total(view).calls == 7 + 4
    again = _view(ledger, report(11, 1_100, 220))
    assert _total(again).calls == 11, "the day's whole stands on the application's part"


def test_the_same_day_in_two_exports_counts_once(ledger):
    week, month = report(10, 1_000, 200, origin="week:4"), report(12, 1_200, 240, origin="month:9")
    view = _view(ledger, *calls(3), week, month)
    assert _total(view).calls == 12
    keys = [report(4, 400, 80, origin=f"keys:{line}") for line in (1, 2, 3, 4)]
    assert _total(_view(ledger, *keys)).calls == 16, "lines of one export add up"


def test_hours_stand_under_their_day(ledger):
    hours = [
        report(2, 200, 40, started_at=DAY + timedelta(hours=h), ended_at=DAY + timedelta(hours=h + 1), origin=f"h:{h}")
        for h in range(5)
    ]
    view = _view(ledger, *hours, *calls(1, started_at=DAY + timedelta(hours=3)), report(12, 1_200, 240))
    assert _total(view).calls == 12


def test_a_declaration_stands_on_what_is_reported(ledger):
    seats = report(30, 3_000, 600, basis="declared", source="profile", origin=None)
    view = _view(ledger, *calls(3), report(10, 1_000, 200), seats)
    found = view.reconciled(_SINCE, _UNTIL)
    assert found.unseen is not None
    assert found.declared is not None
    assert (found.unseen.calls, found.declared.calls, _total(view).calls) == (7, 20, 30)
    assert [row.declared for row in found.rows] == [False, True]


def test_a_period_that_is_not_said_is_the_day(ledger):
    view = _view(ledger, *calls(3), report(5, 500, 100, started_at=DAY + timedelta(hours=4), ended_at=None))
    assert _total(view).calls == 5


# --- every reader says the same ---


@settings(max_examples=40, deadline=None)
@given(
    seen=st.lists(st.tuples(st.sampled_from(["gpt-4o", "gpt-4o-mini"]), st.integers(0, 2)), max_size=9),
    reported=st.dictionaries(
        st.tuples(st.sampled_from(["gpt-4o", "gpt-4o-mini"]), st.integers(0, 2)), st.integers(1, 9), max_size=6
    ),
    draw=st.randoms(use_true_random=False),
)
def test_totals_are_the_larger_of_seen_and_reported_in_any_order(tmp_path_factory, seen, reported, draw):
    """By model and day, whatever came first and in however many commits."""
    day = timedelta(days=1)
    events = [call for model, n in seen for call in calls(1, model_requested=model, started_at=DAY + n * day)]
    for line, ((model, n), count) in enumerate(reported.items()):
        start = DAY + n * day
        told = {"model_requested": model, "started_at": start, "ended_at": start + day, "origin": f"export:{line}"}
        events.append(report(count, 100 * count, 20 * count, **told))
    draw.shuffle(events)
    ledger = Ledger(tmp_path_factory.mktemp("reconcile"))
    half = len(events) // 2
    for part in (events[:half], events[half:]):
        if part:
            ledger.append(part, {})
    cells = {*seen, *reported}
    expected = sum(max(seen.count(cell), reported.get(cell, 0)) for cell in cells)
    view = View(ledger, None, Settings())
    rows = view.totals(_SINCE, _UNTIL, ())
    assert sum(row.calls for row in rows) == expected
    assert sum(row.tokens for row in rows) == 120 * expected
    found = view.reconciled(_SINCE, _UNTIL)
    beyond = sum(max(0, seen.count(cell) - reported[cell]) for cell in reported)
    assert found.beyond_calls == beyond
    assert (found.unseen.calls if found.unseen else 0) == expected - len(seen)


def test_pages_traffic_and_exploring_agree(ledger):
    draw = random.Random(4)
    seen = [call for n in range(4) for call in calls(draw.randrange(9), started_at=DAY + timedelta(days=n, hours=3))]
    told = [
        report(6, 600, 120, started_at=DAY + timedelta(days=n), ended_at=DAY + timedelta(days=n + 1)) for n in range(4)
    ]
    view = _view(ledger, *seen, *told)
    total = _total(view)
    overview = view.overview(DAY + timedelta(days=6))
    assert overview.month.calls == total.calls
    assert overview.reconciled is not None
    assert overview.reconciled.unseen == view.reconciled(DAY - timedelta(days=19), DAY + timedelta(days=6)).unseen
    assert all(not is_report(found) for call in overview.last_calls if (found := view.event(call.id)) is not None)
    assert len(overview.last_calls) == min(20, len(seen))
    explored = view.explore(Cut(since=_SINCE, until=_UNTIL), "energy_wh").total()
    assert explored.calls == total.calls
    again = recomputed(traffic_in(ledger, {}), Basis(method("mesure"), _catalogue()))
    assert again.calls == total.calls
    assert again.energy_wh is not None
    assert again.energy_wh[:3] == pytest.approx(total.energy_wh[:3], rel=1e-9)


def _catalogue() -> Any:
    from mesure.catalogue import current

    return current()


def test_what_waits_is_compared_too_and_is_no_call_of_the_metrics(tmp_path, quick):
    slow = LedgerSettings(commit_seconds=3600.0)
    ledger, spool = Ledger(tmp_path, slow), Spool(tmp_path / "spool")
    committer = Committer(ledger, tmp_path / "spool", slow)
    committer.start()
    view = View(ledger, committer, Settings())
    for event in (*calls(3), report(5, 500, 100, source="otlp", origin="otlp:1", id=new_id())):
        assert spool.record(event)
    from ledger_events import wait_for

    wait_for(lambda: len(committer.recent) == 4)
    assert _total(view).calls == 5
    assert sum(row.calls for row in committer.counters.rows()) == 3
    spool.close()
    committer.stop()
    assert _total(View(ledger, None, Settings())).calls == 5


def test_files_are_read_once_and_unchanged_reports_are_the_same_object(ledger, monkeypatch):
    ledger.append([*calls(3), report(5, 500, 100)], {})
    reconciler = Reconciler(Pricer({}))
    asked: list[Slice] = []
    for name in ("events", "seen"):
        read = getattr(Engine, name)

        def counted(self: Engine, part: Slice, *rest: Any, read: Any = read) -> Any:
            asked.append(part)
            return read(self, part, *rest)

        monkeypatch.setattr(Engine, name, counted)
    first = reconciler.reports(ledger.snapshot(), ())
    assert len(asked) == 2
    assert reconciler.reports(ledger.snapshot(), ()) is first
    ledger.append(calls(1, started_at=DAY + timedelta(hours=20)), {})
    [found] = reconciler.reports(ledger.snapshot(), ())
    assert found.seen.calls == 4
    assert [len(part.uris) for part in asked] == [1, 1, 1, 1]
    assert reconciler.reports(Ledger(ledger.path.parent / "none").snapshot(), ()) == ()


def test_reports_and_calls_are_told_apart_alike_in_the_table(ledger):
    odd = [
        {},
        {"basis": "declared"},
        {"basis": "exported", "source": "import"},
        {"basis": "exported", "source": "otlp"},
        {"basis": "exported", "source": "import", "calls_count": 2},
        {"basis": "exported", "source": "import", "calls_count": 0},
        {"basis": "exported", "source": "import", "ended_at": DAY + timedelta(minutes=59)},
        {"basis": "exported", "source": "import", "ended_at": DAY + timedelta(hours=1)},
        {"basis": "observed", "calls_count": 0},
    ]
    events = [make_event(n, started_at=DAY, **fields) for n, fields in enumerate(odd)]
    ledger.append(events, {})
    engine, uris = Engine(Pricer({})), tuple(ledger.files())
    for kind, expected in (("reports", True), ("calls", False)):
        found = {event.turn for _, event in engine.events(Slice(uris, 0, kind=kind))}  # type: ignore[arg-type]
        assert found == {event.turn for event in events if is_report(event) is expected}
    assert len(engine.events(Slice(uris, 0, kind="all"))) == len(odd)


def test_amounts():
    one, other = Amount(3, 10, 5, 2), Amount(1, 20, 1, 2)
    assert one.plus(other) == (4, 30, 6, 4)
    assert one.beyond(other) == (2, 0, 4, 0)
    assert (one.tokens, Amount.of(report(2, None, 7))) == (12, (2, 0, 0, 7))
