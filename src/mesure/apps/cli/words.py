"""Which options of the command line settle what a figure assumes, and in what order a terminal shows figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.apps.words import STEPS, WARNINGS

if TYPE_CHECKING:
    from mesure.apps.cli.voice import Voice

__all__ = ["NAMES", "warning"]

#: In the order in which impacts are shown.
NAMES: dict[str, str] = {name: STEPS[name] for name in ("energy_wh", "gwp_gco2eq", "water_ml", "adpe_gsbeq", "pe_mj")}

_OPTIONS: dict[str, str] = {
    "hardware_unknown": "--gpu, --n-gpus",
    "load_unknown": "--batch",
    "zone_assumed": "--zone",
    "zone_unknown": "--zone",
    "input_tokens_assumed": "--input",
    "output_tokens_assumed": "--output",
    "image_steps_assumed": "--steps",
    "image_megapixels_assumed": "--width, --height",
}


def warning(voice: Voice, code: str) -> str:
    """What a figure assumes, and the options that would replace the assumption."""
    if code not in WARNINGS:
        return code
    text = voice.t(WARNINGS[code])
    return f"{text.rstrip('.')} ({_OPTIONS[code]})." if code in _OPTIONS else text
