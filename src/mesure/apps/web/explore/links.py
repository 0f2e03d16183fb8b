"""Addresses of the page: every choice is a link to a whole state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htpy import Node, a

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.apps.web.explore.query import Query
    from mesure.apps.web.reader import Reader

__all__ = ["PATH", "address", "choices"]

PATH = "explore"


def address(query: Query, reader: Reader) -> str:
    """Of the page in this state."""
    text = query.text()
    return reader.path(PATH) + (f"?{text}" if text else "")


def choices(offered: Iterable[tuple[str, str, Query]], current: str | None, reader: Reader) -> list[Node]:
    """(code, words, state) of each; the current one says so."""
    return [
        [a(href=address(query, reader), aria_current="true" if code == current else None)[words], " "]
        for code, words, query in offered
    ]
