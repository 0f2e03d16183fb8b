"""What a path says of a call, and what a reader of a protocol does: the shapes that all wires share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from mesure.record import Operation

__all__ = ["Booking", "Call", "Facts", "Known", "Reader", "Reading"]

#: Fields of `UsageEvent` by name.
Facts = dict[str, Any]

#: When a call becomes an event. "always": it runs a model whatever it answers; "unknown": a path no reader knows,
#: booked when its request names a model or its answer carries usage; "collected": the result of an earlier request,
#: booked when it is there; "never": files, lists, counts of tokens.
Booking = Literal["always", "unknown", "collected", "never"]


class Known(NamedTuple):
    """What a reader says of a path it reads. `facts` are stated by the path itself, as a model's name is."""

    operation: Operation
    booking: Booking = "always"
    facts: Facts | None = None


class Call(NamedTuple):
    """A call as its provider's wire, its method and its path announce it."""

    reader: Reader
    operation: Operation
    booking: Booking
    facts: Facts
    asks_usage: bool  # a stream's usage may be asked for with `stream_options.include_usage`
    comments: bool  # readers of its event streams skip comments


class Reading(Protocol):
    """A stream as it passes. `deltas` counts events that carried output, a token each where `token_each`; `done`: the
    protocol's own end was seen; `finished`: a finish reason was; `usage`: final counts were; `error`: the provider told
    one."""

    token_each: ClassVar[bool]
    facts: Facts
    deltas: int
    done: bool
    finished: bool
    usage: bool
    error: bool

    def split(self, chunk: bytes) -> list[bytes]:
        """The raw events that `chunk` completes."""
        ...

    def rest(self) -> bytes:
        """Bytes after the last complete event."""
        ...

    def read(self, event: bytes) -> bytes:
        """Take one raw event's facts; returns it as the client should get it (empty: it should not)."""
        ...


class Reader(Protocol):
    """Pure functions over the bytes of one protocol. Tolerant: what cannot be read gives fewer facts, no error."""

    def known(self, method: str, path: str, /) -> Known | None:
        """What the path says, None when this protocol has no such path."""
        ...

    def request_facts(self, request: Facts, /) -> Facts:
        """Facts that a request's object, or its form, states."""
        ...

    def answer_facts(self, body: bytes | None, /) -> Facts | None:
        """Facts of a whole answer; None when there is nothing to book yet, its result being collected later."""
        ...

    def tail_facts(self, head: bytes, tail: bytes, /) -> Facts:
        """Facts from the two ends of an answer too large to keep."""
        ...

    def stream_reading(self, media_type: str, /) -> Reading | None:
        """What reads a body of this type piece by piece; None when it is no stream of events."""
        ...
