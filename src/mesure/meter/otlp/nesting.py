"""One call told by several spans: a framework's span around a client's, both with the tokens of one request."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from mesure.meter.otlp.conventions import FRAMEWORKS

if TYPE_CHECKING:
    from mesure.meter.otlp.records import Record
    from mesure.record import UsageEvent

__all__ = ["Nesting"]

_MOST = 50_000

_Key = tuple[object, ...]
V = TypeVar("V")


class Nesting:
    """The innermost span counts: it ends first, so it comes first, and whatever holds it is told not to count.

    Spans without a model in between hand that on. Some frameworks do not tell the client's span whose child it is:
    theirs then repeats a call of the same service and the same tokens that lies within its time, each such call once.
    Remembers the last 50 000 spans.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._holding: OrderedDict[_Key, bool] = OrderedDict()  # -> whether tokens are known inside
        self._told: OrderedDict[_Key, str] = OrderedDict()  # spans that were booked -> by which signal
        self._clients: OrderedDict[_Key, list[tuple[int, int, str | None]]] = (
            OrderedDict()
        )  # times of calls that look alike

    def passes(self, record: Record) -> None:
        """A span that is no call: what it holds, its parent holds."""
        inside = self._holding.get(_span(record))
        if inside is not None:
            self._hold(record, inside)

    def repeats(self, record: Record, event: UsageEvent) -> bool:
        """Whether a call inside this span was counted already."""
        inside = self._holding.get(_span(record))
        if inside is None and _is_framework(record) and self._of_a_client(record, event):
            inside = True
            _keep(self._holding, _span(record), inside, self._most)
        if inside is None or (_has_tokens(event) and not inside):
            return False
        self._hold(record, inside)
        return True

    def counted(self, record: Record, event: UsageEvent, signal: str) -> None:
        """The call is in the ledger."""
        self._hold(record, _has_tokens(event))
        _keep(self._told, _span(record), signal, self._most)
        if _has_tokens(event) and not _is_framework(record):
            times = self._clients.get(_alike(record, event), [])
            if (at := (record.start_ns, record.end_ns, record.span_id)) not in times:
                _keep(self._clients, _alike(record, event), [*times[-_ALIKE:], at], self._most)

    def told_elsewhere(self, record: Record, signal: str) -> bool:
        """Whether another signal told of the same span: an event of the logs beside it."""
        return self._told.get(_span(record), signal) != signal

    def _of_a_client(self, record: Record, event: UsageEvent) -> bool:
        times = self._clients.get(_alike(record, event), [])
        for at in times:
            if record.start_ns <= at[0] and at[1] <= record.end_ns:
                times.remove(at)
                return True
        return False

    def _hold(self, record: Record, inside: bool) -> None:
        parent = (record.trace_id, record.parent_id)
        if all(parent):
            _keep(self._holding, parent, inside or self._holding.get(parent, False), self._most)


#: Calls of one service with the same counts that are remembered, beside the one that is added.
_ALIKE = 63


def _is_framework(record: Record) -> bool:
    return record.scope.rpartition(".")[2] in FRAMEWORKS


def _has_tokens(event: UsageEvent) -> bool:
    return event.input_tokens is not None or event.output_tokens is not None


def _alike(record: Record, event: UsageEvent) -> _Key:
    return (record.resource.get("service.name"), event.operation, event.input_tokens, event.output_tokens)


def _span(record: Record) -> _Key:
    return (record.trace_id or "", record.span_id or "")


def _keep(table: OrderedDict[_Key, V], key: _Key, value: V, most: int) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
