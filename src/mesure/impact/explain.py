"""Why this number: the formula tree of a result, with values, intervals, status and every sourced factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mesure.catalogue import current
from mesure.impact import formulas
from mesure.impact.constants import belief
from mesure.impact.site import processor_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.catalogue import Factor
    from mesure.impact.impacts import Impacts
    from mesure.quantity import Quantity

__all__ = ["Explanation", "Node", "explain"]


@dataclass(frozen=True, slots=True)
class Node:
    """One quantity of the tree: `formula` in words of the method, `factors` it reads itself, `children` it is made of.

    `quantity` is None where no sourced factor exists: unknown, not zero.
    """

    name: str
    formula: str
    quantity: Quantity | None
    factors: tuple[Factor, ...] = ()
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Itself, then its descendants, depth first."""
        yield self
        for child in self.children:
            yield from child.walk()

    def to_json(self) -> dict[str, Any]:
        quantity = self.quantity
        return {
            "name": self.name,
            "formula": self.formula,
            "value": None
            if quantity is None
            else {"low": quantity.low, "mid": quantity.mid, "high": quantity.high, "unit": quantity.unit},
            "status": None if quantity is None else quantity.status.value,
            "factors": [factor.to_json() for factor in self.factors],
            "children": [child.to_json() for child in self.children],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """The trees of a result, what it assumes (`warnings`), and under which versions."""

    model: str | None
    requested: str
    known: bool
    nearest: tuple[str, ...]
    view: str
    warnings: tuple[str, ...]
    method_version: str
    catalogue_version: str
    roots: tuple[Node, ...]

    def factors(self) -> tuple[Factor, ...]:
        """Every factor of the trees, once."""
        return tuple(dict.fromkeys(f for root in self.roots for node in root.walk() for f in node.factors))

    def to_json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "requested": self.requested,
            "known": self.known,
            "nearest": list(self.nearest),
            "view": self.view,
            "warnings": list(self.warnings),
            "method_version": self.method_version,
            "catalogue_version": self.catalogue_version,
            "roots": [root.to_json() for root in self.roots],
            "factors": [factor.to_json() for factor in self.factors()],
        }


def explain(impacts: Impacts) -> Explanation:
    """The formula trees of energy and of each impact; every factor used appears with source, year, licence and
    address."""
    coefficients = impacts.coefficients
    energy = _energy(impacts)
    roots = (energy, _gwp(impacts, energy), *(_without_factor(impacts, name) for name in _WITHOUT_FACTOR))
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


_WITHOUT_FACTOR = {
    "water_ml": "IT energy x (WUE + PUE x water of the grid)",
    "adpe_gsbeq": "energy x minerals of the grid + minerals of the hardware",
    "pe_mj": "energy x primary energy of the grid + primary energy of the hardware",
}
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
    return tuple(f for f in impacts.coefficients.factors if f.id.removeprefix("user.").startswith(prefixes))


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
    if impacts.basis == formulas.SERVER:
        return (Node("server_energy_wh", _READ, parts["server_energy_wh"]),)
    if impacts.basis == formulas.PROCESSOR:
        share = Node("processor_share", "whole machine / processor", parts["processor_share"], (processor_share(),))
        return Node("processor_energy_wh", _READ, parts["processor_energy_wh"]), share
    return Node("accelerator_energy_wh", _READ, parts["accelerator_energy_wh"]), _host_share(impacts)


_READ = "read where the call ran"


def _idle(impacts: Impacts) -> tuple[Factor, ...]:
    return _pick(impacts, "stack.idle.", "stack.local.idle")


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
            "counted" if impacts.parts[name].status.value == "reported" else "assumed: not counted",
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


def _gwp(impacts: Impacts, energy: Node) -> Node:
    parts = impacts.parts
    grid = Node(
        "grid_intensity_gco2eq_per_kwh",
        "yearly, location-based, of the zone or of the provider's default places",
        parts.get("grid_intensity_gco2eq_per_kwh"),
        _pick(impacts, "grids.", "hosts.", "stack.grid."),
    )
    made = Node(
        "manufacture_gco2eq_per_kwh", _made_of(impacts), parts["manufacture_gco2eq_per_kwh"], _pick(impacts, *_MADE)
    )
    site = Node("energy_wh", energy.formula, energy.quantity)
    usage = Node("usage_gwp_gco2eq", "energy x grid intensity", impacts.usage.gwp_gco2eq, (), (site, grid))
    hours = "energy x manufacture per kWh" if impacts.basis < formulas.ACCELERATOR else _OF_THE_MIDDLE
    embodied = Node("embodied_gwp_gco2eq", hours, impacts.embodied.gwp_gco2eq, (), (site, made))
    return Node("gwp_gco2eq", "usage + embodied", impacts.gwp_gco2eq, (), (usage, embodied))


_OF_THE_MIDDLE = "middle of the energy x manufacture per kWh (it follows the hours of the machine)"
_MADE = (
    "stack.accelerator-manufacture.", "stack.server-manufacture.", "stack.hardware.", "stack.local-manufacture.",
    "stack.local.lifetime", "stack.local.utilisation",
)  # fmt: skip


def _made_of(impacts: Impacts) -> str:
    if impacts.coefficients.view == "local":
        return "manufacture of the machine per W of its power / (lifetime x utilisation)"
    return "manufacture of accelerator and server / (lifetime x utilisation) / power at the meter"


def _without_factor(impacts: Impacts, name: str) -> Node:
    return Node(name, _WITHOUT_FACTOR[name], getattr(impacts, name))
