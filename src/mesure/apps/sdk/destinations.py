"""Where an application's events go: the spool of a data folder on this machine, or a Mesure elsewhere."""

from __future__ import annotations

import json
import secrets
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from mesure.record import KINDS, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Destination", "Folder", "Remote", "as_span", "destination_of"]

_PATH = "/otlp/v1/traces"
_TIMEOUT_S = 10.0
_TRIES = 5
_LONGEST_WAIT_S = 30.0
_TRY_AGAIN = (429, 502, 503, 504)
_AT_ONCE = 500
#: Members of the span itself, or ours to set where it arrives.
_NOT_SENT = ("id", "schema_version", "started_at", "ended_at", "ingested_at", "trace_id", "span_id", "origin", "labels")
_SENT = tuple(
    name for name in (*KINDS, "operation", "environment", "status", "source", "energy_status", "energy_scope")
)


class Destination(Protocol):
    def send(self, events: Sequence[UsageEvent]) -> int:
        """How many were acknowledged. May block, and raise `OSError`."""
        ...

    def pseudonym(self, user: str) -> str:
        """What stands for a person in an event that is sent there."""
        ...

    def close(self) -> None: ...


def destination_of(to: str | Path) -> Destination:
    """An address of a Mesure (`http://...`), or a data folder."""
    text = str(to)
    return Remote(text) if text.startswith(("http://", "https://")) else Folder(Path(to))


class Folder:
    """The spool of a data folder: the server that uses the folder moves it into the ledger, now or when it starts."""

    def __init__(self, folder: Path) -> None:
        from mesure.ledger.spool import Spool
        from mesure.meter.pseudonyms import Pseudonyms

        self._spool = Spool(folder / "spool")
        self.pseudonym: Callable[[str], str] = Pseudonyms(folder)

    def send(self, events: Sequence[UsageEvent]) -> int:
        from mesure.meter.screening import screened_event

        return sum(self._spool.record(screened_event(event, self.pseudonym)) for event in events)

    def close(self) -> None:
        self._spool.close()


class Remote:
    """Another Mesure's telemetry intake. A key goes along where there is one; refusals that pass are tried again."""

    def __init__(self, url: str, key: str | None = None, *, wait: Callable[[float], object] = time.sleep) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host = parts.netloc.rpartition("@")[2]
        self._path = parts.path.rstrip("/") + _PATH
        self._key = key
        self._wait = wait

    def pseudonym(self, user: str) -> str:
        """As it is: the Mesure that gets it has the key."""
        return user

    def send(self, events: Sequence[UsageEvent]) -> int:
        done = 0
        for start in range(0, len(events), _AT_ONCE):
            part = events[start : start + _AT_ONCE]
            done += self._sent(json.dumps(_request(part)).encode(), len(part))
        return done

    def close(self) -> None:
        """No connection is kept."""

    def _sent(self, body: bytes, count: int) -> int:
        for turn in range(_TRIES):
            try:
                status, answer, retry = self._post(body)
            except (OSError, HTTPException):
                status, answer, retry = 503, b"", None
            if status == 200:
                rejected = json.loads(answer or b"{}").get("partialSuccess", {}).get("rejectedSpans", 0)
                return max(count - int(rejected), 0)
            if status not in _TRY_AGAIN:
                return 0
            if turn + 1 < _TRIES:
                self._wait(min(float(retry or 2**turn), _LONGEST_WAIT_S))
        return 0

    def _post(self, body: bytes) -> tuple[int, bytes, str | None]:
        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, timeout=_TIMEOUT_S)
        headers = {"content-type": "application/json"}
        if self._key:
            headers["x-mesure-key"] = self._key
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("retry-after")
        finally:
            connection.close()


def _request(events: Sequence[UsageEvent]) -> dict[str, Any]:
    spans = [as_span(event) for event in events]
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "mesure"}, "spans": spans}]}]}


def as_span(event: UsageEvent) -> dict[str, Any]:
    """The event in OTLP's JSON: every known field an attribute of Mesure's own."""
    given = {f"mesure.{name}": getattr(event, name) for name in _SENT if name not in _NOT_SENT}
    given |= {f"mesure.labels.{name}": value for name, value in (event.labels or {}).items()}
    start = _ns(event.started_at.timestamp())
    end = _ns(event.ended_at.timestamp()) if event.ended_at else start + int((event.duration_ms or 0.0) * 1e6)
    return {
        "traceId": event.trace_id or secrets.token_hex(16),
        "spanId": event.span_id or secrets.token_hex(8),
        "name": "mesure",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": [{"key": name, "value": _value(value)} for name, value in given.items() if value is not None],
    }


def _ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}
