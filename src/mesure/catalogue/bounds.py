"""What a number of a table may be: its unit, its least value, and where zero is a fact. Elsewhere unknown is left out:
it is not zero."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["PARAMETERS", "broken_bound", "broken_unit"]

_CARBON = ("gCO2e/kWh", "gCO2/kWh")
_SIZE = ("1e9 parameters",)
_PER_KWH = {"water": ("L/kWh",), "adpe": ("gSbeq/kWh",), "pe": ("MJ/kWh",)}
_MODEL = {
    "total_params_b": _SIZE,
    "active_params_b": _SIZE,
    "denoiser_params_b": _SIZE,
    "text_encoder_params_b": _SIZE,
    "layers": ("layers",),
    "full_layers": ("layers",),
    "hidden": ("elements",),
    "kv_elements": ("elements per token and layer",),
    "experts": ("experts",),
    "experts_per_token": ("experts",),
    "window_tokens": ("tokens",),
    "state_gb": ("GB",),
    "weight_bits": ("bits per weight",),
    "default_steps": ("steps",),
    "layer_factor": ("parameters per token over layers x width^2",),
    "passes": ("passes per step",),
    "patch_px": ("pixels",),
    "temporal_factor": ("frames per latent frame",),
    "attention_factor": ("ratio",),
    "pass_tflop": ("TFLOP per megapixel and pass",),
    "two_streams": ("flag",),
}
#: Table -> parameter -> the units it may be stated in. A table that is not here takes any parameter.
PARAMETERS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "grids": {
        "intensity": _CARBON,
        "intensity_direct": _CARBON,
        "intensity_direct_upstream": _CARBON,
        "intensity_market": _CARBON,
        "intensity_residual": _CARBON,
        "intensity_marginal": _CARBON,
        **_PER_KWH,
    },
    "grid_impacts": _PER_KWH,
    "technologies": {"gwp": _CARBON, **_PER_KWH},
    "accelerators": {
        "board_power_w": ("W",),
        "memory_gb": ("GB",),
        "memory_bandwidth_gb_s": ("GB/s",),
        "dense_bf16_tflops": ("TFLOP/s",),
        "dense_fp8_tflops": ("TFLOP/s",),
        "dense_int8_tops": ("TOP/s",),
        "link_gb_s": ("GB/s per direction",),
    },
    "cpus": {"tdp_w": ("W",)},
    "models": _MODEL,
    "models_mpl": _MODEL,
    "sites": {"pue": ("ratio",), "wue": ("L/kWh",)},
    "mixes": dict.fromkeys(("biomass", "coal", "gas", "hydro", "nuclear", "oil", "other", "solar", "wind"), ("share",)),
}
#: What a network may lack.
_ABSENT = ("attention_factor", "layer_factor", "pass_tflop", "two_streams", "window_tokens", "state_gb")
#: Zero is a fact: a contract without carbon, a marginal hour of curtailed wind, dry cooling, panels that need no water,
#: a network that lacks the thing counted.
_MAY_BE_ZERO = {
    "grids": ("intensity_market", "intensity_marginal"),
    "sites": ("wue",),
    "technologies": ("water",),
    "models": _ABSENT,
}
_ONE_OR_MORE = ("pue",)
_SHARES = ("mixes", "hosts")


def broken_unit(table: str, parameter: str, unit: str) -> tuple[str, str] | None:
    """(column, why) where a table has no such parameter, or states it in another unit; None when all is well."""
    known = PARAMETERS.get(table)
    if known is None:
        return None
    if parameter not in known:
        return "parameter", f"not one of {', '.join(known)}"
    if unit not in known[parameter]:
        return "unit", f"not {' or '.join(known[parameter])}, in which this quantity is read"
    return None


def broken_bound(table: str, parameter: str, number: float) -> str | None:
    """Why `number` cannot be the value, or an end of the interval, of a quantity; None when it can."""
    if number == 0.0 and parameter not in _MAY_BE_ZERO.get(table, ()):
        return "zero, which stands for unknown and is left out"
    if parameter in _ONE_OR_MORE and number < 1.0:
        return "below 1, the least it can be"
    if table in _SHARES and number > 1.0:
        return "above 1, the most a share can be"
    return None
