"""The first lines: estimated or used, more or less, large or little."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import web_scenes
from held_pages import settings
from htpy import fragment

from mesure.apps.web import everyday
from mesure.apps.web.actions import next_actions
from mesure.apps.web.reader import Reader
from mesure.apps.web.sentence import change, failures, lede, trend
from mesure.catalogue import current
from mesure.config import ProviderSettings, Settings
from mesure.i18n import catalog
from mesure.ledger.view import Overview
from mesure.quantity import Status


def _plain(node: Any) -> str:
    text = re.sub(r"<[^>]+>", "", str(fragment[node]))
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def _reader(language: str = "fr", **organisation: Any) -> Reader:
    return Reader.of(language, settings(**organisation))


def test_what_is_modelled_is_estimated() -> None:
    overview = web_scenes.office()
    assert _plain(lede(overview, _reader())) == (
        "Ce mois-ci, la consommation de votre IA est estimée à 41 kWh [27–73] et 11 kg CO₂e [4–28]."
    )
    assert _plain(lede(overview, _reader("en"))) == (
        "This month, your AI use is estimated at 41 kWh [27–73] and 11 kg CO₂e [4–28]."
    )


@pytest.mark.parametrize("status", [Status.MODELLED, Status.DECLARED, Status.DEFAULT])
def test_only_what_was_measured_was_used(status: Status) -> None:
    small = web_scenes.small()
    assert small.month.energy_wh is not None
    weaker = web_scenes.small(
        month=web_scenes.window(web_scenes.MONTH, small.month.energy_wh._replace(status=status), 3)
    )
    assert "votre IA a consommé 1,4 Wh" in _plain(lede(small, _reader()))
    assert "est estimée à 1,4 Wh" in _plain(lede(weaker, _reader()))


def test_unknown_carbon_is_not_left_out_silently() -> None:
    overview = web_scenes.office(month=web_scenes.window(web_scenes.MONTH, web_scenes.q(1, 2, 3), 5, gwp_gco2eq=None))
    assert "son CO₂e est inconnu" in _plain(lede(overview, _reader()))


def test_a_month_without_calls_says_so() -> None:
    assert _plain(lede(web_scenes.empty(), _reader())) == "Aucun appel d’IA depuis le 1er novembre."
    assert trend(web_scenes.empty(), _reader()) == ""


def test_trend_against_the_same_point() -> None:
    overview = web_scenes.office()
    assert _plain(trend(overview, _reader())) == (
        "18 % d’énergie en plus qu’au même point d’octobre, pour 31 % d’appels en plus."
    )
    assert _plain(trend(overview, _reader("en"))) == (
        "18% more energy than at the same point of October, for 31% more calls."
    )


def _against(energy_ratio: float, calls_ratio: float) -> Overview:
    office = web_scenes.office()
    assert office.month.energy_wh is not None
    previous = web_scenes.window(
        office.previous.since, office.month.energy_wh.scaled(1 / energy_ratio), round(office.month.calls / calls_ratio)
    )
    return web_scenes.office(previous=previous)


@pytest.mark.parametrize(
    ("energy", "calls", "text"),
    [
        (1.0, 1.0, "As much energy as at the same point of October, for as many calls."),
        (0.8, 0.7, "20% less energy than at the same point of October, for 30% fewer calls."),
        (3.4, 12.0, "3.4 times as much energy as at the same point of October, for 12 times as many calls."),
        (0.0001, 0.0001, "99.9% less energy than at the same point of October, for 99.9% fewer calls."),
    ],
)
def test_trends_in_words(energy: float, calls: float, text: str) -> None:
    assert trend(_against(energy, calls), _reader("en")) == text


def test_nothing_before_is_not_a_trend() -> None:
    assert "pas encore de comparaison" in trend(web_scenes.small(), _reader())


def test_change_of_a_hair_is_no_change() -> None:
    en = catalog("en")
    assert change(1.004, en) == change(0.996, en) == "As much energy"


def test_a_large_total_is_told_in_bulbs() -> None:
    text = _plain(everyday.sentence(web_scenes.office().month, current(), _reader()))
    assert text == "Autant que 10 [7–18] ampoules LED de 8 W allumées sans arrêt depuis le 1er novembre."


def test_headcount_gives_the_scale() -> None:
    month = web_scenes.office().month
    assert "ce qui est peu pour 900 personnes" in _plain(everyday.sentence(month, current(), _reader(headcount=900)))
    assert "peu" not in _plain(everyday.sentence(month, current(), _reader(headcount=20)))


@pytest.mark.parametrize(
    ("wh", "text"),
    [
        (1.4, "Autant qu’une ampoule LED de 8 W allumée 10 min"),
        (0.001, "Autant qu’une ampoule LED de 8 W allumée 0,45 s"),
        (40.0, "Autant qu’une ampoule LED de 8 W allumée 5,0 h"),
        (500.0, "Autant que porter 4,6 L"),
    ],
)
def test_small_totals_say_that_they_are(wh: float, text: str) -> None:
    month = web_scenes.window(web_scenes.MONTH, web_scenes.q(wh * 0.5, wh, wh * 1.5), 148)
    told = _plain(everyday.sentence(month, current(), _reader()))
    assert told.startswith(text)
    assert "c’est peu. Restée allumée depuis le 1er novembre, une ampoule LED de 8 W aurait consommé 4,14 kWh." in told


def test_small_in_the_middle_but_not_surely_is_not_called_little() -> None:
    month = web_scenes.window(web_scenes.MONTH, web_scenes.q(100, 3_000, 9_000), 148)
    assert "peu" not in _plain(everyday.sentence(month, current(), _reader()))


def test_everyday_factors_have_units_of_energy() -> None:
    led, kettle = current().factor(everyday.LED_HOUR), current().factor(everyday.LITRE_BOILED)
    assert (led.unit, kettle.unit) == ("Wh/hour", "Wh/L")
    assert kettle.value == pytest.approx(4.186 * 80 / 3.6 / 0.85, rel=1e-3)


def test_a_window_without_time_has_no_proportion() -> None:
    month = web_scenes.window(web_scenes.NOW, web_scenes.q(1, 2, 3), 1)
    assert everyday.proportion(month, current()) is None


def test_actions_start_with_what_is_unknown() -> None:
    actions = next_actions(web_scenes.office(), _reader("en"), little=False)
    assert [action.what for action in actions] == [
        "State where openai runs",
        "Check the model “assistant-maison”",
        "Weigh gpt-4o against a smaller model",
    ]
    assert actions[2].how == "mesure estimate gpt-4o --input 1204 --output 402"
    assert actions[2].effect == "59% of this month’s energy"


def test_nobody_is_asked_to_lower_what_is_little() -> None:
    actions = next_actions(web_scenes.small(), _reader("en"), little=True)
    assert [action.what for action in actions] == ["State where openai runs"]
    assert actions[0].how == '[providers.openai] zone = "FRA"'


def _local(**changes: Any) -> Overview:
    """The calls of a demonstration: a provider whose process is metered, at a place nobody stated."""
    return web_scenes.small(
        last_calls=tuple(replace(call, provider="local", **changes) for call in web_scenes.small().last_calls)
    )


def _local_reader(*notices: str, **provider: Any) -> Reader:
    local = ProviderSettings(base_url="http://127.0.0.1:8600/v1", default=True, meter_cpu_pid=7, **provider)
    return Reader.of("en", Settings(providers={"local": local}), notices)


def test_a_metered_provider_is_asked_its_place_too() -> None:
    (action,) = next_actions(_local(), _local_reader(), little=True)
    assert (action.what, action.how) == ("State where local runs", '[providers.local] zone = "FRA"')
    assert "world’s average" in action.why
    assert next_actions(_local(), _local_reader(zone="FRA"), little=True) == []


def test_the_demonstration_says_its_own_command() -> None:
    (action,) = next_actions(_local(), _local_reader("demo"), little=True)
    assert action.how == "mesure demo --zone FRA"


def test_usual_places_are_not_called_the_world() -> None:
    action = next_actions(web_scenes.small(), _reader("en"), little=True)[0]
    assert "usual places" in action.why
    assert "world" not in action.why


def test_failing_calls_come_before_everything() -> None:
    overview = _local(status="error")
    actions = next_actions(overview, _local_reader(), little=True)
    assert actions[0].what == "Check the provider local: its calls fail"
    assert actions[0].how == "http://127.0.0.1:8600/v1"
    assert "20 of its last 20 calls failed" in actions[0].why
    assert len(actions) == 2


def test_a_month_where_every_call_failed_has_no_figures() -> None:
    overview = web_scenes.failing()
    assert _plain(lede(overview, _reader())) == "Aucun appel d’IA n’a abouti depuis le 1er novembre."
    assert failures(overview, _reader("en")) == "3 calls, which failed: nothing to measure."
    assert everyday.sentence(overview.month, current(), _reader()) is None
    assert [action.what for action in next_actions(overview, _reader("en"), little=True)] == [
        "Check the provider openai: its calls fail"
    ]


def test_one_failure_among_many_is_no_alarm() -> None:
    calls = list(web_scenes.small().last_calls)
    calls[3] = replace(calls[3], status="error")
    actions = next_actions(web_scenes.small(last_calls=tuple(calls)), _reader("en"), little=True)
    assert not any("fail" in action.what for action in actions)
