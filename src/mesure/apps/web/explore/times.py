"""Parts of a period in words: short under a chart, whole in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from mesure.apps.web.explore.span import Span
    from mesure.apps.web.reader import Reader

__all__ = ["axis_labels", "part_name"]


def axis_labels(span: Span, reader: Reader) -> list[str]:
    return [_short(reader.local(edge), span.per, reader) for edge in span.edges]


def _short(at: datetime, per: str, reader: Reader) -> str:
    if per == "hour":
        return f"{at.hour}:00"
    return reader.t.short_month(at) if per == "month" else reader.t.short_day(at)


def part_name(at: datetime, per: str, reader: Reader) -> str:
    t, local = reader.t, reader.local(at)
    if per == "hour":
        return f"{t.day(local)}, {local.hour}:00"
    if per == "week":
        return t.t("from {day}", day=t.date(local))
    return f"{t.month(local)} {local.year}" if per == "month" else t.date(local)
