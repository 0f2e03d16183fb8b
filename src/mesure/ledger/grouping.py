"""By what totals are split: columns of the record, the canonical model, and days, months and hours of a time zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.errors import InvalidValue, nearest_names
from mesure.ledger.cells import QUARTER_S, quarter_of
from mesure.ledger.schema import COLUMNS, second_of, time_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from mesure.ledger.cells import Served
    from mesure.record import UsageEvent

    GroupKey = tuple[str | None, ...]

__all__ = ["Grouping"]

_TIMES = ("day", "month", "hour")
_NOT_OFFERED = ("month", "sightings", "identities")
_COLUMNS = tuple(name for name, kind in COLUMNS.items() if kind in ("str", "int", "bool") and name not in _NOT_OFFERED)
_OFFERED = ("model", *_TIMES, *_COLUMNS)


class Grouping:
    """One choice of `by`. Raises `InvalidValue` for a name that cannot split totals."""

    def __init__(self, by: tuple[str, ...], zone: ZoneInfo) -> None:
        for name in by:
            if name not in _OFFERED:
                raise InvalidValue(
                    "Totals cannot be split by this",
                    value=name,
                    nearest=nearest_names(name, _OFFERED),
                    action="Use model, day, month, hour, or a column of the record.",
                )
        self.by = by
        self.zone = zone
        self.columns = tuple(name for name in by if name in _COLUMNS)

    def periods(self, since: int, until: int) -> dict[int, int] | None:
        """Every quarter of an hour of `[since, until)` -> the start of the finest period asked; None without one."""
        finest = next((name for name in ("hour", "day", "month") if name in self.by), None)
        if finest is None:
            return None
        starts: dict[str | None, int] = {}
        quarters = range(quarter_of(since), until, QUARTER_S)
        return {quarter: starts.setdefault(self._period(finest, quarter), quarter) for quarter in quarters}

    def key(self, values: Sequence[str | None], quarter: int, served: Served) -> GroupKey:
        """The group of a row: `values` of `columns`, and what the quarter of an hour and the server give."""
        given = dict(zip(self.columns, values, strict=True))
        return tuple(given[name] if name in given else self._derived(name, quarter, served) for name in self.by)

    def key_of(self, event: UsageEvent, served: Served) -> GroupKey:
        """The group of an event that is not in the table yet."""
        values = [_text(getattr(event, name)) for name in self.columns]
        return self.key(values, quarter_of(second_of(event.started_at)), served)

    def _derived(self, name: str, quarter: int, served: Served) -> str | None:
        if name == "model":
            return served.model or None
        return self._period(name, quarter)

    def _period(self, name: str, quarter: int) -> str:
        local = time_of(quarter).astimezone(self.zone)
        if name == "day":
            return local.date().isoformat()
        if name == "month":
            return local.strftime("%Y-%m")
        return local.replace(minute=0).isoformat(timespec="minutes")  # with its offset: an hour may come twice


def _text(value: object) -> str | None:
    """As the engine writes a value of this type in text."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower()
