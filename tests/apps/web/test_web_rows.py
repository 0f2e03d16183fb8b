"""The list of last calls, cell by cell: what each says of its call, and what it says when nothing is known."""

from __future__ import annotations

from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, client_of, settings
from page_reader import Node, plain, read

from mesure.apps.web.calls import ROWS, Units, row, units_of
from mesure.apps.web.figures import UNKNOWN, badge, badges, figure, headline, largest
from mesure.apps.web.reader import Reader
from mesure.apps.words import ENVIRONMENTS, OUTCOMES, STATUSES
from mesure.i18n import catalog
from mesure.quantity import Quantity, Status

_ENERGY = web_scenes.q(0.1, 0.3, 0.8)
_both = pytest.mark.parametrize("language", ["fr", "en"])
_HEADS = ("time", "use case", "model", "tokens", "energy", "carbon", "origin")


def _cells(language: str = "en", units: Units | None = None, **changes: Any) -> dict[str, Node]:
    values = {"number": 1, "model": "gpt-4o", "energy": _ENERGY} | changes
    call = web_scenes.call(values.pop("number"), values.pop("model"), values.pop("energy"), **values)
    drawn = str(row(call, Reader.of(language, settings()), units or Units(_ENERGY, web_scenes.g(_ENERGY))))
    return dict(zip(_HEADS, read(drawn).all("td"), strict=True))


@_both
def test_a_call_that_went_well_shows_its_facts_and_nothing_else(language: str) -> None:
    cells = _cells(language)
    t = catalog(language)
    assert cells["time"].text == "14:02:09"  # Paris, an hour ahead of UTC in November
    assert cells["use case"].text == "Réponse client Service client"
    assert cells["model"].text == "gpt-4o"
    assert cells["tokens"].text == plain(f"{t.number(1204)} → 186")
    assert cells["energy"].text == plain(str(t.quantity(_ENERGY)))
    assert cells["origin"].text == t.t("modelled")
    assert "CO₂e" not in cells["carbon"].text  # the column's head says it
    assert cells["carbon"].text.endswith("]")


@_both
def test_its_energy_opens_its_calculation(language: str) -> None:
    link = _cells(language)["energy"].one("a")
    assert link["href"] == f"/{language}/calls/01931f2c-0000-7000-8000-000000000001"
    assert link["title"] == catalog(language).t("Why this figure?")


@_both
@pytest.mark.parametrize("status", OUTCOMES)
def test_an_outcome_that_is_not_well_is_said(language: str, status: str) -> None:
    flags = _cells(language, status=status)["model"].one("small")
    assert (flags.text, flags.classes) == (plain(catalog(language).t(OUTCOMES[status])), ["f"])


@_both
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_calls_that_are_no_production_are_said(language: str, environment: str) -> None:
    flags = _cells(language, environment=environment)["model"].one("small")
    assert flags.text == catalog(language).t(ENVIRONMENTS[environment])


@_both
def test_all_that_must_be_known_before_comparing_stands_together(language: str) -> None:
    t = catalog(language).t
    text = (
        _cells(language, known=False, status="truncated", environment="test", route="cache")["model"].one("small").text
    )
    assert text == ", ".join((t("unknown model"), t("cut short"), t("test"), "cache"))


@pytest.mark.parametrize(
    ("changes", "cell", "text"),
    [
        ({"use_case": None}, "use case", f"{UNKNOWN} Service client"),
        ({"use_case": None, "team": None}, "use case", UNKNOWN),
        ({"team": None}, "use case", "Réponse client"),
        ({"model": None}, "model", UNKNOWN),
        ({"input_tokens": None}, "tokens", f"{UNKNOWN} → 186"),
        ({"output_tokens": None}, "tokens", f"1,204 → {UNKNOWN}"),
        ({"input_tokens": 0, "output_tokens": 0}, "tokens", "0 → 0"),
        ({"gwp_gco2eq": None}, "carbon", UNKNOWN),
    ],
)
def test_unknown_is_a_dash_and_none_is_none(changes: dict[str, Any], cell: str, text: str) -> None:
    assert _cells(**changes)[cell].text == text


