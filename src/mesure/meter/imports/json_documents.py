"""A JSON document as records, one at a time: the elements of a list, or of the list an API wraps in `data`.

A document is read in pieces: memory holds one record, whatever the size of the list.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mesure.errors import ImportRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["LARGEST_RECORD", "is_document", "records_of"]

#: Largest record, in characters: what holds memory constant.
LARGEST_RECORD = 64 << 20
_PIECE = 1 << 16
_SPACE = " \t\r\n"
#: Members in which interfaces put the list of what was asked for.
_LISTS = ("data", "results", "observations", "items", "records")
_MARK = "\ufeff"


def is_document(beginning: bytes) -> bool:
    """Whether a file that begins so is a JSON document, rather than one object per line."""
    text = beginning.decode("utf-8", "replace").lstrip(_MARK).lstrip(_SPACE)
    if text.startswith("["):
        return True
    if not text.startswith("{"):
        return False
    first = text.split("\n", 1)[0].rstrip()
    try:
        record = json.loads(first)
    except (ValueError, RecursionError):
        return first.endswith(("{", "[", ",")) or _is_wrapped(first)
    return isinstance(record, dict) and any(isinstance(record.get(name), list | dict) for name in ("data", "value"))


def _is_wrapped(first: str) -> bool:
    """An object too long to be read here, which begins as an interface's answer does."""
    head = first[:200].replace(" ", "")
    return len(first) > _PIECE // 2 and any(f'"{name}":[' in head for name in (*_LISTS, "value"))


def records_of(content: BinaryIO, name: str) -> Iterator[Any]:
    """Every record of the document, or of the documents that follow each other. Raises `ImportRefused` where it is not
    JSON, or a record is too large."""
    reader = _Reader(content, name)
    while reader.next_character():
        if reader.taken("["):
            yield from reader.elements()
        elif reader.taken("{"):
            yield from _members(reader)
        else:
            raise reader.not_json()


def _members(reader: _Reader) -> Iterator[Any]:
    """The elements of the list an object holds under a usual name; the object itself when it holds none."""
    whole: dict[str, Any] = {}
    listed = False
    while not reader.taken("}"):
        name = reader.value()
        if not isinstance(name, str) or not reader.taken(":"):
            raise reader.not_json()
        if name in _LISTS and not listed and reader.next_character() == "[":
            reader.taken("[")
            listed = True
            yield from reader.elements()
        else:
            whole[name] = reader.value()
        if not reader.taken(",") and reader.next_character() != "}":
            raise reader.not_json()
    if not listed:
        yield whole


class _Reader:
    """What was read and not yet used, refilled piece by piece."""

    def __init__(self, content: BinaryIO, name: str) -> None:
        from codecs import getincrementaldecoder

        self._content, self._name = content, name
        self._decode = getincrementaldecoder("utf-8-sig")("strict").decode
        self._json = json.JSONDecoder(parse_constant=_no_constant)
        self._text, self._at, self._ended = "", 0, False

    def _refill(self, size: int = _PIECE) -> bool:
        """Whether there was more. Characters already used are let go."""
        if self._ended:
            return False
        piece = self._content.read(size)
        try:
            more = self._decode(piece, not piece)
        except UnicodeDecodeError:
            raise ImportRefused(
                "The file is JSON, but not text in utf-8", value=self._name, action="Save it as UTF-8."
            ) from None
        self._text, self._at, self._ended = self._text[self._at :] + more, 0, not piece
        return bool(piece)

    def next_character(self) -> str:
        """The next one that is not a space, left where it is; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._refill():
                return ""

    def taken(self, mark: str) -> bool:
        if self.next_character() != mark:
            return False
        self._at += 1
        return True

    def elements(self) -> Iterator[Any]:
        """Of a list whose bracket was taken."""
        if self.taken("]"):
            return
        while True:
            yield self.value()
            if self.taken("]"):
                return
            if not self.taken(","):
                raise self.not_json()

    def value(self) -> Any:
        """One whole value: as many pieces are read as it takes, twice as many each time."""
        self.next_character()
        size = _PIECE
        while True:
            try:
                found, end = self._json.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                found, end = None, len(self._text)
            if end < len(self._text) or (self._ended and found is not None):
                self._at = end
                return found
            if len(self._text) - self._at > LARGEST_RECORD:
                raise ImportRefused(
                    f"A record is longer than {LARGEST_RECORD >> 20} MB, or the document is not JSON",
                    value=self._name,
                    action="Export fewer rows at a time, or one JSON object per line.",
                )
            if not self._refill(size):
                raise self.not_json()
            size *= 2

    def not_json(self) -> ImportRefused:
        return ImportRefused(
            "The document cannot be read: it is not JSON", value=self._name, action="Fetch or export it again."
        )


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
