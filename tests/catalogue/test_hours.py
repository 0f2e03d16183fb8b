"""Hourly figures in the data folder: what is kept, found, refused, and what the yearly figure stands for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.catalogue import Catalogue, current
from mesure.catalogue.hours import Hours, Origin, hour_of, keep_hours
from mesure.catalogue.hours_csv import read_hours, time_zone
from mesure.errors import CatalogueError, InvalidValue
from mesure.impact.provenance import factor_named

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def origin(**changed: str) -> Origin:
    stated = {
        "zone": "FRA",
        "parameter": "intensity_direct",
        "unit": "gCO2e/kWh",
        "source": "RTE, eCO2mix",
        "source_url": "https://example.org",
        "licence": "Licence Ouverte 2.0",
        "status": "published",
        "note": "direct emissions",
        "fetched": "2026-11-22",
    }
    return Origin(**(stated | changed))


def day(
    values: Callable[[int], float] = lambda i: 20.0 + i, start: datetime = NEW_YEAR
) -> list[tuple[datetime, float]]:
    return [(start + i * HOUR, values(i)) for i in range(24)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keep_hours(tmp_path / "hours", origin(), day(), NEW_YEAR, NEW_YEAR + 24 * HOUR)
    return tmp_path / "hours"


@pytest.fixture
def catalogue(folder: Path) -> Catalogue:
    return current().with_hours(folder)


# Look-up


def test_an_hour_is_found_with_its_provenance(catalogue: Catalogue) -> None:
    found = catalogue.at_hour("fra", NEW_YEAR + 13 * HOUR + timedelta(minutes=59), "intensity_direct")
    assert found
    assert found.hourly
    factor = found.factor
    assert (factor.value, factor.low, factor.high, factor.unit) == (33.0, 33.0, 33.0, "gCO2e/kWh")
    assert factor.id == "hours.FRA.intensity_direct.2026-01-01T13Z"
    assert (factor.source, factor.licence, factor.status, factor.year) == (
        "RTE, eCO2mix", "Licence Ouverte 2.0", "published", 2026,
    )  # fmt: skip
    assert "direct emissions" in factor.note
    assert "fetched 2026-11-22" in factor.note


def test_its_id_leads_back_to_it(catalogue: Catalogue) -> None:
    found = catalogue.at_hour("FRA", NEW_YEAR, "intensity_direct")
    assert found
    assert catalogue.find_factor(found.factor.id) == found.factor
    assert factor_named(found.factor.id, catalogue) == found.factor
    assert current().find_factor(found.factor.id) is None
    for wrong in (
        "hours.FRA.intensity_direct.soon",
        "hours.FRA.intensity_direct",
        "hours.FRA.intensity.2026-01-01T00Z",
    ):
        assert catalogue.find_factor(wrong) is None


def test_a_time_elsewhere_is_the_same_hour(catalogue: Catalogue) -> None:
    paris = datetime(2026, 1, 1, 14, 30, tzinfo=ZoneInfo("Europe/Paris"))
    found = catalogue.at_hour("FRA", paris, "intensity_direct")
    assert found
    assert found.factor.id.endswith("2026-01-01T13Z")


def test_a_time_without_zone_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InvalidValue, match="This time has no zone"):
        catalogue.at_hour("FRA", datetime(2026, 1, 1, 13))  # noqa: DTZ001


@pytest.mark.parametrize("at", [NEW_YEAR + 24 * HOUR, NEW_YEAR - HOUR, datetime(2031, 6, 1, tzinfo=UTC)])
def test_the_yearly_figure_stands_for_an_hour_nobody_gave_and_says_so(catalogue: Catalogue, at: datetime) -> None:
    found = catalogue.at_hour("FRA", at, "intensity_direct")
    assert found
    assert not found.hourly
    assert found.factor == catalogue.grid_factor("FRA", "intensity_direct", at.date())


def test_hours_of_another_scope_never_stand_for_the_quantity_asked(catalogue: Catalogue) -> None:
    found = catalogue.at_hour("FRA", NEW_YEAR)
    assert found
    assert not found.hourly
    assert ".intensity." in found.factor.id


def test_without_hours_and_without_factor(catalogue: Catalogue) -> None:
    assert catalogue.at_hour("FRA", NEW_YEAR, "intensity_marginal") is None
    assert catalogue.at_hour("ATA", NEW_YEAR) is None
    yearly = current().at_hour("FRA", NEW_YEAR)
    assert yearly
    assert not yearly.hourly


def test_the_source_fetched_last_gives_the_hour_and_the_other_its_gaps(folder: Path) -> None:
    newer = origin(source="Another service", fetched="2026-11-23")
    keep_hours(folder, newer, [(NEW_YEAR, 99.0)], NEW_YEAR, NEW_YEAR + HOUR)
    hours = Hours(folder)
    first, second = (hours.factor("FRA", "intensity_direct", NEW_YEAR + i * HOUR) for i in (0, 1))
    assert first
    assert second
    assert (first.value, first.source) == (99.0, "Another service")
    assert (second.value, second.source) == (21.0, "RTE, eCO2mix")


def test_a_user_s_file_and_hours_go_together(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "catalogue.csv"
    own.write_text(
        "table,entity,parameter,value,unit,year,source,source_url,licence,status\n"
        "grids,FRA,intensity_market,0,gCO2e/kWh,2026,Acme,internal,internal,published\n",
        encoding="utf-8",
    )
    for both in (current().with_user_file(own).with_hours(folder), current().with_hours(folder).with_user_file(own)):
        hourly = both.at_hour("FRA", NEW_YEAR, "intensity_direct")
        market = both.at_hour("FRA", NEW_YEAR, "intensity_market")
        assert hourly
        assert hourly.hourly
        assert market
        assert not market.hourly
        assert market.factor.value == 0.0


# Keeping


def test_points_within_an_hour_are_averaged_and_those_outside_left_out(tmp_path: Path) -> None:
    quarter = timedelta(minutes=15)
    points = [(NEW_YEAR - quarter, 900.0), *((NEW_YEAR + i * quarter, 10.0 + i) for i in range(8))]
    written = keep_hours(tmp_path, origin(), points, NEW_YEAR, NEW_YEAR + HOUR)
    assert written == (1, 0)
    [series] = Hours(tmp_path).all()
    assert (series.year, series.hours) == (2026, 1)
    factor = Hours(tmp_path).factor("FRA", "intensity_direct", NEW_YEAR)
    assert factor
    assert factor.value == 11.5


def test_a_gap_is_unknown_never_zero(tmp_path: Path) -> None:
    points = [(at, 0.0 if at == NEW_YEAR + 3 * HOUR else value) for at, value in day() if at != NEW_YEAR + 5 * HOUR]
    written = keep_hours(tmp_path, origin(), points, NEW_YEAR, NEW_YEAR + 24 * HOUR)
    assert written == (22, 2)
    hours = Hours(tmp_path)
    assert hours.factor("FRA", "intensity_direct", NEW_YEAR + 3 * HOUR) is None
    assert hours.factor("FRA", "intensity_direct", NEW_YEAR + 5 * HOUR) is None


def test_a_second_fetch_replaces_its_hours_and_keeps_the_others(folder: Path) -> None:
    tomorrow = NEW_YEAR + 23 * HOUR
    later = origin(fetched="2026-12-01")
    keep_hours(folder, later, day(lambda _: 50.0, tomorrow), tomorrow, tomorrow + 24 * HOUR)
    [path] = folder.iterdir()
    assert path.name == "FRA.intensity_direct.rte-eco2mix.2026.csv"
    hours = Hours(folder)
    values = [hours.factor("FRA", "intensity_direct", NEW_YEAR + i * HOUR) for i in (0, 22, 23, 46, 47)]
    assert [factor.value if factor else None for factor in values] == [20.0, 42.0, 50.0, 50.0, None]
    assert hours.all()[0].origin.fetched == "2026-12-01"


def test_a_period_over_new_year_makes_a_file_a_year(tmp_path: Path) -> None:
    start = NEW_YEAR - 2 * HOUR
    keep_hours(tmp_path, origin(), day(start=start), start, start + 24 * HOUR)
    assert [path.name[-8:-4] for path in sorted(tmp_path.iterdir())] == ["2025", "2026"]
    assert [series.hours for series in Hours(tmp_path).all()] == [2, 22]


def test_a_leap_year_has_all_its_hours(tmp_path: Path) -> None:
    start, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    count = int((end - start) / HOUR)
    written = keep_hours(tmp_path, origin(), ((start + i * HOUR, 1.0 + i) for i in range(count)), start, end)
    assert written == (8784, 0)
    last = Hours(tmp_path).factor("FRA", "intensity_direct", end - HOUR)
    assert last
    assert last.value == 8784.0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("zone", "France!"),
        ("zone", "../etc"),
        ("parameter", "intensty"),
        ("parameter", "water"),
        ("unit", "kgCO2e/kWh"),
        ("source", " "),
        ("source_url", ""),
        ("licence", ""),
        ("fetched", ""),
        ("status", "recalled"),
    ],
)
def test_hours_without_provenance_or_in_another_unit_are_not_kept(tmp_path: Path, column: str, value: str) -> None:
    with pytest.raises(CatalogueError, match=f"cannot be kept: {column} cannot be used") as refused:
        keep_hours(tmp_path, origin(**{column: value}), day(), NEW_YEAR, NEW_YEAR + 24 * HOUR)
    assert refused.value.action
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_value_that_is_none_is_refused_and_what_was_kept_stays(folder: Path, value: float) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CatalogueError, match="value cannot be used"):
        keep_hours(folder, origin(), [(NEW_YEAR, value)], NEW_YEAR, NEW_YEAR + HOUR)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# licence: Licence Ouverte 2.0\n", ""),
        ("# unit: gCO2e/kWh", "# unit: MWh"),
        ("2026-01-01T05Z,25", "2026-01-01T05Z,"),
        ("2026-01-01T05Z,25", "2026-01-01 05,25"),
        ("2026-01-01T05Z,25", "2026-01-01T05Z,-25"),
        ("2026-01-01T05Z,25", "2026-01-01T05Z,0"),
        ("2026-01-01T05Z,25", "2025-01-01T05Z,25"),
    ],
)
def test_a_damaged_file_is_said_and_never_guessed(folder: Path, old: str, new: str) -> None:
    [path] = folder.iterdir()
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"hours FRA\.intensity_direct\.rte-eco2mix\.2026\.csv") as said:
        Hours(folder).factor("FRA", "intensity_direct", NEW_YEAR)
    assert "Delete it" in said.value.action


def test_a_file_of_another_name_is_said(folder: Path) -> None:
    [path] = folder.iterdir()
    path.rename(folder / "mine.csv")
    with pytest.raises(CatalogueError, match=r"mine\.csv"):
        Hours(folder).all()


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.integers(0, 26_000), st.floats(0.001, 3000.0), min_size=1, max_size=30),
    st.sampled_from([2024, 2026]),
)
def test_what_is_kept_is_found_again_hour_by_hour(
    tmp_path_factory: pytest.TempPathFactory, values: dict[int, float], year: int
) -> None:
    folder = tmp_path_factory.mktemp("hours")
    start = datetime(year, 1, 1, tzinfo=UTC)
    points = [(start + place * HOUR, value) for place, value in values.items()]
    written = keep_hours(folder, origin(), points, start, start + 26_001 * HOUR)
    assert written == (len(values), 26_001 - len(values))
    hours = Hours(folder)
    assert sum(series.hours for series in hours.all()) == len(values)
    for place, value in values.items():
        factor = hours.factor("FRA", "intensity_direct", start + place * HOUR)
        assert factor
        assert factor.value == pytest.approx(value, rel=1e-5)


def test_the_hour_of_a_time() -> None:
    assert hour_of(datetime(2026, 7, 1, 0, 59, 59, tzinfo=ZoneInfo("Europe/Paris"))) == datetime(
        2026, 6, 30, 22, tzinfo=UTC
    )


# A CSV file of the user's own


def csv_file(tmp_path: Path, lines: list[str], header: str = "time,value") -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_times_with_their_offset(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["2026-01-15T13:00+01:00,40", "2026-01-15T13:00Z,41", "2026-01-15T14:00Z,"])
    assert list(read_hours(path, "time", "value")) == [
        (datetime(2026, 1, 15, 12, tzinfo=UTC), 40.0),
        (datetime(2026, 1, 15, 13, tzinfo=UTC), 41.0),
    ]


def test_the_hour_that_clocks_show_twice_in_autumn_is_two_hours(tmp_path: Path) -> None:
    shown = ["01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    path = csv_file(tmp_path, [f"2026-10-25T{time},{i + 1}" for i, time in enumerate(shown)])
    points = list(read_hours(path, "time", "value", time_zone("Europe/Paris")))
    times = [at.astimezone(UTC) for at, _ in points]
    assert times == [datetime(2026, 10, 24, 23, tzinfo=UTC) + i * timedelta(minutes=30) for i in range(7)]
    written = keep_hours(tmp_path / "hours", origin(), points, times[0], times[-1] + HOUR)
    assert written == (4, 0)
    first, second = (Hours(tmp_path / "hours").factor("FRA", "intensity_direct", times[i]) for i in (2, 4))
    assert first
    assert second
    assert (first.value, second.value) == (3.5, 5.5)


def test_an_autumn_hour_shown_once_is_the_first_and_the_other_a_gap(tmp_path: Path) -> None:
    path = csv_file(tmp_path, [f"2026-10-25T{hour:02}:00,{hour + 1}" for hour in range(5)])
    points = list(read_hours(path, "time", "value", time_zone("Europe/Paris")))
    assert [at.astimezone(UTC).hour for at, _ in points] == [22, 23, 0, 2, 3]


def test_an_hour_that_clocks_skip_in_spring_is_refused(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["2026-03-29T01:00,1", "2026-03-29T02:30,2", "2026-03-29T03:00,3"])
    with pytest.raises(CatalogueError, match=r"File mine\.csv, line 3") as refused:
        list(read_hours(path, "time", "value", time_zone("Europe/Paris")))
    assert "skip this time" in refused.value.action


def test_spring_hours_follow_one_another(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["2026-03-29T01:00,1", "2026-03-29T03:00,3"])
    first, second = (at.astimezone(UTC) for at, _ in read_hours(path, "time", "value", time_zone("Europe/Paris")))
    assert second - first == HOUR


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("2026-01-15T13:00,40", "--timezone"),
        ("soon,40", "Write 2026-01-15T13:00Z and a number"),
        ("2026-01-15T13:00Z,much", "Write 2026-01-15T13:00Z and a number"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, action: str) -> None:
    path = csv_file(tmp_path, ["2026-01-15T12:00Z,39", line])
    with pytest.raises(CatalogueError, match=r"File mine\.csv, line 3") as refused:
        list(read_hours(path, "time", "value"))
    assert action in refused.value.action


def test_columns_are_named_and_nearest_ones_proposed(tmp_path: Path) -> None:
    path = csv_file(tmp_path, ["2026-01-15T12:00Z,39"], header="times,grams")
    with pytest.raises(CatalogueError, match="no such column") as refused:
        list(read_hours(path, "time", "grams"))
    assert "times" in refused.value.nearest
    assert [value for _, value in read_hours(path, "times", "grams")] == [39.0]


def test_a_file_or_a_time_zone_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="cannot be read"):
        list(read_hours(tmp_path / "none.csv", "time", "value"))
    with pytest.raises(InvalidValue, match="no such time zone"):
        time_zone("Europe/Pariss")