def test_figures_are_set_to_the_right_and_small_screens_know_their_unit() -> None:
    cells = _cells()
    assert [name for name, cell in cells.items() if "n" in cell.classes] == ["tokens", "energy", "carbon"]
    assert cells["tokens"]["data-unit"] == "tokens"
    assert _cells("fr")["tokens"]["data-unit"] == "jetons"


def test_a_page_shows_the_newest_ten(source: HeldSource) -> None:
    shown = [node["href"][-2:] for node in read(client_of(source).get("/fr/").text).by_id("calls").all("a")]
    assert shown == [f"{number:02x}" for number in range(ROWS)] == [f"{number:02x}" for number in range(10)]


def test_units_are_those_of_the_calls_shown() -> None:
    """A call that is no longer on the page has no say in the unit of the column."""
    huge = web_scenes.call(99, "m", web_scenes.q(1e6, 2e6, 3e6))
    small = tuple(web_scenes.call(i, "m", web_scenes.q(1e-4, 2e-4, 3e-4)) for i in range(ROWS))
    assert units_of(web_scenes.office(last_calls=(*small, huge))).energy == small[0].energy_wh
    assert units_of(web_scenes.office(last_calls=(huge, *small))).energy == huge.energy_wh
    assert units_of(web_scenes.empty()) == Units(None, None)


# Figures and badges


@_both
@pytest.mark.parametrize("status", list(Status))
def test_a_badge_is_in_words_and_says_of_what(status: Status, language: str) -> None:
    t = catalog(language)
    one, of = read(str(badge(status, t))).one("span"), read(str(badge(status, t, "CO₂e"))).one("span")
    assert one.text == plain(t.t(STATUSES[status]))
    assert of.text == ("CO₂e : " if language == "fr" else "CO₂e: ") + one.text
    sure = status in (Status.MEASURED, Status.REPORTED)
    assert one.classes == of.classes == (["badge"] if sure else ["badge", "m"])


@pytest.mark.parametrize(
    ("energy", "carbon", "text"),
    [
        (Status.MODELLED, Status.MODELLED, "modelled"),
        (Status.MEASURED, Status.MODELLED, "measured CO₂e: modelled"),
        (Status.MEASURED, Status.DEFAULT, "measured CO₂e: by default"),
        (Status.DEFAULT, None, "by default"),
    ],
)
def test_one_badge_where_it_holds_for_both(energy: Status, carbon: Status | None, text: str) -> None:
    of = web_scenes.q(1, 2, 3, status=energy)
    gas = None if carbon is None else web_scenes.g(of)._replace(status=carbon)
    assert read(str(badges(of, gas, catalog("en")))).text == text


def test_a_call_that_used_nothing_has_one_badge() -> None:
    nothing = web_scenes.q(0, 0, 0, status=Status.MEASURED)
    assert (
        read(str(badges(nothing, web_scenes.g(nothing)._replace(status=Status.DEFAULT), catalog("en")))).text
        == "measured"
    )
    least = web_scenes.q(0, 1e-9, 1, status=Status.MEASURED)
    assert "CO₂e" in read(str(badges(least, web_scenes.g(least), catalog("en")))).text


def test_a_figure_without_interval_has_no_brackets() -> None:
    exact = Quantity(2.0, 2.0, 2.0, "Wh", Status.MEASURED)
    for drawn in (figure(exact, catalog("en")), headline(exact, catalog("en"))):
        assert plain(read(str(drawn)).text) == "2 Wh"
        assert not read(str(drawn)).all("small")
    assert plain(read(str(headline(_ENERGY, catalog("fr")))).text) == "0,30 Wh [0,10–0,80]"
    assert str(figure(None, catalog("fr"))) == UNKNOWN


def test_the_largest_gives_its_unit() -> None:
    low, high = web_scenes.q(1, 2, 300), web_scenes.q(2, 3, 4)
    assert largest([low, None, high]) == high  # by its middle, whatever its bounds
    assert largest([None, None]) is None
    assert largest([]) is None
