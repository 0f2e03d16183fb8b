"""Mesure: what an organisation's use of AI consumes, call by call, with intervals and sources."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mesure.version import METHOD_VERSION, __version__

if TYPE_CHECKING:
    from mesure.apps.sdk.impact_exporter import with_impacts
    from mesure.apps.sdk.instrumenting import instrument
    from mesure.apps.sdk.metering import meter
    from mesure.impact import Deployment, Impacts, ModelCard, estimate, estimate_training

__all__ = [
    "METHOD_VERSION",
    "Deployment",
    "Impacts",
    "ModelCard",
    "__version__",
    "estimate",
    "estimate_training",
    "instrument",
    "meter",
    "with_impacts",
]

_HOMES = {
    "Deployment": "mesure.impact",
    "Impacts": "mesure.impact",
    "ModelCard": "mesure.impact",
    "estimate": "mesure.impact",
    "estimate_training": "mesure.impact",
    "instrument": "mesure.apps.sdk.instrumenting",
    "with_impacts": "mesure.apps.sdk.impact_exporter",
}


def __getattr__(name: str) -> Any:
    if name == "meter":
        return import_module("mesure.meter")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mesure' has no attribute {name!r}")
