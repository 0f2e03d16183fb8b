"""Checks of what a caller states by hand."""

from __future__ import annotations

import math
from typing import Any

from mesure.catalogue import current
from mesure.errors import InvalidValue, UnknownName, nearest_names

__all__ = ["checked_facts"]


def checked_facts(*, zone: str | None, modality: str, reasoning_tokens: float, **facts: Any) -> dict[str, Any]:
    """Facts of one call, their domains checked; counts of things the model does not make are known to be absent.

    Raises `InvalidValue` and `UnknownName` (zone).
    """
    for name, value in {**facts, "reasoning_tokens": reasoning_tokens}.items():
        if value is not None and not 0 <= value < math.inf:
            raise InvalidValue(
                f"{name} must be a finite number, zero or more",
                value=value,
                action="Correct it, or leave it out when unknown.",
            )
    _check_subset("cached_tokens", facts["cached_input_tokens"], "input_tokens", facts["input_tokens"])
    _check_subset("reasoning_tokens", reasoning_tokens, "output_tokens", facts["output_tokens"])
    if zone is not None and zone.upper() not in current().zones():
        raise UnknownName(
            "This grid zone has no factor in the catalogue",
            value=zone,
            action="Use an ISO 3166-1 alpha-3 code, or a listed zone.",
            nearest=nearest_names(zone, current().zones()),
        )
    if modality in ("image", "video") and not facts["images_count"]:
        facts["images_count"] = None  # one per call is assumed
    if modality in ("speech to text", "text to speech") and not facts["audio_seconds"]:
        facts["audio_seconds"] = None
    return facts


def _check_subset(part: str, inner: float | None, whole: str, outer: float | None) -> None:
    if inner is not None and outer is not None and inner > outer:
        raise InvalidValue(
            f"{part} is part of {whole} and cannot exceed it",
            value=f"{inner} > {outer}",
            action=f"Add {part} into {whole}.",
        )
