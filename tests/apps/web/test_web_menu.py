"""The menu: a line of pages that exist; those that would make it two fold away; the state of a page in its links."""

from __future__ import annotations

import pytest
from page_reader import Node, read

from mesure.apps.web import layout
from mesure.apps.web.layout import Page, render
from mesure.apps.web.reader import Reader
from mesure.config import Settings

_MANY = tuple((f"page-{n}", f"Page {n}") for n in range(13))


def _drawn(path: str, query: str = "", language: str = "en") -> Node:
    page = Page(path=path, title="Title", content=None, query=query)
    return read(render(page, Reader.of(language, Settings())).decode())


def _menu(path: str) -> Node:
    return _drawn(path).one("header").one("nav")


def test_a_short_menu_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PAGES", _MANY[:7])
    menu = _menu("page-3")
    assert [link.text for link in menu.all("a")] == [name for _, name in _MANY[:7]]
    assert not menu.all("details")
    assert [link["href"] for link in menu.all("a") if link["aria-current"]] == ["/en/page-3"]


def test_a_long_menu_folds_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PAGES", _MANY)
    menu = _menu("page-3")
    folded = menu.one("details")
    assert [link.text for link in menu.all("a")] == [name for _, name in _MANY]
    assert [link.text for link in folded.all("a")] == [name for _, name in _MANY[7:]]
    assert folded.one("summary").text == "More"
    assert not folded.one("summary")["aria-current"]


def test_a_folded_page_is_named_where_it_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "PAGES", _MANY)
    menu = _menu("page-11")
    summary = menu.one("summary")
    assert (summary.text, summary["aria-current"]) == ("Page 11", "true")
    assert [link.text for link in menu.all("a") if link["aria-current"] == "page"] == ["Page 11"]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_of_the_menu_exists(language: str) -> None:
    """A name in the menu that leads nowhere is worse than none."""
    from held_pages import HeldSource, pages
    from web_scenes import office

    routes = {route.path for route in pages(HeldSource(office())).routes}  # type: ignore[attr-defined]
    for path, _ in layout.PAGES:
        assert f"/{language}/{path}" in routes


def test_a_state_is_kept_by_the_other_language_and_said_as_canonical() -> None:
    page = _drawn("explore", "range=7d&team=A%20B")
    links = {link["rel"]: link["href"] for link in page.one("head").all("link") if link["rel"] != "icon"}
    assert links == {"canonical": "/en/explore?range=7d&team=A%20B", "alternate": "/fr/explore?range=7d&team=A%20B"}
    switch = next(link for link in page.one("header").all("a") if "lang" in link.classes)
    assert switch["href"] == "/fr/explore?range=7d&team=A%20B"


def test_a_page_without_a_state_says_no_more_than_its_address() -> None:
    page = _drawn("explore")
    assert [link["rel"] for link in page.one("head").all("link")] == ["icon", "alternate"]
    switch = next(link for link in page.one("header").all("a") if "lang" in link.classes)
    assert switch["href"] == "/fr/explore"


def test_a_state_cannot_leave_its_attribute() -> None:
    page = _drawn("explore", 'team="><script>alert(1)</script>')
    assert not page.all("script")
    switch = next(link for link in page.one("header").all("a") if "lang" in link.classes)
    assert switch["href"].endswith('team="><script>alert(1)</script>')
