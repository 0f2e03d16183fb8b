"""What a JSON answer looks like, key by key: a contract is kept when nothing is missing, added or of another type."""

from __future__ import annotations

from typing import Any

__all__ = ["FACTOR", "QUANTITY", "Maybe", "Several", "mismatches"]


class Maybe:
    """The shape, or null."""

    def __init__(self, shape: Any) -> None:
        self.shape = shape


class Several:
    """A list whose items all have the shape; at least `least` of them."""

    def __init__(self, shape: Any, least: int = 0) -> None:
        self.shape, self.least = shape, least


#: low <= mid <= high is the test's business; that the six members are there is the contract's.
QUANTITY = {"low": float, "mid": float, "high": float, "unit": str, "status": str, "sources": Several(str)}
FACTOR = {
    "id": str,
    "value": float,
    "low": float,
    "high": float,
    "unit": str,
    "source": str,
    "source_url": str,
    "year": int,
    "licence": str,
}


def mismatches(value: Any, shape: Any, at: str = "$") -> list[str]:
    """Where `value` is not of `shape`: a type, a dict of shapes, `Maybe`, `Several`, or a set of allowed values."""
    if isinstance(shape, Maybe):
        return [] if value is None else mismatches(value, shape.shape, at)
    if isinstance(shape, set):
        return [] if value in shape else [f"{at}: {value!r} is none of {sorted(map(str, shape))}"]
    if isinstance(shape, Several):
        if not isinstance(value, list) or len(value) < shape.least:
            return [f"{at}: no list of at least {shape.least}"]
        return [fault for i, item in enumerate(value) for fault in mismatches(item, shape.shape, f"{at}[{i}]")]
    if isinstance(shape, dict):
        return _of_object(value, shape, at)
    fits = type(value) in (int, float) if shape is float else type(value) is shape
    return [] if fits else [f"{at}: {value!r} is no {shape.__name__}"]


def _of_object(value: Any, shape: dict[str, Any], at: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{at}: {value!r} is no object"]
    faults = [f"{at}.{name}: missing" for name in shape if name not in value]
    faults += [f"{at}.{name}: not in the contract" for name in value if name not in shape]
    for name in shape:
        if name in value:
            faults += mismatches(value[name], shape[name], f"{at}.{name}")
    return faults
