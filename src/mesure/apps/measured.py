"""Sensors and deployments as mesure.toml declares them, ready to be read: by the gateway's process, or by an agent."""

from __future__ import annotations

import logging
import socket
import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mesure.ledger import Pricer, key_of
from mesure.meter.sensors import SensorUnavailable, open_sensor
from mesure.meter.sensors.found import serving_reader
from mesure.meter.sensors.server_meter import Measured, ServerMeter
from mesure.meter.sensors.serving import read_counts
from mesure.meter.sensors.work import work_of, work_of_tokens
from mesure.record import UsageEvent, new_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.config import DeploymentSettings, Settings
    from mesure.meter.sensors import Sensor
    from mesure.meter.sensors.http import HttpReader
    from mesure.meter.sensors.serving import Serving
    from mesure.meter.sensors.splitting import Work
    from mesure.record import Sink

__all__ = ["Measuring", "Unread"]

log = logging.getLogger("mesure.sensors")

_TOLD = (
    *("name", "sensor", "kind", "scope", "status", "deployments", "watts", "idle_w", "idle_share", "energy_j"),
    *("missing_s", "silent_devices", "faults", "error_low", "error_high", "error_factor", "why_absent"),
)
#: A sensor that could not be read is tried again this often.
_AGAIN_S = 60.0


class Unread(NamedTuple):
    """A sensor that is declared, and cannot be read now."""

    name: str
    why: SensorUnavailable


class Measuring:
    """One `ServerMeter` and one thread for each sensor that a deployment names.

    `requests`: the deployments taken are those whose requests the gateway tells, or those whose server counts them. A
    sensor that cannot be read is in `unread`, and its deployments keep their estimates.
    """

    def __init__(self, settings: Settings, sink: Sink, requests: Literal["gateway", "server"]) -> None:
        self.meters: dict[str, ServerMeter] = {}
        self.unread: list[Unread] = []
        self.by_provider: dict[str, ServerMeter] = {}
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._readers: list[HttpReader] = []
        self._keeper = threading.Thread(target=self._keep_trying, name="mesure-sensors", daemon=True)
        self._pricer = Pricer(settings.deployments)
        self._settings, self._sink, self._requests = settings, sink, requests
        for name in settings.sensors:
            if _deployments(settings, name, requests):
                self._open(name)

    def _open(self, name: str) -> bool:
        """Whether the sensor can be read; its thread is made, not started."""
        given, settings = self._settings.sensors[name], self._settings
        try:
            sensor = open_sensor(given)
        except SensorUnavailable as why:
            if name not in {one.name for one in self.unread}:
                log.warning("Sensor %s cannot be read: %s", name, why)
                self.unread.append(Unread(name, why))
            return False
        self.unread = [one for one in self.unread if one.name != name]
        deployments = _deployments(settings, name, self._requests)
        meter = self.meters[name] = self._meter(settings, sensor, name, deployments, self._sink)
        runs = partial(meter.run, self._stop, given.sample_s)
        self._threads.append(threading.Thread(target=runs, name=f"mesure-sensor-{name}", daemon=True))
        for table, provider in settings.providers.items():
            if provider.deployment in deployments:
                self.by_provider[table] = meter
        return True

    def reopen(self) -> None:
        """Try again the sensors that could not be read: a controller may be slow to start."""
        for unread in tuple(self.unread):
            if self._open(unread.name):
                log.warning("Sensor %s can be read now", unread.name)
                self._threads[-1].start()

    def _meter(
        self, settings: Settings, sensor: Sensor, name: str, deployments: Mapping[str, DeploymentSettings], sink: Sink
    ) -> ServerMeter:
        organisation = settings.gateway.organisation or settings.organisation.name or None
        return ServerMeter(
            sensor,
            [self._measured(settings, one, given) for one, given in deployments.items()],
            sink,
            work=self._work,
            host=socket.gethostname(),
            idle_w=settings.sensors[name].idle_w,
            window_s=settings.agent.window_s,
            longest_s=max((given.timeout_s for given in settings.providers.values()), default=600.0) + 60.0,
            common={"organisation": organisation, "environment": settings.gateway.environment},
        )

    def _measured(self, settings: Settings, name: str, given: DeploymentSettings) -> Measured:
        provider, zone = given.provider or None, given.zone or None
        for table, one in settings.providers.items():
            if one.deployment == name:
                provider, zone = provider or one.provider or table, zone or one.zone or None
        if given.requests == "gateway":
            return Measured(name, provider, given.model or None, zone)
        reader = serving_reader(given.metrics_url)
        self._readers.append(reader)
        counts = partial(read_counts, reader)
        return Measured(
            name, provider, given.model or None, zone, counts, partial(self._work_counted, name, provider, given.model)
        )

    def _work(self, event: UsageEvent) -> Work | None:
        return work_of(event, self._pricer.coefficients(key_of(event)))

    def _work_counted(self, deployment: str, provider: str | None, model: str, done: Serving, told: str | None) -> Work:
        event = UsageEvent(
            id=new_id(),
            started_at=datetime.now(UTC),
            provider=provider,
            model_answered=model or told,
            deployment=deployment,
        )
        return work_of_tokens(
            self._pricer.coefficients(key_of(event)),
            calls=done.calls or 0.0,
            input_tokens=done.prompt,
            cached_tokens=done.cached,
            output_tokens=done.answer,
        )

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        if self.unread:
            self._keeper.start()

    def _keep_trying(self) -> None:
        while self.unread and not self._stop.wait(_AGAIN_S):
            self.reopen()

    def to_json(self) -> list[dict[str, Any]]:
        """What is told of each sensor: its deployments, watts now, idle share, stated error and faults; or why not."""
        found = []
        for name, meter in tuple(self.meters.items()):
            state = meter.state
            least, most = state.sensor.error_ratios
            found.append(
                {
                    "name": name,
                    "sensor": state.sensor.name,
                    "kind": state.sensor.kind,
                    "scope": state.sensor.scope,
                    "status": state.sensor.status,
                    "deployments": list(state.deployments),
                    "watts": state.watts,
                    "idle_w": state.floor_w,
                    "idle_share": state.idle_share,
                    "energy_j": state.total_j,
                    "missing_s": state.missing_s,
                    "silent_devices": state.silent,
                    "faults": state.faults,
                    "error_low": least,
                    "error_high": most,
                    "error_factor": state.sensor.factors[0],
                    "why_absent": None,
                }
            )
        absent = dict.fromkeys(_TOLD)
        found += [{**absent, "name": one.name, "deployments": [], "why_absent": one.why.what} for one in self.unread]
        return found

    def stop(self) -> None:
        """What is settled is recorded; the sink must still take it."""
        self._stop.set()
        for thread in (self._keeper, *self._threads):
            if thread.is_alive():
                thread.join()
        for meter in self.meters.values():
            meter.close()
        for reader in self._readers:
            reader.close()


def _deployments(settings: Settings, sensor: str, requests: str) -> dict[str, DeploymentSettings]:
    found = settings.deployments.items()
    return {name: given for name, given in found if given.sensor == sensor and given.requests == requests}
