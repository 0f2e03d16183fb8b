"""What is known of one call, gathered while its bytes pass, and booked once. Nothing here may fail the call."""

from __future__ import annotations

import functools
import logging
import secrets
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from mesure.apps.gateway.attribution import attribution, trace_ids
from mesure.apps.gateway.failures import FailureLog
from mesure.apps.gateway.figures import figure_headers, live_comment
from mesure.apps.gateway.keeping import Keeping, keeping
from mesure.apps.gateway.keys import overruled, scope_of
from mesure.apps.http1.refusal import Refusal, place_of
from mesure.ledger import Pricer
from mesure.meter.pseudonyms import load_key
from mesure.meter.wires import openai
from mesure.meter.wires.bodies import BodyDecoder, request_object
from mesure.meter.wires.choice import WIRES
from mesure.meter.wires.fingerprint import Fingerprints
from mesure.meter.wires.members import error_facts
from mesure.meter.wires.streams import EVENT_STREAM
from mesure.record import SCHEMA_VERSION, FieldSink, UsageEvent, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mesure.apps.gateway.budgets import HardBudgets
    from mesure.apps.gateway.headers import Pairs, Request
    from mesure.apps.gateway.providers import Provider, Route
    from mesure.apps.gateway.upstream import Answer
    from mesure.config import Settings
    from mesure.content import Content
    from mesure.meter.sensors import CallMeter
    from mesure.meter.sensors.server_meter import ServerMeter
    from mesure.meter.wires.call import Reading
    from mesure.record import Outcome, Sink
    from mesure.state import HeldKey

__all__ = ["CallMetering", "Metering"]

log = logging.getLogger("mesure.gateway")

_HEAD = 4 << 10
_TAIL = 64 << 10
_LINES = ("ndjson", "stream+json")
_LIVE_EVERY_S = 1.0
_MOST_SEEN = 10_000
#: A provider that was never reached ran no model: a known zero.
_NOTHING_RAN = {"input_tokens": 0, "output_tokens": 0, "tokens_reported": False}
#: Operations whose streams come a token, or a few, at a time.
_TEXT = ("chat", "completion")
_UNREACHED = "provider_unreachable"

P = ParamSpec("P")
R = TypeVar("R")


