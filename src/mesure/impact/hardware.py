"""Accelerators as the physics needs them: any usual spelling of a name, and figures for each machine it may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from mesure.catalogue import Factor, current
from mesure.errors import InvalidValue, UnknownName
from mesure.impact.constants import residual, rows_seen

__all__ = ["Machine", "accelerator_id", "machine_spread", "machines", "on_processor"]

#: Words that say nothing about which accelerator it is.
_NOISE = re.compile(
    r"nvidia|tesla|geforce|quadro|radeon|amd|instinct|intel|google|apple|cloud|aws|habana|tensor-?core|gpu|oam|hgx|dgx"
    r"|hbm\d?e?|chip|accelerator|graphics|[\s_\-()/,®™]+"
)
_MEMORY = re.compile(r"(?<![a-z0-9])(\d+)\s*gi?b")
_FORM = re.compile(r"sxm\d?|nvl\d*|pcie?")
#: Squeezed name -> id, where the catalogue's own names do not give it.
_SPELLED = {
    "v100": "v100-sxm2-32gb", "a100": "a100-sxm-80gb", "a800": "a100-sxm-80gb", "h100": "h100-sxm", "h800": "h100-sxm",
    "h200": "h200-sxm", "b100": "b200-sxm", "b200": "b200-sxm", "b300": "b300-sxm", "gh200": "gh200-96gb",
    "a6000": "rtx-a6000", "6000ada": "rtx-6000-ada", "rtx6000adageneration": "rtx-6000-ada",
    "rtxpro6000": "rtx-pro-6000-server", "rtxpro6000blackwell": "rtx-pro-6000-server", "3060": "rtx-3060-12gb",
    "rtx3060": "rtx-3060-12gb", "3090": "rtx-3090", "4060": "rtx-4060", "4090": "rtx-4090", "5090": "rtx-5090",
    "mi300": "mi300x", "mi250": "mi250x", "7900xtx": "rx-7900-xtx", "jetsonorin": "jetson-agx-orin-64gb",
    "jetsonagxorin": "jetson-agx-orin-64gb", "jetsonorinnano": "jetson-orin-nano-8gb",
    "jetsonthor": "jetson-thor-t5000", "jetsonagxthor": "jetson-thor-t5000", "v5e": "tpu-v5e", "v5p": "tpu-v5p",
    "v6e": "tpu-v6e", "trillium": "tpu-v6e", "tpuv6": "tpu-v6e", "tpuv5": "tpu-v5p", "ironwood": "tpu-v7",
    "trn1": "trainium1", "trn2": "trainium2", "inf2": "inferentia2", "trainium": "trainium1", "gaudi": "gaudi2",
    "m1": "apple-m1", "m1max": "apple-m1-max", "m2": "apple-m2", "m2ultra": "apple-m2-ultra", "m3": "apple-m3",
    "m3max": "apple-m3-max", "m3ultra": "apple-m3-ultra", "m4": "apple-m4", "m4pro": "apple-m4-pro",
    "m4max": "apple-m4-max", "m5": "apple-m5",
}  # fmt: skip
#: Where memory or form factor makes another accelerator of the same name.
_VARIANTS = {
    ("a100", "40gb"): "a100-sxm-40gb", ("a100", "pcie"): "a100-pcie-80gb", ("v100", "16gb"): "v100-pcie-16gb",
    ("v100", "pcie"): "v100-pcie-16gb", ("h100", "pcie"): "h100-pcie", ("h100", "nvl"): "h100-nvl",
    ("h200", "nvl"): "h200-nvl",
}  # fmt: skip
_GDDR = (
    "t4", "a10", "a10g", "a40", "l4", "l40", "l40s", "rtx-a6000", "rtx-6000-ada", "rtx-3060-12gb", "rtx-3090",
    "rtx-4060", "rtx-4090", "rtx-5090", "rtx-pro-6000-server", "rx-7900-xtx", "arc-pro-b60",
)  # fmt: skip
#: The same chip with more memory.
_SAME_CHIP = {"a100-sxm-80gb": "a100-sxm-40gb"}
_BLACKWELL = ("b200", "b300", "gb200", "gb300")
_OWN = ("rtx-3", "rtx-4", "rtx-5", "rx-", "apple", "cpu", "jetson")
_NVIDIA = ("a1", "a3", "a4", "b2", "b3", "g", "h", "l4", "rtx", "t4", "v1")


@dataclass(frozen=True, slots=True)
class Machine:
    """One accelerator: W, GB, GB/s, TFLOP/s. `rate8` equals `rate16` where 8-bit products are no faster."""

    id: str
    year: int
    power_w: float
    memory_gb: float
    bandwidth_gb_s: float
    rate16_tflops: float
    rate8_tflops: float
    link_gb_s: float

    @property
    def gddr(self) -> bool:
        return self.id in _GDDR

    @property
    def blackwell(self) -> bool:
        return self.id.startswith(_BLACKWELL)

    @property
    def ampere(self) -> bool:
        return self.id.startswith("a100")

    @property
    def own(self) -> bool:
        """A machine people have at home or at the edge: one request at a time."""
        return self.id.startswith(_OWN)


def on_processor(gpu: str | None) -> bool:
    return (gpu or "").casefold().startswith("cpu")


@lru_cache(maxsize=1024)
def accelerator_id(name: str) -> str:
    """The accelerator an exact name or a usual spelling of it designates. Raises `UnknownName` with nearest names."""
    try:
        return current().accelerator(name).id
    except UnknownName:
        spaced = re.sub(r"[-_/(),]+", " ", name.casefold())
        squeezed = _NOISE.sub("", _MEMORY.sub("", spaced))
        memory = (f"{size}gb" for size in _MEMORY.findall(spaced))
        variants = (*memory, *(form.rstrip("0123456789") for form in _FORM.findall(squeezed)))
        bare = _FORM.sub("", squeezed)
        found = next((_VARIANTS[bare, v] for v in variants if (bare, v) in _VARIANTS), None)
        found = found or _SPELLED.get(bare) or _squeezed_ids().get(bare)
        if found is None:
            raise
        return found


@cache
def _squeezed_ids() -> dict[str, str]:
    return {_NOISE.sub("", listed): listed for listed in current().accelerators()}


@lru_cache(maxsize=256)
def machines(gpu: str) -> tuple[tuple[tuple[float, Machine], ...], tuple[Factor, ...]]:
    """(weighted machines: one, or three where the figures are ranges; factors used).

    Raises `UnknownName`, and `InvalidValue` where neither the seller nor anybody gives a figure.
    """
    chip = accelerator_id(gpu)
    facts = current().accelerator(chip)
    power, peak, link = facts.board_power_w, facts.dense_bf16_tflops, facts.link_gb_s
    memory, bandwidth, peak8 = facts.memory_gb, facts.memory_bandwidth_gb_s, facts.dense_fp8_tflops or peak
    if None in (power, peak, memory, bandwidth, link):
        raise InvalidValue(
            "The seller publishes no power, memory, bandwidth or rate for this accelerator, so it cannot be modelled",
            value=gpu,
            action="Measure its energy, or name an accelerator that has them.",
        )
    assert power is not None
    assert peak is not None
    assert peak8 is not None
    assert memory is not None
    assert bandwidth is not None
    assert link is not None
    used = tuple(dict.fromkeys((power, memory, bandwidth, peak, peak8, link)))

    def at(which: str) -> Machine:
        watts, size, speed, rate, rate8 = (getattr(f, which) for f in (power, memory, bandwidth, peak, peak8))
        return Machine(chip, _YEARS.get(chip, power.year), watts, size, speed, rate, rate8, link.value)

    if power.low == power.high and bandwidth.low == bandwidth.high:
        return ((1.0, at("value")),), used
    # Small machines draw less and are slower: the figures go together
    return ((0.25, at("low")), (0.5, at("value")), (0.25, at("high"))), used


#: Of the generation, for what software it may run; otherwise the year of its figures.
_YEARS = {
    "v100-sxm2-32gb": 2017, "v100-pcie-16gb": 2017, "t4": 2018, "a100-sxm-40gb": 2020, "a100-sxm-80gb": 2020,
    "a100-pcie-80gb": 2021, "a40": 2020, "rtx-a6000": 2020, "a10": 2021, "a10g": 2021, "a30": 2021,
    "h100-sxm": 2022, "h100-pcie": 2022, "h100-nvl": 2023, "l4": 2023, "l40": 2022, "l40s": 2023, "h200-sxm": 2024,
}  # fmt: skip


def machine_spread(chip: str) -> float:
    """Log spread added where the fit has no row of an accelerator: more for another maker."""
    if rows_seen(chip) or rows_seen(_SAME_CHIP.get(chip, "")):
        return 0.0
    if chip.startswith("cpu"):
        return residual("processor").value
    return residual("other-chip" if chip.startswith(_NVIDIA) else "other-vendor").value
