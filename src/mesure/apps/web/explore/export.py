"""What is seen, for programs: the same cut as JSON or CSV, every row of its table, figures as they are computed."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from mesure.apps.web.api import call_json, factors_json
from mesure.apps.web.explore.query import MEASURES
from mesure.version import METHOD_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from mesure.apps.web.explore.query import Query
    from mesure.apps.web.explore.seen import Row, Seen
    from mesure.catalogue import Catalogue
    from mesure.ledger import CallPage, Place, Total
    from mesure.quantity import Quantity

__all__ = ["as_csv", "as_json"]

_PRICES = "prices."
#: A spreadsheet takes a text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(seen: Seen, calls: CallPage | None, catalogue: Catalogue) -> dict[str, Any]:
    """Times are ISO 8601 UTC; null is unknown. `factors`: those the total and the one before rest on."""
    query, span = seen.query, seen.span
    quantities = [
        _without_prices(quantity)
        for total in (seen.total, seen.before)
        for quantity in (total.amount, total.energy_wh)
        if quantity is not None
    ]
    factors, missing = factors_json(quantities, catalogue)
    return {
        "query": _query(query),
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "per": span.per,
        "compared_with": {"since": span.before.isoformat(), "until": span.before_until.isoformat()},
        "measure": MEASURES[query.measure],
        "unit": seen.unit,
        "total": _total(seen.total),
        "previous": _total(seen.before),
        "change": _quantity(seen.change),
        **_listed(seen, calls),
        "calls_by_currency": seen.amounts.currencies() if query.measure == "money" else {},
        "versions": {"method": METHOD_VERSION, "catalogue": catalogue.version},
        "factors": factors,
        "factors_missing": missing,
        "prices": [price.to_json() for price in seen.amounts.prices()],
    }


def _query(query: Query) -> dict[str, Any]:
    return {
        "range": query.range,
        "measure": query.measure,
        "by": query.split,
        "where": dict(query.where),
        "show": query.view,
        "sort": query.sort,
        "text": query.but(page=1).text(),
    }


def _listed(seen: Seen, calls: CallPage | None) -> dict[str, Any]:
    """The rows of the table in view."""
    if calls is not None:
        return {"calls": [call_json(call) for call in calls.calls], "after": _place(calls.after)}
    if seen.query.view == "time":
        return {"periods": [_part(*part) for part in _parts(seen)]}
    return {"groups": [_group(row) for row in seen.groups]}


def _place(place: Place | None) -> str | None:
    return None if place is None else f"{place.started_us}-{place.id}"


def _parts(seen: Seen) -> Iterator[tuple[datetime, datetime, Total, list[tuple[str | None, Total]]]]:
    """(start, end, total, by series; what is left over under the name of none, marked by the count of its groups)."""
    totals, series = seen.over_time()
    ends = [*seen.span.edges[1:], seen.span.until]
    for i, (edge, end, total) in enumerate(zip(seen.span.edges, ends, totals, strict=True)):
        yield edge, end, total, list(zip(seen.series, (parts[i] for parts in series), strict=False))


def _part(edge: datetime, end: datetime, total: Total, series: list[tuple[str | None, Total]]) -> dict[str, Any]:
    return {
        "since": edge.isoformat(),
        "until": end.isoformat(),
        **_total(total),
        "groups": [{"name": name, **_total(part)} for name, part in series],
    }


def _group(row: Row) -> dict[str, Any]:
    return {"name": row.name, **_total(row.total), "share": row.share, "change": _quantity(row.change)}


def _total(total: Total) -> dict[str, Any]:
    return {
        "calls": total.calls,
        "counted_calls": total.counted,
        "events": total.events,
        "tokens": total.tokens,
        "coverage": total.coverage,
        "amount": _quantity(total.amount),
        "energy_wh": _quantity(total.energy_wh),
    }


def _quantity(quantity: Quantity | None) -> dict[str, Any] | None:
    return None if quantity is None else quantity.to_json()


def _without_prices(quantity: Quantity) -> Quantity:
    """Prices have a list of their own."""
    return quantity._replace(sources=tuple(source for source in quantity.sources if not source.startswith(_PRICES)))


# CSV: one row of the table a line


def as_csv(seen: Seen, calls: CallPage | None, catalogue: Catalogue) -> str:
    """Comma-separated, decimal points, one header line; empty is unknown."""
    rows = list(_rows(seen, calls))
    versions = {"method": METHOD_VERSION, "catalogue": catalogue.version}
    text = io.StringIO()
    names = list(rows[0] | versions) if rows else [*_head(seen), *versions]
    writer = csv.DictWriter(text, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _safe(value) for name, value in (row | versions).items()} for row in rows)
    return text.getvalue()


def _safe(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _head(seen: Seen) -> list[str]:
    return ["since", "until", seen.query.split or "name"]


def _rows(seen: Seen, calls: CallPage | None) -> Iterator[dict[str, object]]:
    span, query = seen.span, seen.query
    if calls is not None:
        yield from (_call(call_json(call)) for call in calls.calls)
    elif query.view == "time":
        for edge, end, total, series in _parts(seen):
            bounds = {"since": edge.isoformat(), "until": end.isoformat()}
            yield bounds | {query.split or "name": "", "of": "total"} | _flat(total, seen)
            for name, part in series if query.split else []:
                yield bounds | {query.split or "name": name or "", "of": "group"} | _flat(part, seen)
    else:
        bounds = {"since": span.since.isoformat(), "until": span.until.isoformat()}
        for row in seen.groups:
            ratio = {
                f"change_{name}": value for name, value in zip(("low", "mid", "high"), _ends(row.change), strict=True)
            }
            named = {query.split or "name": row.name or ""}
            yield bounds | named | _flat(row.total, seen) | {"share": _or_empty(row.share)} | ratio


def _flat(total: Total, seen: Seen) -> dict[str, object]:
    low, mid, high = _ends(total.amount)
    return {
        "measure": MEASURES[seen.query.measure],
        "low": low,
        "mid": mid,
        "high": high,
        "unit": seen.unit,
        "status": total.amount.status.value if total.amount else "",
        "calls": total.calls,
        "counted_calls": total.counted,
        "tokens": total.tokens,
        "factors": _sources(total.amount),
    }


def _call(call: dict[str, Any]) -> dict[str, object]:
    """A call with its quantities laid flat."""
    flat: dict[str, object] = {}
    for name, value in call.items():
        if name in ("energy_wh", "gwp_gco2eq"):
            for end in ("low", "mid", "high"):
                flat[f"{name}_{end}"] = value[end] if value else ""
            flat[f"{name}_status"] = value["status"] if value else ""
            flat[f"{name}_factors"] = ";".join(value["sources"]) if value else ""
        else:
            flat[name] = _or_empty(value)
    return flat


def _ends(quantity: Quantity | None) -> tuple[object, object, object]:
    return quantity[:3] if quantity is not None else ("", "", "")


def _sources(quantity: Quantity | None) -> str:
    return ";".join(_names(quantity))


def _names(quantity: Quantity | None) -> Iterable[str]:
    return quantity.sources if quantity is not None else ()


def _or_empty(value: object) -> object:
    return "" if value is None else value
