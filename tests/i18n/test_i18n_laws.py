"""Laws of numbers, quantities and dates, for any value: CLDR's own formatting is the reference."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.errors import UnknownName
from mesure.i18n import LANGUAGES, catalog, preferred
from mesure.i18n.text import french, typographic
from mesure.quantity import Quantity, Status

_LOCALES = {"fr": "fr", "en": "en_GB"}
_SCALES = {"µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
_LANGUAGE = st.sampled_from(LANGUAGES)


def _read(text: str, language: str) -> float:
    """A printed number back as a number."""
    text = re.sub(r"[\s\u00a0\u202f]", "", text)
    text = text.replace(",", "") if language == "en" else text.replace(",", ".")
    return float(text)


@settings(max_examples=150, deadline=None)
@given(_LANGUAGE, st.floats(0, 1e12), st.integers(0, 6))
def test_numbers_are_cldr_s(language: str, value: float, decimals: int) -> None:
    value = round(value, decimals)
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    expected = format_decimal(f"{value:.{decimals}f}", format=pattern, locale=_LOCALES[language])
    assert catalog(language).number(value, decimals) == expected


@settings(max_examples=150, deadline=None)
@given(_LANGUAGE, st.floats(-1e9, 1e9), st.integers(0, 4))
def test_a_number_reads_back(language: str, value: float, decimals: int) -> None:
    text = catalog(language).number(value, decimals).replace("−", "-")
    assert _read(text, language) == pytest.approx(value, abs=0.51 * 10**-decimals)


@settings(max_examples=200, deadline=None)
@given(
    _LANGUAGE,
    st.floats(1e-6, 1e12),
    st.floats(0.01, 0.99),
    st.floats(1.01, 100),
)
def test_a_quantity_reads_back_within_its_rounding(language: str, mid: float, below: float, above: float) -> None:
    quantity = Quantity(mid * below, mid, mid * above, "Wh", Status.MODELLED)
    text = catalog(language).quantity(quantity)
    prefix = text.unit.removesuffix("Wh")
    scale = _SCALES[prefix]
    width = quantity.high - quantity.low
    assert _read(text.value, language) * scale == pytest.approx(mid, abs=max(width, mid) * 0.51)
    assert _read(text.value, language) > 0
    low, high = (_read(part, language) * scale for part in text.interval.strip("[]").split("–"))
    assert 0 < low <= high
    assert low == pytest.approx(quantity.low, abs=max(width * 0.51, quantity.low * 0.51))
    assert high == pytest.approx(quantity.high, abs=width * 0.51)
    assert "\u00a0" not in str(text)
    assert f"{text.value}\u202f{text.unit}" == text.figure


@settings(max_examples=80, deadline=None)
@given(st.floats(1e-6, 1e12), st.floats(0.1, 1), st.floats(1, 10))
def test_both_languages_print_the_same_digits(mid: float, below: float, above: float) -> None:
    quantity = Quantity(mid * below, mid, mid * above, "gCO2eq", Status.MODELLED)
    french_text, english = (catalog(language).quantity(quantity) for language in LANGUAGES)
    digits = re.compile(r"\D")
    assert digits.sub("", str(french_text)) == digits.sub("", str(english))
    assert french_text.unit == english.unit
    assert french_text.unit.endswith(" CO₂e")


@pytest.mark.parametrize(
    ("unit", "mid", "shown"),
    [
        ("Wh", 1_234_567.0, "MWh"),
        ("Wh", 0.005, "mWh"),
        ("Wh", 0.000_5, "µWh"),
        ("W", 0.02, "W"),
        ("W", 4_000.0, "kW"),
        ("gCO2eq", 5e-5, "µg CO₂e"),
        ("gCO2eq", 3e6, "t CO₂e"),
        ("mL", 2_500.0, "L"),
        ("gSbeq", 2e-7, "ng Sb eq"),
        ("MJ", 5e-4, "J"),
        ("1", 12.0, ""),
        ("tokens", 12.0, "tokens"),
    ],
)
def test_units_get_the_prefix_of_their_value(unit: str, mid: float, shown: str) -> None:
    for language in LANGUAGES:
        assert catalog(language).quantity(Quantity(mid * 0.8, mid, mid * 1.3, unit, Status.MODELLED)).unit == shown


@pytest.mark.parametrize("unit", ["Wh", "gCO2eq", "W", "mL", "1"])
def test_zero_is_printed_as_zero(unit: str) -> None:
    """Known to be nothing is not unknown, and no more than nothing."""
    text = catalog("fr").quantity(Quantity(0.0, 0.0, 0.0, unit, Status.MEASURED))
    assert (text.value, text.interval) == ("0", "")


@settings(max_examples=100, deadline=None)
@given(_LANGUAGE, st.floats(0, 2), st.integers(0, 2))
def test_percentages(language: str, share: float, decimals: int) -> None:
    text = catalog(language).percent(share, decimals)
    assert text.endswith("\u202f%" if language == "fr" else "%")
    assert _read(text.rstrip("%"), language) == pytest.approx(share * 100, abs=0.51 * 10**-decimals)


@settings(max_examples=100, deadline=None)
@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)))
def test_dates_are_cldr_s_but_for_the_first_of_a_month(day: date) -> None:
    for language in LANGUAGES:
        t = catalog(language)
        expected = format_date(day, "d MMMM y", locale=_LOCALES[language])
        if language == "fr" and day.day == 1:
            expected = expected.replace("1 ", "1er ", 1)
        assert t.date(day) == expected
        assert t.day(day) == expected.rpartition(" ")[0]
        assert t.month(day).lower() in expected.lower()
    assert catalog("fr").of_month(day) in {f"de {catalog('fr').month(day)}", f"d’{catalog('fr').month(day)}"}


def test_a_time_is_on_24_hours() -> None:
    start = datetime(2026, 11, 22, tzinfo=UTC)
    for minutes in range(0, 1440, 7):
        at = start + timedelta(minutes=minutes, seconds=minutes % 60)
        for language in LANGUAGES:
            assert catalog(language).time(at) == at.strftime("%H:%M:%S")


@pytest.mark.parametrize("count", [0, 0.5, 1, 1.5, 1.99, 2, 3, 1000])
def test_plurals_begin_where_each_language_begins_them(count: float) -> None:
    one, many = "{count} call", "{count} calls"
    assert ("appels" in catalog("fr").n(one, many, count)) is (count >= 2)
    assert ("calls" in catalog("en").n(one, many, count)) is (count != 1)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abé {}", max_size=40))
def test_a_text_without_values_is_left_whole(text: str) -> None:
    """Braces are replaced only where values are given: an unknown text never fails a page."""
    assert catalog("en").t(text) == typographic(text)
    assert catalog("fr").t(text) == french(text) or text == ""


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_typography_is_done_once_for_all(text: str) -> None:
    for write in (typographic, french):
        assert write(write(text)) == write(text)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="fren,;q=0.195*- ", max_size=40), st.sampled_from(LANGUAGES))
def test_any_header_of_a_browser_gives_a_language(header: str, default: str) -> None:
    assert preferred(header, default) in LANGUAGES  # type: ignore[arg-type]


@pytest.mark.parametrize("language", ["", "de", "FR", "fr_FR", "english"])
def test_a_language_not_spoken_is_refused_with_those_that_are(language: str) -> None:
    with pytest.raises(UnknownName) as caught:
        catalog(language)
    assert caught.value.nearest == LANGUAGES


# A figure as its source gave it


@settings(max_examples=200, deadline=None)
@given(_LANGUAGE, st.floats(1e-8, 1e12), st.integers(2, 8))
def test_a_plain_figure_keeps_its_digits_and_no_idle_zero(language: str, value: float, digits: int) -> None:
    text = catalog(language).plain(value, digits)
    assert _read(text, language) == pytest.approx(value, rel=0.51 * 10 ** (1 - digits), abs=1e-12)
    mark = "," if language == "fr" else "."
    whole, _, decimals = text.partition(mark) if language == "fr" else text.replace(",", "").partition(mark)
    assert not decimals.endswith("0")
    assert not text.endswith(mark)
    if value >= 10**digits:
        assert _read(whole, language) == round(value)  # whole numbers stay in full


@given(st.floats(1e-8, 1e12), st.integers(1, 8))
def test_a_plain_figure_has_the_same_digits_in_both_languages(value: float, digits: int) -> None:
    texts = [re.sub(r"\D", "", catalog(language).plain(value, digits)) for language in LANGUAGES]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(0.0, 4, "0"), (41.44, 4, "41.44"), (41.441, 4, "41.44"), (76.2102, 6, "76.2102"), (100.0, 4, "100"),
     (0.5, 2, "0.5"), (0.126, 2, "0.13"), (5e-6, 4, "0.000005"), (16384.0, 4, "16,384"), (-2.5, 4, "−2.5"),
     (9.9999, 4, "10"), (1e-13, 4, "0.0000000000001")],
)  # fmt: skip
def test_plain_figures(value: float, digits: int, shown: str) -> None:
    assert catalog("en").plain(value, digits) == shown


# A column that shares its unit


@settings(max_examples=150, deadline=None)
@given(_LANGUAGE, st.floats(1e-6, 1e9), st.floats(1e-4, 1.0), st.floats(1.1, 5.0))
def test_beside_a_larger_one_a_figure_takes_its_unit(
    language: str, largest: float, share: float, spread: float
) -> None:
    t = catalog(language)
    top, one = (Quantity(v / spread, v, v * spread, "Wh", Status.MODELLED) for v in (largest, largest * share))
    text = t.quantity(one, top)
    assert text.unit == t.quantity(top).unit
    scale = _SCALES[text.unit.removesuffix("Wh")]
    width = (one.high - one.low) / scale
    assert _read(text.value, language) == pytest.approx(one.mid / scale, abs=max(width, one.mid / scale) * 0.51)
    low = _read(text.interval.strip("[]").split("–")[0], language)
    assert low > 0  # a bound that is something never reads as nothing


@given(st.text(max_size=40))
def test_texts_of_others_are_not_kept_for_ever(text: str) -> None:
    """What errors bring passes through: only so many are remembered."""
    t = catalog("fr")
    assert t.t(text) == t.t(text)
    info = t._text.cache_info()  # type: ignore[attr-defined]
    assert info.maxsize is not None
    assert info.currsize <= info.maxsize
