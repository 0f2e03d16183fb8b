"""How fast a call is priced, alone and by the ten million, beside a NumPy memory copy and EcoLogits in the same run.

    make bench-speed                       # 10^7 events
    make bench-speed ARGS="--events 1000000"

Last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
from ecologits.impacts.llm import compute_llm_impacts

from mesure.config import LedgerSettings
from mesure.impact import Deployment, formulas, impacts_of_facts, resolve
from mesure.ledger import Ledger
from mesure.ledger.engine import Engine, Slice, _key_columns, _source
from mesure.ledger.pricing import Key, Pricer

_CHUNK = 2_000_000
_OUTPUTS = tuple(f"{name}_{q}" for name in ("energy_wh", "gwp_gco2eq") for q in formulas.QUANTILES)


def quickest(what: Callable[[], object], times: int = 3) -> float:
    """Seconds of the quickest of some runs: the machine is shared."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        what()
        spent.append(time.perf_counter() - begun)
    return min(spent)


def per_call_us(what: Callable[[], object], number: int = 20_000) -> float:
    """Median of five batches, microseconds a call."""

    def batch() -> None:
        for _ in range(number):
            what()

    return statistics.median(quickest(batch, 1) for _ in range(5)) / number * 1e6


def copied_per_s(count: int) -> float:
    """Events a second at which NumPy copies what a priced event is: six 64-bit floats."""
    source = np.random.default_rng(0).random((min(count, 5_000_000), len(_OUTPUTS)))
    target = np.empty_like(source)
    return len(source) / quickest(lambda: np.copyto(target, source), 5)


def scalar() -> dict[str, float]:
    """One call at a time, its deployment resolved."""
    own = resolve("llama-3.1-8b", zone="FRA", deployment=Deployment(gpu="H100", n_gpus=1, batch=64))

    def every_quantity() -> None:
        found = impacts_of_facts(own, input_tokens=1000, output_tokens=400)
        for phase in (found, found.usage, found.embodied):
            _ = phase.energy_wh, phase.gwp_gco2eq, phase.water_ml, phase.adpe_gsbeq, phase.pe_mj

    def theirs() -> None:
        compute_llm_impacts(
            model_active_parameter_count=8.0,
            model_total_parameter_count=8.0,
            output_token_count=400,
            request_latency=math.inf,
            if_electricity_mix_adpe=1e-8,
            if_electricity_mix_pe=10.0,
            if_electricity_mix_gwp=0.05,
            if_electricity_mix_wue=1.0,
            datacenter_pue=1.2,
            datacenter_wue=0.5,
        )

    return {
        "scalar_us": per_call_us(lambda: impacts_of_facts(own, input_tokens=1000, output_tokens=400)),
        "scalar_energy_us": per_call_us(lambda: impacts_of_facts(own, input_tokens=1000, output_tokens=400).energy_wh),
        "scalar_every_quantity_us": per_call_us(every_quantity),
        "ecologits_us": per_call_us(theirs, 500),
    }


def filled(folder: Path, count: int) -> Ledger:
    """A ledger of made-up calls, written by DuckDB in the ledger's own schema."""
    import duckdb
    from arro3.core import Table
    from deltalake import write_deltalake

    from mesure.ledger.schema import COLUMNS, empty_table

    ledger = Ledger(folder, LedgerSettings())
    ledger.count()
    connection = duckdb.connect()
    connection.register("empty_events", empty_table())
    made = {
        "id": "uuid()::VARCHAR",
        "identity": "uuid()::VARCHAR",
        "started_at": "TIMESTAMPTZ '2026-10-01' + to_seconds((i * 2592000.0 / {n})::BIGINT)",
        "provider": "['openai','anthropic','mistral','google','own'][1 + i % 5]",
        "model_requested": (
            "['gpt-4o','claude-sonnet-4-5','mistral-large-latest','gemini-2.5-flash','unheard'][1 + i % 5]"
        ),
        "operation": "'chat'",
        "basis": "'observed'",
        "status": "'ok'",
        "environment": "'production'",
        "team": "'team-' || (random() * 8)::INT",
        "use_case": "'use-' || (random() * 5)::INT",
        "calls_count": "1",
        "input_tokens": "(50 + random() * 4000)::BIGINT",
        "cached_input_tokens": "CASE WHEN random() < 0.2 THEN 40 END",
        "output_tokens": "CASE WHEN random() < 0.95 THEN (10 + random() * 900)::BIGINT END",
        "energy_j": "CASE WHEN random() < 0.02 THEN 100 * random() END",
        "energy_status": "NULL",
        "month": "'2026-10'",
    }
    for start in range(0, count, _CHUNK):
        end = min(start + _CHUNK, count)
        columns = ", ".join(f"{sql.format(n=count)} AS {name}" for name, sql in made.items() if name in COLUMNS)
        rows = connection.sql(
            f"SELECT * FROM empty_events UNION ALL BY NAME SELECT {columns} FROM range({start}, {end}) t(i)"
        )
        write_deltalake(str(folder / "ledger"), Table.from_arrow(rows), mode="append")
    return Ledger(folder, LedgerSettings())


