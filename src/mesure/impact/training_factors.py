"""Sourced figures that only training needs: table `training` of the catalogue. `explain_training` shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesure.catalogue import current

if TYPE_CHECKING:
    from mesure.catalogue import Factor

__all__ = ["plausible", "training_factor"]


def training_factor(name: str) -> Factor:
    """The factor of a name as `node.over_tdp`."""
    entity, _, parameter = name.partition(".")
    return current().constant(entity, parameter, "training")


def plausible(quantity: str) -> tuple[float, float]:
    """Bounds outside which an input is flagged: of `mfu`, `power_over_board`, `pue`."""
    factor = training_factor(f"plausible.{quantity}")
    return factor.low, factor.high
