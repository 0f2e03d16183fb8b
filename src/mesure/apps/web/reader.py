"""Who reads: the language, the time zone and the address a page is written for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from mesure.i18n import LANGUAGES, Language, Translator, catalog

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mesure.config import Settings

__all__ = ["Reader"]


@dataclass(frozen=True, slots=True)
class Reader:
    """What every section of a page needs beside its figures."""

    t: Translator
    settings: Settings
    zone: ZoneInfo
    notices: Sequence[str] = ()  # codes of `words.NOTICES`

    @classmethod
    def of(cls, language: str, settings: Settings, notices: Sequence[str] = ()) -> Reader:
        return cls(catalog(language), settings, ZoneInfo(settings.organisation.timezone), notices)

    @property
    def language(self) -> Language:
        return self.t.language

    @property
    def other(self) -> Language:
        return next(language for language in LANGUAGES if language != self.language)

    def local(self, at: datetime) -> datetime:
        """`at` in the organisation's time zone, where days begin and end."""
        return at.astimezone(self.zone)

    def path(self, page: str = "") -> str:
        """Address of a page in this reader's language."""
        return f"/{self.language}/{page}"
