"""Power of a whole server as its management controller reads it (DMTF Redfish)."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from mesure.meter.sensors.device import Device, Raw, now
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mesure.meter.sensors.device import Clock
    from mesure.meter.sensors.http import HttpReader

__all__ = ["redfish_sensor"]

_CHASSIS = "/redfish/v1/Chassis"
_SESSIONS = "/redfish/v1/SessionService/Sessions"
_J_PER_KWH = 3.6e6


def redfish_sensor(
    reader: HttpReader, *, session: tuple[str, str] | None = None, wanted: Sequence[str] = (), clock: Clock = now
) -> Sensor:
    """A sensor over the chassis named by id; without names, the first that shows power (others are often parts of it).

    `session`: user and password of a session to open, where the controller does not take basic authentication. Watts
    come from `Power` (PowerControl) or from `EnvironmentMetrics`, with its energy counter where there is one. Raises
    `SensorUnavailable`.
    """
    controller = _Controller(reader, session)
    try:
        devices = _chassis(controller, wanted)
    except PermissionError:
        controller.close()
        raise SensorUnavailable(
            "The management controller refuses this user",
            value=_CHASSIS,
            action="Check user and password_env of the sensor; a read-only account is enough",
            code="sensor_permission",
        ) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        controller.close()
        raise SensorUnavailable(
            f"The management controller cannot be read: {error}",
            value=_CHASSIS,
            action="Check url and ca_file of the sensor in mesure.toml, and the network",
        ) from None
    if not devices:
        controller.close()
        raise SensorUnavailable(
            "The management controller shows no power of a chassis",
            value=", ".join(wanted) or _CHASSIS,
            action="Check the ids under /redfish/v1/Chassis",
        )
    counter = all(device.read().joules is not None for device in devices)
    return Sensor("bmc", "counter" if counter else "power", "server", devices, close=controller.close, clock=clock)


class _Controller:
    """Asks with a session where one is wanted; one that expired is opened again."""

    def __init__(self, reader: HttpReader, session: tuple[str, str] | None) -> None:
        self._reader, self._session = reader, session
        self._place = ""

    def get(self, path: str) -> Any:
        if self._session and "x-auth-token" not in self._reader.headers:
            self._sign_in(*self._session)
        try:
            return self._reader.get_json(path)
        except PermissionError:
            if not self._session:
                raise
            self._sign_in(*self._session)
            return self._reader.get_json(path)

    def _sign_in(self, user: str, password: str) -> None:
        self._reader.headers.pop("x-auth-token", None)
        body = json.dumps({"UserName": user, "Password": password}).encode()
        headers, _ = self._reader.request("POST", _SESSIONS, body)
        if "x-auth-token" not in headers:
            raise PermissionError("no session was opened")
        self._reader.headers["x-auth-token"] = headers["x-auth-token"]
        self._place = headers.get("location", "")

    def close(self) -> None:
        """End the session: controllers keep few of them."""
        if self._place.startswith("/"):
            with suppress(OSError):  # it then ends by itself
                self._reader.request("DELETE", self._place)
        self._reader.close()


def _chassis(controller: _Controller, wanted: Sequence[str]) -> list[Device]:
    found = []
    for member in controller.get(_CHASSIS)["Members"]:
        place = str(member["@odata.id"]).rstrip("/")
        name = place.rpartition("/")[2]
        if wanted and name not in wanted:
            continue
        read = _reader_of(controller, place)
        if read is not None:
            found.append(Device(name, name, read))
            if not wanted:
                break
    return found


def _reader_of(controller: _Controller, place: str) -> Callable[[], Raw] | None:
    """How this chassis shows its power: the first of the two ways that gives a figure."""
    for way, take in (("EnvironmentMetrics", _metrics), ("Power", _power_control)):
        try:
            raw = take(controller, f"{place}/{way}")
        except PermissionError:
            raise
        except (OSError, ValueError):  # this resource is not there: older, or newer, controllers
            continue
        if raw.watts is not None or raw.joules is not None:
            return partial(take, controller, f"{place}/{way}")
    return None


def _metrics(controller: _Controller, path: str) -> Raw:
    """Watts are preferred to a counter in kWh, whose steps may last an hour."""
    shown = controller.get(path)
    joules, watts = _figure(shown, "EnergyJoules", 1.0), _figure(shown, "PowerWatts", 1.0)
    return Raw(_figure(shown, "EnergykWh", _J_PER_KWH) if joules is None and watts is None else joules, watts)


def _power_control(controller: _Controller, path: str) -> Raw:
    """The first entry is the chassis; further ones are parts of it."""
    try:
        watts = controller.get(path)["PowerControl"][0]["PowerConsumedWatts"]
        return Raw(None, None if watts is None else float(watts))
    except (LookupError, TypeError):
        raise ValueError("no PowerControl in the answer") from None


def _figure(shown: Any, name: str, factor: float) -> float | None:
    """A sensor excerpt: `{"Reading": 512.3}`, a bare number with some makers, or absent."""
    value = shown.get(name)
    if isinstance(value, dict):
        value = value.get("Reading")
    return float(value) * factor if isinstance(value, int | float) else None
