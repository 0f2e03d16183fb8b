"""OTLP in its JSON form: names in lowerCamelCase, ids in hexadecimal, 64-bit numbers as text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

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
    from collections.abc import Iterator

    from mesure.meter.otlp.records import Signal

__all__ = ["answer", "read", "status"]

_SERVED = (2, 5, "SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER")
_ERROR = (2, "STATUS_CODE_ERROR")
_CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")
_MOST_TEXTS = 20
_HEX = {length: re.compile(rf"(?!0+$)[0-9a-f]{{{length}}}") for length in (16, 32)}
_REJECTED = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}
_ERRORS = Wanted([EXCEPTION_TYPE])
_MOST_NS = 1 << 64


def read(signal: Signal, body: bytes, wanted: Wanted) -> Batch:
    """Raises `ValueError` for bytes that are no JSON object. Members of another kind than they should be are absent."""
    message = orjson.loads(body)
    if not isinstance(message, dict):
        raise ValueError("not a JSON object")
    if signal == "traces":
        return Batch(list(_spans(message, wanted)), [])
    if signal == "logs":
        return Batch(list(_log_records(message, wanted)), [])
    return _metrics(message, wanted)


def answer(signal: Signal, rejected: int, why: str) -> bytes:
    """The response: empty when everything was taken, else how many items were not, and why."""
    if not rejected and not why:
        return b"{}"
    return orjson.dumps({"partialSuccess": {_REJECTED[signal]: str(rejected), "errorMessage": why}})


def status(code: int, message: str) -> bytes:
    """A `google.rpc.Status`: what a refusal's body holds."""
    return orjson.dumps({"code": code, "message": message})


def _groups(message: Any, outer: str, inner: str, wanted: Wanted) -> Iterator[tuple[Attributes, dict[str, Any]]]:
    """(attributes of the resource, scope), for every scope of every resource."""
    for group in _objects(message, outer):
        resource = _attributes(_object(group, "resource"), wanted)
        for scope in _objects(group, inner):
            yield resource, scope


def _spans(message: Any, wanted: Wanted) -> Iterator[Record]:
    for resource, scope in _groups(message, "resourceSpans", "scopeSpans", wanted):
        for span in _objects(scope, "spans"):
            events = _objects(span, "events")
            yield Record(
                _hex(span.get("traceId"), 32),
                _hex(span.get("spanId"), 16),
                _hex(span.get("parentSpanId"), 16),
                _text(span.get("name")),
                _whole(span.get("startTimeUnixNano")),
                _whole(span.get("endTimeUnixNano")),
                _object(span, "status").get("code") in _ERROR,
                span.get("kind") in _SERVED,
                _attributes(span, wanted),
                resource,
                next((_whole(e.get("timeUnixNano")) for e in events if e.get("name") in FIRST_OUTPUT), 0),
                next((_exception(e) for e in events if e.get("name") == EXCEPTION), ""),
                _text(_object(scope, "scope").get("name")),
            )


def _exception(event: dict[str, Any]) -> str:
    return str(_attributes(event, _ERRORS).get(EXCEPTION_TYPE, ""))


def _log_records(message: Any, wanted: Wanted) -> Iterator[Record]:
    for resource, scope in _groups(message, "resourceLogs", "scopeLogs", wanted):
        for record in _objects(scope, "logRecords"):
            at = _whole(record.get("timeUnixNano")) or _whole(record.get("observedTimeUnixNano"))
            trace, span = _hex(record.get("traceId"), 32), _hex(record.get("spanId"), 16)
            name = _text(record.get("eventName"))
            yield Record(trace, span, None, name, 0, at, False, False, _attributes(record, wanted), resource)


def _metrics(message: Any, wanted: Wanted) -> Batch:
    points: list[Point] = []
    others = refused = 0
    for resource, scope in _groups(message, "resourceMetrics", "scopeMetrics", wanted):
        for metric in _objects(scope, "metrics"):
            name = _text(metric.get("name"))
            data = _object(metric, "histogram") or _object(metric, "exponentialHistogram")
            if not data or name not in wanted:
                others += 1
                continue
            cumulative = data.get("aggregationTemporality") in _CUMULATIVE
            for point in _objects(data, "dataPoints"):
                total = point.get("sum")
                if isinstance(total, bool) or not isinstance(total, int | float):
                    refused += 1
                    continue
                start, end = _whole(point.get("startTimeUnixNano")), _whole(point.get("timeUnixNano"))
                attributes = _attributes(point, wanted)
                count = _whole(point.get("count"))
                points.append(Point(name, attributes, resource, start, end, count, float(total), cumulative))
    return Batch([], points, others, refused)


def _attributes(holder: dict[str, Any], wanted: Wanted) -> Attributes:
    kept: Attributes = {}
    for pair in _objects(holder, "attributes"):
        name = pair.get("key")
        if isinstance(name, str) and name in wanted and (value := _value(_object(pair, "value"))) is not None:
            kept[name] = value
    return kept


def _value(value: dict[str, Any]) -> Any:
    if isinstance(text := value.get("stringValue"), str):
        return text if len(text) <= LONGEST_TEXT else None
    if isinstance(truth := value.get("boolValue"), bool):
        return truth
    if "intValue" in value:
        return _signed(value["intValue"])
    number = value.get("doubleValue")
    if isinstance(number, int | float) and not isinstance(number, bool):
        return float(number)
    if items := _objects(_object(value, "arrayValue"), "values"):
        texts = [item.get("stringValue") for item in items[:_MOST_TEXTS]]
        return [text for text in texts if isinstance(text, str) and 0 < len(text) <= LONGEST_TEXT]
    return None


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = holder.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _signed(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value)
        except ValueError:
            return None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _whole(value: object) -> int:
    """A number of 64 bits; 0, which the protocol reads as absent, for anything else."""
    number = _signed(value)
    return number if number is not None and 0 <= number < _MOST_NS else 0


def _hex(value: object, length: int) -> str | None:
    identifier = value.lower() if isinstance(value, str) else ""
    return identifier if _HEX[length].fullmatch(identifier) else None
