"""What a known export is: how it is recognised, which fields it fills, and what it says of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from mesure.errors import InvalidValue
from mesure.meter.imports.names import folded
from mesure.meter.imports.values import Conventions, is_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Export", "Facts", "Reader", "Record", "added", "aggregate_id", "day_after", "one_kind", "stateless"]

Facts = dict[str, Any]
#: Exports write points and ISO times; a time without an offset is of UTC, as their references say.
_WRITTEN = Conventions()


class Record:
    """One row or object of a file; members are found whatever the case and marks of their names."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self._folded = {folded(name): value for name, value in raw.items()}

    def has(self, *names: str) -> bool:
        """Whether it has all of these columns, filled or not."""
        return all(folded(name) in self._folded for name in names)

    def get(self, *names: str) -> Any:
        """The first of these members that is known; `a.b` is the member `b` of `a`, or a column of that name."""
        for name in names:
            value = self._folded.get(folded(name))
            if value is None and "." in name:
                value = self._inside(name)
            if not is_unknown(value):
                return value
        return None

    def _inside(self, path: str) -> Any:
        first, _, rest = path.partition(".")
        holder = self._folded.get(folded(first))
        return Record(holder).get(rest) if isinstance(holder, dict) else None

    def text(self, *names: str) -> str | None:
        value = self.get(*names)
        if isinstance(value, dict | list):
            raise InvalidValue("This must be a text", value=type(value).__name__, action="Export the file again.")
        return None if value is None else str(value).strip()

    def whole(self, *names: str) -> int | None:
        """A count. Raises `InvalidValue` for what is no whole number."""
        value = self.get(*names)
        return None if value is None else _WRITTEN.whole(value)

    def number(self, *names: str) -> float | None:
        value = self.get(*names)
        return None if value is None else _WRITTEN.number(value)

    def time(self, *names: str) -> str | None:
        """In ISO 8601 with its offset; Unix seconds and milliseconds are times too."""
        value = self.get(*names)
        return None if value is None else _WRITTEN.time(value).isoformat()

    def truth(self, *names: str) -> bool | None:
        value = self.get(*names)
        return None if value is None else _WRITTEN.truth(value)

    def records(self, name: str) -> list[Record]:
        """Of a list of objects; empty when there is none."""
        value = self.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise InvalidValue(f"{name} must be a list of objects", action="Export the file again.")
        return [Record(item) for item in value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A provider's or a tool's export.

    `fields`: every field it may fill, and what it reads there, as a preview shows it. `start` gives a reader for one
    passage over the file: a record -> the facts of each event in it. `columns`: names it reads, its other columns are
    left aside. `written_after`: the reference it was written after, with its date.
    """

    name: str
    title: str
    written_after: str
    marks: Callable[[Record], bool]
    fields: Mapping[str, str]
    start: Callable[[], Reader]
    columns: tuple[str, ...] = ()
    asked_for: frozenset[str] = frozenset({"user"})  # never filled unless it is asked for
    not_tokens: tuple[str, ...] = ()  # names of units that a platform bills, which no model read or wrote

    def reads(self, column: str) -> bool:
        return column in self.fields or folded(column).startswith(tuple(map(folded, self.columns)))


class Reader(Protocol):
    """One passage over a file: the facts of each record, then those that only the whole file tells."""

    def read(self, raw: Mapping[str, Any], /) -> Iterable[Facts]: ...

    def end(self) -> Iterable[Facts]: ...


class _Stateless:
    def __init__(self, read: Callable[[Record], Iterable[Facts]]) -> None:
        self._read = read

    def read(self, raw: Mapping[str, Any], /) -> Iterator[Facts]:
        for facts in self._read(Record(raw)):
            yield {name: value for name, value in facts.items() if value is not None}

    def end(self) -> Iterable[Facts]:
        return ()


def stateless(read: Callable[[Record], Iterable[Facts]]) -> Callable[[], Reader]:
    """A reader that takes each record by itself. Facts that are not known are left out."""
    return lambda: _Stateless(read)


def added(*counts: float | None) -> int | None:
    """Of counts that are parts of a whole; None when none is known."""
    known = [count for count in counts if count is not None]
    return int(sum(known)) if known else None


def one_kind(direction: str | None, tokens: int | None, *, cached: bool = False) -> Facts:
    """A line that counts one kind of token: those of the other direction stand on lines of their own, and none here.

    A line that counts none (money, requests) has no token of its own either.
    """
    if direction is None or tokens is None:
        return {"input_tokens": 0, "output_tokens": 0}
    if direction == "output":
        return {"input_tokens": 0, "output_tokens": tokens}
    return {"input_tokens": tokens, "output_tokens": 0} | ({"cached_input_tokens": tokens} if cached else {})


def aggregate_id(*parts: object) -> str:
    """What makes an aggregate itself: the same period and dimensions, exported twice, are the same one. A label, and no
    `response_id`: it is no call that another source may have seen."""
    said = "\x1f".join("" if part is None else str(part) for part in parts)
    return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def day_after(day: str | None) -> str | None:
    """The end of a day of UTC, from its beginning in ISO 8601."""
    if day is None:
        return None
    try:
        return (_WRITTEN.time(day) + timedelta(days=1)).isoformat()
    except OverflowError:
        raise InvalidValue("This day cannot be read", value=day, action="Correct it.") from None
