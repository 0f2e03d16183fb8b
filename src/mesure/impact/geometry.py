"""Layers and widths of a model of which only the size is known; they follow the open models of 2023 to 2025."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TextGeometry", "generic_media", "generic_text"]


@dataclass(frozen=True, slots=True)
class TextGeometry:
    layers: float
    hidden: float
    kv_elements: float
    full_layers: float
    window_tokens: float
    experts: float
    experts_per_token: float
    state_gb: float


def generic_text(active_b: float, total_b: float, *, mixture: bool, hybrid: bool) -> TextGeometry:
    """Sizes in 1e9 parameters. Mixtures: experts by how sparse they are; hybrids: one layer in ten attends."""
    if mixture:
        sparsity = total_b / active_b
        experts, chosen = (
            (8, 2) if sparsity < 4.5 else (32, 4) if sparsity < 6.0 else (128, 8) if sparsity < 15.0 else (256, 8)
        )
        layers = 15.0 * total_b**0.26
        hidden = 3e4 * (active_b / 12.0 / layers) ** 0.5
        return TextGeometry(layers, hidden, 1024.0, layers, 0.0, experts, chosen, 0.0)
    layers = 19.0 * active_b**0.33
    hidden = (active_b * 1e9 / 12.0 / layers) ** 0.5
    if hybrid:
        return TextGeometry(layers, hidden, 2048.0, 0.1 * layers, 0.0, 1.0, 1.0, 0.015 * active_b)
    return TextGeometry(layers, hidden, 2048.0, layers, 0.0, 1.0, 1.0, 0.0)


def generic_media(denoiser_b: float, *, unet: bool, video: bool, two_streams: bool) -> dict[str, float]:
    """Parameters of `ModelCard` for a denoiser of which only the size is known."""
    common = {"patch_px": 16.0, "passes": 2.0, "attention_factor": 1.0, "temporal_factor": 4.0 if video else 1.0}
    if unet:
        network = {"layers": 25.0, "hidden": 1024.0, "layer_factor": 0.0, "pass_tflop": 3.3 * denoiser_b**0.6}
        return common | network | {"temporal_factor": 1.0, "text_encoder_params_b": 0.5, "two_streams": 0.0}
    layers = 32.0 * (denoiser_b / 2.0) ** 0.2
    met = 0.75 if video else 0.35 if two_streams else 0.5  # share a token meets: modulation and the text stream apart
    hidden = (met * denoiser_b * 1e9 / 12.0 / layers) ** 0.5
    return common | {
        "layers": layers,
        "hidden": hidden,
        "layer_factor": 12.0,
        "pass_tflop": 0.0,
        "text_encoder_params_b": 4.8,
        "two_streams": 1.0 if two_streams else 0.0,
    }
