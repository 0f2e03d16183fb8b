"""A file of an organisation's own factors, as it would write one."""

from __future__ import annotations

__all__ = ["own_factor"]


def own_factor(value: float, *, entity: str = "FRA", year: int | str = 2026, **changes: object) -> str:
    """A grid's intensity in TOML; `changes` replace its other columns, and None leaves one out."""
    columns: dict[str, object] = {
        "table": "grids",
        "entity": entity,
        "parameter": "intensity",
        "value": value,
        "unit": "gCO2e/kWh",
        "year": year,
        "source": "Acme, meter",
        "source_url": "internal",
        "licence": "internal",
        "status": "published",
    } | changes
    lines = (f"{name} = {column!r}" for name, column in columns.items() if column is not None)
    return "\n".join(("[[factor]]", *lines, ""))
