"""The catalogue: packaged tables, read when first needed, and looked up at a date."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mesure.catalogue.models import ModelFacts, spellings
from mesure.catalogue.table import Factor, factor_of, read_rows
from mesure.errors import CatalogueError, UnknownName, nearest_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from importlib.resources.abc import Traversable

__all__ = ["Accelerator", "Catalogue", "Host", "current"]

FACTOR_TABLES = ("grids", "accelerators", "models", "models_mpl", "embodied", "sites", "stack", "hosts", "equivalences")
NAME_TABLES = ("zones", "model_list", "model_names", "accelerator_names")
_OPTIONAL = ("models_mpl",)
#: Who runs the halls of a provider that publishes no figure of its own.
_OPERATORS = {
    "azure": "microsoft",
    "azure-openai": "microsoft",
    "vertex-ai": "google",
    "gemini": "google",
    "amazon-bedrock": "aws",
}


@dataclass(frozen=True, slots=True)
class Accelerator:
    """Seller's figures of one accelerator; None where the seller publishes none."""

    id: str
    board_power_w: Factor | None
    memory_gb: Factor | None
    memory_bandwidth_gb_s: Factor | None
    dense_bf16_tflops: Factor | None
    dense_fp8_tflops: Factor | None
    link_gb_s: Factor | None


@dataclass(frozen=True, slots=True)
class Host:
    """Where an API runs by default: zones with their share, every estimator weighing the same."""

    provider: str
    places: tuple[tuple[str, float], ...]
    factors: tuple[Factor, ...]


