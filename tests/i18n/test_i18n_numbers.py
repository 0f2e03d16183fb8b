"""Numbers, quantities and dates: as CLDR writes them, and rounded as their interval allows."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from mesure.i18n import catalog
from mesure.i18n.text import NARROW
from mesure.quantity import Quantity, Status

FR, EN = catalog("fr"), catalog("en")


def _wh(low: float, mid: float, high: float, unit: str = "Wh") -> Quantity:
    return Quantity(low, mid, high, unit, Status.MODELLED)


@given(st.floats(min_value=0, max_value=1e9, allow_nan=False), st.integers(0, 4))
def test_numbers_are_those_of_cldr(value: float, decimals: int) -> None:
    value = round(value, decimals)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    assert FR.number(value, decimals) == format_decimal(value, pattern, "fr")
    assert EN.number(value, decimals) == format_decimal(value, pattern, "en_GB")


def test_negative_numbers_have_a_minus_sign() -> None:
    assert FR.number(-1234.5, 1) == f"−1{NARROW}234,5"


def test_percent_is_spaced_in_french_only() -> None:
    assert FR.percent(0.184) == f"18{NARROW}%"
    assert EN.percent(0.184, 1) == "18.4%"


@pytest.mark.parametrize(
    ("quantity", "french", "english"),
    [
        (_wh(0.18, 0.31, 0.52), "0,31 Wh [0,18–0,52]", "0.31 Wh [0.18–0.52]"),
        (_wh(24_000, 41_000, 70_000), "41 kWh [24–70]", "41 kWh [24–70]"),
        (_wh(6_000, 11_000, 20_000, "gCO2eq"), "11 kg CO₂e [6–20]", "11 kg CO₂e [6–20]"),
        (_wh(41, 41, 41), "41 Wh", "41 Wh"),
        (_wh(8.5, 8.5, 8.5, "W"), "8,5 W", "8.5 W"),
        (_wh(0, 0, 0), "0 Wh", "0 Wh"),
        (_wh(6, 10, 18, "1"), "10 [6–18]", "10 [6–18]"),
        (_wh(92, 184, 301, "W"), "180 W [90–300]", "180 W [90–300]"),
        (_wh(49, 430, 3300), "400 Wh [50–3 300]", "400 Wh [50–3,300]"),
    ],
)
def test_quantities_in_words(quantity: Quantity, french: str, english: str) -> None:
    for translator, expected in ((FR, french), (EN, english)):
        assert str(translator.quantity(quantity)).replace(NARROW, " ") == expected


@given(st.floats(1e-6, 1e9), st.floats(0.01, 1.0, exclude_max=True), st.floats(1.0, 100.0, exclude_min=True))
def test_a_value_above_nothing_never_reads_as_nothing(mid: float, below: float, above: float) -> None:
    text = EN.quantity(_wh(mid * below, mid, mid * above))
    low, high = (float(part.replace(",", "")) for part in text.interval.strip("[]").split("–"))
    value = float(text.value.replace(",", ""))
    assert 0.0 < low <= value <= high


def test_dates_and_times() -> None:
    at = datetime(2026, 11, 1, 4, 5, 6)  # noqa: DTZ001  (already local)
    assert (FR.date(at), EN.date(at)) == ("1er novembre 2026", "1 November 2026")
    assert (FR.day(date(2026, 11, 22)), EN.day(date(2026, 11, 22))) == ("22 novembre", "22 November")
    assert (FR.day(date(2026, 11, 11)), FR.time(at)) == ("11 novembre", "04:05:06")
    assert FR.month(at) == "novembre"


@pytest.mark.parametrize(("month", "text"), [(10, "d’octobre"), (11, "de novembre"), (8, "d’août"), (4, "d’avril")])
def test_months_elide_in_french(month: int, text: str) -> None:
    assert FR.of_month(date(2026, month, 3)) == text
    assert EN.of_month(date(2026, 10, 3)) == "of October"
