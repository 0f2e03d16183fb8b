"""Bytes of a segment changed, lost or added anywhere: whole lines beside them are kept, nothing is invented, and what
is lost is counted. And segments that follow one another."""

from __future__ import annotations

import random
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.ledger import Spool, segments
from mesure.ledger.lines import MAX_LINE_BYTES, DamagedLine, decode, encode
from mesure.ledger.segments import Segment, find_segments
from mesure.record import UsageEvent

_EVENTS = [make_event(number, team=f"équipe {number}", labels={"a": "b\n"}) for number in range(3)]
_LINES = [encode(event) for event in _EVENTS]
_WHOLE = b"".join(_LINES)
#: Offsets just after each line.
_ENDS = [sum(map(len, _LINES[: place + 1])) for place in range(len(_LINES))]


def read(path: Path, data: bytes, limit: int = 100) -> tuple[list[UsageEvent], Segment]:
    """Events of a segment whose writer is gone."""
    path.write_bytes(data)
    segment = Segment.open(path, 0, new=True)
    assert segment.check_finished()
    found = []
    while part := segment.read(limit):
        found += part
    assert [end for end, _ in found] == sorted({end for end, _ in found})
    assert segment.exhausted
    segment.close()
    return [event for _, event in found], segment


def line_of(place: int) -> int:
    return next(number for number, end in enumerate(_ENDS) if place < end)


def assert_all_but(found: list[UsageEvent], lost: set[int]) -> None:
    """Every event but those of the lines `lost`, of which one may still be there as it was written."""
    kept = [event for number, event in enumerate(_EVENTS) if number not in lost]
    assert [event for event in found if event in kept] == kept
    assert all(event in _EVENTS for event in found), "nothing is invented"
    assert len(found) <= len(_EVENTS)


@pytest.mark.parametrize("how", ["another bit", "line feed", "nothing", "one more"])
def test_one_byte_anywhere_costs_its_own_line_and_at_most_the_next(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each position of a line, in turn, and the borders of the others."""
    monkeypatch.setattr(segments, "_CHUNK_BYTES", 1 << 12)  # four megabytes read for each would cost more than all else
    path = tmp_path / "a.spool"
    draw = random.Random(how)
    for place in (*range(3), *range(_ENDS[0] - 3, _ENDS[1] + 3), *range(len(_WHOLE) - 3, len(_WHOLE))):
        before, byte, after = _WHOLE[:place], _WHOLE[place], _WHOLE[place + 1 :]
        changed = {
            "another bit": bytes([byte ^ (1 << draw.randrange(8))]),
            "line feed": b"\n",
            "nothing": b"",
            "one more": bytes([byte, draw.randrange(256)]),
        }[how]
        found, segment = read(path, before + changed + after)
        line = line_of(place)
        lost = {line, line + 1} if byte == 10 else {line}
        assert_all_but(found, lost)
        missing = len(_EVENTS) - len(found)
        assert missing <= len(lost)
        assert bool(segment.damaged + segment.torn) >= bool(missing), "what is lost is counted"


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, len(_WHOLE)),
    st.integers(0, 400),
    st.binary(max_size=300),
    st.integers(1, 6),
    st.sampled_from([1, 3, 100]),
)
def test_a_hole_or_rubbish_anywhere_loses_the_lines_it_touches_only(
    tmp_path_factory: pytest.TempPathFactory, place: int, length: int, rubbish: bytes, limit: int, shown: int
) -> None:
    end = min(place + length, len(_WHOLE))
    found, segment = read(
        tmp_path_factory.mktemp("hole") / "a.spool", _WHOLE[:place] + rubbish + _WHOLE[end:], min(limit, shown)
    )
    touched = {line_of(min(max(at, 0), len(_WHOLE) - 1)) for at in (place - 1, place, end - 1, end)}
    lost = set(range(min(touched), max(touched) + 1))
    assert_all_but(found, lost)
    if len(found) < len(_EVENTS) and end < len(_WHOLE):
        whole_lines = place in (0, *_ENDS) and end in _ENDS and not rubbish
        assert whole_lines or segment.damaged + segment.torn > 0


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(200, 2_000))
def test_reading_in_small_chunks_is_reading_at_once(
    tmp_path_factory: pytest.TempPathFactory, limit: int, chunk: int
) -> None:
    path = tmp_path_factory.mktemp("chunks") / "a.spool"
    longest = max(map(len, _LINES))
    whole, _ = read(path, _WHOLE * 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_CHUNK_BYTES", max(chunk, longest))
        found, segment = read(path, _WHOLE * 3, limit)
    assert found == whole
    assert (segment.damaged, segment.torn) == (0, 0)


def test_a_line_longer_than_any_is_left_out_and_those_after_it_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line feeds lost over more than a reader takes at once."""
    monkeypatch.setattr(segments, "_CHUNK_BYTES", 2_000)
    found, segment = read(tmp_path / "a.spool", _LINES[0] + b"x" * 9_000 + b"\n" + _LINES[1] + _LINES[2])
    assert found == [_EVENTS[0], _EVENTS[1], _EVENTS[2]]
    assert segment.damaged >= 1


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_the_longest_line_is_one_megabyte_and_not_a_byte_more(tmp_path: Path, more: int, fits: bool) -> None:
    bare = len(encode(make_event(team="x"))) - 1
    event = make_event(team="x" * (MAX_LINE_BYTES - bare + more))
    if not fits:
        with pytest.raises(ValueError, match="does not fit"):
            encode(event)
        return
    line = encode(event)
    assert len(line) == MAX_LINE_BYTES == 1 << 20
    found, segment = read(tmp_path / "a.spool", _LINES[0] + line + _LINES[1])
    assert [one.team for one in found] == [_EVENTS[0].team, event.team, _EVENTS[1].team]
    assert segment.damaged == 0


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"3",
        b"[]",
        b'"text"',
        b"{}",
        b'{"id":"x"}',
        b'{"id":"x","started_at":3}',
        b'{"id":"x","started_at":"soon"}',
        b'{"id":"x","started_at":"2026-01-01T00:00:00"}',
        b'{"id":"x","started_at":"2026-01-01T00:00:00Z"',
    ],
)
def test_a_good_checksum_makes_no_event_of_something_else(payload: bytes) -> None:
    with pytest.raises(DamagedLine):
        decode(b"%08x %s\n" % (crc32(payload), payload))


