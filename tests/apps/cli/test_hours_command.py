"""`mesure catalogue hours`: fetch from a service that answers in each public format, import, list; and what fails."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hour_service import HourService, grams
from mesure.apps.cli import fetch_hours
from mesure.catalogue.hours import Hours

from .conftest import Ran, Run

SERVICES = {"rte": ("FRA", "intensity_direct"), "carbon-intensity": ("GBR", "intensity_direct"),
            "energy-charts": ("DEU", "intensity")}  # fmt: skip


@pytest.fixture
def service() -> Iterator[HourService]:
    with HourService() as running:
        yield running


def asked(
    service: HourService, name: str, *more: object, start: str = "2026-01-15", end: str = "2026-01-15"
) -> list[object]:
    zone = SERVICES[name][0]
    return ["catalogue", "hours", "fetch", "--zone", zone, "--from", start, "--to", end, "--service", name,
            "--base", service.base, "--data", "facts", *more]  # fmt: skip


@pytest.mark.parametrize("name", SERVICES)
def test_a_day_is_fetched_kept_and_used(mesure: Run, service: HourService, name: str) -> None:
    zone, parameter = SERVICES[name]
    ran = mesure(*asked(service, name, "--json"))
    assert ran.code == 0, ran.err
    assert (ran.data["zone"], ran.data["parameter"], ran.data["hours"], ran.data["missing"]) == (zone, parameter, 24, 0)
    assert ran.data["licence"]
    at = datetime(2026, 1, 15, 13, tzinfo=UTC)
    factor = Hours(Path("facts/hours")).factor(zone, parameter, at)
    assert factor
    halves = [grams(at), grams(at.replace(minute=30))]
    assert factor.value == pytest.approx(33.0 if name == "rte" else sum(halves) / 2)
    [path] = Path("facts/hours").iterdir()
    text = path.read_text(encoding="utf-8")
    assert all(
        f"# {column}: " in text for column in ("parameter", "unit", "source", "source_url", "licence", "fetched")
    )
    Path("mesure.toml").write_text('[server]\ndata = "facts"\n', encoding="utf-8")
    shown = mesure("catalogue", "show", zone, "--at", "2026-01-15T14:00+01:00", "--json").data
    [found] = [factor for factor in shown["factors"] if factor["parameter"] == parameter]
    assert found["id"] == f"hours.{zone}.{parameter}.2026-01-15T13Z"
    assert parameter not in shown.get("yearly", "").split(", ")
    assert shown["hour"] == "2026-01-15T13Z"
    assert mesure("catalogue", "show", found["id"], "--json").data["factors"][0]["value"] == found["value"]


def test_an_hour_nobody_gave_is_shown_as_yearly(mesure: Run, service: HourService) -> None:
    mesure(*asked(service, "rte"))
    Path("mesure.toml").write_text('[server]\ndata = "facts"\n', encoding="utf-8")
    shown = mesure("catalogue", "show", "FRA", "--at", "2026-01-16T00:00Z", "--json").data
    assert "intensity_direct" in shown["yearly"]
    french = mesure("catalogue", "show", "FRA", "--at", "2026-01-16T00:00Z", "--lang", "fr").out
    assert "annuel, sans heure" in french


def test_long_periods_are_asked_in_windows(mesure: Run, service: HourService) -> None:
    ran = mesure(*asked(service, "carbon-intensity", "--json", start="2026-01-01", end="2026-02-10"))
    assert ran.data["hours"] == 41 * 24
    assert len(service.asked) == 3  # 14 days each
    assert len(list(Path("facts/hours").iterdir())) == 1


def test_what_is_not_consolidated_yet_comes_from_the_second_set(mesure: Run, service: HourService) -> None:
    ran = mesure(*asked(service, "rte", "--json", start="2026-01-31", end="2026-02-01"))
    assert (ran.data["hours"], ran.data["missing"]) == (48, 0)
    assert ["cons-def" in path for path in service.asked] == [True, False]


def test_a_gap_is_counted_and_said(mesure: Run, service: HourService) -> None:
    service.unknown = lambda at: at.hour in (3, 4)
    ran = mesure(*asked(service, "energy-charts"))
    assert "22 hours kept, 2 without a value" in ran.out
    assert "yearly figure stands" in ran.out
    assert "2 sans valeur" in mesure(*asked(service, "energy-charts", "--lang", "fr")).out


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 24), ("2026-10-25", 24)])
def test_a_day_of_clock_change_has_its_utc_hours(mesure: Run, service: HourService, day: str, hours: int) -> None:
    ran = mesure(*asked(service, "energy-charts", "--json", start=day, end=day))
    assert (ran.data["hours"], ran.data["missing"]) == (hours, 0)
    local = mesure(*asked(service, "energy-charts", "--json", start=f"{day}T00:00+01:00", end=f"{day}T23:00+01:00"))
    assert local.data["hours"] == 23


def test_a_format_that_changed_keeps_what_came_before(mesure: Run, service: HourService) -> None:
    service.answer = lambda path: (200, b'{"rows": []}') if len(service.asked) > 1 else None
    ran = mesure(*asked(service, "carbon-intensity", "--json", start="2026-01-01", end="2026-01-20"))
    assert ran.code == 1
    assert "not in the format" in ran.error["what"]
    [series] = Hours(Path("facts/hours")).all()
    assert series.hours == 14 * 24
    french = mesure(*asked(service, "carbon-intensity", "--lang", "fr")).err
    assert "n’est pas dans le format connu" in french.replace("\u202f", " ")


@pytest.mark.parametrize(("status", "attempts"), [(503, 2), (404, 1), (429, 1)])
def test_a_service_that_refuses(mesure: Run, service: HourService, status: int, attempts: int) -> None:
    service.answer = lambda _: (status, b"no")
    ran = mesure(*asked(service, "energy-charts", "--json"))
    assert ran.code == 1
    assert ran.error["code"] == "service_unreachable"
    assert f"HTTP {status}" in ran.error["what"]
    assert len(service.asked) == attempts
    assert not Path("facts/hours").exists()


def test_a_failure_that_passes_is_asked_again(mesure: Run, service: HourService) -> None:
    service.answer = lambda _: (502, b"") if len(service.asked) == 1 else None
    assert mesure(*asked(service, "energy-charts", "--json")).data["hours"] == 24


def test_a_service_that_never_answers(mesure: Run, service: HourService) -> None:
    def late(_: str) -> tuple[int, bytes]:
        time.sleep(0.6)
        return 200, b"{}"

    service.answer = late
    ran = mesure(*asked(service, "energy-charts", "--timeout", "0.2", "--json"))
    assert ran.error["code"] == "service_unreachable"
    assert "timed out" in ran.error["what"]


def test_nobody_at_the_address(mesure: Run, service: HourService) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    arguments = [base if argument == service.base else argument for argument in asked(service, "rte", "--json")]
    assert mesure(*arguments).error["code"] == "service_unreachable"


def test_an_answer_without_end_is_not_read(mesure: Run, service: HourService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_hours, "_LONGEST_ANSWER", 100)
    assert "longer than" in mesure(*asked(service, "rte", "--json")).error["what"]


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"start": "2026-01-20"}, "ends before it begins"),
        ({"start": "soon"}, "not a time"),
        ({"end": "2026-01-15T13:00"}, "not a time"),
    ],
)
def test_a_period_that_is_none(mesure: Run, service: HourService, changed: dict[str, str], what: str) -> None:
    ran = mesure(*asked(service, "rte", "--json", **changed))
    assert ran.code == 2
    assert what in ran.error["what"]
    assert service.asked == []


def test_a_zone_without_service_or_an_address_that_is_none(mesure: Run) -> None:
    period = ("--from", "2026-01-01", "--to", "2026-01-01")
    unknown = mesure("catalogue", "hours", "fetch", "--zone", "US-VA", *period, "--json")
    assert unknown.error["code"] == "unknown_name"
    wrong = mesure("catalogue", "hours", "fetch", "--zone", "FRA", *period, "--base", "file:///etc/passwd", "--json")
    assert wrong.code == 2
    assert "not an address" in wrong.error["what"]


# Import and list


def imported(mesure: Run, text: str, *more: object) -> Ran:
    Path("mine.csv").write_text(text, encoding="utf-8")
    return mesure(
        "catalogue", "hours", "import", "mine.csv", "--zone", "us-va", "--source", "PJM", "--source-url",
        "https://example.org", "--licence", "own use", "--data", "facts", *more, "--json",
    )  # fmt: skip


def test_a_csv_of_hours_is_imported_listed_and_checked(mesure: Run) -> None:
    ran = imported(mesure, "when,g\n2026-01-15T13:00Z,300\n2026-01-15T15:00Z,320\n", "--time", "when", "--value", "g")
    assert ran.data == {
        "zone": "US-VA", "parameter": "intensity", "hours": 2, "missing": 1, "source": "PJM", "licence": "own use",
    }  # fmt: skip
    [listed] = mesure("catalogue", "hours", "list", "--data", "facts", "--json").data
    assert (listed["zone"], listed["year"], listed["hours"], listed["unit"]) == ("US-VA", 2026, 2, "gCO2e/kWh")
    assert "PJM · gCO2e/kWh · own use" in mesure("catalogue", "hours", "list", "--data", "facts").out
    Path("mesure.toml").write_text('[server]\ndata = "facts"\n', encoding="utf-8")
    assert mesure("catalogue", "check", "--json").data["rows"]["hours"] == 2


def test_local_times_need_their_clocks(mesure: Run) -> None:
    text = "time,value\n2026-01-15T13:00,300\n"
    refused = imported(mesure, text)
    assert "--timezone" in refused.error["action"]
    assert imported(mesure, text, "--timezone", "America/New_York").data["hours"] == 1
    assert Hours(Path("facts/hours")).factor("US-VA", "intensity", datetime(2026, 1, 15, 18, tzinfo=UTC))
    unknown = imported(mesure, text, "--timezone", "America/Nowhere")
    assert "no such time zone" in unknown.error["what"]


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (("--unit", "kg/kWh"), "unit cannot be used"),
        (("--parameter", "intensty"), "parameter cannot be used"),
        (("--status", "certain"), "status cannot be used"),
        (("--licence", " "), "licence cannot be used"),
    ],
)
def test_what_may_not_be_kept_is_refused_before_it_is_read(mesure: Run, more: tuple[str, str], what: str) -> None:
    assert what in imported(mesure, "time,value\n2026-01-15T13:00Z,300\n", *more).error["what"]
    assert not Path("facts/hours").exists()


def test_a_file_without_hours(mesure: Run) -> None:
    assert "has no hour" in imported(mesure, "time,value\n").error["what"]


def test_nothing_kept_says_how_to_begin(mesure: Run) -> None:
    assert "hours fetch brings some" in mesure("catalogue", "hours", "list", "--data", "facts").out
    assert mesure("catalogue", "hours", "list", "--data", "facts", "--json").data == []


def test_a_damaged_file_is_said_where_it_is_read(mesure: Run) -> None:
    imported(mesure, "time,value\n2026-01-15T13:00Z,300\n")
    [path] = Path("facts/hours").iterdir()
    path.write_text(path.read_text(encoding="utf-8").replace(",300", ",three"), encoding="utf-8")
    ran = mesure("catalogue", "hours", "list", "--data", "facts", "--lang", "fr")
    assert ran.code == 1
    assert "est illisible, ligne" in ran.err


def test_help_is_in_french_too(mesure: Run) -> None:
    assert "service ouvert, sans clé" in mesure("catalogue", "hours", "fetch", "--help", "--lang", "fr").out
