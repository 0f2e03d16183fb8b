"""Typography: spaces that do not break, apostrophes, and a quantity as it is printed."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["NARROW", "NO_BREAK", "QuantityText", "french", "mark", "typographic"]

NARROW = "\u202f"
NO_BREAK = "\u00a0"


def mark(msgid: str) -> str:
    """The text itself, named as one to translate: for tables of words that are looked up later."""
    return msgid


class QuantityText(NamedTuple):
    """A quantity in words: `value` and `unit` without the space between, `interval` in brackets or empty."""

    value: str
    unit: str
    interval: str

    @property
    def figure(self) -> str:
        """Value and unit, held together."""
        return f"{self.value}{NARROW}{self.unit}" if self.unit else self.value

    def __str__(self) -> str:
        return f"{self.figure} {self.interval}" if self.interval else self.figure


_UNIT = re.compile(r"(?<=[\d}])[ \u00a0](?=(?:[kMG]?Wh?|m?g|kg|k[Bo]|m?L|°C|h|s)\b)")
_SPACED = (
    (re.compile(r"[ \u00a0](?=[;!?%])"), NARROW),
    (re.compile(r"[ \u00a0](?=:)"), NO_BREAK),
    (re.compile(r"(?<=«)[ \u00a0]|[ \u00a0](?=»)"), NO_BREAK),
)


def typographic(text: str) -> str:
    """Straight apostrophes and three dots become the printed ones; a number keeps its unit on its line."""
    return _UNIT.sub(NARROW, text.replace("'", "’").replace("...", "…"))


def french(text: str) -> str:
    """The same with French spacing: before ; ! ? % (narrow), before : and inside « » (no-break)."""
    text = typographic(text)
    for pattern, space in _SPACED:
        text = pattern.sub(space, text)
    return text
