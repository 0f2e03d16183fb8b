"""Codes, names and formulas of the lower rooms, which know no language, in words: for pages and terminal alike."""

from __future__ import annotations

from mesure.i18n import mark
from mesure.quantity import Status

__all__ = [
    "DEMOS",
    "ENVIRONMENTS",
    "FACTOR_STATUSES",
    "FORMULAS",
    "MEANINGS",
    "NOTICES",
    "OUTCOMES",
    "SENSED",
    "SENSORS",
    "STATUSES",
    "STEPS",
    "UNITS",
    "WARNINGS",
]

STATUSES: dict[Status, str] = {
    Status.MEASURED: mark("measured"),
    Status.REPORTED: mark("reported by the provider"),
    Status.MODELLED: mark("modelled"),
    Status.DECLARED: mark("declared"),
    Status.DEFAULT: mark("by default"),
}

MEANINGS: dict[Status, str] = {
    Status.MEASURED: mark("read from a sensor of the machine that answered"),
    Status.REPORTED: mark("given by the provider with its answer"),
    Status.MODELLED: mark("calculated with sourced factors, from the tokens or the processor time of the calls"),
    Status.DECLARED: mark("calculated from what a person stated of their use"),
    Status.DEFAULT: mark("calculated with a wide default, because the model, its tokens or the place are unknown"),
}

#: What deserves a word in the list of calls; a call that went well does not.
OUTCOMES: dict[str, str] = {
    "error": mark("failed"),
    "cancelled": mark("interrupted"),
    "truncated": mark("cut short"),
}

ENVIRONMENTS: dict[str, str] = {"test": mark("test"), "experiment": mark("experiment")}

#: Notices an application may ask every page to carry, by code.
NOTICES: dict[str, str] = {
    "demo": mark(
        "Demonstration: these calls are real, answered on this machine by a small base model. "
        "Its prose is poor; messages and replies are not shown or kept."
    ),
    "demo-upstream": mark("Demonstration: these calls are real, answered by the provider you gave."),
}

#: The notices of a demonstration.
DEMOS = frozenset({"demo", "demo-upstream"})

#: Sensors of a call's energy, by the name written on the call.
SENSORS: dict[str, str] = {
    "cpu-time": mark("processor time (the operating system counts it), times the power of a busy thread"),
    "rapl": mark("the processor's own energy counter (RAPL)"),
    "nvml": mark("the boards' own energy counter (NVML)"),
    "amd": mark("the boards' own counter (AMD)"),
    "apple": mark("the chip's own energy counters (Apple)"),
    "bmc": mark("the power that the server's management controller reads"),
    "metric": mark("a metric declared in the configuration"),
}

#: Formulas of energy that came with the call, where it was not read but modelled.
SENSED: dict[str, str] = {
    "cpu-time": mark("processor time x power of a busy thread"),
    "": mark("modelled where the call ran"),
}

#: How sure a factor is; one that its source publishes needs no word.
FACTOR_STATUSES: dict[str, str] = {
    "estimated": mark("estimate"),
    "assumed": mark("assumption"),
    "unchecked": mark("to be checked"),
    "default": mark("default value"),
}

