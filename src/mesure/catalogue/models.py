"""What is known of a model, and which model a name designates on a day."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from mesure.catalogue.spelling import folded, spellings
from mesure.errors import UnknownName, nearest_names

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from mesure.catalogue.files import Tables
    from mesure.catalogue.table import Factor

__all__ = ["ModelFacts", "Models"]

_FACTS = ("models", "models_mpl")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model. Several factors for one parameter are several sources: opinions that are never averaged here."""

    id: str
    maker: str
    modality: str  # text, embedding, image, video, speech to text, text to speech
    open_weights: bool
    factors: Mapping[str, tuple[Factor, ...]]
    inputs: tuple[str, ...] = ()  # text, image, audio, video...
    outputs: tuple[str, ...] = ()

    def all(self, parameter: str) -> tuple[Factor, ...]:
        """Every source's figure for `parameter`, oldest first; empty when there is none."""
        return self.factors.get(parameter, ())

    def one(self, parameter: str) -> Factor | None:
        """The most recent figure, one published by the maker before any estimate."""
        found = self.all(parameter)
        published = [factor for factor in found if factor.status != "estimated"]
        return published[-1] if published else found[-1] if found else None


class Models:
    """Look-ups over the tables of models and names."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.find = lru_cache(maxsize=4096)(self._find)
        self.nearest = lru_cache(maxsize=256)(self._nearest)

    def _find(self, name: str, provider: str | None = None, at: date | None = None) -> ModelFacts | None:
        """The model a name designates on a day (today's designation when None); None when none with a size does."""
        asked = folded(provider or "")
        for spelling in spellings(name):
            moved = self._moving(spelling, asked, at)
            if moved == "":  # on that day it designated a model of unknown size
                return None
            for candidate in (moved, self._named(spelling, asked), spelling):
                if candidate and (facts := self._facts(folded(candidate))):
                    return facts
        return None

    def _moving(self, name: str, provider: str, at: date | None) -> str | None:
        """What an alias such as `mistral-large-latest` designated on a day: "" for a model of unknown size,
        None for a name
        that does not move or before its first known day."""
        rows = [*self._own("model_aliases", name), *self._tables.starting("model_aliases", f"{name},")]
        held = [row for row in rows if not row["provider"] or provider in ("", row["provider"])]
        day = at.isoformat() if at else "9999"
        past = [row for row in held if row["valid_from"] <= day]
        return max(past, key=lambda row: row["valid_from"])["model"] if past else None

    def _named(self, name: str, provider: str) -> str | None:
        """The model a name designates: the provider's own meaning, else everybody's, else the only one there is."""
        by_provider: dict[str, str] = {}
        for row in (*self._tables.starting("model_names", f"{name},"), *self._own("model_names", name)):
            by_provider[folded(row["provider"])] = row["model"]
        found = by_provider.get(provider) or by_provider.get("")
        if found is None and not provider and len(set(by_provider.values())) == 1:
            return next(iter(by_provider.values()))
        return found

    def _own(self, table: str, name: str) -> list[dict[str, str]]:
        return [row for row in self._tables.overlay.of(table) if folded(row["name"]) == name]

    def _listed(self, model: str) -> dict[str, str] | None:
        for row in self._tables.overlay.of("model_list"):
            if folded(row["model"]) == model:
                return row
        return next(self._tables.starting("model_list", f"{model},"), None)

    def _facts(self, model: str) -> ModelFacts | None:
        if not model or "," in model or (listed := self._listed(model)) is None:
            return None
        factors: dict[str, tuple[Factor, ...]] = {}
        own = {row["parameter"] for row in self._tables.overlay.of("models") if row["entity"] == listed["model"]}
        for table in _FACTS:
            for parameter, found in self._tables.factors_of(table, listed["model"]).items():
                if table != "models" and parameter in own:
                    continue
                factors[parameter] = tuple(sorted((*factors.get(parameter, ()), *found), key=lambda f: f.year))
        if not factors:
            return None
        open_weights = listed["open"] == "yes"
        takes, gives = (tuple(filter(None, (listed.get(c) or "").split("+"))) for c in ("inputs", "outputs"))
        return ModelFacts(
            listed["model"], listed["maker"], listed["modality"] or "text", open_weights, factors, takes, gives
        )

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """All models that have a size."""
        sized = self._tables.entities("models") | self._tables.entities("models_mpl")
        return tuple(sorted({row["model"] for row in self._tables.rows("model_list") if row["model"] in sized}))

    def names_of(self, model: str) -> tuple[tuple[str, str], ...]:
        """(provider, name) of every listed name of a model; provider empty where it means the same everywhere."""
        rows = (*self._tables.rows("model_names"), *self._tables.rows("model_aliases"))
        return tuple(sorted({(row["provider"], row["name"]) for row in rows if row["model"] == model}))

    def unsized(self, name: str) -> tuple[str, ...]:
        """Providers that list a name whose size nobody publishes or estimates; empty when no list has the name."""
        for spelling in spellings(name):
            found = [row["provider"] for row in self._tables.starting("unsized_names", f"{spelling},")]
            if found:
                return tuple(sorted(set(found)))
        return ()

    def _nearest(self, name: str) -> tuple[str, ...]:
        """Names to propose, never used by a look-up."""
        return nearest_names(next(reversed(list(spellings(name)))), self.ids)

    def get(self, name: str, provider: str | None = None, at: date | None = None) -> ModelFacts:
        """As `find`; raises `UnknownName` with nearest names."""
        found = self.find(name, provider, at)
        if found is not None:
            return found
        listed = self.unsized(name)
        what = "This model is not in the catalogue"
        raise UnknownName(
            "This name is known, but nobody publishes or estimates the size of its model" if listed else what,
            value=name,
            action="Use one of these names, or describe it with a ModelCard.",
            nearest=self.nearest(name),
            code="size_unknown" if listed else None,
        )
