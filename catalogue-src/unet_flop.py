"""Operations of one pass of a convolutional denoiser, counted from the configuration its maker publishes.

    python catalogue-src/unet_flop.py

A multiplication and an addition are two operations. Convolutions and linear layers grow with the pixels, products of
attention with their square: the figure is given for images of 512, 768 and 1 024 pixels a side.
"""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["CONFIGURATIONS", "UNet", "tflop_per_megapixel", "tflop_per_pass"]

_LATENT, _TEXT_TOKENS, _AUTOENCODER, _RESIDUAL_BLOCKS = 4, 77, 8, 2


@dataclass(frozen=True)
class UNet:
    """Channels of each level, transformer layers in each of its blocks (0: none), width of the text embedding."""

    channels: tuple[int, ...]
    layers: tuple[int, ...]
    text_width: int
    middle: int = field(default=0)  # transformer layers of the middle block


#: unet/config.json of each repository, as the classes of diffusers 0.42.1 read it.
CONFIGURATIONS = {
    "stable-diffusion-v1-5": UNet((320, 640, 1280, 1280), (1, 1, 1, 0), 768, 1),
    "stable-diffusion-2-1": UNet((320, 640, 1280, 1280), (1, 1, 1, 0), 1024, 1),
    "stable-diffusion-xl-base-1.0": UNet((320, 640, 1280), (0, 2, 10), 2048, 10),
}


def _convolution(into: int, out: int, places: int, side: int = 3) -> float:
    return 2.0 * into * out * side * side * places


def _residual(into: int, out: int, places: int) -> float:
    joined = _convolution(into, out, places, 1) if into != out else 0.0
    return _convolution(into, out, places) + _convolution(out, out, places) + joined


def _transformer(width: int, places: int, layers: int, text_width: int) -> float:
    if not layers:
        return 0.0
    own = 8.0 * places * width**2 + 4.0 * places**2 * width
    across = 4.0 * places * width**2 + 4.0 * _TEXT_TOKENS * text_width * width + 4.0 * places * _TEXT_TOKENS * width
    gated = 24.0 * places * width**2
    return layers * (own + across + gated) + 4.0 * places * width**2


def tflop_per_pass(network: UNet, side_px: int) -> float:
    """TFLOP of one pass on a square image of `side_px` pixels a side."""
    side, channels, text = side_px // _AUTOENCODER, network.channels, network.text_width
    width, total = channels[0], _convolution(_LATENT, channels[0], side * side)
    skips = [width]
    for level, out in enumerate(channels):
        for _ in range(_RESIDUAL_BLOCKS):
            total += _residual(width, out, side * side) + _transformer(out, side * side, network.layers[level], text)
            width = out
            skips.append(width)
        if level < len(channels) - 1:
            side //= 2
            total += _convolution(width, width, side * side)
            skips.append(width)
    total += 2.0 * _residual(width, width, side * side) + _transformer(width, side * side, network.middle, text)
    for level in reversed(range(len(channels))):
        for _ in range(_RESIDUAL_BLOCKS + 1):
            total += _residual(width + skips.pop(), channels[level], side * side)
            width = channels[level]
            total += _transformer(width, side * side, network.layers[level], text)
        if level:
            side *= 2
            total += _convolution(width, width, side * side)
    return (total + _convolution(width, _LATENT, side * side)) * 1e-12


def tflop_per_megapixel(network: UNet, side_px: int) -> float:
    return tflop_per_pass(network, side_px) / (side_px * side_px * 1e-6)


if __name__ == "__main__":
    for name, network in CONFIGURATIONS.items():
        counted = ", ".join(f"{side}: {tflop_per_megapixel(network, side):.2f}" for side in (512, 768, 1024))
        print(f"{name}: TFLOP per megapixel and pass at {counted}")
