"""One call seen by several sources counts once: laws, precedence, what stays apart, and what can be taken out again."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import NOON, make_event
from sighted import SEEN_CALLS, SOURCES, facts, rows, sighting

from mesure.config import Settings
from mesure.ledger import Ledger, View, import_events
from mesure.ledger.once import counted_once
from mesure.ledger.sightings import MOST_SIGHTINGS, is_aggregate, keys_of, keys_within, merged, sightings_of
from mesure.record import UsageEvent

_WINDOW = (NOON - timedelta(days=40), NOON + timedelta(days=40))


def _totals(ledger: Ledger) -> Any:
    [row] = View(ledger, None, Settings()).totals(*_WINDOW, ())
    return row


def _one(*told: UsageEvent) -> UsageEvent:
    return merged(told[0], told)


# --- laws ---


@settings(max_examples=25, deadline=None)
@given(SEEN_CALLS, st.randoms(use_true_random=False), st.data())
def test_any_order_any_sources_any_batching_give_the_same_rows(tmp_path_factory, calls, draw, data):
    told = [sighting(number, source) for number, seen_by in enumerate(calls) for source in seen_by]
    expected = [
        facts(_one(*(one for one in told if one.turn == number))) | {"turn": number} for number in range(len(calls))
    ]
    draw.shuffle(told)
    ledger = Ledger(tmp_path_factory.mktemp("once"))
    while told:
        size = data.draw(st.integers(1, len(told)))
        ledger.append(told[:size], {})
        told = told[size:]
    found = rows(ledger)
    assert ledger.count() == len(calls)
    assert [facts(row) for row in found] == expected


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(sorted(SOURCES)), min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_a_call_is_what_was_told_of_it_in_any_order_and_by_any_steps(seen_by, draw):
    told = [sighting(1, source, id=f"i-{n}", input_tokens=100 + n % 3) for n, source in enumerate(seen_by)]
    whole = _one(*told)
    draw.shuffle(told)
    known = told[0]
    for one in told[1:]:
        known = merged(known, [*sightings_of(known), one])
    assert facts(known) == facts(whole) or len({one.input_tokens for one in told}) < len(told)
    assert known.id == told[0].id
    assert merged(known, sightings_of(known)) == known, "nothing new changes nothing"


@settings(max_examples=100, deadline=None)
@given(SEEN_CALLS, st.randoms(use_true_random=False))
def test_delivered_again_it_counts_once(calls, draw):
    told = [sighting(number, source) for number, seen_by in enumerate(calls) for source in seen_by]
    again = [one if one.source == "gateway" else replace(one, id=f"again-{one.id}") for one in told]
    first = counted_once(told, [], NOON)
    draw.shuffle(again)
    stored = [replace(row, ingested_at=row.ingested_at or NOON) for row in first.new]
    second = counted_once(again, stored, NOON + timedelta(hours=1))
    assert len(first.new) == len(calls)
    assert (second.new, second.changed, second.gone) == ([], [], [])
    assert first.merged + len(first.new) == len(told)
    assert second.merged == len(again)


# --- what rules ---


def test_the_most_direct_sighting_rules_and_the_others_fill_its_gaps():
    gateway = sighting(1, "gateway", team=None, use_case=None, duration_ms=800.0)
    hook = sighting(1, "hook", team="support", duration_ms=950.0)
    log = sighting(1, "import", team="finance", user="u-7")
    one = _one(log, hook, gateway)
    assert (one.source, one.duration_ms, one.http_status) == ("gateway", 800.0, 200)
    assert (one.team, one.use_case, one.user) == ("support", "reply", "u-7")
    assert (one.cost, one.cost_currency) == (0.5, "EUR")
    assert one.basis == "observed"
    assert one.origin is None, "the line of a file is said of that sighting, not of the call"
    assert one.id == log.id, "links to a call go on working"


def test_a_measured_energy_goes_before_all_others_and_comes_whole():
    gateway = sighting(1, "gateway", energy_j=50.0, energy_low_j=40.0, energy_status="modelled", energy_scope="process")
    sensor = sighting(1, "sensor")
    one = _one(gateway, sensor)
    assert (one.energy_j, one.energy_low_j, one.energy_status, one.energy_scope) == (90.0, None, "measured", "server")
    assert one.route == "direct"


def test_tokens_that_the_provider_counted_go_before_a_count_of_ours():
    ours = sighting(1, "gateway", input_tokens=97, output_tokens=11, tokens_reported=False)
    theirs = sighting(1, "hook", input_tokens=100, output_tokens=12, cached_input_tokens=98, tokens_reported=True)
    one = _one(ours, theirs)
    assert (one.input_tokens, one.output_tokens, one.cached_input_tokens) == (100, 12, 98)
    assert one.tokens_reported is True
    assert one.source == "gateway"


def test_parts_of_a_count_are_taken_only_with_the_same_whole():
    """Cached tokens of one count could exceed the input of another."""
    gateway = sighting(1, "gateway", input_tokens=100, tokens_reported=True)
    other = sighting(1, "hook", input_tokens=300, cached_input_tokens=250, reasoning_tokens=5)
    one = _one(gateway, other)
    assert (one.input_tokens, one.cached_input_tokens, one.reasoning_tokens) == (100, None, 5)
    assert one.checked() is one
    same = _one(gateway, replace(other, input_tokens=100, cached_input_tokens=60))
    assert same.cached_input_tokens == 60


def test_labels_add_up_and_an_environment_that_was_stated_stays():
    gateway = sighting(1, "gateway", labels={"a": "1", "b": "1"})
    hook = sighting(1, "hook", labels={"b": "2", "c": "2"}, environment="test")
    one = _one(gateway, hook)
    assert one.labels == {"a": "1", "b": "1", "c": "2"}
    assert one.environment == "test"


def test_an_end_before_the_start_is_left_out():
    gateway = sighting(1, "gateway")
    hook = sighting(1, "hook", started_at=NOON - timedelta(minutes=5), ended_at=NOON - timedelta(minutes=4))
    assert _one(gateway, hook).ended_at is None


def test_a_call_is_booked_when_it_was_first_seen():
    early, late = NOON + timedelta(hours=1), NOON + timedelta(hours=5)
    hook, gateway = sighting(1, "hook", ingested_at=early), sighting(1, "gateway", ingested_at=late)
    assert _one(gateway, hook).ingested_at == early
    told = orjson.loads(_one(gateway, hook).sightings or "")
    assert [one["source"] for one in told] == ["gateway", "hook"]
    assert {one["id"] for one in told} == {hook.id, gateway.id}


def test_sightings_of_one_call_are_bounded():
    told = [sighting(1, "hook", use_case=f"u-{n}") for n in range(3 * MOST_SIGHTINGS)]
    one = _one(sighting(1, "gateway"), *told)
    assert len(sightings_of(one)) == MOST_SIGHTINGS
    assert one.source == "gateway"
    assert counted_once([*told, sighting(1, "gateway")], [], NOON).merged == len(told)


# --- what is one call ---


def test_keys_from_the_strongest():
    hook = sighting(3, "hook", id="h")
    assert keys_of(hook) == ("r:chatcmpl-" + f"{3:024d}", f"t:{3:032x}:{3:016x}", "i:h")
    assert keys_of(replace(hook, response_id="chatcmpl-417", span_id=None)) == ("i:h",), "417 is no identity"
    assert keys_of(sighting(3, "gateway", keys="")) == ()
    assert keys_of(make_event(0, id="p", source="callback", origin="api:2026-11-22")) == ("o:api:2026-11-22", "i:p")
    assert keys_of(make_event(0, response_id=7, trace_id=b"x", span_id=[1])) == (), "of a wrong type"


def test_providers_are_named_differently_by_those_who_see_one_call():
    gateway, hook = sighting(1, "gateway", provider="mistral"), sighting(1, "hook", provider="openai", keys="r")
    [one] = counted_once([hook, gateway], [], NOON).new
    assert one.provider == "mistral"


def test_a_sighting_may_show_that_two_rows_are_one_call(ledger):
    by_span, by_response = sighting(1, "otlp"), sighting(1, "callback")
    ledger.append([by_span], {})
    ledger.append([by_response], {})
    assert ledger.count() == 2
    ledger.append([sighting(1, "gateway")], {"segment": 9})
    [one] = rows(ledger)
    assert (one.id, one.application, one.cost, one.source) == (by_span.id, "portal", 0.25, "gateway")
    assert ledger.transaction_version("segment") == 9


def test_calls_within_one_span_stay_apart():
    """An agent's span holds several calls, and the gateway sees the caller's span on each."""
    span = {"trace_id": "a" * 32, "span_id": "b" * 16}
    calls = [sighting(n, "gateway", keys="r", **span) for n in range(3)]
    assert len(counted_once(calls, [], NOON).new) == 3
    assert len(counted_once([replace(one, response_id=None) for one in calls], [], NOON).new) == 3
    hook = sighting(9, "hook", keys="", **span)
    for order in ([hook, *calls], [*calls, hook]):
        assert len(counted_once(order, [], NOON).new) == 3


def test_lines_of_one_file_stay_apart():
    same = [sighting(1, "import", origin=f"digest:{line}") for line in (1, 2)]
    assert len(counted_once(same, [], NOON).new) == 2
    other = sighting(1, "import", origin="another:1")
    assert len(counted_once([same[0], other], [], NOON).new) == 1


def test_an_aggregate_is_no_sighting_of_a_call():
    day = make_event(1, basis="exported", source="import", calls_count=40, ended_at=NOON + timedelta(days=1))
    assert is_aggregate(day)
    assert is_aggregate(replace(day, calls_count=1)), "a day with one call"
    assert is_aggregate(replace(day, basis="declared", calls_count=1))
    assert not is_aggregate(replace(day, basis="observed"))
    assert not is_aggregate(replace(day, calls_count=1, ended_at=NOON + timedelta(seconds=9)))
    assert not is_aggregate(replace(day, calls_count=1, response_id="chatcmpl-0123456789abcdef"))
    told_twice = replace(day, source="callback", origin="usage-api:2026-11-22:gpt-4o")
    more = replace(told_twice, id="later", calls_count=55)
    [one] = counted_once([more, told_twice], [], NOON).new
    assert one.calls_count == 55, "a day told again replaces what was told of it"


def test_fields_of_a_wrong_type_hold_up_nobody(caplog):
    hook = sighting(1, "hook")
    odd = replace(sighting(1, "gateway"), labels={"a": {1, 2}})  # type: ignore[dict-item]
    found = counted_once([hook, odd, make_event(2)], [], NOON)
    assert len(found.new) == 3
    assert "could not be merged" in caplog.text


def test_sightings_that_are_not_ours_are_left_aside():
    for text in ("[", "7", "[7]", "[]", '{"a": 1}', '[{"id": "x"}]'):
        [told] = sightings_of(make_event(0, sightings=text))
        assert told.sightings is None


# --- in the table ---


def test_a_later_sighting_replaces_the_row_in_one_commit(ledger):
    hook = sighting(1, "hook")
    before = ledger.append([hook, *(make_event(n, at_s=n) for n in range(5, 90))], {"a": 1})
    after = ledger.append([sighting(1, "gateway"), make_event(2)], {"a": 2}, after={"a": 1})
    assert after.snapshot.version == before.snapshot.version + 1
    assert (before.merged, after.merged, ledger.count()) == (0, 1, 87)
    assert [row.source for row in rows(ledger) if row.turn == 1] == ["gateway"]
    with duckdb.connect() as connection:
        [(identity, keys)] = connection.execute(
            "SELECT identity, identities FROM read_parquet(?) WHERE sightings IS NOT NULL", [ledger.files()]
        ).fetchall()
    assert identity == f"r:anthropic:chatcmpl-{1:024d}"
    assert set(keys.split("\n")) == set(keys_within(sightings_of(next(r for r in rows(ledger) if r.sightings))))


def test_a_sighting_that_says_nothing_new_writes_no_row(ledger):
    hook = sighting(1, "hook")
    ledger.append([hook, sighting(1, "gateway")], {"a": 1})
    files = ledger.files()
    written = ledger.append([replace(hook, id="again")], {"a": 2}, after={"a": 1})
    assert (written.merged, ledger.files(), ledger.transaction_version("a")) == (1, files, 2)


def test_only_files_that_hold_the_call_are_written_anew(ledger):
    for day in range(4):
        ledger.append([sighting(10 * day + n, "hook", at_s=86_400.0 * day + n) for n in range(5)], {})
    before = set(ledger.files())
    ledger.append([sighting(20, "gateway", at_s=86_400.0 * 2)], {})
    assert len(before - set(ledger.files())) == 1


def test_a_call_moves_to_the_month_its_most_direct_sighting_gives(ledger):
    edge = NOON.replace(month=12, day=1, hour=0, minute=0, second=0)
    ledger.append([sighting(1, "hook", started_at=edge + timedelta(seconds=1))], {})
    ledger.append([sighting(1, "gateway", started_at=edge - timedelta(seconds=1))], {})
    [file] = ledger.snapshot().files
    assert (file.month, file.rows) == ("2026-11", 1)


def test_sightings_further_apart_than_the_margin_are_two_calls_to_the_committer_and_one_to_an_import(ledger):
    gateway = sighting(1, "gateway")
    ledger.append([gateway], {})
    late = sighting(1, "hook", started_at=gateway.started_at + timedelta(hours=3))
    log = sighting(1, "import", started_at=gateway.started_at + timedelta(hours=3))
    result = import_events(ledger, "digest:settings", [log])
    assert (result.added, result.merged, ledger.count()) == (1, 1, 1)
    ledger.append([late], {})
    assert ledger.count() == 2


def test_a_ledger_of_an_earlier_version_takes_sightings(tmp_path):
    """Its files and its schema know neither column."""
    from deltalake import write_deltalake

    from mesure.ledger.schema import to_table

    table = to_table([sighting(1, "hook"), make_event(2)], NOON)
    older = table.select([name for name in table.schema.names if name not in ("sightings", "identities")])
    write_deltalake(str(tmp_path / "ledger"), older, partition_by=["month"])
    ledger = Ledger(tmp_path)
    assert ledger.remove(["nothing:"], {}) == 0
    ledger.append([sighting(1, "gateway"), make_event(3)], {})
    assert [(row.turn, row.source) for row in rows(ledger)] == [(1, "gateway"), (2, "gateway"), (3, "gateway")]


def test_the_id_of_any_sighting_finds_the_call(ledger):
    told = [sighting(1, source) for source in ("hook", "gateway", "callback")]
    for one in told:
        ledger.append([one], {})
    view = View(ledger, None, Settings())
    assert {found.id for one in told if (found := view.event(one.id)) is not None} == {told[0].id}
    assert view.event(sighting(1, "hook").id) is None


def test_an_import_taken_out_leaves_what_others_told(ledger):
    calls = range(6)
    ledger.append([sighting(n, "gateway", team=None) for n in calls[:3]], {})
    told = [sighting(n, "import", team="finance", cost=1.0 + n) for n in calls]
    assert import_events(ledger, "digest:settings", told).merged == 3
    assert [row.team for row in rows(ledger)] == ["finance"] * 6
    assert ledger.remove(["digest:"], {"import:digest:settings": 0}) == 6
    found = rows(ledger)
    assert [(row.turn, row.team, row.cost, row.sightings) for row in found] == [
        (n, None, None, None) for n in calls[:3]
    ]
    assert import_events(ledger, "digest:settings", told).added == 6
    assert ledger.count() == 6


def test_two_imports_of_one_call_can_be_taken_out_one_after_the_other(ledger):
    import_events(ledger, "a:s", [sighting(1, "import", origin="a:1", cost=1.0)])
    import_events(ledger, "b:s", [sighting(1, "import", origin="b:1", cost=None, user="u")])
    assert ledger.count() == 1
    ledger.remove(["a:"], {})
    [left] = rows(ledger)
    assert (left.cost, left.user, left.origin) == (None, "u", "b:1")
    ledger.remove(["b:"], {})
    assert rows(ledger) == []


def test_totals_count_each_call_once_whoever_saw_it(ledger, tmp_path):
    draw = random.Random(5)
    told = [sighting(n, source) for n in range(120) for source in draw.sample(["gateway", "hook", "import"], 1 + n % 3)]
    draw.shuffle(told)
    for start in range(0, len(told), 50):
        ledger.append(told[start : start + 50], {})
    truth = Ledger(tmp_path / "truth")
    calls: dict[Any, list[UsageEvent]] = {}
    for one in told:
        calls.setdefault(one.turn, []).append(one)
    truth.append([replace(_one(*seen), sightings=None) for seen in calls.values()], {})
    found, expected = _totals(ledger), _totals(truth)
    assert (found.calls, found.events, found.tokens) == (120, 120, expected.tokens)
    assert found.energy_wh[:3] == pytest.approx(expected.energy_wh[:3], rel=1e-12)
