"""`Now` in a real browser: both languages, both themes, wide and narrow, live, paused, without scripts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

pytestmark = pytest.mark.ui

#: Longest wait for the browser on a busy machine.
_PATIENCE_MS = 20_000


def _scenes() -> Any:
    import web_scenes

    return web_scenes


def _open(browser: Any, url: str, **options: Any) -> tuple[Any, list[str]]:
    """A page in a fresh context, and what its console complains of."""
    context = browser.new_context(**options)
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    return page, complaints


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_now_is_light_clean_and_accessible(browser: Any, site: Any, language: str, width: int, theme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    answer = page.goto(f"{site.url}/{language}/")
    page.wait_for_selector("#pause:not([hidden])")

    assert page.locator("h1").inner_text().startswith("Ce mois-ci" if language == "fr" else "This month")
    assert len(answer.body()) <= 50_000
    assert 1 <= len(requests) <= 5
    assert all(url.startswith((site.url, "data:")) for url in requests)
    assert page.evaluate("document.querySelectorAll('*').length") <= 350
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    serious = [f for f in Axe().run(page).response["violations"] if f["impact"] in ("serious", "critical")]
    assert not serious, [(f["id"], [n["html"] for n in f["nodes"]][:3]) for f in serious]
    assert not complaints
    context.close()


@pytest.mark.parametrize("path", ["/fr/why", "/en/why", "/fr/calls/{id}", "/fr/nowhere"])
def test_other_pages_are_accessible(browser: Any, site: Any, path: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    from mesure.record import UsageEvent, new_id

    event = UsageEvent(
        id=new_id(),
        started_at=datetime(2026, 11, 22, 13, 2, tzinfo=UTC),
        provider="openai",
        model_requested="gpt-4o",
        input_tokens=1204,
        output_tokens=186,
    )
    site.source.events[event.id] = event
    page, _ = _open(browser, site.url + path.format(id=event.id), viewport={"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    serious = [f for f in Axe().run(page).response["violations"] if f["impact"] in ("serious", "critical")]
    assert not serious, [(f["id"], [n["html"] for n in f["nodes"]][:3]) for f in serious]
    page.context.close()


@pytest.mark.parametrize("width", [320, 768, 3840])
def test_nothing_sticks_out(browser: Any, site: Any, width: int) -> None:
    for overview in (_scenes().office(), _scenes().large()):
        site.show(overview)
        page, _ = _open(browser, f"{site.url}/fr/", viewport={"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.context.close()


def test_a_call_shows_by_itself(browser: Any, site: Any) -> None:
    scenes = _scenes()
    page, complaints = _open(browser, f"{site.url}/fr/")
    page.wait_for_selector("#pause:not([hidden])")
    page.evaluate("window.stayed = true")
    before = page.locator("#needle").get_attribute("transform")
    office = scenes.office()
    call = scenes.call(900, "mistral-small", scenes.q(0.1, 0.2, 0.4), use_case="Tout nouveau")
    site.show(
        replace(
            office,
            last_calls=(call, *office.last_calls[:19]),
            power_w=scenes.q(200, 320, 390, "W"),
            calls_per_minute=333.0,
        )
    )
    page.get_by_text("Tout nouveau").wait_for()
    page.wait_for_function("document.getElementById('rate').textContent === '333'")
    assert page.locator("#calls tr").count() == 10
    assert page.locator("#calls tr").first.inner_text().count("Tout nouveau") == 1
    assert page.locator("#needle").get_attribute("transform") != before
    assert page.evaluate("window.stayed")
    assert not complaints
    page.context.close()


def test_the_first_call_brings_the_page_to_life(browser: Any, site: Any) -> None:
    site.show(_scenes().empty())
    page, _ = _open(browser, f"{site.url}/en/")
    page.get_by_text("No AI call has come through yet.").wait_for()
    site.show(_scenes().small())
    page.get_by_text("Last calls").wait_for()
    assert page.locator("#calls tr").count() == 10
    page.context.close()


def _listeners(site: Any) -> int:
    count: int = sum(site.app.state.close.__self__._listeners.values())
    return count


def _settles(page: Any, site: Any, wanted: int) -> bool:
    for _ in range(_PATIENCE_MS // 100):
        if _listeners(site) == wanted:
            return True
        page.wait_for_timeout(100)
    return False


def test_pushes_stop_when_paused_and_when_hidden(browser: Any, site: Any) -> None:
    page, _ = _open(browser, f"{site.url}/fr/")
    assert _settles(page, site, 1)
    page.locator("#pause").click()
    assert page.locator("#pause").get_attribute("aria-pressed") == "true"
    assert _settles(page, site, 0)
    page.locator("#pause").click()
    assert _settles(page, site, 1)
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert _settles(page, site, 0)
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert _settles(page, site, 1)
    page.context.close()


def test_without_scripts_everything_is_there_and_refreshes(browser: Any, site: Any) -> None:
    page, _ = _open(browser, f"{site.url}/fr/", java_script_enabled=False)
    assert page.locator("#calls tr").count() == 10
    assert page.locator("#pause").is_hidden()
    note = page.locator("noscript p")
    assert note.is_visible()
    assert note.inner_text().startswith("Cette page se recharge toutes les")
    note.locator("a").click()
    assert page.url.endswith("?refresh=0")
    assert note.inner_text() == "Recharger cette page automatiquement"
    page.context.close()


def test_keyboard_reaches_the_content_first(browser: Any, site: Any) -> None:
    page, _ = _open(browser, f"{site.url}/fr/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.context.close()


def test_the_table_behind_the_line_opens(browser: Any, site: Any) -> None:
    page, _ = _open(browser, f"{site.url}/en/")
    assert page.locator("#minutes").is_hidden()
    page.get_by_text("The same as a table").click()
    assert page.locator("#minutes tr").count() == 6
    page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_words_of_an_axis_stand_at_its_ends(browser: Any, site: Any, width: int) -> None:
    site.show(_scenes().office())
    page, _ = _open(browser, f"{site.url}/en/", viewport={"width": width, "height": 900})
    begins, ends = (page.locator(".plot .x span").nth(place).bounding_box() for place in (0, 1))
    line = page.locator(".plot svg").first.bounding_box()
    assert begins["x"] == pytest.approx(line["x"], abs=2)
    assert ends["x"] + ends["width"] == pytest.approx(line["x"] + line["width"], abs=2)
    page.context.close()


def test_motion_and_print_follow_the_reader(browser: Any, site: Any) -> None:
    page, _ = _open(browser, f"{site.url}/en/", reduced_motion="reduce")
    style = "getComputedStyle(document.getElementById('needle')).transitionDuration"
    assert page.evaluate(style) == "0s"
    page.emulate_media(media="print")
    assert page.locator("nav").is_hidden()
    assert page.locator("h1").is_visible()
    page.context.close()


def test_a_figure_opens_its_reason(browser: Any, site: Any) -> None:
    page, _ = _open(browser, f"{site.url}/en/")
    page.locator(".next a").click()
    assert page.get_by_text("How these figures are put together").is_visible()
    page.get_by_text("Français").click()
    assert page.url == f"{site.url}/fr/why"
    page.context.close()
