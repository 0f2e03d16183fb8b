"""Water, minerals and primary energy per kWh of a zone: shares of its generation mix times factors of technologies.

Low and high take all technologies at their low or high together: these ranges are judgements of method (reservoirs,
panels, geothermal) shared by all zones, so they do not average out.
"""

from __future__ import annotations

__all__ = ["QUANTITIES", "grid_impacts"]

Row = dict[str, str]
QUANTITIES = {"water": "L/kWh", "adpe": "gSbeq/kWh", "pe": "MJ/kWh"}
_FIELDS = ("low", "value", "high")


def _weighted(shares: dict[str, float], factors: dict[str, Row]) -> dict[str, float]:
    return {f: sum(share * float(factors[name][f]) for name, share in shares.items()) for f in _FIELDS}


def _row(entity: str, quantity: str, figures: dict[str, float], mix: Row, note: str, status: str) -> Row:
    return {
        "entity": entity,
        "parameter": quantity,
        **{field: f"{figures[field]:.4g}" for field in _FIELDS},
        "unit": QUANTITIES[quantity],
        "year": mix["year"],
        "source": f"computed: mix ({mix['source'].split(' (')[0].split(', in')[0]}) x technologies",
        "source_url": mix["source_url"],
        "licence": mix["licence"],
        "status": status,
        "note": note,
    }


def grid_impacts(mixes: list[Row], technologies: list[Row], zones: list[Row]) -> list[Row]:
    """Rows of the three quantities for every zone.

    A zone without a mix takes that of its country, else of the world, as an assumption whose range is widened to what
    zones of the world span (5th to 95th percentile).
    """
    factors = {q: {r["entity"]: r for r in technologies if r["parameter"] == q} for q in QUANTITIES}
    shares: dict[str, dict[str, float]] = {}
    of_zone: dict[str, Row] = {}
    for row in mixes:
        shares.setdefault(row["entity"], {})[row["parameter"]] = float(row["value"])
        of_zone[row["entity"]] = row
    own = {(zone, q): _weighted(mix, factors[q]) for zone, mix in shares.items() for q in QUANTITIES}
    out = [
        _row(zone, q, figures, of_zone[zone], "generation in the zone", "estimated")
        for (zone, q), figures in own.items()
    ]
    spread = {q: _spread([own[zone, q]["value"] for zone in shares]) for q in QUANTITIES}
    for row in zones:
        if row["zone"] in shares:
            continue
        stand_in = row["country"] if row["country"] in shares else "WORLD"
        note = f"the mix of {stand_in} stands for this zone, range between zones"
        for q in QUANTITIES:
            figures = dict(own[stand_in, q])
            figures["low"] = min(figures["low"], spread[q][0])
            figures["high"] = max(figures["high"], spread[q][1])
            out.append(_row(row["zone"], q, figures, of_zone[stand_in], note, "assumed"))
    return out


def _spread(values: list[float]) -> tuple[float, float]:
    ordered = sorted(values)
    return ordered[round(0.05 * (len(ordered) - 1))], ordered[round(0.95 * (len(ordered) - 1))]
