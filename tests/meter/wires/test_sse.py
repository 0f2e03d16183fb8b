"""Events are cut the same wherever the chunks are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.meter.wires.sse import EventSplitter, event_data

_STREAM = (
    b': hi\n\ndata: {"a":1}\n\nevent: x\r\ndata: b\r\ndata: c\r\n\r\n'
    b"data:d\r\rdata: \xf0\x9f\x99\x82\n\ndata: [DONE]\n\n"
)
_DATA = [b"", b'{"a":1}', b"b\nc", b"d", b"\xf0\x9f\x99\x82", b"[DONE]"]


def _cut(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = EventSplitter()
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    return events, splitter.rest()


def _said(events: list[bytes]) -> list[bytes]:
    """Data of events, those without any left out: a line end cut in two may leave a blank line behind."""
    return [data for event in events if (data := event_data(event))]


def test_whole_stream() -> None:
    events, rest = _cut([_STREAM])
    assert [event_data(event) for event in events] == _DATA
    assert rest == b""
    assert b"".join(events) == _STREAM


@pytest.mark.parametrize("position", range(len(_STREAM) + 1))
def test_cut_at_every_position(position: int) -> None:
    events, rest = _cut([_STREAM[:position], _STREAM[position:]])
    assert b"".join(events) + rest == _STREAM
    assert _said(events) == _DATA[1:]


def test_byte_by_byte() -> None:
    events, rest = _cut([bytes([byte]) for byte in _STREAM])
    assert b"".join(events) + rest == _STREAM
    assert _said(events) == _DATA[1:]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=8))
def test_nothing_is_lost_of_any_bytes(stream: bytes, cuts: list[int]) -> None:
    at = sorted({0, *cuts, len(stream)})
    chunks = [stream[start:end] for start, end in pairwise(at)]
    events, rest = _cut(chunks)
    assert b"".join(events) + rest == stream


_LINES = st.lists(st.sampled_from([b"data: one", b"data:two", b"event: e", b": c", b"data", b"id: 1"]), min_size=1)


@given(
    st.lists(_LINES, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 400), max_size=9)
)
def test_any_line_end_and_cuts_say_the_same(blocks: list[list[bytes]], end: bytes, cuts: list[int]) -> None:
    stream = b"".join(end.join(lines) + end + end for lines in blocks)
    at = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    chunks = [stream[start:stop] for start, stop in pairwise(at)]
    expected = []
    for lines in blocks:
        values = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data")]
        expected.append(b"\n".join(values))
    assert _said(_cut(chunks)[0]) == [data for data in expected if data]


def test_an_event_too_large_is_not_kept() -> None:
    splitter = EventSplitter(longest=100)
    out = [event for _ in range(50) for event in splitter.feed(b"z" * 30)]
    assert sum(map(len, out)) + len(splitter.rest()) == 1500
    assert max(map(len, out)) <= 130


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: x\n\n", b"x"),
        (b"data:x\n\n", b"x"),
        (b"data:  x\n\n", b" x"),
        (b"data: x", b"x"),
        (b"data\n\n", b""),
        (b"datas: x\n\n", b""),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"\ndata: late\n\n", b"late"),
        (b"data: a\rdata: b\n\n", b"a\nb"),
    ],
)
def test_event_data(event: bytes, data: bytes) -> None:
    assert event_data(event) == data
