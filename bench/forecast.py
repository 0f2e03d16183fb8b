"""How often the forecast's 90 % interval holds what came. Usage: forecast.py [--seeds N] [--dev]; last line is JSON.

Back-tests on made families of use (steady with weekdays, growing, bursty, intermittent, new, ending, shifting) and on
the real trace of MESURE_DATA, cut into teams (assigned here, not in the trace) and into buckets of several lengths. The
method was chosen on the made families with the seeds of `--dev`; the seeds used otherwise, and the trace, were not.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import os
import random
import statistics
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mesure.policy.forecast import foresee

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WEEKDAYS = (1.3, 1.35, 1.3, 1.25, 1.1, 0.25, 0.2)
DAYS = 180


class Case(NamedTuple):
    held: bool
    width: float  # of the interval, over its middle
    error: float  # of the middle, over what came


def noisy(draw: random.Random, mean: float, spread: float) -> float:
    """A positive draw of this mean and relative spread, skewed to the right as use is."""
    if mean <= 0.0:
        return 0.0
    sigma = math.sqrt(math.log(1.0 + spread * spread))
    return mean * draw.lognormvariate(-sigma * sigma / 2, sigma)


def steady(draw: random.Random) -> list[float]:
    level, spread = draw.uniform(5, 500), draw.uniform(0.05, 0.3)
    return [noisy(draw, level * WEEKDAYS[day % 7], spread) for day in range(DAYS)]


def flat(draw: random.Random) -> list[float]:
    spread = draw.uniform(0.02, 0.5)
    return [noisy(draw, 100.0, spread) for _ in range(DAYS)]


def growing(draw: random.Random) -> list[float]:
    weekly, spread = draw.uniform(0.01, 0.08), draw.uniform(0.05, 0.3)
    return [noisy(draw, 20.0 * (1 + weekly) ** (day / 7) * WEEKDAYS[day % 7], spread) for day in range(DAYS)]


def ending(draw: random.Random) -> list[float]:
    weekly, spread = draw.uniform(0.01, 0.06), draw.uniform(0.05, 0.3)
    return [noisy(draw, 500.0 * (1 - weekly) ** (day / 7) * WEEKDAYS[day % 7], spread) for day in range(DAYS)]


def bursty(draw: random.Random) -> list[float]:
    chance, size = draw.uniform(0.02, 0.15), draw.uniform(3, 15)
    return [noisy(draw, 50.0 * (size if draw.random() < chance else 1.0), 0.3) for _ in range(DAYS)]


def intermittent(draw: random.Random) -> list[float]:
    chance = draw.uniform(0.08, 0.5)
    return [noisy(draw, 30.0, 0.6) if draw.random() < chance else 0.0 for _ in range(DAYS)]


def wandering(draw: random.Random) -> list[float]:
    level, step, found = 100.0, draw.uniform(0.02, 0.1), []
    for day in range(DAYS):
        level *= math.exp(draw.gauss(0, step))
        found.append(noisy(draw, level * WEEKDAYS[day % 7], 0.2))
    return found


def shifting(draw: random.Random) -> list[float]:
    """Levels that change at once, up or down, every month or so."""
    level, found = 100.0, []
    for day in range(DAYS):
        if draw.random() < 1 / 35:
            level *= draw.choice((0.6, 0.75, 1.3, 1.7))
        found.append(noisy(draw, level * WEEKDAYS[day % 7], 0.2))
    return found


FAMILIES: dict[str, Callable[[random.Random], list[float]]] = {
    family.__name__: family for family in (steady, flat, growing, ending, bursty, intermittent, wandering, shifting)
}


def cases_of(values: Sequence[float], season: int, horizons: Sequence[int], origins: Sequence[int]) -> Iterator[Case]:
    for origin in origins:
        for horizon in horizons:
            if origin + horizon > len(values):
                continue
            slots = [day % season for day in range(origin)]
            coming = [day % season for day in range(origin, origin + horizon)]
            found = foresee(values[:origin], slots, coming)
            came = sum(values[origin : origin + horizon])
            if found is None:
                continue
            low, mid, high = found.total
            yield Case(low <= came <= high, (high - low) / mid if mid else 0.0, abs(mid - came) / came if came else 0.0)


def trace_series(folder: Path) -> Iterator[tuple[str, list[float]]]:
    """Calls and tokens of the trace by buckets of several lengths, whole and by team (a hash of the row)."""
    rows = []
    with gzip.open(folder / "traces" / "azure_llm_2023_conv.csv.gz", "rt") as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            at = datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp()
            team = number * 2654435761 % 2**32 * 16 >> 32
            rows.append((at, 1, int(row["ContextTokens"]), int(row["GeneratedTokens"]), team))
    begun, ended = rows[0][0], rows[-1][0]
    teams: list[tuple[str, set[int]]] = [("all", set(range(16)))]
    teams += [(f"team-{n}", part) for n, part in enumerate(({0}, {1, 2}, {3, 4, 5}, {6, 7, 8, 9, 10, 11}))]
    for bucket_s in (15.0, 30.0, 60.0):
        count = int((ended - begun) // bucket_s)
        for name, members in teams:
            for what, column in (("calls", 1), ("input", 2), ("output", 3)):
                series = [0.0] * count
                for row in rows:
                    bucket = int((row[0] - begun) // bucket_s)
                    if row[4] in members and bucket < count:
                        series[bucket] += row[column]
                yield f"{what}, {name}, {bucket_s:g} s", series


def summary(cases: Sequence[Case]) -> dict[str, float | int]:
    return {
        "cases": len(cases),
        "covered": round(sum(case.held for case in cases) / len(cases), 3),
        "width": round(statistics.median(case.width for case in cases), 2),
        "error": round(statistics.median(case.error for case in cases), 3),
    }


def families(seeds: range) -> dict[str, dict[str, float | int]]:
    found = {}
    for name, family in FAMILIES.items():
        cases: list[Case] = []
        for seed in seeds:
            values = family(random.Random(f"{name}-{seed}"))
            cases += cases_of(values, 7, (3, 10, 30), (21, 40, 75, 120, 149))
        found[name] = summary(cases)
    fresh = []
    for seed in seeds:
        name = list(FAMILIES)[seed % len(FAMILIES)]
        fresh += list(cases_of(FAMILIES[name](random.Random(f"new-{seed}")), 7, (3, 10, 25), (2, 4, 7, 12)))
    return found | {"new": summary(fresh)}


def on_trace(folder: Path) -> dict[str, float | int]:
    cases: list[Case] = []
    for _, values in trace_series(folder):
        count = len(values)
        cases += cases_of(values, 10**9, (3, 10, 20), [round(count * part) for part in (0.25, 0.4, 0.55, 0.7, 0.8)])
    return summary(cases)


def seconds(count: int) -> float:
    draw = random.Random(1)
    values = [draw.expovariate(1) for _ in range(count)]
    slots = [day % 7 for day in range(count)]
    begun = time.perf_counter()
    foresee(values, slots, slots[:30])
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--dev", action="store_true", help="the seeds on which the method was chosen")
    given = parser.parse_args()
    seeds = range(given.seeds) if given.dev else range(10_000, 10_000 + given.seeds)
    result: dict[str, object] = {"families": (found := families(seeds))}
    for name, numbers in found.items():
        print(f"{name:14} {numbers}")
    folder = Path(os.environ.get("MESURE_DATA", "../shared/data"))
    if not given.dev and (folder / "traces").is_dir():
        result["trace"] = on_trace(folder)
        print(f"{'real trace':14} {result['trace']}")
    result["ms_by_days"] = {days: round(seconds(days) * 1e3, 2) for days in (90, 365, 1095)}
    print(json.dumps({"bench": "forecast", "seeds": "dev" if given.dev else "held out", **result}))


if __name__ == "__main__":
    main()
