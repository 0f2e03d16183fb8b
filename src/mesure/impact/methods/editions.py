"""Estimates under another edition of the catalogue than the one in use."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mesure.catalogue import current, use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mesure.catalogue import Catalogue

__all__ = ["under"]


@contextmanager
def under(catalogue: Catalogue) -> Iterator[None]:
    """Inside, every look-up reads `catalogue`. For the whole process: not for a server that answers meanwhile."""
    before = current()
    use(catalogue)
    try:
        yield
    finally:
        use(before)
