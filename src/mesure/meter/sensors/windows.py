"""What is recorded by the minute: idle energy of each deployment, and what servers count of calls nobody passes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.record import UsageEvent, derived_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mesure.meter.sensors.sensor import Sensor
    from mesure.meter.sensors.server_meter import Measured
    from mesure.meter.sensors.serving import Serving
    from mesure.meter.sensors.splitting import Reach, Share

__all__ = ["IDLE", "Counted", "Window"]

#: The task of an event that stands for no call: what machines draw while nothing, or nothing more, is asked of them.
IDLE = "idle"


class Counted(NamedTuple):
    """What a server did between two looks."""

    declared: Measured
    done: Serving
    model: str | None


@dataclass(slots=True)
class _Sum:
    """Of one deployment in the window under way."""

    calls: float = 0.0
    prompt: float = 0.0
    cached: float = 0.0
    answer: float = 0.0
    joules: float = 0.0
    low_j: float = 0.0
    high_j: float = 0.0
    model: str | None = None


class Window:
    """Sums until `window_s` of settled time are full. Each event's id follows from host, deployment and time: one that
    is sent twice is one."""

    def __init__(
        self,
        sensor: Sensor,
        deployments: Sequence[Measured],
        host: str,
        window_s: float,
        start_s: float,
        common: dict[str, Any],
    ) -> None:
        self._sensor, self._deployments, self._host = sensor, deployments, host
        self._window_s, self._start_s, self._idle_j = window_s, start_s, 0.0
        self._common = common
        self._sums: dict[str, _Sum] = {}

    def add(self, counted: Counted, share: Share) -> None:
        held, done = self._sums.setdefault(counted.declared.name, _Sum()), counted.done
        held.calls += done.calls or 0.0
        held.prompt += done.prompt
        held.cached += done.cached
        held.answer += done.answer
        held.joules += share.joules
        held.low_j += share.low_j
        held.high_j += share.high_j
        held.model = counted.model or held.model

    def due(self, reach: Reach, at: Callable[[float], datetime]) -> Iterator[UsageEvent]:
        """Events of the window, once it is full."""
        if reach.until_s - self._start_s >= self._window_s:
            yield from self.rest(reach, at)

    def rest(self, reach: Reach, at: Callable[[float], datetime]) -> Iterator[UsageEvent]:
        """Events of what is settled so far; the next window begins there."""
        if reach.until_s <= self._start_s:
            return
        since, until = at(self._start_s), at(reach.until_s)
        idle_j, sums = max(reach.idle_j - self._idle_j, 0.0) / len(self._deployments), self._sums
        self._start_s, self._idle_j, self._sums = reach.until_s, reach.idle_j, {}
        least, most = self._sensor.error_ratios
        for declared in self._deployments:
            if (held := sums.get(declared.name)) is not None:
                yield self._counted(declared, held, since, until)
            if idle_j > 0.0:
                energy = (idle_j, idle_j * least, idle_j * most)
                yield self._event(declared, IDLE, since, until, energy, operation="other", task=IDLE)

    def _counted(self, declared: Measured, held: _Sum, since: datetime, until: datetime) -> UsageEvent:
        least, most = self._sensor.error_ratios
        return self._event(
            declared,
            "calls",
            since,
            until,
            (held.joules, held.low_j * least, held.high_j * most),
            calls_count=round(held.calls),
            input_tokens=round(held.prompt),
            cached_input_tokens=min(round(held.cached), round(held.prompt)),
            output_tokens=round(held.answer),
            tokens_reported=True,
            model_answered=declared.model or held.model,
        )

    def _event(
        self,
        declared: Measured,
        what: str,
        since: datetime,
        until: datetime,
        energy: tuple[float, float, float],
        **facts: Any,
    ) -> UsageEvent:
        start_ms = int(since.timestamp() * 1000)
        origin = f"sensor:{self._host}:{declared.name}:{what}:{start_ms}"
        given = {"calls_count": 0, **self._common, **facts}
        return UsageEvent(
            id=derived_id(start_ms, origin),
            started_at=since,
            ended_at=until,
            source="sensor",
            origin=origin,
            provider=declared.provider,
            deployment=declared.name,
            host_zone=declared.zone,
            energy_j=energy[0],
            energy_low_j=energy[1],
            energy_high_j=energy[2],
            energy_sensor=self._sensor.name,
            energy_status=self._sensor.status,
            energy_scope=self._sensor.scope,
            **given,
        )
