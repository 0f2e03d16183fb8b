"""`Translator`: one language's texts, numbers, quantities and dates. Formats are read from CLDR once and kept."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from babel import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po

from mesure.errors import UnknownName
from mesure.i18n.languages import LANGUAGES, Language
from mesure.i18n.text import NARROW, QuantityText, french, typographic
from mesure.quantity import Quantity, Status, least_place, shown

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["Translator", "catalog"]

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_LOCALES: dict[Language, str] = {"fr": "fr", "en": "en_GB"}
#: Texts kept as printed: all of ours, and some of those that errors bring.
_KEPT = 4096
_UNIT_SUFFIX = {"gCO2eq": " CO₂e"}

#: Statuses obtained by calculation: a sentence about them says "is estimated at".
ESTIMATED = frozenset({Status.MODELLED, Status.DECLARED, Status.DEFAULT})


@lru_cache
def catalog(language: str) -> Translator:
    """The translator of `fr` or `en`. Raises `UnknownName` for another language."""
    for known in LANGUAGES:
        if language == known:
            return Translator(known)
    raise UnknownName("This language is not spoken here", value=language, nearest=LANGUAGES, action="Use fr or en.")


class Translator:
    """Everything a reader of one language sees. Cheap to call: look-ups and string formatting only."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language
        self._locale = Locale.parse(_LOCALES[language])
        symbols = self._locale.number_symbols["latn"]
        self._separators = str.maketrans({",": symbols["group"], ".": symbols["decimal"], "-": "−"})
        self._messages = _french_messages() if language == "fr" else {}
        self._text = lru_cache(_KEPT)(self._printed)

    # Texts

    def t(self, msgid: str, **values: object) -> str:
        """`msgid` in this language, its `{names}` replaced."""
        text = self._text(msgid)
        return text.format(**values) if values else text

    def n(self, singular: str, plural: str, count: float, **values: object) -> str:
        """The form that goes with `count`, which is also `{count}` unless given."""
        many = count >= 2 if self.language == "fr" else count != 1
        text = self._text(singular, 1 if many else 0) if self._messages else typographic(plural if many else singular)
        return text.format(**{"count": self.number(count), **values})

    def rich(self, msgid: str, **nodes: Any) -> list[Any]:
        """The text cut at its `{names}`, each replaced by the node given: for markup inside a sentence."""
        pieces = _PLACEHOLDER.split(self._text(msgid))
        return [nodes[piece] if index % 2 else piece for index, piece in enumerate(pieces) if piece]

    def _printed(self, msgid: str, form: int = 0) -> str:
        forms = self._messages.get(msgid)
        return french(forms[min(form, len(forms) - 1)]) if forms else typographic(msgid)

    # Numbers

    def number(self, value: float, decimals: int = 0) -> str:
        """`value` with exactly `decimals` digits after the decimal mark, thousands apart."""
        return f"{value:,.{decimals}f}".translate(self._separators)

    def percent(self, share: float, decimals: int = 0) -> str:
        """A share (0.18) as a percentage, spaced as the language does."""
        return self.number(share * 100.0, decimals) + (f"{NARROW}%" if self.language == "fr" else "%")

    def plain(self, value: float, digits: int = 4) -> str:
        """Up to `digits` significant digits, as a source gave them: no idle zero, whole numbers in full."""
        decimals = 0 if value == 0.0 else max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return self._trimmed(self.number(value, decimals))

    def quantity(self, quantity: Quantity, beside: Quantity | None = None) -> QuantityText:
        """Rounded by the width of its interval: `0.31 Wh [0.18-0.52]`, in the language's digits.

        The unit gets its prefix from the middle value, or from that of `beside`, the largest of a column. A low bound
        too small for those digits keeps one digit of its own, so that it never reads as nothing.
        """
        scaled = shown(quantity, beside=beside)
        unit = "" if scaled.unit == "1" else scaled.unit + _UNIT_SUFFIX.get(quantity.unit, "")
        mid, low, high = scaled.mid, scaled.low, scaled.high
        factor = quantity.mid / mid if mid else 1.0
        digits = scaled.decimals or _tens(high - low, mid)
        decimals = max(digits, 0)
        value = self.number(round(mid, digits), decimals)
        if quantity.low == quantity.high:
            return QuantityText(self._trimmed(value), unit, "")
        least = self._least(quantity.low / factor, digits)
        return QuantityText(value, unit, f"[{least}–{self.number(round(high, digits), decimals)}]")

    def _least(self, value: float, digits: int) -> str:
        if value > 0.0 and round(value, digits) == 0.0:
            digits = -int(f"{value:.0e}".partition("e")[2])
        return self.number(round(value, digits), max(digits, 0))

    def _trimmed(self, value: str) -> str:
        mark = "." if self.language == "en" else ","
        return value.rstrip("0").rstrip(mark) if mark in value else value

    # Dates: local times are the caller's to choose, nothing is converted here

    def time(self, at: dt.datetime) -> str:
        """Hour, minute and second, on 24 hours."""
        return f"{at.hour:02}:{at.minute:02}:{at.second:02}"

    def date(self, at: dt.date) -> str:
        """Day, month and year in full."""
        return self._first(at, format_date(at, "d MMMM y", self._locale))

    def day(self, at: dt.date) -> str:
        """Day and month."""
        return self._first(at, format_date(at, "d MMMM", self._locale))

    def short_day(self, at: dt.date) -> str:
        """Day and month, as little as an axis has room for."""
        return self._first(at, format_date(at, "d MMM", self._locale))

    def short_month(self, at: dt.date) -> str:
        return format_date(at, "LLL", self._locale)

    def month(self, at: dt.date) -> str:
        """Name of the month."""
        return format_date(at, "LLLL", self._locale)

    def of_month(self, at: dt.date) -> str:
        """`of October`, `d'octobre`."""
        month = self.month(at)
        if self.language == "en":
            return f"of {month}"
        return f"d’{month}" if month[0] in "aeiouyh" else f"de {month}"

    def _first(self, at: dt.date, text: str) -> str:
        return f"1er{text[1:]}" if at.day == 1 and self.language == "fr" else text


def _tens(width: float, mid: float) -> int:
    """Digits to drop left of the decimal mark when a tenth of the interval exceeds ten; never all of `mid`."""
    if not 100.0 <= width < math.inf or mid < 10.0:
        return 0
    return -max(min(math.floor(math.log10(width / 10.0)), least_place(mid)), 0)


def _french_messages() -> dict[str, tuple[str, ...]]:
    with Path(__file__).with_name("fr.po").open("rb") as file:
        found = read_po(file, locale="fr")
    messages: dict[str, tuple[str, ...]] = {}
    for message in found:
        key: Any = message.id
        text: Any = message.string
        if key:
            messages[key if isinstance(key, str) else key[0]] = (text,) if isinstance(text, str) else tuple(text)
    return messages
