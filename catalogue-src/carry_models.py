"""Models, their names and aliases, from the collected facts: everything that `open_models.py` does not state by hand.

A model's id is the last part of its repository's path, case-folded; the whole path where two makers use the same one.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mesure.catalogue.spelling import date_suffix, folded, spellings
from open_models import OPEN_MODELS
from tables import Row, rows_of, year_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Names",
    "aliases",
    "every_open_model",
    "listed_open_models",
    "names",
    "open_names",
    "unsized",
    "without_model",
]

_B = "1e9 parameters"
_BITS = (
    (re.compile(r"nvfp4|fp4|int4|4bit|awq|gptq", re.IGNORECASE), 4),
    (re.compile(r"fp8|int8|8bit", re.IGNORECASE), 8),
)
#: Three layers of four have a state of fixed size instead of a cache: published for this family.
_HYBRID = re.compile(r"qwen3(?:-next|\.[5-9])", re.IGNORECASE)
#: Where the registry gives a mixture as dense, or its active size as the total: figures of the makers' cards.
_V2 = {"total_params_b": 236, "active_params_b": 21, "experts": 160, "experts_per_token": 6, "kv_elements": 576}
_LITE = {"total_params_b": 15.7, "active_params_b": 2.4, "experts": 64, "experts_per_token": 6, "kv_elements": 576}
CORRECTED: dict[str, dict[str, float]] = {
    "deepseek-v2-chat": _V2,
    "deepseek-v2-chat-0628": _V2,
    "deepseek-v2.5": _V2,
    "deepseek-v2-lite-chat": _LITE,
    "deepseek-vl2": {"total_params_b": 27.4, "active_params_b": 4.1},
    "deepseek-vl2-small": {"total_params_b": 16.1, "active_params_b": 2.4},
    "deepseek-vl2-tiny": {"total_params_b": 3.37, "active_params_b": 0.57},
    "moonlight-16b-a3b-instruct": {"total_params_b": 16, "active_params_b": 3},
    "qwen1.5-moe-a2.7b-chat": {"total_params_b": 14.3, "active_params_b": 2.7},
    "qwen2-57b-a14b-instruct": {"total_params_b": 57.4, "active_params_b": 14},
    "minimax-m2.5": {"active_params_b": 10},
    "minimax-m2.7": {"active_params_b": 10},
    "kimi-k2-instruct": {"total_params_b": 1043, "active_params_b": 32},
    "minicpm3-4b": {"kv_elements": 288},
    "glm-4.7-flash": {"kv_elements": 576},
    "glm-5.3-bf16": {"total_params_b": 753, "active_params_b": 40, "kv_elements": 576},
} | {name: {"kv_elements": 576.0} for name in ("deepseek-prover-v2-671b", "deepseek-v3.1")}
_CARD = "maker's model card, from general knowledge: to verify"
_COPY = re.compile(r"-(?:nvfp4|fp8|int4)$", re.IGNORECASE)
_FACTS = (
    "params_total_b", "params_active_b", "architecture", "layers", "hidden", "kv_heads", "q_heads", "head_dim",
    "experts",
    "experts_per_token", "moe_intermediate", "shared_experts", "kv_lora_rank", "qk_rope_head_dim", "vocab", "note",
)  # fmt: skip
_EDITION = "2026"  # year of the registries read, where the release date is not stated


class _Figure(NamedTuple):
    parameter: str
    value: float
    unit: str
    status: str = "published"
    low: float | None = None
    high: float | None = None
    note: str = ""


def _ids(folder: Path) -> dict[str, str]:
    """Repository path -> id, of every listed model that is not stated in `open_models.py`."""
    stated = {folded(name) for model in OPEN_MODELS for name in (model.config, model.id, *model.names)}
    rows = [row for row in _kept(folder) if folded(row["model_id"]) not in stated]
    last = Counter(folded(row["model_id"].rpartition("/")[2]) for row in rows)
    out = {}
    for row in rows:
        name = folded(row["model_id"].rpartition("/")[2])
        out[row["model_id"]] = folded(row["model_id"]) if last[name] > 1 or name in stated else name
    return out


def _kept(folder: Path) -> list[Row]:
    """Rows of the registry once each, whatever the case of their path; the MPL-2.0 list is the last choice,
    and its sizes
    of quantised copies count packed weights, so these are left out."""
    rows = sorted(rows_of(folder, "models_open"), key=lambda row: not row["licence"].startswith("MPL"))
    kept = {folded(row["model_id"]): row for row in rows}
    by_name = {folded(row["model_id"].rpartition("/")[2]): row for row in kept.values()}
    return [
        _completed(row, by_name)
        for row in kept.values()
        if not (row["licence"].startswith("MPL") and _BITS[0][0].search(row["model_id"]))
    ]


def _completed(row: Row, by_name: dict[str, Row]) -> Row:
    """A quantised copy has the size and shape of its base, which the registry often leaves out."""
    name = folded(row["model_id"].rpartition("/")[2])
    base = by_name.get(_COPY.sub("", name), row)
    own = {c: row[c] or base[c] for c in _FACTS}
    own["params_total_b"] = base["params_total_b"] or row["params_total_b"]
    own["params_active_b"] = base["params_active_b"] or row["params_active_b"]
    return row | own


def _number(row: Row, column: str) -> float:
    return float(row[column] or 0)


def _computed_sizes(row: Row) -> tuple[float, float]:
    """(total, active) in 1e9 parameters of a mixture, from its configuration; zeros where it lacks a part."""
    layers, hidden, experts = (_number(row, c) for c in ("layers", "hidden", "experts"))
    chosen, wide, vocab = (_number(row, c) for c in ("experts_per_token", "moe_intermediate", "vocab"))
    if not all((layers, hidden, experts, chosen, wide, vocab)):
        return 0.0, 0.0
    each = 3 * hidden * wide * layers * 1e-9
    shared = max(_number(row, "shared_experts"), 1.0)
    rest = (2 * vocab * hidden + layers * 2.5 * hidden**2) * 1e-9
    total = _number(row, "params_total_b") or rest + each * (experts + shared)
    return total, rest + each * (chosen + shared)


def _sizes(row: Row) -> Iterator[_Figure]:
    total, active = _number(row, "params_total_b"), _number(row, "params_active_b")
    mixture = row["architecture"] == "moe"
    if total:
        yield _Figure("total_params_b", total, _B)
    if active:
        yield _Figure("active_params_b", active, _B)
    if not mixture or (total and active):
        return
    computed_total, computed_active = _computed_sizes(row)
    note = "computed from the configuration: embeddings, attention, experts; norms left out"
    if not total and computed_total:
        yield _Figure(
            "total_params_b", computed_total, _B, "estimated", computed_total * 0.9, computed_total * 1.1, note
        )
    if not active and computed_active and computed_active < 0.6 * computed_total:
        low, high = computed_active * 0.7, min(computed_active * 1.4, computed_total)
        yield _Figure("active_params_b", computed_active, _B, "estimated", low, high, note)
    elif not active and (total or computed_total):
        whole = total or computed_total
        mid, low, high = whole * math.sqrt(0.03 * 0.3), whole * 0.03, whole * 0.3
        yield _Figure("active_params_b", mid, _B, "estimated", low, high, "mixture: 3 to 30 % active, not stated")


def _architecture(row: Row) -> Iterator[_Figure]:
    latent = _number(row, "kv_lora_rank")
    heads, width = _number(row, "kv_heads"), _number(row, "head_dim")
    if not latent and "latent attention" in row["note"]:
        heads = 0.0  # the cache is not that of the heads, and its rank is not given
    if not width and _number(row, "q_heads"):
        width = _number(row, "hidden") / _number(row, "q_heads")
    cache = latent + (_number(row, "qk_rope_head_dim") or 64.0) if latent else 2 * heads * width
    figures = {
        "layers": (_number(row, "layers"), "layers"),
        "hidden": (_number(row, "hidden"), "elements"),
        "kv_elements": (cache, "elements per token and layer"),
        "experts": (_number(row, "experts"), "experts"),
        "experts_per_token": (_number(row, "experts_per_token"), "experts"),
    }
    for parameter, (value, unit) in figures.items():
        if value:
            yield _Figure(parameter, value, unit)
    if _HYBRID.search(row["model_id"]) and "hybrid" in row["note"] and row["layers"]:
        note = "one full layer in four, from general knowledge of the family: to verify"
        yield _Figure("full_layers", round(_number(row, "layers") / 4), "layers", "recalled", note=note)
    for pattern, bits in _BITS:
        if pattern.search(row["model_id"]):
            yield _Figure("weight_bits", bits, "bits per weight", note="stated in the repository's name")
            break


def _figures(row: Row, model: str) -> Iterator[_Figure]:
    """What the registry says, but for what is corrected."""
    corrected = CORRECTED.get(model, {})
    for figure in (*_sizes(row), *_architecture(row)):
        if figure.parameter not in corrected:
            yield figure
    units = {"kv_elements": "elements per token and layer", "experts": "experts", "experts_per_token": "experts"}
    for parameter, value in corrected.items():
        yield _Figure(parameter, value, units.get(parameter, _B), "recalled")


def _registry(row: Row) -> str:
    return re.sub(r" model (?:registry|list|metadata|table).*| configs.*", "", row["source"].split(";")[0])


def every_open_model(folder: Path, *, mpl: bool) -> list[Row]:
    """Facts of every open model that is not stated by hand; those read in an MPL-2.0 package apart."""
    ids, out = _ids(folder), []
    for row in _kept(folder):
        if row["model_id"] not in ids or row["licence"].startswith("MPL") != mpl:
            continue
        year = year_of(row["release_date"]) or _EDITION
        unsure = "" if row["release_date"] else "year of the edition read"
        url = row["config_source"] or row["params_source"] or f"https://huggingface.co/{row['model_id']}"
        for figure in _figures(row, ids[row["model_id"]]):
            card = figure.status == "recalled"
            out.append(
                {
                    "entity": ids[row["model_id"]],
                    "parameter": figure.parameter,
                    "value": f"{figure.value:.6g}",
                    "low": f"{figure.low:.6g}" if figure.low else "",
                    "high": f"{figure.high:.6g}" if figure.high else "",
                    "unit": figure.unit,
                    "year": year,
                    "source": _CARD if card else f"maker's configuration ({_registry(row)})",
                    "source_url": url,
                    "licence": "MPL-2.0 (keep this file apart)" if mpl else "bare fact of the maker",
                    "status": figure.status,
                    "note": "; ".join(filter(None, (figure.note, unsure))),
                }
            )
    return out


def listed_open_models(folder: Path) -> list[Row]:
    """Entries of the list of models for the same rows, with what they take in and give out."""
    ids = _ids(folder)
    return [
        {
            "model": ids[row["model_id"]],
            "maker": row["model_id"].split("/")[0].lower(),
            "modality": "embedding" if row["kind"] == "embedding" else "text",
            "open": "yes",
            "inputs": row["modality"],
            "outputs": "embedding" if row["kind"] == "embedding" else "text",
            "source": f"https://huggingface.co/{row['model_id']}",
            "licence": "bare fact",
        }
        for row in _kept(folder)
        if row["model_id"] in ids
    ]


class Names:
    """The names known so far: what one resolves to under the product's own rules."""

    def __init__(self, models: Iterable[str], named: Iterable[Row]) -> None:
        self._models = {folded(model): model for model in models}
        self._named = {folded(row["name"]): row["model"] for row in named if not row["provider"]}

    def model(self, name: str) -> str | None:
        for spelling in spellings(name):
            found = self._named.get(spelling) or self._models.get(spelling)
            if found:
                return found
        return None


