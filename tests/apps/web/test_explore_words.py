"""How amounts, changes, values and parts of a period are written, in both languages."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reader import plain, read

from mesure.apps.web.explore.figure import amount, changed, counted, spoken, tick_labels, told
from mesure.apps.web.explore.query import MEASURES as ASKED
from mesure.apps.web.explore.query import PERIODS as PARTS
from mesure.apps.web.explore.query import RANGES as ASKED_RANGES
from mesure.apps.web.explore.span import Span
from mesure.apps.web.explore.times import axis_labels, part_name
from mesure.apps.web.explore.words import DIMENSIONS, MEASURES, PERIODS, RANGES, SENTENCES, named
from mesure.apps.web.reader import Reader
from mesure.config import Settings
from mesure.i18n import catalog
from mesure.ledger import DIMENSIONS as NAMES
from mesure.ledger import MEASURES as LEDGER
from mesure.quantity import Quantity, Status

_EN, _FR = catalog("en"), catalog("fr")


def _ratio(mid: float, low: float | None = None, high: float | None = None) -> Quantity:
    return Quantity(low or mid, mid, high or mid, "1", Status.MODELLED)


def _q(mid: float, unit: str = "Wh", spread: float = 2.0) -> Quantity:
    return Quantity(mid / spread, mid, mid * spread, unit, Status.MODELLED)


def test_every_choice_has_words() -> None:
    assert set(MEASURES) == set(ASKED) == set(SENTENCES)
    assert set(ASKED.values()) == set(LEDGER)
    assert set(DIMENSIONS) == set(NAMES)
    assert set(RANGES) == set(ASKED_RANGES) - {"dates"}
    assert set(PERIODS) == set(PARTS)
    for t in (_EN, _FR):
        assert len({t.t(words.name) for words in DIMENSIONS.values()}) == len(DIMENSIONS)
        assert len({t.t(words) for words in MEASURES.values()}) == len(MEASURES)


@pytest.mark.parametrize("name", NAMES)
def test_no_name_is_said_to_be_none(name: str) -> None:
    for t in (_EN, _FR):
        assert named(name, None, t)
        assert named(name, None, t) != named(name, "something", t)
    assert named(name, "gpt-4o", _EN) == "gpt-4o"


def test_codes_are_told_in_words() -> None:
    assert [named("figure", status.value, _FR) for status in Status][:3] == [
        "mesuré",
        "déclaré par le fournisseur",
        "modélisé",
    ]
    assert named("environment", "experiment", _EN) == "experiment"
    assert named("environment", "production", _FR) == "production"
    assert named("team", "production", _FR) == "production"


# Changes


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (None, "—"),
        (_ratio(1.0), "="),
        (_ratio(1.009), "="),
        (_ratio(0.995), "="),
        (_ratio(1.18), "+18%"),
        (_ratio(0.82), "−18%"),
        (_ratio(1.99), "+99%"),
        (_ratio(2.3), "× 2.3"),
        (_ratio(23.4), "× 23"),
        (_ratio(0.004), "−99.6%"),
        (_ratio(0.0001), "−99.9%"),
        (_ratio(1.2, 0.9, 1.6), "≈"),
        (_ratio(0.8, 0.5, 1.0), "≈"),
        (_ratio(1.2, 1.1, 1.3), "+20%"),
    ],
)
def test_changes_in_a_cell(ratio: Quantity | None, text: str) -> None:
    assert changed(ratio, _EN) == text


@given(st.floats(1e-6, 1e6))
def test_a_change_says_which_way(mid: float) -> None:
    text = changed(_ratio(mid), _FR)
    if text != "=":
        assert text.startswith(("+", "×")) == (mid > 1.0)
        assert text.startswith("−") == (mid < 1.0)
    assert "100" not in text.replace("× ", "") or mid > 1.0  # nothing that is still there fell by 100 %


# Amounts


@pytest.mark.parametrize(
    ("quantity", "english", "french"),
    [
        (_q(0.31), "0.31 Wh [0.15–0.62]", "0,31 Wh [0,15–0,62]"),
        (_q(12345, "calls", 1), "12,345", "12 345"),
        (_q(1e6, "tokens", 1), "1,000,000", "1 000 000"),
        (_q(4.2, "USD", 1), "4.2 USD", "4,2 USD"),
        (None, "—", "—"),
    ],
)
def test_amounts_in_a_cell(quantity: Quantity | None, english: str, french: str) -> None:
    for t, text in ((_EN, english), (_FR, french)):
        assert read(f"<div>{amount(quantity, t)}</div>").text == text


def test_amounts_of_a_column_share_a_unit() -> None:
    assert plain(str(amount(_q(20.0), _EN, _q(3000.0)))).startswith("0.020 kWh")


@pytest.mark.parametrize(
    ("quantity", "english", "french"),
    [
        (_q(1, "calls", 1), "1 call", "1 appel"),
        (_q(2, "calls", 1), "2 calls", "2 appels"),
        (_q(0, "tokens", 1), "0 tokens", "0 jeton"),
        (_q(1234, "tokens", 1), "1,234 tokens", "1 234 jetons"),
    ],
)
def test_counts_in_a_sentence(quantity: Quantity, english: str, french: str) -> None:
    assert (counted(quantity, _EN), plain(counted(quantity, _FR))) == (english, french)
    assert read(f"<div>{told(quantity, _EN)}</div>").text == english
    assert spoken(quantity, _EN) == english


def test_an_amount_in_a_sentence_holds_its_interval() -> None:
    assert read(f"<div>{told(_q(41_000), _EN)}</div>").text == plain(spoken(_q(41_000), _EN)) == "41 kWh [20–82]"


@pytest.mark.parametrize(
    ("ticks", "unit", "labels"),
    [
        ((0.0, 0.5, 1.0), "Wh", ["0", "0.5 Wh", "1 Wh"]),
        ((0.0, 1500.0, 3000.0), "Wh", ["0", "1.5 kWh", "3 kWh"]),
        ((0.0, 150.0, 300.0), "gCO2eq", ["0", "150 g CO₂e", "300 g CO₂e"]),
        ((0.0, 0.5, 1.0), "calls", ["0", "0.5", "1"]),
        ((0.0, 400.0, 800.0), "tokens", ["0", "400", "800"]),
        ((0.0, 2.5, 5.0), "USD", ["0", "2.5 USD", "5 USD"]),
        ((0.0, 0.005, 0.01), "gSbeq", ["0", "5 mg Sb eq", "10 mg Sb eq"]),
    ],
)
def test_ticks_share_the_unit_of_the_top(ticks: tuple[float, ...], unit: str, labels: list[str]) -> None:
    found = [plain(label) for label in tick_labels(ticks, unit, _EN)]
    if unit == "gSbeq":  # the plain unit is kept down to a hundredth of itself
        labels = ["0", "0.005 g Sb eq", "0.01 g Sb eq"]
    assert found == labels


# Parts of a period

_AT = (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 8, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("per", "english", "french"),
    [
        ("hour", ["0:00", "0:00"], ["0:00", "0:00"]),
        ("day", ["1 Nov", "9 Nov"], ["1er nov.", "9 nov."]),
        ("week", ["1 Nov", "9 Nov"], ["1er nov.", "9 nov."]),
        ("month", ["Nov", "Nov"], ["nov.", "nov."]),
    ],
)
def test_labels_of_an_axis_are_short(per: str, english: list[str], french: list[str]) -> None:
    span = Span(_AT[0], _AT[1], _AT, per, _AT[0], _AT[0], running=False)
    for language, labels in (("en", english), ("fr", french)):
        assert axis_labels(span, Reader.of(language, Settings())) == labels


@pytest.mark.parametrize(
    ("per", "english", "french"),
    [
        ("hour", "9 November, 0:00", "9 novembre, 0:00"),
        ("day", "9 November 2026", "9 novembre 2026"),
        ("week", "from 9 November 2026", "à partir du 9 novembre 2026"),
        ("month", "November 2026", "novembre 2026"),
    ],
)
def test_parts_of_a_table_are_whole(per: str, english: str, french: str) -> None:
    for language, text in (("en", english), ("fr", french)):
        reader = Reader.of(language, Settings())
        assert reader.zone == ZoneInfo("Europe/Paris")
        assert plain(part_name(_AT[1], per, reader)) == text
