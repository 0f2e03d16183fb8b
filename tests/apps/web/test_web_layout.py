"""The shell around every page, the page before the first call, and who it is written for."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
import web_scenes
from held_pages import HeldSource, client_of, settings
from page_reader import Node, plain, read

from mesure.apps.web.assets import ICON, SCRIPT, STYLE
from mesure.apps.web.layout import Page, code_block, render
from mesure.apps.web.reader import Reader
from mesure.apps.web.welcome import welcome
from mesure.apps.words import NOTICES
from mesure.config import OrganisationSettings, ProviderSettings, Settings
from mesure.i18n import catalog

_both = pytest.mark.parametrize("language", ["fr", "en"])


def _drawn(language: str = "en", **changes: object) -> Node:
    page = Page(**{"path": "why", "title": "A title", "content": "words"} | changes)  # type: ignore[arg-type]
    return read(render(page, Reader.of(language, settings())).decode())


@_both
def test_the_head_says_what_the_page_is(language: str) -> None:
    other = {"fr": "en", "en": "fr"}[language]
    head = _drawn(language).one("head")
    metas = {node["name"]: node["content"] for node in head.all("meta") if node["name"]}
    assert metas == {"viewport": "width=device-width,initial-scale=1"}
    assert [node["charset"] for node in head.all("meta") if node["charset"]] == ["utf-8"]
    assert head.one("title").text == "A title · Mesure"
    links = {node["rel"]: node for node in head.all("link")}
    assert links["icon"]["href"] == ICON
    assert (links["alternate"]["hreflang"], links["alternate"]["href"]) == (other, f"/{other}/why")
    assert not head.all("noscript")


@_both
def test_the_header_leads_home_and_to_the_other_language(language: str) -> None:
    t, other = catalog(language).t, {"fr": "en", "en": "fr"}[language]
    header = _drawn(language).one("header")
    brand, switch, *menu = header.all("a")
    assert (brand.text, brand["href"]) == ("Mesure", f"/{language}/")
    assert (switch.text, switch["href"]) == ({"fr": "English", "en": "Français"}[language], f"/{other}/why")
    assert header.one("nav")["aria-label"] == t("Pages")
    assert [(link.text, link["href"], link["aria-current"]) for link in menu] == [
        (plain(t("Now")), f"/{language}/", ""),
        (plain(t("Explore")), f"/{language}/explore", ""),
        (plain(t("Why these figures?")), f"/{language}/why", "page"),
    ]


@_both
@pytest.mark.parametrize("count", [1, 2, 3])
def test_notices_come_before_the_content(count: int, language: str) -> None:
    t = catalog(language).t
    codes = [*NOTICES, "demo"][:count]
    page = _drawn(language, notices=codes)
    notices = page.all("aside")
    assert [node.text for node in notices] == [plain(t(NOTICES[code])) for code in codes]
    assert all(node["aria-label"] == t("Notice") for node in notices)
    tags = [node.tag for node in page.one("body").walk()]
    assert max(i for i, tag in enumerate(tags) if tag == "aside") < tags.index("main")


def test_a_live_page_alone_carries_the_script_and_its_address() -> None:
    live = _drawn(live="/live?lang=en", seen="abc-3")
    assert (live.one("body")["data-live"], live.one("body")["data-seen"]) == ("/live?lang=en", "abc-3")
    assert len(live.all("script")) == 1
    still = _drawn(seen="abc-3")
    assert not still.all("script")
    assert {"data-live", "data-seen"} & set(still.one("body").attributes) == set()


@_both
def test_without_scripts_a_live_page_reloads_until_told_not_to(language: str) -> None:
    t = catalog(language).t
    live = _drawn(language, path="", live="/live?lang=en", refresh=True)
    reload, note = live.all("noscript")
    assert (reload.one("meta")["http-equiv"], reload.one("meta")["content"]) == ("refresh", "15")
    assert "15" in note.text
    assert note.one("a")["href"] == "?refresh=0"
    stopped = _drawn(language, path="", live="/live?lang=en", refresh=False)
    (note,) = stopped.all("noscript")
    assert (note.one("a").text, note.one("a")["href"]) == (plain(t("Refresh this page by itself")), f"/{language}/")


@_both
@pytest.mark.parametrize("length", [0, 900, 5_000, 123_456])
def test_the_weight_stated_is_that_of_the_whole_document(length: int, language: str) -> None:
    """In thousands of bytes, itself included, whatever the letters weigh."""
    page = Page(path="", title="é", content="é" * length, footer=("first",))
    document = render(page, Reader.of(language, settings()))
    footer = read(document.decode()).one("footer")
    first, stated = (node.text for node in footer.all("span"))
    assert first == "first"
    kilobytes = int(re.sub(r"\D", "", re.split(r"kB|ko", stated)[0]))
    assert abs(kilobytes * 1000 - len(document)) <= 510
    assert re.search(r"1 (request|requête)$", stated)


def test_style_and_script_are_packed_without_losing_a_rule() -> None:
    assert "/*" not in STYLE + SCRIPT
    assert "\n" not in STYLE
    assert STYLE.count("{") == STYLE.count("}")
    assert SCRIPT.count("{") == SCRIPT.count("}")
    assert "</" not in STYLE + SCRIPT  # neither can end its own element
    for width in re.findall(r"@media[^{]*", STYLE):
        assert re.search(r"\w", width)
    assert "prefers-reduced-motion" in STYLE


def test_something_to_copy_is_exact() -> None:
    text = 'a  b\n<c> & "d"'
    block = read(str(code_block(text)))
    assert "".join(block.one("code").pieces()) == text


# Before the first call


def _welcome(language: str, **providers: ProviderSettings) -> Node:
    chosen = Settings(organisation=OrganisationSettings(language=language), providers=providers)
    return read(str(welcome("http://localhost:9", Reader.of(language, chosen))))


_DEFAULT = ProviderSettings(base_url="https://api.openai.com/v1", default=True)


@_both
def test_with_a_default_provider_one_line_is_enough(language: str) -> None:
    page = _welcome(language, openai=_DEFAULT)
    codes = [node.text for node in page.all("code")]
    assert codes[:2] == [
        'client = OpenAI(base_url="http://localhost:9/v1")',
        "export OPENAI_BASE_URL=http://localhost:9/v1",
    ]
    assert codes[2:] == ["x-mesure-team: support x-mesure-use-case: call-reason"]
    assert "https://api.openai.com/v1" in page.all("p")[-1].text
    assert not any("--upstream" in code for code in codes)


@_both
def test_each_other_provider_has_its_own_address(language: str) -> None:
    others = {name: replace(_DEFAULT, default=False) for name in ("mistral", "own-1")}
    page = _welcome(language, openai=_DEFAULT, **others)
    codes = [node.text for node in page.all("code")]
    for name in others:
        assert f'base_url="http://localhost:9/providers/{name}"' in codes
        assert any(node.text.endswith(name) for node in page.all("h2"))
    assert not any("/providers/openai" in code for code in codes)


@_both
def test_without_a_default_calls_would_be_refused_and_it_says_so_first(language: str) -> None:
    page = _welcome(language, other=replace(_DEFAULT, default=False))
    assert page.all("code")[0].text == "mesure up --upstream https://api.openai.com/v1"
    assert page.all("p")[0].text == plain(
        catalog(language).t(
            "No provider answers here yet, so calls would be refused. First name one in mesure.toml, or start with:"
        )
    )


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:8420", "[::1]:8420", "meter.localhost"])
def test_the_address_to_copy_is_the_one_that_was_reached(host: str) -> None:
    answer = client_of(HeldSource(web_scenes.empty())).get("/en/", headers={"host": host})
    assert f'client = OpenAI(base_url="http://{host}/v1")' in [node.text for node in read(answer.text).all("code")]


@_both
def test_the_footer_says_versions_and_its_own_use(language: str) -> None:
    page = read(client_of(HeldSource(web_scenes.office())).get(f"/{language}/why").text)
    versions, own, weight = (node.text for node in page.one("footer").all("span"))
    assert re.search(r"20\d\d\.\d+\.\d+", versions)
    assert re.search(r"20\d\d-\d\d-\d\d", versions)
    assert re.search(r"2[.,]1 W \[1[.,]2–3[.,]9\]", own)
    assert own.endswith(catalog(language).t("modelled"))
    assert re.search(r"\d+ (kB|ko), 1 (request|requête)", weight)
