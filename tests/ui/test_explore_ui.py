"""`Explore` in a real browser: both languages, both themes, wide and narrow, with the keyboard, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytestmark = pytest.mark.ui

#: Longest wait for the browser on a busy machine.
_PATIENCE_MS = 20_000
_STATES = (
    "",
    "?show=time",
    "?show=calls",
    "?range=12m&measure=minerals&by=model",
    "?team=Service%20client&provider=openai",
)


class _Opened:
    """A page in a fresh context, what its console complains of, and what it asked for."""

    def __init__(self, browser: Any, url: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(_PATIENCE_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.answer = self.page.goto(url)

    def _heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@contextmanager
def _open(browser: Any, url: str, **options: Any) -> Iterator[_Opened]:
    opened = _Opened(browser, url, **options)
    yield opened
    opened.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_it_is_light_clean_and_accessible(
    browser: Any, explored_site: Any, language: str, width: int, theme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    for state in _STATES:
        url = f"{explored_site.url}/{language}/explore{state}"
        with _open(browser, url, viewport={"width": width, "height": 900}, color_scheme=theme) as opened:
            page = opened.page
            assert len(opened.answer.body()) <= 50_000
            assert 1 <= len(opened.requests) <= 5
            assert all(asked.startswith((explored_site.url, "data:")) for asked in opened.requests)
            assert page.evaluate("document.querySelectorAll('*').length") <= 350
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(page).response["violations"]
            serious = [one for one in found if one["impact"] in ("serious", "critical")]
            assert not serious, (state, [(one["id"], [n["html"] for n in one["nodes"]][:3]) for one in serious])
            assert not opened.complaints


@pytest.mark.parametrize("width", [320, 768, 3840])
@pytest.mark.parametrize("state", _STATES)
def test_nothing_sticks_out(browser: Any, explored_site: Any, width: int, state: str) -> None:
    url = f"{explored_site.url}/fr/explore{state}"
    with _open(browser, url, viewport={"width": width, "height": 900}) as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        outside = """[...document.querySelectorAll('main *')].filter(n => {
            const b = n.getBoundingClientRect(), s = n.closest('.wrap, thead, .patterns, details:not([open]) > form');
            return !s && b.width && (b.right > innerWidth + 1 || b.left < -1);
        }).map(n => n.outerHTML.slice(0, 80))"""
        assert opened.page.evaluate(outside) == []


@pytest.mark.parametrize("scripts", [True, False])
def test_a_newcomer_finds_the_answers(browser: Any, explored_site: Any, scripts: bool) -> None:
    """How much this month, which team, more than last month, is it a lot, how sure: as text, scripts or not."""
    with _open(browser, f"{explored_site.url}/en/explore", java_script_enabled=scripts) as opened:
        text = re.sub(r"\s+", " ", opened.page.locator("main").inner_text())
        assert re.search(r"This month, the energy of your AI use is estimated at \S+ k?Wh \[\S+\]", text)
        assert re.search(r"Largest part: Service client, \d+%", text)
        assert re.search(r"\d+% (more|less) than at the same point of October|times as much as at the same point", text)
        assert re.search(r"As much as .* (this is little|LED bulbs)", text)
        assert re.search(r"modelled|by default", text)
        assert "our 90% interval" in text
    with _open(browser, f"{explored_site.url}/fr/explore", java_script_enabled=scripts) as opened:
        text = re.sub(r"\s+", " ", opened.page.locator("main").inner_text())
        assert re.search(r"Ce mois-ci, la consommation de votre IA est estimée à \S+ k?Wh \[\S+\]", text)
        assert re.search(r"Plus grande part : Service client, \d+ %", text)
        assert "octobre" in text


def test_clicks_lead_down_to_a_call_and_its_calculation_and_back(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/en/explore?by=organisation", java_script_enabled=False) as opened:
        page = opened.page
        names = []
        for _ in range(5):
            link = page.locator(".groups tbody tr").first.locator("a")
            names.append(link.inner_text())
            link.click()
        assert names[0] == "Relation Plus"
        assert page.locator(".crumbs li").count() == 6
        page.locator(".calls tbody a").first.click()
        assert "/en/calls/" in page.url
        assert page.locator("h1").is_visible()
        page.go_back()
        page.locator(".crumbs a").first.click()
        assert page.url.endswith("/en/explore")


def test_the_keyboard_is_enough(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/en/explore") as opened:
        page = opened.page
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**#main")
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "CO₂e":
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url("**/explore?measure=co2e")
        assert page.locator(".choices a[aria-current=true]").all_inner_texts()[1] == "CO₂e"


def test_dates_are_chosen_without_scripts(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/en/explore?measure=calls", java_script_enabled=False) as opened:
        page = opened.page
        page.locator(".dates summary").click()
        page.locator("input[name=from]").fill("2026-10-25")
        page.locator("input[name=to]").fill("2026-10-25")
        page.locator(".dates button").click()
        assert page.url.endswith("/en/explore?from=2026-10-25&to=2026-10-25&measure=calls")
        assert page.locator("h1").inner_text().startswith("On 25 October 2026,")


def test_the_other_language_shows_the_same_state(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/en/explore?range=7d&team=Qualit%C3%A9") as opened:
        opened.page.get_by_text("Français").click()
        assert opened.page.url.endswith("/fr/explore?range=7d&team=Qualit%C3%A9")
        assert opened.page.locator("h1").inner_text().startswith("Ces 7 derniers jours, pour Qualité")


def test_the_drawing_has_words_and_the_same_numbers_in_a_table(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/en/explore?range=7d&measure=calls") as opened:
        drawing = opened.page.locator(".chart svg[role=img]")
        assert drawing.get_attribute("aria-label") == "Calls by team"
        assert "7 bars. The highest" in drawing.locator("desc").text_content()
        opened.page.locator(".tabs").get_by_text("Over time").click()
        assert opened.page.locator(".times tbody tr").count() == 7


def test_a_bad_address_is_a_sentence_with_a_way_back(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/fr/explore?measure=rien") as opened:
        assert opened.answer.status == 400
        assert "measure=rien" in opened.page.locator("h1").inner_text()
        opened.page.get_by_text("Repartir sans ces choix").click()
        assert opened.page.url.endswith("/fr/explore")


def test_paper_holds_figures_and_no_choices(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/fr/explore?team=Service%20client") as opened:
        opened.page.emulate_media(media="print")
        for hidden in (".choices", ".exports", "header nav", ".per"):
            assert opened.page.locator(hidden).first.is_hidden()
        for shown in ("h1", ".crumbs", ".chart svg[role=img]", ".groups", ".legend", "footer"):
            assert opened.page.locator(shown).first.is_visible()


def test_exports_come_as_files(browser: Any, explored_site: Any) -> None:
    with _open(browser, f"{explored_site.url}/en/explore?range=7d") as opened:
        with opened.page.expect_download() as waiting:
            opened.page.get_by_text("CSV").click()
        assert waiting.value.suggested_filename == "mesure-explore.csv"
        opened.page.get_by_text("JSON").click()
        assert '"range":"7d"' in opened.page.content()
