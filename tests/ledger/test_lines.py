"""A line is what was written, or it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.ledger.lines import MAX_LINE_BYTES, DamagedLine, decode, encode, encode_fields

_texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    team=_texts,
    labels=st.none() | st.dictionaries(st.text("abcé\n", max_size=5), st.text('xy\n\\"', max_size=5), max_size=3),
    tokens=st.none() | st.integers(0, 2**53 - 1),
    seconds=st.none() | st.floats(0, 1e9),
    at=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
)
def test_what_is_written_is_read_back(team, labels, tokens, seconds, at):
    event = make_event(
        team=team, labels=labels, input_tokens=tokens, audio_seconds=seconds, started_at=at.replace(tzinfo=UTC)
    )
    line = encode(event)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == event


@given(st.data())
def test_any_changed_byte_is_seen(data):
    line = encode(make_event(team="support"))
    place = data.draw(st.integers(0, len(line) - 2))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b not in (line[place], 10)))
    changed = line[:place] + bytes([byte]) + line[place + 1 :]
    try:
        found = decode(changed)
    except DamagedLine:
        return
    # The only harmless change: the case of a hexadecimal digit of the checksum
    assert place < 8
    assert found == decode(line)


def test_times_of_any_offset_become_utc():
    paris = timezone(timedelta(hours=2))
    event = make_event(started_at=datetime(2026, 7, 1, 2, 0, tzinfo=paris))
    assert decode(encode(event)).started_at == datetime(2026, 7, 1, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("line", [b"", b"\n", b"00000000 {}\n", b"zzzzzzzz {}\n", b"\0" * 80, b"short"])
def test_what_was_never_written_is_refused(line):
    with pytest.raises(DamagedLine):
        decode(line)


def test_a_line_without_a_start_is_refused():
    from zlib import crc32

    for payload in (b'{"id":"x"}', b'{"id":"x","started_at":null}', b"[]", b"3"):
        with pytest.raises(DamagedLine):
            decode(b"%08x %s\n" % (crc32(payload), payload))


@pytest.mark.parametrize(
    "fields",
    [{"team": "x" * MAX_LINE_BYTES}, {"input_tokens": 2**60}, {"team": "\ud800"}, {"labels": {"a": object()}}],
    ids=["too long", "integer beyond JSON", "lone surrogate", "not JSON"],
)
def test_what_cannot_be_a_line_is_refused_when_written(fields):
    with pytest.raises((ValueError, TypeError)):
        encode(make_event(**fields))


def test_fields_are_written_as_their_event_is():
    event = make_event(team="é", labels={"a": "b"})
    assert encode_fields(event.to_json()) == encode(event)
    assert decode(encode_fields(event.to_json() | {"use_case": None})) == event  # unknown, said or not
    for fields in ({"team": "x" * MAX_LINE_BYTES}, {"team": "\ud800"}, {"labels": {"a": object()}}):
        with pytest.raises((ValueError, TypeError)):
            encode_fields(event.to_json() | fields)
