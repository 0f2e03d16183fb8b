"""What this room resolved once rests on the catalogue in use; when that changes, it is resolved again."""

from __future__ import annotations

import sys

from mesure.catalogue.store import when_changed

__all__ = ["forget"]

_ROOM = __name__.rpartition(".")[0]


def forget() -> None:
    """Empty every cache of this room."""
    for name, module in list(sys.modules.items()):
        if name == _ROOM or name.startswith(f"{_ROOM}."):
            for value in list(vars(module).values()):
                empty = getattr(value, "cache_clear", None)
                if callable(empty) and str(getattr(value, "__module__", "")).startswith(_ROOM):
                    empty()


when_changed(forget)
