"""“Why this figure?”: the calculation of one call, step by step, and how a month's total is put together."""

from __future__ import annotations

import asyncio
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
from mesure.apps.web.factors import factor_line, factor_lines
from mesure.apps.web.figures import badge, badges, figure, headline, largest
from mesure.apps.web.machines import sensor_words
from mesure.apps.web.sensed import sensed, sensor_factors
from mesure.apps.words import FORMULAS, MEANINGS, OUTCOMES, SENSED, SENSORS, STEPS, UNITS, WARNINGS
from mesure.i18n import mark
from mesure.i18n.text import NARROW, NO_BREAK
from mesure.i18n.translator import ESTIMATED
from mesure.impact.explain import explain
from mesure.impact.provenance import factors_named
from mesure.ledger.pricing import Pricer
from mesure.quantity import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.apps.web.feed import Source
    from mesure.apps.web.reader import Reader
    from mesure.apps.web.sensed import Sensed
    from mesure.catalogue import Catalogue, Factor
    from mesure.config import Settings
    from mesure.impact import Impacts
    from mesure.impact.explain import Explanation
    from mesure.impact.explain import Node as Step
    from mesure.ledger.view import Overview
    from mesure.meter.sensors import SensorFactor
    from mesure.quantity import Quantity
    from mesure.record import UsageEvent

    AnyFactor = Factor | SensorFactor

__all__ = ["Why"]

_FACTORS_SHOWN = 30
_MODELS_SHOWN = 20
#: Formula of energy that came with the call.
READ = "read where the call ran"


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

    async def total(self, overview: Overview, reader: Reader) -> Fragment:
        """The page of the month's total."""
        sensors = await sensor_factors(self._source, overview)
        return _total_page(overview, *_total_factors(overview, self._catalogue, sensors), reader)


def _call_page(event: UsageEvent, impacts: Impacts, explanation: Explanation, reader: Reader) -> Fragment:
    t, used = reader.t, sensed(event)
    if _nothing_ran(event, impacts):
        heading = h1[t.t("This call failed: nothing to measure.")]
        return fragment[heading, h2[t.t("The facts")], dl(".spaced")[_facts(event, used, reader)]]
    return fragment[
        h1[_call_sentence(impacts, reader)],
        ul(".from")[_obtained(event, impacts, used, reader)],
        div(".grid")[
            section(".c5")[h2[t.t("The facts")], dl(".spaced")[_facts(event, used, reader)]],
            section(".c7")[
                h2[t.t("The calculation")],
                ul(".tree")[_steps(explanation, used, reader)],
            ],
        ],
        [h2(".sub")[t.t("What this assumes")], ul(".facts")[[li[text] for text in _assumptions(explanation, reader)]]]
        if explanation.warnings
        else None,
    ]


def _obtained(event: UsageEvent, impacts: Impacts, used: Sensed | None, reader: Reader) -> list[Element]:
    """How each of the two figures was obtained: they may differ."""
    t, carbon = reader.t, impacts.gwp_gco2eq
    rows = [li[badge(impacts.energy_wh.status, t, t.t("Energy")), " ", t.t(_energy_from(impacts, used)), "."]]
    if carbon is not None:
        made = t.t(_carbon_from(impacts), place=event.host_zone or event.host_region or "")
        rows.append(li[badge(carbon.status, t, "CO₂e"), " ", made, "."])
    return rows


def _energy_from(impacts: Impacts, used: Sensed | None) -> str:
    if used is not None:
        if not used.modelled:
            return MEANINGS[Status.MEASURED]
        if used.sensor == "cpu-time":
            return mark("calculated from the processor time of this call and the power of a busy thread")
        return SENSED[""]
    if not impacts.known:
        return mark("calculated with a wide default, because the model is unknown")
    if impacts.energy_wh.status is Status.DEFAULT:
        return mark("calculated with usual values, because part of what it rests on is unknown")
    return mark("calculated from the tokens of this call and from its model, with sourced factors")


def _carbon_from(impacts: Impacts) -> str:
    if "zone_unknown" in impacts.warnings:
        return mark("from this energy and the world's average electricity, because the place is unknown")
    if "zone_assumed" in impacts.warnings:
        return mark(
            "from this energy and the electricity of the provider's usual places, because its own is not stated"
        )
    return mark("from this energy and the electricity of the place stated ({place})")


