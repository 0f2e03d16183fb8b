"""Regions, generation mixes and processors, from the collected facts and from pinned packages."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

from tables import Row, rows_of

__all__ = ["cpus", "mixes", "regions"]

_OWID = {
    "source": "Our World in Data (Ember, Energy Institute), in CodeCarbon 3.3.2",
    "source_url": "https://github.com/owid/energy-data",
    "licence": "CC BY 4.0",
    "status": "published",
}
_TECHNOLOGIES = {
    "coal_TWh": "coal",
    "gas_TWh": "gas",
    "oil_TWh": "oil",
    "nuclear_TWh": "nuclear",
    "hydroelectricity_TWh": "hydro",
    "wind_TWh": "wind",
    "solar_TWh": "solar",
    "biofuel_TWh": "biomass",
    "other_renewable_exc_biofuel_TWh": "other",
}
_CANADA = {
    "naturalGas": "gas", "nuclear": "nuclear", "petroleum": "oil", "biomass": "biomass", "coal": "coal",
    "other": "other", "solar": "solar", "tidal": "other", "wind": "wind", "hydro": "hydro",
}  # fmt: skip
_PROVINCES = {
    "alberta": "AB", "british columbia": "BC", "manitoba": "MB", "new brunswick": "NB",
    "newfoundland and labrador": "NL", "nova scotia": "NS", "northwest territories": "NT", "nunavut": "NU",
    "ontario": "ON", "prince edward island": "PE", "quebec": "QC", "saskatchewan": "SK", "yukon": "YT",
}  # fmt: skip


def _shares(entity: str, generated: dict[str, float], year: str, provenance: Row, note: str = "") -> list[Row]:
    total = sum(generated.values())
    return [
        {
            "entity": entity,
            "parameter": name,
            "value": f"{value / total:.5f}",
            "unit": "share",
            "year": year,
            "note": note,
        }
        | provenance
        for name, value in generated.items()
        if value / total >= 0.00005
    ]


def mixes(codecarbon: Path) -> list[Row]:
    """Shares of generation by technology: countries, the world as their sum, Canadian provinces."""
    folder = codecarbon / "data" / "private_infra"
    out, world = [], dict.fromkeys(_TECHNOLOGIES.values(), 0.0)
    for zone, row in json.loads((folder / "global_energy_mix.json").read_text(encoding="utf-8")).items():
        generated = {name: float(row.get(column) or 0.0) for column, name in _TECHNOLOGIES.items()}
        if sum(generated.values()) <= 0:
            continue
        out += _shares(zone, generated, str(row["year"]), _OWID)
        world = {name: world[name] + value for name, value in generated.items()}
    out += _shares("WORLD", world, "2023", _OWID, "sum of the countries of this table, 2022 and 2023")
    canada = {
        "source": "provincial generation mixes, in CodeCarbon 3.3.2",
        "source_url": "https://github.com/mlco2/codecarbon",
        "licence": "MIT (package)",
        "status": "published",
    }
    for name, row in json.loads((folder / "2023" / "canada_energy_mix.json").read_text(encoding="utf-8")).items():
        generated = dict.fromkeys(_CANADA.values(), 0.0)
        for column, technology in _CANADA.items():
            generated[technology] += float(row.get(column) or 0.0)
        note = "year of the package's folder: confirm that of the data"
        out += _shares(f"CA-{_PROVINCES[name]}", generated, "2023", canada, note)
    return sorted(out, key=lambda r: (r["entity"], r["parameter"]))


_KNOWN = "Mesure authors, expert knowledge of 22 November 2026: places on the provider's list of regions"
_RECALLED = re.compile(r"\(?(?:it-mil |places )?from general knowledge[^;]*;?")


def regions(folder: Path) -> list[Row]:
    """Every collected cloud region with its provenance."""
    return [
        {
            "provider": row["provider"],
            "region": row["region"].casefold().replace(" ", ""),
            "location": row["location"],
            "country": row["country"],
            "zone": row["grid_zone"] or row["country"],
            "egrid_subregion": row["egrid_subregion"],
            "mapping": row["mapping"],
            "year": "2026",
            "source": _KNOWN if "general knowledge" in row["note"] else row["source"],
            "source_url": row["source_url"] or "not stated",
            "licence": row["licence"],
            "note": _RECALLED.sub("", row["note"]).strip(" ;,"),
        }
        for row in rows_of(folder, "cloud_regions")
    ]


_KEPT = re.compile(r"EPYC|Xeon (?:Gold|Platinum|Silver|E5-26)|Ampere|Graviton")


def cpus(folder: Path, codecarbon: Path | None) -> list[Row]:
    """TDP by whole name: the common processors, and the server ones of the package's list where it is installed."""
    provenance = {
        "source_url": "https://github.com/mlco2/codecarbon",
        "licence": "MIT",
        "status": "published",
        "year": "2026",
        "source": "CodeCarbon 3.3.2",
    }
    found = {row["name"]: (row["tdp_w"], row["note"]) for row in rows_of(folder, "cpus")}
    if codecarbon:
        with (codecarbon / "data" / "hardware" / "cpu_power.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if _KEPT.search(row["Name"]) and re.fullmatch(r"[\d.]+", row["TDP"]) and "," not in row["Name"]:
                    found.setdefault(row["Name"], (row["TDP"], ""))
    return [
        {"entity": name, "parameter": "tdp_w", "value": f"{float(value):g}", "unit": "W", "note": note} | provenance
        for name, (value, note) in sorted(found.items())
    ]
