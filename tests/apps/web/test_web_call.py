"""The page of one call: its facts, its calculation, and where each figure comes from."""

from __future__ import annotations

import re
from typing import Any

import pytest
import web_scenes
from held_pages import HeldSource, client_of
from page_reader import read
from starlette.testclient import TestClient
from usage_events import called, sensed

from mesure.apps.words import FORMULAS, STEPS, WARNINGS
from mesure.i18n import catalog
from mesure.impact.explain import explain
from mesure.ledger import Pricer
from mesure.meter.sensors.factors import ANY_CPU


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_call_opens_on_its_calculation(source: HeldSource, language: str) -> None:
    event = called()
    source.events[event.id] = event
    answer = client_of(source).get(f"/{language}/calls/{event.id}")
    page = read(answer.text)
    elements, text = len(page.all()), page.text
    assert answer.status_code == 200
    assert elements <= 350
    assert len(answer.content) <= 50_000
    energy = Pricer({}).impacts(event).energy_wh
    assert energy is not None
    assert str(catalog(language).quantity(energy)).replace("\u202f", " ") in text
    assert ("Le calcul" if language == "fr" else "The calculation") in text
    assert re.search(r"20\d\d · licence ?:", text)
    assert "PUE" in text


def test_an_unknown_model_says_that_its_figure_is_a_default(source: HeldSource) -> None:
    event = called(model_requested="my-own-model", model_answered=None)
    source.events[event.id] = event
    text = read(client_of(source).get(f"/fr/calls/{event.id}").text).text
    assert "par défaut" in text
    assert "Le modèle est absent du catalogue : une valeur par défaut, à fourchette large, le remplace." in text


def test_a_call_that_does_not_exist_is_a_missing_page(client: TestClient) -> None:
    assert client.get("/fr/calls/nope").status_code == 404


def test_the_method_s_words_are_those_of_the_method() -> None:
    """A step, formula or warning renamed in `impact` must be renamed here."""
    read: dict[str, Any] = {"energy_j": 30.0, "energy_status": "measured"}
    events = [
        called(),
        called(model_answered="my-own-model", input_tokens=None, output_tokens=None),
        *(called(**read, energy_scope=scope) for scope in ("process", "cpu", "accelerator", "server")),
        called(operation="image", images_count=2, model_answered="flux.1-dev", provider=None),
    ]
    for explanation in (explain(Pricer({}).impacts(event)) for event in events):
        nodes = [node for root in explanation.roots if root.quantity for node in root.walk()]
        assert {node.name for node in nodes} <= set(STEPS)
        assert set(explanation.warnings) <= set(WARNINGS)
        for formula in {node.formula for node in nodes} - FORMULAS:
            assert set(formula.split(" x ")) <= set(STEPS), formula


def test_a_modelled_sensor_is_never_said_to_be_read(source: HeldSource) -> None:
    event = sensed()
    source.events[event.id] = event
    client = client_of(source)
    text = read(client.get(f"/en/calls/{event.id}").text).text
    assert "read where the call ran" not in text
    assert "processor time x power of a busy thread" in text
    assert "calculated from the processor time of this call" in text
    assert "from this energy and the world’s average electricity" in text
    assert "Energy: modelled" in text
    assert "CO₂e: by default" in text
    assert "Processor time 0.5 s" in text
    assert "4.8 W [1.2–10.9] · SPECpower_ssj2008" in text
    french = read(client.get(f"/fr/calls/{event.id}").text).text
    assert "temps de processeur × puissance d’un fil d’exécution occupé" in french


def test_a_counter_of_the_processor_is_read_and_names_its_factor(source: HeldSource) -> None:
    event = sensed(energy_sensor="rapl", energy_status="measured", energy_scope="cpu")
    source.events[event.id] = event
    text = read(client_of(source).get(f"/en/calls/{event.id}").text).text
    assert "read where the call ran" in text
    assert "cpu.rapl_neighbour_ratio" in text
    assert "Processor time" not in text


def test_a_power_that_no_factor_of_ours_gives_is_not_named(source: HeldSource) -> None:
    event = sensed(energy_low_j=0.1)
    source.events[event.id] = event
    assert "SPECpower" not in client_of(source).get(f"/en/calls/{event.id}").text


def test_the_month_and_the_api_name_the_sensor_s_factor(source: HeldSource) -> None:
    event = sensed()
    source.events[event.id] = event
    source.now = web_scenes.small(last_calls=(web_scenes.call(1, "gemma-3-270m", web_scenes.q(1, 2, 3), id=event.id),))
    client = client_of(source)
    text = read(client.get("/en/why").text).text
    assert "4.8 W [1.2–10.9] · SPECpower_ssj2008" in text
    assert "default value" in text
    (found,) = (f for f in client.get("/api/overview").json()["factors"] if f["id"] == ANY_CPU)
    assert found["source"].startswith("SPECpower")
