"""Energy of making images and videos at the accelerators, as coefficients of a polynomial in steps and volume.

The volume of an image is its megapixels; that of a video, megapixels x latent frames. A denoiser pass costs
2 x parameters x tokens for its linear part and 4 x layers x width x tokens^2 for attention, tokens being proportional
to volume: one set of constants carries from images to videos.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mesure.impact import constants as fit

if TYPE_CHECKING:
    from mesure.impact.roofline import Load, Machine

__all__ = ["DiffusionModel", "diffusion_terms"]

_J_PER_WH = 3600.0


@dataclass(frozen=True, slots=True)
class DiffusionModel:
    """`denoiser_b` in 1e9 parameters; `pass_tflop` (TFLOP per megapixel and pass) replaces it for U-Nets."""

    denoiser_b: float
    encoder_b: float
    layers: float
    hidden: float
    passes: float
    patch_px: float
    temporal_factor: float
    pass_tflop: float | None
    attention_factor: float
    default_steps: float | None  # the maker's, when it states one
    volume: float  # at which what is not polynomial is evaluated


def diffusion_terms(model: DiffusionModel, machine: Machine, load: Load) -> dict[str, float]:
    """Wh at the accelerators per unit of each image term of `formulas`, and `power_share`."""
    n, unet = load.n, model.pass_tflop is not None
    speed = fit.DIFFUSION_SPEED[machine.id].value if machine.id in fit.DIFFUSION_SPEED else 1.0
    rate = machine.peak_gflop_s * n * speed * (fit.UNET.value if unet else 1.0) * 1e-3  # TFLOP/s
    tokens = 1e6 / model.patch_px**2  # per unit of volume
    if model.pass_tflop is not None:
        linear, square = model.pass_tflop * model.passes, 0.0
    else:
        linear = 2.0 * model.denoiser_b * 1e-3 * tokens * model.passes
        square = 4.0 * model.attention_factor * model.layers * model.hidden * tokens**2 * 1e-12 * model.passes
    linear_s = linear / fit.LINEAR_COMPUTE.value / rate
    square_s = square / fit.ATTENTION_COMPUTE.value / rate
    launch_s = model.layers * fit.PASS_LAYER_S.value / load.batch
    exchange_s = 0.0
    if n > 1:
        payload_gb = 8.0 * tokens * model.hidden * model.layers * model.passes * 1e-9
        exchange_s = payload_gb * (n - 1) / n**2 / (0.105 * machine.link_gb_s)

    volume = model.volume
    busy_s = volume * (linear_s + volume * square_s)
    # Launches hide behind products: the 4-norm of both, shared between them at the reference volume
    overlap = (busy_s**4 + launch_s**4) ** 0.25 / (busy_s + launch_s)
    share = fit.DIFFUSION_IDLE.value + fit.DIFFUSION_BUSY.value * busy_s / (busy_s + launch_s)
    share = (share**-8 + 1.0) ** -0.125
    watts = n * machine.power_w * share / _J_PER_WH
    single = machine.peak_gflop_s * speed * fit.LINEAR_COMPUTE.value * 1e-3
    once = n * machine.power_w * share / _J_PER_WH / n
    return {
        "image": once * (fit.ENCODE_TFLOP.value / single + fit.IMAGE_S.value),
        "image_volume": once * fit.DECODE_TFLOP.value * model.temporal_factor / single,
        "image_step": watts * launch_s * overlap,
        "step_volume": watts * (linear_s * overlap + exchange_s),
        "step_volume_volume": watts * square_s * overlap,
        "power_share": share,
    }
