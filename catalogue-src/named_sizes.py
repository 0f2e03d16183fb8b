"""Models whose name states their size: `devstral-2-123b-instruct`, `nemotron-3-ultra-550b-a55b`.

A size in a name is the maker's own statement, rounded. Where it may be the total of a mixture, the active size
is a range.
"""

from __future__ import annotations

import re

from mesure.catalogue.spelling import date_suffix, folded, spellings
from tables import Row, year_of

__all__ = ["facts", "listed", "named_size"]

_TOTAL = re.compile(r"(?:^|[-_:])(\d+(?:\.\d+)?)(b|t)(?=[-_:]|$)")
_ACTIVE = re.compile(r"[-_]a(\d+(?:\.\d+)?)b(?=[-_:]|$)")
#: Not a model of that size: price bands, mixtures counted by expert, adapters, guards that share a name.
_LEFT_OUT = re.compile(r"up-to|b-to-|above|\dx\d|\d+e[-_]|lora|together-ai|rerank|^ft:|llama-?4|-\d-5b|0-6b|\d_\d+b")
#: Families that are dense at every size.
_DENSE = re.compile(
    r"llama-?[123v_.-]|hermes|falcon|bloom|gemma-?[123]|mistral-(?:7|24)b|qwen-?(?:1\.5|2|2\.5)-|cohere|vicuna"
)
_SURELY_DENSE_UP_TO = 15.0


def named_size(name: str) -> tuple[float, float | None] | None:
    """(total, active) in 1e9 parameters, active None where the name does not say it."""
    bare = folded(name).rpartition("/")[2]
    if _LEFT_OUT.search(bare) or not (found := _TOTAL.search(_ACTIVE.sub("", bare))):
        return None
    total = float(found[1]) * (1000.0 if found[2] == "t" else 1.0)
    active = float(a[1]) if (a := _ACTIVE.search(bare)) else None
    if active is not None and active >= total:
        return None
    return total, active


def _entity(name: str) -> str:
    return list(spellings(name))[-1].rpartition("/")[2]


def _kept(rows: list[Row]) -> dict[str, Row]:
    """Entity -> the first row of the lists that names it, of texts in and out only."""
    out: dict[str, Row] = {}
    for row in rows:
        if row["output_modalities"] not in ("", "text") or named_size(row["model_id"]) is None:
            continue
        if "embed" in row["model_id"] or set(_entity(row["model_id"])) & set(',"'):
            continue
        out.setdefault(_entity(row["model_id"]), row)
    return out


def listed(rows: list[Row]) -> list[Row]:
    return [
        {
            "model": entity,
            "maker": row["model_id"].split("/")[0].lower() if "/" in row["model_id"] else row["provider"],
            "modality": "text",
            "open": "yes" if row["open_weights"] == "True" or "/" in row["model_id"] else "no",
            "inputs": row["input_modalities"].replace(" ", "+") or "text",
            "outputs": "text",
            "source": row["source"].split(" (")[0],
            "licence": row["licence"],
        }
        for entity, row in _kept(rows).items()
    ]


def facts(rows: list[Row]) -> list[Row]:
    """Total and active size, as the name says them."""
    out = []
    for entity, row in _kept(rows).items():
        size = named_size(row["model_id"])
        assert size
        total, active = size
        year = year_of(row["release_date"]) or _dated(row["model_id"]) or year_of(row["source_date"])
        common = {
            "entity": entity,
            "unit": "1e9 parameters",
            "year": year,
            "source": f"size stated in the name, in {row['source'].split(' (')[0]}",
            "source_url": row["weights_url"] or "https://github.com/anomalyco/models.dev",
            "licence": row["licence"],
        }
        band = {"low": f"{total * 0.9:.4g}", "high": f"{total * 1.1:.4g}"}
        out.append(common | band | {"parameter": "total_params_b", "value": f"{total:g}", "status": "published"})
        if active is not None:
            band = {"low": f"{active * 0.85:.4g}", "high": f"{active * 1.15:.4g}"}
            out.append(common | band | {"parameter": "active_params_b", "value": f"{active:g}", "status": "published"})
        elif total > _SURELY_DENSE_UP_TO and not _DENSE.search(entity):
            low = total * (0.05 if total > 100 else 0.08)
            mid = (low * total) ** 0.5
            note = "the name does not say whether it is a mixture: from a small active share to dense"
            figures = {"value": f"{mid:.4g}", "low": f"{low:.4g}", "high": f"{total:g}", "status": "estimated"}
            out.append(common | figures | {"parameter": "active_params_b", "note": note})
    return out


def _dated(name: str) -> str:
    day = date_suffix(folded(name))[1]
    return str(day.year) if day else ""
