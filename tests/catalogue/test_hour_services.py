"""Open services of hourly figures: what is asked of each, and its public format read or refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from mesure.catalogue import current
from mesure.catalogue.bounds import broken_unit
from mesure.catalogue.hour_services import SERVICES, service_for
from mesure.errors import CatalogueError, UnknownName

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))
def test_each_states_its_provenance_scope_and_unit(service: object) -> None:
    from mesure.catalogue.hour_services import Service

    assert isinstance(service, Service)
    for zone in service.zones:
        origin = service.origin(zone, "2026-11-22").checked()
        assert origin.licence
        assert origin.note
        assert broken_unit("grids", origin.parameter, origin.unit) is None
    assert ("direct" in service.note) == (service.parameter == "intensity_direct")
    assert service.base.startswith("https://")
    listed = set(current().zones())
    assert len([zone for zone in service.zones if zone in listed]) >= len(service.zones) - 1  # Kosovo's code is its own


def test_a_life_cycle_service_comes_before_a_direct_one() -> None:
    assert service_for("fra").name == "energy-charts"
    assert service_for("FRA", "rte").name == "rte"
    assert service_for("GBR").name == "carbon-intensity"


def test_a_zone_or_a_service_nobody_knows() -> None:
    with pytest.raises(UnknownName, match="No open service") as zone:
        service_for("US-VA")
    assert "import" in zone.value.action
    with pytest.raises(UnknownName, match="No open service"):
        service_for("GBR", "rte")
    with pytest.raises(UnknownName, match="no such service") as service:
        service_for("FRA", "energy-chart")
    assert "energy-charts" in service.value.nearest


def test_what_is_asked() -> None:
    consolidated, latest = SERVICES["rte"].addresses("FRA", START, END)
    assert urlsplit(consolidated).path.endswith("/eco2mix-national-cons-def/exports/json")
    assert urlsplit(latest).path.endswith("/eco2mix-national-tr/exports/json")
    query = parse_qs(urlsplit(latest).query)
    assert query["where"] == ["date_heure >= '2026-01-01T00:00Z' and date_heure < '2026-01-02T00:00Z'"]
    assert query["timezone"] == ["UTC"]
    [britain] = SERVICES["carbon-intensity"].addresses("GBR", START, END)
    assert britain == "https://api.carbonintensity.org.uk/intensity/2026-01-01T00:00Z/2026-01-02T00:00Z"
    [charts] = SERVICES["energy-charts"].addresses("DEU", START, END, "http://mirror/x/")
    assert charts.startswith("http://mirror/x/co2eq?country=de&start=2026-01-01T00%3A00Z")


RTE = [
    {"date_heure": "2026-01-01T00:00:00+00:00", "taux_co2": 31},
    {"date_heure": "2026-01-01T00:15:00+00:00", "taux_co2": None},
    {"date_heure": "2026-01-01T01:30:00+01:00", "taux_co2": 33},
]
BRITAIN = {
    "data": [
        {"from": "2026-01-01T00:00Z", "to": "2026-01-01T00:30Z",
         "intensity": {"forecast": 99, "actual": 120, "index": "low"}},
        {"from": "2026-01-01T00:30Z", "to": "2026-01-01T01:00Z",
         "intensity": {"forecast": 99, "actual": None, "index": "low"}},
    ]
}  # fmt: skip
CHARTS = {
    "unix_seconds": [1767225600, 1767226500],
    "co2eq": [391.5, None],
    "co2eq_forecast": [None, 405.0],
    "deprecated": False,
}


def test_public_formats_are_read_without_their_forecasts() -> None:
    half = datetime(2026, 1, 1, 0, 30, tzinfo=UTC)
    assert SERVICES["rte"].read(json.dumps(RTE).encode()) == [(START, 31.0), (half, 33.0)]
    assert SERVICES["carbon-intensity"].read(json.dumps(BRITAIN).encode()) == [(START, 120.0)]
    assert SERVICES["energy-charts"].read(json.dumps(CHARTS).encode()) == [(START, 391.5)]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("rte", b"<html>maintenance</html>"),
        ("rte", b'{"results": []}'),
        ("rte", b'[{"date_heure": "2026-01-01T00:00:00+00:00"}]'),
        ("rte", b'[{"date_heure": "2026-01-01T00:00:00", "taux_co2": 31}]'),  # whose clocks?
        ("rte", b'[{"date_heure": "soon", "taux_co2": 31}]'),
        ("rte", b'[{"date_heure": "2026-01-01T00:00:00Z", "taux_co2": "low"}]'),
        ("carbon-intensity", b'{"error": {"code": "400 Bad Request"}}'),
        ("carbon-intensity", b'{"data": [{"from": "2026-01-01T00:00Z", "intensity": {"forecast": 9}}]}'),
        ("carbon-intensity", b'{"data": null}'),
        ("energy-charts", b'{"unix_seconds": [1, 2], "co2eq": [1.0]}'),
        ("energy-charts", b'{"unix_seconds": [1]}'),
        ("energy-charts", b"[]"),
        ("energy-charts", b"\xff\xfe"),
    ],
)
def test_a_format_that_changed_is_said_and_nothing_is_guessed(name: str, body: bytes) -> None:
    with pytest.raises(CatalogueError, match=f"The answer of {name} is not in the format") as changed:
        SERVICES[name].read(body)
    assert "mesure catalogue hours import" in changed.value.action


def test_an_empty_answer_is_no_hour() -> None:
    assert SERVICES["rte"].read(b"[]") == []
    assert SERVICES["carbon-intensity"].read(b'{"data": []}') == []
    assert SERVICES["energy-charts"].read(b'{"unix_seconds": [], "co2eq": []}') == []
