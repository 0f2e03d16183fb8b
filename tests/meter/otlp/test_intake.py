"""What is booked, once: nested spans, redelivery, logs beside spans, full disks, and whatever bytes come."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from otlp_messages import (
    NOW_NS,
    PARENT,
    SECOND,
    SPAN,
    TRACE,
    Shelf,
    attributes,
    binary,
    log_record,
    logs,
    new_intake,
    point,
    span,
    take,
    token_usage,
    traces,
)

from mesure.errors import InvalidValue
from mesure.meter.otlp import SIGNALS, Signal, SpoolFull, Unreadable, protobuf
from mesure.meter.otlp.calls import time_at
from mesure.meter.otlp.nesting import Nesting
from mesure.meter.otlp.records import Record
from mesure.record import UsageEvent, identity_of

_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 120,
    "gen_ai.usage.output_tokens": 40,
}
_GRAND = "1111111111111111"
_LATER = {"endTimeUnixNano": str(NOW_NS + 3 * SECOND)}
_LAST = {"endTimeUnixNano": str(NOW_NS + 4 * SECOND)}


class TestNesting:
    """A framework's span around a client's span: one call."""

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize("between", [True, False])
    def test_the_innermost_counts(self, together: bool, between: bool) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        inner = span(_CALL, parentSpanId=PARENT)
        middle = span({"http.request.method": "POST"}, spanId=PARENT, parentSpanId=_GRAND, **_LATER)
        outer = span({"openinference.span.kind": "LLM", "llm.token_count.prompt": 120}, spanId=_GRAND, **_LAST)
        if not between:
            outer["spanId"] = PARENT
        told = [inner, middle, outer] if between else [inner, outer]
        for batch in [told[::-1]] if together else [[each] for each in told]:
            take(intake, "traces", traces(*batch))
        assert [event.span_id for event in shelf.events] == [SPAN]
        assert intake.counts["traces", "booked"] == 1

    def test_an_outer_span_that_alone_knows_the_tokens_counts(self) -> None:
        shelf = Shelf()
        bare = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
        inner, outer = span(bare, parentSpanId=PARENT), span(_CALL, spanId=PARENT, **_LATER)
        take(new_intake(shelf), "traces", traces(inner, outer))
        assert [event.input_tokens for event in shelf.events] == [None, 120]

    def test_other_traces_and_siblings_are_other_calls(self) -> None:
        shelf = Shelf()
        sibling = span(_CALL, spanId=_GRAND, parentSpanId=PARENT)
        elsewhere = span(_CALL, traceId="f" * 32, spanId=PARENT)
        take(new_intake(shelf), "traces", traces(span(_CALL, parentSpanId=PARENT), sibling, elsewhere))
        assert len(shelf.events) == 3

    def test_a_framework_that_hands_no_span_on_repeats_calls_within_its_time_each_once(self) -> None:
        """As LangChain's of OpenInference does: its span and the client's lie in traces of their own."""
        shelf = Shelf()
        intake = new_intake(shelf)
        around = {"startTimeUnixNano": str(NOW_NS - 1), "endTimeUnixNano": str(NOW_NS + 5 * SECOND)}
        told = {**_CALL, "openinference.span.kind": "LLM"}

        def framed(number: int, **more: Any) -> dict[str, Any]:
            made = traces(span(told, traceId=f"{number:032x}", spanId=f"{number:016x}", **around) | more)
            made["resourceSpans"][0]["scopeSpans"][0]["scope"]["name"] = "openinference.instrumentation.langchain"
            return made

        take(intake, "traces", traces(span(_CALL), span(_CALL, spanId=PARENT)))
        for as_json in (True, False):  # the second time they are sent again
            assert take(intake, "traces", framed(1), as_json=as_json).ignored == 1
            assert take(intake, "traces", framed(2), as_json=as_json).ignored == 1
        assert take(intake, "traces", framed(3)).booked == 1, "a third call, that no client told"
        apart = {"startTimeUnixNano": str(NOW_NS + SECOND)}
        take(intake, "traces", traces(span(_CALL, spanId=_GRAND)))
        assert take(intake, "traces", framed(4, **apart)).booked == 1, "it began after that call"
        assert len(shelf.events) == 5

    def test_memory_is_bounded(self) -> None:
        nesting = Nesting(most=3)
        for number in range(10):
            record = Record("t", f"s{number}", f"p{number}", "", number, number, False, False, {}, {})
            event = UsageEvent(id="", started_at=time_at(NOW_NS), input_tokens=number)
            nesting.counted(record, event, "traces")
        assert (len(nesting._holding), len(nesting._told), len(nesting._clients)) == (3, 3, 3)
        for number in range(500):
            nesting.counted(record._replace(start_ns=number), event, "traces")
        assert max(map(len, nesting._clients.values())) <= 64


class TestSentAgain:
    @pytest.mark.parametrize("more", [{}, {"gen_ai.response.id": "chatcmpl-1"}])
    def test_the_same_call_keeps_its_id_and_its_identity(self, more: dict[str, Any]) -> None:
        first, second = Shelf(), Shelf()
        take(new_intake(first), "traces", traces(span(_CALL | more)), as_json=True)
        take(new_intake(second), "traces", traces(span(_CALL | more)), as_json=False)
        assert first.events == second.events
        assert identity_of(first.events[0]).startswith("r:openai:" if more else f"t:{TRACE}")

    def test_without_any_id_its_content_stands_for_one(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        for told in (_CALL, _CALL, _CALL | {"gen_ai.usage.output_tokens": 41}):
            take(intake, "traces", traces(span(told, traceId="", spanId="0" * 16)))
        one, again, other = (identity_of(event) for event in shelf.events)
        assert one == again != other
        assert one.startswith("o:otlp:")

    def test_what_could_not_be_written_is_not_acknowledged_and_may_come_again(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        message = traces(span(_CALL, parentSpanId=PARENT), span(_CALL, spanId=PARENT, **_LATER))
        shelf.full = True
        with pytest.raises(SpoolFull):
            take(intake, "traces", message)
        assert intake.counts["traces", "booked"] == 0
        shelf.full = False
        assert take(intake, "traces", message).booked == 1
        assert [event.span_id for event in shelf.events] == [SPAN]


class TestLogs:
    def test_the_event_of_the_conventions_is_a_call(self) -> None:
        shelf = Shelf()
        name = "gen_ai.client.inference.operation.details"
        by_name = log_record(_CALL, eventName=name, traceId=TRACE, spanId=SPAN)
        by_attribute = log_record(_CALL | {"event.name": name}, traceId=TRACE, spanId=PARENT)
        other = log_record(_CALL, eventName="gen_ai.user.message", traceId=TRACE, spanId=_GRAND)
        for as_json in (True, False):
            taken = take(new_intake(shelf), "logs", logs(by_name, by_attribute, other), as_json=as_json)
            assert (taken.booked, taken.ignored) == (2, 1)
        assert {(event.span_id, event.input_tokens) for event in shelf.events} == {(SPAN, 120), (PARENT, 120)}

    @pytest.mark.parametrize("order", [("traces", "logs"), ("logs", "traces")])
    def test_a_span_and_its_event_are_one_call(self, order: tuple[Signal, Signal]) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        name = "gen_ai.client.inference.operation.details"
        told = {
            "traces": traces(span(_CALL)),
            "logs": logs(log_record(_CALL, eventName=name, traceId=TRACE, spanId=SPAN)),
        }
        booked = [take(intake, signal, told[signal]).booked for signal in order]
        assert (booked, len(shelf.events)) == ([1, 0], 1)

    def test_requests_of_claude_code(self) -> None:
        shelf = Shelf()
        told = {
            "event.name": "api_request",
            "session.id": "s-1",
            "model": "claude-sonnet-4-5-20250929",
            "input_tokens": "4",
            "output_tokens": "300",
            "cache_read_tokens": "9000",
            "cache_creation_tokens": "1000",
            "cost_usd": "0.0123",
            "duration_ms": "1500",
            "request_id": "req_1",
        }
        records = [log_record(told, traceId=TRACE, spanId=SPAN), log_record(told | {"request_id": "req_2"})]
        prompt = log_record({"event.name": "user_prompt", "prompt": "a secret"})
        taken = take(new_intake(shelf), "logs", logs(*records, prompt, resource={"service.name": "claude-code"}))
        assert (taken.booked, taken.ignored) == (2, 1)
        event = shelf.events[0]
        assert (event.provider, event.model_requested) == ("anthropic", "claude-sonnet-4-5-20250929")
        assert (event.input_tokens, event.cached_input_tokens, event.cache_write_tokens) == (10_004, 9000, 1000)
        assert (event.output_tokens, event.cost, event.duration_ms) == (300, 0.0123, 1500.0)
        assert {identity_of(event) for event in shelf.events} == {"o:otlp:req_1", "o:otlp:req_2"}

    def test_an_api_request_of_another_service_is_not_one(self) -> None:
        shelf = Shelf()
        taken = take(new_intake(shelf), "logs", logs(log_record({"event.name": "api_request", "input_tokens": 4})))
        assert (taken.ignored, shelf.events) == (1, [])


class TestHistograms:
    def test_input_and_output_of_an_interval_are_one_aggregate(self) -> None:
        for as_json in (True, False):
            shelf = Shelf()
            end = NOW_NS + SECOND
            message = token_usage(point("input", 3, 360.0), point("output", 3, 90.0, start=NOW_NS + 500, end=end))
            assert take(new_intake(shelf), "metrics", message, as_json=as_json).booked == 2
            (event,) = shelf.events
            assert (event.calls_count, event.input_tokens, event.output_tokens) == (3, 360, 90)
            assert (event.basis, event.model_requested, event.provider) == ("exported", "gpt-4o", "openai")
            assert event.ended_at is not None
            assert (event.ended_at - event.started_at).total_seconds() == 1.0

    def test_sums_that_only_grow_count_what_was_added_and_a_point_sent_again_nothing(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        for end, calls in ((1, 2), (2, 5), (2, 5), (1, 2), (3, 5), (4, 6)):
            at = point("input", calls, 100.0 * calls, end=NOW_NS + end * SECOND)
            take(intake, "metrics", token_usage(at, cumulative=True))
        assert [(event.calls_count, event.input_tokens) for event in shelf.events] == [(2, 200), (3, 300), (1, 100)]
        assert len({identity_of(event) for event in shelf.events}) == 3

    def test_a_series_older_than_this_server_only_tells_where_it_stands(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf, began_ns=NOW_NS + 1)
        for end, calls in ((1, 1000), (2, 1001)):
            at = point("input", calls, 100.0 * calls, end=NOW_NS + end * SECOND)
            take(intake, "metrics", token_usage(at, cumulative=True))
        assert [(event.calls_count, event.input_tokens) for event in shelf.events] == [(1, 100)]

    def test_a_client_that_starts_again_starts_from_nothing(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        for start in (0, 10):
            at = point("input", 4, 400.0, start=NOW_NS + start * SECOND)
            take(intake, "metrics", token_usage(at, cumulative=True))
        assert [event.input_tokens for event in shelf.events] == [400, 400]

    def test_what_could_not_be_written_is_counted_at_the_next_export(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        shelf.full = True
        with pytest.raises(SpoolFull):
            take(intake, "metrics", token_usage(point("input", 2, 200.0), cumulative=True))
        shelf.full = False
        later = point("input", 5, 500.0, end=NOW_NS + 9 * SECOND)
        take(intake, "metrics", token_usage(later, cumulative=True))
        assert [event.input_tokens for event in shelf.events] == [500]

    def test_services_that_send_spans_are_not_counted_twice(self) -> None:
        shelf = Shelf()
        intake = new_intake(shelf)
        take(intake, "traces", traces(span(_CALL)))
        taken = take(intake, "metrics", token_usage(point("input", 1, 120.0)))
        assert (taken.booked, taken.ignored, len(shelf.events)) == (0, 1, 1)

    def test_they_can_be_left_out(self) -> None:
        shelf = Shelf()
        taken = take(new_intake(shelf, token_histograms=False), "metrics", token_usage(point("input", 1, 120.0)))
        assert (taken.ignored, shelf.events) == (1, [])

    @pytest.mark.parametrize(
        "message",
        [
            token_usage(point("input", 0, 0.0)),
            token_usage(point("other", 3, 5.0)),
            token_usage(point("input", 3, 5.0), name="http.client.duration"),
            token_usage(point("input", 3, 5.0), kind="gauge"),
        ],
    )
    def test_others_are_none(self, message: dict[str, Any]) -> None:
        shelf = Shelf()
        take(new_intake(shelf), "metrics", message)
        assert shelf.events == []

    def test_an_exponential_histogram_has_the_same_sum(self) -> None:
        shelf = Shelf()
        for as_json in (True, False):
            message = token_usage(point("input", 3, 360.0), kind="exponentialHistogram")
            take(new_intake(shelf), "metrics", message, as_json=as_json)
        assert [event.input_tokens for event in shelf.events] == [360, 360]


class TestRejected:
    @pytest.mark.parametrize("start", [0, 1, 5 * SECOND, (1 << 63) - 1, (1 << 64) - 1])
    def test_a_time_that_cannot_be_is_rejected_and_the_rest_taken(self, start: int) -> None:
        for as_json in (True, False):
            shelf = Shelf()
            bad = span(_CALL, startTimeUnixNano=str(start), endTimeUnixNano=str(start), spanId=PARENT)
            taken = take(new_intake(shelf), "traces", traces(bad, span(_CALL)), as_json=as_json)
            assert (taken.booked, taken.rejected) == (1, 1)
            assert "time" in taken.why

    def test_points_too(self) -> None:
        shelf = Shelf()
        old = point("input", 3, 5.0, start=1, end=2)
        unsummed = {name: value for name, value in point("output", 3, 5.0).items() if name != "sum"}
        taken = take(new_intake(shelf), "metrics", token_usage(old, unsummed, point("input", 1, 2.0)))
        assert (taken.booked, taken.rejected) == (1, 2)

    def test_the_checks_are_those_of_every_event(self) -> None:
        soon, late = (time.time_ns() + days * 24 * 3600 * SECOND for days in (0.5, 3))
        assert time_at(int(soon)) < time_at(int(soon) + SECOND)
        with pytest.raises(InvalidValue, match="future"):
            time_at(int(late))


class TestAnyBytes:
    """Never a crash: an answer, or a refusal that says the request could not be read."""

    @pytest.mark.parametrize("signal", SIGNALS)
    @given(body=st.binary(max_size=300))
    @example(body=b"")
    @example(body=b"[" * 100_000)
    @example(body=b'{"a":' * 2000)
    def test_bytes(self, signal: Signal, body: bytes) -> None:
        intake = new_intake(Shelf())
        for as_json in (True, False):
            try:
                intake.take(signal, body, as_json=as_json)
            except Unreadable:
                continue
            assert intake.counts[signal, "booked"] == 0

    _anything = st.recursive(
        st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=8,
    )

    @given(st.data())
    def test_any_member_of_a_span_may_be_anything(self, data: st.DataObject) -> None:
        message = traces(span(_CALL, status={"code": 0}, events=[], parentSpanId=PARENT))
        holder: Any = message
        while True:  # walk down to some member, and put something else there
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            key = data.draw(st.sampled_from(keys))
            deeper = holder[key]
            if not isinstance(deeper, dict | list) or not deeper or data.draw(st.integers(0, 4)) == 0:
                break
            holder = deeper
        holder[key] = data.draw(self._anything)
        shelf = Shelf()
        body = json.dumps(message, allow_nan=False, default=str) if _finite(message) else "{}"
        try:
            new_intake(shelf).take("traces", body.encode(), as_json=True)
        except Unreadable:  # numbers that no JSON parser of ours takes
            return
        for event in shelf.events:
            event.checked()

    @pytest.mark.parametrize("signal", SIGNALS)
    @given(st.data())
    def test_attributes_of_any_value(self, signal: Signal, data: st.DataObject) -> None:
        names = [*_CALL, "gen_ai.usage.cache_read.input_tokens", "gen_ai.token.type", "event.name", "duration_ms"]
        names += ["mesure.energy_j", "mesure.turn", "mesure.environment", "gen_ai.response.time_to_first_chunk"]
        values = st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans() | st.text(max_size=250)
        told = data.draw(st.lists(st.tuples(st.sampled_from(names), values), max_size=12))
        pairs = [pair for name, value in told for pair in attributes({name: value})]
        made = {
            "attributes": pairs,
            "timeUnixNano": str(NOW_NS),
            "eventName": "gen_ai.client.inference.operation.details",
        }
        message = {
            "traces": traces(span({}) | {"attributes": pairs}),
            "logs": logs(made),
            "metrics": token_usage(point("input", 3, 5.0) | {"attributes": pairs}),
        }[signal]
        shelf = Shelf()
        take(new_intake(shelf), signal, message, as_json=False)
        for event in shelf.events:
            event.checked()

    @given(values=st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3), total=st.floats())
    def test_points_of_any_number(self, values: list[int], total: float) -> None:
        start, end, count = values
        request = protobuf.messages("metrics")[0].FromString(binary("metrics", token_usage(point("input", 3, 5.0))))
        data = request.resource_metrics[0].scope_metrics[0].metrics[0].histogram.data_points[0]
        data.start_time_unix_nano, data.time_unix_nano, data.count, data.sum = start, end, count, total
        shelf = Shelf()
        new_intake(shelf).take_message("metrics", request)
        for event in shelf.events:
            event.checked()

    def test_bytes_of_another_signal_are_read_or_refused(self) -> None:
        for signal in SIGNALS:
            for other in SIGNALS:
                body = protobuf.messages(other)[0]().SerializeToString()
                assert new_intake(Shelf()).take(signal, body, as_json=False).rejected == 0


def _finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_finite(item) for item in value.values())
    if isinstance(value, list):
        return all(_finite(item) for item in value)
    return not isinstance(value, float) or value - value == 0


def test_several_threads_at_once() -> None:
    shelf = Shelf()
    intake = new_intake(shelf)

    def send(number: int) -> None:
        for turn in range(20):
            take(intake, "traces", traces(span(_CALL, spanId=f"{number:08x}{turn + 1:08x}")), as_json=turn % 2 == 0)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(shelf.events), intake.counts["traces", "booked"]) == (80, 80)
    assert len({identity_of(event) for event in shelf.events}) == 80
