"""Constants of the energy model, read from `data/constants.csv`: each with its unit, date, origin and spread.

`bench/fit_estimator.py` fits those that have a prior on public measurements (accelerator scope) and rewrites the
file; the others are assumptions and say so. They are factors like any other: `explain` shows them.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files

from mesure.catalogue import Factor
from mesure.catalogue.table import check_rows, factor_of

__all__ = ["Constants", "belief", "constant_factors", "constants", "packaged", "residual", "rows_seen"]


@dataclass(frozen=True, slots=True)
class Constants:
    """Values alone, as the physics reads them; meaning and unit of each are in the file."""

    bandwidth_weights: float
    bandwidth_experts: float
    bandwidth_kv: float
    bandwidth_blackwell: float
    rate_achieved: float
    power_busy: float
    power_gddr: float
    idle_share: float
    link_latency_s: float
    link_achieved: float
    routing_correlation: float
    expert_imbalance: float
    fp8_expert_floor: float
    fp8_expert_slow: float
    host_step_s: float
    host_layer_s: float
    host_seq_s: float
    host_old_step_s: float
    host_old_seq_s: float
    host_local: float
    eager_layer_s: float
    eager_overlap: float
    eager_prefill: float
    eager_request_s: float
    vision_request_s: float
    diffusion_rate: float
    diffusion_blackwell: float
    diffusion_ampere: float
    dual_gain: float
    dual_streams: float
    diffusion_host_layer_s: float
    diffusion_host_board: float
    diffusion_request_s: float
    diffusion_link: float
    diffusion_power: float
    diffusion_power_cap: float
    diffusion_power_links: float
    diffusion_idle: float
    diffusion_overlap: float
    text_tokens: float
    decode_tflop: float


@cache
def packaged(table: str) -> tuple[dict[str, str], ...]:
    """Checked rows of a table of this package. Raises `CatalogueError` for a number without provenance."""
    text = (files("mesure.impact") / "data" / f"{table}.csv").read_text(encoding="utf-8")
    rows = tuple(csv.DictReader(text.splitlines()))
    check_rows(rows, table)
    return rows


@cache
def _factors() -> dict[tuple[str, str], Factor]:
    return {(row["entity"], row["parameter"]): factor_of(row) for row in packaged("constants")}


@cache
def constants() -> Constants:
    """The constants in use."""
    found = {name: factor.value for (group, name), factor in _factors().items() if group in ("text", "diffusion")}
    return Constants(**{field.name: found[field.name] for field in fields(Constants)})


@cache
def constant_factors(group: str) -> tuple[Factor, ...]:
    """The factors of a group (text, diffusion), for an explanation."""
    return tuple(factor for (of, _), factor in _factors().items() if of == group)


def belief(name: str) -> Factor:
    """What is assumed of something nobody stated."""
    return _factors()["belief", name]


def residual(name: str) -> Factor:
    """Standard deviation of log energy that remains when everything is stated, by regime; or what is added to it."""
    return _factors()["residual", name]


@cache
def rows_seen(accelerator: str) -> bool:
    """Whether the fit has rows of this accelerator."""
    return ("seen", accelerator) in _factors()
