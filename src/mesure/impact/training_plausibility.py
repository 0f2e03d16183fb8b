"""What cannot be, or hardly: inputs of a training that contradict physics, the catalogue or one another."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mesure.impact.training_factors import plausible, training_factor
from mesure.impact.training_site import grid_range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.impact.training_energy import TrainingEnergy
    from mesure.impact.training_run import TrainingRun
    from mesure.quantity import Quantity

__all__ = ["Implausible", "implausible_in"]

_SECONDS_PER_HOUR = 3600.0
#: Two figures of one thing that differ by more cannot both be right.
_APART = 2.0
#: Accelerators x hours beside GPU-hours: rounding, no more.
_ROUNDING = 0.02


@dataclass(frozen=True, slots=True)
class Implausible:
    """`implied`, in `unit`, lies outside `low`-`high`. `code` is stable; `reason` says it in English."""

    code: str
    reason: str
    implied: float
    low: float
    high: float
    unit: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def implausible_in(run: TrainingRun, energy: TrainingEnergy, carbon: Quantity | None) -> tuple[Implausible, ...]:
    """Every contradiction. `carbon`: usage, compared with what was reported. Nothing is corrected or refused."""
    return (*_stated(run), *_products(run), *_energies(run, energy), *_carbon(run, energy, carbon))


def _outside(code: str, reason: str, implied: float, bounds: tuple[float, float], unit: str) -> Iterator[Implausible]:
    low, high = bounds
    if not low <= implied <= high:
        yield Implausible(code, reason, implied, low, high, unit)


def _stated(run: TrainingRun) -> Iterator[Implausible]:
    if run.pue is not None:
        yield from _outside("pue", "No data centre states such a PUE", run.pue, plausible("pue"), "ratio")
    if run.grid_gco2eq_per_kwh is not None:
        reason = "No grid on Earth has this life-cycle, location-based intensity over a year: is it market-based?"
        yield from _outside("grid_intensity", reason, run.grid_gco2eq_per_kwh, grid_range(), "gCO2e/kWh")
    if run.mfu is not None:
        reason = "No training is known to reach, or to waste, such a share of the peak"
        yield from _outside("mfu", reason, run.mfu, plausible("mfu"), "share of dense 16-bit peak")
    board = _board_power_w(run)
    if run.power_w is not None and board:
        reason = "The power stated for one accelerator is not within its board power"
        yield from _outside(
            "power", reason, run.power_w, _times(board, plausible("power_over_board")), "W per accelerator"
        )
    if run.gpu_hours and run.n_gpus is not None and run.hours is not None:
        reason = "accelerators x hours is not the number of GPU-hours"
        bounds = _times(run.gpu_hours, (1.0 - _ROUNDING, 1.0 + _ROUNDING))
        yield from _outside("gpu_hours", reason, run.n_gpus * run.hours, bounds, "GPU h")


def _times(value: float, bounds: tuple[float, float]) -> tuple[float, float]:
    return value * bounds[0], value * bounds[1]


def _board_power_w(run: TrainingRun) -> float | None:
    """The seller's, of the named accelerator."""
    accelerator = run.accelerator
    return accelerator.board_power_w.value if accelerator and accelerator.board_power_w else None


def _products(run: TrainingRun) -> Iterator[Implausible]:
    """Arithmetic against hours: the share of the peak that both imply."""
    peak = run.accelerator.dense_bf16_tflops if run.accelerator else None
    if not run.stated_gpu_hours or not run.flop or peak is None:
        return
    implied = run.flop / (run.stated_gpu_hours * _SECONDS_PER_HOUR * peak.value * 1e12)
    reason = (
        "Tokens x parameters and GPU-hours imply a share of the peak that no training has: they do not belong together"
    )
    unit = "share of dense 16-bit peak"
    yield from _outside("implied_mfu", reason, implied, plausible("mfu"), unit)
    if run.mfu is not None:
        reason = "Tokens x parameters over GPU-hours is not the MFU stated"
        yield from _outside("mfu_against_gpu_hours", reason, implied, _apart(run.mfu), unit)


def _apart(value: float) -> tuple[float, float]:
    return value / _APART, value * _APART


def _energies(run: TrainingRun, energy: TrainingEnergy) -> Iterator[Implausible]:
    """Energies measured or reported against GPU-hours x board power. GPU-hours stated here are those of one run."""
    board = run.power_w or _board_power_w(run)
    if not run.stated_gpu_hours or not board:
        return
    tdp_wh = run.stated_gpu_hours * run.repeats * board
    assert energy.pue.quantity is not None
    found = []
    if run.measured_energy_kwh:
        found.append(("measured", run.measured_energy_kwh * 1e3 * run.repeats, 1.0))
    if run.reported_mwh:
        found.append(("reported", run.reported_mwh * 1e6, energy.pue.quantity.high))
    for name, wh, site in found:
        reason = f"The {name} energy is not that of these GPU-hours at board power, by more than a factor of two"
        bounds = _times(tdp_wh * 1e-6, (1.0 / _APART, _APART))
        yield from _outside(f"{name}_energy", reason, wh * 1e-6, bounds, "MWh")
        reason = f"The {name} energy implies a power that one accelerator with its share of the machine cannot draw"
        power = (board * plausible("power_over_board")[0], board * training_factor("node.over_tdp").high * site)
        yield from _outside("implied_power", reason, wh / (run.stated_gpu_hours * run.repeats), power, "W per GPU")


def _carbon(run: TrainingRun, energy: TrainingEnergy, carbon: Quantity | None) -> Iterator[Implausible]:
    """Reported carbon over the energy: an intensity that some grid must have, and the one of the place."""
    site = energy.site.quantity
    if run.reported_tco2e is None or site is None or not site.low > 0.0:
        return
    low_kwh, high_kwh = (site.low * 1e-3, site.high * 1e-3)
    if run.reported_mwh:
        low_kwh = high_kwh = run.reported_mwh * 1e3
    lowest, highest = grid_range()
    grams = run.reported_tco2e * 1e6
    reason = "The reported CO2e over the energy implies a grid intensity that no grid on Earth has: not location-based?"
    # The bounds hold the whole interval of the energy: what is flagged cannot be right under any of it
    middle_kwh = site.mid * 1e-3 if not run.reported_mwh else low_kwh
    bounds = (lowest * low_kwh / middle_kwh, highest * high_kwh / middle_kwh)
    yield from _outside("implied_grid_intensity", reason, grams / middle_kwh, bounds, "gCO2e/kWh")
    placed = run.zone is not None or run.grid_gco2eq_per_kwh is not None
    if placed and carbon is not None and carbon.mid > 0.0:
        reason = "The reported CO2e is not that of this energy on this grid, by more than a factor of two"
        yield from _outside("reported_co2e", reason, run.reported_tco2e, _apart(carbon.mid * 1e-6), "tCO2e")
