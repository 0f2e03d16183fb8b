"""What a caller may state: the machines that serve a model, and the model itself."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from mesure.errors import InvalidValue

if TYPE_CHECKING:
    from typing import Any

__all__ = ["BITS", "Deployment", "ModelCard"]

#: Bits per weight of the formats people name; 4-bit formats carry their scales.
BITS = {
    "float32": 32.0, "fp32": 32.0, "float32 (default)": 32.0, "bfloat16": 16.0, "bf16": 16.0,
    "float16": 16.0, "fp16": 16.0,
    "fp8": 8.0, "int8": 8.0, "q8_0": 8.5, "mxfp4": 4.25, "nvfp4": 4.5, "fp4": 4.5, "int4": 4.5, "awq": 4.5, "gptq": 4.5,
    "q4_k_m": 4.85, "q4_0": 4.5,
}  # fmt: skip


def _refuse_negative(thing: Any) -> None:
    for field in fields(thing):
        value = getattr(thing, field.name)
        if isinstance(value, int | float) and not isinstance(value, bool) and not 0 < value < float("inf"):
            raise InvalidValue(
                f"{field.name} must be a finite number above 0",
                value=value,
                action="Correct it, or leave it out when it is unknown.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Machines that serve a model. What is left out is unknown and enters as a distribution; empty text and 0 mean
    left out.

    `gpu`: accelerator id or common name; `n_gpus`: accelerators for one copy of the model; `precision`: weight format
    (bf16, fp8, int4...); `batch`: requests in flight on average (images made at once); `framework`: serving software,
    with its version where known ("vLLM 0.11"); `idle_measured`: what its machines draw for nobody is booked apart, and
    no share of it is added to calls. Raises `InvalidValue`.
    """

    gpu: str | None = None
    n_gpus: int | None = None
    precision: str | None = None
    batch: float | None = None
    framework: str | None = None
    idle_measured: bool | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name):
                object.__setattr__(self, field.name, None)
        _refuse_negative(self)
        if self.precision and self.precision.casefold() not in BITS and self.precision != "default":
            raise InvalidValue(
                "This precision is not one Mesure knows", value=self.precision, action=f"Use one of: {', '.join(BITS)}."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Facts of a model that is not listed, or that override the listed ones. Raises `InvalidValue`.

    Sizes in 1e9 parameters. `architecture`: dense, moe, hybrid, encoder or diffusion (with unet or mmdit where it is
    one); `modality`: text, image+text, embedding, image, video, speech to text; usual spellings of both are read.
    `kv_elements`: key + value elements per token and layer; `full_layers`: layers that attend to everything, the
    others to `window_tokens`; `state_gb`: recurrent state read and written per request and step. For diffusion,
    `active_params_b` is
    the denoiser; `passes` per step (2 with guidance), `patch_px` pixels a side per token, `temporal_factor` frames
    per latent frame, `pass_tflop` TFLOP per megapixel and pass for U-Nets, `two_streams` 1 where text and image have
    their own weights,
    `layer_factor` parameters one token meets over layers x width^2 (12 for a plain transformer block),
    `attention_factor` attention beside one full attention a layer (1 when left out).
    """

    total_params_b: float | None = None
    active_params_b: float | None = None
    architecture: str | None = None
    modality: str | None = None
    layers: float | None = None
    hidden: float | None = None
    kv_elements: float | None = None
    full_layers: float | None = None
    window_tokens: float | None = None
    experts: float | None = None
    experts_per_token: float | None = None
    state_gb: float | None = None
    weight_bits: float | None = None
    passes: float | None = None
    patch_px: float | None = None
    temporal_factor: float | None = None
    pass_tflop: float | None = None
    layer_factor: float | None = None
    attention_factor: float | None = None
    text_encoder_params_b: float | None = None
    two_streams: float | None = None
    default_steps: float | None = None

    def __post_init__(self) -> None:
        _refuse_negative(self)
        diffusion = "diffusion" in (self.architecture or "").casefold() or "gen" in (self.modality or "")
        if (self.active_params_b or 0) > (self.total_params_b or float("inf")) and not diffusion:
            raise InvalidValue(
                "A model cannot have more active parameters than parameters",
                value=f"{self.active_params_b} > {self.total_params_b}",
                action="Check the two figures.",
            )
