"""`Explore`: answers for the page and for its exports, from one reading of the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from mesure.apps.web.explore.export import as_csv, as_json
from mesure.apps.web.explore.links import PATH
from mesure.apps.web.explore.page import content, title_of
from mesure.apps.web.explore.query import parsed
from mesure.apps.web.explore.seen import CALLS_A_PAGE, cut_of, seen
from mesure.apps.web.layout import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from typing import Any
    from zoneinfo import ZoneInfo

    from htpy import Node

    from mesure.apps.web.explore.query import Query
    from mesure.apps.web.explore.seen import Seen
    from mesure.apps.web.feed import Source
    from mesure.apps.web.reader import Reader
    from mesure.catalogue import Catalogue
    from mesure.ledger import CallPage

__all__ = ["Explore"]

#: Calls an export lists at a time.
_CALLS_AN_EXPORT = 1_000


class _Read(NamedTuple):
    seen: Seen
    calls: CallPage | None


class Explore:
    """Over `view` (`mesure.ledger.View`). Everything raises `InvalidValue` for an address that cannot be read."""

    def __init__(self, view: Source, catalogue: Catalogue, zone: ZoneInfo, clock: Callable[[], datetime]) -> None:
        self._view = view
        self._catalogue = catalogue
        self._zone = zone
        self._clock = clock

    def query(self, given: Iterable[tuple[str, str]]) -> Query:
        return parsed(given)

    async def page(self, query: Query, reader: Reader, footer: Sequence[Node]) -> Page:
        read = await asyncio.to_thread(self._read, query, CALLS_A_PAGE)
        return Page(
            path=PATH,
            title=title_of(read.seen, reader),
            content=content(read.seen, read.calls, self._catalogue, reader),
            footer=footer,
            query=query.text(),
        )

    async def json(self, query: Query) -> dict[str, Any]:
        read = await asyncio.to_thread(self._read, query, _CALLS_AN_EXPORT)
        return as_json(read.seen, read.calls, self._catalogue)

    async def csv(self, query: Query) -> str:
        read = await asyncio.to_thread(self._read, query, _CALLS_AN_EXPORT)
        return as_csv(read.seen, read.calls, self._catalogue)

    def _read(self, query: Query, calls: int) -> _Read:
        found = seen(self._view, query, self._clock(), self._zone)
        if query.view != "calls" or not found.total.calls:
            return _Read(found, None)
        return _Read(found, self._view.calls(cut_of(query, found.span), query.after, calls))
