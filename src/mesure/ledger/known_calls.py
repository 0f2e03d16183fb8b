"""What the committer knows of calls before they are in the table: which sighting is a new call, and which tells of one
already counted, so that pages and metrics count each call once from its first sighting on.

The table itself is settled by the commit, which looks everything up again; this only has to be quick, and bounded:
calls that wait, the last ones that were committed, and for what began before those a look into the table.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.errors import LedgerError
from mesure.ledger.lookup import Lookup
from mesure.ledger.once import Traits
from mesure.ledger.schema import second_of
from mesure.ledger.sightings import keys_within, merged, sightings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mesure.ledger.table import StoredFile
    from mesure.record import UsageEvent

__all__ = ["Call", "KnownCalls"]

#: Committed calls that are remembered.
_MOST = 30_000
#: How far from a call the table is looked through for it: as far as the commit will.
_MARGIN_S = 3_600

log = logging.getLogger("mesure")


@dataclass(slots=True, eq=False)
class Call:
    """A call seen: `event`, all that is known of it, until it is `stored` in the table."""

    traits: Traits
    keys: tuple[int, ...]
    second: int
    event: UsageEvent | None
    stored: bool = False
    into: Call | None = None

    def now(self) -> Call:
        """What it has turned out to be part of."""
        return self if self.into is None else self.into.now()


class KnownCalls:
    """Not for threads: its owner holds a lock, save for `look_up`, which one thread may call beside it."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._by_key: dict[int, tuple[Call, ...]] = {}  # by hash: a name that comes twice costs a comparison
        self._waiting: dict[Call, None] = {}
        self._stored: deque[Call] = deque()
        self._all_since = 0  # every call that began at this second or later, and is in the table, is known here
        self._old, self._others = Lookup(), Lookup()
        self.looking_s = 0.0  # spent in the table by the last `look_up`

    def forget_before(self, second: int) -> None:
        """The table may hold calls from before `second` that were not seen here."""
        self._all_since = max(self._all_since, min(second, int(time.time()) + _MARGIN_S))

    def look_up(self, files: Sequence[StoredFile], events: Iterable[UsageEvent]) -> list[UsageEvent]:
        """Rows of the table that may be calls of which these events tell, for what is too old to be known here."""
        old = [event for event in events if second_of(event.started_at) < self._all_since and not self._matching(event)]
        return self._rows(self._old, files, old)

    def rows_of_waiting(self, files: Sequence[StoredFile]) -> list[UsageEvent]:
        """Rows of files somebody else wrote that may be calls that wait here."""
        return self._rows(self._others, files, [call.event for call in self._waiting if call.event is not None])

    def _rows(self, lookup: Lookup, files: Sequence[StoredFile], events: list[UsageEvent]) -> list[UsageEvent]:
        begun = time.monotonic()
        try:
            return lookup.rows(files, events, _MARGIN_S) if files and events else []
        except LedgerError as error:  # a page may count a call twice until the commit
            log.warning("Committer: known calls could not be looked up: %s", error)
            return []
        finally:
            self.looking_s = time.monotonic() - begun

    def stored_rows(self, rows: Iterable[UsageEvent]) -> None:
        """Calls that are in the table; those that wait here are no longer shown as if they were not."""
        for row in rows:
            call = _call(row)
            call.event, call.stored = None, True
            known = self._matching(row)
            for one in known:
                self._store(one)
            if not known:
                self._enter(call)
                self._keep(call)

    def take(self, event: UsageEvent) -> tuple[Call, bool]:
        """The call of which an event tells, and whether it is a new one."""
        known = self._matching(event)
        if not known:
            call = _call(event)
            self._enter(call)
            self._waiting[call] = None
            return call, True
        first, *others = known
        for other in others:  # the event shows that they are one
            self._join(first, other)
        if first.event is not None:
            first.event = merged(first.event, [*sightings_of(first.event), *sightings_of(event)])
        self._name(first, event)
        return first, False

    def alone(self, event: UsageEvent) -> Call:
        """A call of which nothing can be compared."""
        return Call(_NONE, (), 0, event)

    def committed(self, call: Call) -> None:
        self._store(call.now())

    def _matching(self, event: UsageEvent) -> list[Call]:
        told = sightings_of(event)
        keys = keys_within(told)
        found = dict.fromkeys(call.now() for key in keys for call in self._by_key.get(hash(key), ()))
        if not found:
            return []
        traits, matching = Traits.of(told), []
        for call in found:
            if call.traits.may_be(traits):
                traits.join(call.traits)
                matching.append(call)
        return matching

    def _join(self, first: Call, other: Call) -> None:
        first.traits.join(other.traits)
        if first.event is not None and other.event is not None:
            first.event = merged(first.event, [*sightings_of(first.event), *sightings_of(other.event)])
        if other.stored:
            self._store(first)
        self._waiting.pop(other, None)
        other.into, other.event = first, None

    def _name(self, call: Call, event: UsageEvent) -> None:
        """The keys and traits that one more sighting gives a call."""
        told = sightings_of(event)
        call.traits.join(Traits.of(told))
        new = tuple(key for key in map(hash, keys_within(told)) if key not in call.keys)
        call.keys += new
        for key in new:
            self._by_key[key] = (*self._by_key.get(key, ()), call)

    def _enter(self, call: Call) -> None:
        for key in call.keys:
            self._by_key[key] = (*self._by_key.get(key, ()), call)

    def _store(self, call: Call) -> None:
        if not call.stored:
            call.stored, call.event = True, None
            self._waiting.pop(call, None)
            self._keep(call)

    def _keep(self, call: Call) -> None:
        """Remember a committed call, and forget the oldest of them."""
        if call.keys:
            self._stored.append(call)
        while len(self._stored) > self._most:
            gone = self._stored.popleft()
            self.forget_before(gone.second + 1)
            for key in gone.keys:
                left = tuple(one for one in self._by_key.get(key, ()) if one is not gone)
                if left:
                    self._by_key[key] = left
                else:
                    self._by_key.pop(key, None)


def _call(event: UsageEvent) -> Call:
    told = sightings_of(event)
    keys = tuple(map(hash, keys_within(told)))
    return Call(Traits.of(told) if keys else _NONE, keys, second_of(event.started_at), event)


_NONE = Traits(frozenset(), frozenset(), frozenset(), aggregate=False)
