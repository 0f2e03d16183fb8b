"""Everyday equivalents against arithmetic of their own, for any month."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import web_scenes
from held_pages import settings
from htpy import fragment
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from mesure.apps.web import everyday
from mesure.apps.web.actions import next_actions
from mesure.apps.web.figures import badge, figure
from mesure.apps.web.reader import Reader
from mesure.apps.words import STATUSES
from mesure.catalogue import current
from mesure.i18n import catalog
from mesure.ledger.view import Window
from mesure.quantity import Quantity, Status

_SINCE = datetime(2026, 10, 31, 23, tzinfo=UTC)


def _window(wh: float, hours: float, spread: float = 1.5) -> Window:
    energy = Quantity(wh / spread, wh, wh * spread, "Wh", Status.MODELLED, web_scenes.ENERGY)
    return web_scenes.window(_SINCE, energy, 5, until=_SINCE + timedelta(hours=hours))


def _plain(node: Any) -> str:
    text = re.sub(r"<[^>]+>", "", str(fragment[node]))
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def _reader(language: str = "en", **organisation: Any) -> Reader:
    return Reader.of(language, settings(**organisation))


@how(max_examples=80, deadline=None)
@given(st.floats(1e-6, 1e12), st.floats(0.01, 744), st.floats(1, 20))
def test_bulbs_and_litres_are_the_energy_in_other_words(wh: float, hours: float, spread: float) -> None:
    found = everyday.proportion(_window(wh, hours, spread), current())
    assert found is not None
    catalogue = current()
    bulb, litre = (catalogue.factor(name).value for name in (everyday.LED_HOUR, everyday.LITRE_BOILED))
    assert found.bulbs.mid * bulb * hours == pytest.approx(wh)
    assert found.bulbs.high * bulb * hours == pytest.approx(wh * spread)
    assert found.litres.mid * litre == pytest.approx(wh)
    per_unit = {"h": 1.0, "min": 60.0, "s": 3600.0}[found.bulb_time.unit]
    assert found.bulb_time.mid / per_unit * bulb == pytest.approx(wh)
    assert found.bulb_wh.mid == pytest.approx(bulb * round(hours))
    assert found.little is (wh * spread / hours / bulb < 1.0)


@how(max_examples=60, deadline=None)
@given(st.floats(1e-3, 1e9), st.integers(1, 100_000))
def test_more_people_make_a_total_smaller_never_larger(wh: float, people: int) -> None:
    one, more = (everyday.proportion(_window(wh, 500.0), current(), count) for count in (people, people * 2))
    assert one is not None
    assert more is not None
    assert more.little or not one.little


@how(max_examples=60, deadline=None)
@given(st.floats(1e-5, 1e9), st.sampled_from(["fr", "en"]), st.sampled_from([0, 3, 5000]))
def test_a_sentence_is_whole_and_its_number_is_one_of_the_proportion(wh: float, language: str, people: int) -> None:
    reader, window = _reader(language, headcount=people), _window(wh, 500.0)
    text = _plain(everyday.sentence(window, current(), reader))
    found = everyday.proportion(window, current(), people)
    assert found is not None
    assert text.endswith(".")
    assert "{" not in text
    assert ".." not in text
    told = [_plain(str(reader.t.quantity(value))) for value in (found.bulbs, found.litres, found.bulb_time)]
    assert any(value in text for value in told)


def test_no_energy_no_sentence() -> None:
    empty = web_scenes.window(_SINCE, None, 0)
    assert everyday.proportion(empty, current()) is None
    assert everyday.sentence(empty, current(), _reader()) is None


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_status_has_a_badge_in_words(status: Status, language: str) -> None:
    t = catalog(language)
    text = str(badge(status, t))
    assert f">{t.t(STATUSES[status])}<" in text
    assert ('class="badge m"' in text) is (status not in (Status.MEASURED, Status.REPORTED))


@pytest.mark.parametrize(
    ("quantity", "text", "under_head"),
    [
        (None, "—", "—"),
        (Quantity(0.18, 0.31, 0.52, "Wh", Status.MODELLED), "0.31 Wh [0.18–0.52]", "0.31 Wh [0.18–0.52]"),
        (Quantity(5, 5, 5, "Wh", Status.MEASURED), "5 Wh", "5 Wh"),
        (Quantity(80, 120, 190, "gCO2eq", Status.MODELLED), "120 g CO₂e [80–190]", "120 g [80–190]"),
    ],
)
def test_figures(quantity: Quantity | None, text: str, under_head: str) -> None:
    t = catalog("en")
    assert _plain(figure(quantity, t)) == text
    assert _plain(figure(quantity, t, under_head=True)) == under_head


# What to do next


def _whats(overview: Any, *, little: bool = False, language: str = "en") -> list[str]:
    return [action.what for action in next_actions(overview, _reader(language), little=little)]


def test_at_most_three_and_each_says_how() -> None:
    for scene in web_scenes.SCENES.values():
        for language in ("fr", "en"):
            actions = next_actions(scene(), _reader(language), little=False)
            assert len(actions) <= 3
            assert all(action.what and action.effect and action.why and action.how for action in actions)


def test_nothing_recorded_nothing_asked() -> None:
    assert _whats(web_scenes.empty()) == []


def test_the_largest_model_is_named_with_one_of_its_own_calls() -> None:
    overview = web_scenes.office()
    action = next(a for a in next_actions(overview, _reader(), little=False) if "gpt-4o" in a.what)
    used = [(c.input_tokens, c.output_tokens) for c in overview.last_calls if c.model == "gpt-4o"]
    read, written = (int(number) for number in re.findall(r"--(?:input|output) (\d+)", action.how))
    assert (read, written) in used
    assert action.how.startswith("mesure estimate gpt-4o ")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"last_calls": ()}, False),  # no call to take as an example
        ({"models": web_scenes.office().models[3:4]}, False),  # nothing known to weigh
        ({"models": (*web_scenes.office().models[1:2],)}, False),  # too small a share, and no typical call of it
        ({}, True),
    ],
)
def test_when_the_largest_model_is_worth_a_word(changes: dict[str, Any], told: bool) -> None:
    whats = _whats(web_scenes.office(**changes))
    assert any(what.startswith("Weigh") for what in whats) is told


def test_a_place_that_is_stated_is_not_asked_for() -> None:
    overview = web_scenes.small(
        last_calls=tuple(web_scenes.call(i, "m", web_scenes.q(1, 2, 3), provider="mistral") for i in range(20))
    )
    assert not any("State where" in what for what in _whats(overview))
    overview = web_scenes.small(
        last_calls=tuple(web_scenes.call(i, "m", web_scenes.q(1, 2, 3), provider="openai") for i in range(20))
    )
    assert "State where openai runs" in _whats(overview, little=True)


def test_named_calls_are_not_asked_their_name() -> None:
    named = web_scenes.office(last_calls=tuple(c for c in web_scenes.office().last_calls if c.use_case))
    assert "Name your use cases" in _whats(web_scenes.office(), little=True)
    assert "Name your use cases" not in _whats(named, little=True)
