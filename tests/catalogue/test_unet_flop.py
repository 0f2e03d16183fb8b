"""Operations of a convolutional denoiser: laws of the count, and that the packaged figures are what it gives."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mesure.catalogue import current

SOURCES = Path(__file__).resolve().parents[2] / "catalogue-src"

pytestmark = pytest.mark.skipif(not SOURCES.is_dir(), reason="the source tables are not in this checkout")


@pytest.fixture
def unet(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(SOURCES))
    yield importlib.import_module("unet_flop")
    sys.modules.pop("unet_flop", None)


def test_one_convolution_level_is_counted_by_hand(unet: ModuleType) -> None:
    """8 pixels a side are one latent place: 3 x 3 products of 4, 2 and 2 or 4 channels."""
    network = unet.UNet((2,), (0,), 4)
    opening, closing = 2 * 9 * 4 * 2, 2 * 9 * 2 * 4
    down = 2 * (2 * 9 * 2 * 2 * 2)  # two blocks of two convolutions
    middle = 2 * (2 * 9 * 2 * 2 * 2)
    up = 3 * (2 * 9 * 4 * 2 + 2 * 9 * 2 * 2 + 2 * 4 * 2)  # joined with a skip: 4 channels in, and a 1 x 1 beside
    assert unet.tflop_per_pass(network, 8) * 1e12 == pytest.approx(opening + down + middle + up + closing)


def test_attention_grows_faster_than_the_image(unet: ModuleType) -> None:
    for network in unet.CONFIGURATIONS.values():
        small, large = (unet.tflop_per_megapixel(network, side) for side in (512, 1024))
        assert small < large < 2 * small


def test_without_attention_it_grows_as_the_image(unet: ModuleType) -> None:
    network = unet.UNet((320, 640), (0, 0), 768)
    assert unet.tflop_per_megapixel(network, 1024) == pytest.approx(unet.tflop_per_megapixel(network, 512))


def test_published_counts_are_met(unet: ModuleType) -> None:
    """0.80 TFLOP for Stable Diffusion 1.5 at 512 pixels; SDXL 5.98 at 1 024 by counters that leave attention out."""
    assert unet.tflop_per_pass(unet.CONFIGURATIONS["stable-diffusion-v1-5"], 512) == pytest.approx(0.80, abs=0.01)
    assert 5.98 < unet.tflop_per_pass(unet.CONFIGURATIONS["stable-diffusion-xl-base-1.0"], 1024) < 1.15 * 5.98


def test_the_packaged_intervals_hold_what_is_counted(unet: ModuleType) -> None:
    for name, network in unet.CONFIGURATIONS.items():
        factor = current().model(name).one("pass_tflop")
        assert factor
        counted = [unet.tflop_per_megapixel(network, side) for side in (512, 768, 1024)]
        assert factor.low <= factor.value <= factor.high
        assert factor.low <= min(counted) * 1.01
        assert max(counted) <= factor.high * 1.01


def test_it_prints_what_it_counts(unet: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    import runpy

    runpy.run_path(str(SOURCES / "unet_flop.py"), run_name="__main__")
    assert "stable-diffusion-v1-5: TFLOP per megapixel and pass at 512: 3.06" in capsys.readouterr().out
