"""The page: first lines, choices, chart, table. Every choice is a link whose address is the whole state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import htpy
from htpy import (
    Element,
    Fragment,
    Node,
    a,
    button,
    dd,
    details,
    div,
    dl,
    dt,
    form,
    fragment,
    h1,
    h2,
    label,
    li,
    nav,
    ol,
    p,
    section,
    span,
    summary,
)

from mesure.apps.web.charts import Bar, bars_top, is_cut, legend, patterns, plot, stacked_bars, time_axis
from mesure.apps.web.explore.figure import spoken, tick_labels
from mesure.apps.web.explore.links import PATH, address, choices
from mesure.apps.web.explore.query import LEVELS
from mesure.apps.web.explore.sentences import lede, second_line, when
from mesure.apps.web.explore.span import offered
from mesure.apps.web.explore.tables import table_of
from mesure.apps.web.explore.times import axis_labels
from mesure.apps.web.explore.words import DIMENSIONS, PERIODS, named
from mesure.apps.web.explore.words import MEASURES as MEASURE_NAMES
from mesure.apps.web.explore.words import RANGES as RANGE_NAMES
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from mesure.apps.web.explore.query import Query
    from mesure.apps.web.explore.seen import Seen
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue
    from mesure.ledger import CallPage, Total

__all__ = ["content", "title_of"]

entry = htpy.input
#: Measures whose amounts have no interval.
_EXACT = ("money", "calls", "tokens")


def title_of(seen: Seen, reader: Reader) -> str:
    return f"{reader.t.t('Explore')} · {when(seen, reader)}"


def content(seen: Seen, calls: CallPage | None, catalogue: Catalogue, reader: Reader) -> Fragment:
    """`calls` when the state lists them."""
    return fragment[
        h1[lede(seen, reader)],
        p(".next")[second_line(seen, catalogue, reader)],
        _crumbs(seen.query, reader),
        _choices(seen, reader),
        _chart(seen, reader) if seen.total.calls else None,
        _table(seen, calls, reader) if seen.total.calls else None,
    ]


# Where one is


def _crumbs(query: Query, reader: Reader) -> Node:
    """The way down, each step a link up; what crosses it stands beside with a link that drops it."""
    if not query.where:
        return None
    t = reader.t
    levels = [name for name, _ in query.where if name in LEVELS]
    steps: list[Node] = [
        a(href=address(query.without(levels), reader))[t.t("Everything")] if levels else t.t("Everything")
    ]
    for depth, (name, value) in enumerate((n, v) for n, v in query.where if n in LEVELS):
        text = named(name, value, t)
        below = levels[depth + 1 :]
        up = address(query.without(below).but(by=None), reader)
        step = a(href=up)[text] if below else span(aria_current="true")[text]
        steps.append([span(".of")[t.t(DIMENSIONS[name].name)], " ", step])
    crossing = [(name, value) for name, value in query.where if name not in LEVELS]
    return nav(".crumbs", aria_label=t.t("Where you are"))[
        ol[[li[step] for step in steps]],
        [_dropped(name, value, query, reader) for name, value in crossing],
    ]


def _dropped(name: str, value: str | None, query: Query, reader: Reader) -> Element:
    t = reader.t
    text = t.t("{dimension}: {name}", dimension=t.t(DIMENSIONS[name].name), name=named(name, value, t))
    return a(".drop", href=address(query.without([name]), reader), title=t.t("No longer only this"))[
        text, span(aria_hidden="true")[" ×"]
    ]


# What can be chosen


def _choices(seen: Seen, reader: Reader) -> Element:
    t, query = reader.t, seen.query
    ranges = [
        (name, t.t(words), query.but(range=name, first=None, last=None, per=None))
        for name, words in RANGE_NAMES.items()
    ]
    measures = [(name, t.t(words), query.but(measure=name)) for name, words in MEASURE_NAMES.items()]
    splits = [
        (name, t.t(words.name), query.but(by=name, show=None))
        for name, words in DIMENSIONS.items()
        if name not in dict(query.where)
    ]
    return dl(".choices")[
        div[dt[t.t("Period")], dd[choices(ranges, query.range, reader), _dates(seen, reader)]],
        div[dt[t.t("Measure")], dd[choices(measures, query.measure, reader)]],
        div[dt[t.t("Split by")], dd[choices(splits, query.split, reader)]],
    ]


def _dates(seen: Seen, reader: Reader) -> Element:
    """Dates of one's own, without scripts: a form whose address is brought into its canonical way."""
    t, query = reader.t, seen.query
    first = query.first or reader.local(seen.span.since).date()
    last = query.last or min(reader.local(seen.now).date(), reader.local(seen.span.edges[-1]).date())
    kept = query.but(range="month", first=None, last=None, per=None).pairs()
    return details(".dates")[
        summary(aria_current="true" if query.range == "dates" else None)[t.t("Dates…")],
        form(method="get", action=reader.path(PATH))[
            label[t.t("Days from"), " ", entry(type="date", name="from", value=first.isoformat(), required=True)],
            label[t.t("to"), " ", entry(type="date", name="to", value=max(first, last).isoformat(), required=True)],
            [entry(type="hidden", name=name, value=value) for name, value in kept],
            button(type="submit")[t.t("Show")],
        ],
    ]


