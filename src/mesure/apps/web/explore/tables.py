"""The table under the chart: groups, the same over time, or single calls; sorted and paged by links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Element, Fragment, Node, a, div, fragment, nav, p, small, span, table, tbody, td, th, thead, tr

from mesure.apps.web import calls as last_calls
from mesure.apps.web.charts import whisker_bar
from mesure.apps.web.explore.figure import amount, changed
from mesure.apps.web.explore.links import address
from mesure.apps.web.explore.seen import CALLS_A_PAGE, GROUPS_A_PAGE
from mesure.apps.web.explore.times import part_name
from mesure.apps.web.explore.words import DIMENSIONS, named
from mesure.apps.web.explore.words import MEASURES as MEASURE_NAMES
from mesure.apps.web.figures import UNKNOWN, badge, largest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mesure.apps.web.explore.query import Query
    from mesure.apps.web.explore.seen import Row, Seen
    from mesure.apps.web.reader import Reader
    from mesure.ledger import CallPage, Total
    from mesure.quantity import Quantity

__all__ = ["table_of"]


def table_of(seen: Seen, calls: CallPage | None, reader: Reader) -> Fragment:
    if calls is not None:
        return _calls(seen, calls, reader)
    return _over_time(seen, reader) if seen.query.view == "time" else _groups(seen, reader)


# Groups


def _groups(seen: Seen, reader: Reader) -> Fragment:
    t, query = reader.t, seen.query
    assert query.split is not None
    rows = seen.groups
    page, pages = _page(query, len(rows))
    shown = rows[(page - 1) * GROUPS_A_PAGE : page * GROUPS_A_PAGE]
    beside = largest(row.total.amount for row in rows)
    top = max((row.total.amount.high for row in rows if row.total.amount), default=1.0)
    heads: list[Node] = [
        _sorted_head(DIMENSIONS[query.split].name, "name", seen, reader),
        th(scope="col", aria_hidden="true"),
        _sorted_head(MEASURE_NAMES[query.measure], "amount", seen, reader, numeric=True),
        th(".n", scope="col")[t.t("Share")],
        th(".n", scope="col")[t.t("Change")],
    ]
    if query.measure != "calls":
        heads.append(_sorted_head("Calls", "calls", seen, reader, numeric=True))
    return fragment[
        table(".groups", aria_label=t.t("Groups, each a link to what it is made of"))[
            thead[tr[heads]], tbody[[_group(row, seen, top, beside, reader) for row in shown]]
        ],
        _pager(query, page, pages, reader),
    ]


def _group(row: Row, seen: Seen, top: float, beside: Quantity | None, reader: Reader) -> Element:
    t, query, found = reader.t, seen.query, row.total.amount
    assert query.split is not None
    flags = _flags(row, seen, reader)
    return tr[
        th(scope="row")[
            a(href=address(query.within(row.name), reader))[named(query.split, row.name, t)],
            small(".f")[flags] if flags else None,
        ],
        td[whisker_bar(*found[:3], top=top) if found else None],
        td(".n")[amount(found, t, beside)],
        td(".n")[UNKNOWN if row.share is None else t.percent(row.share)],
        td(".n")[changed(row.change, t)],
        td(".n", data_unit=t.t("calls"))[t.number(row.total.calls)] if query.measure != "calls" else None,
    ]


def _flags(row: Row, seen: Seen, reader: Reader) -> list[Node]:
    """What keeps this group from being compared with the others as it stands."""
    t, total, whole = reader.t, row.total, seen.total
    flags: list[Node] = []
    if total.amount and whole.amount and total.amount.status != whole.amount.status:
        flags.append(badge(total.amount.status, t))
    if missing := total.calls - total.counted:
        flags.append(t.n("{count} call without a figure", "{count} calls without a figure", missing))
    return [[flag, " "] for flag in flags]


def _sorted_head(name: str, sort: str, seen: Seen, reader: Reader, *, numeric: bool = False) -> Element:
    query, current = seen.query, seen.query.sort == sort
    direction = ("ascending" if sort == "name" else "descending") if current else None
    return th(class_="n" if numeric else None, scope="col", aria_sort=direction)[
        a(href=address(query.but(sort=sort, show=query.show), reader))[reader.t.t(name)]
    ]


def _page(query: Query, rows: int) -> tuple[int, int]:
    """(page shown, pages); a page beyond the last shows the last."""
    pages = max(1, -(-rows // GROUPS_A_PAGE))
    return min(query.page, pages), pages


def _pager(query: Query, page: int, pages: int, reader: Reader) -> Node:
    if pages == 1:
        return None
    t = reader.t
    before = a(rel="prev", href=address(query.but(page=page - 1), reader))[t.t("Previous")] if page > 1 else None
    after = a(rel="next", href=address(query.but(page=page + 1), reader))[t.t("Next")] if page < pages else None
    return nav(".pager", aria_label=t.t("Pages of the table"))[
        before, span[t.t("{page} of {pages}", page=t.number(page), pages=t.number(pages))], after
    ]


# Over time


def _over_time(seen: Seen, reader: Reader) -> Fragment:
    """Newest first."""
    t, query, span_ = reader.t, seen.query, seen.span
    totals, series = seen.over_time()
    rows = [
        (edge, total, [parts[i] for parts in series] if query.split else [])
        for i, (edge, total) in enumerate(zip(span_.edges, totals, strict=True))
        if edge <= seen.now
    ][::-1]
    page, pages = _page(query, len(rows))
    shown = rows[(page - 1) * GROUPS_A_PAGE : page * GROUPS_A_PAGE]
    beside = largest(total.amount for _, total, _ in rows)
    names = [named(query.split, name, t) for name in seen.series] if query.split else []
    if seen.left_over:
        names.append(t.n("{count} other", "{count} others", seen.left_over))
    heads = [
        th(scope="col")[t.t("Period")],
        th(".n", scope="col")[t.t(MEASURE_NAMES[query.measure])],
        th(".n", scope="col")[t.t("Calls")] if query.measure != "calls" else None,
        [th(".n", scope="col")[name] for name in names],
    ]
    return fragment[
        div(".wrap", tabindex="0", role="region", aria_label=t.t("Over time"))[
            table(".times")[
                thead[tr[heads]],
                tbody[[_part(*row, beside, seen, reader) for row in shown]],
            ]
        ],
        _pager(query, page, pages, reader),
    ]


def _part(
    edge: datetime, total: Total, parts: Sequence[Total], beside: Quantity | None, seen: Seen, reader: Reader
) -> Element:
    t, query = reader.t, seen.query
    return tr[
        th(scope="row")[part_name(edge, seen.span.per, reader)],
        td(".n")[_or_none(total, beside, reader)],
        td(".n")[t.number(total.calls)] if query.measure != "calls" else None,
        [td(".n")[_mid(part, beside, reader)] for part in parts],
    ]


def _or_none(total: Total, beside: Quantity | None, reader: Reader) -> Node:
    """Nothing came in: 0, which is known. Something did, and its amount is not: a dash."""
    return amount(total.amount, reader.t, beside) if total.calls else "0"


def _mid(total: Total, beside: Quantity | None, reader: Reader) -> Node:
    """The middle alone: intervals stand beside the whole."""
    if not total.calls:
        return "0"
    found = total.amount
    if found is None or found.unit in ("calls", "tokens"):
        return amount(found, reader.t)
    return reader.t.quantity(found, beside).figure


# Calls


def _calls(seen: Seen, calls: CallPage, reader: Reader) -> Fragment:
    t, query = reader.t, seen.query
    newest = a(href=address(query.but(), reader))[t.t("Newest")] if query.after else None
    further = query.but(after=calls.after)
    older = a(rel="next", href=address(further, reader))[t.t("Older calls")] if calls.after else None
    label = t.t("Calls, newest first; each energy opens its calculation")
    return fragment[
        last_calls.table_of(calls.calls[:CALLS_A_PAGE], reader, label=label, dated=True),
        p(".note")[t.t("No call here; older ones may still match.")] if calls.after and not calls.calls else None,
        nav(".pager", aria_label=t.t("Pages of the table"))[newest, older] if newest or older else None,
    ]
