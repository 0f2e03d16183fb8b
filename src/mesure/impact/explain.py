"""Why this number: the formula tree of a result, with values, intervals, status and every sourced factor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.impact import formulas
from mesure.impact.beyond_energy import impact_trees
from mesure.impact.constants import belief
from mesure.impact.site import processor_share
from mesure.impact.tree import Explanation, Node
from mesure.quantity import Status

if TYPE_CHECKING:
    from mesure.catalogue import Factor
    from mesure.impact.impacts import Impacts

__all__ = ["Explanation", "Node", "explain"]


def explain(impacts: Impacts) -> Explanation:
    """The formula trees of energy and of each impact; every factor used appears with source, year, licence and
    address."""
    coefficients = impacts.coefficients
    energy = _energy(impacts)
    roots = (energy, *impact_trees(impacts, energy))
    return Explanation(
        impacts.model,
        coefficients.requested,
        impacts.known,
        impacts.nearest,
        coefficients.view,
        impacts.warnings,
        impacts.method_version,
        impacts.catalogue_version,
        roots,
    )


_TERM_FORMULAS = {
    "fresh": "fresh input tokens x Wh per token",
    "cached": "cached input tokens x Wh per token",
    "output": "output tokens x Wh per token",
    "context": "output x (input + output / 2) tokens x Wh (cache read while writing)",
    "prefill": "fresh x (fresh + 2 cached) tokens x Wh (attention while reading)",
    "request": "Wh per request",
    "image": "images x Wh (text encoder, fixed work)",
    "image_step": "images x steps x Wh (launches)",
    "image_volume": "images x volume x Wh (decoding to pixels)",
    "step_volume": "images x steps x volume x Wh (linear part of the denoiser)",
    "step_volume_volume": "images x steps x volume squared x Wh (its attention)",
    "audio_second": "seconds of audio x Wh",
}


def _pick(impacts: Impacts, *prefixes: str) -> tuple[Factor, ...]:
    """Factors of energy whose id starts so."""
    return tuple(f for f in impacts.coefficients.energy_factors if f.id.removeprefix("user.").startswith(prefixes))


def _energy(impacts: Impacts) -> Node:
    parts = impacts.parts
    children = (
        _measured_from(impacts)
        if impacts.basis >= formulas.ACCELERATOR
        else (_accelerators(impacts), _host_share(impacts))
    )
    above = (
        Node("idle_reserve", "machines kept ready / in use", parts["idle_reserve"], _idle(impacts)),
        Node("pue", "site / machines", parts["pue"], _pue(impacts)),
    )
    formula = " x ".join(child.name for child in (*children, *above))
    return Node("energy_wh", formula, impacts.energy_wh, (), (*children, *above))


def _host_share(impacts: Impacts) -> Node:
    factors = _pick(impacts, "stack.host.", "stack.processor.")
    return Node("host_share", "whole server / accelerators (or processor)", impacts.parts["host_share"], factors)


def _measured_from(impacts: Impacts) -> tuple[Node, ...]:
    """The reading, and what lies between the place it was read at and the whole server."""
    parts = impacts.parts
    error = (impacts.sensor_error,) if impacts.sensor_error is not None else ()
    if impacts.basis == formulas.SERVER:
        return (Node("server_energy_wh", _READ, parts["server_energy_wh"], error),)
    if impacts.basis == formulas.PROCESSOR:
        share = Node("processor_share", "whole machine / processor", parts["processor_share"], (processor_share(),))
        return Node("processor_energy_wh", _READ, parts["processor_energy_wh"], error), share
    return Node("accelerator_energy_wh", _READ, parts["accelerator_energy_wh"], error), _host_share(impacts)


_READ = "read where the call ran"


def _idle(impacts: Impacts) -> tuple[Factor, ...]:
    return _pick(impacts, "stack.idle", "stack.local.idle")


def _pue(impacts: Impacts) -> tuple[Factor, ...]:
    return _pick(impacts, "sites.", "stack.unknown.pue", "stack.local.pue", "stack.fleet.")


def _accelerators(impacts: Impacts) -> Node:
    coefficients = impacts.coefficients
    terms = tuple(
        Node(f"{term}_wh", _TERM_FORMULAS[term], impacts.parts[f"{term}_wh"])
        for term, value in coefficients.form.terms.items()
        if value > 0.0
    )
    counts = tuple(
        Node(
            name,
            _COUNTED.get(impacts.parts[name].status, "assumed: not counted"),
            impacts.parts[name],
        )
        for name in ("fresh_input_tokens", "cached_input_tokens", "output_tokens")
        if name in impacts.parts
    )
    return Node(
        "accelerator_energy_wh",
        "sum of terms x what the call carries (roofline: memory, products, exchanges, host, power)",
        impacts.parts["accelerator_energy_wh"],
        tuple(dict.fromkeys((*_pick(impacts, *_MACHINES_AND_MODEL), *_assumptions(impacts)))),
        (*counts, *terms),
    )


_COUNTED = {Status.REPORTED: "counted", Status.DECLARED: "declared"}
_MACHINES_AND_MODEL = (
    "models", "accelerators.", "fit.",
    "stack.unknown-model.", "stack.unknown-audio.", "stack.estimate.", "stack.moe.", "stack.speech.",
)  # fmt: skip


def _assumptions(impacts: Impacts) -> tuple[Factor, ...]:
    """Factors that stand for what was not counted."""
    constant = current().constant
    assumed = {
        "input_tokens_assumed": belief("input_text"),
        "output_tokens_assumed": belief("output"),
        "image_steps_assumed": constant("unknown-image", "steps"),
        "image_megapixels_assumed": constant("unknown-image", "megapixels"),
        "audio_seconds_assumed": constant("unknown-audio", "seconds"),
    }
    return tuple(factor for code, factor in assumed.items() if code in impacts.warnings)
