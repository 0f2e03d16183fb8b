"""The named intermediates of a result: from tokens to the meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.impact import formulas
from mesure.impact.site import processor_share
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from mesure.impact.impacts import Impacts

__all__ = ["parts_of"]


def parts_of(impacts: Impacts) -> dict[str, Quantity]:
    """Every intermediate by name. Energies read above the accelerators leave those below out: they are unknown."""
    return _energies(impacts) | _coefficients(impacts) | _counts(impacts)


_MODELLED = {
    "text_energy_wh": formulas.text_energy_wh,
    "image_energy_wh": formulas.image_energy_wh,
    "audio_energy_wh": formulas.audio_energy_wh,
    "accelerator_energy_wh": formulas.accelerator_energy_wh,
}


def _modelled(impacts: Impacts) -> dict[str, Quantity]:
    """Energy at the accelerators, by what the call made."""
    coefficients = impacts.coefficients
    out = {}
    for name, energy in _MODELLED.items():
        low, mid, high = (energy(impacts.columns, view) for view in coefficients.views)
        if high > 0.0 or name == "accelerator_energy_wh":
            out[name] = Quantity(low, mid, high, "Wh", impacts.status, coefficients.energy_sources)
    return out


def _energies(impacts: Impacts) -> dict[str, Quantity]:
    e, parts = impacts.columns, impacts.coefficients.parts
    host, idle = parts["host_share"], parts["idle_reserve"]
    out: dict[str, Quantity] = {}
    if not e["e_measured"]:
        out = _modelled(impacts)
        server = _product(out["accelerator_energy_wh"], host)
    else:
        low, mid, high = (e[f"e_measured_{q}_wh"] for q in formulas.QUANTILES)
        read = Quantity(low, mid, high, "Wh", impacts.status)
        if e["e_measured_server"]:
            server = read
        elif e["e_measured_processor"]:
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


def _coefficients(impacts: Impacts) -> dict[str, Quantity]:
    coefficients = impacts.coefficients
    terms = {
        f"{term}_wh": Quantity(spread.low, spread.mid, spread.high, "Wh per unit", coefficients.status)
        for term, spread in coefficients.terms.items()
        if spread.high > 0.0
    }
    shares = dict(coefficients.parts)
    if impacts.columns["e_measured"] and _read_at(impacts) != "accelerator":
        del shares["host_share"]  # the reading already holds the host
    return shares if impacts.columns["e_measured"] else shares | terms


def _read_at(impacts: Impacts) -> str:
    """Where a measured energy was read."""
    e = impacts.columns
    return "server" if e["e_measured_server"] else "processor" if e["e_measured_processor"] else "accelerator"


def _counts(impacts: Impacts) -> dict[str, Quantity]:
    """Tokens as counted, or as assumed where the count is unknown."""
    e = impacts.columns
    names = ("input_tokens", "fresh_input_tokens", "cached_input_tokens", "output_tokens")
    low, mid, high = (formulas.tokens(e, view) for view in impacts.coefficients.views)
    counted = {
        "input_tokens": bool(e["e_input_known"]),
        "fresh_input_tokens": bool(e["e_input_known"]),
        "cached_input_tokens": True,
        "output_tokens": bool(e["e_output_known"]),
    }
    return {
        name: Quantity(
            low[index],
            mid[index],
            high[index],
            "tokens",
            Status.REPORTED if counted[name] else Status.DEFAULT,
            (),
        )
        for index, name in enumerate(names)
        if high[index] > 0.0
    }
