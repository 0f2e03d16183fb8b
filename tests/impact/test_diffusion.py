"""Images and videos: the physics, and the polynomial that stands for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesure.impact.constants import constants
from mesure.impact.deployment import Deployment, ModelCard
from mesure.impact.diffusion import TERMS, MediaSetting, diffusion_joules, diffusion_terms
from mesure.impact.hardware import machines
from mesure.impact.impacts import estimate
from mesure.impact.scenarios import media_setting
from mesure.impact.subject import MediaModel, subject_of

[(_, H100)], _ = machines("H100")
B200 = Deployment(gpu="B200", n_gpus=1, batch=1)


def model(name: str = "cogvideox1.5-5b", modality: str = "video") -> MediaModel:
    return subject_of(name, None, ModelCard(modality=modality), Deployment()).media[0][1]


def setting(boards: int = 1, batch: float = 1.0, **named: str) -> MediaSetting:
    return media_setting(model(**named), H100, boards, batch)


@settings(deadline=None)
@given(st.integers(256, 2048), st.integers(256, 2048), st.integers(1, 161), st.integers(1, 100), st.integers(1, 8))
def test_the_polynomial_is_the_physics_where_it_was_made(w: int, h: int, frames: int, steps: int, boards: int) -> None:
    s, k = setting(boards), constants()
    volume = w * h * 1e-6 * (1.0 + (frames - 1.0) / s.temporal_factor)
    terms = diffusion_terms(s, k, w, h, frames, steps, volume)
    counts = (1.0, volume, steps, steps * volume, steps * volume**2)
    value = sum(terms[name] * count for name, count in zip(TERMS, counts, strict=True))
    assert value == pytest.approx(float(diffusion_joules(s, k, w, h, frames, steps)), rel=1e-9)
    assert all(term >= -1e-9 for term in terms.values())


def test_energy_grows_with_steps_pixels_and_frames() -> None:
    s, k = setting(), constants()
    small = diffusion_joules(s, k, 512, 512, 17, 20)
    for bigger in ((512, 512, 17, 40), (1024, 512, 17, 20), (512, 512, 49, 20)):
        assert diffusion_joules(s, k, *bigger) > 1.5 * small


def test_attention_makes_video_grow_faster_than_its_pixels() -> None:
    s, k = setting(), constants()
    assert diffusion_joules(s, k, 1360, 768, 81, 50) > 2.5 * diffusion_joules(s, k, 1360, 768, 41, 50)


def test_a_convolutional_denoiser_is_nearly_linear_in_pixels() -> None:
    s, k = setting(name="stable-diffusion-xl-base-1.0", modality="image"), constants()
    assert s.linear_g == 0.0
    assert s.pass_tflop > 0.0
    gain = diffusion_joules(s, k, 1024, 1024, 1, 30) / diffusion_joules(s, k, 724, 724, 1, 30)
    assert 1.6 < gain < 2.5


def test_a_batch_shares_what_is_launched_once() -> None:
    k = constants()
    alone, together = (diffusion_joules(setting(1, batch), k, 256, 256, 1, 20) for batch in (1.0, 8.0))
    assert together < alone


def test_one_number_carries_from_images_to_videos() -> None:
    """0.3 to 0.7 TFLOP a joule of H100, whatever is made."""
    s, k = setting(), constants()
    volume_tokens = 1e6 / s.patch_px**2
    linear = 2e-3 * s.linear_g * volume_tokens * s.passes
    terms = diffusion_terms(s, k, 1024, 1024, 1, 50, 1.048576)
    assert 0.3 < linear / terms["step_volume"] < 0.7


def test_how_many_frames_a_model_packs_is_a_distribution_when_only_its_size_is_known() -> None:
    card = ModelCard(active_params_b=5, architecture="diffusion", modality="video")
    unknown = subject_of("never-heard-of", None, card, Deployment())
    assert sorted(media.temporal_factor for _, media in unknown.media) == [4.0, 8.0]
    assert sum(weight for weight, _ in unknown.media) == pytest.approx(1.0)

    def energy(**facts: float) -> float:
        said = ModelCard(active_params_b=5, architecture="diffusion", modality="video", **facts)
        found = estimate("never-heard-of", width=832, height=480, frames=81, steps=30, card=said, deployment=B200)
        return found.parts["accelerator_energy_wh"].mid

    assert energy(temporal_factor=8) < energy() < energy(temporal_factor=4)