def test_columns_that_a_later_version_writes_are_left_aside() -> None:
    payload = b'{"id":"x","started_at":"2026-01-01T00:00:00Z","schema_version":2,"carbon_price":3}'
    event = decode(b"%08x %s\n" % (crc32(payload), payload))
    assert (event.id, event.schema_version) == ("x", 2)


# Segments that follow one another


@pytest.mark.parametrize("lines_each", [1, 2, 5])
def test_a_segment_is_closed_by_the_line_that_fills_it(tmp_path: Path, lines_each: int) -> None:
    events = [make_event(0, turn=number, started_at=_EVENTS[0].started_at) for number in range(10, 32)]
    size = len(encode(events[0]))
    assert {len(encode(event)) for event in events} == {size}
    spool = Spool(tmp_path, segment_bytes=size * lines_each)
    assert all(spool.record(event) for event in events)
    paths = find_segments(tmp_path)
    counts = sorted((path.read_bytes().count(b"\n") for path in paths), reverse=True)
    assert counts == [lines_each] * (22 // lines_each) + ([22 % lines_each] if 22 % lines_each else [])
    spool.close()
    parts = [[event.turn for event in read(path, path.read_bytes())[0]] for path in find_segments(tmp_path)]
    assert all(part == list(range(part[0] or 0, (part[0] or 0) + len(part))) for part in parts), "in their order"
    assert sorted(turn for part in parts for turn in part if turn is not None) == [event.turn for event in events]
    assert (spool.written, spool.failed) == (22, 0)


def test_full_segments_are_free_once_synced_and_the_last_at_the_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path, segment_bytes=1)
    for event in _EVENTS:
        assert spool.record(event)
    held = {path: Segment.open(path, 0, new=True) for path in find_segments(tmp_path)}
    assert len(held) == len(_EVENTS)
    assert not list(held.values())[-1].check_finished()
    spool.close()
    for segment in held.values():
        assert segment.check_finished()
        assert len(segment.read(10)) == 1
        segment.discard()
    assert find_segments(tmp_path) == []


def test_other_files_of_the_folder_are_no_segments(tmp_path: Path) -> None:
    for name in ("committer.lock", "a.spool.damaged", "b.opening", "c.SPOOL", "notes.txt"):
        (tmp_path / name).write_bytes(_WHOLE)
    for name in ("02.spool", "10.spool", "01.spool"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in find_segments(tmp_path)] == ["01.spool", "02.spool", "10.spool"]


def test_a_damaged_segment_is_kept_for_inspection_and_never_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.spool"
    found, segment = read(path, _LINES[0] + b"rubbish\n" + _LINES[1])
    assert found == _EVENTS[:2]
    assert segment.damaged == 1
    again = Segment.open(path, 0, new=True)
    again.damaged = 1
    again.discard()
    assert not path.exists()
    assert (tmp_path / "a.spool.damaged").read_bytes().count(b"\n") == 3
    assert find_segments(tmp_path) == []
