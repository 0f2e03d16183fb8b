"""Columns of the table, from the annotations of `UsageEvent`, and events as an Arrow table.

Columns are added, never renamed or retyped. Labels are JSON text, which DuckDB (`labels->>'$.x'`) and Spark
(`get_json_object`) read alike. `identity` is what makes two sightings one call; `identities`, of a call that
several sources saw, is every key by which one of them may name it, a line each; `month` (UTC, "2026-11") is the
partition.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from mesure.ledger.sightings import keys_within, sightings_of
from mesure.record import UsageEvent, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from arro3.core import DataType, Table

__all__ = [
    "COLUMNS",
    "EPOCH",
    "empty_table",
    "epoch_us",
    "event_of",
    "month_of",
    "month_start_utc",
    "second_of",
    "time_of",
    "to_table",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_INT64 = 1 << 63


def _kind(annotation: str) -> str:
    """int, float, bool, str, datetime or labels, from an annotation such as `int | None`."""
    base = annotation.removesuffix(" | None")
    if base in ("int", "float", "bool", "str", "datetime"):
        return base
    return "labels" if base.startswith("dict") else "str"


#: Column name -> kind, in the order of the record; then what the ledger adds.
COLUMNS: dict[str, str] = {f.name: _kind(str(f.type)) for f in fields(UsageEvent)} | {
    "identity": "str",
    "identities": "str",
    "month": "str",
}


def epoch_us(at: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (at - EPOCH) // _MICROSECOND


def second_of(at: datetime) -> int:
    """Whole seconds since 1970, rounded down."""
    return epoch_us(at) // 1_000_000


def time_of(second: int) -> datetime:
    """The instant of a whole number of seconds since 1970."""
    return EPOCH + timedelta(seconds=second)


def month_of(at: datetime) -> str:
    """The partition of a time: its UTC month."""
    at = at.astimezone(UTC)
    return f"{at.year:04d}-{at.month:02d}"


def month_start_utc(month: str) -> datetime:
    """The first instant of a partition."""
    return datetime.fromisoformat(f"{month}-01T00:00:00+00:00")


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) and -_INT64 <= value < _INT64 else None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value == value else None


def _labels(value: Any) -> str | None:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if isinstance(value, dict) else None


_AS_STORED: dict[str, Callable[[Any], Any]] = {
    "int": _integer,
    "float": _number,
    "bool": lambda value: value if isinstance(value, bool) else None,
    "str": lambda value: str(value) if isinstance(value, str) else None,
    "labels": _labels,
    "datetime": lambda value: epoch_us(value) if isinstance(value, datetime) else None,
}


def _arrow_type(kind: str) -> DataType:
    from arro3.core import DataType

    return {
        "int": DataType.int64,
        "float": DataType.float64,
        "bool": DataType.bool,
        "str": DataType.utf8,
        "labels": DataType.utf8,
        "datetime": DataType.int64,
    }[kind]()


def to_table(events: Sequence[UsageEvent], ingested_at: datetime) -> Table:
    """Events as rows, `ingested_at` set where it is not. A value of the wrong type becomes NULL: it never holds up
    others."""
    columns: dict[str, Iterable[Any]] = {}
    for name in UsageEvent.__slots__:
        columns[name] = [getattr(event, name) for event in events]
    columns["ingested_at"] = [event.ingested_at or ingested_at for event in events]
    columns["identity"] = [identity_of(event) for event in events]
    columns["identities"] = [
        "\n".join(keys_within(sightings_of(event))) if event.sightings else None for event in events
    ]
    columns["month"] = [month_of(event.started_at) for event in events]
    return _table(columns)


def empty_table() -> Table:
    """No row, every column: gives names and types to queries and to a new table."""
    return _table({name: [] for name in COLUMNS})


def _table(columns: dict[str, Iterable[Any]]) -> Table:
    from arro3.core import Array, DataType, Table

    arrays: dict[str, Any] = {}
    for name, kind in COLUMNS.items():
        stored = _AS_STORED[kind]
        array = Array([None if value is None else stored(value) for value in columns[name]], _arrow_type(kind))
        arrays[name] = array.cast(DataType.timestamp("us", tz="UTC")) if kind == "datetime" else array
    return Table.from_pydict(arrays)


def event_of(row: dict[str, Any]) -> UsageEvent:
    """The event of a row: times as microseconds since 1970, labels as text, columns that are not its own left aside."""
    data = dict(row)
    for name, kind in COLUMNS.items():
        if (value := data.get(name)) is None:
            continue
        if kind == "datetime":
            data[name] = EPOCH + timedelta(microseconds=value)
        elif kind == "labels":
            data[name] = orjson.loads(value)
    return UsageEvent.from_json(data)
