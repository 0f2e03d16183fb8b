"""Fit the constants of the energy model on public measurements and rewrite `src/mesure/impact/data/constants.csv`.

Least squares on log energy, pseudo-Huber, log-normal physical priors; a row weighs (rows of its model)^-0.5. The errors
of the interval come from rows whose family (base model for mixtures) and task were both left out: never a random split.

    python bench/fit_estimator.py            # prints what would change
    python bench/fit_estimator.py --write    # and writes it
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import math
import os
import sys
from collections import Counter
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from groundtruth import INCONSISTENT, Row, data_folder, rows
from mesure.impact import diffusion, physics
from mesure.impact.constants import Constants, constants
from mesure.impact.hardware import machines
from mesure.impact.scenarios import media_setting, text_setting
from mesure.impact.software import engines
from mesure.impact.subject import subject_of

FILE = Path(__file__).resolve().parents[1] / "src" / "mesure" / "impact" / "data" / "constants.csv"
#: 2023 rows are of one machine room and old software; TokenPowerBench runs are as short as one batch.
_WEIGHTS = {"ml.energy-v1": 0.5, "tokenpowerbench": 0.6, INCONSISTENT: 1e-9}
_NOISE, _SCALE = 0.15, 0.3
#: What the next families bring beyond the spread of those seen.
INFLATION = 1.25
#: Two families alone were measured at batch 1.
_LEAST_ALONE = 0.19
BANDS = (("1", 0.0, 1.0), ("2", 1.0, 32.0), ("33", 32.0, 128.0), ("129", 128.0, math.inf))
#: Each group -> the constants a fit of its rows moves.
GROUPS = {"text": "text", "media": "diffusion"}
#: By which unit a jackknife leaves out.
UNITS = {"text": "base", "media": "model"}

Array = Any


def table() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def priors(kind: str) -> dict[str, tuple[float, float]]:
    """Name -> (centre, spread in log) of the constants a fit moves."""
    found = (row for row in table() if row["entity"] == GROUPS[kind] and row["prior_spread"])
    return {row["parameter"]: (float(row["prior"]), float(row["prior_spread"])) for row in found}


def _stack(items: list[Any]) -> Any:
    names = [field.name for field in fields(items[0])]
    return SimpleNamespace(**{name: np.array([float(getattr(i, name)) for i in items]) for name in names})


def _setting(row: Row) -> Any:
    stated = row.deployment()
    subject = subject_of(row.model, None, row.card(geometry=True), stated)
    [(_, machine)], _ = machines(stated.gpu or "")
    n = stated.n_gpus or 1
    if row.media:
        return media_setting(subject.media[0][1], machine, n, row.batch)
    [software, *_] = engines(stated.framework, own=machine.own, chip_year=machine.year, batch=row.batch, year=row.year)
    return text_setting(subject.texts[0][1], machine, n, row.batch, software)


class Measured:
    """Rows of one kind, everything known of them, as arrays ready for the physics."""

    def __init__(self, kind: str) -> None:
        self.kind, self.rows = kind, rows(kind)
        self.setting = _stack([_setting(row) for row in self.rows])
        self.log_wh = np.log([row.energy_wh for row in self.rows])
        self.batch = np.array([row.batch for row in self.rows])
        self.mixture = np.array([row.mixture for row in self.rows])
        count = Counter(row.model for row in self.rows)
        self.weight = np.array([count[row.model] ** -0.5 * _WEIGHTS.get(row.source, 1.0) for row in self.rows])
        if kind == "text":
            self.sizes = [np.array([row.prompt for row in self.rows]), np.array([r.output_tokens for r in self.rows])]
        else:
            sizes = [row.sizes() for row in self.rows]
            self.sizes = [np.array([float(s.get(n, 1)) for s in sizes]) for n in ("width", "height", "frames", "steps")]

    def key(self, name: str) -> Array:
        return np.array([row.key(name) for row in self.rows])

    @property
    def consistent(self) -> Array:
        return self.key("source") != INCONSISTENT

    def predict(self, k: Any, mask: Array) -> Array:
        """Log Wh of the rows of a mask."""
        s = SimpleNamespace(**{name: values[mask] for name, values in vars(self.setting).items()})
        sizes = [values[mask] for values in self.sizes]
        if self.kind == "media":
            return np.log(diffusion.diffusion_joules(s, k, *sizes) / 3600.0)
        read, written = sizes
        joules, _ = physics.text_joules(s, k, read + 0.5 * written, read + 0.6 * written)
        return np.log(physics.total(joules, physics.feature_counts(read, 0.0, written)) / 3600.0)


def _constants(names: list[str], centres: Array, x: Array) -> Any:
    now = constants()
    base = {field.name: getattr(now, field.name) for field in fields(Constants)}
    moved = dict(zip(names, centres * np.exp(x), strict=True))
    return SimpleNamespace(**base | {name: float(value) for name, value in moved.items()})


def fit(data: Measured, mask: Array, start: Array | None = None, rounds: int = 25) -> tuple[Any, Array, Array]:
    """(constants, log offsets from the priors, Hessian): robust Levenberg-Marquardt around the priors."""
    stated = priors(data.kind)
    names, centres = list(stated), np.array([centre for centre, _ in stated.values()])
    spread = np.array([s for _, s in stated.values()])
    y, w = data.log_wh[mask], data.weight[mask]

    def cost(x: Array, p: Array) -> float:
        r = (p - y) / _SCALE
        robust = 2.0 * (_SCALE / _NOISE) ** 2 * (np.sqrt(1.0 + r * r) - 1.0)
        return float(np.sum(w * robust) + np.sum((x / spread) ** 2))

    x = np.zeros(len(names)) if start is None else start.copy()
    damping, p = 1e-2, data.predict(_constants(names, centres, x), mask)
    now = cost(x, p)
    for _ in range(rounds):
        slopes = np.empty((len(y), len(x)))
        for j in range(len(x)):
            z = x.copy()
            z[j] += 1e-4
            slopes[:, j] = (data.predict(_constants(names, centres, z), mask) - p) / 1e-4
        ww = w / _NOISE**2 / np.sqrt(1.0 + ((p - y) / _SCALE) ** 2)
        hessian = slopes.T @ (slopes * ww[:, None]) + np.diag(1.0 / spread**2)
        gradient = slopes.T @ (ww * (p - y)) + x / spread**2
        for _ in range(8):
            step = np.clip(-np.linalg.solve(hessian + damping * np.diag(np.diag(hessian)), gradient), -1.0, 1.0)
            moved = data.predict(_constants(names, centres, x + step), mask)
            then = cost(x + step, moved)
            if math.isfinite(then) and then < now:
                break
            damping *= 5.0
        else:
            break
        gain, x, p, now, damping = now - then, x + step, moved, then, max(damping / 5.0, 1e-6)
        if gain < 1e-4 * now:
            break
    return _constants(names, centres, x), x, hessian


def folds(data: Measured, groups: Array) -> dict[str, Any]:
    """Constants fitted without each group."""
    _, start, _ = fit(data, np.ones(len(data.log_wh), bool))
    return {str(g): fit(data, groups != g, start, 12)[0] for g in np.unique(groups)}


def two_out(data: Measured) -> Array:
    """Log residuals when neither the family (base model for mixtures) nor the task of a row was seen."""
    first, second = np.where(data.mixture, data.key("base"), data.key("family")), data.key("task")
    _, start, _ = fit(data, np.ones(len(data.log_wh), bool))
    out = np.empty(len(data.log_wh))
    for a, b in sorted({(str(a), str(b)) for a, b in zip(first, second, strict=True)}):
        held = (first == a) & (second == b)
        k, _, _ = fit(data, (first != a) & (second != b), start, 10)
        out[held] = data.predict(k, held) - data.log_wh[held]
    return out


def _point_90(a: Array, w: Array) -> float:
    order = np.argsort(a)
    return float(a[order][np.searchsorted(np.cumsum(w[order]) / w.sum(), 0.9)])


def spreads(data: Measured, residuals: Array, without: Array | None = None) -> dict[str, float]:
    """Standard deviation of log error by regime: the 90 % point of |residual|, models weighing alike, shrunk towards
    the pooled one by four pseudo-models, inflated, over 1.645."""
    keep = data.consistent if without is None else data.consistent & ~without
    a, models = np.abs(residuals), data.key("model")
    pooled, out = _point_90(a[keep], data.weight[keep]), {}
    for mixture in (False, True):
        for band, low, high in BANDS:
            m = keep & (data.mixture == mixture) & (data.batch > low) & (data.batch <= high)
            centre, count = pooled * (1.15 if mixture else 1.0), len(np.unique(models[m]))
            own = _point_90(a[m], data.weight[m]) if count else centre
            name = f"{'moe' if mixture else 'dense'}-{band}"
            out[name] = round(INFLATION * (count * own + 4.0 * centre) / (count + 4.0) / 1.6449, 4)
    out["dense-1"] = max(out["dense-1"], _LEAST_ALONE)
    return out


def _jackknife(data: Measured, start: Array) -> Array:
    groups = data.key(UNITS[data.kind])
    units = np.unique(groups[data.weight > 1e-6])
    left = np.array([fit(data, groups != unit, start, 12)[1] for unit in units])
    return np.sqrt((len(units) - 1) / len(units) * np.sum((left - left.mean(0)) ** 2, 0))


def _updated(row: dict[str, str], value: float, spread: float, jackknife: float, source: str) -> dict[str, str]:
    wide = math.exp(1.6449 * spread)
    numbers = {"value": value, "low": value / wide, "high": value * wide, "spread": spread, "jackknife": jackknife}
    year = str(datetime.now(UTC).year)
    return row | {name: f"{number:.5g}" for name, number in numbers.items()} | {"year": year, "source": source}


def refitted() -> list[dict[str, str]]:
    """The table as the fit has it."""
    measured = {kind: Measured(kind) for kind in GROUPS}
    digest = hashlib.sha256((data_folder() / "groundtruth" / "inference_measured.csv").read_bytes()).hexdigest()[:12]
    now = datetime.now(UTC)
    source = (
        f"Mesure, fitted {now:%Y-%m-%d} on {sum(d.consistent.sum() for d in measured.values())} rows of "
        f"ML.ENERGY v1-v3 (Chung et al. 2025), TokenPowerBench and benchlab; data {digest}"
    )
    found: dict[tuple[str, str], tuple[float, float, float]] = {}
    for kind, data in measured.items():
        k, x, hessian = fit(data, np.ones(len(data.log_wh), bool))
        own, jack = np.sqrt(np.diag(np.linalg.inv(hessian))), _jackknife(data, x)
        for i, name in enumerate(priors(kind)):
            found[GROUPS[kind], name] = getattr(k, name), float(own[i]), float(jack[i])
    errors = spreads(measured["text"], two_out(measured["text"]))
    out = []
    for row in table():
        key = row["entity"], row["parameter"]
        if key in found:
            row = _updated(row, *found[key], source)
        elif row["parameter"] in errors and row["entity"] == "residual":
            row |= {"value": f"{errors[row['parameter']]:.4g}", "source": source, "year": str(now.year)}
        if row["entity"] != "seen":
            out.append(row)
    chips = Counter(machines(r.raw["gpu"])[0][0][1].id for d in measured.values() for r in d.rows)
    like = {"entity": "seen", "unit": "rows", "year": str(now.year), "source": source, "status": "published"}
    licence = {"source_url": out[0]["source_url"], "licence": out[0]["licence"]}
    for chip, count in sorted(chips.items()):
        note = {"note": "rows of this accelerator in the fit", "id": f"fit.seen.{chip}", "parameter": chip}
        out.append(dict.fromkeys(out[0], "") | like | licence | note | {"value": str(count)})
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="rewrite the table of constants")
    given = parser.parse_args()
    before = {row["id"]: row["value"] for row in table()}
    after = refitted()
    for row in after:
        was = before.get(row["id"], "-")
        mark = "" if was == row["value"] else f"  (was {was})"
        sys.stdout.write(f"{row['id']:<40} {row['value']:>10} {row['unit']:<14} {row['jackknife']:>8}{mark}\n")
    if given.write:
        with FILE.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(after[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(after)
        sys.stdout.write(f"Wrote {FILE}\n")


if __name__ == "__main__":
    main()
