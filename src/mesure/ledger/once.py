"""Counted once: which of some sightings are new calls, which refine a call that is known, which say nothing new."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from mesure.ledger.sightings import file_of, is_aggregate, is_direct, keys_of, keys_within, merged, sightings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from mesure.record import UsageEvent

__all__ = ["Change", "Traits", "counted_once", "without"]

log = logging.getLogger("mesure")


class Change(NamedTuple):
    """What rows become: `changed` have the id of a row, `gone` are rows that turned out to be part of another."""

    new: list[UsageEvent]
    changed: list[UsageEvent]
    gone: list[UsageEvent]
    replaced: list[UsageEvent]  # rows as they stand in the table: those of `changed`, and `gone`
    merged: int  # sightings of calls that were known, or that came together


@dataclass(slots=True)
class Traits:
    """What tells a call from another whose key agrees."""

    responses: frozenset[str]
    direct: frozenset[str]  # ids of direct sightings
    lines: frozenset[tuple[str, str]]  # (file, origin)
    aggregate: bool

    @classmethod
    def of(cls, sightings: Iterable[UsageEvent]) -> Traits:
        told = tuple(sightings)
        keys = (key for one in told for key in keys_of(one)[:1])
        return cls(
            frozenset(key for key in keys if key.startswith("r:")),
            frozenset(one.id for one in told if is_direct(one)),
            frozenset((file, one.origin or "") for one in told if (file := file_of(one))),
            any(map(is_aggregate, told)),
        )

    def may_be(self, other: Traits) -> bool:
        """A caller may make several calls within one span, and a file hold several of one id: those stay apart."""
        if self.aggregate != other.aggregate:
            return False
        if self.responses and other.responses and not self.responses & other.responses:
            return False
        if self.direct and other.direct and self.direct != other.direct:
            return False
        files = {file for file, _ in self.lines} & {file for file, _ in other.lines}
        return not any(file in files for file, _ in self.lines ^ other.lines)

    def join(self, other: Traits) -> None:
        self.responses |= other.responses
        self.direct |= other.direct
        self.lines |= other.lines


@dataclass(slots=True, eq=False)
class _Call:
    """Rows and sightings of what seems one call."""

    traits: Traits
    rows: list[UsageEvent]
    told: list[UsageEvent]
    into: _Call | None = None

    def now(self) -> _Call:
        """What it has become part of."""
        return self if self.into is None else self.into.now()


def counted_once(batch: Sequence[UsageEvent], stored: Iterable[UsageEvent], now: datetime) -> Change:
    """`stored`: rows of the table that share a key with the batch. `now` is when what is new is booked."""
    by_key: dict[str, list[_Call]] = {}
    calls: dict[_Call, None] = {}  # in the order in which they came
    for row in stored:
        told = sightings_of(row)
        _enter(_Call(Traits.of(told), [row], []), keys_within(told), by_key, calls)
    for event in batch:
        told = sightings_of(event)
        keys = keys_within(told)
        traits = Traits.of(told) if keys else _KEYLESS
        call = _Call(traits, [], [event])
        for known in _known(keys, by_key):
            if known is not call and known.traits.may_be(call.traits):
                call = _joined(known, call)
        _enter(call, keys, by_key, calls)
    return _change([call for call in calls if call.into is None], now)


_KEYLESS = Traits(frozenset(), frozenset(), frozenset(), aggregate=False)


def _known(keys: Iterable[str], by_key: dict[str, list[_Call]]) -> list[_Call]:
    return list(dict.fromkeys(call.now() for key in keys for call in by_key.get(key, ())))


def _enter(call: _Call, keys: Iterable[str], by_key: dict[str, list[_Call]], calls: dict[_Call, None]) -> None:
    calls.setdefault(call)
    for key in keys:
        by_key.setdefault(key, []).append(call)


def _joined(known: _Call, other: _Call) -> _Call:
    """Both are one call; it stands where the first stood."""
    known.traits.join(other.traits)
    known.rows += other.rows
    known.told += other.told
    other.into = known
    return known


def _change(calls: Iterable[_Call], now: datetime) -> Change:
    change = Change([], [], [], [], 0)
    known = 0
    for call in calls:
        known += len(call.told) - (not call.rows)
        if not call.rows and len(call.told) == 1:
            change.new.append(call.told[0])
            continue
        try:
            _settle(call, now, change)
        except (TypeError, ValueError, OverflowError, AttributeError):  # fields of a wrong type: nothing is held up
            log.exception("Ledger: sightings of one call could not be merged; they are kept apart.")
            change.new.extend(call.told)
            known -= len(call.told) - (not call.rows)
    return change._replace(merged=max(known, 0))


def _settle(call: _Call, now: datetime, change: Change) -> None:
    rows = sorted(call.rows, key=lambda row: (row.ingested_at or now, row.id))
    fresh = [replace(told, ingested_at=told.ingested_at or now) for event in call.told for told in sightings_of(event)]
    first = rows[0] if rows else call.told[0]
    one = merged(first, [*(told for row in rows for told in sightings_of(row)), *fresh])
    if not rows:
        change.new.append(one)
    elif len(rows) > 1 or one != rows[0]:
        change.changed.append(one)
        change.gone.extend(rows[1:])
        change.replaced.extend(rows)


def without(rows: Iterable[UsageEvent], origins: Sequence[str]) -> Change:
    """Rows that several sources saw, as those tell them whose `origin` does not begin with one of `origins`."""
    change = Change([], [], [], [], 0)
    for row in rows:
        told = sightings_of(row)
        kept = [one for one in told if not (one.origin or "").startswith(tuple(origins))]
        if len(kept) < len(told):
            change.replaced.append(row)
            if kept:
                change.changed.append(merged(row, kept))
            else:
                change.gone.append(row)
    return change
