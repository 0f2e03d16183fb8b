"""Laws that every reader keeps: odd input gives fewer facts and valid events, and cuts change nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from wire_laws import ANYTHING, OBJECTS, begun, event_of, read_in_pieces, state_of

from mesure.meter.wires.choice import WIRES
from mesure.meter.wires.members import error_facts

if TYPE_CHECKING:
    from mesure.meter.wires.call import Reader

READERS = sorted({reader for wire in WIRES.values() for reader in wire.readers}, key=lambda reader: reader.__name__)
_MEDIA = ["text/event-stream", "application/x-ndjson", "application/stream+json", "application/json", "audio/mpeg", ""]
#: (reader, media type), one for each kind of stream.
_STREAMS = list(
    {
        (reader.__name__, type(reading)): (reader, media)
        for reader in READERS
        for media in reversed(_MEDIA)
        if (reading := reader.stream_reading(media)) is not None
    }.values()
)


def _name(value: Any) -> str:
    return value.__name__.rpartition(".")[2] if hasattr(value, "__name__") else str(value)


_EACH = pytest.mark.parametrize("reader", READERS, ids=_name)
_EACH_STREAM = pytest.mark.parametrize(("reader", "media"), _STREAMS, ids=_name)


@_EACH
@given(value=OBJECTS)
@how(max_examples=25, deadline=None)
def test_any_answer_makes_a_valid_event_or_none(reader: Reader, value: dict[str, Any]) -> None:
    event_of(reader.answer_facts(json.dumps(value).encode()))


@_EACH
@given(value=OBJECTS)
@how(max_examples=25, deadline=None)
def test_any_request_makes_a_valid_event(reader: Reader, value: dict[str, Any]) -> None:
    event_of(reader.request_facts(value))


@_EACH
@given(body=st.none() | st.binary(max_size=60) | ANYTHING.map(lambda value: json.dumps(value).encode()))
@how(max_examples=25, deadline=None)
def test_any_body_is_read_without_harm(reader: Reader, body: bytes | None) -> None:
    event_of(reader.answer_facts(body))
    event_of(reader.tail_facts(body or b"", body or b""))
    event_of(error_facts(body))


@_EACH
@given(head=OBJECTS, tail=OBJECTS)
@how(max_examples=25, deadline=None)
def test_any_two_ends_are_read_without_harm(reader: Reader, head: dict[str, Any], tail: dict[str, Any]) -> None:
    event_of(reader.tail_facts(json.dumps(head).encode(), json.dumps(tail).encode()))


@_EACH
@given(
    method=st.sampled_from(["GET", "POST", "HEAD", "DELETE", "PATCH"]),
    path=st.lists(
        st.text(max_size=4)
        | st.sampled_from(
            [
                "v1",
                "models",
                "messages",
                "x:generateContent",
                "batches",
                "results",
                "api",
                "chat",
                "responses",
                "resp_1",
            ]
        ),
        max_size=5,
    ).map("/".join),
)
@how(max_examples=25, deadline=None)
def test_any_path_is_read_without_harm(reader: Reader, method: str, path: str) -> None:
    found = reader.known(method, path)
    if found is not None:
        event_of({"operation": found.operation, **(found.facts or {})})
        assert found.booking != "collected" or method == "GET"
        assert found.booking != "always" or method == "POST"


@_EACH_STREAM
@given(values=st.lists(OBJECTS, max_size=5), junk=st.binary(max_size=20))
@how(max_examples=25, deadline=None)
def test_any_stream_passes_unchanged_and_makes_a_valid_event(
    reader: Reader, media: str, values: list[dict[str, Any]], junk: bytes
) -> None:
    reading = begun(reader, media)
    data = b"".join(_event(value, media) for value in values) + junk
    assert read_in_pieces(reading, [data]) == data
    event_of(reading.facts)


@_EACH_STREAM
@given(values=st.lists(OBJECTS, min_size=1, max_size=3), size=st.integers(1, 7))
@how(max_examples=25, deadline=None)
def test_cuts_change_nothing(reader: Reader, media: str, values: list[dict[str, Any]], size: int) -> None:
    data = b"".join(_event(value, media) for value in values)
    whole, cut = begun(reader, media), begun(reader, media)
    read_in_pieces(whole, [data])
    read_in_pieces(cut, [data[at : at + size] for at in range(0, len(data), size)])
    assert repr(state_of(cut)) == repr(state_of(whole))


def _event(value: dict[str, Any], media: str) -> bytes:
    encoded = json.dumps(value).encode()
    return encoded + b"\n" if media != "text/event-stream" else b"data: " + encoded + b"\n\n"


@_EACH_STREAM
def test_memory_does_not_grow_with_a_stream(reader: Reader, media: str) -> None:
    """Not with its length, nor with the text it brings, nor with a line that never ends."""
    reading = begun(reader, media)
    before = len(repr(reading.facts))
    for number in range(300):
        text = f"word {number} " * 50
        read_in_pieces(reading, [_event({"type": "x.delta", "delta": text, "message": {"content": text}}, media)])
    assert len(repr(reading.facts)) < before + 400
    endless = b"x" * (1 << 20)
    out = sum(len(event) for _ in range(12) for event in reading.split(endless))
    assert out >= 7 << 20  # handed over in pieces, not kept
