"""The languages spoken, and which one a reader asks for."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["LANGUAGES", "Language", "preferred"]

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def preferred(accept: str | None, default: Language) -> Language:
    """The language an `Accept-Language` header prefers among ours; `default` when it names none of them.

    `*` and a quality of 0 follow RFC 9110: the first stands for our default, the second refuses.
    """
    best: Language = default
    best_quality = 0.0
    for item in (accept or "").split(","):
        tag, _, parameters = item.partition(";")
        name = tag.strip().lower().partition("-")[0]
        language = next((known for known in LANGUAGES if known == name), default if name == "*" else None)
        quality = _quality(parameters)
        if language is not None and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
