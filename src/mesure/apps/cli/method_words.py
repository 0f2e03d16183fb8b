"""Codes of methods and of causes of a change, in words for a terminal."""

from __future__ import annotations

from mesure.i18n import mark

__all__ = ["CAUSE_NAMES", "METHOD_CODES"]

CAUSE_NAMES: dict[str, str] = {
    "usage_facts": mark("Usage facts (unchanged)"),
    "catalogue_models": mark("Catalogue: models and their sizes"),
    "catalogue_hardware": mark("Catalogue: hardware and its manufacture"),
    "catalogue_stack": mark("Catalogue: halls, servers and assumptions"),
    "catalogue_places": mark("Catalogue: default places and regions"),
    "catalogue_grid": mark("Catalogue: electricity grids"),
    "method_coverage": mark("Method: calls that only one of them covers"),
    "method_measurement": mark("Method: calls whose energy was measured"),
    "method_formulas": mark("Method: formulas"),
}

METHOD_CODES: dict[str, str] = {
    "prompt_tokens_ignored": mark("Input tokens count for nothing."),
    "cache_ignored": mark("Tokens read from a cache are not told apart."),
    "length_ignored": mark("A long answer counts like a short one."),
    "model_ignored": mark("Every model counts the same."),
    "stated_hardware_ignored": mark("The hardware you stated is not used."),
    "stated_load_ignored": mark("The load you stated is not used."),
    "measurement_ignored": mark("Measured energy is not used."),
    "no_interval_published": mark("The source gives no interval."),
    "scope_differs": mark("What the figure includes is that of its source, and may differ."),
    "manufacture_ignored": mark("The manufacture of the hardware is left out."),
    "place_ignored": mark("The place does not count: its CO₂e is market-based, as its source publishes it."),
    "batch_fixed": mark("Every server answers 64 requests at once."),
    "boards_power_of_two": mark("The number of accelerators is a power of two, and each draws the same energy."),
    "idle_reserve_ignored": mark("Servers that wait are left out."),
    "duration_not_used": mark("The measured duration of calls is not used."),
    "range_of_sizes_only": mark("Its range is that of sizes and halls, not an interval of the result."),
    "training_ignored": mark("Training is left out."),
    "network_ignored": mark("Networks and the user's device are left out."),
    "operation_not_covered": mark("Some calls do something else than text: it has no figure for them."),
    "output_tokens_unknown": mark("Some calls have no count of output tokens: it has no figure for them."),
    "model_not_listed": mark("Some models are not listed: it has no figure for them."),
    "size_of_catalogue": mark("It does not list some models: their size is that of Mesure's catalogue."),
    "provider_not_listed": mark(
        "It does not list some providers: the halls it assumes for open weights stand for theirs."
    ),
}
