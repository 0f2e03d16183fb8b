"""A factor as a line of a page: value, unit, source, year, licence, and how sure it is."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, client_of, settings
from page_reader import Node, plain, read

from mesure.apps.web.factors import factor_line, factor_lines, tidy
from mesure.apps.web.reader import Reader
from mesure.apps.words import FACTOR_STATUSES, UNITS
from mesure.catalogue import Factor, current
from mesure.i18n import catalog
from mesure.meter.sensors import factor as sensor_factor
from mesure.meter.sensors.factors import ANY_CPU

_both = pytest.mark.parametrize("language", ["fr", "en"])


def _factor(**changes: Any) -> Factor:
    given = {
        "id": "sites.acme.pue.2025",
        "value": 1.25,
        "low": 1.1,
        "high": 1.5,
        "unit": "ratio",
        "source": "Acme, report",
        "source_url": "https://acme.example/report",
        "year": 2025,
        "licence": "CC BY 4.0",
        "status": "published",
        "note": "",
    }
    return Factor(**given | changes)


def _line(factor: Any, language: str = "en") -> Node:
    return read(str(factor_line(factor, Reader.of(language, settings()))))


def test_a_line_reads_as_its_row_of_the_catalogue() -> None:
    assert _line(_factor()).text == "1.25 [1.1–1.5] · Acme, report · 2025 · licence: CC BY 4.0 · sites.acme.pue.2025"
    assert _line(_factor(), "fr").text == (
        "1,25 [1,1–1,5] · Acme, report · 2025 · licence : CC BY 4.0 · sites.acme.pue.2025"
    )


def test_figures_of_one_source_stand_on_one_line() -> None:
    other = _factor(id="sites.acme.pue.2024", value=1.5, low=1.5, high=1.5)
    apart = _factor(id="sites.acme.wue.2025", value=0.2, low=0.2, high=0.2, unit="L/kWh", source="Acme, water report")
    one, two = (read(str(line)) for line in factor_lines([_factor(), apart, other], Reader.of("en", settings())))
    assert one.text == (
        "sites.acme.pue.2025 = 1.25 [1.1–1.5] · sites.acme.pue.2024 = 1.5 · Acme, report · 2025 · licence: CC BY 4.0"
    )
    assert two.text == _line(apart).text
    assert factor_lines([], Reader.of("en", settings())) == []


@pytest.mark.parametrize("column", ["source", "source_url", "year", "licence", "status"])
def test_what_differs_in_its_provenance_stands_apart(column: str) -> None:
    other = _factor(id="sites.acme.pue.2024", **{column: 2024 if column == "year" else "estimated"})
    assert len(factor_lines([_factor(), other], Reader.of("en", settings()))) == 2


@_both
def test_its_source_is_a_link_that_says_its_language(language: str) -> None:
    link = _line(_factor(), language).one("a")
    assert (link["href"], link["rel"]) == ("https://acme.example/report", "noreferrer")
    assert link["lang"] == ("" if language == "en" else "en")
    assert _line(_factor(source_url="http://acme.example"), language).one("a")["href"] == "http://acme.example"


@pytest.mark.parametrize(
    "address", ["internal", "rakam-frugal-ai 2026.7.28 (Python package)", "", "javascript:alert(1)"]
)
def test_what_is_no_address_is_no_link(address: str) -> None:
    line = _line(_factor(source_url=address), "fr")
    assert not line.all("a")
    (title,) = line.all("span")
    assert (title.text, title["lang"]) == ("Acme, report", "en")


@_both
@pytest.mark.parametrize("status", FACTOR_STATUSES)
def test_what_is_less_than_published_is_said(status: str, language: str) -> None:
    words = plain(catalog(language).t(FACTOR_STATUSES[status]))
    assert f" · {words} · " in _line(_factor(status=status), language).text
    assert words not in _line(_factor(), language).text


@pytest.mark.parametrize("column", ["source", "licence"])
def test_a_working_note_shows_as_what_it_means(column: str) -> None:
    given = getattr(_factor(), column)
    noted = _line(_factor(**{column: f"{given}, page not opened: verify"})).text
    assert noted == _line(_factor(status="unchecked")).text
    assert "to be checked" in noted


@pytest.mark.parametrize(
    ("source", "french", "english"),
    [
        ("Mesure authors, guess", "hypothèse des auteurs de Mesure", "assumption of Mesure's authors"),
        (
            "Mesure authors, assumption: a usual length",
            "hypothèse des auteurs de Mesure : a usual length",
            "assumption of Mesure's authors: a usual length",
        ),
    ],
)
def test_an_assumption_of_ours_is_said_once_and_links_to_no_paper(source: str, french: str, english: str) -> None:
    one = _factor(source=source, status="assumed", source_url="https://arxiv.org/abs/1")
    for language, words in (("fr", french), ("en", english)):
        line = _line(one, language)
        assert words.replace("'", "’") in line.text
        assert not line.all("a")
        assert plain(catalog(language).t(FACTOR_STATUSES["assumed"])) not in line.text.split(" · ")
    quoted = [node for node in _line(one, "fr").all("span") if node["lang"]]
    assert [node.text for node in quoted] == (["a usual length"] if ":" in source else [])


@pytest.mark.parametrize(
    ("changes", "french", "english"),
    [
        (
            {"value": 41.44, "low": 41.44, "high": 41.44, "unit": "gCO2e/kWh"},
            "41,44 g CO₂e/kWh ·",
            "41.44 g CO₂e/kWh ·",
        ),
        (
            {"value": 16384.0, "low": 16384.0, "high": 16384.0, "unit": "elements"},
            "16 384 éléments ·",
            "16,384 elements ·",
        ),
        (
            {"value": 5e-6, "low": 5e-6, "high": 5e-6, "unit": "gSbeq/kWh"},
            "0,000005 g Sb eq/kWh ·",
            "0.000005 g Sb eq/kWh ·",
        ),
        ({"value": 0.0, "low": 0.0, "high": 0.4, "unit": "1"}, "0 [0–0,4] ·", "0 [0–0.4] ·"),
        (
            {"value": 123.456, "low": 100.0, "high": 1234.5, "unit": "W"},
            "123,5 W [100–1 234] ·",
            "123.5 W [100–1,234] ·",
        ),
    ],
)
def test_a_value_has_four_digits_and_its_unit(changes: dict[str, Any], french: str, english: str) -> None:
    assert _line(_factor(**changes), "fr").text.startswith(french)
    assert _line(_factor(**changes), "en").text.startswith(english)


@_both
def test_units_that_are_words_are_translated(language: str) -> None:
    for unit, words in UNITS.items():
        value = _line(_factor(unit=unit, low=1.25, high=1.25), language).text.split(" · ")[0]
        assert value.partition(" ")[2] == (plain(catalog(language).t(words)) if words else "")


@_both
def test_a_sensor_s_factor_reads_like_any_other(language: str) -> None:
    text = _line(sensor_factor(ANY_CPU), language).text
    assert text.split(" · ")[-1] == ANY_CPU
    assert plain(catalog(language).t(FACTOR_STATUSES["default"])) in text


@pytest.mark.parametrize(
    ("given", "text", "unchecked"),
    [
        ("NVIDIA, A10: seller figure, page not opened: verify", "NVIDIA, A10: seller figure", True),
        ("MPL-2.0 (keep this file apart)", "MPL-2.0", False),
        ("CC BY 4.0 (site), confirm", "CC BY 4.0 (site)", True),
        ("Open Government Licence - Canada to confirm for this page", "Open Government Licence - Canada", True),
        ("Seller (to verify)", "Seller", True),
        ("CC BY 4.0", "CC BY 4.0", False),
        ("", "", False),
    ],
)
def test_working_notes_become_a_status(given: str, text: str, unchecked: bool) -> None:
    assert tidy(given) == (text, unchecked)


def test_no_factor_shows_a_working_note() -> None:
    for found in current().factors():
        assert not re.search(
            r"\b(verify|confirm|not opened|keep this)\b", tidy(found.source)[0] + tidy(found.licence)[0]
        )
        assert tidy(found.licence)[0]


@_both
def test_every_kind_of_factor_of_the_catalogue_has_a_whole_line(language: str) -> None:
    """One of each table, unit and status: nothing of the row is lost on the way to the page."""
    kinds = {(found.id.split(".")[0], found.unit, found.status): found for found in current().factors()}
    for found in kinds.values():
        text = _line(found, language).text
        assert found.id in text
        assert f" · {found.year} · " in text
        assert plain(tidy(found.licence)[0]) in text
        assert plain(catalog(language).plain(found.value)) in text
        assert "Mesure" in text or plain(tidy(found.source)[0]) in text


def test_factors_of_the_api_carry_their_provenance(source: HeldSource) -> None:
    known = current().factors()[0]
    month = web_scenes.window(web_scenes.MONTH, web_scenes.q(1, 2, 3)._replace(sources=(known.id,)), 3, gwp_gco2eq=None)
    source.now = web_scenes.office(month=month, models=())
    (found,) = (f for f in client_of(source).get("/api/overview").json()["factors"] if f["id"] == known.id)
    assert found == known.to_json()


@pytest.mark.parametrize(("count", "rest"), [(28, 0), (29, 1), (40, 12)])
@_both
def test_a_long_list_says_how_many_more_there_are(source: HeldSource, count: int, rest: int, language: str) -> None:
    """Thirty stand on the page, the two of the everyday scale among them."""
    ids = tuple(found.id for found in current().factors() if found.id.startswith("grids."))[:count]
    month = web_scenes.office().month
    assert month.energy_wh is not None
    lined = replace(month, energy_wh=month.energy_wh._replace(sources=ids), gwp_gco2eq=None)
    source.now = web_scenes.office(month=lined)
    page = read(client_of(source).get(f"/{language}/why").text).one("main")
    listed = [node.text for node in page.all("code")]
    assert [name for name in listed if name.startswith("grids.")] == list(ids[:30])
    more = [link.text for link in page.all("a") if link["href"] == "/api/overview"]
    assert [text.split()[0] for text in more] == ([str(rest)] if rest else [])
