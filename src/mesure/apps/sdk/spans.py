"""Ended spans of the application -> records that the telemetry intake reads, as if they had come over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import SpanKind, StatusCode

from mesure.meter.otlp.records import (
    EXCEPTION,
    EXCEPTION_TYPE,
    FIRST_OUTPUT,
    LONGEST_TEXT,
    Attributes,
    Record,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.sdk.trace import ReadableSpan

    from mesure.apps.sdk.outbox import Outbox

__all__ = ["SpanTaker", "record_of"]

_SERVED = (SpanKind.SERVER, SpanKind.CONSUMER)


class SpanTaker(SpanProcessor):
    """On the caller's path: the ended span goes into the box, whatever it is. It is read elsewhere."""

    def __init__(self, box: Outbox) -> None:
        self._put = box.put

    def on_end(self, span: ReadableSpan) -> None:
        self._put(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  (the box has its own limit)
        return True


def record_of(span: ReadableSpan, wanted: Wanted, resource: Mapping[str, Any]) -> Record:
    """What is read of a span. `resource`: what its own resource leaves unsaid."""
    context = span.get_span_context()
    parent = span.parent
    first = error = None
    for event in span.events:
        if first is None and event.name in FIRST_OUTPUT:
            first = event.timestamp
        elif event.name == EXCEPTION:
            error = (event.attributes or {}).get(EXCEPTION_TYPE)
    return Record(
        f"{context.trace_id:032x}" if context else None,
        f"{context.span_id:016x}" if context else None,
        f"{parent.span_id:016x}" if parent else None,
        span.name[:LONGEST_TEXT],
        span.start_time or 0,
        span.end_time or 0,
        span.status.status_code is StatusCode.ERROR,
        span.kind in _SERVED,
        kept((span.attributes or {}).items(), wanted),
        {**resource, **kept(span.resource.attributes.items(), wanted)},
        first or 0,
        str(error or ""),
        span.instrumentation_scope.name if span.instrumentation_scope else "",
    )


def kept(attributes: Iterable[tuple[str, Any]], wanted: Wanted) -> Attributes:
    """The attributes that are read, texts of a name's length alone."""
    found: Attributes = {}
    for name, value in attributes:
        if name not in wanted:
            continue
        if isinstance(value, str):
            if len(value) <= LONGEST_TEXT:
                found[name] = value
        elif isinstance(value, tuple | list):
            found[name] = [item for item in value if isinstance(item, str) and len(item) <= LONGEST_TEXT]
        else:
            found[name] = value
    return found