def open_names(folder: Path) -> list[Row]:
    """The whole repository path of each model that is not stated by hand."""
    return [
        _name("", path, model, "repository of the maker", _EDITION, "bare fact")
        for path, model in _ids(folder).items()
        if folded(path) != model
    ]


def _name(provider: str, name: str, model: str, source: str, year: str, licence: str) -> Row:
    return {
        "name": folded(name), "provider": provider, "model": model, "year": year, "source": source, "licence": licence
    }  # fmt: skip


_BEDROCK_LLAMA = re.compile(r"(?:.+\.)?meta\.llama(\d)-(\d)-(\d+b)-instruct-v\d:\d")


def _platform_spellings(row: Row) -> Iterator[str]:
    """How two platforms write names: `llama-v3p3-70b`, `meta.llama3-3-70b-instruct-v1:0`."""
    name = row["model_id"]
    if row["provider"] == "fireworks-ai":
        bare = re.sub(r"(\d)p(\d)", r"\1.\2", name.rpartition("/")[2])
        yield bare
        yield re.sub(r"-v(\d)", r"-\1", bare)
    if found := _BEDROCK_LLAMA.fullmatch(name):
        yield f"llama-{found[1]}.{found[2]}-{found[3]}-instruct"
    if row["provider"] == "amazon-bedrock":
        yield name.rpartition(".")[2]
    yield re.sub(r"(?<=\d)_(?=\d)", ".", name)  # meta-llama-3_3-70b-instruct
    yield name.rpartition("/")[2]


