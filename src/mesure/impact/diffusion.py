"""Energy of making images and videos at the accelerators, from physics. Floats or NumPy arrays alike.

A denoiser pass costs 2 x parameters met x tokens for its linear part and 4 x layers x width x tokens^2 for attention;
tokens grow with pixels and latent frames, so one set of constants carries from images to videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.impact.physics import Number, ceiling, joined, soft_lower

if TYPE_CHECKING:
    from mesure.impact.constants import Constants

__all__ = ["TERMS", "MediaSetting", "diffusion_joules", "diffusion_terms"]

#: What the linear form reads: volume is megapixels x latent frames.
TERMS = ("image", "image_volume", "image_step", "step_volume", "step_volume_volume")


@dataclass(frozen=True, slots=True)
class MediaSetting:
    """A denoiser on machines: everything but the constants. Fields may be arrays."""

    layers: float
    hidden: float
    linear_g: float  # 1e9 parameters one token meets
    patch_px: float
    temporal_factor: float  # frames per latent frame
    passes: float  # a step: 2 with guidance
    attention_factor: float
    pass_tflop: float  # of a convolutional denoiser, per megapixel and frame; 0 for transformers
    encoder_g: float
    two_streams: float  # 1 where text and image have their own weights
    boards: float
    batch: float
    board_w: float
    rate_tflops: float
    link_gb_s: float
    blackwell: float
    ampere: float


def _latent(s: MediaSetting, frames: Number) -> Number:
    return ceiling((frames - 1.0) / s.temporal_factor) + 1.0


def _tokens(s: MediaSetting, k: Constants, width: Number, height: Number, frames: Number) -> Number:
    return width * height / (s.patch_px * s.patch_px) * _latent(s, frames) + k.text_tokens


def _seconds(
    s: MediaSetting, k: Constants, width: Number, height: Number, frames: Number, steps: Number
) -> tuple[Number, Number, Number, Number, Number]:
    """(products, host, exchanges, decoder and text encoder, joint length) of one batch, seconds of all boards."""
    rate = s.rate_tflops * k.diffusion_blackwell**s.blackwell * k.diffusion_ampere**s.ampere * k.diffusion_rate
    tokens = _tokens(s, k, width, height, frames)
    linear = 2e-3 * s.linear_g * tokens
    attention = 4e-12 * s.layers * s.hidden * tokens * tokens * s.attention_factor
    pixels = width * height * 1e-6 * frames
    tflop = s.passes * (linear + attention + s.pass_tflop * pixels)
    busy = steps * s.batch * tflop / (s.boards * rate * k.dual_gain**s.two_streams)
    many = 1.0 + k.diffusion_host_board * (s.boards - 1.0)
    host = steps * s.layers * k.dual_streams**s.two_streams * k.diffusion_host_layer_s * many
    coda = s.batch * (k.decode_tflop * pixels + 2e-3 * s.encoder_g * k.text_tokens) / rate
    sent_gb = steps * s.batch * s.passes * 8e-9 * tokens * s.hidden * s.layers
    links = sent_gb * (s.boards - 1.0) / (s.boards * s.boards) / (k.diffusion_link * s.link_gb_s)
    whole = joined(busy, host, k.diffusion_overlap) + links + coda + k.diffusion_request_s * many
    return busy, host, links, coda, whole


def diffusion_joules(
    s: MediaSetting, k: Constants, width: Number, height: Number, frames: Number, steps: Number
) -> Number:
    """Joules at the accelerators for one image (`frames` = 1) or one video."""
    busy, _, links, coda, whole = _seconds(s, k, width, height, frames, steps)
    working = k.diffusion_power * (busy + coda / s.boards) + k.diffusion_power_links * links
    share = soft_lower(k.diffusion_idle + working / whole, k.diffusion_power_cap, 8.0)
    return s.boards * s.board_w * share * whole / s.batch


def diffusion_terms(
    s: MediaSetting, k: Constants, width: float, height: float, frames: float, steps: float, volume: float
) -> dict[str, float]:
    """Joules per unit of `TERMS`: exact at the settings given, whose volume the reader counts as `volume`, polynomial
    around them."""
    busy, host, links, coda, whole = _seconds(s, k, width, height, frames, steps)
    tokens = _tokens(s, k, width, height, frames)
    square = 4e-12 * s.layers * s.hidden * tokens * tokens * s.attention_factor * s.passes
    all_tflop = square + s.passes * (2e-3 * s.linear_g * tokens + s.pass_tflop * width * height * 1e-6 * frames)
    overlap = (whole - links - coda - k.diffusion_request_s * _many(s, k)) / max(busy + host, 1e-300)
    attention = busy * square / max(all_tflop, 1e-300)
    once = {"image": k.diffusion_request_s * _many(s, k), "image_volume": coda / volume}
    each = {
        "image_step": overlap * host / steps,
        "step_volume": (overlap * (busy - attention) + links) / volume / steps,
        "step_volume_volume": overlap * attention / volume / volume / steps,
    }
    joules = float(diffusion_joules(s, k, width, height, frames, steps))
    return {name: joules / whole * seconds for name, seconds in (once | each).items()}


def _many(s: MediaSetting, k: Constants) -> Number:
    return 1.0 + k.diffusion_host_board * (s.boards - 1.0)