#: Steps of a calculation; a step without words shows its name.
STEPS: dict[str, str] = {
    "energy_wh": mark("Energy"),
    "gwp_gco2eq": mark("CO₂e"),
    "water_ml": mark("Water"),
    "adpe_gsbeq": mark("Minerals"),
    "pe_mj": mark("Primary energy"),
    "accelerator_energy_wh": mark("Energy of the accelerators"),
    "processor_energy_wh": mark("Energy of the processor"),
    "server_energy_wh": mark("Energy of the server"),
    "host_share": mark("Rest of the server"),
    "processor_share": mark("Rest of the machine"),
    "idle_reserve": mark("Machines kept ready"),
    "pue": mark("Building: cooling and losses (PUE)"),
    "fresh_input_tokens": mark("Tokens read"),
    "cached_input_tokens": mark("Tokens already in cache"),
    "output_tokens": mark("Tokens written"),
    "fresh_wh": mark("Per token read"),
    "cached_wh": mark("Per token already in cache"),
    "output_wh": mark("Per token written"),
    "prefill_wh": mark("Attention while reading"),
    "context_wh": mark("Context read again while writing"),
    "request_wh": mark("Per request"),
    "image_wh": mark("Per image"),
    "image_step_wh": mark("Per step"),
    "image_volume_wh": mark("Decoding to pixels"),
    "step_volume_wh": mark("Denoising"),
    "step_volume_volume_wh": mark("Attention of denoising"),
    "audio_second_wh": mark("Per second of audio"),
    "usage_gwp_gco2eq": mark("CO₂e of electricity"),
    "embodied_gwp_gco2eq": mark("CO₂e of manufacture"),
    "grid_intensity_gco2eq_per_kwh": mark("CO₂e of a kWh where it ran"),
    "manufacture_gco2eq_per_kwh": mark("Manufacture of the machines, per kWh"),
    "usage_water_ml": mark("Water of electricity and halls"),
    "site_water_ml": mark("Water evaporated on site"),
    "grid_water_ml": mark("Water of generation"),
    "wue_l_per_kwh": mark("Water on site, per kWh of the machines (WUE)"),
    "grid_water_l_per_kwh": mark("Water of a kWh where it ran"),
    "usage_adpe_gsbeq": mark("Minerals of electricity"),
    "embodied_adpe_gsbeq": mark("Minerals of manufacture"),
    "grid_adpe_gsbeq_per_kwh": mark("Minerals of a kWh where it ran"),
    "manufacture_adpe_gsbeq_per_kwh": mark("Minerals of the machines, per kWh"),
    "usage_pe_mj": mark("Primary energy of electricity"),
    "embodied_pe_mj": mark("Primary energy of manufacture"),
    "grid_pe_mj_per_kwh": mark("Primary energy of a kWh where it ran"),
    "manufacture_pe_mj_per_kwh": mark("Primary energy of the machines, per kWh"),
}

#: Formulas that have French words; another one shows as the method states it.
FORMULAS: frozenset[str] = frozenset(
    {
        mark("sum of terms x what the call carries (roofline: memory, products, exchanges, host, power)"),
        mark("counted"),
        mark("declared"),
        mark("assumed: not counted"),
        mark("read where the call ran"),
        mark("whole server / accelerators (or processor)"),
        mark("whole machine / processor"),
        mark("machines kept ready / in use"),
        mark("site / machines"),
        mark("usage + embodied"),
        mark("energy x grid intensity"),
        mark("energy x manufacture per kWh"),
        mark("middle of the energy x manufacture per kWh (it follows the hours of the machine)"),
        mark("manufacture of the machine per W of its power / (lifetime x utilisation)"),
        mark("yearly, location-based, of the zone or of the provider's default places"),
        mark("manufacture of accelerator and server / (lifetime x utilisation) / power at the meter"),
        mark("generation mix of the zone x what each technology takes"),
        mark("energy x minerals of the grid"),
        mark("energy x primary energy of the grid"),
        mark("energy x water of the grid"),
        mark("energy / PUE x WUE"),
        mark("on site + by generation"),
        mark("water evaporated on site per kWh of the machines"),
        mark("usage alone: nobody publishes the water of manufacture"),
        mark("no sourced factor for these machines"),
        mark("fresh input tokens x Wh per token"),
        mark("cached input tokens x Wh per token"),
        mark("output tokens x Wh per token"),
        mark("fresh x (fresh + 2 cached) tokens x Wh (attention while reading)"),
        mark("output x (input + output / 2) tokens x Wh (cache read while writing)"),
        mark("Wh per request"),
        mark("images x Wh (text encoder, fixed work)"),
        mark("images x steps x Wh (launches)"),
        mark("images x volume x Wh (decoding to pixels)"),
        mark("images x steps x volume x Wh (linear part of the denoiser)"),
        mark("images x steps x volume squared x Wh (its attention)"),
        mark("seconds of audio x Wh"),
    }
)

