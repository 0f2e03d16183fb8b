"""What the pages show, for programs: values with interval, unit, status, sources and versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mesure.apps.reconciled import reconciled_json
from mesure.apps.words import SENSORS
from mesure.impact.provenance import factors_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mesure.catalogue import Catalogue
    from mesure.ledger.view import CallRow, ModelRow, Overview, Window
    from mesure.meter.sensors import SensorFactor
    from mesure.quantity import Quantity

__all__ = ["call_json", "factors_json", "overview_json"]


def overview_json(overview: Overview, catalogue: Catalogue, sensors: Iterable[SensorFactor] = ()) -> dict[str, Any]:
    """`Overview` as plain values. Times are ISO 8601 UTC; `factors`: those the figures rest on, sensors' included;
    `factors_missing`: ids that no table holds."""
    quantities = [
        *(quantity for window in _windows(overview).values() for quantity in (window.energy_wh, window.gwp_gco2eq)),
        *(quantity for row in overview.models for quantity in (row.energy_wh, row.gwp_gco2eq)),
    ]
    factors, missing = factors_json(quantities, catalogue)
    return {
        "now": overview.now.isoformat(),
        "versions": {
            "method": overview.method_version,
            "catalogue": overview.catalogue_version,
            "ledger": overview.ledger_version,
        },
        **{name: _window(window) for name, window in _windows(overview).items()},
        "power_w": overview.power_w.to_json(),
        "calls_per_minute": overview.calls_per_minute,
        "power_series": [
            {"at": point.at.isoformat(), "low": point.low_w, "mid": point.mid_w, "high": point.high_w, "unit": "W"}
            for point in overview.power_series
        ],
        "models": [_model(row) for row in overview.models],
        "last_calls": [call_json(row) for row in overview.last_calls],
        "statuses": {status.value: count for status, count in overview.statuses.items()},
        "reconciled": None if overview.reconciled is None else reconciled_json(overview.reconciled),
        "factors": [*factors, *(asdict(factor) for factor in sensors)],
        "factors_missing": missing,
    }


def factors_json(quantities: Iterable[Quantity | None], catalogue: Catalogue) -> tuple[list[dict[str, Any]], list[str]]:
    """(factors that the quantities name, ids that name none). A sensor is no factor: it is in neither."""
    ids = (source for quantity in quantities if quantity for source in quantity.sources if source not in SENSORS)
    found, missing = factors_named(ids, catalogue)
    return [factor.to_json() for factor in found], list(missing)


def _windows(overview: Overview) -> dict[str, Window]:
    return {"month": overview.month, "previous": overview.previous, "today": overview.today}


def _quantity(quantity: Quantity | None) -> dict[str, Any] | None:
    return None if quantity is None else quantity.to_json()


def _window(window: Window) -> dict[str, Any]:
    return {
        "since": window.since.isoformat(),
        "until": window.until.isoformat(),
        "calls": window.calls,
        "events": window.events,
        "tokens": window.tokens,
        "coverage": window.coverage,
        "energy_wh": _quantity(window.energy_wh),
        "gwp_gco2eq": _quantity(window.gwp_gco2eq),
    }


def _model(row: ModelRow) -> dict[str, Any]:
    return {
        "provider": row.provider,
        "model": row.model,
        "known": row.known,
        "calls": row.calls,
        "energy_wh": row.energy_wh.to_json(),
        "gwp_gco2eq": _quantity(row.gwp_gco2eq),
    }


def call_json(row: CallRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "started_at": row.started_at.isoformat(),
        "team": row.team,
        "use_case": row.use_case,
        "provider": row.provider,
        "model": row.model,
        "known": row.known,
        "route": row.route,
        "input_tokens": row.input_tokens,
        "cached_input_tokens": row.cached_input_tokens,
        "output_tokens": row.output_tokens,
        "energy_wh": row.energy_wh.to_json(),
        "gwp_gco2eq": _quantity(row.gwp_gco2eq),
        "status": row.status,
        "environment": row.environment,
    }
