"""A sensor: one or several devices read together, with what they cover, how they are read and how well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from mesure.catalogue import current
from mesure.meter.sensors.device import DeviceMeter, Faults, now
from mesure.meter.sensors.source import Energy, SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mesure.catalogue import Factor
    from mesure.meter.sensors.device import Clock, Device
    from mesure.meter.sensors.factors import SensorFactor
    from mesure.meter.sensors.source import Scope, SensorStatus

__all__ = ["Kind", "Sample", "Sensor", "error_of"]

#: counter: the hardware adds up joules; power: watts read now and then; model: computed from something else.
Kind = Literal["counter", "power", "model"]


class Sample(NamedTuple):
    """Of all devices of a sensor, at `at_s` of the monotonic clock: joules since it was opened, watts now.

    `missing_s`: seconds since it was opened whose energy is not in `joules`, summed over devices; `silent`: devices
    that did not answer.
    """

    at_s: float
    joules: float
    watts: float | None
    missing_s: float
    faults: Faults
    silent: int


def error_of(name: str) -> Factor:
    """The sourced error of a sensor as a ratio: true energy over the one read. `CatalogueError` for an unknown one."""
    return current().constant(f"sensor-{name.partition(':')[0]}", "energy_error")


class Sensor:
    """Devices of one kind, read together by one thread. It is also an `EnergySource`, for meters of single calls.

    `name`: what reads, and after a colon the way its readings came ("nvml", "nvml:prometheus"), which changes no error.
    `close` lets go of a library or a session. With `model`, the factor joules were computed with, it is no measurement.
    Raises `SensorUnavailable` when no device answers.
    """

    def __init__(
        self,
        name: str,
        kind: Kind,
        scope: Scope,
        devices: Iterable[Device],
        *,
        model: SensorFactor | None = None,
        clock: Clock = now,
        close: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.scope = scope
        self.devices = tuple(devices)
        self.status: SensorStatus = "modelled" if model else "measured"
        self.error: Factor | SensorFactor = model or error_of(name)
        self.factors = (self.error.id,)
        self._clock = clock
        self._close = close
        self._meters = [self._meter(device) for device in self.devices if device.part_of is None]
        if not self._meters:
            raise SensorUnavailable(
                "The sensor shows no device that can be read", value=name, action="See docs/sensors.md."
            )

    def _meter(self, device: Device) -> DeviceMeter:
        try:
            return DeviceMeter(device, self._clock)
        except (OSError, ValueError) as error:
            raise SensorUnavailable(
                f"The sensor does not answer: {error}",
                value=f"{self.name} {device.id}",
                action="Check that it runs and that this user may read it; see docs/sensors.md.",
            ) from error

    def sample(self) -> Sample:
        """Read every device. Never raises: what does not answer is counted in `silent`."""
        silent = sum(not meter.read() for meter in self._meters)
        watts = [meter.watts for meter in self._meters]
        faults = Faults()
        for meter in self._meters:
            faults = faults.plus(meter.faults)
        return Sample(
            self._clock().awake_s,
            sum(meter.joules for meter in self._meters),
            None if None in watts else sum(watt for watt in watts if watt is not None),
            sum(meter.missing_s for meter in self._meters),
            faults,
            silent,
        )

    def read(self) -> Energy | None:
        """Joules since it was opened, within its stated error; None when a device does not answer now."""
        sample = self.sample()
        return None if sample.silent else self.energy(sample.joules)

    def energy(self, joules: float) -> Energy:
        """Joules with the sensor's stated error."""
        least, most = self.error_ratios
        return Energy(joules, joules * least, joules * most)

    @property
    def error_ratios(self) -> tuple[float, float]:
        """Least and most of true energy over the one read."""
        return self.error.low / self.error.value, self.error.high / self.error.value

    def close(self) -> None:
        if self._close is not None:
            self._close()
