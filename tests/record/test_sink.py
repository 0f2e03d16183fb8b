"""The protocol by which facts are handed over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mesure.record import FieldSink, Sink, UsageEvent, new_id


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
    assert not isinstance(kept, FieldSink)


class _Fields(_List):
    def record_fields(self, fields: Mapping[str, Any]) -> bool:
        return self.record(UsageEvent.from_json(dict(fields)))


def test_a_sink_that_takes_fields_is_known_by_it() -> None:
    kept = _Fields()
    assert isinstance(kept, FieldSink)
    event = UsageEvent(id=new_id(), started_at=datetime.now(UTC), team="care")
    assert kept.record_fields(event.to_json())
    assert kept.events == [event]
