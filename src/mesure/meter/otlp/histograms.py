"""`gen_ai.client.token.usage` -> aggregates: what a service used in a while, when it tells no span of it."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from mesure.meter.otlp.calls import time_at
from mesure.meter.otlp.conventions import NAMES, TOKEN_USAGE, operation_of, text
from mesure.meter.provider_names import catalogue_provider

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.meter.otlp.records import Attributes, Point
    from mesure.meter.otlp.who import Attribution

__all__ = ["Growth", "Series", "aggregate_fields"]

_TYPE = "gen_ai.token.type"
_FIELDS = {"input": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}
_MOST_SERIES = 10_000
_MOST_TOKENS = 1 << 50

_Key = tuple[str, str, str]


class Growth(NamedTuple):
    """What one series grew by from `since_ns` to its point's end: `calls` that used `total` tokens of a field."""

    field: str
    point: Point
    since_ns: int
    calls: int
    total: float


class Series:
    """Sums that only grow (cumulative, the default of most SDKs) are taken as what was added since the last export.

    A series that began before this process did, and was not seen yet, only tells where it stands: what it counted till
    then may have been taken before a restart. Sums of one interval (delta) need no memory.
    """

    def __init__(self, began_ns: int) -> None:
        self._began_ns = began_ns
        self._last: OrderedDict[_Key, Point] = OrderedDict()

    def growth(self, points: Iterable[Point]) -> list[list[Growth]]:
        """Series of one export and the same attributes together: the input and the output of the same calls.

        Each series begins at its own first value, so that the beginnings of the two may differ.
        """
        groups: dict[tuple[str, str, int], list[Growth]] = {}
        for point in points:
            if point.name == TOKEN_USAGE and (grown := self._grown(point)) is not None:
                resource, attributes, _ = _key(point)
                groups.setdefault((resource, attributes, point.end_ns), []).append(grown)
        return list(groups.values())

    def written(self, group: Iterable[Growth]) -> None:
        """The group is in the ledger: the next one begins where it ends."""
        for grown in group:
            if grown.point.cumulative:
                self._keep(grown.point)

    def _grown(self, point: Point) -> Growth | None:
        field = _FIELDS.get(str(point.attributes.get(_TYPE)))
        if field is None:
            return None
        calls, total, since = point.values, point.total, point.start_ns
        if point.cumulative:
            last = self._last.get(_key(point))
            if last is not None and last.start_ns == point.start_ns:
                if point.end_ns <= last.end_ns:  # sent again
                    return None
                calls, total, since = calls - last.values, total - last.total, last.end_ns
            elif last is None and point.start_ns < self._began_ns:
                self._keep(point)
                return None
        return Growth(field, point, since, calls, total) if calls > 0 and 0 <= total <= _MOST_TOKENS else None

    def _keep(self, point: Point) -> None:
        key = _key(point)
        self._last[key] = point
        self._last.move_to_end(key)
        if len(self._last) > _MOST_SERIES:
            self._last.popitem(last=False)


def aggregate_fields(group: list[Growth], who: Attribution) -> dict[str, Any]:
    """Fields of `UsageEvent`, all but its id. Raises `InvalidValue` for a time that cannot be."""
    point = group[0].point
    attributes = point.attributes
    since = min(grown.since_ns for grown in group)
    told = (*_key(point)[:2], since, point.end_ns)
    fields: dict[str, Any] = {
        **who.fields(attributes, point.resource),
        "operation": operation_of(attributes) or "chat",
        "provider": catalogue_provider(text(attributes, NAMES["provider"])),
        "model_requested": text(attributes, NAMES["model_requested"]),
        "model_answered": text(attributes, NAMES["model_answered"]),
        "source": "otlp",
        "basis": "exported",
        "origin": f"otlp:{sha256(repr(told).encode()).hexdigest()[:32]}",
        "started_at": time_at(since or point.end_ns),
        "ended_at": time_at(point.end_ns),
        "calls_count": max(grown.calls for grown in group),
        "tokens_reported": True,
    }
    for grown in group:
        fields[grown.field] = fields.get(grown.field, 0) + round(grown.total)
    return fields


def _key(point: Point) -> _Key:
    kept = {name: value for name, value in point.attributes.items() if name != _TYPE}
    return _written(point.resource), _written(kept), str(point.attributes.get(_TYPE))


def _written(attributes: Attributes) -> str:
    return repr(sorted(attributes.items(), key=lambda item: item[0]))