class Metering:
    """What all calls share: where events go, keys, sensors, and how often metering itself failed."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        meters: Mapping[str, CallMeter],
        servers: Mapping[str, ServerMeter] | None = None,
        content: Content | None = None,
    ) -> None:
        self.content = content
        #: Takes an event by its fields; True once it is acknowledged.
        self.record = (
            sink.record_fields if isinstance(sink, FieldSink) else lambda given: sink.record(UsageEvent(**given))
        )
        self.meters = meters
        self.servers = servers or {}
        self.pricer = Pricer(settings.deployments)
        self.fingerprints = Fingerprints(_key(Path(settings.server.data)))
        self.label_keys = frozenset(settings.privacy.label_keys)
        self.failures: Counter[str] = Counter()
        self.not_acknowledged = 0
        self.unmetered: Counter[str] = Counter()
        self.failing = FailureLog()
        given = settings.gateway
        self.budgets: HardBudgets | None = None
        self._common = {
            "schema_version": SCHEMA_VERSION,
            "calls_count": 1,
            "basis": "observed",
            "source": "gateway",
            "organisation": given.organisation or settings.organisation.name,
            "application": given.application,
            "environment": given.environment,
        }
        self._common_to: dict[str, dict[str, Any]] = {}
        self._seen: dict[tuple[str, str], None] = {}

    def common_to(self, provider: Provider) -> dict[str, Any]:
        """Fields of every call of a provider; what is empty in the configuration is unknown, and left out."""
        found = self._common_to.get(provider.name)
        if found is None:
            given = provider.settings
            place = {"deployment": given.deployment, "host_region": given.region, "host_zone": given.zone}
            every = self._common | {"provider": provider.catalogue_name} | place
            found = self._common_to[provider.name] = {name: value for name, value in every.items() if value}
        return found

    def warm(self) -> None:
        """Load what the first figure needs (tens of milliseconds), so that no call waits for it."""
        try:
            self.pricer.impacts_of_fields({"started_at": datetime.now(UTC), "operation": "chat"})
        except Exception as error:  # noqa: BLE001  (calls pass without figures)
            self.failed("warm", error)

    def failed(self, step: str, error: Exception) -> None:
        """Count a failure; log the 1st, 10th, 100th... by kind and place alone: a message may hold content."""
        self.failures[step] += 1
        if str(self.failures[step]).strip("0") != "1":
            return
        log.warning("Metering failed at %s: %s (%s)", step, type(error).__name__, place_of(error))

    def is_new(self, pair: tuple[str, str]) -> bool:
        """Whether this (trace, span), or (provider, id of a collected result), was not seen lately."""
        if pair in self._seen:
            return False
        if len(self._seen) >= _MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        self._seen[pair] = None
        return True


def _key(folder: Path) -> bytes:
    try:
        return load_key(folder)
    except (OSError, ValueError) as error:
        log.warning("No key for pseudonyms in the data folder (%s): one is used until restart", type(error).__name__)
        return secrets.token_bytes(32)


def harmless(step: Callable[Concatenate[CallMetering, P], R]) -> Callable[Concatenate[CallMetering, P], R | None]:
    """A step of metering whose failure is counted, never raised; it then returns None."""

    def run(self: CallMetering, /, *args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return step(self, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  (the one place: a call outlives whatever its metering does)
            self.shared.failed(step.__name__, error)
            return None

    return functools.update_wrapper(run, step)


class CallMetering:
    """One call. Steps in order: `sent`, then `held` for a whole answer or `streams` and `passed`, then `finish`."""

    __slots__ = (
        "_began",
        "_booked",
        "_copy",
        "_fields",
        "_head",
        "_keeping",
        "_key",
        "_live",
        "_live_at",
        "_meter",
        "_recorded",
        "_rewrites",
        "_server",
        "_stream",
        "_tail",
        "_usage_added",
        "id",
        "ignored",
        "route",
        "shared",
    )

    def __init__(self, shared: Metering, route: Route, key: HeldKey | None = None) -> None:
        self.shared = shared
        self.route = route
        self._key = key
        self.id = new_id()
        self.ignored: list[str] = []
        self._began = perf_counter()
        self._fields: dict[str, Any] = {
            "id": self.id,
            "started_at": datetime.now(UTC),
            **shared.common_to(route.provider),
            **scope_of(key),
            "operation": route.operation,
            **route.call.facts,
        }
        self._booked = False
        self._recorded = True
        self._meter: CallMeter | None = None
        self._server: ServerMeter | None = None
        self._usage_added = False
        self._stream: Reading | None = None
        self._copy: BodyDecoder | None = None
        self._rewrites = False
        self._live = route.provider.settings.live
        self._live_at = self._began
        self._head = self._tail = b""
        self._keeping: Keeping | None = None

    @harmless
    def sent(self, request: Request, body: bytes) -> bytes:
        """Read the request; returns the body to send, which differs only where usage must be asked for."""
        route, shared, given = self.route, self.shared, self.route.provider.settings
        who, self.ignored = attribution(request.ours, shared.fingerprints, shared.label_keys)
        self.ignored += overruled(who, self._key)
        self._live = self._live or request.ours.get(b"live", b"").strip() in (b"1", b"true")
        self._fields.update(who)
        if trace := trace_ids(request.trace):
            self._fields["trace_id"], self._fields["span_id"] = trace
        asked = request_object(body, request.coding, request.content_type)
        if asked is not None:
            self._fields.update(route.call.reader.request_facts(asked))
            prompt, prefix = shared.fingerprints.prompt(asked)
            self._fields["prompt_fingerprint"], self._fields["prefix_fingerprint"] = prompt, prefix
            if shared.content is not None and route.ai_call:
                self._keeping = keeping(shared.content, self._fields.get("use_case"), asked)
            if given.include_usage and not request.coding and route.call.asks_usage:
                changed = openai.with_usage_asked(body, asked)
                self._usage_added = changed is not None
                body = changed or body
        self._start_meter()
        return body

    async def afford(self, body_bytes: int) -> None:
        """Reserve what the call may take of hard budgets. Raises `Refusal`: it never left, and is not booked."""
        budgets = self.shared.budgets
        if budgets is None or not self.route.ai_call:
            return
        try:
            await budgets.admit(self.id, self._fields, body_bytes, self.route.provider)
        except Refusal:
            self._booked = True
            self._stop_meter()
            raise

    @harmless
    def over(self) -> None:
        """Nothing more will come of the call: hard budgets get what it took."""
        if self.shared.budgets is not None:
            self.shared.budgets.ended(self.id, self._fields if "status" in self._fields else None)

    @harmless
    def _start_meter(self) -> None:
        if self.route.ai_call and (meter := self.shared.meters.get(self.route.provider.name)) is not None:
            self._meter = meter
            meter.start(self.id)
        if self.route.ai_call and (server := self.shared.servers.get(self.route.provider.name)) is not None:
            self._server = server
            if "trace_id" not in self._fields:  # what its energy, read later, finds it by
                self._fields.update(trace_id=secrets.token_hex(16), span_id=secrets.token_hex(8))
            server.start(self.id)

    @harmless
    def held(self, answer: Answer, plain: bytes | None) -> Pairs:
        """Book a whole answer; returns the headers it is given."""
        self._fields["http_status"] = answer.status
        if answer.status >= 400:
            reported = self.route.call.reader.answer_facts(plain) or {}
            if reported.get("tokens_reported"):  # with an error too, what its provider counted is known
                self._fields.update(reported)
            self._fields.update(error_facts(plain))
            self.finish("error")
            return self._own_headers() if self.route.ai_call else []
        self._read_headers(answer)
        facts = self.route.call.reader.answer_facts(plain)
        headers = self._own_headers() if self.route.ai_call else []
        if facts is None:  # its result is collected later, or was never ours to book
            self._booked = True
            return headers
        self._fields.update(facts)
        outcome: Outcome = "error" if "error_type" in facts else "ok"
        if not self._is_call(outcome):
            self._booked = True
            return headers
        if self._keeping is not None and plain is not None:
            self._keeping.passed([plain])
        self._book(outcome)
        return self._own_headers() + (self._figures() or [])

    @harmless
    def streams(self, answer: Answer) -> Pairs:
        """Note that the body passes piece by piece; returns the headers it is given."""
        self._fields["http_status"] = answer.status
        self._copy = BodyDecoder(answer.coding)
        self._read_headers(answer)
        self._stream = self._reading(answer.media_type)
        if self._stream is not None:
            self._fields["stream"] = True
            plain = answer.coding in ("", "identity")
            self._live = self._live and self.route.ai_call and plain and self.route.call.comments
            self._rewrites = plain and (self._usage_added or self._live)
        return self._own_headers() if self.route.ai_call else []

    def comes_in_pieces(self, answer: Answer) -> bool:
        """Whether a JSON body is a stream that nothing may hold: lines of it, or an array asked for as a stream."""
        streamed = self.route.call.facts.get("stream") is True and self._fields.get("stream") is True
        return streamed or answer.media_type.endswith(_LINES)

    def _reading(self, media_type: str) -> Reading | None:
        if self._usage_added and media_type == EVENT_STREAM:
            return openai.StreamReading(usage_added=True)
        return self.route.call.reader.stream_reading(media_type)

    def _read_headers(self, answer: Answer) -> None:
        if (read := WIRES[self.route.provider.settings.wire].header_facts) is not None:
            self._fields.update(read(answer.headers))

    def _is_call(self, outcome: Outcome) -> bool:
        """Whether what is known at the end makes an event: see `Booking`."""
        booking, provider, fields = self.route.call.booking, self.route.provider.name, self._fields
        if booking in ("always", "never"):
            return booking == "always"
        if fields.get("http_status") != 200:
            return False
        if booking == "collected":
            told = outcome in ("ok", "error") and ("model_answered" in fields or "calls_count" in fields)
            return told and self.shared.is_new((provider, fields.get("response_id") or self.id))
        if fields.get("tokens_reported") or "model_requested" in fields:
            return True
        self.shared.unmetered[provider] += 1
        return False

    def rewrites(self) -> bool:
        """Whether the bytes of the body may change length on their way."""
        return self._rewrites

    def passed(self, piece: bytes) -> bytes:
        """Read a piece of the body; returns what the client gets of it now."""
        if self._rewrites and self._stream is not None:
            return b"".join(self._read_events(self._stream.split(piece)))
        self._read_copy(piece)
        return piece

    def ended(self) -> bytes:
        """After the last piece: what the client still has to get."""
        if not self._rewrites or self._stream is None:
            self._read_rest()
            return b""
        rest = self._stream.rest()
        out = b"".join(self._read_events([rest])) if rest else b""
        if self._live and not self._stream.done:
            out += self._comment(final=True) or b""
        return out

    def _read_events(self, events: list[bytes]) -> list[bytes]:
        """Events as the client gets them; one whose reading fails passes as it came."""
        stream, out = self._stream, []
        assert stream is not None
        if self._keeping is not None:
            self._keeping.passed(events)
        for event in events:
            try:
                read = stream.read(event)
            except Exception as error:  # noqa: BLE001  (as in `harmless`, for one event of many)
                self.shared.failed("_read_events", error)
                out.append(event)
                continue
            if self._live:
                out.append(self._comment_before() or b"")
            out.append(read)
        if stream.deltas and "first_output_ms" not in self._fields:
            self._fields["first_output_ms"] = (perf_counter() - self._began) * 1e3
        return out

    @harmless
    def _read_copy(self, piece: bytes) -> None:
        plain = self._copy.decode(piece) if self._copy is not None else piece
        if plain is None:
            return
        if self._stream is not None:
            self._read_events(self._stream.split(plain))
        else:
            if self._keeping is not None:
                self._keeping.passed([plain])
            if self._fields.get("stream"):
                self._fields.setdefault("first_output_ms", (perf_counter() - self._began) * 1e3)
            if len(self._head) < _HEAD:
                self._head += plain[: _HEAD - len(self._head)]
            self._tail = plain[-_TAIL:] if len(plain) >= _TAIL else (self._tail + plain)[-_TAIL:]

    @harmless
    def _read_rest(self) -> None:
        if self._stream is not None and (rest := self._stream.rest()):
            self._read_events([rest])

    @harmless
    def _comment_before(self) -> bytes:
        """The comment due before the event just read: the final one goes before `[DONE]`."""
        assert self._stream is not None
        if self._stream.done:
            return self._comment(final=True) or b""
        now = perf_counter()
        if not self._stream.deltas or now - self._live_at < _LIVE_EVERY_S:
            return b""
        self._live_at = now
        return self._comment(final=False) or b""

    @harmless
    def _comment(self, *, final: bool) -> bytes:
        assert self._stream is not None
        fields = {**self._fields, **self._stream.facts}
        if not final:
            fields["output_tokens"] = self._stream.deltas
        elif self._meter is not None:
            self._stop_meter()
            fields.update(self._fields)
        return live_comment(self.shared.pricer.impacts_of_fields(fields), fields.get("output_tokens"), final=final)

    def left(self) -> Outcome:
        """The outcome when the client goes now: it may hang up on `[DONE]`, or on an error, before the end."""
        stream = self._stream
        if stream is not None and stream.error:
            return "error"
        return "ok" if stream is not None and stream.done else "cancelled"

    def stream_outcome(self) -> Outcome:
        """The outcome of a body that came to its end."""
        stream = self._stream
        if stream is None:
            return "ok"
        if stream.error:
            return "error"
        complete = stream.done or stream.finished or stream.usage or self.route.operation == "other"
        return "ok" if complete else "truncated"

    @harmless
    def finish(self, outcome: Outcome, error_type: str | None = None, http_status: int | None = None) -> None:
        """Book the call, once, if it is one: known operations always, others when usage was seen."""
        if self._stream is not None:
            self._fields.update(self._stream.facts)
            self._count_what_came(outcome)
        elif self._tail and outcome == "ok":
            self._fields.update(self.route.call.reader.tail_facts(self._head, self._tail))
        if error_type is not None:
            self._fields["error_type"] = error_type
            if error_type == _UNREACHED:
                self._fields.update(_NOTHING_RAN)
        if http_status is not None:
            self._fields["http_status"] = http_status
        if not self._booked and self._is_call(outcome):
            self._book(outcome)
        self._booked = True
        if self._server is not None:
            self._server.forgot(self.id)

    def _count_what_came(self, outcome: Outcome) -> None:
        """Of a stream that was cut before its tokens were told: a piece each, in protocols that send one at a time."""
        stream = self._stream
        if outcome not in ("cancelled", "truncated") or stream is None or stream.usage or not stream.deltas:
            return
        if (
            stream.token_each
            and self.route.operation in _TEXT
            and (self._fields.get("output_tokens") or 0) < stream.deltas
        ):
            self._fields.update(output_tokens=stream.deltas, tokens_reported=False)

    def _book(self, outcome: Outcome) -> None:
        if self._booked:
            return
        self._booked = True
        self._stop_meter()
        fields = self._fields
        fields["status"] = outcome
        fields["duration_ms"] = (perf_counter() - self._began) * 1e3
        if self.route.call.booking == "collected":  # it ran before, and took its own time
            fields.update(duration_ms=None, first_output_ms=None, stream=None)
        if outcome != "ok":
            fields.pop("images_count", None)  # as many were asked for: what was made is not known
        if "trace_id" in fields and ("response_id" not in fields or self._server is not None):
            trace = (fields["trace_id"], fields["span_id"])
            if not self.shared.is_new(trace):  # its energy, read later, must not find another call of the span
                fields["span_id"] = secrets.token_hex(8) if self._server is not None else None
        if outcome == "error":
            self.shared.failing.failed(self.route.provider.name, fields.get("error_type"), fields.get("http_status"))
        self._recorded = self.shared.record(fields)
        if self._keeping is not None and outcome == "ok":
            self._keeping.done(fields)
        if not self._recorded:
            self.shared.not_acknowledged += 1
        server, self._server = self._server, None
        if server is not None:
            server.booked(self.id, UsageEvent(**fields))

    @harmless
    def _stop_meter(self) -> None:
        meter, self._meter = self._meter, None
        if meter is not None and (reading := meter.stop(self.id)) is not None:
            self._fields.update(
                energy_j=reading.energy_j,
                energy_low_j=reading.low_j,
                energy_high_j=reading.high_j,
                energy_sensor=reading.sensor,
                energy_status=reading.status,
                energy_scope=reading.scope,
            )

    @harmless
    def _figures(self) -> Pairs:
        return figure_headers(self.shared.pricer.impacts_of_fields(self._fields))

    def _own_headers(self) -> Pairs:
        headers = [(b"x-mesure-event-id", self.id.encode()) if self._recorded else (b"x-mesure-recorded", b"false")]
        if self.ignored:
            headers.append((b"x-mesure-ignored", ", ".join(self.ignored).encode("latin-1", "replace")))
        return headers
