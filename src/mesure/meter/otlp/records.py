"""What is kept of a span, a log record or a point of a histogram: times, ids, and the attributes that are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "EXCEPTION",
    "EXCEPTION_TYPE",
    "FIRST_OUTPUT",
    "LONGEST_TEXT",
    "SIGNALS",
    "Attributes",
    "Batch",
    "Point",
    "Record",
    "Signal",
    "Wanted",
]

Signal = Literal["traces", "metrics", "logs"]
SIGNALS: tuple[Signal, ...] = get_args(Signal)

#: A longer text is no name of a model or a team, and may be a prompt: it is not read.
LONGEST_TEXT = 200
#: Events of a span that are read: when output began, and what went wrong.
FIRST_OUTPUT = ("First Token Stream Event", "gen_ai.content.completion.chunk")
EXCEPTION, EXCEPTION_TYPE = "exception", "exception.type"
_OWN = "mesure."

Attributes = dict[str, Any]


class Record(NamedTuple):
    """A span or a log record. Ids are lower-case hexadecimal, None when absent; times are Unix nanoseconds."""

    trace_id: str | None
    span_id: str | None
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    failed: bool
    served: bool  # told by the side that answers, not the one that asks
    attributes: Attributes
    resource: Attributes
    first_output_ns: int = 0
    exception: str = ""  # the type of one, never its message
    scope: str = ""  # the name of the instrumentation


class Point(NamedTuple):
    """One point of a histogram: so many values that make `total`, over (start, end]."""

    name: str
    attributes: Attributes
    resource: Attributes
    start_ns: int
    end_ns: int
    values: int
    total: float
    cumulative: bool


class Batch(NamedTuple):
    """A request's content; `refused` items could not be read."""

    records: list[Record]
    points: list[Point]
    others: int = 0  # metrics that are not ours to read
    refused: int = 0


class Wanted:
    """The names of attributes that are read. All others pass unread, prompts and answers among them."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def __contains__(self, name: object) -> bool:
        return name in self._names or (isinstance(name, str) and name.startswith(_OWN) and len(name) <= LONGEST_TEXT)
