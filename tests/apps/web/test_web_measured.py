"""Pages of what sensors measured: a call's sensor in words with its stated error, and machines that idle."""

from __future__ import annotations

from dataclasses import replace

import pytest
import web_scenes
from held_pages import HeldSource, pages
from starlette.testclient import TestClient
from usage_events import sensed

from mesure.apps.web.sensed import sensed as told
from mesure.ledger import ModelRow
from mesure.meter.sensors.factors import RAPL_NEIGHBOURS

IDLE = ModelRow(
    provider="vllm",
    model=None,
    known=False,
    calls=0,
    energy_wh=web_scenes.office().models[0].energy_wh,
    gwp_gco2eq=None,
)


def page(source: HeldSource, path: str) -> str:
    return TestClient(pages(source), base_url="http://127.0.0.1").get(path).text


@pytest.mark.parametrize(
    ("sensor", "language", "words"),
    [
        ("nvml", "en", "own energy counter (NVML)"),
        ("nvml:prometheus", "en", "own energy counter (NVML) (prometheus)"),
        ("nvml", "fr", "énergie des cartes (NVML)"),
        ("bmc", "fr", "contrôleur de gestion du serveur"),
        ("rapl:psys", "en", "energy counter (RAPL) (psys)"),
    ],
)
def test_a_calls_sensor_is_named_with_the_source_of_its_error(sensor: str, language: str, words: str) -> None:
    source = HeldSource(web_scenes.office())
    event = replace(sensed(energy_sensor=sensor, energy_status="measured", energy_scope="accelerator"), source="sensor")
    source.events = {event.id: event}
    text = page(source, f"/{language}/calls/{event.id}")
    assert words in text
    kind = sensor.partition(":")[0]
    assert f"stack.sensor-{kind}.energy_error" in text or "expert estimate" in text


def test_joules_shared_by_tokens_do_not_rest_on_a_share_of_processor_time() -> None:
    call = sensed(energy_sensor="rapl", energy_status="measured", energy_scope="cpu")
    by_time, by_tokens = told(call), told(replace(call, source="sensor"))
    assert by_time is not None
    assert by_tokens is not None
    assert by_time.factor is not None
    assert by_time.factor.id == RAPL_NEIGHBOURS
    assert by_tokens.factor is None


@pytest.mark.parametrize(("language", "words"), [("en", "idle machines"), ("fr", "machines à vide")])
def test_idle_machines_have_a_row_that_is_no_unknown_model(language: str, words: str) -> None:
    office = web_scenes.office()
    text = page(HeldSource(replace(office, models=(IDLE,))), f"/{language}/")
    assert words in text
    assert "vllm" in text
    row = text[text.index(words) :].split("</tr>")[0]
    assert "unknown model" not in row
    assert "modèle inconnu" not in row


def test_an_unnamed_model_that_was_called_is_still_unknown() -> None:
    text = page(HeldSource(replace(web_scenes.office(), models=(replace(IDLE, calls=3),))), "/en/")
    assert "unknown model, wide default" in text
    assert "idle machines" not in text