def _nothing_ran(event: UsageEvent, impacts: Impacts) -> bool:
    return event.status == "error" and impacts.energy_wh.mid <= 0.0


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


def _facts(event: UsageEvent, used: Sensed | None, reader: Reader) -> list[Node]:
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
        (t.t("Outcome"), _outcome(event, reader)),
        (t.t("Sensor"), sensor_words(used.sensor, reader) if used and used.sensor else None),
        (t.t("Processor time"), _seconds(used.busy_s, reader) if used and used.busy_s else None),
    ]
    return [[dt[name], dd[value]] for name, value in facts if value]


def _outcome(event: UsageEvent, reader: Reader) -> str | None:
    """Nothing of a call that went well; else how it ended, with the reason that the provider or the gateway gave."""
    if event.status not in OUTCOMES:
        return None
    reasons = (event.error_type, f"HTTP{NO_BREAK}{event.http_status}" if event.http_status else None)
    told = ", ".join(reason for reason in reasons if reason)
    return f"{reader.t.t(OUTCOMES[event.status])} ({told})" if told else reader.t.t(OUTCOMES[event.status])


def _seconds(seconds: float, reader: Reader) -> str:
    return f"{reader.t.plain(seconds, 2)}{NARROW}s"


def _count(count: int | None, reader: Reader) -> str | None:
    return None if count is None else reader.t.number(count)


def _assumptions(explanation: Explanation, reader: Reader) -> list[str]:
    return [reader.t.t(WARNINGS[code]) if code in WARNINGS else code for code in explanation.warnings]


def _steps(explanation: Explanation, used: Sensed | None, reader: Reader) -> list[Element]:
    told: set[str] = set()  # names of steps and ids of factors
    return [_step(root, used, told, reader) for root in explanation.roots if _is_known(root)]


def _step(step: Step, used: Sensed | None, told: set[str], reader: Reader) -> Element:
    """One step: its name, value, formula, factors, and the steps it rests on. What is `told` above is not again."""
    t = reader.t
    told.add(step.name)
    children = [child for child in step.children if child.children or child.factors or child.name not in told]
    factors: list[AnyFactor] = [*step.factors]
    formula = _formula(step.formula, reader) if _is_told(step) else None
    if step.formula == READ and used is not None:
        formula = t.t(SENSED.get(used.sensor, SENSED[""])) if used.modelled else formula
        factors += [used.factor] if used.factor else []
    return li[
        t.t(STEPS[step.name]) if step.name in STEPS else step.name,
        " ",
        strong[_step_value(step.quantity, reader)],
        span(".formula")[formula] if formula else None,
        _step_factors(factors, told, reader),
        ul(".tree")[[_step(child, used, told, reader) for child in children]] if children else None,
    ]


def _is_known(root: Step) -> bool:
    """The whole, or a phase of it: use may be known where manufacture is not."""
    return root.quantity is not None or any(child.quantity is not None for child in root.children)


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


def _step_factors(factors: Sequence[AnyFactor], told: set[str], reader: Reader) -> Node:
    """Those that no step above has shown, and how many have been."""
    if not factors:
        return None
    t, new = reader.t, [factor for factor in factors if factor.id not in told]
    told.update(factor.id for factor in new)
    title, above = t.n("{count} factor", "{count} factors", len(factors)), len(factors) - len(new)
    return details[
        summary[title],
        ul(".facts")[
            factor_lines(new, reader),
            li[t.n("{count} shown above", "{count} shown above", above)] if above else None,
        ],
    ]


