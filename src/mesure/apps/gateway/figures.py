"""Figures that answers carry: response headers of JSON answers, comments in live streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from mesure.impact import impacts_of
from mesure.ledger.pricing import Pricer, key_of

if TYPE_CHECKING:
    from mesure.apps.gateway.headers import Pairs
    from mesure.config import Settings
    from mesure.impact import Coefficients, Impacts
    from mesure.quantity import Quantity
    from mesure.record import UsageEvent

__all__ = ["Figures", "figure_headers", "live_comment"]

_MOST_MODELS = 1024  # names come from clients: what is remembered of them is bounded


class Figures:
    """Impacts as the ledger will show them, under the coefficients of the day, resolved once per provider and model."""

    def __init__(self, settings: Settings) -> None:
        self._deployments = settings.deployments
        self._forget()

    def impacts(self, event: UsageEvent) -> Impacts:
        """Impacts of one event with its intervals; an unknown model gives the flagged wide default."""
        day = event.started_at.toordinal()
        if day != self._day or len(self._resolved) > _MOST_MODELS:
            self._forget(day)
        key = (event.provider, event.model_answered, event.model_requested, event.host_zone, event.deployment)
        coefficients = self._resolved.get(key)
        if coefficients is None:
            coefficients = self._resolved[key] = self._pricer.coefficients(key_of(event))
        return impacts_of(event, coefficients)

    def _forget(self, day: int = 0) -> None:
        self._day = day
        self._pricer = Pricer(self._deployments)
        self._resolved: dict[tuple[str | None, ...], Coefficients] = {}


def figure_headers(impacts: Impacts) -> Pairs:
    """`x-mesure-*` headers of a JSON answer. What has no sourced figure has no header."""
    headers: Pairs = []
    for name, quantity in ((b"energy-wh", impacts.energy_wh), (b"gco2eq", impacts.gwp_gco2eq)):
        if quantity is not None:
            headers += (
                (b"x-mesure-" + name, b"%.4g" % quantity.mid),
                (b"x-mesure-" + name + b"-low", b"%.4g" % quantity.low),
                (b"x-mesure-" + name + b"-high", b"%.4g" % quantity.high),
            )
    if impacts.energy_wh is not None:
        headers.append((b"x-mesure-status", impacts.energy_wh.status.value.encode()))
    headers += (
        (b"x-mesure-method", impacts.method_version.encode()),
        (b"x-mesure-catalogue", impacts.catalogue_version.encode()),
        (b"x-mesure-model-known", b"true" if impacts.known else b"false"),
    )
    return headers


def live_comment(impacts: Impacts, output_tokens: int | None, *, final: bool) -> bytes:
    """One line of a stream that its readers skip: `: energy {...}`."""
    figure = {
        "energy_wh": _interval(impacts.energy_wh),
        "gwp_gco2eq": _interval(impacts.gwp_gco2eq),
        "status": impacts.energy_wh.status.value if impacts.energy_wh is not None else None,
        "output_tokens": output_tokens,
        "model_known": impacts.known,
        "final": final,
    }
    return b": energy " + orjson.dumps(figure) + b"\n"


def _interval(quantity: Quantity | None) -> dict[str, float] | None:
    return None if quantity is None else {"low": quantity.low, "mid": quantity.mid, "high": quantity.high}
