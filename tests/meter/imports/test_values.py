"""Numbers, times and truths under stated conventions: nothing ambiguous is guessed."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesure.errors import InvalidValue
from mesure.meter.imports import Conventions
from mesure.meter.imports.values import is_unknown

ISO = Conventions()
COMMA = Conventions(decimal="comma")
PARIS = Conventions(timezone=ZoneInfo("Europe/Paris"))
FRENCH = Conventions(timezone=ZoneInfo("Europe/Paris"), dates="french", decimal="comma")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("raw", ["", "  ", None, "null", "NULL", "None", "NaN", "N/A"])
def test_words_for_unknown(raw: Any) -> None:
    assert is_unknown(raw)


@pytest.mark.parametrize("raw", [0, 0.0, "0", "-", False, "x"])
def test_zero_is_not_unknown(raw: Any) -> None:
    assert not is_unknown(raw)


@pytest.mark.parametrize(
    ("conventions", "raw", "value"),
    [
        (ISO, "12", 12.0),
        (ISO, " 12.5 ", 12.5),
        (ISO, "1 234 567.5", 1234567.5),
        (ISO, "1e3", 1000.0),
        (ISO, "12.", 12.0),
        (ISO, 7, 7.0),
        (ISO, 0.25, 0.25),
        (COMMA, "12,5", 12.5),
        (COMMA, "1\u202f234,5", 1234.5),
        (COMMA, "1\u00a0234", 1234.0),
        (COMMA, "-3,0", -3.0),
    ],
)
def test_numbers(conventions: Conventions, raw: Any, value: float) -> None:
    assert conventions.number(raw) == value


@pytest.mark.parametrize(
    ("conventions", "raw", "hint"),
    [
        (ISO, "1,5", "--decimal comma"),
        (ISO, "1,234", "--decimal comma"),
        (ISO, "1,234.5", "--decimal comma"),
        (COMMA, "1.5", "--decimal point"),
        (COMMA, "1.234,5", "--decimal point"),
        (ISO, "1 23", "map another column"),
        (ISO, "abc", "map another column"),
        (ISO, "0x10", "map another column"),
        (ISO, "1_000", "map another column"),
        (ISO, "inf", "map another column"),
        (ISO, "1e999", "map another column"),
        (ISO, True, "map another column"),
        (ISO, 10**30, "map another column"),
    ],
)
def test_numbers_that_are_none_or_could_be_two(conventions: Conventions, raw: Any, hint: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        conventions.number(raw)
    assert hint in refused.value.action


@given(st.integers(-(10**15), 10**15))
def test_whole_numbers_round_trip(value: int) -> None:
    assert ISO.whole(str(value)) == value
    assert ISO.whole(float(value)) == value
    grouped = f"{value:,}".replace(",", "\u202f")
    assert COMMA.whole(grouped) == value


@pytest.mark.parametrize("raw", ["1.5", 1.5, True, "x"])
def test_not_whole(raw: Any) -> None:
    with pytest.raises(InvalidValue):
        ISO.whole(raw)


@pytest.mark.parametrize("raw", [True, "true", "1", "Oui", "vrai", "YES"])
def test_true(raw: Any) -> None:
    assert ISO.truth(raw) is True


@pytest.mark.parametrize("raw", [False, "false", "0", "non", "faux", "No"])
def test_false(raw: Any) -> None:
    assert ISO.truth(raw) is False


def test_neither() -> None:
    with pytest.raises(InvalidValue, match="true or false"):
        ISO.truth("maybe")


@pytest.mark.parametrize(
    ("conventions", "raw", "time"),
    [
        (ISO, "2023-11-16 18:15:46.6805900", utc(2023, 11, 16, 18, 15, 46, 680590)),
        (ISO, "2023-11-16T18:15:46Z", utc(2023, 11, 16, 18, 15, 46)),
        (ISO, "2023-11-16T18:15:46+01:00", utc(2023, 11, 16, 17, 15, 46)),
        (ISO, "2023-11-16 18:15:46 +0100", utc(2023, 11, 16, 17, 15, 46)),
        (ISO, "2023-11-16 18:15:46.68 UTC", utc(2023, 11, 16, 18, 15, 46, 680000)),
        (ISO, "2023-11-16", utc(2023, 11, 16)),
        (PARIS, "2023-11-16 18:15:46", utc(2023, 11, 16, 17, 15, 46)),
        (PARIS, "2023-07-16 18:15:46", utc(2023, 7, 16, 16, 15, 46)),
        (PARIS, "2023-07-16 18:15:46Z", utc(2023, 7, 16, 18, 15, 46)),
        (FRENCH, "16/11/2023 18:15:46", utc(2023, 11, 16, 17, 15, 46)),
        (FRENCH, "3/4/2024", utc(2024, 4, 2, 22)),
        (FRENCH, "03/04/2024 à 9h05", utc(2024, 4, 3, 7, 5)),
        (FRENCH, "03.04.2024 09:05:01,25", utc(2024, 4, 3, 7, 5, 1, 250000)),
        (FRENCH, "2024-04-03T09:05:00", utc(2024, 4, 3, 7, 5)),
        (ISO, "1700158546", utc(2023, 11, 16, 18, 15, 46)),
        (ISO, 1700158546123, utc(2023, 11, 16, 18, 15, 46, 123000)),
        (ISO, "1700158546.5", utc(2023, 11, 16, 18, 15, 46, 500000)),
        (Conventions(dates="unix"), "1700158546.5", utc(2023, 11, 16, 18, 15, 46, 500000)),
        (Conventions(dates="unix"), 1700158546, utc(2023, 11, 16, 18, 15, 46)),
        (Conventions(dates="unix-ms"), 1700158546123, utc(2023, 11, 16, 18, 15, 46, 123000)),
    ],
)
def test_times(conventions: Conventions, raw: Any, time: datetime) -> None:
    found = conventions.time(raw)
    assert found == time
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    ("conventions", "raw"),
    [
        (ISO, "16/11/2023 18:15"),
        (ISO, "03/04/2024"),
        (ISO, 170015854),
        (ISO, "yesterday"),
        (ISO, "2023-13-01"),
        (ISO, "2023-02-30"),
        (FRENCH, "31/02/2024"),
        (FRENCH, "11/16/2023"),
        (FRENCH, "03/04/24"),
        (Conventions(dates="unix"), 1e15),
    ],
)
def test_times_that_are_none(conventions: Conventions, raw: Any) -> None:
    with pytest.raises(InvalidValue) as refused:
        conventions.time(raw)
    assert "--dates" in refused.value.action


def test_milliseconds_taken_for_seconds_do_not_pass_unseen() -> None:
    with pytest.raises(InvalidValue):
        Conventions(dates="unix").time(1700158546123_000)


def test_before_1970() -> None:
    with pytest.raises(InvalidValue, match="before 1970"):
        ISO.time("1969-12-31")


def test_an_hour_that_the_clock_skipped_is_refused() -> None:
    with pytest.raises(InvalidValue, match="does not exist in Europe/Paris"):
        PARIS.time("2024-03-31 02:30:00")
    assert ISO.time("2024-03-31 02:30:00") == utc(2024, 3, 31, 2, 30)


def test_an_hour_that_came_twice_is_its_first() -> None:
    assert PARIS.time("2024-10-27 02:30:00") == utc(2024, 10, 27, 0, 30)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2099, 1, 1)))  # noqa: DTZ001
def test_iso_and_french_texts_of_a_time_agree(naive: datetime) -> None:
    time = naive.replace(tzinfo=UTC)
    written = time.astimezone(ZoneInfo("Europe/Paris"))
    iso = PARIS.time(written.isoformat())
    french = FRENCH.time(written.strftime("%d/%m/%Y %H:%M:%S") + f",{written.microsecond:06d}")
    assert iso == time
    assert french in (time, time - timedelta(hours=1))  # the hour that comes twice


@given(st.text(max_size=30))
def test_no_text_crashes(text: str) -> None:
    for conventions in (ISO, FRENCH, Conventions(dates="unix")):
        for read in (conventions.number, conventions.whole, conventions.truth, conventions.time):
            with suppress(InvalidValue):  # anything else fails
                read(text)
