"""`mesure ledger` in words: totals, changes by cause and methods side by side, number by number, in both languages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mesure.apps.cli.method_words import CAUSE_NAMES, METHOD_CODES
from mesure.apps.cli.recomputed import show_change, show_comparison, show_totals, signed
from mesure.apps.cli.voice import Voice
from mesure.apps.words import WARNINGS
from mesure.i18n import catalog
from mesure.impact.methods import Comparison
from mesure.impact.methods.compare import MethodRow
from mesure.ledger import Change, Recomputed
from mesure.ledger.recompute import CAUSES, Cause
from mesure.quantity import Quantity, Status

_both = pytest.mark.parametrize("language", ["fr", "en"])
_ENERGY = Quantity(800.0, 1500.0, 3200.0, "Wh", Status.MODELLED)
_CARBON = Quantity(300.0, 410.0, 900.0, "gCO2eq", Status.MODELLED)


def _totals(**changes: Any) -> Recomputed:
    values: dict[str, Any] = {
        "method": "mesure",
        "method_version": "2026.11.2",
        "catalogue_version": "2026-11-22",
        "events": 12_000,
        "calls": 12_000,
        "covered_calls": 12_000,
        "gwp_calls": 12_000,
        "energy_wh": _ENERGY,
        "gwp_gco2eq": _CARBON,
        "codes": (),
    }
    return Recomputed(**values | changes)


def _said(capsys: pytest.CaptureFixture[str], show: Any, found: Any, language: str, *, json: bool = False) -> list[str]:
    show(Voice(language, json=json), found)
    return capsys.readouterr().out.splitlines()


@_both
def test_totals_say_their_basis_and_both_figures(capsys: pytest.CaptureFixture[str], language: str) -> None:
    t = catalog(language)
    basis, energy, carbon = _said(capsys, show_totals, _totals(), language)
    assert basis.startswith("mesure 2026.11.2, ")
    assert basis.endswith(" 2026-11-22")
    assert energy == f"  {t.t('Energy'):<8} {t.quantity(_ENERGY)}"
    assert carbon == f"  {t.t('CO₂e'):<8} {t.quantity(_CARBON)}"


@_both
@pytest.mark.parametrize(("covered", "gases"), [(11_999, 12_000), (12_000, 1), (0, 0)])
def test_calls_without_a_figure_are_counted_below_it(
    capsys: pytest.CaptureFixture[str], covered: int, gases: int, language: str
) -> None:
    t = catalog(language)
    found = _totals(covered_calls=covered, gwp_calls=gases, energy_wh=_ENERGY if covered else None)
    lines = _said(capsys, show_totals, found, language)
    left = [line.strip() for line in lines if line.startswith("    ")]
    expected = [
        t.t("{count} of {all} calls have no figure", count=t.number(12_000 - count), all=t.number(12_000))
        for count in (covered, gases)
        if count < 12_000
    ]
    assert left == expected
    assert (t.t("unknown") in lines[1]) is (covered == 0)


@_both
def test_codes_are_told_and_an_unknown_one_shows_as_it_is(capsys: pytest.CaptureFixture[str], language: str) -> None:
    t = catalog(language).t
    codes = ("cache_ignored", "zone_unknown", "not_yet_named")
    lines = _said(capsys, show_totals, _totals(codes=codes), language)
    assert lines[-3:] == [
        f"  - {t(METHOD_CODES['cache_ignored'])}",
        f"  - {t(WARNINGS['zone_unknown'])}",
        "  - not_yet_named",
    ]


def _change() -> Change:
    after = _totals(energy_wh=_ENERGY.scaled(0.5), catalogue_version="2027-01-01")
    causes = tuple(Cause(code, -750.0 if i == 8 else 0.0, float(i)) for i, code in enumerate(CAUSES))
    return Change(before=_totals(), after=after, causes=causes)


@_both
def test_a_change_tells_both_ends_then_each_cause_with_its_sign(
    capsys: pytest.CaptureFixture[str], language: str
) -> None:
    t = catalog(language).t
    lines = _said(capsys, show_change, _change(), language)
    assert (lines[0], lines[4]) == (t("From:"), t("To:"))
    assert "2026-11-22" in lines[1]
    assert "2027-01-01" in lines[5]
    assert lines[8] == t("Change, by cause (each replaced in this order)")
    rows = [re.split(r" {2,}", line.strip()) for line in lines[9:]]
    assert [row[0] for row in rows] == [*(t(CAUSE_NAMES[code]) for code in CAUSES), t("Total change")]
    fall = signed(Voice(language), -750.0, "Wh")
    assert [row[1] for row in rows] == [*["0"] * 8, fall, fall]
    assert rows[0][2] == "0"
    assert rows[1][2].startswith("+")
    assert rows[1][2].endswith("CO₂e")
    ends = {len(line) for line in lines[9:]}
    assert len(ends) == 1  # figures stand under each other, to the right


def _row(method: str, **changes: Any) -> MethodRow:
    values: dict[str, Any] = {
        "method": method,
        "version": "1",
        "energy_wh": _ENERGY,
        "gwp_gco2eq": _CARBON,
        "covered_calls": 12_000,
        "gwp_calls": 12_000,
        "reference_wh": 1500.0,
        "ratio": 1.0,
        "codes": (),
    }
    return MethodRow(**values | changes)


@_both
def test_methods_stand_side_by_side_with_what_they_cannot_say(
    capsys: pytest.CaptureFixture[str], language: str
) -> None:
    t = catalog(language)
    rows = (
        _row("mesure"),
        _row("constant", gwp_gco2eq=None, ratio=0.426, codes=("model_ignored", "length_ignored")),
        _row("nothing", energy_wh=None, gwp_gco2eq=None, ratio=None, covered_calls=0, codes=("model_not_listed",)),
    )
    lines = _said(capsys, show_comparison, Comparison(calls=12_000, rows=rows, spread=2.345), language)
    table = [re.split(r" {2,}", line.strip()) for line in lines[:4]]
    unknown = t.t("unknown")
    assert table == [
        [t.t("Method"), t.t("Energy"), t.t("CO₂e"), t.t("to mesure"), t.t("calls")],
        ["mesure", str(t.quantity(_ENERGY)), str(t.quantity(_CARBON)), f"x{t.number(1.0, 2)}", t.number(12_000)],
        ["constant", str(t.quantity(_ENERGY)), unknown, f"x{t.number(0.426, 2)}", t.number(12_000)],
        ["nothing", unknown, unknown, unknown, "0"],
    ]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[4] == t.t("Methods differ by a factor of {factor}.", factor=t.number(2.345, 1))
    assert lines[5:] == [
        "mesure:",
        "constant:",
        f"  - {t.t(METHOD_CODES['model_ignored'])}",
        f"  - {t.t(METHOD_CODES['length_ignored'])}",
        "nothing:",
        f"  - {t.t(METHOD_CODES['model_not_listed'])}",
    ]


def test_one_method_differs_from_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _said(capsys, show_comparison, Comparison(calls=12_000, rows=(_row("mesure"),), spread=None), "en")
    assert not any("differ" in line for line in lines)


@pytest.mark.parametrize("value", [1e-9, 0.2, 1500.0, 3.4e9])
@pytest.mark.parametrize("unit", ["Wh", "gCO2eq"])
@_both
def test_a_change_and_its_opposite_differ_by_their_sign_alone(value: float, unit: str, language: str) -> None:
    more, less = (signed(Voice(language), change, unit) for change in (value, -value))
    assert (more[0], less[0]) == ("+", "−")
    assert more[1:] == less[1:]
    exact = Quantity(value, value, value, unit, Status.MODELLED)
    assert more[1:] == str(catalog(language).quantity(exact))
    assert signed(Voice(language), 0.0, unit) == signed(Voice(language), -0.0, unit) == "0"


def test_json_prints_none_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, show_totals, _totals(), "fr", json=True) == []
    assert _said(capsys, show_change, _change(), "fr", json=True) == []


@_both
def test_every_code_of_a_method_and_cause_is_a_sentence_or_a_name(language: str) -> None:
    t = catalog(language).t
    assert all(t(words).endswith(".") for words in METHOD_CODES.values())
    assert not any(t(words).endswith(".") for words in CAUSE_NAMES.values())
    assert len({t(words) for words in CAUSE_NAMES.values()}) == len(CAUSE_NAMES)
