"""Where calls run: grid zones, cloud regions, the default hosts of each API, and the halls that house them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mesure.catalogue.files import Tables
    from mesure.catalogue.table import Factor

__all__ = ["GRID_PARAMETERS", "Grid", "Host", "Places", "Region"]

#: parameter -> what it is. Quantities are never mixed: each has its own name, and its own unit.
GRID_PARAMETERS: dict[str, str] = {
    "intensity": "life-cycle, location-based, yearly average",
    "intensity_direct": "direct (stack or scope 2) only, location-based, yearly average",
    "intensity_direct_upstream": "direct and upstream of fuels (scope 2 + 3), location-based, yearly average",
    "intensity_market": "market-based, of your own contract: entered by the user",
    "intensity_residual": "residual mix: entered by the user",
    "intensity_marginal": "marginal, for decisions to shift load: entered by the user",
    "water": "water consumed by generation, not scarcity-weighted",
    "adpe": "depletion of minerals and metals by generation",
    "pe": "total primary energy of generation",
}
#: Who runs the halls of a provider that publishes no figure of its own.
_OPERATORS = {
    "azure": "microsoft",
    "azure-openai": "microsoft",
    "vertex-ai": "google",
    "gcp": "google",
    "gemini": "google",
    "google-vertex": "google",
    "amazon-bedrock": "aws",
    "bedrock": "aws",
}
#: Whose list of regions a provider's regions are in.
_CLOUDS = {
    "microsoft": "azure",
    "azure-openai": "azure",
    "azure_ai": "azure",
    "google": "gcp",
    "vertex-ai": "gcp",
    "google-vertex": "gcp",
    "google-vertex-anthropic": "gcp",
    "vertex_ai": "gcp",
    "amazon": "aws",
    "amazon-bedrock": "aws",
    "bedrock": "aws",
    "ovh": "ovhcloud",
}
#: One API under several names; those whose region the customer chooses have no default place.
_SAME_API = {
    "gemini": "google",
    "mistral_ai": "mistral",
    "x_ai": "xai",
    "x-ai": "xai",
    "moonshot_ai": "moonshotai",
    "fireworks": "fireworks-ai",
    "together": "togetherai",
}
_ZONE_OF_REGION = re.compile(r"(.+\d)-?[a-f]")


@dataclass(frozen=True, slots=True)
class Host:
    """Where an API runs by default: zones with their share, every estimator weighing the same."""

    provider: str
    places: tuple[tuple[str, float], ...]
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A cloud region: a place, and the grid zone of the place. `zone` is ISO 3166-1 alpha-3 or a listed sub-zone."""

    provider: str
    region: str
    location: str
    zone: str
    egrid_subregion: str
    mapping: str
    source: str
    source_url: str
    year: str
    licence: str
    note: str


@dataclass(frozen=True, slots=True)
class Grid:
    """All that is known of a zone at a date, by parameter; `direct_only` where no life-cycle intensity exists."""

    zone: str
    name: str
    type: str
    country: str
    factors: Mapping[str, Factor]
    mix: tuple[Factor, ...]

    @property
    def direct_only(self) -> bool:
        return "intensity" not in self.factors and "intensity_direct" in self.factors


class Places:
    """Look-ups over the tables of places."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.factor = lru_cache(maxsize=4096)(self._factor)

    @cached_property
    def zones(self) -> dict[str, dict[str, str]]:
        """Zone -> its row: zone, name, type, country."""
        listed = {row["zone"]: row for row in self._tables.rows("zones")}
        for row in self._tables.overlay.of("grids"):
            listed.setdefault(row["entity"], _own_zone(row))
        return listed

    def _factor(self, zone: str, parameter: str, at: date | None = None) -> Factor | None:
        """One quantity of a zone: the latest year not after `at` (the oldest if all are after). None when not known.

        Water, minerals and primary energy are computed from the generation mix; where a zone has none, those of its
        country stand for it, with the spread between zones (`status` assumed, said in `note`).
        """
        entity = zone.upper()
        for table in ("grids", "grid_impacts"):
            if found := self._tables.factors_of(table, entity).get(parameter):
                return at_date(found, at)
        return None

    def grid(self, zone: str, at: date | None = None) -> Grid | None:
        """Everything of a zone; None when it is not listed."""
        row = self.zones.get(zone.upper())
        if row is None:
            return None
        found = {p: self.factor(row["zone"], p, at) for p in GRID_PARAMETERS}
        mix = self._tables.factors_of("mixes", row["zone"])
        shares = tuple(sorted((at_date(f, at) for f in mix.values()), key=lambda f: -f.value))
        factors = {p: factor for p, factor in found.items() if factor is not None}
        return Grid(row["zone"], row["name"], row["type"], row["country"], factors, shares)

    def host(self, provider: str) -> Host | None:
        """The default places of an API."""
        own = provider.casefold()
        places = self._tables.factors_of("hosts", own) or self._tables.factors_of("hosts", _SAME_API.get(own, own))
        if not places:
            return None
        factors = tuple(factor for found in places.values() for factor in found)
        estimators = len({factor.unit for factor in factors})
        weights = {zone: sum(factor.value for factor in found) / estimators for zone, found in places.items()}
        return Host(provider, tuple(sorted(weights.items())), factors)

    def site(self, provider: str, parameter: str, at: date | None = None, region: str | None = None) -> Factor | None:
        """PUE (`pue`) or WUE (`wue`) of the halls that serve a provider: of the region where its operator publishes
        one, else fleet-wide; None when neither is listed."""
        own = provider.casefold()
        names = [own, _OPERATORS.get(own, own)]
        if region:
            cloud = _CLOUDS.get(own, own)
            names = [f"{cloud}:{spelt}" for spelt in _region_spellings(region)] + names
        for entity in names:
            if found := self._tables.factors_of("sites", entity).get(parameter):
                return at_date(found, at)
        return None

    def region(self, provider: str, region: str) -> Region | None:
        """A cloud region, by the exact name its provider gives it (an availability zone leads to its region)."""
        own = provider.casefold()
        cloud = _CLOUDS.get(own, own)
        for spelt in _region_spellings(region):
            for row in self._tables.starting("regions", f"{cloud},{spelt},"):
                return Region(
                    row["provider"], row["region"], row["location"], row["zone"], row["egrid_subregion"],
                    row["mapping"], row["source"], row["source_url"], row["year"], row["licence"], row["note"],
                )  # fmt: skip
        return None


def _region_spellings(region: str) -> tuple[str, ...]:
    """Case and spaces do not count (`East US` is `eastus`); the letter of an availability zone is taken off last."""
    bare = region.strip().casefold().replace(" ", "")
    found = _ZONE_OF_REGION.fullmatch(bare)
    return (bare, found[1]) if found else (bare,)


def _own_zone(row: Mapping[str, str]) -> dict[str, str]:
    own = {"zone": row["entity"], "name": row["entity"], "type": "of the user's file", "country": ""}
    return own | {"source": row["source"], "licence": row["licence"]}


def at_date(found: tuple[Factor, ...], at: date | None) -> Factor:
    """Of factors in order of year, the latest not after `at`; the oldest if all are after."""
    if at is None:
        return found[-1]
    return next((factor for factor in reversed(found) if factor.year <= at.year), found[0])
