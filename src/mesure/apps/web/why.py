"""“Why this figure?”: the calculation of one call, step by step, and how a month's total is put together."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from htpy import (
    Element,
    Fragment,
    Node,
    a,
    code,
    dd,
    details,
    div,
    dl,
    dt,
    fragment,
    h1,
    h2,
    li,
    p,
    section,
    span,
    strong,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
    ul,
)
from starlette.exceptions import HTTPException

from mesure.apps.web.everyday import LED_HOUR, LITRE_BOILED
from mesure.apps.web.figures import badge, figure, headline
from mesure.apps.words import FORMULAS, MEANINGS, STEPS, UNITS, WARNINGS
from mesure.errors import UnknownName
from mesure.i18n.text import NARROW
from mesure.i18n.translator import ESTIMATED
from mesure.impact.explain import explain
from mesure.ledger.pricing import Pricer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.apps.web.feed import Source
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue, Factor
    from mesure.config import Settings
    from mesure.i18n import Translator
    from mesure.impact import Impacts
    from mesure.impact.explain import Explanation
    from mesure.impact.explain import Node as Step
    from mesure.ledger.view import Overview
    from mesure.quantity import Quantity
    from mesure.record import UsageEvent

__all__ = ["Why"]

_FACTORS_SHOWN = 30
_MODELS_SHOWN = 20


class Why:
    """Builds both pages from the same facts and factors as the figures they explain."""

    def __init__(self, settings: Settings, source: Source, catalogue: Catalogue) -> None:
        self._source = source
        self._catalogue = catalogue
        self._pricer = Pricer(settings.deployments)

    async def call(self, event_id: str, reader: Reader) -> Fragment:
        """The page of one call. 404 when the ledger has no such event."""
        event = await asyncio.to_thread(self._source.event, event_id)
        if event is None:
            raise HTTPException(404)
        impacts = self._pricer.impacts(event)
        return _call_page(event, impacts, explain(impacts), reader)

    def total(self, overview: Overview, reader: Reader) -> Fragment:
        """The page of the month's total."""
        return _total_page(overview, self._catalogue, reader)


def _call_page(event: UsageEvent, impacts: Impacts, explanation: Explanation, reader: Reader) -> Fragment:
    t = reader.t
    return fragment[
        h1[_call_sentence(impacts, reader)],
        p(".next")[badge(impacts.energy_wh.status, t), " ", t.t(MEANINGS[impacts.energy_wh.status]), "."],
        div(".grid")[
            section(".c5")[h2[t.t("The facts")], dl(".spaced")[_facts(event, reader)]],
            section(".c7")[
                h2[t.t("The calculation")],
                ul(".tree")[[_step(root, reader) for root in explanation.roots if root.quantity]],
            ],
        ],
        [h2(".sub")[t.t("What this assumes")], ul(".facts")[[li[text] for text in _assumptions(explanation, reader)]]]
        if explanation.warnings
        else None,
    ]


def _call_sentence(impacts: Impacts, reader: Reader) -> Fragment:
    t = reader.t
    energy = headline(impacts.energy_wh, t)
    if impacts.gwp_gco2eq is None:
        return fragment[t.rich("This call: {energy}; its CO₂e is unknown.", energy=energy)]
    carbon = headline(impacts.gwp_gco2eq, t)
    if impacts.energy_wh.status in ESTIMATED:
        return fragment[t.rich("This call is estimated at {energy} and {carbon}.", energy=energy, carbon=carbon)]
    return fragment[
        t.rich("This call used {energy}, for emissions estimated at {carbon}.", energy=energy, carbon=carbon)
    ]


