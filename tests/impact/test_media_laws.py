"""Laws of images, videos and speech: growth, proportion, what is not stated and the row that holds it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.impact import Coefficients, Deployment, Impacts, ModelCard, estimate, formulas, impacts_of_facts, resolve
from mesure.impact.geometry import generic_media
from mesure.impact.modelled import Reference
from mesure.quantity import Quantity, Status, ratio

#: A transformer, a convolutional one, one of two streams, a video one, one of which only the size is known, an unknown.
DENOISERS: dict[str, dict[str, Any]] = {
    "stable-diffusion-3.5-large": {"modality": "image"},
    "stable-diffusion-xl-base-1.0": {"modality": "image"},
    "flux.1-dev": {"modality": "image"},
    "cogvideox-2b": {"modality": "video"},
    "wan2.1-14b": {"modality": "video"},
    "sized only": {"card": ModelCard(active_params_b=3.0, modality="image-gen"), "modality": "image"},
    "sized video": {"card": ModelCard(active_params_b=3.0, modality="video-gen"), "modality": "video"},
    "nobody": {"card": ModelCard(modality="image-gen"), "modality": "image"},
}
#: Bounds within which a form made at one setting may be read.
sides = st.integers(256, 2048)
denoisers = st.sampled_from(sorted(DENOISERS))


@cache
def coefficients(name: str) -> Coefficients:
    return resolve(name, zone="FRA", card=DENOISERS[name].get("card"))


def made(name: str, **facts: Any) -> Impacts:
    given_facts = {"images_count": 1, "image_width": 1024, "image_height": 1024, "image_steps": 30} | facts
    if DENOISERS[name]["modality"] == "video":
        given_facts.setdefault("video_frames", 49)
    return impacts_of_facts(coefficients(name), **given_facts)


def accelerators(found: Impacts) -> Quantity:
    return found.parts["accelerator_energy_wh"]


@settings(max_examples=60, deadline=None)
@given(denoisers, sides, sides, st.integers(1, 100), st.integers(1, 200), st.integers(1, 6))
def test_no_image_gets_cheaper_by_being_more(
    name: str, width: int, height: int, steps: int, frames: int, count: int
) -> None:
    facts = {"image_width": width, "image_height": height, "image_steps": steps, "video_frames": frames}
    facts["images_count"] = count
    found = made(name, **facts)
    assert 0.0 < found.energy_wh.low < found.energy_wh.mid < found.energy_wh.high
    for fact, more in (
        ("image_width", width + 64),
        ("image_height", height * 2),
        ("image_steps", steps + 1),
        ("video_frames", frames + 8),
        ("images_count", count + 1),
    ):
        if fact == "video_frames" and coefficients(name).modality == "image":
            continue
        further = made(name, **(facts | {fact: more}))
        assert further.energy_wh.mid > found.energy_wh.mid, fact
        assert further.energy_wh.low > found.energy_wh.low, fact


@settings(max_examples=40, deadline=None)
@given(denoisers, st.integers(1, 500), sides, st.integers(1, 60))
def test_as_many_images_as_calls_or_at_once_are_as_many_times_one(name: str, count: int, side: int, steps: int) -> None:
    facts = {"image_width": side, "image_height": side, "image_steps": steps}
    one, many = made(name, **facts), made(name, images_count=count, **facts)
    calls = made(name, images_count=count, calls_count=count, **facts)
    share = ratio(one.energy_wh, many.energy_wh, shared=1.0)
    assert share.mid == pytest.approx(1.0 / count, rel=1e-9)
    assert calls.energy_wh[:3] == pytest.approx(many.energy_wh[:3])
    assert made(name, images_count=0, **facts).energy_wh.high == 0.0


@settings(max_examples=40, deadline=None)
@given(denoisers, sides, sides, st.integers(1, 60))
def test_what_counts_is_the_number_of_pixels_not_the_form_of_the_image(
    name: str, width: int, height: int, steps: int
) -> None:
    turned = made(name, image_width=height, image_height=width, image_steps=steps)
    assert made(name, image_width=width, image_height=height, image_steps=steps).energy_wh == turned.energy_wh


@pytest.mark.parametrize("name", sorted(DENOISERS))
def test_steps_are_linear_and_attention_makes_pixels_more_than_linear(name: str) -> None:
    """Under one form. A convolutional denoiser has no attention of all pixels: it stays linear."""
    few, some, many = (accelerators(made(name, image_steps=steps)).mid for steps in (10, 20, 40))
    assert many - some == pytest.approx(2.0 * (some - few), rel=1e-9)
    small, half, whole = (accelerators(made(name, image_width=width)).mid for width in (512, 1024, 2048))
    growth = (whole - half) / (half - small)
    form = coefficients(name).form.terms
    assert growth >= 2.0 * (1.0 - 1e-9)
    assert (growth > 2.02) is (form["step_volume_volume"] > 1e-3 * form["step_volume"])
    assert all(value >= 0.0 for value in form.values())


@pytest.mark.parametrize("name", [name for name, of in DENOISERS.items() if of["modality"] == "video"])
def test_a_video_s_frames_count_as_the_model_packs_them(name: str) -> None:
    one, more = (accelerators(made(name, video_frames=frames)).mid for frames in (1, 49))
    assert 5.0 * one < more
    still = accelerators(made(name, video_frames=None)).mid
    assert still > one, "a video without a count of frames is assumed to have several"


@pytest.mark.parametrize("name", sorted(DENOISERS))
def test_what_is_not_stated_widens_and_is_flagged_fact_by_fact(name: str) -> None:
    stated = made(name)
    for facts, code in (
        ({"image_steps": None}, "image_steps_assumed"),
        ({"image_width": None}, "image_megapixels_assumed"),
        ({"image_height": None}, "image_megapixels_assumed"),
    ):
        found = made(name, **facts)
        assert set(found.warnings) - set(stated.warnings) == {code}
        assert found.energy_wh.high / found.energy_wh.low > 1.05 * stated.energy_wh.high / stated.energy_wh.low
    nothing = impacts_of_facts(coefficients(name))
    assert nothing.energy_wh.mid > 0.0, "one is assumed, never none"
    assert {"image_steps_assumed", "image_megapixels_assumed"} <= set(nothing.warnings)


def test_an_unknown_denoiser_is_flagged_and_much_wider_than_a_sized_one() -> None:
    sized, unknown = made("sized only"), made("nobody")
    assert sized.known
    assert not unknown.known
    assert unknown.status is Status.DEFAULT
    assert "model_unknown" in unknown.warnings
    assert unknown.energy_wh.high / unknown.energy_wh.low > 5.0 * sized.energy_wh.high / sized.energy_wh.low
    assert unknown.energy_wh.low < sized.energy_wh.mid < unknown.energy_wh.high


@settings(max_examples=40, deadline=None)
@given(st.floats(0.1, 60.0), st.floats(1.1, 5.0), st.booleans(), st.booleans())
def test_a_larger_denoiser_takes_more(size: float, more: float, video: bool, two: bool) -> None:
    architecture = "diffusion mmdit" if two else "diffusion"
    stated = Deployment(gpu="H100", n_gpus=1, batch=1)

    def of(billions: float) -> float:
        card = ModelCard(
            active_params_b=billions, modality="video-gen" if video else "image-gen", architecture=architecture
        )
        facts: dict[str, Any] = {"images_count": 1, "image_width": 768, "image_height": 768, "image_steps": 30}
        facts |= {"video_frames": 33} if video else {}
        return accelerators(impacts_of_facts(resolve("ours", card=card, deployment=stated), **facts)).mid

    assert of(size * more) > of(size)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 100.0), st.booleans(), st.booleans(), st.booleans())
def test_a_geometry_made_of_a_size_holds_that_size(size: float, unet: bool, video: bool, two: bool) -> None:
    found = generic_media(size, unet=unet, video=video, two_streams=two)
    assert found["temporal_factor"] == (4.0 if video and not unet else 1.0)
    if unet:
        assert found["layer_factor"] == 0.0
        assert found["pass_tflop"] > 0.0
        return
    assert found["pass_tflop"] == 0.0
    met = found["layer_factor"] * found["layers"] * found["hidden"] ** 2 * 1e-9
    assert met == pytest.approx((0.75 if video else 0.35 if two else 0.5) * size)
    assert found["two_streams"] == float(two)


# The form is made at one setting


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["flux.1-dev", "cogvideox-2b"]), st.integers(512, 1536), st.integers(10, 60), st.integers(17, 81)
)
def test_a_form_made_at_a_setting_and_one_made_at_the_usual_are_near(
    name: str, side: int, steps: int, frames: int
) -> None:
    facts: dict[str, Any] = {"images_count": 1, "image_width": side, "image_height": side, "image_steps": steps}
    facts["video_frames"] = frames if name == "cogvideox-2b" else 1
    there = Reference(width=side, height=side, frames=facts["video_frames"], steps=steps)
    own = impacts_of_facts(resolve(name, zone="FRA", reference=there), **facts)
    usual = impacts_of_facts(resolve(name, zone="FRA"), **facts)
    assert 0.4 < accelerators(own).mid / accelerators(usual).mid < 2.5


@pytest.mark.parametrize("basis", [0, formulas.STEPS, formulas.PIXELS, formulas.FRAMES, 4 + 8 + 16])
@pytest.mark.parametrize("name", ["flux.1-dev", "cogvideox-2b"])
def test_a_row_folds_in_exactly_what_stands_for_an_unknown_fact(name: str, basis: int) -> None:
    """The same energy whether what is assumed is stated by the call or folded into its row of coefficients."""
    of = coefficients(name)
    assumed = of.form.assumed
    side = round((assumed.megapixels * 1e6) ** 0.5)
    whole = {
        "images_count": 3,
        "image_width": side,
        "image_height": assumed.megapixels * 1e6 / side,
        "image_steps": assumed.steps,
        "video_frames": assumed.frames,
    }
    hidden = {
        "image_steps": basis & formulas.STEPS,
        "image_width": basis & formulas.PIXELS,
        "video_frames": basis & formulas.FRAMES,
    }
    found = impacts_of_facts(of, **{fact: None if hidden.get(fact) else value for fact, value in whole.items()})
    stated = impacts_of_facts(of, **whole)
    columns, row = found.columns, found.row
    energy = formulas.accelerator_energy_wh(columns, row)
    assert energy == pytest.approx(formulas.accelerator_energy_wh(stated.columns, stated.row), rel=1e-9)
    assert found.basis == basis


# Speech


@pytest.mark.parametrize(("model", "operation"), [("whisper-large-v3", "transcription"), ("kokoro-82m", "speech")])
def test_speech_is_in_proportion_to_its_seconds_and_assumed_when_nobody_counted(model: str, operation: str) -> None:
    of = resolve(model, zone="FRA")
    short, long = (impacts_of_facts(of, audio_seconds=seconds).energy_wh for seconds in (7.5, 750.0))
    assert long[:3] == pytest.approx(tuple(100.0 * value for value in short[:3]))
    assert impacts_of_facts(of, audio_seconds=0.0).energy_wh.high == 0.0
    unheard = impacts_of_facts(of)
    assert "audio_seconds_assumed" in unheard.warnings
    assumed = impacts_of_facts(of, audio_seconds=of.form.assumed.audio_seconds)
    assert unheard.energy_wh.mid == pytest.approx(assumed.energy_wh.mid, rel=0.1)
    assert unheard.energy_wh.high / unheard.energy_wh.low > assumed.energy_wh.high / assumed.energy_wh.low
    assert impacts_of_facts(of, operation=operation, http_status=429).energy_wh.high == 0.0, "refused before any work"


def test_a_public_estimate_of_speech_or_an_image_counts_one_when_none_is_said() -> None:
    assert estimate("flux.1-dev").energy_wh.mid == estimate("flux.1-dev", images=1).energy_wh.mid
    assert "audio_seconds_assumed" in estimate("whisper-large-v3").warnings
    assert "audio_seconds_assumed" not in estimate("whisper-large-v3", audio_seconds=3).warnings
    assert estimate("gpt-4o", images=0, input_tokens=9, output_tokens=9).parts.keys().isdisjoint({"image_energy_wh"})
