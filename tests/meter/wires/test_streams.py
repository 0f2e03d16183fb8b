"""Lines and events cut out of any chunks; what passes is not changed."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import given
from hypothesis import strategies as st
from wire_laws import read_in_pieces

from mesure.meter.wires.streams import EventReading, LineReading, LineSplitter
from mesure.meter.wires.typed_events import TypedReading


@given(st.lists(st.binary(max_size=20)))
def test_lines_joined_give_the_stream(chunks: list[bytes]) -> None:
    splitter = LineSplitter()
    out = [line for chunk in chunks for line in splitter.feed(chunk)]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in out)
    assert b"".join(out) + splitter.rest() == b"".join(chunks)
    assert splitter.rest() == b""


@given(st.lists(st.binary(max_size=8), max_size=8), st.integers(1, 5))
def test_lines_do_not_depend_on_cuts(lines: list[bytes], size: int) -> None:
    data = b"\n".join(lines) + b"\n"
    whole, cut = LineSplitter(), LineSplitter()
    expected = whole.feed(data)
    found = [line for at in range(0, len(data), size) for line in cut.feed(data[at : at + size])]
    assert found == expected


def test_a_line_too_long_is_handed_over() -> None:
    splitter = LineSplitter(longest=10)
    assert splitter.feed(b"12345") == []
    assert splitter.feed(b"678901") == [b"12345678901"]
    assert splitter.feed(b"2\nab") == [b"2\n"]
    assert splitter.rest() == b"ab"


class _Counting(EventReading):
    """Keeps what it was given to take."""

    __slots__ = ("taken",)
    plain: ClassVar = (b'"delta"',)
    telling: ClassVar = (b'"usage"',)

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []

    def _take(self, answer: dict[str, Any]) -> None:
        self.taken.append(answer)


def test_plain_events_are_counted_without_being_parsed() -> None:
    reading = _Counting()
    events = [b'data: {"delta":1}\n\n', b'data: {"delta":1,"usage":2}\n\n', b": hello\n\n", b"data: {bad\n\n"]
    events += [b"data: [DONE]\n\n"]
    assert read_in_pieces(reading, events) == b"".join(events)
    assert reading.deltas == 1
    assert reading.taken == [{"delta": 1, "usage": 2}]
    assert reading.done


class _Lines(LineReading):
    __slots__ = ("taken",)

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[dict[str, Any]] = []

    def _take(self, answer: dict[str, Any]) -> None:
        self.taken.append(answer)


def test_a_last_line_without_its_end_is_read() -> None:
    reading = _Lines()
    assert read_in_pieces(reading, [b'{"a":1}\r\n{"b"', b":2}"]) == b'{"a":1}\r\n{"b":2}'
    assert reading.taken == [{"a": 1}, {"b": 2}]


def test_typed_events() -> None:
    def facts_of(answer: dict[str, Any]) -> dict[str, Any]:
        return {"model_answered": answer["model"]} if "model" in answer else {}

    reading = TypedReading(facts_of, frozenset({"over"}))
    events = [
        b'data: {"type":"x.delta","delta":"a"}\n\n',
        b'data: {"type":"y.partial_image"}\n\n',
        b'event: z\ndata: {"type":"z","response":{"model":"m"}}\n\n',
    ]
    read_in_pieces(reading, events)
    assert (reading.deltas, reading.done, reading.facts) == (2, False, {"model_answered": "m"})
    read_in_pieces(reading, [b'data: {"type":"over"}\n\n'])
    assert reading.done
    assert reading.finished
    read_in_pieces(reading, [b'data: {"type":"error","code":"overloaded","message":"you said hello"}\n\n'])
    assert reading.error
    assert reading.facts["error_type"] == "overloaded"


def test_the_word_of_a_delta_inside_a_last_event_does_not_hide_it() -> None:
    reading = TypedReading(lambda answer: {"output_tokens": answer["usage"]}, frozenset({"over"}))
    read_in_pieces(reading, [b'data: {"type":"over","text":"see foo.delta","usage":3}\n\n'])
    assert reading.facts == {"output_tokens": 3}