def _facts(event: UsageEvent, reader: Reader) -> list[Node]:
    t = reader.t
    at = reader.local(event.started_at)
    facts: list[tuple[str, str | None]] = [
        (t.t("When"), f"{t.date(at)}, {t.time(at)}"),
        (t.t("Team"), event.team),
        (t.t("Use case"), event.use_case),
        (t.t("Provider"), event.provider),
        (t.t("Model asked for"), event.model_requested),
        (t.t("Model that answered"), event.model_answered),
        (t.t("Place"), event.host_zone or event.host_region),
        (t.t("Tokens read"), _count(event.input_tokens, reader)),
        (t.t("of which already in cache"), _count(event.cached_input_tokens, reader)),
        (t.t("Tokens written"), _count(event.output_tokens, reader)),
        (t.t("of which reasoning"), _count(event.reasoning_tokens, reader)),
        (t.t("Sensor"), event.energy_sensor),
    ]
    return [[dt[name], dd[value]] for name, value in facts if value]


def _count(count: int | None, reader: Reader) -> str | None:
    return None if count is None else reader.t.number(count)


def _assumptions(explanation: Explanation, reader: Reader) -> list[str]:
    return [reader.t.t(WARNINGS[code]) if code in WARNINGS else code for code in explanation.warnings]


def _step(step: Step, reader: Reader) -> Element:
    """One step: its name, value, formula, factors, and the steps it rests on."""
    t = reader.t
    return li[
        t.t(STEPS[step.name]) if step.name in STEPS else step.name,
        " ",
        strong[_step_value(step.quantity, reader)],
        span(".formula")[_formula(step.formula, reader)] if _is_told(step) else None,
        _step_factors(step.factors, reader),
        ul(".tree")[[_step(child, reader) for child in step.children]] if step.children else None,
    ]


def _is_told(step: Step) -> bool:
    """A product is told where its parts are, and not again where it is only used."""
    return bool(step.formula) and (bool(step.children) or step.formula in FORMULAS)


def _formula(formula: str, reader: Reader) -> str:
    """In words; a product of steps is written with their names."""
    t, names = reader.t, formula.split(" x ")
    if formula in FORMULAS:
        return t.t(formula)
    if all(name in STEPS for name in names):
        return " × ".join(t.t(STEPS[name]) for name in names)
    return formula


def _step_value(quantity: Quantity | None, reader: Reader) -> Node:
    """Ratios have no unit, and the energy of one token is readable by the million only."""
    if quantity is None or quantity.unit == "ratio":
        return figure(quantity._replace(unit="1") if quantity else None, reader.t)
    if quantity.unit == "Wh per unit":
        quantity = quantity.scaled(1e6)
    return figure(quantity._replace(unit=reader.t.t(UNITS.get(quantity.unit, quantity.unit))), reader.t)


def _step_factors(factors: Sequence[Factor], reader: Reader) -> Node:
    if not factors:
        return None
    title = reader.t.n("{count} factor", "{count} factors", len(factors))
    return details[summary[title], ul(".facts")[[_factor(factor, reader) for factor in factors]]]


def _factor(factor: Factor, reader: Reader) -> Element:
    t = reader.t
    linked = factor.source_url.startswith(("https://", "http://"))
    source: Node = a(href=factor.source_url, rel="noreferrer")[factor.source] if linked else factor.source
    return li[
        code[factor.id],
        " · ",
        _value(factor, reader),
        " · ",
        source,
        f" · {factor.year} · {t.t('licence:')} {factor.licence}",
    ]


def _value(factor: Factor, reader: Reader) -> str:
    t = reader.t
    value = _plain(factor.value, t)
    interval = f" [{_plain(factor.low, t)}–{_plain(factor.high, t)}]" if factor.low != factor.high else ""
    return f"{value}{NARROW}{factor.unit}{interval}"


def _plain(value: float, t: Translator) -> str:
    """Up to four significant digits, as the source gave them."""
    decimals = 0 if value == 0.0 else max(0, 3 - math.floor(math.log10(abs(value))))
    text = t.number(value, min(decimals, 12))
    mark = t.number(0.5, 1)[1]
    return text.rstrip("0").rstrip(mark) if mark in text else text


