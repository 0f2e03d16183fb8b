"""The `Now` page, section by section. `fragments` are the parts that pushes replace, by element id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import (
    Element,
    Fragment,
    Node,
    a,
    b,
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
    meter,
    ol,
    p,
    section,
    small,
    span,
    summary,
    table,
    tbody,
    td,
    th,
    thead,
    tr,
    ul,
)

from mesure.apps.reconciled import reconciled_lines
from mesure.apps.web import calls, everyday
from mesure.apps.web.actions import next_actions
from mesure.apps.web.charts import band_line, dial, needle_angle, nice_top, whisker_bar
from mesure.apps.web.figures import badge, figure
from mesure.apps.web.layout import pause_button
from mesure.apps.web.sentence import failed, failures, lede, trend
from mesure.quantity import Quantity, add_independent

if TYPE_CHECKING:
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue
    from mesure.ledger.view import ModelRow, Overview, PowerPoint

__all__ = ["content", "fragments", "needle"]

NEEDLE = "needle"
_MODELS_SHOWN = 6
#: Rows of the table behind the hour's line: one for this many minutes.
_MINUTES_A_ROW = 10


def fragments(overview: Overview, catalogue: Catalogue, reader: Reader) -> dict[str, Node]:
    """Every part that changes while the page is open, except the needle's angle and the rows of calls."""
    t = reader.t
    power = t.quantity(overview.power_w)
    return {
        "lede": lede(overview, reader),
        "next": _second_line(overview, catalogue, reader),
        "watts": fragment[
            power.value, span[power.unit], small[power.interval, " " if power.interval else None, t.t("over a minute")]
        ],
        "ends": _ends(overview, reader),
        "today": figure(overview.today.energy_wh, reader.t),
        "rate": _rate(overview, reader),
        "hour": _hour(overview, reader),
        "minutes": _minutes(overview, reader),
        "models": _models(overview, reader),
        "known": _coverage(overview, reader),
        "origin": _origin(overview, reader),
        "do": _actions(overview, catalogue, reader),
    }


def content(parts: dict[str, Node], overview: Overview, reader: Reader) -> Fragment:
    """The page's main part around its fragments."""
    t = reader.t
    return fragment[
        h1(id="lede")[parts["lede"]],
        p(".next", id="next")[parts["next"]],
        div(".grid")[
            _live(parts, overview, reader),
            _by_model(parts, reader),
            section[h2[t.t("To do next")], ol(".do", id="do")[parts["do"]]],
            calls.section_of(overview, reader),
        ],
    ]


def needle(overview: Overview) -> float:
    """Degrees of the needle, on the dial's present scale."""
    return needle_angle(overview.power_w.mid, _top(overview))


def _top(overview: Overview) -> float:
    """One scale for dial and line: what the last hour reached, and now."""
    highest = max((point.high_w for point in overview.power_series), default=0.0)
    return nice_top(max(highest, overview.power_w.high))


def _watts(value: float, reader: Reader, overview: Overview) -> str:
    return reader.t.quantity(Quantity(value, value, value, "W", overview.power_w.status)).figure


def _second_line(overview: Overview, catalogue: Catalogue, reader: Reader) -> Fragment:
    t = reader.t
    if failed(overview):
        return fragment[failures(overview, reader), " ", a(".fig", href=reader.path("why"))[t.t("Why these figures?")]]
    nodes = (trend(overview, reader) or None, everyday.sentence(overview.month, catalogue, reader))
    return fragment[
        [[node, " "] for node in nodes if node is not None],
        a(".fig", href=reader.path("why"))[t.t("Why these figures?")],
    ]


def _live(parts: dict[str, Node], overview: Overview, reader: Reader) -> Element:
    t = reader.t
    return section(".c7")[
        div(".bar")[h2[t.t("Right now")], pause_button(reader)],
        div(".live")[
            div(".gauge")[
                dial(*overview.power_w[:3], top=_top(overview), needle_id=NEEDLE),
                div(".ends", id="ends", aria_hidden="true")[parts["ends"]],
            ],
            p(".watts", id="watts")[parts["watts"]],
            dl[
                dt[t.t("Since midnight")],
                dd(id="today")[parts["today"]],
                dt[t.t("Calls per minute")],
                dd(id="rate")[parts["rate"]],
            ],
        ],
        div(".plot", id="hour")[parts["hour"]],
        details[
            summary[t.t("The same as a table")],
            table[
                thead[tr[th(scope="col")[t.t("From")], th(".n", scope="col")[t.t("Mean power")]]],
                tbody(id="minutes")[parts["minutes"]],
            ],
        ],
    ]


def _ends(overview: Overview, reader: Reader) -> Fragment:
    return fragment[span["0"], span[_watts(_top(overview), reader, overview)]]


def _rate(overview: Overview, reader: Reader) -> str:
    rate = overview.calls_per_minute
    return reader.t.number(rate, 1 if 0.0 < rate < 10.0 and rate != int(rate) else 0)


