"""The shell of every page: head, skip link, header, notices, main, footer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from htpy import (
    Element,
    Node,
    a,
    aside,
    body,
    button,
    code,
    details,
    footer,
    head,
    header,
    html,
    link,
    main,
    meta,
    nav,
    noscript,
    p,
    pre,
    script,
    span,
    style,
    summary,
    title,
)

from mesure.apps.web.assets import ICON, SCRIPT, STYLE
from mesure.apps.words import NOTICES
from mesure.i18n import catalog, mark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesure.apps.web.reader import Reader

__all__ = ["PAGES", "Page", "code_block", "pause_button", "render"]

#: Pages of the menu, in its order: path after the language, and name. A page below one of them has its path before
#: its own.
PAGES: tuple[tuple[str, str], ...] = (
    ("", mark("Now")),
    ("explore", mark("Explore")),
    ("why", mark("Why these figures?")),
)

#: Pages of the menu that stand in its line.
_IN_LINE = 7
#: Seconds between two loads of a live page where scripts are off.
_REFRESH_S = 15
_SIZE = "\x00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What differs from one page to the next. `live` is the address of its pushes, `seen` the last one it holds."""

    path: str | None  # None: a page that no address of ours names
    query: str = ""  # the state of the page: its address in another language keeps it
    title: str
    content: Node
    footer: Sequence[Node] = ()
    notices: Sequence[str] = field(default=())
    live: str | None = None
    seen: str = ""
    refresh: bool = False


def render(page: Page, reader: Reader) -> bytes:
    """The whole document, UTF-8. The footer states its size, itself included."""
    t = reader.t
    document = html(lang=reader.language)[
        _head(page, reader),
        body(data_live=page.live, data_seen=page.seen if page.live else None)[
            a(".skip", href="#main")[t.t("Skip to content")],
            _header(page, reader),
            [aside(".notice", aria_label=t.t("Notice"))[t.t(NOTICES[code])] for code in page.notices],
            main("#main")[_refresh_note(page, reader), page.content],
            footer[[span[part] for part in page.footer], span[_weight(page, reader)]],
            script[SCRIPT] if page.live else None,
        ],
    ]
    return _with_size(str(document), reader)


def _with_size(text: str, reader: Reader) -> bytes:
    kilobytes = max(1, round(len(text.encode()) / 1000))
    before, _, after = text.rpartition(_SIZE)  # the last one: a name on the page may hold the same character
    return f"{before}{reader.t.number(kilobytes)}{after}".encode()


def _head(page: Page, reader: Reader) -> Element:
    return head[
        meta(charset="utf-8"),
        meta(name="viewport", content="width=device-width,initial-scale=1"),
        title[f"{page.title} · Mesure"],
        link(rel="icon", href=ICON),
        link(rel="canonical", href=_address(page, reader.language)) if page.query else None,
        link(rel="alternate", hreflang=reader.other, href=_address(page, reader.other)),
        noscript[meta(http_equiv="refresh", content=str(_REFRESH_S))] if page.refresh else None,
        style[STYLE],
    ]


def _address(page: Page, language: str) -> str:
    return f"/{language}/{page.path or ''}" + (f"?{page.query}" if page.query else "")


def _header(page: Page, reader: Reader) -> Element:
    t, other = reader.t, catalog(reader.other)
    return header[
        a(".brand", href=reader.path())["Mesure"],
        a(".lang", href=_address(page, other.language), hreflang=other.language, lang=other.language)[
            {"fr": "Français", "en": "English"}[other.language]
        ],
        nav(aria_label=t.t("Pages"))[_menu(page, reader)],
    ]


def _menu(page: Page, reader: Reader) -> list[Node]:
    """A line of pages; those that would make it two fold away behind the last word."""
    t = reader.t
    links = {
        path: a(href=reader.path(path), aria_current="page" if path == page.path else None)[t.t(name)]
        for path, name in PAGES
    }
    line, folded = list(links)[:_IN_LINE], list(links)[_IN_LINE:]
    if not folded:
        return list(links.values())
    here = next((t.t(name) for path, name in PAGES if path == page.path and path in folded), None)
    more = details(".more")[
        summary(aria_current="true" if here else None)[here or t.t("More")], [links[path] for path in folded]
    ]
    return [*(links[path] for path in line), more]


def _refresh_note(page: Page, reader: Reader) -> Node:
    """Whoever has scripts off can stop the reloading, as whoever has them on can pause the pushes."""
    if not page.live:
        return None
    t = reader.t
    if not page.refresh:
        return noscript[p[a(href=reader.path(page.path or ""))[t.t("Refresh this page by itself")]]]
    note = t.t("This page reloads every {seconds} s.", seconds=_REFRESH_S)
    return noscript[p[note, " ", a(href="?refresh=0")[t.t("Stop reloading")]]]


def _weight(page: Page, reader: Reader) -> str:
    requests = 2 if page.live else 1
    return reader.t.n(
        "This page: {size} kB, {count} request", "This page: {size} kB, {count} requests", requests, size=_SIZE
    )


def pause_button(reader: Reader) -> Element:
    """Stops the pushes; hidden until the script that it drives runs."""
    return button("#pause", type="button", hidden=True, aria_pressed="false")[reader.t.t("Pause")]


def code_block(text: str) -> Element:
    """Something to copy, exact; a long line goes on below."""
    return pre[code[text]]
