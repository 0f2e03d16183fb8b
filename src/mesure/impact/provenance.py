"""From the id that a figure carries to the factor it names: of the catalogue, of the fit, or of another method."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from mesure.catalogue import current
from mesure.catalogue.table import factor_of
from mesure.impact.constants import packaged
from mesure.impact.methods.own_factors import factors_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.catalogue import Catalogue, Factor

__all__ = ["factor_named", "factors_named"]

#: First word of an id -> tables of this room that hold it.
_OWN = {"fit": "constants"}
_OF_METHODS = {"published": "published", "ecologits": "ecologits_mpl"}


def factor_named(id: str, catalogue: Catalogue | None = None) -> Factor | None:  # noqa: A002
    """The factor an id names in `catalogue` (the one in use when None), or in the method; None when none has it."""
    found = _of_the_method(id.partition(".")[0]).get(id)
    return found or (catalogue or current()).find_factor(id)


def factors_named(ids: Iterable[str], catalogue: Catalogue | None = None) -> tuple[tuple[Factor, ...], tuple[str, ...]]:
    """(factors in the order of their ids, each once; ids that name none: a break of provenance, to be shown)."""
    found = {named: factor_named(named, catalogue) for named in dict.fromkeys(ids)}
    return tuple(f for f in found.values() if f), tuple(named for named, factor in found.items() if factor is None)


@cache
def _of_the_method(table: str) -> Mapping[str, Factor]:
    if table in _OWN:
        return {row["id"]: factor_of(row) for row in packaged(_OWN[table])}
    if table in _OF_METHODS:
        return {f.id: f for by in factors_of(_OF_METHODS[table]).values() for f in by.values()}
    return {}
