"""Every entry of the catalogue as the estimator takes it: a size, a geometry, a place, a finite figure with sources."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from typing import Any

import pytest

from mesure.catalogue import current
from mesure.impact import Coefficients, Deployment, Impacts, ModelCard, estimate, impacts_of_facts, resolve
from mesure.impact.subject import Subject, modality_of, subject_of
from mesure.quantity import Status

_FACTS: dict[str, dict[str, Any]] = {
    "text": {"input_tokens": 500, "output_tokens": 200},
    "embedding": {"input_tokens": 500},
    "image": {"images_count": 1},
    "video": {"images_count": 1},
    "speech to text": {"audio_seconds": 60.0},
    "text to speech": {"audio_seconds": 60.0},
}
#: Wh of the facts above: from the smallest to the largest listed, a factor of ten aside.
_ORDERS = {
    "text": (5e-4, 100.0),
    "embedding": (2e-6, 0.3),
    "image": (2e-3, 150.0),
    "video": (1.0, 1500.0),
    "speech to text": (5e-4, 1.0),
    "text to speech": (3e-3, 1.0),
}


def some(names: list[str], count: int) -> list[str]:
    """The same few of many, spread over them, whichever others are added."""
    return sorted(names, key=lambda name: zlib.crc32(name.encode()))[:count]


@pytest.fixture(scope="module")
def subjects() -> dict[str, Subject]:
    return {name: subject_of(name, None, None, Deployment()) for name in current().models()}


def answered(found: Coefficients) -> Impacts:
    return impacts_of_facts(found, **_FACTS[found.modality])


def test_every_model_has_a_size_and_a_geometry_that_can_be(subjects: dict[str, Subject]) -> None:
    assert len(subjects) > 1500
    for name, subject in subjects.items():
        assert subject.known, name
        assert subject.name is not None
        assert subject.name == name or subjects[subject.name].name == subject.name, "a name leads to an entry at once"
        assert bool(subject.texts) != bool(subject.media), name
        assert math.fsum(weight for weight, _ in (*subject.texts, *subject.media)) == pytest.approx(1.0), name
        for _, text in subject.texts:
            geometry = text.geometry
            assert 0.0 < text.active_b <= text.total_b < 2e4, name
            assert text.mixture or text.active_b == text.total_b, name
            assert 1.0 <= geometry.experts_per_token <= geometry.experts < 4096.0, name
            assert 0.0 < geometry.full_layers <= geometry.layers < 400.0, name
            assert 100.0 <= geometry.hidden <= 40_000.0, name
            assert 8.0 <= geometry.kv_elements <= 40_000.0, name
            assert 1.0 <= text.bits <= 32.0, name
        for _, denoiser in subject.media:
            assert denoiser.layers > 0.0, name
            assert 16.0 <= denoiser.hidden <= 40_000.0, name
            assert denoiser.passes in (1.0, 2.0, 3.0), name
            assert (denoiser.temporal_factor > 1.0) <= (subject.modality == "video"), name


def test_every_model_rests_on_sourced_figures_of_the_catalogue(subjects: dict[str, Subject]) -> None:
    kinds = Counter(subject.modality for subject in subjects.values())
    assert set(kinds) == set(_FACTS)
    for name, subject in subjects.items():
        assert subject.factors, name
        assert all(factor.source and factor.unit and factor.licence and factor.year for factor in subject.factors)
        if not subject.estimated and subject.texts:
            assert any(factor.status != "estimated" for factor in subject.factors), name


@pytest.mark.parametrize(("modality", "count"), [("text", 60), ("embedding", 60), *((m, 20) for m in list(_FACTS)[2:])])
def test_figures_are_finite_ordered_sourced_and_of_their_order_of_magnitude(
    subjects: dict[str, Subject], modality: str, count: int
) -> None:
    least, most = _ORDERS[modality]
    for name in some([name for name, subject in subjects.items() if subject.modality == modality], count):
        found = answered(resolve(name, zone="FRA"))
        energy = found.energy_wh
        assert least <= energy.low < energy.mid < energy.high <= most, (name, energy[:3])
        assert 2.0 < energy.high / energy.low < 400.0, name
        gwp = found.gwp_gco2eq
        assert gwp is not None
        assert 0.0 < gwp.low < gwp.mid < gwp.high < math.inf
        assert found.model == subjects[name].name
        ids = {factor.id for factor in found.coefficients.factors}
        assert {*energy.sources, *gwp.sources} <= ids
        assert all(current().factor(source) for source in gwp.sources if source.startswith(("grids.", "models.")))
        assert energy.status is Status.MODELLED


def test_a_size_that_is_estimated_is_said_and_makes_the_interval_no_narrower(subjects: dict[str, Subject]) -> None:
    texts = [name for name, subject in subjects.items() if subject.modality == "text"]
    stated = Deployment(gpu="B200", n_gpus=8, batch=64, framework="vLLM")
    estimated = some([name for name in texts if subjects[name].estimated], 20)
    for name in estimated:
        sizes = sorted((text.active_b, text.total_b) for _, text in subjects[name].texts)
        active, total = sizes[len(sizes) // 2]
        card = ModelCard(active_params_b=active, total_params_b=total)
        rough, exact = (answered(resolve(name, card=c, deployment=stated)) for c in (None, card))
        assert rough.energy_wh.high / rough.energy_wh.low >= 0.99 * exact.energy_wh.high / exact.energy_wh.low, name
        assert {"size_estimated", "interval_not_validated"} <= set(rough.warnings)
        assert not {"size_estimated", "interval_not_validated"} & set(exact.warnings)
    published = some([name for name in texts if not subjects[name].estimated], 20)
    assert not any("size_estimated" in resolve(name).warnings for name in published)


def test_the_default_of_an_unknown_model_covers_the_known_ones(subjects: dict[str, Subject]) -> None:
    unknown = answered(resolve("nobody-1", zone="FRA"))
    assert not unknown.known
    texts = some([name for name, subject in subjects.items() if subject.modality == "text"], 90)
    mids = [answered(resolve(name, zone="FRA")).energy_wh.mid for name in texts]
    inside = [mid for mid in mids if unknown.energy_wh.low <= mid <= unknown.energy_wh.high]
    assert len(inside) >= 0.8 * len(mids)
    below = sum(mid < unknown.energy_wh.mid for mid in mids)
    assert 0.25 * len(mids) < below < 0.95 * len(mids), "its middle lies among them"
    for named in ("gpt-4o", "gpt-5-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "gemini-2.5-flash", "llama-3.3-70b"):
        assert unknown.energy_wh.low < answered(resolve(named, zone="FRA")).energy_wh.mid < unknown.energy_wh.high


@pytest.mark.parametrize("operation", ["embeddings", "image", "video", "speech", "transcription", "rerank", "other"])
def test_an_unknown_model_gets_a_figure_for_every_operation_or_says_what_is_missing(operation: str) -> None:
    found = impacts_of_facts(resolve("nobody-1", zone="FRA"), operation=operation, images_count=1, audio_seconds=30.0)
    assert not found.known
    assert found.energy_wh.high >= 0.0
    assert "model_unknown" in found.warnings
    assert found.energy_wh.status is Status.DEFAULT


# Where an API runs by default


@pytest.mark.parametrize("provider", sorted({row["entity"] for row in current().rows("hosts")}))
def test_every_provider_with_a_default_place_gives_carbon(provider: str) -> None:
    host = current().host(provider)
    assert host is not None
    assert math.fsum(share for _, share in host.places) == pytest.approx(1.0)
    assert all(share > 0.0 for _, share in host.places)
    grids = {zone: current().grid(zone) for zone, _ in host.places}
    found = resolve("qwen3-8b", provider=provider)
    place = found.parts["grid_intensity_gco2eq_per_kwh"]
    values = [grid.value for grid in grids.values() if grid is not None]
    assert len(values) == len(grids), "every default place has a factor"
    assert 0.5 * min(values) < place.low <= place.mid <= place.high < 1.7 * max(values)
    assert place.status is Status.DEFAULT
    assert "zone_assumed" in found.warnings
    assert {factor.id for factor in host.factors} <= set(place.sources)
    assert resolve("qwen3-8b", provider=provider.upper()).parts == found.parts
    assert answered(found).gwp_gco2eq is not None
    stated = resolve("qwen3-8b", provider=provider, zone="FRA")
    assert not {"zone_assumed", "zone_unknown"} & set(stated.warnings)
    assert stated.parts["pue"] == found.parts["pue"], "the halls are the provider's, wherever they stand"


def test_a_provider_nobody_lists_runs_somewhere_in_the_world() -> None:
    found = resolve("qwen3-8b", provider="somebody")
    assert "zone_unknown" in found.warnings
    world = current().grid("WORLD")
    assert world is not None
    assert found.parts["grid_intensity_gco2eq_per_kwh"].mid == world.value
    assert found.parts["pue"].status is Status.DEFAULT
    assert found.parts == resolve("qwen3-8b").parts


def test_the_maker_serves_its_closed_models_and_open_weights_run_anywhere() -> None:
    assert estimate("gpt-4o").coefficients.provider == "openai"
    assert estimate("claude-sonnet-4-5").coefficients.provider == "anthropic"
    assert estimate("llama-3.1-8b").coefficients.provider is None
    assert estimate("nobody-1").coefficients.provider is None


# What people write of a model


@pytest.mark.parametrize(
    ("said", "architecture", "modality"),
    [
        (None, None, "text"),
        ("text", "dense", "text"),
        ("image+text", "moe", "text"),
        ("text-to-image", None, "image"),
        ("image-gen", None, "image"),
        ("text-to-video", None, "video"),
        ("T2V generation", None, "video"),
        ("text", "mmdit", "image"),
        ("text", "flow-matching", "image"),
        ("video", None, "video"),
        ("embedding", None, "embedding"),
        ("reranker", None, "embedding"),
        ("text", "encoder", "embedding"),
        ("text", "encoder-decoder", "text"),
        ("ASR", None, "speech to text"),
        ("transcription", None, "speech to text"),
        ("TTS", None, "text to speech"),
        ("speech synthesis", None, "text to speech"),
    ],
)
def test_a_modality_is_read_however_it_is_written(said: str | None, architecture: str | None, modality: str) -> None:
    assert modality_of(ModelCard(modality=said, architecture=architecture), None) == modality


@pytest.mark.parametrize(
    ("card", "mixture", "full_share"),
    [
        (ModelCard(total_params_b=100, active_params_b=100), False, 1.0),
        (ModelCard(total_params_b=100, active_params_b=80), False, 1.0),
        (ModelCard(total_params_b=100, active_params_b=70), True, 1.0),
        (ModelCard(total_params_b=100, active_params_b=90, architecture="MoE"), True, 1.0),
        (ModelCard(total_params_b=100, active_params_b=90, experts=16), True, 1.0),
        (ModelCard(total_params_b=50, architecture="hybrid mamba"), False, 0.1),
        (ModelCard(total_params_b=50, layers=40, full_layers=8, window_tokens=4096), False, 0.2),
        (ModelCard(total_params_b=50, layers=40, full_layers=80), False, 1.0),
    ],
)
def test_a_card_says_what_kind_of_model_it_is(card: ModelCard, mixture: bool, full_share: float) -> None:
    [(weight, text)] = subject_of("ours", None, card, Deployment()).texts
    assert weight == 1.0
    assert text.mixture is mixture
    assert text.total_b == (card.total_params_b if mixture else text.active_b)
    assert text.geometry.full_layers / text.geometry.layers == pytest.approx(full_share)
    assert (text.geometry.experts > 1.0) is mixture
    assert (text.geometry.state_gb > 0.0) is ("mamba" in (card.architecture or ""))
