"""What a reader finds in a segment: whole lines, and an account of everything else."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_events import make_event

from mesure.ledger import Spool
from mesure.ledger.lines import MAX_LINE_BYTES, encode
from mesure.ledger.segments import Segment, find_segments

_LINES = [encode(make_event(number)) for number in range(6)]


def _segment(tmp_path, data: bytes, *, finished: bool = True) -> Segment:
    path = tmp_path / "a.spool"
    path.write_bytes(data)
    segment = Segment.open(path, 0, new=True)
    if finished:
        assert segment.check_finished()
    return segment


def _turns(found) -> list[int | None]:
    return [event.turn for _, event in found]


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, sum(map(len, _LINES))), limit=st.integers(1, 7))
def test_a_cut_anywhere_keeps_all_whole_lines(tmp_path_factory, cut, limit):
    segment = _segment(tmp_path_factory.mktemp("cut"), b"".join(_LINES)[:cut])
    whole, end = 0, 0
    while whole < len(_LINES) and end + len(_LINES[whole]) <= cut:
        end += len(_LINES[whole])
        whole += 1
    found = []
    while part := segment.read(limit):
        assert len(part) <= limit
        found += part
    assert _turns(found) == list(range(whole))
    assert (segment.damaged, segment.torn) == (0, int(cut > end))
    assert segment.exhausted
    segment.close()


def test_offsets_are_the_ends_of_lines(tmp_path):
    segment = _segment(tmp_path, b"".join(_LINES))
    ends = [end for end, _ in segment.read(10)]
    assert ends == [sum(map(len, _LINES[: i + 1])) for i in range(6)]
    segment.close()
    for i, end in enumerate(ends):
        resumed = Segment.open(segment.path, end, new=True)
        assert _turns(resumed.read(10)) == list(range(i + 1, 6))
        resumed.close()


def test_a_corrupt_line_is_counted_and_the_others_kept(tmp_path):
    bad = bytearray(_LINES[2])
    bad[40] ^= 1
    segment = _segment(tmp_path, b"".join([*_LINES[:2], bytes(bad), b"\n", *_LINES[3:]]))
    assert _turns(segment.read(10)) == [0, 1, 3, 4, 5]
    assert (segment.damaged, segment.torn) == (1, 0)
    segment.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["a.spool.damaged"]
    assert find_segments(tmp_path) == []


def test_a_line_in_progress_waits(tmp_path):
    spool = Spool(tmp_path)
    spool.record(make_event(0))
    (path,) = find_segments(tmp_path)
    segment = Segment.open(path, 0, new=True)
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, _LINES[1][:50])
    assert not segment.check_finished()
    assert _turns(segment.read(10)) == [0]
    assert _turns(segment.read(10)) == []
    assert segment.torn == 0
    os.write(fd, _LINES[1][50:])
    os.close(fd)
    assert _turns(segment.read(10)) == [1]
    segment.close()
    spool.close()


def test_holes_left_by_a_power_cut_are_counted(tmp_path):
    hole = b"\0" * (5 * MAX_LINE_BYTES)
    segment = _segment(tmp_path, b"".join([*_LINES[:3], hole, b"\n", *_LINES[3:]]))
    found = []
    while part := segment.read(100):
        found += part
    assert _turns(found) == [0, 1, 2, 3, 4, 5]
    assert segment.damaged == 2
    assert segment.exhausted
    segment.close()


def test_an_error_while_reading_moves_nothing(tmp_path, monkeypatch):
    segment = _segment(tmp_path, b"".join(_LINES))
    pread = os.pread

    def fails_second(fd, size, offset):
        if offset:
            raise OSError("gone")
        return pread(fd, size, offset)[: len(_LINES[0]) + len(_LINES[1])] + b"\n" * size

    monkeypatch.setattr("mesure.ledger.segments.os.pread", fails_second)
    with pytest.raises(OSError, match="gone"):
        segment.read(100)
    assert segment.offset == 0
    monkeypatch.undo()
    assert _turns(segment.read(100)) == list(range(6))
    segment.close()


def test_a_folder_that_does_not_exist_has_no_segment(tmp_path):
    assert find_segments(tmp_path / "none") == []