def _hour(overview: Overview, reader: Reader) -> Fragment:
    t, series, top = reader.t, overview.power_series, _top(overview)
    lowest = min((point.mid_w for point in series), default=0.0)
    highest = max((point.mid_w for point in series), default=0.0)
    label = t.t(
        "Power over the last hour, between {low} and {high}",
        low=_watts(round(lowest, 1), reader, overview),
        high=_watts(round(highest, 1), reader, overview),
    )
    return fragment[
        band_line([(point.low_w, point.mid_w, point.high_w) for point in series], top=top, label=label),
        div(".y", aria_hidden="true")[
            span[_watts(top, reader, overview)], span[_watts(top / 2, reader, overview)], span["0"]
        ],
        div(".x", aria_hidden="true")[span[t.t("an hour ago")], span[t.t("now")]],
    ]


def _minutes(overview: Overview, reader: Reader) -> list[Element]:
    series = overview.power_series
    groups = [series[i : i + _MINUTES_A_ROW] for i in range(0, len(series), _MINUTES_A_ROW)]
    return [
        tr[td[reader.t.time(reader.local(group[0].at))[:5]], td(".n")[figure(_mean(group, overview), reader.t)]]
        for group in reversed(groups)
    ]


def _mean(points: tuple[PowerPoint, ...], overview: Overview) -> Quantity:
    """Errors are shared from one minute to the next, so bounds average like the middle."""
    count = len(points)
    return Quantity(
        sum(point.low_w for point in points) / count,
        sum(point.mid_w for point in points) / count,
        sum(point.high_w for point in points) / count,
        "W",
        overview.power_w.status,
    )


def _by_model(parts: dict[str, Node], reader: Reader) -> Element:
    t = reader.t
    return section(".c5")[
        h2[t.t("By model, this month")],
        table(".rows", aria_label=t.t("Energy by model, this month"))[tbody(id="models")[parts["models"]]],
        h2(".sub")[t.t("Models recognised")],
        div(id="known")[parts["known"]],
        h2(".sub")[t.t("Where these figures come from")],
        ul(".origin", id="origin")[parts["origin"]],
        p(".note")[
            t.t(
                "In brackets, our 90% interval. Measurements have validated it for the energy of accelerators under "
                "open-weight models only: not for closed models, other machines, manufacture, CO₂e or water."
            )
        ],
    ]


def _models(overview: Overview, reader: Reader) -> list[Element]:
    rows = overview.models
    shown, rest = (rows, ()) if len(rows) <= _MODELS_SHOWN else (rows[: _MODELS_SHOWN - 1], rows[_MODELS_SHOWN - 1 :])
    top = max((row.energy_wh.high for row in rows), default=1.0)
    t = reader.t
    elements = [_model_row(_model_name(row, reader), row.energy_wh, top, reader) for row in shown]
    if rest:
        total = add_independent([row.energy_wh for row in rest])
        name = t.n("{count} other", "{count} others", len(rest))
        elements.append(_model_row([name], total, max(top, total.high), reader))
    return elements


def _model_name(row: ModelRow, reader: Reader) -> list[Node]:
    t = reader.t
    if not row.calls and row.model is None:  # what machines draw while nothing is asked of them
        return [t.t("idle machines"), small[row.provider]] if row.provider else [t.t("idle machines")]
    flag = None if row.known else small[t.t("unknown model, wide default")]
    return [row.model or t.t("unnamed"), flag]


def _model_row(name: list[Node], energy: Quantity, top: float, reader: Reader) -> Element:
    return tr[
        th(scope="row")[name],
        td[whisker_bar(*energy[:3], top=top)],
        td(".n")[figure(energy, reader.t)],
    ]


def _coverage(overview: Overview, reader: Reader) -> Fragment:
    t, coverage = reader.t, overview.month.coverage
    if coverage is None:
        return fragment[t.t("No tokens counted this month.")]
    text = t.t("{share} of tokens belong to a known model", share=_share(coverage, reader))
    return fragment[text, meter(min="0", max="1", value=f"{coverage:.3f}", aria_label=text)]


def _share(share: float, reader: Reader) -> str:
    """99.96 % is not 100 %: what is missing stays visible."""
    return reader.t.percent(share if share in (0.0, 1.0) else min(max(share, 0.01), 0.99))


def _origin(overview: Overview, reader: Reader) -> list[Element]:
    """The energy of calls by how it was obtained; the month's CO₂e is only as sure as its weakest part."""
    t, carbon = reader.t, overview.month.gwp_gco2eq
    counts = [
        li[badge(status, t, t.t("Energy")), " ", t.n("{count} call", "{count} calls", count)]
        for status, count in sorted(overview.statuses.items(), key=lambda item: -item[1])
        if count
    ]
    counts += [li[text] for text in reconciled_lines(overview.reconciled, t)]
    return counts if carbon is None else [*counts, li[badge(carbon.status, t, "CO₂e")]]


def _actions(overview: Overview, catalogue: Catalogue, reader: Reader) -> list[Element]:
    total = everyday.proportion(overview.month, catalogue, reader.settings.organisation.headcount)
    actions = next_actions(overview, reader, little=total is not None and total.little)
    if not actions:
        return [li[small[reader.t.t("Nothing stands out in these figures.")]]]
    return [li[b[action.what], span[action.effect], small[action.why, " ", code[action.how]]] for action in actions]
