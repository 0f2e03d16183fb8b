"""Estimates under another edition of the catalogue than the one in use."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mesure.catalogue import current, use
from mesure.catalogue.store import packaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.catalogue import Catalogue

__all__ = ["under"]


@contextmanager
def under(catalogue: Catalogue) -> Iterator[None]:
    """Inside, every look-up reads `catalogue`. For the whole process: not for a server that answers meanwhile."""
    before = current()
    if catalogue is before:
        yield
        return
    _change(catalogue)
    try:
        yield
    finally:
        _change(before)


def _change(catalogue: Catalogue) -> None:
    use(None if catalogue is packaged() else catalogue)
    # What this room resolved once rests on the edition left: each of its caches is emptied
    for name, module in list(sys.modules.items()):
        if name == "mesure.impact" or name.startswith("mesure.impact."):
            for value in list(vars(module).values()):
                forget = getattr(value, "cache_clear", None)
                if callable(forget) and str(getattr(value, "__module__", "")).startswith("mesure.impact"):
                    forget()
