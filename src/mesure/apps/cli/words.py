"""Codes of the lower rooms, in words for a terminal."""

from __future__ import annotations

from mesure.i18n import mark
from mesure.quantity import Status

__all__ = ["NAMES", "STATUSES", "WARNINGS"]

#: In the order in which impacts are shown.
NAMES: dict[str, str] = {
    "energy_wh": mark("Energy"),
    "gwp_gco2eq": mark("CO₂e"),
    "water_ml": mark("Water"),
    "adpe_gsbeq": mark("Minerals"),
    "pe_mj": mark("Primary energy"),
}

STATUSES: dict[Status, str] = {
    Status.MEASURED: mark("measured"),
    Status.REPORTED: mark("reported by the provider"),
    Status.MODELLED: mark("modelled"),
    Status.DECLARED: mark("declared"),
    Status.DEFAULT: mark("by default"),
}

WARNINGS: dict[str, str] = {
    "model_unknown": mark("This model is not listed: a wide default stands for it."),
    "size_estimated": mark("The maker does not publish the size of this model: published estimates stand for it."),
    "hardware_unknown": mark("The hardware is not known: the usual servers stand for it (--gpu, --n-gpus)."),
    "load_unknown": mark("The load of the servers is not known: the usual loads stand for it (--batch)."),
    "zone_assumed": mark("The place is not known: the provider's usual place stands for it (--zone)."),
    "zone_unknown": mark("The place is not known: the world's average stands for it (--zone)."),
    "zone_no_factor": mark("No sourced grid factor exists for this place: its CO₂e is unknown."),
    "grid_direct_only": mark("This grid factor counts direct emissions only, without the making of fuels and plants."),
    "input_tokens_assumed": mark("Input tokens are not known: a usual length stands for them (--input)."),
    "output_tokens_assumed": mark("Output tokens are not known: a usual length stands for them (--output)."),
    "image_steps_assumed": mark("The number of steps is not known: a usual one stands for it (--steps)."),
    "image_megapixels_assumed": mark(
        "The size of the image is not known: a usual one stands for it (--width, --height)."
    ),
    "water_no_factor": mark("Water: no sourced factor yet, so it is unknown."),
    "adpe_no_factor": mark("Minerals: no sourced factor yet, so they are unknown."),
    "pe_no_factor": mark("Primary energy: no sourced factor yet, so it is unknown."),
    "embodied_interval_not_validated": mark("The interval of manufacture is not validated by measurement."),
    "interval_not_validated": mark("The interval is not validated by measurement."),
}
