"""The protocol by which facts are handed over."""

from __future__ import annotations

from datetime import UTC, datetime

from mesure.record import Sink, UsageEvent, new_id


class _List:
    def __init__(self) -> None:
        self.events: list[UsageEvent] = []

    def record(self, event: UsageEvent) -> bool:
        self.events.append(event)
        return True


def test_anything_with_record_is_a_sink() -> None:
    kept = _List()
    sink: Sink = kept
    event = UsageEvent(id=new_id(), started_at=datetime.now(UTC))
    assert sink.record(event)
    assert kept.events == [event]