def _target(row: Row, known: Names) -> str | None:
    """The model of a listed name, by what the list itself says: its weights, its base, what it is a snapshot of."""
    weights = row["weights_url"].rstrip("/").partition("huggingface.co/")[2]
    said = (weights, row["base_model"], row["snapshot_of"], *_platform_spellings(row))
    return next((found for name in said if name and (found := known.model(name))), None)


def names(folder: Path, known: Names) -> list[Row]:
    """Provider-scoped names that the general rules do not lead to their model."""
    out = []
    for row in rows_of(folder, "models_api"):
        if row["licence"].startswith("MPL") or "," in row["model_id"] or known.model(row["model_id"]):
            continue
        if target := _target(row, known):
            source, year = row["source"].split(",")[0].split(" (")[0], year_of(row["source_date"])
            out.append(_name(row["provider"], row["model_id"], target, source, year, row["licence"]))
    return out


def without_model(folder: Path, known: Names, named: list[Row]) -> list[Row]:
    """Rows of the providers' lists that lead to no model with a size."""
    held = {(row["provider"], row["name"]) for row in named}
    return [
        row
        for row in rows_of(folder, "models_api")
        if not row["licence"].startswith("MPL")
        and "," not in row["model_id"]
        and not known.model(row["model_id"])
        and (row["provider"], folded(row["model_id"])) not in held
    ]