def _total_page(overview: Overview, catalogue: Catalogue, reader: Reader) -> Fragment:
    t, month = reader.t, overview.month
    return fragment[
        h1[t.t("How these figures are put together")],
        p(".next")[
            t.t(
                "From {since} to now: {calls} calls. Each is a fact (who, which model, how many tokens); its energy "
                "and CO₂e are calculated from it, and can be calculated again when methods improve.",
                since=t.day(reader.local(month.since)),
                calls=t.number(month.calls),
            )
        ],
        div(".grid")[
            section(".c7")[h2[t.t("What adds up, by model")], _models_table(overview, reader)],
            section(".c5")[h2[t.t("How each was obtained")], dl(".spaced")[_meanings(overview, reader)]],
            section[
                h2[t.t("How to read an interval")],
                p[
                    t.t(
                        "Nine times out of ten the real figure lies between the two numbers in brackets. The error "
                        "that all calls of one model share does not shrink with their number, so their bounds add; "
                        "errors of different models are unrelated, and partly make up for each other."
                    )
                ],
                p[
                    t.t(
                        "Intervals were compared with measurements for open models only: for closed models, and for "
                        "manufacture and CO₂e, they are not validated by measurement."
                    )
                ],
            ],
            section[h2[t.t("Factors, with source, year and licence")], _total_factors(overview, catalogue, reader)],
        ],
    ]


def _models_table(overview: Overview, reader: Reader) -> Element:
    t = reader.t
    heads = (t.t("Calls"), t.t("Energy"), "CO₂e")
    return div(".wrap", tabindex="0", role="region", aria_label=t.t("What adds up, by model"))[
        table[
            thead[tr[th(scope="col")[t.t("Model")], [th(".n", scope="col")[text] for text in heads]]],
            tbody[
                [
                    tr[
                        th(scope="row")[row.model or t.t("unnamed")],
                        td(".n")[t.number(row.calls)],
                        td(".n")[figure(row.energy_wh, t)],
                        td(".n")[figure(row.gwp_gco2eq, t, under_head=True)],
                    ]
                    for row in overview.models[:_MODELS_SHOWN]
                ],
                tr[
                    th(scope="row")[t.t("All")],
                    td(".n")[t.number(overview.month.calls)],
                    td(".n")[strong[figure(overview.month.energy_wh, t)]],
                    td(".n")[strong[figure(overview.month.gwp_gco2eq, t, under_head=True)]],
                ],
            ],
        ]
    ]


def _meanings(overview: Overview, reader: Reader) -> list[Node]:
    t = reader.t
    return [
        [
            dt[badge(status, t), [" ", t.n("{count} call", "{count} calls", count)] if count else None],
            dd[t.t(meaning)],
        ]
        for status, meaning in MEANINGS.items()
        for count in (overview.statuses.get(status, 0),)
    ]


def _total_factors(overview: Overview, catalogue: Catalogue, reader: Reader) -> Fragment:
    """The factors of the month's figures, then those of its everyday scale."""
    month = overview.month
    sources = dict.fromkeys(
        [
            *(source for quantity in (month.energy_wh, month.gwp_gco2eq) if quantity for source in quantity.sources),
            LED_HOUR,
            LITRE_BOILED,
        ]
    )
    factors = [factor for source in sources if (factor := _known(source, catalogue))]
    rest = len(factors) - _FACTORS_SHOWN
    return fragment[
        ul(".facts")[[_factor(factor, reader) for factor in factors[:_FACTORS_SHOWN]]],
        p[a(href="/api/overview")[reader.t.n("{count} more, in JSON", "{count} more, in JSON", rest)]]
        if rest > 0
        else None,
    ]


def _known(source: str, catalogue: Catalogue) -> Factor | None:
    """None for what is no factor: a sensor."""
    try:
        return catalogue.factor(source)
    except UnknownName:
        return None
