"""Every page, in every scene and language, as a screen reader, a keyboard and a search for words meet it."""

from __future__ import annotations

import itertools
import re
from functools import cache

import pytest
import web_scenes
from held_pages import HeldSource, client_of
from page_reader import Node, read
from usage_events import called, sensed

from mesure.apps.words import STATUSES, STEPS, WARNINGS
from mesure.i18n import catalog
from mesure.quantity import Status

_LANGUAGES = ("fr", "en")
_EVENTS = {
    "call": called(),
    "sensed": sensed(),
    "unknown": called(model_requested="my-own-model", model_answered=None, input_tokens=None, output_tokens=None),
    "failed": called(status="error", http_status=502, input_tokens=0, output_tokens=0),
}
_ADDRESSES = [
    *((scene, path) for scene in web_scenes.SCENES for path in ("", "why")),
    *(("office", f"calls/{name}") for name in _EVENTS),
    ("office", "nowhere"),
    ("office", "calls/nope"),
]
_every_page = pytest.mark.parametrize(
    ("scene", "path", "language"), [(*address, language) for address in _ADDRESSES for language in _LANGUAGES]
)


@cache
def _page(scene: str, path: str, language: str) -> Node:
    source = HeldSource(web_scenes.SCENES[scene]())
    source.events = dict(_EVENTS)
    return read(client_of(source).get(f"/{language}/{path}").text)


@_every_page
def test_one_title_and_headings_in_order(scene: str, path: str, language: str) -> None:
    page = _page(scene, path, language)
    levels = [int(node.tag[1]) for node in page.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(node.text for node in page.all("h1", "h2", "h3"))
    assert page.one("title").text.endswith("· Mesure")
    assert page.one("html")["lang"] == language


@_every_page
def test_ids_are_unique_and_landmarks_are_there_once(scene: str, path: str, language: str) -> None:
    page = _page(scene, path, language)
    ids = [node["id"] for node in page.all() if node["id"]]
    assert len(ids) == len(set(ids))
    for landmark in ("main", "header", "nav", "footer"):
        assert len(page.all(landmark)) == 1
    skip = page.all("a")[0]
    assert skip["href"] == "#main"
    assert page.by_id("main").tag == "main"


@_every_page
def test_every_link_has_words_and_stays_in_the_language(scene: str, path: str, language: str) -> None:
    page = _page(scene, path, language)
    other = next(one for one in _LANGUAGES if one != language)
    for link in page.all("a"):
        assert link.text, link.attributes
        assert link["href"].startswith(("/", "#", "?", "https://", "http://"))
        if "lang" in link.classes:
            assert (link["hreflang"], link["lang"]) == (other, other)
            assert link["href"].startswith(f"/{other}/")
        elif link["href"].startswith("/") and not link["href"].startswith("/api/"):
            assert link["href"].startswith(f"/{language}/")
        elif link["href"].startswith("http"):
            assert link["rel"] == "noreferrer"


@_every_page
def test_tables_say_what_their_cells_are(scene: str, path: str, language: str) -> None:
    for table in _page(scene, path, language).all("table"):
        assert all(head["scope"] in ("row", "col") for head in table.all("th"))
        columns = [head for head in table.all("th") if head["scope"] == "col"]
        body = table.one("tbody")
        for row in body.all("tr"):
            cells = row.all("td", "th")
            assert not columns or len(cells) == len(columns)
        if columns:  # a column of figures is set to the right in head and body alike
            for row in body.all("tr"):
                numeric = ["n" in cell.classes for cell in row.all("td", "th")]
                assert numeric == ["n" in head.classes for head in columns]


@_every_page
def test_drawings_and_meters_have_words_or_are_hidden(scene: str, path: str, language: str) -> None:
    page = _page(scene, path, language)
    for drawing in page.all("svg"):
        if drawing["role"] == "img":
            assert drawing["aria-label"]
        else:
            assert drawing["aria-hidden"] == "true"
        assert not [node for node in drawing.all() if node.tag in ("text", "image", "foreignobject")]
    for meter in page.all("meter"):
        assert meter["aria-label"]
        assert float(meter["min"]) <= float(meter["value"]) <= float(meter["max"])
    for node in page.all():
        if "aria-label" in node.attributes:
            assert node["aria-label"]
        if node["tabindex"]:
            assert (node["tabindex"], node["role"]) == ("0", "region")
            assert node["aria-label"]


@_every_page
def test_no_code_of_the_lower_rooms_is_shown(scene: str, path: str, language: str) -> None:
    """Steps, warnings and statuses have words in both languages: none shows as it is named inside."""
    text = _page(scene, path, language).one("main").text
    for name in (*STEPS, *WARNINGS):
        assert "_" not in name or not re.search(rf"\b{name}\b", text)
    assert "{" not in text
    assert "None" not in text
    if language == "fr":
        english = {catalog("en").t(STATUSES[status]) for status in (Status.MODELLED, Status.MEASURED)}
        assert not english & {node.text for node in _page(scene, path, language).all("span")}


@pytest.mark.parametrize("path", ["", "why"])
@pytest.mark.parametrize("language", _LANGUAGES)
def test_the_menu_says_where_one_is(path: str, language: str) -> None:
    here = [link for link in _page("office", path, language).one("nav").all("a") if link["aria-current"] == "page"]
    assert [link["href"] for link in here] == [f"/{language}/{path}"]


@pytest.mark.parametrize("language", _LANGUAGES)
def test_figures_that_change_do_not_speak_by_themselves(language: str) -> None:
    """Pushes come each second: a live region would read them all aloud."""
    page = _page("office", "", language)
    assert not [node for node in page.all() if node["aria-live"] or node["role"] in ("status", "alert", "log")]
    pause = page.by_id("pause")
    assert (pause.tag, pause["type"], pause["aria-pressed"]) == ("button", "button", "false")
    assert "hidden" in pause.attributes


@pytest.mark.parametrize("scene", ["office", "small", "large", "failing"])
def test_both_languages_show_the_same_page(scene: str) -> None:
    french, english = (_page(scene, "", language) for language in _LANGUAGES)
    assert french.outline == english.outline
    digits = [re.sub(r"\D", "", page.by_id("models").text) for page in (french, english)]
    assert digits[0] == digits[1]


@pytest.mark.parametrize("name", _EVENTS)
def test_a_call_reads_the_same_in_both_languages(name: str) -> None:
    """Attributes differ (titles stay English inside a French page), elements do not."""
    french, english = (_page("office", f"calls/{name}", language) for language in _LANGUAGES)
    kinds = [[node.tag for node in page.one("main").all() if node.tag != "span"] for page in (french, english)]
    assert kinds[0] == kinds[1]
