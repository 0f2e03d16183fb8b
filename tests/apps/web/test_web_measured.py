"""Pages of what sensors measured: a call's sensor in words with its stated error, and machines that idle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import web_scenes
from held_pages import HeldMeter, HeldSource, pages
from starlette.testclient import TestClient
from usage_events import sensed

from mesure.apps.web import create_web
from mesure.apps.web.sensed import sensed as told
from mesure.config import Settings
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


READ = {
    "name": "board",
    "sensor": "nvml:prometheus",
    "deployments": ["chat", "search"],
    "watts": 612.44,
    "idle_share": 0.973,
    "error_low": 0.9,
    "error_high": 1.1,
    "why_absent": None,
}
ABSENT = {
    **dict.fromkeys(READ),
    "name": "bmc",
    "deployments": [],
    "why_absent": "The management controller refuses this user",
}


def measured(*told: dict[str, Any], language: str = "en") -> str:
    app = create_web(
        Settings(),
        HeldSource(web_scenes.office()),
        own=HeldMeter(),  # type: ignore[arg-type]
        gateway_metrics=str,
        health=lambda: {"ok": True},
        sensors=lambda: list(told),
    )
    return TestClient(app, base_url="http://127.0.0.1").get(f"/{language}/").text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Measured machines", "chat, search", "612.4 W", "97%", "(NVML) (prometheus)", "refuses this user")),
        (
            "fr",
            ("Machines mesurées", "chat, search", "612,4 W", "97\N{NARROW NO-BREAK SPACE}%", "refuse cet utilisateur"),
        ),
    ],
)
def test_each_measured_deployment_has_a_row(language: str, words: tuple[str, ...]) -> None:
    text = measured(READ, ABSENT, language=language)
    for word in words:
        assert word in text


def test_unknown_is_not_zero_and_nothing_measured_is_nothing_shown() -> None:
    row = measured({**READ, "watts": None, "idle_share": None}).split("Measured machines")[-1]
    assert "0 W" not in row
    assert "0%" not in row
    assert "Measured machines" not in measured()


def test_names_of_the_configuration_are_text() -> None:
    text = measured({**READ, "deployments": ["<script>x</script>"]}, {**ABSENT, "name": "<b>", "why_absent": "<i>"})
    assert "<script>x" not in text
    assert "<i>" not in text


def test_an_unnamed_model_that_was_called_is_still_unknown() -> None:
    text = page(HeldSource(replace(web_scenes.office(), models=(replace(IDLE, calls=3),))), "/en/")
    assert "unknown model, wide default" in text
    assert "idle machines" not in text
