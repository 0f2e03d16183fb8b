"""From the world to records: wires, sensors, imports, telemetry. Called, it meters a block: `mesure.meter("model")`."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """The package has the name of the public function: whichever was imported first, both are there."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return import_module("mesure.apps.sdk.metering").meter(*args, **kwargs)  # above this room: asked for by name


sys.modules[__name__].__class__ = _Room
