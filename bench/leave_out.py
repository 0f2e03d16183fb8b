"""Estimates of measured rows by constants that were fitted without their group, through the public call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from fit_estimator import GROUPS, Measured, folds, spreads, two_out
from mesure import estimate
from mesure.impact import coefficients as resolved
from mesure.impact import constants as held
from mesure.impact import modelled
from mesure.impact.constants import Constants

__all__ = ["Estimates", "Knowledge", "LeftOut", "using"]

Array = Any
_SHIPPED = held._factors()


def _forget() -> None:
    for cached in (held.constants, held.rows_seen, held.constant_factors, modelled.modelled, resolved._resolve):
        cached.cache_clear()  # type: ignore[attr-defined]


@contextmanager
def using(values: Mapping[tuple[str, str], float]) -> Iterator[None]:
    """The estimator with other constants: what a fit that has not seen a group would have shipped."""
    changed = _SHIPPED | {key: replace(_SHIPPED[key], value=value) for key, value in values.items()}
    original = held._factors
    held._factors = lambda: changed  # type: ignore[assignment]
    _forget()
    try:
        yield
    finally:
        held._factors = original  # type: ignore[assignment]
        _forget()


@dataclass(frozen=True)
class Knowledge:
    """What an estimate is told beside sizes and (unless `api`) machines."""

    api: bool = False
    prompt: bool = False
    year: bool = False
    sizes_only: bool = False  # the model under a name nobody knows


@dataclass(frozen=True)
class Estimates:
    """Logs of Wh at the accelerators, row by row."""

    low: Array
    mid: Array
    high: Array


class LeftOut:
    """Rows of one kind, and constants fitted without each group of a key."""

    def __init__(self, kind: str) -> None:
        self.data = Measured(kind)
        self._residuals = two_out(self.data) if kind == "text" else None
        self._folds: dict[str, dict[str, dict[tuple[str, str], float]]] = {}

    def constants_without(self, key: str) -> dict[str, dict[tuple[str, str], float]]:
        """Group -> constants (and errors of the interval) of a fit that has not seen it."""
        if key not in self._folds:
            groups = self.data.key(key)
            self._folds[key] = {
                group: self._values(k, groups == group) for group, k in folds(self.data, groups).items()
            }
        return self._folds[key]

    def _values(self, k: Any, without: Array) -> dict[tuple[str, str], float]:
        group = GROUPS[self.data.kind]
        names = {field.name for field in fields(Constants)}
        out = {(group, name): float(getattr(k, name)) for name in names if (group, name) in _SHIPPED}
        if self._residuals is not None:
            errors = spreads(self.data, self._residuals, without)
            out |= {("residual", name): value for name, value in errors.items()}
        return out

    def estimates(self, key: str | None, known: Knowledge) -> Estimates:
        """`key` None: the constants as shipped, which have seen every row."""
        found = np.zeros((len(self.data.rows), 3))
        if key is None:
            self._fill(found, np.ones(len(found), bool), known)
        else:
            groups = self.data.key(key)
            for group, values in self.constants_without(key).items():
                with using(values):
                    self._fill(found, groups == group, known)
        return Estimates(*found.T)

    def _fill(self, found: Array, mask: Array, known: Knowledge) -> None:
        for i in np.flatnonzero(mask):
            row = self.data.rows[i]
            said = row.arguments(api=known.api, prompt=known.prompt, year=known.year)
            name = "a-model-nobody-lists" if known.sizes_only else row.model
            energy = estimate(name, card=row.card(), **said).parts["accelerator_energy_wh"]
            found[i] = np.log([energy.low, energy.mid, energy.high])
