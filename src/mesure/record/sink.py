"""Where events go. Rooms that see usage depend on this protocol, never on the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.record.event import UsageEvent

__all__ = ["FieldSink", "Sink"]


class Sink(Protocol):
    def record(self, event: UsageEvent) -> bool:
        """Take the event without blocking and without raising. True once it is acknowledged (written to the spool)."""
        ...


@runtime_checkable
class FieldSink(Sink, Protocol):
    """A sink that spares its busiest caller the making of an event."""

    def record_fields(self, fields: Mapping[str, Any]) -> bool:
        """As `record`, of an event given by its fields, which hold what `UsageEvent.checked` would let pass."""
        ...
