"""The last calls: one row each, its energy a link to the calculation behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, Node, a, h2, section, small, table, tbody, td, th, thead, tr

from mesure.apps.web.figures import UNKNOWN, badge, figure
from mesure.apps.words import ENVIRONMENTS, OUTCOMES

if TYPE_CHECKING:
    from mesure.apps.web.reader import Reader
    from mesure.ledger.view import CallRow, Overview

__all__ = ["ROWS", "row", "section_of"]

#: Rows on the page; the script keeps as many.
ROWS = 10


def section_of(overview: Overview, reader: Reader) -> Element:
    t = reader.t
    heads = (t.t("Time"), t.t("Use case"), t.t("Model"), t.t("Tokens read → written"), t.t("Energy"), "CO₂e")
    return section[
        h2[t.t("Last calls")],
        table(".calls", aria_label=t.t("Last calls, newest first; each energy opens its calculation"))[
            thead[
                tr[
                    [th(class_="n" if i > 2 else None, scope="col")[text] for i, text in enumerate(heads)],
                    th(scope="col")[t.t("Origin")],
                ]
            ],
            tbody(id="calls")[[row(call, reader) for call in overview.last_calls[:ROWS]]],
        ],
    ]


def row(call: CallRow, reader: Reader) -> Element:
    t = reader.t
    return tr[
        td[t.time(reader.local(call.started_at))],
        td[call.use_case or UNKNOWN, _flag(call.team)],
        td[call.model or UNKNOWN, _flag(", ".join(_flags(call, reader)))],
        td(".n", data_unit=t.t("tokens"))[_tokens(call, reader)],
        td(".n")[a(href=reader.path(f"calls/{call.id}"), title=t.t("Why this figure?"))[figure(call.energy_wh, t)]],
        td(".n")[figure(call.gwp_gco2eq, t, under_head=True)],
        td[badge(call.energy_wh.status, t)],
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
