"""The last calls: one row each, its energy a link to the calculation behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from htpy import Element, Node, a, h2, section, small, table, tbody, td, th, thead, tr

from mesure.apps.web.figures import UNKNOWN, badges, figure, largest
from mesure.apps.words import ENVIRONMENTS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.apps.web.reader import Reader
    from mesure.ledger.view import CallRow, Overview
    from mesure.quantity import Quantity

__all__ = ["ROWS", "Units", "row", "section_of", "table_of", "unit_names", "units_of"]

#: Rows on the page; the script keeps as many.
ROWS = 10


def section_of(overview: Overview, reader: Reader) -> Element:
    t = reader.t
    label = t.t("Last calls, newest first; each energy opens its calculation")
    return section[h2[t.t("Last calls")], table_of(overview.last_calls[:ROWS], reader, label=label, body="calls")]


def table_of(
    shown: Sequence[CallRow],
    reader: Reader,
    *,
    label: str,
    body: str | None = None,
    dated: bool = False,
) -> Element:
    """One row a call; `body` is the id of its rows; `dated` where they may be of several days."""
    t, units = reader.t, _units(shown)
    heads = (t.t("Time"), t.t("Use case"), t.t("Model"), t.t("Tokens read → written"), t.t("Energy"), "CO₂e")
    return table(class_="calls dated" if dated else "calls", aria_label=label)[
        thead[
            tr[
                [th(class_="n" if i > 2 else None, scope="col")[text] for i, text in enumerate(heads)],
                th(scope="col")[t.t("Origin")],
            ]
        ],
        tbody(id=body)[[row(call, reader, units, dated=dated) for call in shown]],
    ]


class Units(NamedTuple):
    """The largest figure of each column: all figures of the column take its unit, to compare at a glance."""

    energy: Quantity | None
    carbon: Quantity | None


def units_of(overview: Overview) -> Units:
    return _units(overview.last_calls[:ROWS])


def _units(shown: Sequence[CallRow]) -> Units:
    return Units(largest(call.energy_wh for call in shown), largest(call.gwp_gco2eq for call in shown))


def unit_names(units: Units, reader: Reader) -> tuple[str, ...]:
    """What rows already on a page must share with a new one."""
    return tuple(reader.t.quantity(found).unit for found in units if found is not None)


def row(call: CallRow, reader: Reader, units: Units, *, dated: bool = False) -> Element:
    t, at = reader.t, reader.local(call.started_at)
    return tr[
        td[f"{t.short_day(at)} " if dated else None, t.time(at)],
        td[call.use_case or UNKNOWN, _flag(call.team)],
        td[call.model or UNKNOWN, _flag(", ".join(_flags(call, reader)))],
        td(".n", data_unit=t.t("tokens"))[_tokens(call, reader)],
        td(".n")[
            a(href=reader.path(f"calls/{call.id}"), title=t.t("Why this figure?"))[
                figure(call.energy_wh, t, beside=units.energy)
            ]
        ],
        td(".n")[figure(call.gwp_gco2eq, t, under_head=True, beside=units.carbon)],
        td[badges(call.energy_wh, call.gwp_gco2eq, t)],
    ]


def _flag(text: str | None) -> Node:
    return small(".f")[text] if text else None


def _flags(call: CallRow, reader: Reader) -> list[str]:
    """What a reader must know before comparing this call with others."""
    t = reader.t
    flags = [] if call.known else [t.t("unknown model")]
    flags += [
        t.t(words[code]) for words, code in ((OUTCOMES, call.status), (ENVIRONMENTS, call.environment)) if code in words
    ]
    return [*flags, call.route] if call.route else flags


def _tokens(call: CallRow, reader: Reader) -> str:
    read, written = (
        UNKNOWN if count is None else reader.t.number(count) for count in (call.input_tokens, call.output_tokens)
    )
    return f"{read} → {written}"
