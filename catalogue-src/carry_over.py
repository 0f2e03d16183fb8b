"""Refresh the source tables of this folder from a folder of collected public facts; see `refresh.py`.

Only rows that name their source, unit, year and licence are taken, and of those only what Mesure uses. What is written
by hand (stack, hosts, equivalences, technologies, links, windows, extra models and aliases) lives in `tables/` already
and is not touched.
"""

from __future__ import annotations

import re
from pathlib import Path

from open_models import OPEN_MODELS
from tables import rows_of, year_of


def grids(folder: Path) -> list[dict[str, str]]:
    """Life-cycle and direct yearly factors, each edition once; the newest edition wins for one zone and year."""
    kept: dict[tuple[str, str, str], dict[str, str]] = {}
    history = [
        row | {"zone_type": "country", "name": "", "mix": "generation", "note": ""}
        for row in rows_of(folder, "grids_history")
    ]
    for row in [*rows_of(folder, "grids"), *history]:
        year, life_cycle = year_of(row["year"]), row["scope"] == "life-cycle"
        if not year or not row["licence"] or not row["unit"].startswith("gCO2") or not float(row["value"]):
            continue  # a zone without statistics is listed as 0: unknown is not zero
        upstream = "scope 2 + 3" in row["scope"]
        parameter = "intensity" if life_cycle else "intensity_direct_upstream" if upstream else "intensity_direct"
        edition = "2026" in row["source"]
        key = (row["zone"], parameter, year)
        if key in kept and not (edition and "2026" not in kept[key]["source"]):
            continue
        kept[key] = {
            "entity": row["zone"].upper(),
            "parameter": parameter,
            "value": row["value"],
            "unit": "gCO2e/kWh" if row["unit"] == "gCO2e/kWh" else "gCO2/kWh",
            "year": year,
            "source": row["source"],
            "source_url": row["source_url"],
            "licence": row["licence"],
            "status": "published",
            "note": "; ".join(filter(None, (row["scope"], row["mix"], row["note"]))),
        }
    return sorted(kept.values(), key=lambda r: (r["entity"], r["parameter"], r["year"]))


def zones(folder: Path) -> list[dict[str, str]]:
    names = {row["zone"]: row for row in reversed(rows_of(folder, "grids")) if year_of(row["year"])}
    return [
        {
            "zone": zone.upper(),
            "name": row["name"],
            "type": row["zone_type"],
            "country": row["iso_country"],
            "source": row["source"],
            "licence": row["licence"],
        }
        for zone, row in sorted(names.items())
    ]


_ACCELERATOR = {
    "board_power_w": "W",
    "memory_gb": "GB",
    "memory_bandwidth_gb_s": "GB/s",
    "dense_bf16_tflops": "TFLOP/s",
    "dense_fp8_tflops": "TFLOP/s",
    "dense_int8_tops": "TOP/s",
}


def accelerators(folder: Path) -> list[dict[str, str]]:
    out = []
    for row in rows_of(folder, "accelerators"):
        url = row["source_url"] or "not stated"
        for parameter, unit in _ACCELERATOR.items():
            if row[parameter] and row["year"]:
                out.append(
                    {
                        "entity": row["id"],
                        "parameter": parameter,
                        "value": row[parameter],
                        "unit": unit,
                        "year": row["year"],
                        "source": f"{row['vendor']}, {row['name']}: {row['evidence']}",
                        "source_url": url,
                        "licence": row["licence"],
                        "status": "published" if row["evidence"].startswith("read") else "recalled",
                        "note": "; ".join(filter(None, (row["note"], row["cross_check"]))),
                    }
                )
    return out


def open_models(folder: Path) -> list[dict[str, str]]:
    """Architecture facts of the models listed in `open_models.py`, from published configurations."""
    by_id = {row["model_id"]: row for row in rows_of(folder, "models_open")}
    out = []
    for model in OPEN_MODELS:
        row = by_id[model.config]
        latent = row["kv_lora_rank"]
        kv = (
            (float(latent) + float(row["qk_rope_head_dim"] or 64))
            if latent
            else (2 * float(row["kv_heads"] or 0) * float(row["head_dim"] or model.head_dim))
        )
        facts = {
            "total_params_b": (row["params_total_b"], "1e9 parameters"),
            "active_params_b": (row["params_active_b"], "1e9 parameters"),
            "layers": (row["layers"], "layers"),
            "hidden": (row["hidden"], "elements"),
            "kv_elements": (f"{kv:g}" if kv else "", "elements per token and layer"),
            "experts": (row["experts"], "experts"),
            "experts_per_token": (row["experts_per_token"], "experts"),
        } | {name: (f"{value:g}", unit) for name, (value, unit) in model.corrected.items()}
        for parameter, (value, unit) in facts.items():
            if value:
                own = parameter in model.corrected
                out.append(
                    {
                        "entity": model.id,
                        "parameter": parameter,
                        "value": value,
                        "unit": unit,
                        "year": str(model.year),
                        "source": model.correction_source
                        if own
                        else f"configuration of {row['model_id']}, read in {row['source']}",
                        "source_url": row["config_source"]
                        or row["params_source"]
                        or f"https://huggingface.co/{row['model_id']}",
                        "licence": "bare fact of the maker's published configuration",
                        "status": "recalled" if own else "published",
                        "note": "" if own else row["note"],
                    }
                )
    return out


