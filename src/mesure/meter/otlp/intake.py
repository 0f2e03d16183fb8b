"""What one request of telemetry brings: read, made events, written. Answered only once it is."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.errors import InvalidValue, MesureError
from mesure.meter.otlp import json_form, protobuf
from mesure.meter.otlp.calls import ATTRIBUTES, log_fields, span_fields
from mesure.meter.otlp.conventions import TOKEN_USAGE
from mesure.meter.otlp.histograms import Series, aggregate_fields
from mesure.meter.otlp.nesting import Nesting
from mesure.meter.otlp.records import Batch, Wanted
from mesure.meter.otlp.who import Attribution
from mesure.meter.screening import screened_fields
from mesure.record import UsageEvent, derived_id, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mesure.config import Settings
    from mesure.meter.otlp.records import Attributes, Point, Record, Signal
    from mesure.record import Sink

__all__ = ["Intake", "SpoolFull", "Taken", "Unreadable"]

_INSTANCE = "service.instance.id"
_MOST_SERVICES = 10_000
#: Labels that are read from conventions, not chosen by callers.
_OUR_LABELS = ("agent",)


class Unreadable(MesureError):  # noqa: N818
    """A request that is not what it says it is."""

    default_code = "otlp_unreadable"


class SpoolFull(MesureError):  # noqa: N818
    """Something could not be written: the sender keeps it, and sends it again."""

    default_code = "otlp_not_written"


class Taken(NamedTuple):
    """How many items of a request became events, were none of ours (or told elsewhere), and could not be taken."""

    booked: int
    ignored: int
    rejected: int
    why: str = ""


class Intake:
    """Safe for threads. `counts` holds (signal, "booked" | "ignored" | "rejected") -> items since start."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        pseudonym: Callable[[str], str],
        *,
        began_ns: int | None = None,
        every_label: bool = False,
    ) -> None:
        """`every_label`: labels keep whatever keys they have, where a program tells of itself."""
        given = settings.otlp
        names = {
            "team": ["mesure.team", *given.team_attributes],
            "use_case": ["mesure.use_case", *given.use_case_attributes],
            "end_client": ["mesure.end_client", *given.end_client_attributes],
            "contact_id": ["mesure.contact_id", *given.contact_attributes],
            "user": ["mesure.user", *given.user_attributes],
        }
        fixed = {
            "organisation": settings.gateway.organisation or settings.organisation.name or None,
            "environment": settings.gateway.environment,
        }
        self._who = Attribution(names, pseudonym, fixed)
        self._label_keys = None if every_label else {*settings.privacy.label_keys, *_OUR_LABELS}
        self.wanted = Wanted({*ATTRIBUTES, *self._who.attributes, TOKEN_USAGE, _INSTANCE})
        self._sink = sink
        self._aggregates = given.token_histograms
        self._lock = threading.Lock()
        self._nesting = Nesting()
        self._series = Series(time.time_ns() if began_ns is None else began_ns)
        self._with_spans: OrderedDict[tuple[Any, Any], None] = OrderedDict()
        self.counts: Counter[tuple[str, str]] = Counter()

    def take(self, signal: Signal, body: bytes, *, as_json: bool, scope: Mapping[str, Any] | None = None) -> Taken:
        """`scope`: fields that the sender's key settles. Raises `Unreadable`, and `SpoolFull` when an event could not
        be written: what was written before it keeps its identity, so that all may be sent again."""
        try:
            batch = (json_form if as_json else protobuf).read(signal, body, self.wanted)
        except (ValueError, RecursionError):
            raise Unreadable(
                f"This is not a request of OTLP {signal} in {'JSON' if as_json else 'binary'} form",
                action="Check the exporter's protocol, and that its content type says it",
            ) from None
        return self._book(signal, batch, scope or {})

    def take_message(self, signal: Signal, message: Any, scope: Mapping[str, Any] | None = None) -> Taken:
        """The same for a message that is decoded already."""
        return self._book(signal, protobuf.of_message(signal, message, self.wanted), scope or {})

    def take_records(self, records: list[Record], scope: Mapping[str, Any]) -> Taken:
        """The same for spans of this process."""
        return self._book("traces", Batch(records, []), scope)

    def _book(self, signal: Signal, batch: Batch, scope: Mapping[str, Any]) -> Taken:
        job = _Job(signal, dict(scope), ignored=batch.others, rejected=batch.refused)
        with self._lock:
            for record in sorted(batch.records, key=lambda record: record.end_ns):
                self._take_record(job, record)
            if batch.points:
                self._take_points(job, batch.points)
        taken = Taken(job.booked, job.ignored, job.rejected, job.why)
        for outcome in ("booked", "ignored", "rejected"):
            self.counts[signal, outcome] += getattr(taken, outcome)
        return taken

    def _take_record(self, job: _Job, record: Record) -> None:
        try:
            fields = (span_fields if job.signal == "traces" else log_fields)(record, self._who)
            if fields is None:
                self._nesting.passes(record)
                job.ignored += 1
                return
            event = self._event(fields, job.scope)
        except InvalidValue as error:
            job.reject(error)
            return
        if self._nesting.repeats(record, event) or (event.span_id and self._nesting.told_elsewhere(record, job.signal)):
            job.ignored += 1
            return
        self._write(event)
        self._nesting.counted(record, event, job.signal)
        self._remember(record.resource)
        job.booked += 1

    def _take_points(self, job: _Job, points: list[Point]) -> None:
        for group in self._series.growth(points):
            if self._aggregates and _service(group[0].point.resource) not in self._with_spans:
                try:
                    event = self._event(aggregate_fields(group, self._who), job.scope)
                except InvalidValue as error:
                    job.reject(error, len(group))
                    continue
                self._write(event)
                job.booked += len(group)
            self._series.written(group)
        job.ignored += len(points) - (job.booked + job.rejected - job.unread)

    def _event(self, fields: Mapping[str, Any], scope: Mapping[str, Any]) -> UsageEvent:
        return _event({**screened_fields(fields, self._who.named, self._label_keys), **scope})

    def _write(self, event: UsageEvent) -> None:
        if not self._sink.record(event):
            raise SpoolFull(
                "The event could not be written: the disk may be full or read-only",
                action="Send it again later; what was written keeps its identity",
            )

    def _remember(self, resource: Attributes) -> None:
        self._with_spans[_service(resource)] = None
        if len(self._with_spans) > _MOST_SERVICES:
            self._with_spans.popitem(last=False)


class _Job:
    """One request under way."""

    def __init__(self, signal: Signal, scope: dict[str, Any], *, ignored: int, rejected: int) -> None:
        self.signal = signal
        self.scope = scope
        self.booked = 0
        self.ignored = ignored
        self.rejected = self.unread = rejected
        self.why = "A point has no sum." if rejected else ""

    def reject(self, error: InvalidValue, items: int = 1) -> None:
        self.rejected += items
        self.why = self.why or f"{error.what}. {error.action}."


def _event(fields: dict[str, Any]) -> UsageEvent:
    """Checked, with an id that its identity gives: sent twice, it is the same event."""
    event = UsageEvent(id="", **fields)
    at_ms = int(event.started_at.timestamp() * 1000)
    return UsageEvent(id=derived_id(at_ms, identity_of(event)), **fields).checked()


def _service(resource: Attributes) -> tuple[Any, Any]:
    return resource.get("service.name"), str(resource.get(_INSTANCE))
