"""Texts cut out of the bytes that a WebSocket server sends (RFC 6455, 5), whatever the chunks and fragments."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FramingError", "TextFrames"]

_TEXT, _BINARY, _MORE = 1, 2, 0
_CONTROL = (8, 9, 10)  # close, ping, pong: whole, and small
_SMALL = 125


class FramingError(ValueError):
    """What was fed is no sequence of frames of a server that compresses nothing; nothing more can be read."""


class TextFrames:
    """Feed chunks, get whole text messages. Those longer than `longest` bytes are counted in `too_long`, not kept."""

    __slots__ = ("_control", "_head", "_last", "_left", "_longest", "_message", "_parts", "_size", "too_long")

    def __init__(self, longest: int = 4 << 20) -> None:
        self._longest = longest
        self._head = b""  # of a frame whose length is not known yet
        self._left = 0  # bytes of the frame's payload still to come
        self._last = True  # the frame ends its message
        self._control = False
        self._message: int | None = None  # kind of the message that is coming
        self._parts: list[bytes] = []
        self._size = 0
        self.too_long = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The texts that `chunk` completes, in order, and then `FramingError` where its framing breaks."""
        data = memoryview(self._head + chunk if self._head else chunk)
        self._head, at = b"", 0
        while True:
            if self._left:
                taken = data[at : at + self._left]
                if not taken:
                    return
                self._take(taken)
                at += len(taken)
                self._left -= len(taken)
            else:
                size = _head_size(data[at : at + 2])
                if len(data) - at < size:
                    self._head = bytes(data[at:])
                    return
                self._begin(data[at : at + size])
                at += size
            if not self._left and (text := self._ended()) is not None:
                yield text

    def _begin(self, head: memoryview) -> None:
        first, length = head[0], head[1]
        kind = first & 0x0F
        self._left = length if length < 126 else int.from_bytes(head[2:])
        self._last, self._control = bool(first & 0x80), kind in _CONTROL
        if first & 0x70 or length & 0x80 or self._left >> 63:
            raise FramingError("an extension, a mask or a length that was not agreed on")
        if self._control:
            if not self._last or self._left > _SMALL:
                raise FramingError("a control frame in parts")
        elif kind not in (_TEXT, _BINARY, _MORE) or (kind == _MORE) == (self._message is None):
            raise FramingError("a frame that continues nothing, or a kind that is not known")
        elif kind != _MORE:
            self._message = kind

    def _take(self, payload: memoryview) -> None:
        if self._control or self._message != _TEXT:
            return
        self._size += len(payload)
        if self._size <= self._longest:
            self._parts.append(bytes(payload))
        else:
            self._parts.clear()

    def _ended(self) -> bytes | None:
        """The text that the frame completes, if it does."""
        if self._control or not self._last:
            return None
        kept = self._message == _TEXT and self._size <= self._longest
        self.too_long += self._size > self._longest
        text = b"".join(self._parts) if kept else None
        self._parts, self._size, self._message = [], 0, None
        return text


def _head_size(first: memoryview) -> int:
    """Bytes before a frame's payload; a server's frames have no mask."""
    length = first[1] if len(first) == 2 else 0
    return {126: 4, 127: 10}.get(length & 0x7F, 2)
