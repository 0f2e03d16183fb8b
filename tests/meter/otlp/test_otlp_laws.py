"""Laws of the intake: both forms say the same, sums neither grow nor shrink on the way, one call is one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from otlp_messages import NOW_NS, SECOND, Shelf, event_of, new_intake, point, span, take, token_usage, traces

from mesure.meter.otlp.calls import ATTRIBUTES
from mesure.meter.otlp.conventions import NAMES
from mesure.meter.otlp.records import LONGEST_TEXT, Wanted

_CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}
_COUNT = st.integers(0, 10**9)
_VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(st.characters(codec="utf-8"), max_size=LONGEST_TEXT + 20),
    st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=4),
)


@given(st.dictionaries(st.sampled_from(sorted(ATTRIBUTES)), _VALUES, max_size=10))
def test_both_forms_make_the_same_events(told: dict[str, Any]) -> None:
    shelves = []
    for as_json in (True, False):
        shelf = Shelf()
        taken = take(new_intake(shelf), "traces", traces(span(told)), as_json=as_json)
        assert taken.booked == len(shelf.events)
        shelves.append((taken, shelf.events))
    assert shelves[0] == shelves[1]


@given(given_in=_COUNT, made=_COUNT, cached=st.none() | _COUNT, thought=st.none() | _COUNT, tell_total=st.booleans())
def test_sub_counts_never_exceed_what_they_are_part_of(
    given_in: int, made: int, cached: int | None, thought: int | None, tell_total: bool
) -> None:
    told: dict[str, Any] = {
        **_CALL,
        "gen_ai.usage.input_tokens": given_in,
        "gen_ai.usage.output_tokens": made,
    }
    if cached is not None:
        told["gen_ai.usage.cache_read.input_tokens"] = cached
    if thought is not None:
        told["gen_ai.usage.reasoning.output_tokens"] = thought
    if tell_total:
        told["gen_ai.usage.total_tokens"] = given_in + made
    event = event_of(told)
    if event.input_tokens is not None:
        assert (event.cached_input_tokens or 0) <= event.input_tokens
        assert event.input_tokens >= given_in, "what was told is never taken away"
    if event.output_tokens is not None:
        assert (event.reasoning_tokens or 0) <= event.output_tokens
        assert event.output_tokens >= made
    if event.input_tokens is not None and cached is not None and cached <= given_in:
        assert event.input_tokens == given_in, "a part that fits is part of it"


@given(beside=_COUNT.filter(bool), given_in=_COUNT.filter(bool), made=_COUNT.filter(bool))
def test_a_total_decides_what_stands_beside_the_input(beside: int, given_in: int, made: int) -> None:
    told = {
        **_CALL,
        "gen_ai.usage.input_tokens": given_in,
        "gen_ai.usage.output_tokens": made,
        "gen_ai.usage.cache_read.input_tokens": beside,
        "gen_ai.usage.total_tokens": given_in + made + beside,
    }
    event = event_of(told)
    assert (event.input_tokens, event.cached_input_tokens, event.output_tokens) == (given_in + beside, beside, made)


_GROWTH = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 10**6)), min_size=1, max_size=8)


def _exports(growth: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """The same use as cumulative sums, one export a second."""
    calls = tokens = 0
    exports = []
    for second, (more, used) in enumerate(growth, 1):
        calls, tokens = calls + more, tokens + (used if more else 0)
        exports.append(token_usage(point("input", calls, float(tokens), end=NOW_NS + second * SECOND), cumulative=True))
    return exports


@given(growth=_GROWTH, data=st.data())
def test_cumulative_sums_give_back_what_was_used_whatever_is_sent_again(
    growth: list[tuple[int, int]], data: st.DataObject
) -> None:
    shelf = Shelf()
    intake = new_intake(shelf)
    exports = _exports(growth)
    for index, export in enumerate(exports):
        take(intake, "metrics", export)
        for again in data.draw(st.lists(st.integers(0, index), max_size=2)):
            take(intake, "metrics", exports[again])
    assert sum(event.calls_count for event in shelf.events) == sum(more for more, _ in growth)
    assert sum(event.input_tokens or 0 for event in shelf.events) == sum(used for more, used in growth if more)


@given(growth=_GROWTH, lost=st.sets(st.integers(0, 7)))
def test_exports_that_never_arrive_are_made_up_by_the_next(growth: list[tuple[int, int]], lost: set[int]) -> None:
    shelf = Shelf()
    intake = new_intake(shelf)
    exports = _exports(growth)
    for index, export in enumerate(exports):
        if index not in lost or index == len(exports) - 1:
            take(intake, "metrics", export)
    assert sum(event.calls_count for event in shelf.events) == sum(more for more, _ in growth)
    assert sum(event.input_tokens or 0 for event in shelf.events) == sum(used for more, used in growth if more)


@given(depth=st.integers(1, 6), calls=st.sets(st.integers(0, 5)), cuts=st.sets(st.integers(0, 5)))
def test_of_spans_within_each_other_the_innermost_call_counts(depth: int, calls: set[int], cuts: set[int]) -> None:
    """Level 0 is innermost and ends first; `calls` are the levels that tell tokens, `cuts` where a batch ends."""
    shelf = Shelf()
    intake = new_intake(shelf)
    batch: list[dict[str, Any]] = []
    for level in range(depth):
        told = _CALL if level in calls else {"openinference.span.kind": "CHAIN"}
        end = {"endTimeUnixNano": str(NOW_NS + (level + 2) * SECOND)}
        batch.append(span(told, spanId=f"{level + 1:016x}", parentSpanId=f"{level + 2:016x}", **end))
        if level in cuts or level == depth - 1:
            take(intake, "traces", traces(*reversed(batch)))
            batch = []
    inside = [level for level in range(depth) if level in calls]
    assert [event.span_id for event in shelf.events] == [f"{level + 1:016x}" for level in inside[:1]]


@given(st.text(max_size=40))
def test_nothing_is_read_that_is_not_listed(name: str) -> None:
    wanted = Wanted(ATTRIBUTES)
    assert (name in wanted) == (name in ATTRIBUTES or name.startswith("mesure."))


def test_no_listed_attribute_holds_content() -> None:
    """Names of messages, prompts, instructions, documents and tools' arguments, in every vocabulary."""
    content = ("message", "prompt.", "completion.", "content", "instructions", "document", "arguments", "input.value")
    content += ("output.value", "ai.prompt", "ai.response.text", "entity.input", "entity.output", "exception.message")
    named = {name for names in NAMES.values() for name in names} | set(ATTRIBUTES)
    assert [name for name in named if any(part in name for part in content)] == []