# The chart


def _chart(seen: Seen, reader: Reader) -> Element:
    t, query, span_ = reader.t, seen.query, seen.span
    totals, series = seen.over_time()
    bars = [Bar(tuple(_mid(parts[i]) for parts in series), _interval(total)) for i, total in enumerate(totals)]
    names = _series_names(seen, reader)
    top = bars_top(bars)
    heading = _heading(seen, reader)
    parts = [(per, t.t(PERIODS[per]), query.but(per=per)) for per in offered(query, seen.now, reader.zone)]
    return section(".chart")[
        div(".bar")[
            h2[heading],
            span(".per")[choices(parts, span_.per, reader)] if len(parts) > 1 else None,
        ],
        patterns() if len(names) > 1 else None,
        plot(
            stacked_bars(bars, names=names, top=top, label=heading, description=_description(seen, bars, reader)),
            tick_labels((0.0, top / 2, top), seen.unit, t),
            time_axis(axis_labels(span_, reader)),
        ),
        legend(names) if len(names) > 1 else None,
        p(".note")[t.t("A whisker without an end goes on beyond the edge.")] if is_cut(bars, top) else None,
    ]


def _mid(total: Total) -> float | None:
    """Nothing came in: 0. Something did, and its amount is unknown: None."""
    if total.amount is not None:
        return total.amount.mid
    return None if total.calls else 0.0


def _interval(total: Total) -> tuple[float, float, float] | None:
    if total.amount is not None:
        return total.amount[:3]
    return None if total.calls else (0.0, 0.0, 0.0)


def _series_names(seen: Seen, reader: Reader) -> list[str]:
    t, split = reader.t, seen.query.split
    if split is None:
        return [t.t(MEASURE_NAMES[seen.query.measure])]
    names = [named(split, name, t) for name in seen.series]
    return [*names, t.n("{count} other", "{count} others", seen.left_over)] if seen.left_over else names


def _heading(seen: Seen, reader: Reader) -> str:
    t, query = reader.t, seen.query
    measure = t.t(MEASURE_NAMES[query.measure])
    return t.t(DIMENSIONS[query.split].by, measure=measure) if query.split else measure


def _description(seen: Seen, bars: list[Bar], reader: Reader) -> str:
    """For who cannot see the drawing."""
    t = reader.t
    known = [(bar.total, i) for i, bar in enumerate(bars) if bar.total is not None]
    parts = [t.n("{count} bar.", "{count} bars.", len(bars))]
    if known and max(known)[0][1] > 0.0:
        (low, mid, high), highest = max(known, key=lambda found: found[0][1])
        amount = spoken(Quantity(low, mid, high, seen.unit, Status.MODELLED), t)
        label_ = axis_labels(seen.span, reader)[highest]
        parts.append(t.t("The highest, {amount}, is that of {period}.", amount=amount, period=label_))
    if unknown := len(bars) - len(known):
        parts.append(t.n("{count} is unknown.", "{count} are unknown.", unknown))
    return " ".join([*parts, t.t("The table below holds the same numbers.")])


# The table


def _table(seen: Seen, calls: CallPage | None, reader: Reader) -> Element:
    t, query = reader.t, seen.query
    views = [("time", t.t("Over time"), query.but(show="time")), ("calls", t.t("Calls"), query.but(show="calls"))]
    if query.split is not None:
        views.insert(0, ("groups", t.t(DIMENSIONS[query.split].name), query.but(show="groups")))
    return section(".found")[
        div(".bar")[h2(".tabs")[choices(views, query.view, reader)], _exports(query)],
        table_of(seen, calls, reader),
        _brackets(reader) if calls is not None or query.measure not in _EXACT else None,
    ]


def _brackets(reader: Reader) -> Element:
    return p(".note")[
        reader.t.t(
            "In brackets, our 90% interval. Measurements have validated it for the energy of accelerators under "
            "open-weight models only: not for closed models, other machines, manufacture, CO₂e or water."
        )
    ]


def _exports(query: Query) -> Element:
    """What is seen, for other programs."""
    text = query.but(page=1).text()
    tail = f"?{text}" if text else ""
    return span(".exports")[
        a(href=f"/api/explore.csv{tail}", download=True)["CSV"], " ", a(href=f"/api/explore{tail}")["JSON"]
    ]
