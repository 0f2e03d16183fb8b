"""One sensor and the deployments it measures: a call's share is a sighting of that call, idle has its own line."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.meter.sensors.serving import between
from mesure.meter.sensors.splitting import Request, Splitter
from mesure.meter.sensors.windows import Counted, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from mesure.meter.sensors.sensor import Sample, Sensor
    from mesure.meter.sensors.serving import Counts, Serving
    from mesure.meter.sensors.splitting import Share, Work
    from mesure.record import Sink, UsageEvent

__all__ = ["Measured", "ServerMeter", "ServerState"]

log = logging.getLogger("mesure.sensors")

#: A counter that stands still is taken to be refreshed seldom, and its next step to cover the time since, up to here.
_STILL_S = 120.0
#: Beyond this a silent sensor's time is settled as not read, so that calls do not wait for it.
_SILENT_S = 60.0
#: Of a call's time in flight that may lack readings.
_MOST_MISSING = 0.1


@dataclass(frozen=True, slots=True)
class Measured:
    """A deployment that the sensor measures. `counts`: asks its inference server what it has done; None where the
    gateway tells its calls. `work` gives what such counts asked of the machine."""

    name: str
    provider: str | None = None
    model: str | None = None
    zone: str | None = None
    counts: Callable[[], Counts] | None = None
    work: Callable[[Serving, str | None], Work] | None = None


class ServerState(NamedTuple):
    """What pages and metrics show of a sensor: watts now and while idle, joules read, idle and lost since the start."""

    sensor: Sensor
    deployments: tuple[str, ...]
    watts: float | None
    floor_w: float | None
    total_j: float
    idle_j: float
    missing_s: float
    faults: dict[str, int]
    silent: int
    waiting: int  # calls whose energy is not settled yet

    @property
    def idle_share(self) -> float | None:
        """Of the joules settled, those that no request explains; None before any."""
        return self.idle_j / self.total_j if self.total_j > 0.0 else None


@dataclass(slots=True)
class _Server:
    """What was last told by an inference server, and since when."""

    declared: Measured
    last: Counts | None = None
    at_s: float = 0.0
    failed: int = 0


@dataclass(slots=True)
class _Last:
    """The reading that the next one is compared with."""

    at_s: float
    joules: float
    missing_s: float
    given_up: bool = field(default=False)


class ServerMeter:
    """`start`, `booked` and `forgot` may be called from any thread, cost a microsecond and never raise; `step` reads,
    splits and records, and belongs to one thread (`run`).

    A call's event is recorded by who saw it, at once; its energy follows as a sighting of the same call, so that
    nothing waits for a reading. Joules of calls + idle = joules of the sensor.
    """

    def __init__(
        self,
        sensor: Sensor,
        deployments: Sequence[Measured],
        sink: Sink,
        *,
        work: Callable[[UsageEvent], Work | None],
        host: str = "",
        idle_w: float = 0.0,
        window_s: float = 60.0,
        longest_s: float = 900.0,
        common: dict[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.sensor = sensor
        self.deployments = tuple(deployments)
        self.failures = 0
        self.not_acknowledged = 0
        self._sink, self._work = sink, work
        self._clock, self._wall = clock, wall
        self._splitter = Splitter(floor_w=idle_w or None, longest_s=longest_s)
        self._news: deque[Callable[[], None]] = deque()
        self._events: dict[Hashable, UsageEvent | Counted] = {}
        self._servers = [_Server(one) for one in deployments if one.counts is not None]
        self._sample: Sample = sensor.sample()
        self._last = _Last(self._sample.at_s, self._sample.joules, self._sample.missing_s)
        self._window = Window(sensor, self.deployments, host, window_s, self._last.at_s, common or {})

    def start(self, key: Hashable) -> None:
        """A call is sent to one of the deployments."""
        at = self._clock()
        self._news.append(lambda: self._splitter.opened(key, at))

    def booked(self, key: Hashable, event: UsageEvent) -> None:
        """It ended, and `event` was recorded of it."""
        at = self._clock()
        self._news.append(lambda: self._close(key, event, at))

    def forgot(self, key: Hashable) -> None:
        """It turned out to be no call."""
        self._news.append(lambda: self._splitter.forgot(key))

    def _close(self, key: Hashable, event: UsageEvent, end_s: float) -> None:
        start_s = end_s - (event.duration_ms or 0.0) / 1e3
        first = None if event.first_output_ms is None else start_s + event.first_output_ms / 1e3
        self._events[key] = event
        self._splitter.closed(Request(key, start_s, end_s, self._work(event), first))

    def step(self) -> None:
        """Read once, and record what is settled."""
        while self._news:
            self._news.popleft()()
        self._read()
        for server in self._servers:
            self._ask(server)
        for share in self._splitter.settle(self._sample.at_s):
            self._book(share)
        for event in self._window.due(self._splitter.reach, self._now()):
            self._record(event)

    def close(self) -> None:
        """Record what is settled of the window under way, and let go of the sensor."""
        for event in self._window.rest(self._splitter.reach, self._now()):
            self._record(event)
        self.sensor.close()

    def run(self, stop: threading.Event, every_s: float) -> None:
        """`step` at a steady pace until told to stop. A failure is counted and logged, never raised."""
        due = self._clock()
        while True:
            due = max(due + every_s, self._clock())
            if stop.wait(max(due - self._clock(), 0.0)):
                return
            try:
                self.step()
            except Exception as error:
                self.failures += 1
                if str(self.failures).strip("0") == "1":
                    log.exception("Sensor %s: a step failed (%s)", self.sensor.name, type(error).__name__)

    @property
    def state(self) -> ServerState:
        reach = self._splitter.reach
        names = tuple(one.name for one in self.deployments)
        sample, floor = self._sample, self._splitter.floor_w
        return ServerState(
            self.sensor, names, sample.watts, floor, reach.total_j, reach.idle_j, reach.missing_s,
            sample.faults._asdict(), sample.silent, len(self._events),
        )  # fmt: skip

    def _read(self) -> None:
        self._sample = sample = self.sensor.sample()
        last, seconds = self._last, sample.at_s - self._last.at_s
        if sample.silent:
            if seconds > _SILENT_S:  # what its counter tells of this time, once it is back, is not known to be whole
                self._splitter.read(last.at_s, sample.at_s, None)
                self._last = _Last(sample.at_s, sample.joules, sample.missing_s, given_up=True)
            return
        joules: float | None = sample.joules - last.joules
        if sample.missing_s > last.missing_s or last.given_up:
            joules = None
        elif joules == 0.0 and self.sensor.kind != "power" and seconds < _STILL_S:
            return
        self._splitter.read(last.at_s, sample.at_s, joules)
        self._last = _Last(sample.at_s, sample.joules, sample.missing_s)

    def _ask(self, server: _Server) -> None:
        """What the inference server did since it was last asked counts as one request over that time."""
        declared, at = server.declared, self._clock()
        assert declared.counts is not None
        assert declared.work is not None
        try:
            told = declared.counts()
        except (OSError, ValueError) as error:
            server.failed += 1
            if server.failed == 1:
                log.warning("Deployment %s: its server's metrics cannot be read (%s)", declared.name, error)
            return
        server.failed = 0
        done = between(server.last, told) if server.last is not None else None
        before, server.last, server.at_s = server.at_s, told, at
        if done is None or not done.busy:
            return
        key = (declared.name, at)
        idle = done.prompt + done.answer == 0.0  # running, and nothing counted yet
        self._events[key] = Counted(declared, done, told.model)
        work = None if idle else declared.work(done, told.model)
        self._splitter.closed(Request(key, before, at, work))

    def _book(self, share: Share) -> None:
        told = self._events.pop(share.key, None)
        if isinstance(told, Counted):
            self._window.add(told, share)
        elif told is not None and (sighting := self._sighting(told, share)) is not None:
            self._record(sighting)

    def _sighting(self, event: UsageEvent, share: Share) -> UsageEvent | None:
        """The same call with its joules; None where too much of its time was not read for them to be the whole."""
        if share.missing_s > _MOST_MISSING * (event.duration_ms or 0.0) / 1e3:
            return None
        least, most = self.sensor.error_ratios
        return replace(
            event,
            source="sensor",
            energy_j=share.joules,
            energy_low_j=share.low_j * least,
            energy_high_j=share.high_j * most,
            energy_sensor=self.sensor.name,
            energy_status=self.sensor.status,
            energy_scope=self.sensor.scope,
        )

    def _record(self, event: UsageEvent) -> None:
        if not self._sink.record(event):
            self.not_acknowledged += 1

    def _now(self) -> Callable[[float], datetime]:
        """Time of day of a reading of the monotonic clock."""
        ahead = self._wall() - self._clock()
        return lambda at_s: datetime.fromtimestamp(at_s + ahead, UTC)
