"""A readable copy of a body: the original travels on untouched, this one is for counting."""

from __future__ import annotations

import zlib
from typing import Any

import orjson

from mesure.meter.wires.forms import form_fields

__all__ = ["READABLE_BYTES", "BodyDecoder", "json_object", "object_in_tail", "readable", "request_object"]

#: A compressed body that expands beyond this is left unread rather than expanded.
READABLE_BYTES = 64 << 20


class BodyDecoder:
    """Decodes a body piece by piece; `None` once it cannot (unknown coding, damage, or too large)."""

    __slots__ = ("_inflater", "_left", "_raw")

    def __init__(self, coding: bytes | str, limit: int = READABLE_BYTES) -> None:
        name = (coding.decode("latin-1") if isinstance(coding, bytes) else coding).strip().lower()
        self._raw = name in ("", "identity")
        known = name in ("gzip", "x-gzip", "deflate")
        self._inflater = zlib.decompressobj(zlib.MAX_WBITS | 32) if known else None  # 32: gzip or zlib, by its header
        self._left = limit

    def decode(self, piece: bytes) -> bytes | None:
        if self._raw:
            return piece
        if self._inflater is None:
            return None
        try:
            plain = self._inflater.decompress(piece, self._left + 1)
        except zlib.error:
            self._inflater = None
            return None
        self._left -= len(plain)
        if self._left < 0:
            self._inflater = None
            return None
        return plain


def readable(body: bytes, coding: bytes | str, limit: int = READABLE_BYTES) -> bytes | None:
    """The body without its content coding, or None when it cannot be read here (br, zstd, damaged, too large)."""
    return BodyDecoder(coding, limit).decode(body)


def request_object(body: bytes, coding: bytes | str, content_type: str) -> dict[str, Any] | None:
    """What a request asks: the JSON object that its body is, or the text fields of a form."""
    plain = readable(body, coding) if body else None
    if plain is not None and (fields := form_fields(plain, content_type)) is not None:
        return fields
    return json_object(plain)


def json_object(body: bytes | None) -> dict[str, Any] | None:
    """The JSON object that `body` is, or None for anything else."""
    if not body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def object_in_tail(tail: bytes, key: bytes) -> dict[str, Any] | None:
    """The last object named `key` in the end of a JSON text too large to keep whole."""
    at = tail.rfind(b'"' + key + b'"')
    while at >= 0:
        start = tail.find(b"{", at)
        if start >= 0 and tail[at + len(key) + 2 : start].strip() == b":":
            return json_object(_balanced(tail, start))
        at = tail.rfind(b'"' + key + b'"', 0, at)
    return None


def _balanced(text: bytes, start: int) -> bytes | None:
    """From the brace at `start` to the one that closes it; strings may hold braces."""
    depth, inside, escaped = 0, False, False
    for index in range(start, len(text)):
        byte = text[index]
        if inside:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                inside = False
        elif byte == 0x22:
            inside = True
        elif byte == 0x7B:
            depth += 1
        elif byte == 0x7D:
            depth -= 1
            if depth == 0:
                return text[start : index + 1]
    return None
