"""Mesure: what an organisation's use of AI consumes, call by call, with intervals and sources."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mesure.version import METHOD_VERSION, __version__

if TYPE_CHECKING:
    from mesure.impact import Deployment, Impacts, ModelCard, estimate, estimate_training

__all__ = ["METHOD_VERSION", "Deployment", "Impacts", "ModelCard", "__version__", "estimate", "estimate_training"]

_HOMES = {
    "Deployment": "mesure.impact",
    "Impacts": "mesure.impact",
    "ModelCard": "mesure.impact",
    "estimate": "mesure.impact",
    "estimate_training": "mesure.impact",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mesure' has no attribute {name!r}")