_SNAPSHOT = re.compile(r"(.+?)-(?:20\d\d-\d\d-\d\d|20\d{6})")


def base_of(model_id: str) -> str:
    """The model a dated snapshot is a snapshot of."""
    found = _SNAPSHOT.fullmatch(model_id)
    return found[1] if found else model_id


def closed_models(folder: Path, *, mpl: bool) -> list[dict[str, str]]:
    """One row per estimator, never an average; rows under MPL-2.0 stay in a file of their own."""
    out = []
    for row in rows_of(folder, "models_closed"):
        year, published = year_of(row["date"]), row["kind"] == "published by the maker"
        if row["licence"].startswith("MPL") != mpl or not year:
            continue
        for parameter in ("total", "active"):
            low, high = row[f"{parameter}_low_b"], row[f"{parameter}_high_b"]
            if low and high:
                out.append(
                    {
                        "entity": base_of(row["model_id"]),
                        "parameter": f"{parameter}_params_b",
                        "value": f"{(float(low) * float(high)) ** 0.5:.6g}",
                        "low": low,
                        "high": high,
                        "unit": "1e9 parameters",
                        "year": year,
                        "source": f"{row['source']} ({row['kind']})",
                        "source_url": row["source_url"],
                        "licence": row["licence"],
                        "status": "published" if published else "estimated",
                        "note": "; ".join(filter(None, (row["architecture"], row["note"]))),
                    }
                )
    return [dict(items) for items in dict.fromkeys(tuple(row.items()) for row in out)]


def model_list(folder: Path) -> list[dict[str, str]]:
    """The models stated by hand, closed and media ones: maker, what it takes in and makes, whether weights are open."""
    took = {row["model_id"]: row["modality"] for row in rows_of(folder, "models_open")}
    gives = {
        base_of(row["model_id"]): (
            row["input_modalities"].replace(" ", "+"),
            row["output_modalities"].replace(" ", "+"),
        )
        for row in rows_of(folder, "models_api")
        if row["input_modalities"]
    }
    out = [
        {
            "model": m.id,
            "maker": m.config.split("/")[0].lower(),
            "modality": "text",
            "open": "yes",
            "inputs": took.get(m.config) or "text",
            "outputs": "text",
            "source": m.config,
            "licence": "bare fact",
        }
        for m in OPEN_MODELS
    ]
    for row in rows_of(folder, "models_closed"):
        speech = re.search(r"transcribe|voxtral", row["model_id"])
        spoken = "text to speech" if "-tts" in row["model_id"] else "speech to text" if speech else "text"
        kind = "embedding" if "embed" in row["model_id"] else spoken
        out.append(
            {
                "model": base_of(row["model_id"]),
                "maker": row["provider"],
                "modality": kind,
                "open": "yes" if row["kind"] == "published by the maker" else "no",
                "inputs": gives.get(base_of(row["model_id"]), ("", ""))[0] or "text",
                "outputs": gives.get(base_of(row["model_id"]), ("", ""))[1] or "text",
                "source": row["source"],
                "licence": "bare fact",
            }
        )
    out += [
        {
            "model": r["model_id"],
            "maker": r["maker"].lower(),
            "modality": r["kind"],
            "open": "yes",
            "inputs": "audio" if r["kind"] == "speech to text" else "text",
            "outputs": {"speech to text": "text", "text to speech": "audio"}.get(r["kind"], r["kind"]),
            "source": r["source"],
            "licence": r["licence"],
        }
        for r in rows_of(folder, "models_media")
    ]
    return sorted({r["model"]: r for r in reversed(out)}.values(), key=lambda r: r["model"])


