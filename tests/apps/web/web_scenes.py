"""Overviews to draw pages from: an organisation's month, a small start, a large platform, nothing at all."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from mesure.impact import estimate
from mesure.ledger.view import CallRow, ModelRow, Overview, PowerPoint, Window
from mesure.quantity import Quantity, Status, add_independent, add_shared
from mesure.version import METHOD_VERSION

NOW = datetime(2026, 11, 22, 13, 2, 12, tzinfo=UTC)
MONTH = datetime(2026, 10, 31, 23, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)

#: Two factors that the catalogue holds, whatever its version.
ENERGY = estimate("gpt-4o", input_tokens=1, output_tokens=1).energy_wh.sources[:2]


def q(low: float, mid: float, high: float, unit: str = "Wh", status: Status = Status.MODELLED) -> Quantity:
    return Quantity(low, mid, high, unit, status, ENERGY)


def g(energy: Quantity, factor: float = 0.27) -> Quantity:
    """CO2e of an energy: always modelled, somewhat wider."""
    return Quantity(
        energy.low * factor * 0.6, energy.mid * factor, energy.high * factor * 1.4, "gCO2eq", Status.MODELLED
    )


def model(name: str, energy: Quantity, calls: int, *, known: bool = True, provider: str = "openai") -> ModelRow:
    return ModelRow(provider=provider, model=name, known=known, calls=calls, energy_wh=energy, gwp_gco2eq=g(energy))


def call(number: int, model: str, energy: Quantity, **changes: Any) -> CallRow:
    values: dict[str, Any] = {
        "id": f"01931f2c-0000-7000-8000-{number:012x}",
        "started_at": NOW - timedelta(seconds=2 * number + 1),
        "team": "Service client",
        "use_case": "Réponse client",
        "provider": "openai",
        "model": model,
        "known": True,
        "route": None,
        "input_tokens": 1204,
        "cached_input_tokens": 0,
        "output_tokens": 186,
        "energy_wh": energy,
        "gwp_gco2eq": g(energy),
        "status": "ok",
        "environment": "production",
    }
    return CallRow(**values | changes)


def window(since: datetime, energy: Quantity | None, calls: int, **changes: Any) -> Window:
    values: dict[str, Any] = {
        "since": since,
        "until": NOW,
        "calls": calls,
        "events": calls,
        "energy_wh": energy,
        "gwp_gco2eq": g(energy) if energy else None,
        "tokens": calls * 900,
        "coverage": 0.984 if calls else None,
    }
    return Window(**values | changes)


def hour(level_w: float, spread: float = 0.45) -> tuple[PowerPoint, ...]:
    """A rising hour with the ups and downs of a call centre."""
    points = []
    for i in range(60):
        wave = 0.62 + 0.38 * i / 59 + 0.07 * math.sin(i * 0.7) + 0.05 * math.sin(i * 2.3)
        mid = level_w * wave
        at = NOW.replace(second=0) - timedelta(minutes=59 - i)
        points.append(PowerPoint(at=at, low_w=mid * (1 - spread), mid_w=mid, high_w=mid * (1 + spread * 1.5)))
    return tuple(points)


def office(**changes: Any) -> Overview:
    """A contact centre in the middle of its month."""
    models = (
        model("gpt-4o", q(11_200, 24_300, 53_100), 61_300),
        model("mistral-small", q(5_100, 9_800, 19_200), 88_120, provider="mistral"),
        model("claude-sonnet-4-5", q(2_100, 5_200, 12_900), 9_410, provider="anthropic"),
        model("assistant-maison", q(300, 1_600, 8_600, status=Status.DEFAULT), 1_204, known=False, provider="interne"),
        model("gemma-3-270m", q(17, 21, 26, status=Status.MEASURED), 114_000, provider="local"),
    )
    month = add_independent([row.energy_wh for row in models])._replace(status=Status.MODELLED)
    values: dict[str, Any] = {
        "now": NOW,
        "month": window(MONTH, month, 274_034),
        "previous": window(datetime(2026, 9, 30, 22, 0, tzinfo=UTC), month.scaled(1 / 1.18), 209_186),
        "today": window(MIDNIGHT, q(1_100, 1_900, 3_300), 9_120),
        "power_w": q(104, 184, 318, "W"),
        "calls_per_minute": 212.0,
        "power_series": hour(184.0),
        "models": models,
        "last_calls": office_calls(),
        "statuses": {Status.MEASURED: 114_000, Status.MODELLED: 158_830, Status.DEFAULT: 1_204},
        "method_version": METHOD_VERSION,
        "catalogue_version": "2026-11-22",
        "ledger_version": 4123,
    }
    return Overview(**values | changes)


def office_calls() -> tuple[CallRow, ...]:
    small = q(5.1e-3, 6.2e-3, 7.4e-3, status=Status.MEASURED)
    kinds: list[dict[str, Any]] = [
        {"model": "gpt-4o", "energy": q(0.13, 0.31, 0.75)},
        {"model": "gemma-3-270m", "energy": small, "use_case": "Motif d’appel", "input_tokens": 38, "output_tokens": 1},
        {"model": "mistral-small", "energy": q(0.061, 0.12, 0.24), "use_case": "Résumé d’appel", "input_tokens": 2910},
        {"model": "gpt-4o", "energy": q(0.2, 0.52, 1.3), "use_case": None, "team": None, "output_tokens": 402},
        {
            "model": "assistant-maison",
            "energy": q(0.08, 0.9, 6.2, status=Status.DEFAULT),
            "known": False,
            "use_case": "Réponse courriel",
            "team": "Back-office",
        },
        {"model": "claude-sonnet-4-5", "energy": q(0.3, 0.8, 2.1), "use_case": "Audit qualité", "status": "truncated"},
        {"model": "mistral-small", "energy": q(0.05, 0.11, 0.22), "use_case": "Résumé d’appel", "environment": "test"},
    ]
    rows = []
    for number in range(20):
        kind = dict(kinds[number % len(kinds)])
        rows.append(call(number, kind.pop("model"), kind.pop("energy"), **kind))
    return tuple(rows)


def small(**changes: Any) -> Overview:
    """The first minutes of a local model on one machine."""
    energy = q(0.9, 1.4, 2.2, status=Status.MEASURED)
    one = q(7.1e-3, 9.4e-3, 12.1e-3, status=Status.MEASURED)
    values: dict[str, Any] = {
        "month": window(MONTH, energy, 148, coverage=1.0),
        "previous": window(datetime(2026, 9, 30, 22, 0, tzinfo=UTC), None, 0),
        "today": window(MIDNIGHT, energy, 148),
        "power_w": q(3.1, 4.2, 5.6, "W", Status.MEASURED),
        "calls_per_minute": 7.5,
        "power_series": tuple(
            PowerPoint(at=point.at, low_w=0.0, mid_w=0.0, high_w=0.0) if i < 41 else point
            for i, point in enumerate(hour(4.2, 0.25))
        ),
        "models": (model("gemma-3-270m", energy, 148, provider="local"),),
        "last_calls": tuple(
            call(i, "gemma-3-270m", one, input_tokens=212, output_tokens=24 + i, team="Team A", use_case="Intent")
            for i in range(20)
        ),
        "statuses": {Status.MEASURED: 148},
        "ledger_version": 3,
    }
    return office(**values | changes)


def large(**changes: Any) -> Overview:
    """A platform of millions of calls, many models, digits everywhere."""
    models = tuple(
        model(f"model-with-a-rather-long-name-{i}", q(9e6 / i, 21e6 / i, 48e6 / i), 9_876_543 // i)
        for i in range(1, 12)
    )
    month = add_shared([row.energy_wh for row in models])
    values: dict[str, Any] = {
        "month": window(MONTH, month, 31_234_567, coverage=0.9996),
        "previous": window(datetime(2026, 9, 30, 22, 0, tzinfo=UTC), month.scaled(1 / 3.4), 9_000_000),
        "today": window(MIDNIGHT, q(1.1e6, 1.9e6, 3.3e6), 912_000),
        "power_w": q(61_000, 118_400, 230_000, "W"),
        "calls_per_minute": 21_212.0,
        "power_series": hour(118_400.0),
        "models": models,
        "statuses": {Status.MODELLED: 31_234_567},
    }
    return office(**values | changes)


def empty(**changes: Any) -> Overview:
    """Installed, and nothing has come through yet."""
    values: dict[str, Any] = {
        "month": window(MONTH, None, 0),
        "previous": window(datetime(2026, 9, 30, 22, 0, tzinfo=UTC), None, 0),
        "today": window(MIDNIGHT, None, 0),
        "power_w": q(0, 0, 0, "W"),
        "calls_per_minute": 0.0,
        "power_series": tuple(PowerPoint(at=p.at, low_w=0.0, mid_w=0.0, high_w=0.0) for p in hour(1.0)),
        "models": (),
        "last_calls": (),
        "statuses": {},
        "ledger_version": 0,
    }
    return office(**values | changes)


def failing(**changes: Any) -> Overview:
    """Calls came in, and not one reached its provider."""
    energy = q(0, 0, 0)
    gone = Quantity(0, 0, 0, "gCO2eq", Status.DEFAULT)
    values: dict[str, Any] = {
        "month": window(MONTH, energy, 3, gwp_gco2eq=gone, coverage=None, tokens=0),
        "today": window(MIDNIGHT, energy, 3, gwp_gco2eq=gone),
        "last_calls": tuple(
            call(i, "gpt-4o", energy, gwp_gco2eq=gone, status="error", use_case=None, team=None) for i in range(3)
        ),
        "models": (
            ModelRow(provider="openai", model="gpt-4o", known=True, calls=3, energy_wh=energy, gwp_gco2eq=gone),
        ),
        "statuses": {Status.MODELLED: 3},
    }
    return empty(**values | changes)


SCENES = {"office": office, "small": small, "large": large, "empty": empty, "failing": failing}