#: Units that are words.
UNITS: dict[str, str] = {
    "1": "",
    "ratio": "",
    "factor": "",
    "tokens": mark("tokens"),
    "share": "",
    "share (guess)": "",
    "share (stated)": "",
    "share (rakam)": "",
    "share (ecologits)": "",
    "years": mark("years"),
    "layers": mark("layers"),
    "elements": mark("elements"),
    "elements per token and layer": mark("elements per token and layer"),
    "experts": mark("experts"),
    "1e9 parameters": mark("billion parameters"),
    "bits per weight": mark("bits per weight"),
    "tokens per call": mark("tokens per call"),
    "tokens per second": mark("tokens per second"),
    "seconds": mark("seconds"),
    "accelerators": mark("accelerators"),
    "GB": mark("GB"),
    "GB/s": mark("GB/s"),
    "GB/s per direction": mark("GB/s per direction"),
    "Wh/hour": mark("Wh per hour"),
    "kgCO2e/machine": mark("kg CO₂e per machine"),
    "kgCO2e/W": mark("kg CO₂e per W"),
    "kgSbeq/GPU": mark("kg Sb eq per accelerator"),
    "kgSbeq/server": mark("kg Sb eq per server"),
    "MJ/GPU": mark("MJ per accelerator"),
    "MJ/server": mark("MJ per server"),
    "gSbeq/kWh": mark("g Sb eq/kWh"),
    "L/kWh": mark("L/kWh"),
    "MJ/kWh": mark("MJ/kWh"),
    "kgCO2e/server": mark("kg CO₂e per server"),
    "kgCO2e/GPU": mark("kg CO₂e per accelerator"),
    "kgCO2e/board": mark("kg CO₂e per board"),
    "gCO2/kWh": mark("g CO₂/kWh"),
    "Wh per unit": mark("Wh per million"),
    "gCO2e/kWh": mark("g CO₂e/kWh"),
}

#: What a figure assumes, by the codes of `Impacts.warnings`.
WARNINGS: dict[str, str] = {
    "model_unknown": mark("The model is not in the catalogue: a wide default stands for it."),
    "size_estimated": mark("The maker does not publish the size of this model: published estimates stand for it."),
    "active_size_estimated": mark(
        "The maker does not publish how much of this mixture of experts a token meets: the whole range stands for it."
    ),
    "hardware_unknown": mark("The machines are not known: the usual ones stand for them."),
    "load_unknown": mark("The load of the machines is not known: the usual loads stand for it."),
    "zone_assumed": mark("The place is not stated: the provider's usual places stand for it."),
    "region_not_listed": mark("The region stated is not in the catalogue, or is no one place."),
    "zone_unknown": mark("The place is not known: the world's average stands for it."),
    "zone_no_factor": mark("No sourced grid factor exists for this place: its CO₂e is unknown."),
    "media_not_counted": mark(
        "This model is listed as one that writes text: the images, videos or sound of this call are not in the figure."
    ),
    "input_tokens_assumed": mark("Tokens read were not counted: a usual length stands for them."),
    "output_tokens_assumed": mark("Tokens written were not counted: a usual length stands for them."),
    "image_steps_assumed": mark("The number of steps is not known: a usual one stands for it."),
    "image_megapixels_assumed": mark("The size of the image is not known: a usual one stands for it."),
    "audio_seconds_assumed": mark("The length of the audio is not known: a usual one stands for it."),
    "grid_direct_only": mark("This grid factor counts direct emissions only, without the making of fuels and plants."),
    "water_no_factor": mark("Water: no sourced factor exists for this place, so it is unknown."),
    "adpe_no_factor": mark("Minerals: no sourced factor exists for this place, so they are unknown."),
    "pe_no_factor": mark("Primary energy: no sourced factor exists for this place, so it is unknown."),
    "mix_not_of_zone": mark(
        "Water, minerals and primary energy: the generation mix of the country, or of the world, stands for that of "
        "this place."
    ),
    "embodied_water_no_factor": mark("Nobody publishes the water of manufacture: water is that of use alone."),
    "embodied_adpe_no_factor": mark(
        "The minerals of these machines have no sourced factor: those of use are known, the whole is not."
    ),
    "embodied_pe_no_factor": mark(
        "The primary energy of these machines has no sourced factor: that of use is known, the whole is not."
    ),
    "embodied_interval_not_validated": mark("The interval of manufacture is not validated by measurement."),
    "water_adpe_pe_interval_not_validated": mark(
        "The intervals of water, minerals and primary energy are not validated by measurement."
    ),
    "interval_not_validated": mark("The interval is not validated by measurement."),
}
