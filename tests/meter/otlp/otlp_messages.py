"""Telemetry as it is sent: one description in JSON, and the same request in binary form."""

from __future__ import annotations

import base64
import json
import math
import time
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import ParseDict

from mesure.config import OtlpSettings, PrivacySettings, Settings
from mesure.meter.otlp import Intake, protobuf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.meter.otlp import Signal, Taken
    from mesure.record import UsageEvent

TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
NOW_NS = time.time_ns() - 60_000_000_000
SECOND = 1_000_000_000
_NO_NUMBERS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_IDS = ("traceId", "spanId", "parentSpanId")


class Shelf:
    """A sink that keeps events, and refuses them while `full`."""

    def __init__(self) -> None:
        self.events: list[UsageEvent] = []
        self.full = False

    def record(self, event: UsageEvent) -> bool:
        if not self.full:
            self.events.append(event)
        return not self.full


def new_intake(shelf: Shelf, *, began_ns: int = 0, **otlp: Any) -> Intake:
    settings = Settings(otlp=OtlpSettings(**otlp), privacy=PrivacySettings(label_keys=["shop"]))
    return Intake(settings, shelf, lambda user: f"u-{len(user)}", began_ns=began_ns)


def attributes(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in given.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if math.isfinite(value) else _NO_NUMBERS[str(value)]}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"stringValue": value}


def span(given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    times = {"startTimeUnixNano": str(NOW_NS), "endTimeUnixNano": str(NOW_NS + 2 * SECOND)}
    return {"traceId": TRACE, "spanId": SPAN, "name": "chat", "kind": 3, "attributes": attributes(given)} | times | more


def traces(*spans: dict[str, Any], resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    about = {"attributes": attributes(resource or {"service.name": "assistant"})}
    return {"resourceSpans": [{"resource": about, "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}]}]}


def logs(*records: dict[str, Any], resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    about = {"attributes": attributes(resource or {"service.name": "assistant"})}
    return {"resourceLogs": [{"resource": about, "scopeLogs": [{"logRecords": list(records)}]}]}


def log_record(given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"timeUnixNano": str(NOW_NS), "attributes": attributes(given)} | more


def token_usage(
    *points: dict[str, Any], cumulative: bool = False, kind: str = "histogram", name: str = "gen_ai.client.token.usage"
) -> dict[str, Any]:
    data = {"aggregationTemporality": 2 if cumulative else 1, "dataPoints": list(points)}
    about = {"attributes": attributes({"service.name": "assistant"})}
    return {"resourceMetrics": [{"resource": about, "scopeMetrics": [{"metrics": [{"name": name, kind: data}]}]}]}


def point(kind: str, count: int, total: float, *, start: int = NOW_NS, end: int | None = None) -> dict[str, Any]:
    told = {"gen_ai.token.type": kind, "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
    times = {"startTimeUnixNano": str(start), "timeUnixNano": str(end or start + SECOND)}
    return {"attributes": attributes(told), "count": str(count), "sum": total} | times


def binary(signal: Signal, message: dict[str, Any]) -> bytes:
    request = protobuf.messages(signal)[0]()
    return bytes(ParseDict(_with_bytes(message), request).SerializeToString())


def _with_bytes(value: Any) -> Any:
    """Ids in base64, as the general JSON form of such messages has them."""
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: base64.b64encode(bytes.fromhex(item)).decode() if name in _IDS else _with_bytes(item)
        for name, item in value.items()
    }


def take(intake: Intake, signal: Signal, message: dict[str, Any], *, as_json: bool = True) -> Taken:
    body = json.dumps(message).encode() if as_json else binary(signal, message)
    return intake.take(signal, body, as_json=as_json)


def event_of(given: Mapping[str, Any], *, as_json: bool = True, resource: Any = None, **more: Any) -> UsageEvent:
    """The one event of a span with these attributes."""
    shelf = Shelf()
    taken = take(new_intake(shelf), "traces", traces(span(given, **more), resource=resource), as_json=as_json)
    assert (taken.booked, taken.ignored, taken.rejected) == (1, 0, 0), taken
    return shelf.events[0]
