"""Accelerators, processors, and what making them took."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mesure.errors import UnknownName, nearest_names

if TYPE_CHECKING:
    from mesure.catalogue.files import Tables
    from mesure.catalogue.table import Factor

__all__ = ["Accelerator", "Hardware"]

#: What the kernel and the makers' marks add to a processor's name.
_MARKS = re.compile(r"\((?:r|tm)\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*$")


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Seller's figures of one accelerator; an estimate that says so, or None, where the seller publishes none."""

    id: str
    board_power_w: Factor | None
    memory_gb: Factor | None
    memory_bandwidth_gb_s: Factor | None
    dense_bf16_tflops: Factor | None
    dense_fp8_tflops: Factor | None
    link_gb_s: Factor | None


class Hardware:
    """Look-ups over the tables of hardware."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    @cached_property
    def _names(self) -> dict[str, str]:
        return {row["name"].casefold(): row["accelerator"] for row in self._tables.rows("accelerator_names")}

    @cached_property
    def _cpus(self) -> dict[str, str]:
        return {_bare(name): name for name in self._tables.entities("cpus")}

    def accelerator(self, name: str) -> Accelerator:
        """An accelerator by id or common name; raises `UnknownName` with nearest names."""
        folded = name.strip().casefold()
        entity = self._names.get(folded, folded)
        found = self._tables.factors_of("accelerators", entity)
        if not found or entity == "any":
            raise UnknownName(
                "This accelerator is not in the catalogue",
                value=name,
                action="Use one of these ids.",
                nearest=nearest_names(name, [*self.accelerators, *self._names]),
            )

        def of(parameter: str) -> Factor | None:
            return found[parameter][-1] if parameter in found else None

        return Accelerator(
            entity,
            of("board_power_w"),
            of("memory_gb"),
            of("memory_bandwidth_gb_s"),
            of("dense_bf16_tflops"),
            of("dense_fp8_tflops"),
            of("link_gb_s") or self._tables.factors_of("accelerators", "any")["link_gb_s"][0],
        )

    @cached_property
    def accelerators(self) -> tuple[str, ...]:
        """Ids of all listed accelerators."""
        return tuple(sorted(self._tables.entities("accelerators") - {"any"}))

    def cpu(self, name: str) -> Factor | None:
        """TDP (W) of a processor by its whole name, marks and clock left out; never by likeness. None when not
        listed."""
        entity = self._cpus.get(_bare(name))
        return self._tables.factors_of("cpus", entity)["tdp_w"][-1] if entity else None

    def embodied(self, unit: str = "kgCO2e") -> tuple[Factor, ...]:
        """Every published figure of manufacture whose unit starts with `unit` (kgCO2e, kgSbeq, MJ): they do
        not count the
        same things, so they are shown side by side, never averaged."""
        tables = ("embodied", "embodied_mpl")
        found = (self._tables.factors_of(t, e).values() for t in tables for e in sorted(self._tables.entities(t)))
        return tuple(f for by in found for series in by for f in series if f.unit.startswith(unit))


def _bare(name: str) -> str:
    return " ".join(_MARKS.sub(" ", name.casefold()).split())