def unsized(folder: Path, known: Names, named: list[Row]) -> list[Row]:
    """Names in the lists of providers whose model has no published or estimated size."""
    return [
        {
            "name": folded(row["model_id"]),
            "provider": row["provider"],
            "source": row["source"].split(",")[0].split(" (")[0],
            "licence": row["licence"],
        }
        for row in without_model(folder, known, named)
    ]


def aliases(folder: Path, known: Names, models: frozenset[str]) -> list[Row]:
    """What each `-latest` name designated from which day, from the dated snapshots of the same provider.

    A snapshot without known size ends the one before: the alias is then unknown, not what it used to be.
    """
    listed = [row for row in rows_of(folder, "models_api") if not row["licence"].startswith("MPL")]
    dated: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in listed:
        stem, day = date_suffix(folded(row["model_id"]))
        first = day.isoformat() if day else row["release_date"]
        if stem and first:
            dated.setdefault((row["provider"], stem), []).append((first, folded(row["model_id"])))
    out = []
    for row in listed:
        name = folded(row["model_id"])
        stem = name.removesuffix("-latest")
        for first, snapshot in sorted(dated.get((row["provider"], stem), ())) if stem != name else ():
            own = snapshot if snapshot in models else known.model(snapshot)
            # the alias itself is no answer to what the alias designates
            target = own if own and not own.endswith("-latest") and date_suffix(snapshot)[0] != own else ""
            source, year = row["source"].split(",")[0].split(" (")[0], first[:4]
            out.append(_name(row["provider"], name, target, source, year, row["licence"]) | {"valid_from": first})
    return out
