"""What one call consumed: the laws a person would expect, and what is said when something is unknown."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mesure
from mesure.errors import InvalidValue, UnknownName
from mesure.impact import (
    Deployment,
    Impacts,
    ModelCard,
    estimate,
    explain,
    formulas,
    impacts_of,
    impacts_of_facts,
    resolve,
)
from mesure.quantity import Quantity, Status
from mesure.record import UsageEvent

H100 = Deployment(gpu="H100", n_gpus=1, batch=64)
QUANTITIES = ("energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")


def event(**facts: Any) -> UsageEvent:
    return UsageEvent(id="01890000-0000-7000-8000-000000000000", started_at=datetime(2026, 11, 1, tzinfo=UTC), **facts)


def width(quantity: Quantity) -> float:
    return quantity.high / quantity.low


def gwp(impacts: Impacts) -> Quantity:
    assert impacts.gwp_gco2eq is not None
    return impacts.gwp_gco2eq


def test_the_public_name_is_the_function() -> None:
    assert mesure.estimate is estimate
    found = mesure.estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA")
    assert isinstance(found, mesure.Impacts)
    assert found.model == "gpt-4o"
    assert found.known
    assert found.method_version == mesure.METHOD_VERSION


def test_a_call_has_energy_and_carbon_with_units_and_sources() -> None:
    found = estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA")
    assert found.energy_wh.unit == "Wh"
    assert 0 < found.energy_wh.low < found.energy_wh.mid < found.energy_wh.high
    assert found.energy_wh.status is Status.MODELLED
    assert found.energy_wh.sources
    usage, embodied = found.usage.gwp_gco2eq, found.embodied.gwp_gco2eq
    assert usage is not None
    assert embodied is not None
    assert gwp(found).mid == pytest.approx(usage.mid + embodied.mid)
    assert "grids.FRA.intensity.2025" in gwp(found).sources
    assert not any(source.startswith("grids") for source in found.energy_wh.sources)


def test_water_minerals_and_primary_energy_have_units_and_say_what_is_not_validated() -> None:
    found = estimate("gpt-4o", input_tokens=1000, output_tokens=400)
    for quantity, unit in (("water_ml", "mL"), ("adpe_gsbeq", "gSbeq"), ("pe_mj", "MJ")):
        whole = getattr(found, quantity)
        assert whole.unit == unit
        assert 0.0 < whole.low < whole.mid < whole.high
        assert whole.status is Status.DEFAULT  # the place is assumed
        assert f"{quantity.split('_')[0]}_no_factor" not in found.warnings
    assert {"water_adpe_pe_interval_not_validated", "embodied_water_no_factor"} <= set(found.warnings)
    assert found.embodied.water_ml is None
    assert found.water_ml == found.usage.water_ml
    assert found.embodied.energy_wh is None
    assert found.usage.energy_wh == found.energy_wh


def test_what_has_no_factor_is_unknown_and_flagged() -> None:
    nowhere = impacts_of_facts(resolve("qwen3-8b", zone="XXX"), input_tokens=100, output_tokens=100)
    for quantity, code in (("water_ml", "water"), ("adpe_gsbeq", "adpe"), ("pe_mj", "pe")):
        assert getattr(nowhere, quantity) is None
        assert getattr(nowhere.usage, quantity) is None
        assert f"{code}_no_factor" in nowhere.warnings
    own = impacts_of_facts(resolve("qwen3-8b", provider="local", zone="FRA"), input_tokens=100, output_tokens=100)
    for quantity, code in (("adpe_gsbeq", "adpe"), ("pe_mj", "pe")):
        assert getattr(own, quantity) is None
        assert getattr(own.embodied, quantity) is None
        assert getattr(own.usage, quantity).mid > 0.0
        assert f"embodied_{code}_no_factor" in own.warnings


def test_a_zone_without_factor_leaves_carbon_of_use_unknown() -> None:
    found = impacts_of_facts(resolve("qwen3-8b", zone="XXX"), input_tokens=100, output_tokens=100)
    assert found.gwp_gco2eq is None
    assert found.usage.gwp_gco2eq is None
    assert found.embodied.gwp_gco2eq is not None
    assert "zone_no_factor" in found.warnings
    with pytest.raises(UnknownName) as unknown:
        estimate("qwen3-8b", zone="FRX")
    assert "FRA" in unknown.value.nearest


def test_an_unknown_model_is_a_flagged_wide_default_with_names_to_propose() -> None:
    unknown = estimate("gpt-4oo", input_tokens=1000, output_tokens=400, zone="FRA")
    known = estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA")
    assert unknown.model is None
    assert not unknown.known
    assert "gpt-4o" in unknown.nearest
    assert "model_unknown" in unknown.warnings
    assert unknown.energy_wh.status is Status.DEFAULT
    assert unknown.energy_wh.mid > 0
    assert width(unknown.energy_wh) > 30
    assert known.nearest == ()


def test_unknown_tokens_are_a_labelled_assumption_never_zero() -> None:
    counted = estimate("qwen3-8b", input_tokens=210, output_tokens=300, zone="FRA", deployment=H100)
    unknown = estimate("qwen3-8b", zone="FRA", deployment=H100)
    assert {"input_tokens_assumed", "output_tokens_assumed"} <= set(unknown.warnings)
    assert unknown.status is Status.DEFAULT
    assert unknown.energy_wh.mid == pytest.approx(counted.energy_wh.mid, rel=0.2)
    assert width(unknown.energy_wh) > 3 * width(counted.energy_wh)
    assert unknown.parts["output_tokens"].status is Status.DEFAULT
    nothing = estimate("qwen3-8b", input_tokens=0, output_tokens=0, zone="FRA", deployment=H100)
    assert nothing.energy_wh.high == 0.0
    assert "output_tokens_assumed" not in nothing.warnings


def test_a_refused_call_without_counts_processed_nothing() -> None:
    refused = impacts_of(event(status="error", http_status=429), resolve("qwen3-8b", zone="FRA"))
    failed = impacts_of(event(status="error", http_status=500), resolve("qwen3-8b", zone="FRA"))
    assert refused.energy_wh.high == 0.0
    assert "output_tokens_assumed" not in refused.warnings
    assert failed.energy_wh.mid > 0.0


def test_embeddings_write_no_text() -> None:
    found = impacts_of(event(operation="embeddings", input_tokens=1000), resolve("mistral-embed", zone="FRA"))
    assert "output_tokens" not in found.parts
    assert 0.0 < found.energy_wh.mid < 0.1


def test_cached_input_costs_less_than_fresh_but_something() -> None:
    def energy(cached: int) -> float:
        return estimate("llama-3.3-70b", input_tokens=10_000, cached_tokens=cached, output_tokens=0).energy_wh.mid

    assert 0.0 < energy(10_000) < 0.1 * energy(0)


def test_a_longer_context_makes_each_token_dearer() -> None:
    def per_token(tokens: int) -> float:
        found = estimate("llama-3.1-8b", input_tokens=tokens, output_tokens=tokens, deployment=H100)
        return found.energy_wh.mid / tokens

    assert per_token(100) < per_token(10_000) < per_token(100_000)


def test_reasoning_tokens_are_part_of_the_output() -> None:
    whole = estimate("gpt-5", input_tokens=10, output_tokens=500)
    assert estimate("gpt-5", input_tokens=10, output_tokens=500, reasoning_tokens=400).energy_wh == whole.energy_wh
    with pytest.raises(InvalidValue, match="reasoning_tokens"):
        estimate("gpt-5", output_tokens=5, reasoning_tokens=6)


@pytest.mark.parametrize(
    "facts",
    [{"input_tokens": -1}, {"output_tokens": math.nan}, {"input_tokens": 5, "cached_tokens": 6}, {"images": math.inf}],
)
def test_what_lies_outside_its_domain_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue) as refused:
        estimate("gpt-4o", **facts)
    assert refused.value.action


def test_what_is_stated_narrows_the_interval() -> None:
    seen = [
        estimate("llama-3.1-8b", input_tokens=200, output_tokens=300, zone="FRA", deployment=deployment)
        for deployment in (None, Deployment(gpu="H100"), Deployment(gpu="H100", n_gpus=1), H100)
    ]
    widths = [width(one.parts["accelerator_energy_wh"]) for one in seen]
    assert widths[0] > max(widths[1:])
    assert widths[-1] < 0.7 * min(widths[:-1])
    assert "load_unknown" in seen[1].warnings
    assert not {"load_unknown", "hardware_unknown"} & set(seen[-1].warnings)


def test_a_stated_zone_narrows_carbon() -> None:
    anywhere, france = (estimate("gpt-4o", input_tokens=9, output_tokens=99, zone=zone) for zone in (None, "FRA"))
    assert "zone_assumed" in anywhere.warnings
    assert gwp(anywhere).status is Status.DEFAULT
    assert gwp(france).status is Status.MODELLED
    assert gwp(france).mid < gwp(anywhere).mid


def test_the_grid_of_the_year_is_used() -> None:
    seen = [estimate("qwen3-8b", output_tokens=9, zone="FRA", at=date(year, 5, 1)) for year in (2023, 2025)]
    intensities = [one.parts["grid_intensity_gco2eq_per_kwh"].mid for one in seen]
    assert intensities == [56.04, 41.44]


# Measured energy


@pytest.mark.parametrize(("scope", "stage"), [("accelerator", "accelerator_energy_wh"), ("server", "server_energy_wh")])
def test_measured_energy_replaces_the_model(scope: Any, stage: str) -> None:
    coefficients = resolve("llama-3.1-8b", zone="FRA", deployment=H100)
    found = impacts_of(
        event(output_tokens=10**6, energy_j=3600.0, energy_status="measured", energy_scope=scope), coefficients
    )
    assert found.status is Status.MEASURED
    assert found.energy_wh.status is Status.MEASURED
    assert found.parts[stage].mid == 1.0
    assert found.parts["site_energy_wh"].mid >= found.parts["it_energy_wh"].mid >= found.parts["server_energy_wh"].mid
    assert gwp(found).status is Status.MODELLED
    assert not {"load_unknown", "output_tokens_assumed"} & set(found.warnings)
    assert (
        found.energy_wh.mid
        == impacts_of(
            event(energy_j=3600.0, energy_status="measured", energy_scope=scope), resolve("unheard", zone="FRA")
        ).energy_wh.mid
    )


def test_a_processor_reading_becomes_the_machines_and_keeps_its_interval() -> None:
    facts = {"energy_j": 360.0, "energy_low_j": 180.0, "energy_high_j": 720.0, "energy_scope": "process"}
    found = impacts_of(event(energy_status="modelled", **facts), resolve("gemma-3-270m", provider="local", zone="FRA"))
    processor = found.parts["processor_energy_wh"]
    assert (processor.low, processor.mid, processor.high) == (0.05, 0.1, 0.2)
    assert "accelerator_energy_wh" not in found.parts
    assert found.parts["server_energy_wh"].mid == pytest.approx(0.135)
    assert found.energy_wh.mid == pytest.approx(0.135)
    assert found.energy_wh.low < 0.068
    assert found.energy_wh.high > 0.2
    assert found.status is Status.MODELLED


# Other modalities


def test_images_scale_with_steps_and_pixels() -> None:
    def energy(steps: int, side: int) -> float:
        found = estimate("stable-diffusion-3.5-large", images=1, width=side, height=side, steps=steps)
        return found.parts["accelerator_energy_wh"].mid

    assert energy(56, 1024) / energy(28, 1024) == pytest.approx(2.0, rel=0.1)
    assert 3.0 < energy(28, 1024) / energy(28, 512) < 8.0


def test_an_image_without_settings_is_assumed_and_says_so() -> None:
    found = estimate("flux.1-dev")
    assert {"image_steps_assumed", "image_megapixels_assumed"} <= set(found.warnings)
    stated = estimate("flux.1-dev", images=1, width=1024, height=1024, steps=28)
    assert found.energy_wh.mid == pytest.approx(stated.energy_wh.mid, rel=0.1)
    assert width(found.energy_wh) > width(stated.energy_wh)


def test_a_video_costs_more_than_its_frames_as_images() -> None:
    video = estimate("cogvideox-2b", images=1, width=720, height=480, steps=50, frames=49)
    image = estimate("cogvideox-2b", images=1, width=720, height=480, steps=50, frames=1)
    assert video.energy_wh.mid > 10 * image.energy_wh.mid


def test_audio_is_per_second() -> None:
    minute, hour = (estimate("whisper-large-v3", audio_seconds=seconds).energy_wh for seconds in (60, 3600))
    assert hour.mid == pytest.approx(60 * minute.mid)
    assert "audio_seconds_assumed" not in estimate("whisper-large-v3", audio_seconds=60).warnings


# Local machines


def test_a_small_model_on_a_processor_is_small_but_not_nothing() -> None:
    found = impacts_of_facts(resolve("gemma-3-270m", provider="local", zone="FRA"), input_tokens=200, output_tokens=50)
    assert 1e-4 < found.energy_wh.low < found.energy_wh.mid < 0.1
    assert found.coefficients.view == "local"
    bigger = impacts_of_facts(resolve("qwen3-8b", provider="local", zone="FRA"), input_tokens=200, output_tokens=50)
    assert bigger.energy_wh.mid > 5 * found.energy_wh.mid


# Aggregates


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 1000), st.integers(0, 5000), st.integers(0, 5000))
def test_an_aggregate_of_equal_calls_is_their_sum(calls: int, read: int, written: int) -> None:
    coefficients = resolve("llama-3.1-8b", zone="FRA", deployment=H100)
    one = impacts_of_facts(coefficients, input_tokens=read, output_tokens=written).energy_wh
    many = impacts_of_facts(
        coefficients, calls_count=calls, input_tokens=calls * read, output_tokens=calls * written
    ).energy_wh
    for single, whole in zip(one[:3], many[:3], strict=True):
        assert whole == pytest.approx(calls * single, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**5))
def test_more_tokens_never_cost_less(read: int, written: int, more: int) -> None:
    coefficients = resolve("gpt-4o", provider="openai", zone="FRA")
    less = impacts_of_facts(coefficients, input_tokens=read, output_tokens=written).energy_wh
    for further in (
        impacts_of_facts(coefficients, input_tokens=read + more, output_tokens=written),
        impacts_of_facts(coefficients, input_tokens=read, output_tokens=written + more),
    ):
        assert all(a <= b for a, b in zip(less[:3], further.energy_wh[:3], strict=True))


# Resolution


def test_resolve_is_cached_and_never_raises_for_a_model() -> None:
    assert resolve("gpt-4o", provider="openai") is resolve("gpt-4o", provider="openai", deployment=Deployment())
    for name in ("", "x" * 10_000, "\x00", "модель", "../../etc/passwd"):
        assert not resolve(name).known
    with pytest.raises(UnknownName):
        resolve("gpt-4o", deployment=Deployment(gpu="H1000"))
    with pytest.raises(InvalidValue, match="publishes no"):
        resolve("gpt-4o", deployment=Deployment(gpu="maia-100"))


def test_empty_settings_are_unstated() -> None:
    assert Deployment(gpu="", n_gpus=0, precision="", batch=0.0, framework="") == Deployment()
    with pytest.raises(InvalidValue, match="precision"):
        Deployment(precision="fp7")
    with pytest.raises(InvalidValue, match="batch"):
        Deployment(batch=-1)


def test_a_card_describes_or_overrides() -> None:
    mine = estimate("ours-7b", input_tokens=100, output_tokens=100, card=ModelCard(total_params_b=7), deployment=H100)
    assert mine.known
    assert mine.model == "ours-7b"
    twice = estimate("ours-7b", input_tokens=100, output_tokens=100, card=ModelCard(total_params_b=70), deployment=H100)
    assert twice.energy_wh.mid > 3 * mine.energy_wh.mid
    half = estimate(
        "llama-3.1-8b", output_tokens=99, card=ModelCard(weight_bits=8), deployment=Deployment(gpu="H100", batch=1)
    )
    full = estimate("llama-3.1-8b", output_tokens=99, deployment=Deployment(gpu="H100", batch=1))
    assert half.energy_wh.mid < full.energy_wh.mid
    with pytest.raises(InvalidValue, match="more active"):
        ModelCard(total_params_b=1, active_params_b=2)


def test_json_holds_everything() -> None:
    found = estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA")
    data = json.loads(json.dumps(found.to_json()))
    assert data["energy_wh"]["mid"] == found.energy_wh.mid
    assert found.water_ml is not None
    assert data["water_ml"]["mid"] == found.water_ml.mid
    assert data["embodied"]["water_ml"] is None
    assert {"accelerator_energy_wh", "server_energy_wh"} <= set(data["parts"])
    assert data["catalogue_version"] == found.catalogue_version
    for name in QUANTITIES:
        assert name in data["usage"]


# Explanation


@pytest.mark.parametrize(
    "found",
    [
        estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA"),
        estimate("gpt-4o"),
        estimate("unheard-of"),
        estimate("flux.1-dev"),
        estimate("whisper-large-v3"),
        impacts_of_facts(resolve("gemma-3-270m", provider="local"), input_tokens=1, output_tokens=1),
        impacts_of_facts(resolve("qwen3-8b", zone="XXX"), input_tokens=1, output_tokens=1),
        impacts_of(event(energy_j=10.0, energy_scope="server"), resolve("qwen3-8b", zone="FRA")),
        impacts_of(event(energy_j=10.0, energy_scope="cpu"), resolve("qwen3-8b", provider="local")),
    ],
)
def test_explain_shows_every_quantity_and_its_factors(found: Impacts) -> None:
    explained = explain(found)
    assert [root.name for root in explained.roots] == list(QUANTITIES)
    for root in explained.roots:
        assert root.quantity == getattr(found, root.name)
    if found.basis < formulas.ACCELERATOR:
        assert set(found.coefficients.factors) <= set(explained.factors())
    for factor in explained.factors():
        assert factor.source
        assert factor.source_url
        assert factor.licence
        assert factor.year
        assert factor.unit
    json.dumps(explained.to_json())


def test_a_figure_leads_from_the_file_to_the_explanation() -> None:
    """Provenance: the row of the packaged table, the factor, the JSON of the answer and of its explanation."""
    found = estimate("gpt-4o", input_tokens=1000, output_tokens=400, zone="FRA")
    text = (files("mesure.catalogue") / "data" / "grids.csv").read_text(encoding="utf-8")
    [row] = [row for row in csv.DictReader(text.splitlines()) if row["id"] == "grids.FRA.intensity.2025"]
    [shown] = [one for one in explain(found).to_json()["factors"] if one["id"] == row["id"]]
    for column in ("source", "source_url", "licence", "unit"):
        assert shown[column] == row[column]
    assert (shown["value"], shown["year"]) == (float(row["value"]), int(row["year"]))
    assert row["id"] in found.to_json()["gwp_gco2eq"]["sources"]
    intensity = found.parts["grid_intensity_gco2eq_per_kwh"]
    usage = found.usage.gwp_gco2eq
    assert usage is not None
    assert usage.mid == pytest.approx(found.energy_wh.mid * float(row["value"]) / 1000)
    assert intensity.mid == float(row["value"])


@pytest.mark.parametrize("scope", [None, "process", "accelerator", "server"])
def test_every_source_named_by_a_quantity_is_in_its_explanation(scope: Any) -> None:
    found = impacts_of(
        event(input_tokens=9, output_tokens=9, energy_j=None if scope is None else 10.0, energy_scope=scope),
        resolve("claude-opus-4-8", provider="anthropic"),
    )
    ids = {factor.id for factor in explain(found).factors()}
    for quantity in (found.energy_wh, gwp(found), *found.parts.values()):
        assert set(quantity.sources) <= ids
    assert any(name.startswith("models") for name in found.energy_wh.sources) is (scope is None)


def test_assumptions_appear_in_the_explanation() -> None:
    ids = {factor.id for factor in explain(estimate("gpt-4o")).factors()}
    assert {"fit.belief.input_text", "fit.belief.output"} <= ids


# As a scorer calls it


@pytest.mark.parametrize("read", [None, 0, 200])
@pytest.mark.parametrize("architecture", ["dense", "Dense", "MoE", "diffusion", "something else"])
def test_an_unlisted_model_on_stated_machines(read: int | None, architecture: str) -> None:
    card = ModelCard(total_params_b=8, active_params_b=8, architecture=architecture, modality="text")
    machines = Deployment(gpu="H100", n_gpus=1, precision="bf16", batch=63.7, framework="vLLM")
    found = estimate("some/unknown-model", input_tokens=read, output_tokens=300, card=card, deployment=machines)
    energy = found.parts["accelerator_energy_wh"]
    assert 0.0 < energy.low < energy.mid < energy.high < 10.0
    assert found.known


@pytest.mark.parametrize("modality", ["image-gen", "video-gen", "image", "text-to-image"])
def test_an_unlisted_denoiser(modality: str) -> None:
    card = ModelCard(active_params_b=5, total_params_b=10, architecture="diffusion", modality=modality)
    size = {"width": 832, "height": 480, "steps": 30, "frames": 49 if "video" in modality else 1}
    found = estimate(
        "some/unknown-denoiser", images=1, card=card, deployment=Deployment(gpu="B200", n_gpus=2, batch=1), **size
    )
    energy = found.parts["accelerator_energy_wh"]
    assert 0.01 < energy.low < energy.mid < energy.high
    assert estimate("some/unknown-denoiser", card=card, **size).parts["accelerator_energy_wh"].mid > 0.01


def test_geometry_comes_from_the_card_then_from_the_exact_name_then_from_the_size() -> None:
    def energy(name: str, **facts: Any) -> float:
        card = ModelCard(total_params_b=8, active_params_b=8, **facts)
        return estimate(name, input_tokens=20_000, output_tokens=200, card=card, deployment=H100).energy_wh.mid

    listed, unlisted = energy("meta-llama/Llama-3.1-8B-Instruct"), energy("meta-llama/Llama-3.1-8B-Instruct-")
    assert listed != unlisted
    assert energy("meta-llama/Llama-3.1-8B-Instruct", kv_elements=20_000) > 1.2 * listed
    assert energy("never-heard-of", layers=32, hidden=4096, kv_elements=2048) == pytest.approx(listed, rel=1e-6)


def test_the_software_of_a_year_is_told_by_the_date_or_the_version() -> None:
    def energy(framework: str, at: date | None = None) -> float:
        machines = Deployment(gpu="H100", n_gpus=1, batch=64, framework=framework)
        found = estimate("llama-3.1-8b", input_tokens=200, output_tokens=300, deployment=machines, at=at)
        return found.parts["accelerator_energy_wh"].mid

    assert (
        energy("vLLM", date(2024, 9, 1)) == energy("vLLM 0.5") > energy("vLLM 0.11") == energy("vLLM", date(2025, 9, 1))
    )
    assert energy("vLLM 0.5") > energy("vLLM") > energy("vLLM 0.11")


@pytest.mark.parametrize("model", ["gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash", "mistral-large-latest"])
def test_intervals_of_closed_models_stay_usable(model: str) -> None:
    found = estimate(model, input_tokens=300, output_tokens=300).energy_wh
    assert 4.0 < width(found) < 40.0
    assert 0.005 < found.mid < 5.0


def test_a_listed_request_is_evaluated_at_its_own_lengths() -> None:
    """The bulk form is made at a typical request; one estimate, at its own: they part for long contexts alone."""
    bulk = resolve("gemma-3-27b", deployment=Deployment(gpu="H100", n_gpus=2, batch=32))
    for read, near in ((210, 0.02), (100_000, 1.0)):
        facts = {"input_tokens": read, "output_tokens": 300}
        one = estimate("gemma-3-27b", **facts, deployment=Deployment(gpu="H100", n_gpus=2, batch=32))
        assert impacts_of_facts(bulk, **facts).energy_wh.mid == pytest.approx(one.energy_wh.mid, rel=near)
