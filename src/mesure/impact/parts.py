"""The named intermediates of a result: from tokens to the meter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.impact import formulas
from mesure.impact.engines import SCALAR
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from mesure.impact.impacts import Impacts

__all__ = ["parts_of"]


def parts_of(impacts: Impacts) -> dict[str, Quantity]:
    """Every intermediate by name. Energies read above the accelerators leave those below out: they are unknown."""
    return _energies(impacts) | _coefficients(impacts) | _counts(impacts)


def _spread(read: Callable[[str], float], unit: str, status: Status, sources: tuple[str, ...]) -> Quantity:
    low, mid, high = (read(q) for q in formulas.QUANTILES)
    return Quantity(low, mid, high, unit, status, sources)


def _energies(impacts: Impacts) -> dict[str, Quantity]:
    e, coefficients = impacts.columns, impacts.coefficients
    row, sources, status = coefficients.row, coefficients.energy_sources, impacts.status
    host, idle = coefficients.parts["host_share"], coefficients.parts["idle_reserve"]
    out: dict[str, Quantity] = {}
    if not e["e_measured"]:
        for name, energy in {
            "text_energy_wh": formulas.text_energy_wh,
            "image_energy_wh": formulas.image_energy_wh,
            "audio_energy_wh": formulas.audio_energy_wh,
            "accelerator_energy_wh": formulas.accelerator_energy_wh,
        }.items():
            found = _spread(lambda q, energy=energy: energy(e, row, q, SCALAR), "Wh", status, sources)  # type: ignore[misc]
            if found.high > 0.0 or name == "accelerator_energy_wh":
                out[name] = found
        server = _product(out["accelerator_energy_wh"], host)
    else:
        read = _spread(lambda q: e[f"e_measured_{q}_wh"], "Wh", status, ())
        if e["e_measured_server"]:
            server = read
        elif e["e_measured_processor"]:
            out["processor_energy_wh"] = read
            server = _product(read, _processor_share())
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
    from mesure.catalogue import current

    factor = current().constant("processor", "share")
    return Quantity(factor.low, factor.value, factor.high, "ratio", Status.MODELLED, (factor.id,))


def _coefficients(impacts: Impacts) -> dict[str, Quantity]:
    coefficients = impacts.coefficients
    terms = {
        f"{term}_wh": Quantity(spread.low, spread.mid, spread.high, "Wh per unit", coefficients.status)
        for term, spread in coefficients.terms.items()
        if spread.high > 0.0
    }
    return dict(coefficients.parts) | terms


def _counts(impacts: Impacts) -> dict[str, Quantity]:
    """Tokens as counted, or as assumed where the count is unknown."""
    e, row = impacts.columns, impacts.coefficients.row
    names = ("input_tokens", "fresh_input_tokens", "cached_input_tokens", "output_tokens")
    by_quantile = {q: formulas.tokens(e, row, q, SCALAR) for q in formulas.QUANTILES}
    counted = {
        "input_tokens": bool(e["e_input_known"]),
        "fresh_input_tokens": bool(e["e_input_known"]),
        "cached_input_tokens": True,
        "output_tokens": bool(e["e_output_known"]),
    }
    return {
        name: Quantity(
            by_quantile["low"][index],
            by_quantile["mid"][index],
            by_quantile["high"][index],
            "tokens",
            Status.REPORTED if counted[name] else Status.DEFAULT,
            (),
        )
        for index, name in enumerate(names)
        if by_quantile["high"][index] > 0.0
    }
