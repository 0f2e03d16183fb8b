"""What a call asks of the machine, by the estimator's own physics: only proportions count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.impact import formulas
from mesure.meter.sensors.splitting import Work

if TYPE_CHECKING:
    from mesure.impact import Coefficients
    from mesure.record import UsageEvent

__all__ = ["work_of", "work_of_tokens"]

_PROMPT = ("calls", "fresh", "cached", "prefill")
_ANSWER = ("output", "context")


def work_of(event: UsageEvent, coefficients: Coefficients) -> Work | None:
    """The modelled energy of a call at the accelerators, prompt and answer apart; None where its tokens are unknown.

    A call whose energy does not come from tokens (images, audio) has all of it in its answer.
    """
    facts = {name: getattr(event, name) for name in formulas.FACTS} | {"energy_j": None}
    columns = formulas.event_columns(facts)
    basis = formulas.basis_of(columns)
    if basis & formulas.TOKENS_UNKNOWN:
        return None
    row = coefficients.row(basis)
    prompt, answer = _sum(columns, row, _PROMPT), _sum(columns, row, _ANSWER)
    whole = formulas.accelerator_energy_wh(columns, row)
    return Work(prompt, max(whole - prompt, answer))


def work_of_tokens(
    coefficients: Coefficients, *, calls: float, input_tokens: float, cached_tokens: float, output_tokens: float
) -> Work:
    """As `work_of`, for what a server counted over an interval: without the terms that need each call's own length."""
    row = coefficients.row(0)
    fresh = max(input_tokens - cached_tokens, 0.0)
    return Work(
        calls * row["k_calls"] + fresh * row["k_fresh"] + cached_tokens * row["k_cached"],
        output_tokens * row["k_output"],
    )


def _sum(columns: dict[str, float], row: dict[str, float], names: tuple[str, ...]) -> float:
    return sum(columns[f"x_{name}"] * row[f"k_{name}"] for name in names)
