"""What several sources tell of one call, made one: the most direct rules, the others fill what it leaves open.

A call that several sources saw is one row, which keeps what each of them told (`sightings`, JSON): the row is computed
from all of them, so that the order in which they came does not matter, and one of them can be taken out again.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

from mesure.errors import InvalidValue
from mesure.record import UsageEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "IS_REPORT",
    "MOST_SIGHTINGS",
    "file_of",
    "is_aggregate",
    "is_direct",
    "is_report",
    "keys_of",
    "keys_within",
    "merged",
    "sightings_of",
]

#: How directly a source sees a call; a measured energy goes before all of them.
_RANKS = {"gateway": 3, "demo": 3, "hook": 2, "otlp": 2, "callback": 2, "sensor": 2, "import": 1, "profile": 0}
#: Some servers number their answers from a small range (`chatcmpl-417`): that would merge different calls.
_IDENTIFYING = 20
#: An export over less than this, with one call, is that call; over more, an aggregate that happens to hold one.
_AGGREGATE_OVER = timedelta(hours=1)
#: Of one call; what is told beyond is counted as merged and left out.
MOST_SIGHTINGS = 16
_NOT_TOLD = ("id", "ingested_at", "schema_version", "sightings")
#: Facts that mean something only together: all come from the first sighting that has one of the first.
_TOKENS = (
    "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens",
    "input_audio_tokens", "output_audio_tokens", "input_image_tokens", "output_image_tokens", "tokens_reported",
)  # fmt: skip
_ENERGY = ("energy_j", "energy_low_j", "energy_high_j", "energy_sensor", "energy_status", "energy_scope")
_COST = ("cost", "cost_currency")
_SPAN = ("span_id", "trace_id")
_SIZE = ("image_width", "image_height")
_TOGETHER = ((_ENERGY, 1), (_COST, 1), (_SPAN, 1), (_SIZE, 1))
#: A statement about a file, not about the call: it stays with the sighting.
_OWN = ("origin",)
_FILLED = tuple(
    f.name for f in fields(UsageEvent)
    if f.default is None and f.name not in {*_NOT_TOLD, *_TOKENS, *_ENERGY, *_COST, *_SPAN, *_SIZE, *_OWN, "labels"}
)  # fmt: skip


def is_direct(event: UsageEvent) -> bool:
    """Whether its source passes each call on itself, so that it never tells of one twice."""
    return _RANKS.get(event.source) == _RANKS["gateway"]


def is_aggregate(event: UsageEvent) -> bool:
    """Whether it stands for the calls of a period, as counted by a provider or declared, rather than for calls seen."""
    if event.basis == "declared" or _aggregate(event):
        return True
    if event.basis != "exported" or _text(event.response_id) or _text(event.span_id):
        return False
    if event.calls_count != 1:
        return True
    return event.ended_at is not None and event.ended_at - event.started_at >= _AGGREGATE_OVER


def is_report(event: UsageEvent) -> bool:
    """Whether it is compared with the calls of its period rather than added to them, as `IS_REPORT` has it."""
    if event.basis == "observed":
        return False
    if event.basis == "declared" or event.source != "import" or event.calls_count != 1:
        return True
    return event.ended_at is not None and event.ended_at - event.started_at >= _AGGREGATE_OVER


#: The same of a row of the table, for DuckDB and for Spark.
IS_REPORT = (
    "(basis = 'declared' OR (basis = 'exported' AND (source <> 'import' OR calls_count <> 1 "
    "OR coalesce(ended_at - started_at >= INTERVAL '1' HOUR, false))))"
)


def keys_of(event: UsageEvent) -> tuple[str, ...]:
    """What another sighting of the same call would share, strongest first: response id, span, id at an intake; of an
    aggregate, the key of its period and groups.

    A response id counts without its provider: sources name the provider of one call differently.
    """
    keys: list[str] = []
    if aggregate := _aggregate(event):
        keys.append(f"a:{aggregate}")
    if not is_aggregate(event):
        if (response := _text(event.response_id)) and len(response) >= _IDENTIFYING:
            keys.append(f"r:{response}")
        if (trace := _text(event.trace_id)) and (span := _text(event.span_id)):
            keys.append(f"t:{trace}:{span}")
    if event.source != "import" and not is_direct(event):  # what is delivered again has the same id or origin
        if origin := _text(event.origin):
            keys.append(f"o:{origin}")
        keys.append(f"i:{event.id}")
    return tuple(keys)


def _aggregate(event: UsageEvent) -> str | None:
    """The key of an exported aggregate: the same one in a later or longer export is the same, as far as it went."""
    return _text(event.labels.get("aggregate")) if isinstance(event.labels, dict) else None


def keys_within(told: Iterable[UsageEvent]) -> tuple[str, ...]:
    """Every key of the sightings of one call."""
    return tuple(dict.fromkeys(key for one in told for key in keys_of(one)))


def file_of(event: UsageEvent) -> str:
    """Digest of the file an imported row stands in; empty for anything else."""
    return (_text(event.origin) or "").rpartition(":")[0] if event.source == "import" else ""


def sightings_of(event: UsageEvent) -> tuple[UsageEvent, ...]:
    """What each source told of the call; the event itself when only one did."""
    if not event.sightings:
        return (event,)
    try:
        told = tuple(map(UsageEvent.from_json, orjson.loads(event.sightings)))
    except (ValueError, TypeError, InvalidValue):
        told = ()
    return told or (replace(event, sightings=None),)  # not ours: it stands for itself


def merged(first: UsageEvent, told: Iterable[UsageEvent]) -> UsageEvent:
    """One call from what was told of it; it keeps the id of `first`. The order of `told` does not matter."""
    distinct = {_content(one): one for one in sorted(told, key=_booked, reverse=True)}
    ordered = [one for _, one in sorted(distinct.items(), key=lambda item: (_precedence(item[1]), item[0]))]
    ordered = ordered[:MOST_SIGHTINGS]
    ruling = ordered[0]
    if len(ordered) == 1:
        return replace(ruling, id=first.id, sightings=None)
    values: dict[str, Any] = {name: _first(ordered, name) for name in _FILLED}
    for group, leads in _TOGETHER:
        values |= _together(ordered, group, leads)
    values |= _tokens(ordered)
    values["labels"] = {k: v for one in reversed(ordered) for k, v in (one.labels or {}).items()} or None
    if values["ended_at"] is not None and values["ended_at"] < ruling.started_at:
        values["ended_at"] = None
    if ruling.environment == "production":  # what a source says that was not told otherwise
        values["environment"] = next((s.environment for s in ordered if s.environment != "production"), "production")
    booked = [one.ingested_at for one in ordered if one.ingested_at is not None]
    return replace(ruling, **values, id=first.id, ingested_at=min(booked, default=None), sightings=_json(ordered))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _booked(event: UsageEvent) -> tuple[datetime, str]:
    return event.ingested_at or datetime.max.replace(tzinfo=UTC), str(event.id)


def _precedence(event: UsageEvent) -> tuple[float, ...]:
    """Smallest first: measured, then how directly it was seen, then who tells most of it."""
    measured = event.energy_j is not None and event.energy_status == "measured"
    tokens = (event.input_tokens or 0) + (event.output_tokens or 0)
    return (-measured, -_RANKS.get(event.source, 0), -event.calls_count, -tokens, -len(event.to_json()))


def _content(event: UsageEvent) -> bytes:
    """What a sighting says, whenever and under whatever id it was booked."""
    told = {name: value for name, value in event.to_json().items() if name not in _NOT_TOLD}
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)


def _json(ordered: Sequence[UsageEvent]) -> str:
    """Each as told; two sources that said the same in all but id would be one."""
    told = [{k: v for k, v in one.to_json().items() if k not in ("schema_version", "sightings")} for one in ordered]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()


def _first(ordered: Iterable[UsageEvent], name: str) -> Any:
    return next((value for one in ordered if (value := getattr(one, name)) is not None), None)


def _together(ordered: Sequence[UsageEvent], group: Sequence[str], leads: int) -> dict[str, Any]:
    lead = next((one for one in ordered if any(getattr(one, name) is not None for name in group[:leads])), ordered[0])
    return {name: getattr(lead, name) for name in group}


def _tokens(ordered: Sequence[UsageEvent]) -> dict[str, Any]:
    """Of the first that the provider counted, else of the first that has any; parts it leaves open from the others."""
    counted = sorted(ordered, key=lambda one: one.tokens_reported is not True)
    values = _together(counted, _TOKENS, 2)
    for name in _TOKENS[2:-1]:
        whole = "input_tokens" if "input" in name or name == "cache_write_tokens" else "output_tokens"
        if values[name] is None and values[whole] is not None:
            same = (one for one in counted if getattr(one, whole) == values[whole])
            values[name] = _first(same, name)
    return values
