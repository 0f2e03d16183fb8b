"""Recomputed totals, changes by cause and methods side by side, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.apps.cli.method_words import CAUSE_NAMES, METHOD_CODES
from mesure.apps.words import WARNINGS
from mesure.i18n import mark
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.apps.cli.voice import Voice
    from mesure.impact.methods import Comparison
    from mesure.ledger import Change, Recomputed

__all__ = ["show_change", "show_comparison", "show_totals"]

_FIGURES = (("energy_wh", mark("Energy")), ("gwp_gco2eq", mark("CO₂e")))


def show_totals(voice: Voice, found: Recomputed) -> None:
    """Totals on one basis, and what they leave out."""
    number = voice.translator.number
    voice.say(
        voice.t(
            "{method} {version}, catalogue {catalogue}",
            method=found.method,
            version=found.method_version,
            catalogue=found.catalogue_version,
        )
    )
    for (name, msgid), calls in zip(_FIGURES, (found.covered_calls, found.gwp_calls), strict=True):
        quantity: Quantity | None = getattr(found, name)
        figure = str(voice.translator.quantity(quantity)) if quantity else voice.t("unknown")
        voice.say(f"  {voice.t(msgid):<8} {figure}")
        if calls < found.calls:
            text = voice.t(
                "{count} of {all} calls have no figure", count=number(found.calls - calls), all=number(found.calls)
            )
            voice.say(f"    {text}")
    _codes(voice, found.codes)


def show_change(voice: Voice, change: Change) -> None:
    """Both totals, then each cause with its sign, in the order of substitution."""
    voice.say(voice.t("From:"))
    show_totals(voice, change.before)
    voice.say(voice.t("To:"))
    show_totals(voice, change.after)
    voice.say(voice.t("Change, by cause (each replaced in this order)"))
    rows = [(voice.t(CAUSE_NAMES[c.code]), c.energy_wh, c.gwp_gco2eq) for c in change.causes]
    rows.append((voice.t("Total change"), change.energy_wh, change.gwp_gco2eq))
    texts = [(name, signed(voice, energy, "Wh"), signed(voice, gwp, "gCO2eq")) for name, energy, gwp in rows]
    _table(voice, texts)


def show_comparison(voice: Voice, found: Comparison) -> None:
    """One line a method, then the reasons."""
    number = voice.translator.number
    unknown = voice.t("unknown")
    rows: list[tuple[str, ...]] = [
        (voice.t("Method"), voice.t("Energy"), voice.t("CO₂e"), voice.t("to mesure"), voice.t("calls"))
    ]
    for row in found.rows:
        figures = (str(voice.translator.quantity(q)) if q else unknown for q in (row.energy_wh, row.gwp_gco2eq))
        ratio = f"x{number(row.ratio, 2)}" if row.ratio is not None else unknown
        rows.append((row.method, *figures, ratio, number(row.covered_calls)))
    _table(voice, rows)
    if found.spread is not None:
        voice.say(voice.t("Methods differ by a factor of {factor}.", factor=number(found.spread, 1)))
    for row in found.rows:
        voice.say(f"{row.method}:")
        _codes(voice, row.codes)


def signed(voice: Voice, value: float, unit: str) -> str:
    """A change with its sign and a readable unit; nothing changed is 0."""
    if value == 0.0:
        return "0"
    size = voice.translator.quantity(Quantity(abs(value), abs(value), abs(value), unit, Status.MODELLED))
    return ("+" if value > 0.0 else "−") + str(size)


def _table(voice: Voice, rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for name, *figures in rows:
        cells = (f"{figure:>{width}}" for figure, width in zip(figures, widths[1:], strict=True))
        voice.say(f"  {name:<{widths[0]}}  {'  '.join(cells)}".rstrip())


def _codes(voice: Voice, codes: Sequence[str]) -> None:
    for code in codes:
        text = METHOD_CODES.get(code) or WARNINGS.get(code)
        voice.say(f"  - {voice.t(text) if text else code}")