def _total_page(overview: Overview, factors: Sequence[AnyFactor], missing: Sequence[str], reader: Reader) -> Fragment:
    t, month = reader.t, overview.month
    if not month.calls:
        text = t.t("No call has come through this month: nothing to explain yet.")
        return fragment[h1[text], p[a(href=reader.path())[t.t("How to begin")]]]
    return fragment[
        h1[t.t("How these figures are put together")],
        p(".next")[
            t.n(
                "From {since} to now: {count} call. It is a fact (who, which model, how many tokens); its energy "
                "and CO₂e are calculated from it, and can be calculated again when methods improve.",
                "From {since} to now: {count} calls. Each is a fact (who, which model, how many tokens); its energy "
                "and CO₂e are calculated from it, and can be calculated again when methods improve.",
                month.calls,
                since=t.day(reader.local(month.since)),
            )
        ],
        div(".grid")[
            section[h2[t.t("What adds up, by model")], _models_table(overview, reader)],
            section(".c5")[h2[t.t("How their energy was obtained")], dl(".spaced")[_meanings(overview, reader)]],
            section(".c7")[
                h2[t.t("How to read an interval")],
                p[
                    t.t(
                        "The two numbers in brackets are the bounds of our 90% interval. The error "
                        "that all calls of one model share does not shrink with their number, so their bounds add; "
                        "errors of different models are unrelated, and partly make up for each other."
                    )
                ],
                p[
                    t.t(
                        "Measurements have validated these intervals for the energy of accelerators under open-weight "
                        "models only. For closed models, processors, manufacture, CO₂e and water, they have not."
                    )
                ],
            ],
            section[h2[t.t("Factors, with source, year and licence")], _factor_list(factors, missing, reader)],
        ],
    ]


def _models_table(overview: Overview, reader: Reader) -> Element:
    t = reader.t
    heads = (t.t("Calls"), t.t("Energy"), "CO₂e", t.t("Origin"))
    month = overview.month
    energy = largest((month.energy_wh, *(row.energy_wh for row in overview.models)))
    carbon = largest((month.gwp_gco2eq, *(row.gwp_gco2eq for row in overview.models)))
    return div(".wrap", tabindex="0", role="region", aria_label=t.t("What adds up, by model"))[
        table(".sums")[
            thead[
                tr[
                    th(scope="col")[t.t("Model")],
                    [th(class_="n" if i < 3 else None, scope="col")[text] for i, text in enumerate(heads)],
                ]
            ],
            tbody[
                [
                    tr[
                        th(scope="row")[row.model or t.t("unnamed")],
                        td(".n", data_unit=t.n("call", "calls", row.calls))[t.number(row.calls)],
                        td(".n")[figure(row.energy_wh, t, beside=energy)],
                        td(".n")[figure(row.gwp_gco2eq, t, under_head=True, beside=carbon)],
                        td[badges(row.energy_wh, row.gwp_gco2eq, t)],
                    ]
                    for row in overview.models[:_MODELS_SHOWN]
                ],
                tr[
                    th(scope="row")[t.t("All")],
                    td(".n", data_unit=t.n("call", "calls", month.calls))[t.number(month.calls)],
                    td(".n")[strong[figure(month.energy_wh, t, beside=energy)]],
                    td(".n")[strong[figure(month.gwp_gco2eq, t, under_head=True, beside=carbon)]],
                    td[badges(month.energy_wh, month.gwp_gco2eq, t) if month.energy_wh else None],
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


def _total_factors(
    overview: Overview, catalogue: Catalogue, sensors: Sequence[SensorFactor]
) -> tuple[tuple[AnyFactor, ...], tuple[str, ...]]:
    """Those of the sensors, those of the month's figures, then those of its everyday scale; and ids that name none."""
    quantities = (overview.month.energy_wh, overview.month.gwp_gco2eq)
    ids = [source for quantity in quantities if quantity for source in quantity.sources if source not in SENSORS]
    found, missing = factors_named((*ids, LED_HOUR, LITRE_BOILED), catalogue)
    return (*sensors, *found), missing


def _factor_list(factors: Sequence[AnyFactor], missing: Sequence[str], reader: Reader) -> Fragment:
    rest = len(factors) - _FACTORS_SHOWN
    lost = reader.t.t("no table holds this factor: where this part of the figure comes from is lost")
    return fragment[
        ul(".facts")[
            [li[code[source], f" · {lost}"] for source in missing],
            [factor_line(factor, reader) for factor in factors[:_FACTORS_SHOWN]],
        ],
        p[a(href="/api/overview")[reader.t.n("{count} more, in JSON", "{count} more, in JSON", rest)]]
        if rest > 0
        else None,
    ]
