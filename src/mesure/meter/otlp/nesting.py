"""One call told by several spans: a framework's span around a client's, both with the tokens of one request."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mesure.meter.otlp.records import Record

__all__ = ["Nesting"]

_MOST = 50_000

_Key = tuple[str, str]
V = TypeVar("V")


class Nesting:
    """The innermost span counts: it ends first, so it comes first, and whatever holds it is told not to count.

    Remembers the last 50 000 spans that hold one; spans without a model in between hand it on.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._holding: OrderedDict[_Key, bool] = OrderedDict()  # -> whether tokens are known inside
        self._told: OrderedDict[_Key, str] = OrderedDict()  # spans that were booked -> by which signal

    def passes(self, record: Record) -> None:
        """A span that is no call: what it holds, its parent holds."""
        inside = self._holding.get(_key(record.trace_id, record.span_id))
        if inside is not None:
            self._hold(record, inside)

    def repeats(self, record: Record, *, has_tokens: bool) -> bool:
        """Whether a call inside this span was counted already."""
        inside = self._holding.get(_key(record.trace_id, record.span_id))
        if inside is None or (has_tokens and not inside):
            return False
        self._hold(record, inside)
        return True

    def counted(self, record: Record, *, has_tokens: bool, signal: str) -> None:
        """The call is in the ledger."""
        self._hold(record, has_tokens)
        _keep(self._told, _key(record.trace_id, record.span_id), signal, self._most)

    def told_elsewhere(self, record: Record, signal: str) -> bool:
        """Whether another signal told of the same span: an event of the logs beside it."""
        return self._told.get(_key(record.trace_id, record.span_id), signal) != signal

    def _hold(self, record: Record, inside: bool) -> None:
        parent = _key(record.trace_id, record.parent_id)
        if all(parent):
            _keep(self._holding, parent, inside or self._holding.get(parent, False), self._most)


def _key(trace: str | None, span: str | None) -> _Key:
    return trace or "", span or ""


def _keep(table: OrderedDict[_Key, V], key: _Key, value: V, most: int) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > most:
        table.popitem(last=False)