def materialised(connection: Any, part: Slice, pricer: Pricer) -> int:
    """Every event with its impacts, as a table in memory: features, joined with the coefficients of key and basis."""
    facts = ", ".join(formulas.FACTS)
    names = [f"key_{name}" for name in Key._fields]
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW keyed AS SELECT id, {facts}, {', '.join(names)} "
        f"FROM (SELECT *, {_key_columns()} FROM ({_source(part)}))"
    )
    staged = formulas.with_event_columns(nw.from_native(connection.view("keyed")), media=False).to_native()
    connection.execute(f"CREATE OR REPLACE TEMP VIEW staged AS {staged.sql_query()}")
    seen = connection.execute(f"SELECT DISTINCT {', '.join(names)}, basis FROM staged").fetchall()
    k = [c for c in formulas.COEFFICIENT_COLUMNS if c.removeprefix("k_") in formulas.TEXT_FEATURES or "m_" in c]
    typed = ", ".join([*(f"{name} VARCHAR" for name in names), "basis BIGINT", *(f"{c} DOUBLE" for c in k)])
    connection.execute(f"CREATE OR REPLACE TEMP TABLE prices ({typed})")
    for *key, basis in seen:
        row = pricer.coefficients(Key(*(text or "" for text in key))).row(basis)
        values = [None if math.isnan(row[c]) else row[c] for c in k]
        marks = ", ".join("?" * (len(names) + 1 + len(k)))
        connection.execute(f"INSERT INTO prices VALUES ({marks})", [*key, basis, *values])
    same = " AND ".join(f"s.{name} IS NOT DISTINCT FROM p.{name}" for name in (*names, "basis"))
    joined = connection.sql(
        f"SELECT s.*, p.* EXCLUDE ({', '.join(names)}, basis) FROM staged s LEFT JOIN prices p ON {same}"
    )
    priced = formulas.with_impacts(nw.from_native(joined), _OUTPUTS, formulas.TEXT_FEATURES).to_native()
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE priced AS SELECT {', '.join(_OUTPUTS)} FROM ({priced.sql_query()})"
    )
    [count] = connection.execute("SELECT count(energy_wh_mid) FROM priced").fetchall()
    return int(count[0])


def bulk(count: int) -> dict[str, float]:
    """Over a Delta table of `count` events."""
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        ledger = filled(Path(folder), count)
        assert ledger.count() == count
        part = Slice(tuple(file.uri for file in ledger.snapshot().files), 0)
        pricer = Pricer({})
        engine = Engine(pricer)
        out = {}
        for name, by in {"aggregated": (), "aggregated_by_team": ("team",)}.items():
            out[f"{name}_per_s"] = count / quickest(lambda by=by: engine.totals(part, by, None))  # type: ignore[misc]
        connection = duckdb.connect()
        connection.execute("SET TimeZone = 'UTC'")
        from mesure.ledger.schema import empty_table

        connection.register("empty_events", empty_table())
        found: list[int] = []
        out["materialised_per_s"] = count / quickest(lambda: found.append(materialised(connection, part, pricer)), 2)
        assert found[0] == count, found
        total = sum(sums.energy_mid for _, _, _, sums in engine.totals(part, (), None))
        [(summed,)] = connection.execute("SELECT sum(energy_wh_mid) FROM priced").fetchall()
        assert math.isclose(total, summed, rel_tol=1e-9), (total, summed)
        return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    given = parser.parse_args()
    found = scalar() | bulk(given.events) | {"copied_per_s": copied_per_s(given.events)}
    for name in ("aggregated", "aggregated_by_team", "materialised"):
        found[f"{name}_over_copy"] = found[f"{name}_per_s"] / found["copied_per_s"]
        found[f"{name}_over_ecologits"] = found[f"{name}_per_s"] * found["ecologits_us"] * 1e-6
    goals = {"scalar_us": 5.0, "aggregated_per_s": 5e6, "materialised_per_s": 1.5e6}
    for name, value in found.items():
        goal = goals.get(name)
        reached = "" if goal is None else "reached" if (value <= goal) == name.endswith("_us") else f"MISSED ({goal:g})"
        sys.stdout.write(f"{name:>34} {value:16.4g} {reached}\n")
    sys.stdout.write(json.dumps({"bench": "speed", "events": given.events} | found) + "\n")


if __name__ == "__main__":
    main()
