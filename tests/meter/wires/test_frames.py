"""Whatever a server's frames are cut into, its texts come out whole; what is no frame is told, and nothing piles up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from mesure.meter.wires.frames import FramingError, TextFrames


def frame(payload: bytes, opcode: Opcode = Opcode.TEXT, *, last: bool = True, masked: bool = False) -> bytes:
    """As another library writes it."""
    return Frame(opcode, payload, fin=last).serialize(mask=masked)


def fragments(payload: bytes, sizes: list[int], between: bytes = b"", opcode: Opcode = Opcode.TEXT) -> bytes:
    """A message in parts, `between` standing between each two of them."""
    parts, at = [], 0
    for size in sizes:
        parts.append(payload[at : at + size])
        at += size
    parts.append(payload[at:])
    frames = [
        frame(part, opcode if place == 0 else Opcode.CONT, last=place == len(parts) - 1)
        for place, part in enumerate(parts)
    ]
    return between.join(frames)


def fed(data: bytes, step: int, frames: TextFrames | None = None) -> list[bytes]:
    frames = frames or TextFrames()
    return [text for at in range(0, len(data), step) for text in frames.feed(data[at : at + step])]


MESSAGES = st.lists(
    st.tuples(st.sampled_from(["text", "binary", "ping", "pong"]), st.binary(max_size=300)), max_size=12
)


@given(messages=MESSAGES, step=st.integers(1, 400), sizes=st.lists(st.integers(0, 90), max_size=4))
def test_texts_come_out_whole_and_in_order(messages: list[tuple[str, bytes]], step: int, sizes: list[int]) -> None:
    data, texts = b"", []
    for kind, payload in messages:
        if kind == "text":
            texts.append(payload)
            data += fragments(payload, sizes, between=frame(b"?", Opcode.PING))
        elif kind == "binary":
            data += fragments(payload, sizes, opcode=Opcode.BINARY)
        else:
            data += frame(payload[:125], Opcode.PING if kind == "ping" else Opcode.PONG)
    assert fed(data, step) == texts


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000])
@pytest.mark.parametrize("step", [1 << 20, 1000])
def test_every_way_to_write_a_length(size: int, step: int) -> None:
    payload = b"a" * size
    assert fed(frame(payload) + frame(b"next"), step) == [payload, b"next"]


@pytest.mark.parametrize("parts", [[], [30, 30]])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_what_is_too_long_is_counted_and_not_kept(parts: list[int], step: int) -> None:
    frames = TextFrames(longest=100)
    data = fragments(b"b" * 101, parts) + frame(b"c" * 100) + frame(b"d" * 200, Opcode.BINARY)
    assert fed(data, step, frames) == [b"c" * 100]
    assert frames.too_long == 1


def test_a_long_message_holds_no_memory() -> None:
    frames = TextFrames(longest=1000)
    endless = frame(b"e" * 5000, last=False)
    assert list(frames.feed(endless)) == []
    for _ in range(50):
        assert list(frames.feed(frame(b"e" * 5000, Opcode.CONT, last=False))) == []
    assert sum(map(len, frames._parts)) <= 1000
    assert list(frames.feed(frame(b"", Opcode.CONT) + frame(b"after"))) == [b"after"]
    assert frames.too_long == 1


def test_what_comes_after_a_close_frame_is_nothing_to_fear() -> None:
    assert fed(frame(b"a") + frame(b"\x03\xe8bye", Opcode.CLOSE), 3) == [b"a"]


BROKEN = {
    "masked": frame(b"abc", masked=True),
    "compressed": Frame(Opcode.TEXT, b"a" * 50).serialize(
        mask=False, extensions=[PerMessageDeflate(False, False, 15, 15)]
    ),
    "continues nothing": frame(b"a", Opcode.CONT),
    "begins inside another": frame(b"a", last=False) + frame(b"b"),
    "control in parts": b"\x09\x00",
    "control too large": b"\x89\x7e\x00\x7e",
    "kind unknown": b"\x83\x01a",
    "length beyond 63 bits": b"\x81\x7f" + b"\xff" * 8,
    "no frame at all": b"HTTP/1.1 500 Oops\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("step", [1, 100])
def test_what_is_no_frame_is_told(name: str, step: int) -> None:
    with pytest.raises(FramingError):
        fed(frame(b"before") + BROKEN[name], step)


def test_texts_before_a_break_are_not_lost_in_it() -> None:
    texts = TextFrames().feed(frame(b"before") + BROKEN["no frame at all"])
    assert next(texts) == b"before"
    with pytest.raises(FramingError):
        next(texts)


@given(data=st.binary(max_size=2000), step=st.integers(1, 200))
def test_any_bytes_give_texts_or_the_one_error(data: bytes, step: int) -> None:
    frames = TextFrames(longest=500)
    try:
        found = fed(data, step, frames)
    except FramingError:
        return
    assert sum(map(len, found)) <= len(data)
    assert all(len(text) <= 500 for text in found)
    assert len(frames._head) < 10
