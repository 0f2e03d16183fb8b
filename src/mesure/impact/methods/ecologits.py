"""`ecologits-0.11`: the equations EcoLogits publishes for language models, written from its methodology document.

One board gives, per token written, an energy that grows with active parameters, at a fixed batch. The boards needed to
hold all weights, rounded up to a power of two, draw it together; the rest of the server draws a constant power while
tokens are written, shared by boards and batch. PUE and grid follow; manufacture is a share of the server's life.
https://ecologits.ai/latest/methodology/llm_inference/ (constants: `data/ecologits_mpl.csv`, MPL-2.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue import current
from mesure.catalogue.spelling import spellings
from mesure.impact.methods.method import MethodEstimate, relevant
from mesure.impact.methods.own_factors import factors_of
from mesure.impact.methods.subject import TEXT
from mesure.quantity import Quantity, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mesure.catalogue import Factor
    from mesure.impact.methods.subject import Amounts, Call

__all__ = ["EcoLogits", "Halls", "Served", "Size", "request"]

_TABLE = "ecologits_mpl"
#: Our names of providers -> theirs.
_PROVIDERS = {
    "openai": "openai",
    "azure": "openai",
    "azure-openai": "openai",
    "anthropic": "anthropic",
    "cohere": "cohere",
    "gemini": "google_genai",
    "google": "google_genai",
    "vertex-ai": "google_genai",
    "mistral": "mistralai",
    "mistralai": "mistralai",
    "huggingface": "huggingface_hub",
}
_OPEN_WEIGHTS = "huggingface_hub"
_ZONES = {"mistralai": "SWE"}
_DEFAULT_ZONE, _NO_PROVIDER = "USA", "WORLD"
#: Factors that energy does not rest on.
_BEYOND_ENERGY = (
    "grids.", "user.grids.", "ecologits.board.manufacture_gwp.", "ecologits.server.manufacture_gwp.",
    "ecologits.server.lifetime.",
)  # fmt: skip
_IGNORED = (
    "prompt_tokens_ignored", "cache_ignored", "batch_fixed", "boards_power_of_two", "stated_hardware_ignored",
    "stated_load_ignored", "measurement_ignored", "idle_reserve_ignored", "duration_not_used", "range_of_sizes_only",
)  # fmt: skip


class Size(NamedTuple):
    """Active and total parameters (1e9), and observed speed where listed."""

    active_b: float
    total_b: float
    tokens_per_s: float | None = None
    first_token_s: float = 0.0


class Halls(NamedTuple):
    """PUE of the halls, and gCO2e per kWh of their grid (None: unknown)."""

    pue: float
    grid: float | None


class Served(NamedTuple):
    """What requests took: Wh at the meter, gCO2e of electricity (None: unknown) and of manufacture."""

    energy_wh: float
    usage_gco2eq: float | None
    embodied_gco2eq: float


def _constant(entity: str, parameter: str) -> float:
    return factors_of(_TABLE)[entity][parameter].value


def request(size: Size, halls: Halls, output_tokens: float, requests: float = 1.0) -> Served:
    """The published equations for `requests` that write `output_tokens` together."""
    batch, installed = _constant("serving", "batch"), _constant("server", "boards")
    per_token = _constant("board", "energy_floor") + size.active_b * _constant("board", "energy_per_active") * math.exp(
        -batch * _constant("board", "energy_batch_decay")
    )
    seconds = requests * size.first_token_s + output_tokens * _seconds_per_token(size, batch)
    boards = boards_for(size.total_b)
    server_share = boards / installed / batch
    host_wh = seconds / 3600.0 * _constant("server", "power_kw") * 1e3 * server_share
    energy_wh = halls.pue * (host_wh + boards * output_tokens * per_token)
    made_kg = _constant("server", "manufacture_gwp") / installed + _constant("board", "manufacture_gwp")
    embodied = made_kg * 1e3 * boards * seconds / _constant("server", "lifetime") / batch
    return Served(energy_wh, None if halls.grid is None else energy_wh * halls.grid * 1e-3, embodied)


def _seconds_per_token(size: Size, batch: float) -> float:
    if size.tokens_per_s is not None:
        return 1.0 / size.tokens_per_s
    of = factors_of(_TABLE)["latency"]
    return of["floor"].value + of["per_active"].value * size.active_b + of["per_batch"].value * batch


def boards_for(total_b: float) -> float:
    """Boards that hold the weights, rounded up to a power of two."""
    needed = total_b * _constant("weights", "bits") / 8.0 * _constant("weights", "overhead")
    return float(2 ** math.ceil(math.log2(max(1, math.ceil(needed / _constant("board", "memory"))))))


@dataclass(frozen=True, slots=True)
class EcoLogits:
    """Sizes, speeds and PUE are EcoLogits' own; grid intensities are the catalogue's, of the latest year (212 of 215
    zones agree within 1 %). Low and high are those of its ranges of sizes and PUE, mid their mean, as the package shows
    it."""

    name: str = "ecologits-0.11"
    version: str = "0.11.3"
    counts: tuple[str, ...] = ("output_tokens", "model_size", "host", "pue", "grid_of_place", "manufacture")
    ignores: tuple[str, ...] = _IGNORED

    @property
    def factors(self) -> tuple[Factor, ...]:
        groups = ("board", "latency", "server", "serving", "weights")
        return tuple(factor for group in groups for factor in factors_of(_TABLE)[group].values())

    def estimate(self, call: Call, amounts: Amounts) -> MethodEstimate:
        """A figure for text written by a model it lists, or whose published size the catalogue has."""
        if amounts.operation not in TEXT:
            return MethodEstimate(None, None, ("operation_not_covered",))
        if not amounts.output_known:
            return MethodEstimate(None, None, ("output_tokens_unknown",))
        provider = _PROVIDERS.get((call.provider or "").casefold())
        found = _facts_of(call, provider)
        if found is None:
            return MethodEstimate(None, None, ("model_not_listed",))
        facts, listed = found
        halls, grid, factors = _halls(call, provider)
        bounds = [
            request(size, Halls(pue, grid), amounts.output_tokens, amounts.calls)
            for size, pue in zip(_sizes(facts), (halls.low, halls.high), strict=True)
        ]
        codes = relevant(self.ignores, call, amounts)
        codes += () if listed else ("size_of_catalogue",)
        codes += () if provider else ("provider_not_listed",)
        codes += () if call.stated_zone else ("zone_assumed",)
        sources = tuple(f.id for f in (*self.factors, *facts.values(), *factors))
        of_energy = tuple(source for source in sources if not source.startswith(_BEYOND_ENERGY))
        energy = _mean([bound.energy_wh for bound in bounds], "Wh", of_energy)
        if grid is None:
            return MethodEstimate(energy, None, (*codes, "zone_no_factor"))
        whole = [(bound.usage_gco2eq or 0.0) + bound.embodied_gco2eq for bound in bounds]
        return MethodEstimate(energy, _mean(whole, "gCO2eq", sources), codes)


def _mean(bounds: list[float], unit: str, sources: tuple[str, ...]) -> Quantity:
    low, high = bounds
    return Quantity(low, (low + high) / 2.0, high, unit, Status.MODELLED, sources)


def _facts_of(call: Call, provider: str | None) -> tuple[Mapping[str, Factor], bool] | None:
    """Sizes and speeds of the first name that designates a model of theirs, else published sizes of ours (False)."""
    for name in call.models:
        for spelling in spellings(name):
            entity = f"{provider}/{spelling}" if provider else _listed().get(spelling, "")
            if facts := factors_of(_TABLE).get(entity) or _by_folded().get(entity):
                return facts, True
    for name in call.models:
        model = current().find_model(name, call.provider, call.at)
        total = model.one("total_params_b") if model else None
        if model and total and total.status != "estimated":
            active = model.one("active_params_b") or total
            return {"total_params_b": total, "active_params_b": active}, False
    return None


@cache
def _by_folded() -> Mapping[str, Mapping[str, Factor]]:
    return {entity.casefold(): facts for entity, facts in factors_of(_TABLE).items() if "/" in entity}


@cache
def _listed() -> Mapping[str, str]:
    """Name -> entity, for names that one provider only has."""
    found: dict[str, set[str]] = {}
    for entity in _by_folded():
        found.setdefault(entity.partition("/")[2], set()).add(entity)
    return {name: min(entities) for name, entities in found.items() if len(entities) == 1}


def _sizes(facts: Mapping[str, Factor]) -> tuple[Size, Size]:
    """The least and the most their ranges allow."""
    active, total = facts["active_params_b"], facts["total_params_b"]
    speed, first = facts.get("tokens_per_s"), facts.get("first_token_s")
    rest = (speed.value if speed else None, first.value if first else 0.0)
    return Size(active.low, total.low, *rest), Size(active.high, total.high, *rest)


def _halls(call: Call, provider: str | None) -> tuple[Factor, float | None, tuple[Factor, ...]]:
    """PUE, grid intensity (the latest year, as EcoLogits always takes it) and their factors."""
    pue = factors_of(_TABLE)[provider or _OPEN_WEIGHTS]["pue"]
    zone = call.stated_zone or (_ZONES.get(provider, _DEFAULT_ZONE) if provider else _NO_PROVIDER)
    grid = current().grid(zone)
    return pue, grid.value if grid else None, (pue, grid) if grid else (pue,)
