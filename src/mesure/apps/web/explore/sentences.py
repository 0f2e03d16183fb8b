"""The first lines: how much, more or less than before, who uses it, whether it is a lot, and how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Fragment, Node, a, b, fragment

from mesure.apps.web import everyday
from mesure.apps.web.explore.figure import told
from mesure.apps.web.explore.words import SENTENCES, named
from mesure.apps.web.figures import badge
from mesure.apps.web.sentence import CALLS, change
from mesure.i18n import mark
from mesure.i18n.translator import ESTIMATED
from mesure.ledger import Window

if TYPE_CHECKING:
    from mesure.apps.web.explore.seen import Seen
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue
    from mesure.quantity import Quantity

__all__ = ["lede", "second_line", "when"]

_TIMES_FROM, _SAME = 2.0, 0.01
#: From this share of the total on, one group is worth a word.
_LARGE = 0.3


def lede(seen: Seen, reader: Reader) -> Fragment:
    """What is modelled is estimated; only what was measured was used."""
    t, total, words = reader.t, seen.total, SENTENCES[seen.query.measure]
    whom = when(seen, reader)
    if not total.calls:
        return fragment[t.t("{when}, no AI call was made.", when=whom)]
    if total.amount is None:
        return fragment[t.t(words.unknown, when=whom)]
    sentence = words.estimated if total.amount.status in ESTIMATED else words.known
    return fragment[t.rich(sentence, when=whom, amount=told(total.amount, t))]


def when(seen: Seen, reader: Reader) -> str:
    """The period, and whom the page speaks of."""
    t, query = reader.t, seen.query
    first = reader.local(seen.span.since)
    if query.range == "dates":
        assert query.first is not None
        assert query.last is not None
        if query.first == query.last:
            period = t.t("On {day}", day=t.date(query.first))
        else:
            period = t.t("From {first} to {last}", first=t.date(query.first), last=t.date(query.last))
    else:
        texts = {
            "today": t.t("Today"),
            "7d": t.t("Over the last 7 days"),
            "month": t.t("This month"),
            "last-month": t.t("In {month} {year}", month=t.month(first), year=str(first.year)),
            "12m": t.t("Over the last 12 months"),
        }
        period = texts[query.range]
    if not query.where:
        return period
    names = ", ".join(named(name, value, t) for name, value in query.where)
    return t.t("{period}, for {names}", period=period, names=names)


def second_line(seen: Seen, catalogue: Catalogue, reader: Reader) -> Fragment:
    total = seen.total
    if not total.calls:
        return fragment[_trend(seen, reader)]
    parts = (_trend(seen, reader), _largest(seen, reader), _scale(seen, catalogue, reader), _sure(seen, reader))
    return fragment[[[part, " "] for part in parts if part is not None]]


#: The period before, as it follows "than"; its French follows "que", which it begins with.
_BEFORE: dict[str, str] = {
    "today": mark("yesterday at the same time"),
    "7d": mark("over the 7 days before, at the same point"),
    "month": mark("at the same point {of_month}"),
    "last-month": mark("over the month {of_month}"),
    "12m": mark("over the 12 months before, at the same point"),
    "dates": mark("over the same length of time before"),
}


def _trend(seen: Seen, reader: Reader) -> Node:
    """Against the period before, up to the same point; the calls beside it say whether use or its unit moved."""
    t, before, ratio = reader.t, seen.before, seen.change
    text = t.t(_BEFORE[seen.query.range], of_month=t.of_month(reader.local(seen.span.before)))
    if not before.calls:
        return t.t("No call was recorded {before}: nothing to compare with.", before=_than(text, reader))
    if ratio is None:
        return None
    found = _compared(ratio, text, reader)
    if seen.query.measure == "calls" or not seen.total.calls:
        return f"{found}."
    calls = change(seen.total.calls / before.calls, t, CALLS)
    return t.t("{change}, for {calls}.", change=found, calls=calls)


def _compared(ratio: Quantity, before: str, reader: Reader) -> str:
    t = reader.t
    if abs(ratio.mid - 1.0) < _SAME:
        return t.t("As much as {before}", before=before)
    if ratio.low <= 1.0 <= ratio.high:
        return t.t("Neither more nor less than {before}, as far as can be told", before=before)
    if ratio.mid >= _TIMES_FROM:
        return t.t(
            "{times} times as much as {before}", times=t.number(ratio.mid, 1 if ratio.mid < 10 else 0), before=before
        )
    if ratio.mid > 1.0:
        return t.t("{share} more than {before}", share=t.percent(ratio.mid - 1.0), before=before)
    less = 1.0 - ratio.mid
    share = t.percent(less) if less < 1.0 - _SAME else t.percent(min(less, 0.999), 1)
    return t.t("{share} less than {before}", share=share, before=before)


def _than(text: str, reader: Reader) -> str:
    """French phrases begin with the "que" of a comparison: without one, they drop it."""
    for start in ("qu’", "que "):
        if reader.language == "fr" and text.startswith(start):
            return text.removeprefix(start)
    return text


def _largest(seen: Seen, reader: Reader) -> Node:
    """Who weighs most."""
    rows = [row for row in seen.groups if row.share is not None]
    row = max(rows, key=lambda row: row.share or 0.0, default=None)
    if row is None or seen.query.split is None or len(rows) < 2 or (row.share or 0.0) < _LARGE:
        return None
    t = reader.t
    name = b[named(seen.query.split, row.name, t)]
    return fragment[t.rich("Largest part: {name}, {share}.", name=name, share=t.percent(row.share or 0.0))]


def _scale(seen: Seen, catalogue: Catalogue, reader: Reader) -> Node:
    """Whatever is measured, it is by its energy that an amount is compared with everyday things."""
    span, total = seen.span, seen.total
    window = Window(
        since=span.since,
        until=seen.now if span.running else span.until,
        calls=total.calls,
        events=total.events,
        energy_wh=total.energy_wh,
        gwp_gco2eq=None,
        tokens=total.tokens,
        coverage=total.coverage,
    )
    headcount = 0 if seen.query.where else reader.settings.organisation.headcount
    return everyday.sentence(window, catalogue, reader, headcount=headcount, over=not span.running)


def _sure(seen: Seen, reader: Reader) -> Node:
    """The badge, what is known of the models, and the way to the reasons."""
    t, total = reader.t, seen.total
    parts: list[Node] = []
    if total.amount is not None and seen.query.measure not in ("calls", "tokens"):
        parts.append(badge(total.amount.status, t))
    if total.counted < total.calls:
        missing = total.calls - total.counted
        parts.append(
            t.n(
                "{count} call has no figure and is not in this total.",
                "{count} calls have no figure and are not in this total.",
                missing,
            )
        )
    if total.coverage is not None:
        share = total.coverage if total.coverage in (0.0, 1.0) else min(max(total.coverage, 0.01), 0.99)
        parts.append(t.t("{share} of tokens belong to a known model", share=t.percent(share)) + ".")
    parts.append(a(".fig", href=reader.path("why"))[t.t("Why these figures?")])
    return fragment[[[part, " "] for part in parts]]
