"""Readings that others already publish for Prometheus: DCGM, Kepler, node exporter, IPMI, or a metric you name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from mesure.meter.sensors.device import Device, Raw
from mesure.meter.sensors.exposition import Series, matches, parse_query, parse_text
from mesure.meter.sensors.sensor import Sensor
from mesure.meter.sensors.source import SensorUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mesure.meter.sensors.device import Clock
    from mesure.meter.sensors.http import HttpReader
    from mesure.meter.sensors.source import Scope

__all__ = ["KNOWN", "UNITS", "Metric", "prometheus_sensor"]

#: Unit -> (whether it is a counter, joules or watts in one of it).
UNITS = {"J": (True, 1.0), "mJ": (True, 1e-3), "uJ": (True, 1e-6), "W": (False, 1.0), "mW": (False, 1e-3)}
#: Pages are asked for at most this often: several devices of one sensor come from the same page.
_SAME_PAGE_S = 0.2


class Metric(NamedTuple):
    """`sensor`: whose error it has; `only`: values of its label `zone` that do not contain one another."""

    name: str
    unit: str
    sensor: str
    scope: Scope
    only: tuple[str, ...] = ()


#: Looked for in this order; the first that is published is read.
KNOWN = (
    Metric("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "mJ", "nvml", "accelerator"),
    Metric("DCGM_FI_DEV_POWER_USAGE", "W", "nvml", "accelerator"),
    Metric("kepler_node_platform_joules_total", "J", "bmc", "server"),
    Metric("kepler_node_cpu_joules_total", "J", "rapl", "cpu", ("package", "dram")),
    Metric("kepler_node_package_joules_total", "J", "rapl", "cpu"),
    Metric("ipmi_dcmi_power_consumption_watts", "W", "bmc", "server"),
    Metric("node_rapl_package_joules_total", "J", "rapl", "cpu"),
)


@dataclass(slots=True)
class _Page:
    """What a server publishes, asked for once for all devices of a reading."""

    reader: HttpReader
    query: str
    names: tuple[str, ...]
    clock: Callable[[], float]
    at: float = float("-inf")
    series: tuple[Series, ...] = ()

    def read(self) -> tuple[Series, ...]:
        now = self.clock()
        if now - self.at >= _SAME_PAGE_S:
            self.series = tuple(self._ask())
            self.at = now
        return self.series

    def _ask(self) -> list[Series]:
        path = self.reader.path
        if self.query:
            answer = self.reader.get_json(f"{path}/api/v1/query?query={quote(self.query)}")
            return [series._replace(name=series.name or self.query) for series in parse_query(answer)]
        return list(parse_text(self.reader.get(path or "/metrics").decode("utf-8", "replace"), self.names))


def prometheus_sensor(
    reader: HttpReader,
    *,
    clock: Clock,
    query: str = "",
    metric: Metric | None = None,
    labels: Mapping[str, str] | None = None,
    wanted: Sequence[str] = (),
) -> Sensor:
    """A sensor over the series of one metric, one device each.

    Without `query`, `reader`'s address publishes the text format; with one it is a Prometheus server that answers it.
    `metric`: what the figures are, needed with a query; else the first known one that is published. `labels` every
    series must bear; `wanted`: values of any label, one of which it must bear. Raises `SensorUnavailable`.
    """
    names = (metric.name,) if metric else tuple(known.name for known in KNOWN)
    page = _Page(reader, query, names, lambda: clock().elapsed_s)
    try:
        chosen, found = _published(page, metric, query, labels or {}, wanted)
    except SensorUnavailable:
        reader.close()
        raise
    counter, _ = UNITS[chosen.unit]
    devices = [Device(name, name, partial(_read, page, key, chosen.unit)) for name, key in found.items()]
    name = f"{chosen.sensor}:prometheus"
    return Sensor(name, "counter" if counter else "power", chosen.scope, devices, clock=clock, close=reader.close)


_Key = tuple[str, frozenset[tuple[str, str]]]


def _published(
    page: _Page, metric: Metric | None, query: str, labels: Mapping[str, str], wanted: Sequence[str]
) -> tuple[Metric, dict[str, _Key]]:
    try:
        shown = page.read()
    except (OSError, ValueError) as error:
        raise _unreachable(page.reader, error) from None
    for known in (metric,) if metric else KNOWN:
        found = {
            _device_name(series): _key(series)
            for series in shown
            if (query or series.name == known.name)
            and matches(series, labels)
            and (not wanted or set(wanted) & set(series.labels.values()))
            and (not known.only or series.labels.get("zone") in known.only)
        }
        if found:
            return known, found
    raise SensorUnavailable(
        "This address publishes no series of energy or power that is wanted",
        value=query or (metric.name if metric else page.reader.path),
        action="Check the metric's name and labels in mesure.toml against what the address publishes",
    )


def _unreachable(reader: HttpReader, error: Exception) -> SensorUnavailable:
    if isinstance(error, PermissionError):
        return SensorUnavailable(
            "The server that publishes readings refuses this user",
            value=reader.path,
            action="Check user and password_env of the sensor in mesure.toml",
            code="sensor_permission",
        )
    return SensorUnavailable(
        f"The server that publishes readings cannot be read: {error}",
        value=reader.path,
        action="Check the sensor's url in mesure.toml, the network, and that it runs",
    )


def _key(series: Series) -> _Key:
    return series.name, frozenset(series.labels.items())


def _device_name(series: Series) -> str:
    """What tells it from its neighbours: the label that a board or a zone is known by, else all of them."""
    known = next(
        (series.labels[label] for label in ("UUID", "path", "zone", "index", "gpu") if series.labels.get(label)), ""
    )
    return known or ",".join(f"{name}={value}" for name, value in sorted(series.labels.items())) or series.name


def _read(page: _Page, key: _Key, unit: str) -> Raw:
    value = next((series.value for series in page.read() if _key(series) == key), None)
    if value is None:
        raise OSError("the series is not published now")
    counter, factor = UNITS[unit]
    return Raw(value * factor, None) if counter else Raw(None, value * factor)
