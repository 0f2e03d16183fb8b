"""Where events go. Rooms that see usage depend on this protocol, never on the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mesure.record.event import UsageEvent

__all__ = ["Sink"]


class Sink(Protocol):
    def record(self, event: UsageEvent) -> bool:
        """Take the event without blocking and without raising. True once it is acknowledged (written to the spool)."""
        ...