def media_models(folder: Path) -> list[dict[str, str]]:
    out = []
    for row in rows_of(folder, "models_media"):
        year = year_of(row["date"])
        facts = {
            "denoiser_params_b" if row["kind"] in ("image", "video") else "total_params_b": (
                row["denoiser_or_core_params_b"],
                "1e9 parameters",
            ),
            "text_encoder_params_b": (row["text_encoder_params_b"], "1e9 parameters"),
            "default_steps": (row["default_steps"], "steps"),
        }
        for parameter, (value, unit) in facts.items():
            if value and year and float(value) > 0:
                provenance = {
                    "source": row["source"],
                    "source_url": row["source_url"],
                    "licence": row["licence"],
                    "status": "recalled" if parameter == "default_steps" else "published",
                    "note": _DOUBT.sub("", row["note"]),
                }
                if "not opened" in row["note"] or "; verify" in row["note"]:
                    provenance |= _size_unread(row["model_id"], value)
                fact = {"entity": row["model_id"], "parameter": parameter, "value": value, "unit": unit, "year": year}
                out.append(fact | provenance)
    return out


_DOUBT = re.compile(r"; (?:steps = |model card not opened|verify).*")


def _size_unread(model: str, value: str) -> dict[str, str]:
    """A size that the maker puts in the name of the model; another one is an estimate, 15 % wide each side."""
    size = float(value)
    if any(float(number) == size for number in re.findall(r"([\d.]+)b\b", model)) or f"{size * 1e3:g}m" in model:
        return {"source": "size in the maker's name of the model", "licence": "bare fact of the maker"}
    return {
        "source": "Mesure authors, expert estimate of 22 November 2026: size in public overviews of the model",
        "licence": "Apache-2.0 (Mesure)",
        "status": "assumed",
        "low": f"{size * 0.85:.3g}",
        "high": f"{size * 1.15:.3g}",
    }


def embodied(folder: Path) -> list[dict[str, str]]:
    out = []
    for row in rows_of(folder, "embodied"):
        year = year_of(row["year"])
        if year and re.fullmatch(r"[\d.]+", row["value"]) and not row["licence"].startswith("MPL"):
            out.append(
                {
                    "entity": re.sub(r"[^a-z0-9]+", "-", row["item"].lower()).strip("-"),
                    "parameter": "manufacture",
                    "value": row["value"],
                    "low": row["low"],
                    "high": row["high"],
                    "unit": row["unit"],
                    "year": year,
                    "source": row["source"],
                    "source_url": row["source_url"],
                    "licence": row["licence"],
                    "status": "estimated" if "derived" in row["source"] or "Boaviz" in row["source"] else "published",
                    "note": "; ".join(filter(None, (row["scope"], _compared(row["note"])))),
                }
            )
    return out


def _compared(note: str) -> str:
    """Both figures read in other texts were found there again, with their title and address (November 2026)."""
    again = "read in other texts"
    return note.replace("figure read in other texts; identifier to confirm", again).replace(
        "figure read in several public repositories, file not opened", again
    )


def sites(folder: Path) -> list[dict[str, str]]:
    out = []
    for row in rows_of(folder, "sites_pue_wue"):
        year, values = year_of(row["year"]), [float(v) for v in row["value"].split("-")]
        if row["metric"] not in ("PUE", "WUE") or not year or not any(values):
            continue  # design figures of halls that were not open yet: no water was read
        whole = row["site"] in ("fleet", "default of a peer library")
        low, high = (min(values), max(values)) if len(values) > 1 else ("", "")
        out.append(
            {
                "entity": row["operator"] if whole else f"{row['operator']}:{row['site']}",
                "parameter": row["metric"].lower(),
                "value": f"{sum(values) / len(values):g}",
                "low": f"{low}",
                "high": f"{high}",
                "unit": row["unit"],
                "year": year,
                "source": row["source"],
                "source_url": row["source_url"],
                "licence": row["licence"],
                "status": "assumed" if "library" in row["site"] else "published",
                "note": "; ".join(filter(None, (row["place"], row["note"], row["year"]))),
            }
        )
    return out


def names(folder: Path) -> list[dict[str, str]]:
    """Names stated in `open_models.py`, and dated snapshots of closed models that only snapshots are estimated of."""
    out = [
        {
            "provider": "",
            "name": name.casefold(),
            "model": model.id,
            "source": "model card and provider lists",
            "year": str(model.year),
            "licence": "bare fact",
        }
        for model in OPEN_MODELS
        for name in dict.fromkeys(spelt for n in (model.config, *model.names) for spelt in (n, n.rpartition("/")[2]))
        if name.casefold() != model.id
    ]
    out += [
        {
            "provider": row["provider"],
            "name": row["model_id"].casefold(),
            "model": base_of(row["model_id"]),
            "source": row["source"],
            "year": year_of(row["date"]),
            "licence": "bare fact",
        }
        for row in rows_of(folder, "models_closed")
        if base_of(row["model_id"]) != row["model_id"] and not row["licence"].startswith("MPL")
    ]
    kept = [r for r in out if r["year"]]
    return list({(r["provider"], r["name"]): r for r in kept}.values())