class Catalogue:
    """All facts of one edition. Look-ups are cached and return None (or raise, where said) for what is not listed."""

    def __init__(self, folder: Traversable) -> None:
        self._folder = folder
        self.version = (folder / "VERSION").read_text(encoding="utf-8").strip()
        self.find_model = lru_cache(maxsize=4096)(self._find_model)
        self.grid = lru_cache(maxsize=1024)(self._grid)

    def _rows(self, table: str) -> list[dict[str, str]]:
        path = self._folder / f"{table}.csv"
        if table in _OPTIONAL and not path.is_file():
            return []
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CatalogueError(
                "A table of the catalogue is missing", value=f"{table}.csv", action="Reinstall Mesure."
            ) from error
        return read_rows(text, table, numeric=table in FACTOR_TABLES)

    def _by_entity(self, *tables: str) -> dict[str, dict[str, list[Factor]]]:
        out: dict[str, dict[str, list[Factor]]] = {}
        for table in tables:
            for row in self._rows(table):
                out.setdefault(row["entity"], {}).setdefault(row["parameter"], []).append(factor_of(row))
        for parameters in out.values():
            for found in parameters.values():
                found.sort(key=lambda factor: factor.year)
        return out

    @cached_property
    def _grids(self) -> dict[str, dict[str, list[Factor]]]:
        return self._by_entity("grids")

    @cached_property
    def _accelerators(self) -> dict[str, dict[str, list[Factor]]]:
        return self._by_entity("accelerators")

    @cached_property
    def _model_factors(self) -> dict[str, dict[str, list[Factor]]]:
        return self._by_entity("models", "models_mpl")

    @cached_property
    def _sites(self) -> dict[str, dict[str, list[Factor]]]:
        return self._by_entity("sites")

    @cached_property
    def _stack(self) -> dict[str, dict[str, list[Factor]]]:
        return self._by_entity("stack")

    @cached_property
    def _hosts(self) -> dict[str, dict[str, list[Factor]]]:
        return self._by_entity("hosts")

    @cached_property
    def _models(self) -> dict[str, dict[str, str]]:
        return {row["model"].casefold(): row for row in self._rows("model_list")}

    @cached_property
    def _names(self) -> dict[str, dict[str, str]]:
        """Name -> provider -> model; provider "" where the name means the same everywhere."""
        out: dict[str, dict[str, str]] = {}
        for row in self._rows("model_names"):
            out.setdefault(row["name"].casefold(), {})[row["provider"].casefold()] = row["model"]
        return out

    @cached_property
    def _zones(self) -> dict[str, str]:
        return {row["zone"]: row["name"] for row in self._rows("zones")}

    # Models

    def _find_model(self, name: str, provider: str | None = None, at: date | None = None) -> ModelFacts | None:  # noqa: ARG002
        """The model a name designates, by exact rules only; None when it is not listed."""
        for spelling in spellings(name):
            by_provider = self._names.get(spelling, {})
            designated = by_provider.get((provider or "").casefold()) or by_provider.get("")
            if designated is None and len(set(by_provider.values())) == 1 and provider is None:
                designated = next(iter(by_provider.values()))
            listed = self._models.get((designated or spelling).casefold())
            if listed is not None and (facts := self._model_factors.get(listed["model"])):
                return ModelFacts(
                    listed["model"],
                    listed["maker"],
                    listed["modality"],
                    listed["open"] == "yes",
                    {parameter: tuple(found) for parameter, found in facts.items()},
                )
        return None

    def model(self, name: str, provider: str | None = None, at: date | None = None) -> ModelFacts:
        """As `find_model`; raises `UnknownName` with nearest names."""
        found: ModelFacts | None = self.find_model(name, provider, at)
        if found is None:
            raise UnknownName(
                "This model is not in the catalogue",
                value=name,
                action="Use one of these names, or describe it with a ModelCard.",
                nearest=self.nearest_models(name),
            )
        return found

    def models(self) -> tuple[str, ...]:
        """Names of all listed models that have a size."""
        return tuple(sorted(row["model"] for row in self._models.values() if row["model"] in self._model_factors))

    def nearest_models(self, name: str) -> tuple[str, ...]:
        """Names to propose, never used by a look-up."""
        return nearest_names(name, self.models())

    # Places

    def zones(self) -> dict[str, str]:
        """Zone -> its name, for all zones that have a factor."""
        return dict(self._zones)

    def _grid(self, zone: str, at: date | None = None) -> Factor | None:
        """Yearly location-based intensity: life-cycle, of the latest year not after `at` (the oldest if all are after).

        Where a zone has direct (stack) factors only, that one: its `unit`, `note` and id (`intensity_direct`) say so.
        """
        parameters = self._grids.get(zone.upper(), {})
        found = parameters.get("intensity") or parameters.get("intensity_direct")
        return _at(found, at) if found else None

    def host(self, provider: str) -> Host | None:
        """Default places of an API as shares that sum to 1; None when nothing is known of them."""
        places = self._hosts.get(provider.casefold())
        if not places:
            return None
        weights: dict[str, float] = {}
        factors = [factor for found in places.values() for factor in found]
        estimators = len({factor.unit for factor in factors})
        for zone, found in places.items():
            weights[zone] = sum(factor.value for factor in found) / estimators
        return Host(provider, tuple(sorted(weights.items())), tuple(factors))

    def site(self, provider: str, parameter: str, at: date | None = None) -> Factor | None:
        """PUE (`pue`) or WUE (`wue`) of the halls that serve a provider, fleet-wide; None when not listed."""
        folded = provider.casefold()
        found = self._sites.get(_OPERATORS.get(folded, folded), {}).get(parameter)
        return _at(found, at) if found else None

    # Hardware and constants

    def accelerator(self, name: str) -> Accelerator:
        """An accelerator by id or common name; raises `UnknownName` with nearest names."""
        folded = name.strip().casefold()
        entity = self._accelerator_names.get(folded, folded)
        found = self._accelerators.get(entity)
        if found is None or entity == "any":
            raise UnknownName(
                "This accelerator is not in the catalogue",
                value=name,
                action="Use one of these ids.",
                nearest=nearest_names(name, [*self._accelerators, *self._accelerator_names]),
            )

        def of(parameter: str) -> Factor | None:
            return found[parameter][-1] if parameter in found else None

        return Accelerator(
            entity,
            of("board_power_w"),
            of("memory_gb"),
            of("memory_bandwidth_gb_s"),
            of("dense_bf16_tflops"),
            of("dense_fp8_tflops"),
            of("link_gb_s") or self._accelerators["any"]["link_gb_s"][0],
        )

    def accelerators(self) -> tuple[str, ...]:
        """Ids of all listed accelerators."""
        return tuple(sorted(set(self._accelerators) - {"any"}))

    @cached_property
    def _accelerator_names(self) -> dict[str, str]:
        return {row["name"].casefold(): row["accelerator"] for row in self._rows("accelerator_names")}

    def constant(self, entity: str, parameter: str) -> Factor:
        """A figure of the stack between the accelerator and the meter, or a stated assumption (table `stack`)."""
        try:
            return self._stack[entity][parameter][-1]
        except KeyError:
            raise CatalogueError(
                "The catalogue lacks a constant the method needs",
                value=f"{entity}.{parameter}",
                action="Use the catalogue that ships with this version of Mesure.",
            ) from None

    def equivalences(self) -> tuple[Factor, ...]:
        """Everyday equivalents, physics first: what one unit of each takes."""
        return tuple(factor_of(row) for row in self._rows("equivalences"))

    # All factors

    @cached_property
    def _by_id(self) -> dict[str, Factor]:
        return {factor.id: factor for factor in self._all()}

    def _all(self) -> Iterator[Factor]:
        for table in FACTOR_TABLES:
            for row in self._rows(table):
                yield factor_of(row)

    def factor(self, id: str) -> Factor:  # noqa: A002
        """A factor by its id; raises `UnknownName`."""
        try:
            return self._by_id[id]
        except KeyError:
            raise UnknownName(
                "No factor has this id",
                value=id,
                action="Look it up with its table.",
                nearest=nearest_names(id, self._by_id),
            ) from None

    def factors(self) -> tuple[Factor, ...]:
        """Every factor of this edition, in the order of its tables."""
        return tuple(self._by_id.values())


def _at(found: list[Factor], at: date | None) -> Factor:
    if at is None:
        return found[-1]
    return next((factor for factor in reversed(found) if factor.year <= at.year), found[0])


@cache
def current() -> Catalogue:
    """The catalogue that ships with this version."""
    folder: Any = files("mesure.catalogue") / "data"
    return Catalogue(folder)
