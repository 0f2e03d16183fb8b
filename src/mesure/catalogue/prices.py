"""What a provider asks for a million tokens, on a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mesure.catalogue.spelling import folded, spellings
from mesure.catalogue.table import PRICES

if TYPE_CHECKING:
    from datetime import date

    from mesure.catalogue.files import Tables

__all__ = ["Price", "Prices"]


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens from `valid_from` on; None where the list gives none. `basis` says what the day is:
    documented by the seller, or the day a public list changed or was first seen."""

    provider: str
    model: str
    tier: str
    valid_from: str
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    cached_input_usd_per_mtok: float | None
    cache_write_usd_per_mtok: float | None
    basis: str
    source: str
    source_url: str
    licence: str

    @property
    def id(self) -> str:
        return f"prices.{self.provider}.{self.model}.{self.tier}.{self.valid_from}"

    def to_json(self) -> dict[str, Any]:
        return {"id": self.id} | {name: getattr(self, name) for name in self.__slots__}


#: Lists of sellers whose models a platform serves at its own price are not used for it; these are one seller's names.
_SELLERS = {"gemini": "google", "vertex-ai": "google", "bedrock": "amazon-bedrock", "aws": "amazon-bedrock"}


class Prices:
    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.price = lru_cache(maxsize=4096)(self._price)

    def _price(self, provider: str, model: str, at: date | None = None, tier: str = "standard") -> Price | None:
        """The price on a day (the latest when None). None for an unlisted model or tier, and before its first listed
        day: an unknown price is never zero."""
        seller = _SELLERS.get(folded(provider), folded(provider))
        for spelling in spellings(model):
            if not spelling or "," in spelling:
                continue
            rows = [row for row in self._tables.overlay.of(PRICES) if _key(row) == (seller, spelling, tier)]
            rows = rows or list(self._tables.starting(PRICES, f"{seller},{spelling},{tier},"))
            if rows:
                past = [row for row in rows if at is None or row["valid_from"] <= at.isoformat()]
                return _price_of(max(past, key=lambda row: row["valid_from"])) if past else None
        return None


def _key(row: dict[str, str]) -> tuple[str, str, str]:
    return folded(row["provider"]), folded(row["model"]), row["tier"]


def _price_of(row: dict[str, str]) -> Price:
    def usd(column: str) -> float | None:
        return float(row[column]) if row.get(column) else None

    return Price(
        row["provider"], row["model"], row["tier"], row["valid_from"],
        usd("input"), usd("output"), usd("cache_read"), usd("cache_write"),
        row.get("basis", ""), row["source"], row["source_url"], row["licence"],
    )  # fmt: skip
