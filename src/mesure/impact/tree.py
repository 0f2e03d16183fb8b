"""Formula trees: one quantity a node, with its formula, its sourced factors, and the nodes it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.catalogue import Factor
    from mesure.quantity import Quantity

__all__ = ["Explanation", "Node"]


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
