"""Who gave the counts, and what an unlisted model makes: a model of images is not priced as one of text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mesure.impact import Deployment, Impacts, ModelCard, estimate, explain, impacts_of, resolve
from mesure.impact.diffusion import TERMS
from mesure.impact.methods import amounts_of, call_of, estimate_with
from mesure.quantity import Status
from mesure.record import UsageEvent

UNLISTED = "acme-of-tomorrow"


def event(**facts: Any) -> UsageEvent:
    known = {"id": "01890000-0000-7000-8000-000000000000", "started_at": datetime(2026, 11, 1, tzinfo=UTC)}
    return UsageEvent(**(known | facts))


def nodes(found: Impacts) -> dict[str, Any]:
    told = json.loads(json.dumps(explain(found).to_json()))
    out: dict[str, Any] = {}

    def walk(node: dict[str, Any]) -> None:
        out.setdefault(node["name"], node)
        for child in node["children"]:
            walk(child)

    for root in told["roots"]:
        walk(root)
    return out


# Counts

COUNTS = ("input_tokens", "fresh_input_tokens", "cached_input_tokens", "output_tokens")


def test_counts_that_a_person_typed_are_declared_in_the_json_too() -> None:
    found = estimate("gpt-4o", input_tokens=1000, cached_tokens=100, output_tokens=400, zone="FRA")
    assert {found.parts[name].status for name in COUNTS} == {Status.DECLARED}
    told = json.loads(json.dumps(found.to_json()))
    assert {told["parts"][name]["status"] for name in COUNTS} == {"declared"}
    for name in COUNTS[1:]:
        node = nodes(found)[name]
        assert (node["status"], node["formula"]) == ("declared", "declared")
    assert "reported" not in json.dumps(explain(found).to_json())


@pytest.mark.parametrize(
    ("basis", "status", "formula"),
    [
        ("observed", Status.REPORTED, "counted"),
        ("exported", Status.REPORTED, "counted"),
        ("declared", Status.DECLARED, "declared"),
    ],
)
def test_counts_of_an_event_are_those_of_its_basis(basis: Any, status: Status, formula: str) -> None:
    coefficients = resolve("gpt-4o", provider="openai", zone="FRA")
    found = impacts_of(event(basis=basis, input_tokens=10, output_tokens=20), coefficients)
    assert found.parts["output_tokens"].status is status
    assert nodes(found)["output_tokens"]["formula"] == formula
    assert found.energy_wh.status is Status.MODELLED


def test_what_nobody_counted_stays_an_assumption_whoever_asks() -> None:
    found = estimate("gpt-4o", input_tokens=10)
    assert found.parts["output_tokens"].status is Status.DEFAULT
    assert found.parts["input_tokens"].status is Status.DECLARED
    assert nodes(found)["output_tokens"]["formula"] == "assumed: not counted"


# What an unlisted model makes


@pytest.mark.parametrize(
    ("facts", "operation", "modality"),
    [
        ({"images": 1}, "image", "image"),
        ({"images": 1, "steps": 20, "width": 512, "height": 512}, "image", "image"),
        ({"images": 1, "frames": 49}, "video", "video"),
        ({"audio_seconds": 60}, "transcription", "speech to text"),
    ],
)
def test_an_unlisted_model_is_what_the_call_makes(facts: dict[str, Any], operation: str, modality: str) -> None:
    found = estimate(UNLISTED, **facts)
    assert found.coefficients.modality == modality
    assert not found.known
    assert found.model is None
    assert "model_unknown" in found.warnings
    assert "media_not_counted" not in found.warnings
    assert found.status is Status.DEFAULT
    assert found.energy_wh.mid > estimate(UNLISTED, input_tokens=1, output_tokens=1).energy_wh.mid
    assert found.energy_wh.high / found.energy_wh.low > 10.0
    again = resolve(UNLISTED, operation=operation)
    assert again.modality == modality
    assert again.form.terms == pytest.approx(resolve(UNLISTED, card=ModelCard(modality=modality)).form.terms)


def test_what_makes_text_and_what_is_listed_are_left_as_they_are() -> None:
    text = resolve(UNLISTED)
    for operation in (None, "chat", "completion", "embeddings", "other"):
        assert resolve(UNLISTED, operation=operation) is text
    for name in ("flux.1-dev", "gpt-4o", "whisper-large-v3"):
        assert resolve(name, operation="image") is resolve(name)
    mine = ModelCard(total_params_b=7)
    assert resolve(UNLISTED, operation="image", card=mine) is resolve(UNLISTED, card=mine)


def test_images_of_a_model_listed_for_text_are_said_to_be_missing() -> None:
    drawn = impacts_of(event(operation="image", images_count=2), resolve("gpt-4o", provider="openai"))
    assert not any(drawn.coefficients.form.terms[term] for term in TERMS)
    assert "media_not_counted" in drawn.warnings
    heard = impacts_of(event(operation="transcription"), resolve("gpt-4o", provider="openai"))
    assert "media_not_counted" in heard.warnings
    for usual in (
        impacts_of(event(operation="chat", output_tokens=9), resolve("gpt-4o", provider="openai")),
        impacts_of(event(operation="image", images_count=2), resolve("flux.1-dev")),
        impacts_of(event(operation="transcription", audio_seconds=3.0), resolve("whisper-large-v3")),
        impacts_of(event(operation="image", images_count=2, energy_j=9.0), resolve("gpt-4o", provider="openai")),
    ):
        assert "media_not_counted" not in usual.warnings


def test_our_method_over_sums_takes_what_calls_make() -> None:
    one = event(operation="image", images_count=3, model_requested=UNLISTED, provider="acme")
    told = estimate_with("mesure", one)
    alone = impacts_of(one, resolve(UNLISTED, provider="acme", operation="image", at=call_of(one).at))
    assert told.energy_wh is not None
    assert told.energy_wh[:3] == pytest.approx(alone.energy_wh[:3], rel=1e-12)
    assert amounts_of(one).operation == "image"


def test_machines_that_are_stated_count_for_it_too() -> None:
    stated = estimate(UNLISTED, images=1, steps=30, deployment=Deployment(gpu="H100", n_gpus=1, batch=1))
    assert stated.coefficients.view == "self-host"
    assert "hardware_unknown" not in stated.warnings
