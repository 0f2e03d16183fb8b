"""Open services of hourly intensities that ask for no key: what each gives, under which licence, and how it is read.

Nothing is asked here: a caller asks the addresses and hands what came back to `Service.read`. Forecasts are not taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from mesure.catalogue.hours import Origin
from mesure.errors import CatalogueError, UnknownName, nearest_names

__all__ = ["SERVICES", "Point", "Service", "service_for"]

#: Beginning of the interval, aware; grams per kWh over it.
Point = tuple[datetime, float]


@dataclass(frozen=True)
class Service:
    """`zones`: zone -> the code the service gives it. `window_days`: the longest period asked at once."""

    name: str
    base: str
    zones: Mapping[str, str]
    parameter: str
    unit: str
    source: str
    source_url: str
    licence: str
    status: str
    note: str
    window_days: int
    paths: Callable[[str, datetime, datetime], tuple[str, ...]]
    parse: Callable[[Any], Iterator[Point]]

    def addresses(self, zone: str, start: datetime, end: datetime, base: str | None = None) -> tuple[str, ...]:
        """What to ask for a period of at most `window_days`: hours that the first lacks may be in the next."""
        return tuple(f"{(base or self.base).rstrip('/')}{path}" for path in self.paths(self.zones[zone], start, end))

    def read(self, body: bytes) -> list[Point]:
        """The points of an answer. Raises `CatalogueError` when it is not in the format that is known."""
        try:
            return list(self.parse(json.loads(body)))
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise CatalogueError(
                f"The answer of {self.name} is not in the format that is known",
                value=body[:80].decode("utf-8", "replace"),
                action="Try again later, or import a CSV file of hours instead: mesure catalogue hours import.",
            ) from error

    def origin(self, zone: str, fetched: str) -> Origin:
        return Origin(
            zone, self.parameter, self.unit, self.source, self.source_url, self.licence, self.status, self.note, fetched
        )


def _aware(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


# RTE eCO2mix, on the portal of the French network operators


def _rte_paths(_: str, start: datetime, end: datetime) -> tuple[str, ...]:
    where = f"date_heure >= '{_minute(start)}' and date_heure < '{_minute(end)}'"
    asked = urlencode({"select": "date_heure,taux_co2", "where": where, "order_by": "date_heure", "timezone": "UTC"})
    sets = ("eco2mix-national-cons-def", "eco2mix-national-tr")  # consolidated, then what is not yet
    return tuple(f"/api/explore/v2.1/catalog/datasets/{name}/exports/json?{asked}" for name in sets)


def _rte_points(answer: Any) -> Iterator[Point]:
    if not isinstance(answer, list):
        raise TypeError
    for row in answer:
        rate = row["taux_co2"]  # null between two half-hours
        if rate is not None:
            yield _aware(row["date_heure"]), float(rate)


# Carbon Intensity API of Great Britain


def _britain_paths(_: str, start: datetime, end: datetime) -> tuple[str, ...]:
    return (f"/intensity/{_minute(start)}/{_minute(end)}",)


def _britain_points(answer: Any) -> Iterator[Point]:
    for row in answer["data"]:
        actual = row["intensity"]["actual"]  # null until it is known; the forecast stays out
        if actual is not None:
            yield _aware(row["from"]), float(actual)


# Energy-Charts of Fraunhofer ISE


def _charts_paths(code: str, start: datetime, end: datetime) -> tuple[str, ...]:
    return (f"/co2eq?{urlencode({'country': code, 'start': _minute(start), 'end': _minute(end)})}",)


def _charts_points(answer: Any) -> Iterator[Point]:
    for second, value in zip(answer["unix_seconds"], answer["co2eq"], strict=True):
        if value is not None:
            yield datetime.fromtimestamp(second, tz=UTC), float(value)


_CHARTS_ZONES = {
    "ALB": "al", "AUT": "at", "BEL": "be", "BIH": "ba", "BGR": "bg", "HRV": "hr", "CYP": "cy", "CZE": "cz", "DNK": "dk",
    "EST": "ee", "FIN": "fi", "FRA": "fr", "GEO": "ge", "DEU": "de", "GRC": "gr", "HUN": "hu", "IRL": "ie", "ITA": "it",
    "XKX": "xk", "LVA": "lv", "LTU": "lt", "LUX": "lu", "MDA": "md", "MNE": "me", "NLD": "nl", "MKD": "mk", "NOR": "no",
    "POL": "pl", "PRT": "pt", "ROU": "ro", "SRB": "rs", "SVK": "sk", "SVN": "si", "ESP": "es", "SWE": "se", "CHE": "ch",
}  # fmt: skip

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        Service(
            "energy-charts",
            "https://api.energy-charts.info",
            _CHARTS_ZONES,
            "intensity",
            "gCO2e/kWh",
            "Energy-Charts, Fraunhofer ISE",
            "https://api.energy-charts.info",
            "CC BY 4.0",
            "estimated",
            "life-cycle factors of technologies x public generation, imports left out; scope by our reading of 2026",
            31,
            _charts_paths,
            _charts_points,
        ),
        Service(
            "rte",
            "https://odre.opendatasoft.com",
            {"FRA": "national"},
            "intensity_direct",
            "gCO2e/kWh",
            "RTE, eCO2mix national (ODRE)",
            "https://odre.opendatasoft.com/explore/dataset/eco2mix-national-cons-def/",
            "Licence Ouverte 2.0 (Etalab)",
            "published",
            "direct emissions of generation in France, imports and making of plants left out",
            31,
            _rte_paths,
            _rte_points,
        ),
        Service(
            "carbon-intensity",
            "https://api.carbonintensity.org.uk",
            {"GBR": "GB"},
            "intensity_direct",
            "gCO2/kWh",
            "Carbon Intensity API, NESO",
            "https://api.carbonintensity.org.uk",
            "CC BY 4.0",
            "estimated",
            "direct emissions of what Great Britain consumes, imports and losses in it; Northern Ireland left out",
            14,
            _britain_paths,
            _britain_points,
        ),
    )
}


def service_for(zone: str, name: str | None = None) -> Service:
    """The service named, or the first that knows the zone: life-cycle before direct. Raises `UnknownName`."""
    zone = zone.upper()
    if name is not None and name not in SERVICES:
        raise UnknownName(
            "There is no such service of hourly figures",
            value=name,
            nearest=nearest_names(name, SERVICES) or tuple(SERVICES),
            action="Use one of these.",
        )
    asked = [SERVICES[name]] if name is not None else list(SERVICES.values())
    for service in asked:
        if zone in service.zones:
            return service
    known = sorted({known for service in asked for known in service.zones})
    raise UnknownName(
        "No open service gives hourly figures of this zone",
        value=zone,
        nearest=nearest_names(zone, known),
        action="Import a CSV file of hours instead: mesure catalogue hours import.",
    )
