"""The three ways one formula is evaluated: Python floats, NumPy arrays, Narwhals expressions (DuckDB, Spark).

A formula uses only + - x and what an `Engine` injects. Both branches of `where` are evaluated; an unknown condition
takes the else branch on every engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SCALAR", "Engine", "narwhals_engine", "numpy_engine"]


@dataclass(frozen=True, slots=True)
class Engine:
    """What differs between engines, and nothing else."""

    where: Callable[[Any, Any, Any], Any]  # (condition, then, otherwise)
    known: Callable[[Any], Any]  # False where the fact is unknown
    number: Callable[[Any], Any]  # as a 64-bit float, 0.0 where unknown
    among: Callable[[Any, tuple[str, ...]], Any]  # text is one of these


def _scalar_where(condition: Any, then: Any, otherwise: Any) -> Any:
    return then if condition else otherwise


SCALAR = Engine(
    where=_scalar_where,
    known=lambda value: value is not None,
    number=lambda value: 0.0 if value is None else float(value),
    among=lambda value, names: value in names,
)


@cache
def numpy_engine() -> Engine:
    """Unknown numbers are NaN on the way in and out; text columns are object arrays."""
    import numpy as np

    return Engine(
        where=np.where,
        known=lambda values: ~np.isnan(values),
        number=lambda values: np.where(np.isnan(values), 0.0, np.asarray(values, dtype=np.float64)),
        among=lambda values, names: np.isin(np.asarray(values, dtype=str), names),
    )


@cache
def narwhals_engine() -> Engine:
    """Unknown is NULL."""
    import narwhals as nw

    def as_expression(value: Any) -> Any:
        return value if isinstance(value, nw.Expr) else nw.lit(value)

    return Engine(
        where=lambda condition, then, otherwise: (
            nw.when(as_expression(condition)).then(as_expression(then)).otherwise(as_expression(otherwise))
        ),
        known=lambda values: ~values.is_null(),
        number=lambda values: values.cast(nw.Float64).fill_null(0.0),
        among=lambda values, names: values.is_in(list(names)),
    )
