"""OTLP in its binary form, read with the protocol's own published messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mesure.meter.otlp.records import (
    EXCEPTION,
    EXCEPTION_TYPE,
    FIRST_OUTPUT,
    LONGEST_TEXT,
    Attributes,
    Batch,
    Point,
    Record,
    Wanted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.meter.otlp.records import Signal

__all__ = ["answer", "messages", "of_message", "read", "status"]

_SERVED = (2, 5)  # span kinds SERVER and CONSUMER
_ERROR = 2
_CUMULATIVE = 2
_MOST_TEXTS = 20
_ERRORS = Wanted([EXCEPTION_TYPE])


def messages(signal: Signal) -> tuple[Any, Any]:
    """(request, response) classes; imported when the first request comes, 8 MB and a tenth of a second."""
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

        return traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse
    if signal == "metrics":
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics

        return metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse
    from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs

    return logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse


def read(signal: Signal, body: bytes, wanted: Wanted) -> Batch:
    """Raises `ValueError` for bytes that are no such message."""
    from google.protobuf.message import DecodeError

    try:
        message = messages(signal)[0].FromString(body)
    except DecodeError as error:
        raise ValueError("not a message of this signal") from error
    return of_message(signal, message, wanted)


def of_message(signal: Signal, message: Any, wanted: Wanted) -> Batch:
    """A request that is decoded already."""
    if signal == "traces":
        return Batch(list(_spans(message, wanted)), [])
    if signal == "logs":
        return Batch(list(_log_records(message, wanted)), [])
    return _metrics(message, wanted)


def answer(signal: Signal, rejected: int, why: str) -> Any:
    """The response: empty when everything was taken, else how many items were not, and why."""
    response = messages(signal)[1]()
    if rejected or why:
        setattr(response.partial_success, _REJECTED[signal], rejected)
        response.partial_success.error_message = why
    return response


_REJECTED = {"traces": "rejected_spans", "metrics": "rejected_data_points", "logs": "rejected_log_records"}


def status(code: int, message: str) -> bytes:
    """A `google.rpc.Status`: what a refusal's body holds."""
    text = message.encode()[:1000]
    return bytes((0x08, code, 0x12, *_varint(len(text)))) + text


def _varint(value: int) -> bytes:
    head = [value & 0x7F | (0x80 if value > 0x7F else 0)]
    return bytes(head) + (_varint(value >> 7) if value > 0x7F else b"")


def _spans(message: Any, wanted: Wanted) -> Iterable[Record]:
    for group in message.resource_spans:
        resource = _attributes(group.resource.attributes, wanted)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Record(
                    _hex(span.trace_id, 16),
                    _hex(span.span_id, 8),
                    _hex(span.parent_span_id, 8),
                    span.name[:LONGEST_TEXT],
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == _ERROR,
                    span.kind in _SERVED,
                    _attributes(span.attributes, wanted),
                    resource,
                    next((e.time_unix_nano for e in span.events if e.name in FIRST_OUTPUT), 0),
                    next((_exception(e) for e in span.events if e.name == EXCEPTION), ""),
                    scope.scope.name[:LONGEST_TEXT],
                )


def _exception(event: Any) -> str:
    return str(_attributes(event.attributes, _ERRORS).get(EXCEPTION_TYPE, ""))


def _log_records(message: Any, wanted: Wanted) -> Iterable[Record]:
    for group in message.resource_logs:
        resource = _attributes(group.resource.attributes, wanted)
        for scope in group.scope_logs:
            for record in scope.log_records:
                at = record.time_unix_nano or record.observed_time_unix_nano
                attributes = _attributes(record.attributes, wanted)
                trace, span = _hex(record.trace_id, 16), _hex(record.span_id, 8)
                name = record.event_name[:LONGEST_TEXT]
                yield Record(trace, span, None, name, 0, at, False, False, attributes, resource)


def _metrics(message: Any, wanted: Wanted) -> Batch:
    points: list[Point] = []
    others = 0
    for group in message.resource_metrics:
        resource = _attributes(group.resource.attributes, wanted)
        for scope in group.scope_metrics:
            for metric in scope.metrics:
                kind = metric.WhichOneof("data")
                data = getattr(metric, kind) if kind in ("histogram", "exponential_histogram") else None
                if data is None or metric.name not in wanted:
                    others += 1
                    continue
                cumulative = data.aggregation_temporality == _CUMULATIVE
                for point in data.data_points:
                    attributes = _attributes(point.attributes, wanted)
                    start, end = point.start_time_unix_nano, point.time_unix_nano
                    points.append(
                        Point(metric.name, attributes, resource, start, end, point.count, point.sum, cumulative)
                    )
    return Batch([], points, others)


def _attributes(pairs: Any, wanted: Wanted) -> Attributes:
    kept: Attributes = {}
    for pair in pairs:
        if pair.key in wanted and (value := _value(pair.value)) is not None:
            kept[pair.key] = value
    return kept


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind in ("int_value", "double_value", "bool_value"):
        return getattr(value, kind)
    if kind == "string_value":
        text = value.string_value
        return text if len(text) <= LONGEST_TEXT else None
    if kind == "array_value":
        texts = [item.string_value for item in value.array_value.values[:_MOST_TEXTS]]
        return [text for text in texts if 0 < len(text) <= LONGEST_TEXT]
    return None


def _hex(identifier: bytes, length: int) -> str | None:
    """An id of the right length that is not all zeros."""
    return identifier.hex() if len(identifier) == length and any(identifier) else None
