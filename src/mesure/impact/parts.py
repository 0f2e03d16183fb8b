"""The named intermediates of a result: from tokens to the meter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mesure.impact import formulas
from mesure.impact.constants import belief
from mesure.impact.site import processor_share
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mesure.catalogue import Factor
    from mesure.impact.coefficients import Coefficients

__all__ = ["Computed", "parts_of"]


class Computed(Protocol):
    """What the parts of a result are made of."""

    columns: Mapping[str, Any]
    coefficients: Coefficients
    basis: int
    row: dict[str, float]
    counted: Status
    sensor_error: Factor | None

    @property
    def status(self) -> Status: ...

    @property
    def energy_wh(self) -> Quantity: ...


def parts_of(impacts: Computed) -> dict[str, Quantity]:
    """Every intermediate by name. Energies read above the accelerators leave those below out: they are unknown."""
    return _energies(impacts) | _coefficients(impacts) | _counts(impacts)


_MODELLED = {
    "text_energy_wh": formulas.TEXT_FEATURES,
    "image_energy_wh": formulas.MEDIA_FEATURES,
    "audio_energy_wh": ("audio_seconds",),
    "accelerator_energy_wh": formulas.FEATURES,
}


def _modelled(impacts: Computed) -> dict[str, Quantity]:
    """Energy at the accelerators, by what the call made."""
    coefficients = impacts.coefficients
    error = coefficients.error(impacts.basis)
    out = {}
    for name, features in _MODELLED.items():
        energy = formulas.accelerator_energy_wh(impacts.columns, impacts.row, features)
        if energy > 0.0 or name == "accelerator_energy_wh":
            low, mid, high = (energy * factor for factor in error)
            out[name] = Quantity(low, mid, high, "Wh", impacts.status, coefficients.energy_sources(impacts.basis))
    return out


def _energies(impacts: Computed) -> dict[str, Quantity]:
    e, parts = impacts.columns, impacts.coefficients.parts
    host, idle = parts["host_share"], parts["idle_reserve"]
    out: dict[str, Quantity] = {}
    if impacts.basis < formulas.ACCELERATOR:
        out = _modelled(impacts)
        server = _product(out["accelerator_energy_wh"], host)
    else:
        low, mid, high = (e[f"x_measured_{q}_wh"] for q in formulas.QUANTILES)
        sensed = (impacts.sensor_error.id,) if impacts.sensor_error is not None else ()
        read = Quantity(low, mid, high, "Wh", impacts.status, sensed)
        if impacts.basis == formulas.SERVER:
            server = read
        elif impacts.basis == formulas.PROCESSOR:
            out["processor_energy_wh"] = read
            out["processor_share"] = _processor_share()
            server = _product(read, out["processor_share"])
        else:
            out["accelerator_energy_wh"] = read
            server = _product(read, host)
    out["server_energy_wh"] = server
    out["it_energy_wh"] = _product(server, idle)
    out["site_energy_wh"] = impacts.energy_wh
    return out


def _product(energy: Quantity, factor: Quantity) -> Quantity:
    from mesure.quantity import multiply_independent

    if energy.mid <= 0.0:
        return Quantity(0.0, 0.0, energy.high * factor.high, "Wh", energy.status, (*energy.sources, *factor.sources))
    return multiply_independent((energy, factor), "Wh")._replace(status=energy.status)


def _processor_share() -> Quantity:
    factor = processor_share()
    return Quantity(factor.low, factor.value, factor.high, "ratio", Status.MODELLED, (factor.id,))


def _coefficients(impacts: Computed) -> dict[str, Quantity]:
    coefficients = impacts.coefficients
    measured = impacts.basis >= formulas.ACCELERATOR
    shares = dict(coefficients.parts)
    if measured:
        if impacts.basis != formulas.ACCELERATOR:
            del shares["host_share"]  # the reading already holds the host
        return shares
    low, mid, high = coefficients.form.errors["counted"]
    terms = {
        f"{term}_wh": Quantity(value * low, value * mid, value * high, "Wh per unit", coefficients.status)
        for term, value in coefficients.form.terms.items()
        if value > 0.0
    }
    return shares | terms


def _counts(impacts: Computed) -> dict[str, Quantity]:
    """Tokens as counted, or as assumed where the count is unknown."""
    x, assumed = impacts.columns, impacts.coefficients.form.assumed
    unread, unwritten = impacts.basis & formulas.INPUT, impacts.basis & formulas.OUTPUT
    if impacts.basis >= formulas.ACCELERATOR:
        unread = unwritten = 0
    fresh = assumed.input_tokens * x["x_calls"] if unread else x["x_fresh"]
    written = assumed.output_tokens * x["x_calls"] if unwritten else x["x_output"]
    found = {
        "input_tokens": (fresh + x["x_cached"], unread),
        "fresh_input_tokens": (fresh, unread),
        "cached_input_tokens": (x["x_cached"], 0),
        "output_tokens": (written, unwritten),
    }
    return {
        name: _tokens(count, name, impacts.counted, unknown=bool(unknown))
        for name, (count, unknown) in found.items()
        if count > 0.0
    }


def _tokens(count: float, name: str, counted: Status, *, unknown: bool) -> Quantity:
    if not unknown:
        return Quantity(count, count, count, "tokens", counted)
    stands = belief("output" if name == "output_tokens" else "input_text")
    low, high = count * stands.low / stands.value, count * stands.high / stands.value
    return Quantity(low, count, high, "tokens", Status.DEFAULT, (stands.id,))
