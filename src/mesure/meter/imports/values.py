"""Texts of cells -> numbers, times and truths, under stated conventions: nothing ambiguous is guessed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from mesure.errors import InvalidValue

__all__ = ["DATES", "DECIMALS", "Conventions", "is_unknown"]

Decimal = Literal["point", "comma"]
Dates = Literal["iso", "french", "unix", "unix-ms"]
DECIMALS: tuple[Decimal, ...] = get_args(Decimal)
DATES: tuple[Dates, ...] = get_args(Dates)

_UNKNOWN = frozenset({"", "null", "none", "nan", "n/a", "na", "#n/a"})
_SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?:\D|$))")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_ISO_SPACED_OFFSET = re.compile(r"\s+(?:UTC|Z|(?=[+-]\d{2}:?\d{0,2}$))", re.IGNORECASE)
_FRENCH = re.compile(
    r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})"
    r"(?:[ T]+(?:à +)?(\d{1,2})[:hH](\d{2})?(?:[:m](\d{2})(?:[.,](\d{1,9}))?)?)?"
)
#: No ISO time is written so: seconds (10 digits, 2001 to 2286) or milliseconds (13 digits) since 1970.
_UNIX = re.compile(r"([1-9]\d{9}|[1-9]\d{12})(?:\.\d+)?")
_MS_DIGITS = 13
_TRUTHS = {"true": True, "1": True, "yes": True, "oui": True, "vrai": True} | dict.fromkeys(
    ("false", "0", "no", "non", "faux"), False
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_unknown(raw: Any) -> bool:
    """An empty cell, or one of the usual words for it. Zero is not one of them."""
    return raw is None or (isinstance(raw, str) and raw.strip().casefold() in _UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conventions:
    """How a file writes: times without an offset are of `timezone`."""

    timezone: tzinfo = field(default_factory=lambda: ZoneInfo("UTC"))
    decimal: Decimal = "point"
    dates: Dates = "iso"

    def number(self, raw: Any) -> float:
        """A finite number. `1 234,5` needs `decimal="comma"`; a mark of the other convention is refused."""
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            value = float(raw) if abs(raw) < 2**63 else math.inf
        else:
            value = self._parsed(str(raw).strip())
        if not math.isfinite(value):
            raise _not_a_number(raw)
        return value

    def _parsed(self, text: str) -> float:
        other, convention = (",", "comma") if self.decimal == "point" else (".", "point")
        if other in text:
            raise InvalidValue(
                f"This number is written with a {convention}, and could be read in two ways",
                value=text,
                action=f"Say --decimal {convention}, or write numbers without thousands marks.",
            )
        plain = _SPACES.sub("", text).replace(",", ".")
        if not _NUMBER.fullmatch(plain):
            raise _not_a_number(text)
        return float(plain)

    def whole(self, raw: Any) -> int:
        """A whole number; 12.0 is one."""
        if isinstance(raw, int) and not isinstance(raw, bool):
            return raw
        value = self.number(raw)
        if value != int(value):
            raise InvalidValue("This must be a whole number", value=raw, action="Correct it, or map another column.")
        return int(value)

    def truth(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        if (value := _TRUTHS.get(str(raw).strip().casefold())) is None:
            raise InvalidValue("This must be true or false", value=raw, action="Correct it, or map another column.")
        return value

    def time(self, raw: Any) -> datetime:
        """A time in UTC, from 1970 on. Under `iso`, 10 or 13 digits are seconds or milliseconds since 1970."""
        try:
            time = self._time(raw)
        except (ValueError, OverflowError):
            raise InvalidValue(
                f"This is not a time written as {self.dates}",
                value=raw,
                action=f"Correct it, or say how times are written with --dates {' | '.join(DATES)}.",
            ) from None
        if time.tzinfo is None:
            time = self._located(time)
        time = time.astimezone(UTC)
        if time < _EPOCH:
            raise InvalidValue("This time lies before 1970", value=raw, action="Correct it.")
        return time

    def _time(self, raw: Any) -> datetime:
        if self.dates in ("unix", "unix-ms"):
            return _EPOCH + timedelta(seconds=self.number(raw) / (1000.0 if self.dates == "unix-ms" else 1.0))
        if self.dates == "iso" and (found := _UNIX.fullmatch(str(raw).strip())):
            return _EPOCH + timedelta(seconds=float(found[0]) / (1000.0 if len(found[1]) == _MS_DIGITS else 1.0))
        if not isinstance(raw, str):
            raise ValueError
        text = raw.strip()
        if self.dates == "french" and (found := _FRENCH.fullmatch(text)):
            day, month, year, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
            fraction = int((found.group(7) or "0").ljust(6, "0")[:6])
            return datetime(year, month, day, hour, minute, second, fraction)  # noqa: DTZ001  (located by the caller)
        return datetime.fromisoformat(_ISO_SPACED_OFFSET.sub(_offset, text))

    def _located(self, naive: datetime) -> datetime:
        """In the time zone. An hour that the clock change skipped is refused; one it repeated is its first."""
        local = naive.replace(tzinfo=self.timezone)
        if local.astimezone(UTC).astimezone(self.timezone).replace(tzinfo=None) != naive:
            raise InvalidValue(
                f"This time does not exist in {self.timezone}: the clock change skipped it",
                value=str(naive),
                action="Name the time zone of the file with --timezone.",
            )
        return local


def _offset(found: re.Match[str]) -> str:
    return "+00:00" if found.group().strip() else ""


def _not_a_number(raw: Any) -> InvalidValue:
    return InvalidValue("This is not a number", value=raw, action="Correct it, or map another column.")
